/* SPDX-License-Identifier: MIT */
#include "client/profile_draft.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/profile_files.h"
#include "common/text.h"

#define VALUE_MAX       SPG_PROFILE_PATH_MAX
#define WIDTH           88
#define PATTERN_MAX     120
#define DIRECTORIES_MAX 200
#define COMMANDS_MAX    8
#define PATTERNS_MAX    2000

void spg_profile_finish(struct spg_profile *profile)
{
	spg_buf_finish(&profile->name);
	spg_buf_finish(&profile->command);
	spg_texts_finish(&profile->notes);
	spg_texts_finish(&profile->files);
	spg_texts_finish(&profile->trees);
	spg_texts_finish(&profile->foreign);
	spg_texts_finish(&profile->stops);
	spg_texts_finish(&profile->stop_notes);
	spg_texts_finish(&profile->commands);
	spg_texts_finish(&profile->library_path);
	spg_texts_finish(&profile->advice_patterns);
	spg_texts_finish(&profile->advice);
}

void spg_profile_set_name(struct spg_profile *profile, const char *text)
{
	spg_buf_clear(&profile->name);
	for (; *text && profile->name.len < SPG_PRODUCT_NAME_MAX; text++) {
		char c = (char)tolower((unsigned char)*text);

		/* A hidden file is not included. */
		if (c == '.' && profile->name.len == 0)
			continue;
		spg_buf_putc(&profile->name, (c >= 'a' && c <= 'z') ||
							     (c >= '0' && c <= '9') ||
							     strchr("_.-", c)
						     ? c
						     : '-');
	}
}

void spg_profile_keep(
	struct spg_profile *profile, struct spg_texts *texts, const char *text)
{
	if (!text || spg_texts_add(texts, text) < 0)
		profile->failed = true;
}

void spg_profile_keep_new(
	struct spg_profile *profile, struct spg_texts *texts, const char *text)
{
	if (!text || spg_texts_add_new(texts, text) < 0)
		profile->failed = true;
}

void spg_profile_note(struct spg_profile *profile, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	spg_profile_keep_new(profile, &profile->notes, n < 0 ? NULL : text);
	if (n >= 0)
		free(text);
}

/* What a value, or a word of one, may be: it stands as it is, on one line. */
static bool is_plain(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= VALUE_MAX && spg_text_is_clean(text) &&
	       !isspace((unsigned char)text[0]) &&
	       !isspace((unsigned char)text[n - 1]) && !strchr(text, ';') &&
	       !strchr(text, '\t');
}

static bool is_plain_word(const char *text)
{
	return is_plain(text) && !strpbrk(text, " ,=#*?[");
}

void spg_profile_add_stop(
	struct spg_profile *profile, const char *program, const char *note)
{
	if (!is_plain_word(program) || strchr(program, '/'))
		return;
	for (size_t i = 0; i < profile->stops.n; i++)
		if (strcmp(profile->stops.items[i], program) == 0)
			return;
	spg_profile_keep(profile, &profile->stops, program);
	spg_profile_keep_new(profile, &profile->stop_notes, note);
}

void spg_profile_add_unit(struct spg_profile *profile, const char *unit)
{
	struct spg_buf command = SPG_BUF_NULL;

	if (!is_plain_word(unit) || unit[0] == '-')
		return;
	spg_buf_puts(&command, "systemctl stop ");
	spg_text_shell_quote(&command, unit);
	spg_profile_keep_new(profile, &profile->commands,
		command.failed ? NULL : spg_buf_text(&command));
	spg_buf_finish(&command);
}

/* ---- which patterns ---- */

/* While a profile is written. */
struct draft {
	struct spg_profile *profile;
	struct spg_texts directories;
	struct spg_texts shared;     /* of them: those in which others have modules */
	struct spg_texts bystanders; /* names there that are not the application's */
	struct spg_texts patterns;
	size_t n_left_out;
};

/* A name as a pattern for it: what means something to the configuration, or has no
 * place in it, is any one byte. */
static void put_literal(struct spg_buf *out, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (out->len >= PATTERN_MAX) {
			spg_buf_putc(out, '*');
			return;
		}
		spg_buf_putc(out,
			isalnum((unsigned char)name[i]) || strchr("._+~@%:-", name[i])
				? name[i]
				: '?');
	}
}

