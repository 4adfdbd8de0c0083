/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files of a configuration, line by line: INI as in ini.h, with includes.
 * Knows no key but where an include is asked for.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/format.h"

struct spg_config_at {
	const char *file; /* as long as the struct spg_config_files */
	unsigned line;
};

struct spg_config_line {
	struct spg_config_at at;
	const char *key;
	const char *value; /* without blanks around it */
	bool continued;    /* a further line of the key's value */
	bool in_section;
};

struct spg_config_handler {
	void (*on_section)(
		void *user, const char *name, const struct spg_config_at *at);
	void (*on_line)(void *user, const struct spg_config_line *line);
	void *user;
};

struct spg_config_files;

/** Start with the file at @path. NULL: out of memory. */
struct spg_config_files *spg_config_files_create(const char *path);
void spg_config_files_destroy(struct spg_config_files *files); /* takes NULL */

/**
 * Read the first file, then what was included meanwhile, in order. Faults of
 * form go to @problems. Returns 0; SPG_ERR_NOT_FOUND, SPG_ERR_DENIED or
 * SPG_ERR_IO when a file cannot be read, also told there; or SPG_ERR_NOMEM.
 */
int spg_config_files_read(struct spg_config_files *files,
	const struct spg_config_handler *handler, struct spg_buf *problems);

/**
 * From on_line: read the files that line->value names later on: a path or
 * pattern (glob(7)), relative to the file it stands in. No match is no fault for
 * a pattern. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_config_files_include(struct spg_config_files *files,
	const struct spg_config_line *line, struct spg_buf *problems);

/** Append "FILE:LINE: ..." to @problems. */
void spg_config_problem(struct spg_buf *problems, struct spg_config_at at,
	const char *format, ...) SPG_PRINTF(3, 4);
