/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of places.h: what looks at one place, and what it has found so far.
 */
#include <stdbool.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/format.h"
#include "daemon/config/config.h"

struct spg_look {
	const struct spg_config *config;
	struct spg_buf *problems, *notes;
	bool has_daemon; /* one that runs uses the socket or the database */
	int err;         /* of the first problem */
};

/* A file of the daemon's own, and the key that names it. */
struct spg_place {
	const char *key, *value, *path; /* @value: as it is written */
	mode_t kind;                    /* S_IFSOCK or S_IFREG */
	bool makes_directory; /* the daemon makes the last component by itself */
};

/** A line about a fault; @err is the answer, if it is the first. */
void spg_look_problem(struct spg_look *look, int err, const char *format, ...)
	SPG_PRINTF(3, 4);

/** A line about what need not be one. */
void spg_look_note(struct spg_look *look, const char *format, ...) SPG_PRINTF(2, 3);

/** The directory that @path is in; NULL: out of memory. For free(). */
char *spg_look_directory_of(const char *path);

/** What is at the place is of the right kind, its directory is there and can be written
 * to; a daemon that has it is noted. */
void spg_look_at_place(struct spg_look *look, const struct spg_place *place);

/** The same of a local socket, a file for each system. @value: with what may stand before
 * the path in it. */
void spg_look_at_socket(
	struct spg_look *look, const char *key, const char *value, gid_t gid);

/** Whether a start could listen there. */
void spg_look_at_address(
	struct spg_look *look, const struct spg_listen_address *address);