/* "libpq.so.5.15": the number changes with the next version. NULL: it has none. */
static const char *find_so_version(const char *name)
{
	const char *at = strstr(name, ".so.");

	return at && at > name && isdigit((unsigned char)at[4]) ? at : NULL;
}

/* What is of a library's kind: a new version brings others of it. */
static bool put_kind(struct spg_buf *out, const char *name)
{
	static const char *const ends[] = {
		".so", ".jar", ".war", ".ear", ".dll", ".exe", ".ocx", ".node", ".pyd"};
	const char *dot = strrchr(name, '.');

	if (find_so_version(name)) {
		spg_buf_puts(out, "*.so.*");
		return true;
	}
	for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!spg_name_equal(dot, ends[i], true))
			continue;
		spg_buf_printf(out, "*%s", dot);
		return true;
	}
	return false;
}

static bool matches_bystander(const struct draft *draft, const char *pattern)
{
	for (size_t i = 0; i < draft->bystanders.n; i++)
		if (spg_name_match(pattern, draft->bystanders.items[i],
			    draft->profile->windows))
			return true;
	return false;
}

static bool add_pattern(struct draft *draft, struct spg_buf *pattern, bool always)
{
	bool good = !pattern->failed && pattern->len > 0 &&
	            (always || !matches_bystander(draft, spg_buf_text(pattern)));

	draft->profile->failed |= pattern->failed;
	if (good)
		spg_profile_keep(
			draft->profile, &draft->patterns, spg_buf_text(pattern));
	spg_buf_clear(pattern);
	return good;
}

/* The widest pattern that is of nobody else. */
static void add_name(struct draft *draft, const char *name, bool own)
{
	const char *version = find_so_version(name);
	struct spg_buf pattern = SPG_BUF_NULL;
	bool added = false;

	if (own && put_kind(&pattern, name))
		added = add_pattern(draft, &pattern, false);
	if (!added && version) {
		put_literal(&pattern, name, (size_t)(version - name));
		spg_buf_puts(&pattern, ".so.*");
		added = add_pattern(draft, &pattern, false);
	}
	if (!added) {
		put_literal(&pattern, name, strlen(name));
		(void)add_pattern(draft, &pattern, true);
	}
	spg_buf_finish(&pattern);
}

static char *directory_of(const char *path)
{
	const char *name = spg_path_base(path);
	size_t n = name > path + 1 ? (size_t)(name - path) - 1 : 1;

	return strndup(path, n);
}

static bool is_shared(const struct spg_profile *profile, const char *directory)
{
	return spg_directory_is_common(directory) ||
	       spg_texts_has(&profile->foreign, directory);
}

/* What stands in the shared directory and is not in the sorted files. */
static void add_bystanders(struct draft *draft, const char *directory)
{
	struct spg_texts names = SPG_TEXTS_NULL;
	struct spg_buf path = SPG_BUF_NULL;

	draft->profile->failed |= !spg_names_in(directory, &names);
	for (size_t i = 0; i < names.n; i++) {
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s", directory, names.items[i]);
		draft->profile->failed |= path.failed;
		if (!spg_texts_has(&draft->profile->files, spg_buf_text(&path)) &&
			spg_module_at(spg_buf_text(&path)) != SPG_MODULE_NONE)
			spg_profile_keep(
				draft->profile, &draft->bystanders, names.items[i]);
	}
	spg_buf_finish(&path);
	spg_texts_finish(&names);
}

/* Directories first: whose they are decides about patterns. */
static void find_directories(struct draft *draft)
{
	struct spg_profile *profile = draft->profile;

	for (size_t i = 0; profile->trees.n == 0 && i < profile->files.n; i++) {
		char *directory = directory_of(profile->files.items[i]);

		if (!directory || is_plain(directory))
			spg_profile_keep(
				draft->profile, &draft->directories, directory);
		else
			draft->n_left_out++;
		free(directory);
	}
	for (size_t i = 0; i < profile->trees.n; i++)
		spg_profile_keep(
			draft->profile, &draft->directories, profile->trees.items[i]);
	spg_texts_sort(&draft->directories);
	for (size_t i = 0; i < draft->directories.n; i++) {
		const char *directory = draft->directories.items[i];

		if (profile->trees.n > 0 || !is_shared(profile, directory))
			continue;
		spg_profile_keep(draft->profile, &draft->shared, directory);
		add_bystanders(draft, directory);
	}
}

