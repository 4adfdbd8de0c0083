/* SPDX-License-Identifier: MIT */
#include "daemon/config/file.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ini.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

/* inih cuts section and key names here without a word (ini.c, MAX_SECTION). */
#define NAME_BYTES_MAX 48
#define FILES_MAX      1000

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
	FILE *file;
	struct spg_config_at at;
	const struct spg_config_handler *handler;
	struct spg_buf *problems;
	bool indented, in_section;
	bool skips; /* the lines of a section whose name is no good: no faults of theirs */
	char last_key[NAME_BYTES_MAX + 2];
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

/* "[name]" at the start of a line: inih tells of a section only with its first
 * key, and one without keys is a mistake to be told, too. */
static void note_section(struct parse *p, const char *line)
{
	const char *end = strchr(line, ']');
	char name[NAME_BYTES_MAX + 1];

	p->skips = true;
	if (!end)
		return; /* inih tells that */
	p->in_section = true;
	p->last_key[0] = '\0';
	if (end - line - 1 >= NAME_BYTES_MAX) {
		spg_config_problem(p->problems, p->at,
			"a section's name may have %d bytes", NAME_BYTES_MAX - 1);
		return;
	}
	p->skips = false;
	snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
	p->handler->on_section(p->handler->user, name, &p->at);
}

/* inih's fgets(3): one line a call, so that it can be counted. */
static char *read_line(char *line, int size, void *stream)
{
	struct parse *p = stream;
	size_t len;
	int c;

	if (!fgets(line, size, p->file))
		return NULL;
	len = strlen(line);
	/* A byte order mark, as some editors put it. */
	if (p->at.line++ == 0 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		len -= 3;
		memmove(line, line + 3, len + 1);
	}
	p->indented = line[0] == ' ' || line[0] == '\t';
	if (len > 0 && line[len - 1] != '\n' && !feof(p->file)) {
		spg_config_problem(p->problems, p->at,
			"a line may have %d bytes: go on in the next one, indented",
			size - 3);
		while ((c = fgetc(p->file)) != EOF && c != '\n')
			;
	}
	if (line[0] == '[')
		note_section(p, line);
	return line;
}

static int on_value(void *user, const char *section, const char *key, const char *value)
{
	struct parse *p = user;
	struct spg_config_line line = {
		.at = p->at, .key = key, .value = value, .in_section = p->in_section};

	(void)section;
	line.continued = p->indented && strcmp(key, p->last_key) == 0;
	if (p->skips)
		return 1;
	if (strlen(key) >= NAME_BYTES_MAX)
		spg_config_problem(
			p->problems, p->at, "there is no key as long as \"%s\"", key);
	else
		p->handler->on_line(p->handler->user, &line);
	snprintf(p->last_key, sizeof(p->last_key), "%s", key);
	return 1;
}

static int read_file(struct spg_config_files *files, size_t index,
	const struct spg_config_handler *handler, struct spg_buf *problems)
{
	struct parse p = {.at = {.file = files->sources[index].path},
		.handler = handler,
		.problems = problems};
	int bad_line, err;

	p.file = fopen(p.at.file, "re");
	if (!p.file) {
		err = spg_err_from_errno(errno);
		spg_text_escape(problems, p.at.file, false);
		spg_buf_printf(problems, ": cannot be read: %s\n", strerror(errno));
		return err;
	}
	bad_line = ini_parse_stream(read_line, &p, on_value, &p);
	err = ferror(p.file) ? SPG_ERR_IO : 0;
	fclose(p.file);
	if (bad_line > 0) {
		p.at.line = (unsigned)bad_line;
		spg_config_problem(problems, p.at,
			"this is neither \"key = value\" nor \"[section]\"");
	}
	if (err < 0 || bad_line < 0) {
		spg_text_escape(problems, p.at.file, false);
		spg_buf_puts(problems, ": reading failed\n");
		return SPG_ERR_IO;
	}
	return 0;
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

	if (line->value[0] == '/')
		n = asprintf(&pattern, "%s", line->value);
	else
		n = asprintf(&pattern, "%.*s%s", (int)(base - line->at.file),
			line->at.file, line->value);
	if (n < 0)
		return SPG_ERR_NOMEM;
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
