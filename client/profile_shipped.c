/* SPDX-License-Identifier: MIT */
#include "client/profile_shipped.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ini.h"
#include "common/text.h"

#define FILE_BYTES_MAX (1U << 20)

/* A product of a shipped profile. */
struct shipped {
	struct spg_buf name, stops;
	struct spg_texts directories, files; /* files: patterns */
	bool recursive;
	struct spg_texts patterns, says; /* its advice, one each */
};

#define SHIPPED_NULL                                                                   \
	{                                                                              \
		SPG_BUF_NULL, SPG_BUF_NULL, SPG_TEXTS_NULL, SPG_TEXTS_NULL, false,     \
			SPG_TEXTS_NULL, SPG_TEXTS_NULL                                 \
	}

static void finish(struct shipped *shipped)
{
	spg_buf_finish(&shipped->name);
	spg_buf_finish(&shipped->stops);
	spg_texts_finish(&shipped->directories);
	spg_texts_finish(&shipped->files);
	spg_texts_finish(&shipped->patterns);
	spg_texts_finish(&shipped->says);
	*shipped = (struct shipped)SHIPPED_NULL;
}

/* ---- is it about one of the files? ---- */

static bool covers(const struct shipped *shipped, const char *path)
{
	const char *base = spg_path_base(path);
	bool named = false;

	for (size_t i = 0; !named && i < shipped->files.n; i++)
		named = spg_name_match(shipped->files.items[i], base, false);
	for (size_t i = 0; named && i < shipped->directories.n; i++) {
		const char *directory = shipped->directories.items[i];

		if (spg_path_below(path, directory, false) &&
			(shipped->recursive || base == path + strlen(directory) + 1))
			return true;
	}
	return false;
}

static bool is_about(const struct shipped *shipped, const struct spg_profile *profile)
{
	for (size_t i = 0; i < profile->files.n; i++)
		if (covers(shipped, profile->files.items[i]))
			return true;
	return false;
}

/* ---- reading it ---- */

struct reading {
	struct spg_profile *profile;
	struct shipped shipped;      /* the product that the lines belong to */
	struct spg_buf pattern, say; /* of an advice of it, so far */
	struct spg_buf *value;       /* that a further line belongs to; NULL: none */
	struct spg_texts *list;      /* ... or this list */
	bool found;                  /* @shipped is about one of the files */
};

static void add_words(struct reading *r, struct spg_texts *list, const char *value)
{
	while (*(value += strspn(value, " \t"))) {
		size_t n = strcspn(value, " \t");
		char *word = strndup(value, n);

		spg_profile_keep(r->profile, list, word);
		free(word);
		value += n;
	}
}

static void end_advice(struct reading *r)
{
	if (r->pattern.len > 0 && r->say.len > 0) {
		spg_profile_keep(
			r->profile, &r->shipped.patterns, spg_buf_text(&r->pattern));
		spg_profile_keep(r->profile, &r->shipped.says, spg_buf_text(&r->say));
	}
	r->profile->failed |= r->pattern.failed || r->say.failed;
	spg_buf_clear(&r->pattern);
	spg_buf_clear(&r->say);
}

/* What a section "@kind NAME" is about; NULL: it is another. */
static const char *about(const char *section, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(section, kind, n) == 0 && section[n] == ' ' ? section + n + 1
	                                                           : NULL;
}

/* The sections of a product follow each other: at the next one it is known. */
static void begin_section(struct reading *r, const char *name)
{
	const char *pattern = about(name, "advice");

	end_advice(r);
	r->value = NULL;
	r->list = NULL;
	if (pattern) {
		spg_buf_puts(&r->pattern, pattern);
	} else if (!r->found) {
		r->found = is_about(&r->shipped, r->profile);
		if (!r->found)
			finish(&r->shipped);
	}
}