static void find_patterns(struct draft *draft)
{
	struct spg_profile *profile = draft->profile;

	for (size_t i = 0; i < profile->files.n; i++) {
		const char *path = profile->files.items[i];
		char *directory = directory_of(path);

		profile->failed |= !directory;
		if (directory && (profile->trees.n > 0 || is_plain(directory)))
			add_name(draft, spg_path_base(path),
				!spg_texts_has(&draft->shared, directory));
		free(directory);
	}
	spg_texts_sort(&draft->patterns);
}

/* Names that others have too, in another directory of the profile. */
static void note_namesakes(struct draft *draft)
{
	for (size_t i = 0; i < draft->patterns.n; i++)
		if (matches_bystander(draft, draft->patterns.items[i]))
			spg_profile_note(draft->profile,
				"%s is the name of a file of others too, in a shared "
				"directory: it is watched with the rest.",
				draft->patterns.items[i]);
}

/* ---- its text ---- */

/* Wrapped; every line begins with @first, or with @next. */
static void put_wrapped(
	struct spg_buf *out, const char *first, const char *next, const char *text)
{
	const char *at = text;
	size_t column;

	spg_buf_puts(out, first);
	column = strlen(first);
	while (*at) {
		size_t len = strcspn(at, " ");

		if (column > strlen(first) && column + 1 + len > WIDTH) {
			spg_buf_printf(out, "\n%s", next);
			column = strlen(next);
		} else if (at != text) {
			spg_buf_putc(out, ' ');
			column++;
		}
		if (len > VALUE_MAX)
			spg_buf_add(out, at, VALUE_MAX);
		else
			spg_buf_add(out, at, len);
		column += len;
		at += len;
		at += strspn(at, " ");
	}
	spg_buf_putc(out, '\n');
}

static void put_comment(struct spg_buf *out, const char *text)
{
	struct spg_buf escaped = SPG_BUF_NULL;

	spg_text_escape(&escaped, text, false);
	put_wrapped(out, "# ", "#   ", spg_buf_text(&escaped));
	out->failed |= escaped.failed;
	spg_buf_finish(&escaped);
}

static void put_list(
	struct spg_buf *out, const char *key, const struct spg_texts *texts)
{
	struct spg_buf all = SPG_BUF_NULL, first = SPG_BUF_NULL;

	for (size_t i = 0; i < texts->n; i++)
		spg_buf_printf(&all, "%s%s", i ? " " : "", texts->items[i]);
	spg_buf_printf(&first, "%s = ", key);
	put_wrapped(out, spg_buf_text(&first), "    ", spg_buf_text(&all));
	out->failed |= all.failed || first.failed;
	spg_buf_finish(&first);
	spg_buf_finish(&all);
}

static void put_directories(const struct draft *draft, struct spg_buf *out)
{
	for (size_t i = 0; i < draft->directories.n; i++) {
		const char *path = draft->directories.items[i];

		if (spg_texts_has(&draft->shared, path))
			put_comment(out,
				"Shared with others: of the next directory, only "
				"what \"files\" names.");
		spg_buf_printf(out, "directory = %s\n", path);
	}
	for (size_t i = 0; i < draft->profile->library_path.n; i++) {
		const char *path = draft->profile->library_path.items[i];

		if (i == 0)
			put_comment(out, "LD_LIBRARY_PATH of the unit.");
		if (path[0] == '/' && is_plain(path))
			spg_buf_printf(out, "library-path = %s\n", path);
	}
}

static void put_stops(const struct spg_profile *profile, struct spg_buf *out)
{
	if (profile->stops.n == 0)
		return;
	for (size_t i = 0; i < profile->stop_notes.n; i++)
		put_comment(out, profile->stop_notes.items[i]);
	put_list(out, "setup-stops", &profile->stops);
}

