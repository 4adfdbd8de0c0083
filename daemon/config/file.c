/* SPDX-License-Identifier: MIT */
#include "daemon/config/file.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/err.h"
#include "common/ini.h"
#include "common/platform.h"
#include "common/text.h"

#define FILES_MAX      1000
#define FILE_BYTES_MAX (4 << 20)

struct source {
	char *path; /* as it was named */
	dev_t dev;  /* what it is, however it was named; 0, 0: not there */
	ino_t ino;
};

struct spg_config_files {
	struct source *sources;
	size_t n, size;
};

/* One file while it is read. */
struct parse {
	struct spg_config_at at;
	const struct spg_config_handler *handler;
	struct spg_buf *problems;
	bool in_section, told_of_form;
};

void spg_config_problem(
	struct spg_buf *problems, struct spg_config_at at, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	spg_text_escape(problems, at.file, false);
	spg_buf_printf(problems, ":%u: ", at.line);
	spg_text_escape(problems, text, false);
	spg_buf_putc(problems, '\n');
}

static int add_path(struct spg_config_files *files, const char *path)
{
	struct source source = {.path = NULL};
	struct stat st;

	if (stat(path, &st) == 0) {
		source.dev = st.st_dev;
		source.ino = st.st_ino;
	}
	/* Once is enough, and ends a circle. */
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->sources[i].path, path) == 0 ||
			(source.ino && files->sources[i].ino == source.ino &&
				files->sources[i].dev == source.dev))
			return 0;
	source.path = strdup(path);
	if (!source.path || files->n >= FILES_MAX ||
		spg_array_reserve(&files->sources, files->n, &files->size,
			sizeof(*files->sources)) < 0) {
		free(source.path);
		return SPG_ERR_NOMEM;
	}
	files->sources[files->n++] = source;
	return 0;
}

struct spg_config_files *spg_config_files_create(const char *path)
{
	struct spg_config_files *files = calloc(1, sizeof(*files));

	if (files && add_path(files, path) < 0) {
		spg_config_files_destroy(files);
		return NULL;
	}
	return files;
}

void spg_config_files_destroy(struct spg_config_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n; i++)
		free(files->sources[i].path);
	free(files->sources);
	free(files);
}

/* A file that is no configuration has faults in each line: the first is enough. */
static void tell_of_form(struct parse *p, const char *text)
{
	if (!p->told_of_form)
		spg_config_problem(p->problems, p->at, "%s", text);
	p->told_of_form = true;
}

static void take_item(struct parse *p, const struct spg_ini_item *item)
{
	struct spg_config_line line = {.at = p->at,
		.key = item->name,
		.value = item->value,
		.continued = item->kind == SPG_INI_CONTINUED,
		.in_section = p->in_section};

	switch (item->kind) {
	case SPG_INI_SECTION:
		p->in_section = true;
		p->handler->on_section(p->handler->user, item->name, &p->at);
		break;
	case SPG_INI_VALUE:
	case SPG_INI_CONTINUED:
		p->handler->on_line(p->handler->user, &line);
		break;
	case SPG_INI_NO_FORM:
		tell_of_form(p, "this is neither \"key = value\" nor \"[section]\"");
		break;
	case SPG_INI_NUL:
		tell_of_form(p, "this line has a NUL byte: write the file as UTF-8");
		break;
	case SPG_INI_LONG_LINE:
		spg_config_problem(p->problems, p->at,
			"a line may have %d bytes: go on in the next one, indented",
			SPG_INI_LINE_MAX);
		break;
	case SPG_INI_LONG_SECTION:
		spg_config_problem(p->problems, p->at,
			"a section's name may have %d bytes", SPG_INI_SECTION_MAX);
		break;
	case SPG_INI_LONG_KEY:
		spg_config_problem(
			p->problems, p->at, "a key may have %d bytes", SPG_INI_KEY_MAX);
		break;
	case SPG_INI_END:
		break;
	}
}

static int load(FILE *file, struct spg_buf *text)
{
	char block[4096];
	size_t n;

	while ((n = fread(block, 1, sizeof(block), file)) > 0) {
		spg_buf_add(text, block, n);
		if (text->failed)
			return SPG_ERR_NOMEM;
		if (text->len > FILE_BYTES_MAX)
			return SPG_ERR_LIMIT;
	}
	return ferror(file) ? SPG_ERR_IO : 0;
}

static int read_text(const char *path, struct spg_buf *text, struct spg_buf *problems)
{
	FILE *file = fopen(path, "rbe");
	int err;

	if (!file) {
		err = spg_err_from_errno(errno);
		spg_text_escape(problems, path, false);
		spg_buf_printf(problems, ": cannot be read: %s\n", strerror(errno));
		return err;
	}
	err = load(file, text);
	fclose(file);
	if (err == 0 || err == SPG_ERR_NOMEM)
		return err;
	spg_text_escape(problems, path, false);
	if (err == SPG_ERR_LIMIT)
		spg_buf_printf(
			problems, ": a file may have %d bytes\n", FILE_BYTES_MAX);
	else
		spg_buf_puts(problems, ": reading failed\n");
	return err == SPG_ERR_LIMIT ? SPG_ERR_INVALID : err;
}

static int read_file(struct spg_config_files *files, size_t index,
	const struct spg_config_handler *handler, struct spg_buf *problems)
{
	struct parse p = {.at = {.file = files->sources[index].path},
		.handler = handler,
		.problems = problems};
	struct spg_buf text = SPG_BUF_NULL;
	struct spg_ini_item item;
	struct spg_ini ini;
	int err = read_text(p.at.file, &text, problems);

	if (err == 0 && text.len > 0) {
		spg_ini_begin(&ini, text.data, text.len);
		for (spg_ini_next(&ini, &item); item.kind != SPG_INI_END;
			spg_ini_next(&ini, &item)) {
			p.at.line = item.line;
			take_item(&p, &item);
		}
	}
	spg_buf_finish(&text);
	return err;
}

int spg_config_files_read(struct spg_config_files *files,
	const struct spg_config_handler *handler, struct spg_buf *problems)
{
	int r = 0;

	/* Includes append while this goes on. */
	for (size_t i = 0; r == 0 && i < files->n; i++)
		r = read_file(files, i, handler, problems);
	return r;
}

int spg_config_files_include(struct spg_config_files *files,
	const struct spg_config_line *line, struct spg_buf *problems)
{
	const char *base = spg_path_base(line->at.file);
	glob_t found = {0};
	char *pattern;
	int r = 0, n;

	if (spg_path_is_absolute(line->value))
		n = asprintf(&pattern, "%s", line->value);
	else
		n = asprintf(&pattern, "%.*s%s", (int)(base - line->at.file),
			line->at.file, line->value);
	if (n < 0)
		return SPG_ERR_NOMEM;
	spg_platform_separators(pattern);
	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
			r = add_path(files, found.gl_pathv[i]);
		break;
	case GLOB_NOMATCH:
		if (spg_name_is_literal(line->value))
			spg_config_problem(problems, line->at,
				"include = %s: there is no such file", line->value);
		break;
	case GLOB_NOSPACE:
		r = SPG_ERR_NOMEM;
		break;
	default:
		spg_config_problem(problems, line->at,
			"include = %s: the directory cannot be read", line->value);
	}
	globfree(&found);
	free(pattern);
	return r;
}