static void take_value(struct reading *r, const char *key, const char *value)
{
	bool of_advice = r->pattern.len > 0;

	r->value = NULL;
	r->list = NULL;
	if (of_advice && strcmp(key, "say") == 0)
		r->value = &r->say;
	else if (!of_advice && strcmp(key, "setup-stops") == 0)
		r->value = &r->shipped.stops;
	else if (!of_advice && strcmp(key, "files") == 0)
		r->list = &r->shipped.files;
	else if (!of_advice && strcmp(key, "directory") == 0)
		spg_profile_keep(r->profile, &r->shipped.directories, value);
	else if (!of_advice && strcmp(key, "recursive") == 0)
		r->shipped.recursive = strcmp(value, "yes") == 0;
	if (r->value)
		spg_buf_puts(r->value, value);
	if (r->list)
		add_words(r, r->list, value);
}

static void take_more(struct reading *r, const char *value)
{
	if (r->value)
		spg_buf_printf(r->value, " %s", value);
	if (r->list)
		add_words(r, r->list, value);
}

/* True when @r has the product that is about one of the files. */
static bool parse(struct reading *r, char *text, size_t n)
{
	struct spg_ini ini;
	struct spg_ini_item item;

	spg_ini_begin(&ini, text, n);
	do {
		spg_ini_next(&ini, &item);
		if (item.kind == SPG_INI_SECTION || item.kind == SPG_INI_END) {
			bool other =
				item.kind == SPG_INI_END || about(item.name, "product");

			begin_section(r, item.kind == SPG_INI_END ? "" : item.name);
			if (other && r->found)
				return true;
		} else if (item.kind == SPG_INI_VALUE) {
			take_value(r, item.name, item.value);
		} else if (item.kind == SPG_INI_CONTINUED) {
			take_more(r, item.value);
		}
	} while (item.kind != SPG_INI_END);
	return false;
}

/* ---- taking it over ---- */

static void take_over(struct reading *r, const char *path)
{
	struct spg_profile *profile = r->profile;

	for (size_t i = 0; i < r->shipped.patterns.n; i++) {
		spg_profile_keep(profile, &profile->advice_patterns,
			r->shipped.patterns.items[i]);
		spg_profile_keep(profile, &profile->advice, r->shipped.says.items[i]);
	}
	if (r->shipped.patterns.n > 0)
		spg_profile_note(profile, "The advice is that of %s.", path);
	if (profile->stops.n == 0 && r->shipped.stops.len > 0)
		spg_profile_note(profile,
			"That has setup-stops = %s: add the line here, if the scripts "
			"of the packages that you install stop these.",
			spg_buf_text(&r->shipped.stops));
	profile->failed |= r->shipped.stops.failed;
}

static char *read_text(const char *path, size_t *ret_n)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(FILE_BYTES_MAX + 1) : NULL;

	if (text) {
		*ret_n = fread(text, 1, FILE_BYTES_MAX, file);
		text[*ret_n] = '\0';
	}
	if (file)
		fclose(file);
	return text;
}

/* True when it was the one. */
static bool take_file(struct spg_profile *profile, const char *path)
{
	struct reading r = {.profile = profile,
		.shipped = SHIPPED_NULL,
		.pattern = SPG_BUF_NULL,
		.say = SPG_BUF_NULL};
	size_t n = 0;
	char *text = read_text(path, &n);
	bool found = text && parse(&r, text, n);

	if (found)
		take_over(&r, path);
	finish(&r.shipped);
	spg_buf_finish(&r.pattern);
	spg_buf_finish(&r.say);
	free(text);
	return found;
}

static int is_profile(const struct dirent *entry)
{
	return spg_name_match("*.conf", entry->d_name, false);
}

void spg_profile_add_shipped(struct spg_profile *profile, const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, is_profile, alphasort);
	bool found = false;

	for (int i = 0; i < n; i++) {
		struct spg_buf path = SPG_BUF_NULL;

		spg_buf_printf(&path, "%s/%s", directory, entries[i]->d_name);
		profile->failed |= path.failed;
		if (!found && !path.failed)
			found = take_file(profile, spg_buf_text(&path));
		spg_buf_finish(&path);
		free(entries[i]);
	}
	free(entries);
}