static void put_one_advice(const struct spg_profile *profile, struct spg_buf *out,
	const char *pattern, const char *say)
{
	spg_buf_printf(out, "\n[advice %s]\nproduct = %s\n", pattern,
		spg_buf_text(&profile->name));
	put_wrapped(out, "say = ", "    ", say);
}

static void put_commands(const struct spg_profile *profile, struct spg_buf *out)
{
	struct spg_buf say = SPG_BUF_NULL;

	if (profile->commands.n > COMMANDS_MAX) {
		spg_buf_puts(out,
			"# More services than one advice can name: spguard check "
			"names whom to stop.\n");
		return;
	}
	for (size_t i = 0; i < profile->commands.n; i++)
		spg_buf_printf(&say, "%s%s", i ? ", " : "", profile->commands.items[i]);
	put_one_advice(profile, out, "*", spg_buf_text(&say));
	out->failed |= say.failed;
	spg_buf_finish(&say);
}

/* What stops the services that were seen says more than a general word. */
static void put_advice(const struct spg_profile *profile, struct spg_buf *out)
{
	for (size_t i = 0; i < profile->advice.n; i++) {
		const char *pattern = profile->advice_patterns.items[i];

		if (strcmp(pattern, "*") != 0 || profile->commands.n == 0)
			put_one_advice(profile, out, pattern, profile->advice.items[i]);
	}
	if (profile->commands.n > 0)
		put_commands(profile, out);
}

static void put_profile(const struct draft *draft, struct spg_buf *out)
{
	const struct spg_profile *profile = draft->profile;
	const char *name = spg_buf_text(&profile->name);

	put_comment(out, spg_buf_text(&profile->command));
	for (size_t i = 0; i < profile->notes.n; i++)
		put_comment(out, profile->notes.items[i]);
	if (profile->stops.n == 0 && profile->commands.n == 0 && profile->advice.n == 0)
		put_comment(out,
			"How its programs are stopped is not known: add advice, "
			"or make it again while they run.");
	if (draft->n_left_out > 0)
		spg_buf_printf(out,
			"# %zu files are left out: a configuration cannot name their "
			"directory.\n",
			draft->n_left_out);
	spg_buf_printf(out, "\n[product %s]\ntitle = %s\n", name, name);
	put_directories(draft, out);
	if (profile->trees.n > 0)
		spg_buf_puts(out, "recursive = yes\n");
	if (profile->windows)
		spg_buf_puts(out, "ignore-case = yes\n");
	if (profile->by_rename) {
		put_comment(out, "A package manager gives a new file its name.");
		spg_buf_puts(out, "replaced = rename\n");
	}
	put_list(out, "files", &draft->patterns);
	put_stops(profile, out);
	put_advice(profile, out);
}

static bool check(const struct draft *draft, struct spg_complaint *why)
{
	if (draft->patterns.n == 0) {
		spg_complain(why, "there is no program and no library that a process "
				  "would keep in use");
		spg_complaint_hint(why,
			"What else is replaced, a profile by hand can name: man "
			"spguard.conf");
		return false;
	}
	if (draft->directories.n <= DIRECTORIES_MAX &&
		draft->patterns.n <= PATTERNS_MAX)
		return true;
	spg_complain(why, "%zu directories and %zu patterns are too many for a profile",
		draft->directories.n, draft->patterns.n);
	spg_complaint_hint(
		why, "Name the application's directory: spguard profile DIR");
	return false;
}

bool spg_profile_print(
	struct spg_profile *profile, struct spg_buf *out, struct spg_complaint *why)
{
	struct draft draft = {.profile = profile};
	bool good;

	spg_texts_sort(&profile->files);
	spg_texts_sort(&profile->foreign);
	find_directories(&draft);
	find_patterns(&draft);
	note_namesakes(&draft);
	good = check(&draft, why);
	if (good)
		put_profile(&draft, out);
	if (profile->failed || profile->name.failed || profile->command.failed ||
		out->failed) {
		spg_complain(why, "out of memory");
		good = false;
	}
	spg_texts_finish(&draft.directories);
	spg_texts_finish(&draft.shared);
	spg_texts_finish(&draft.bystanders);
	spg_texts_finish(&draft.patterns);
	return good;
}
