/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A profile while it is made: which files an application has and how its programs are
 * stopped, collected by the files profile_*.c; and its text, as spguard.conf(5) has it.
 *
 * What is collected may be hostile: the names of files, what a package's scripts say.
 * What cannot stand in a configuration is left out of it and named in a comment.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/error.h"
#include "common/buf.h"
#include "common/format.h"
#include "common/texts.h"

#define SPG_PROFILE_PATH_MAX 180 /* bytes of a path: a line of it has 197 */

struct spg_profile {
	int64_t limit_ns;         /* for each program of the system that is asked */
	struct spg_buf name;      /* by the rules of the configuration */
	struct spg_buf command;   /* that made it, for its first line */
	struct spg_texts notes;   /* where lines come from, for its head */
	struct spg_texts files;   /* absolute, resolved; programs and libraries */
	struct spg_texts trees;   /* directories with all below them; then no others */
	struct spg_texts foreign; /* directories that others have modules in, too */
	struct spg_texts stops,
		stop_notes;        /* programs that setup ends; why, one each */
	struct spg_texts commands; /* that stop what is in use: advice */
	struct spg_texts advice_patterns, advice; /* of a shipped profile, one each */
	struct spg_texts library_path;
	bool by_rename; /* who installs gives a new file its name */
	bool windows;   /* names compare without case */
	bool failed;    /* out of memory: it is not whole */
};

#define SPG_PROFILE_NULL                                                               \
	{                                                                              \
		0, SPG_BUF_NULL, SPG_BUF_NULL, SPG_TEXTS_NULL, SPG_TEXTS_NULL,         \
			SPG_TEXTS_NULL, SPG_TEXTS_NULL, SPG_TEXTS_NULL,                \
			SPG_TEXTS_NULL, SPG_TEXTS_NULL, SPG_TEXTS_NULL,                \
			SPG_TEXTS_NULL, SPG_TEXTS_NULL, false, false, false            \
	}

/** Idempotent. */
void spg_profile_finish(struct spg_profile *profile);

/** Set the name, from whatever @text is: what a name may not have becomes "-". */
void spg_profile_set_name(struct spg_profile *profile, const char *text);

/** Add a comment, in printf(3)'s way. */
void spg_profile_note(struct spg_profile *profile, const char *format, ...)
	SPG_PRINTF(2, 3);

/** Append a copy of @text to @texts. When memory is short, or @text is NULL for want of it,
 * there will be no profile: one that lacks something would be worse. */
void spg_profile_keep(
	struct spg_profile *profile, struct spg_texts *texts, const char *text);

/** As spg_profile_keep(), unless it is there already. */
void spg_profile_keep_new(
	struct spg_profile *profile, struct spg_texts *texts, const char *text);

/** Add @program, which setup ends, unless it is there already; @note says why. */
void spg_profile_add_stop(
	struct spg_profile *profile, const char *program, const char *note);

/** Add the advice to stop @unit with systemctl. */
void spg_profile_add_unit(struct spg_profile *profile, const char *unit);

/**
 * Write the profile.
 *
 * Returns false after it complained: nothing was found that a process keeps in use, or
 * more than a profile can name.
 */
bool spg_profile_print(
	struct spg_profile *profile, struct spg_buf *out, struct spg_complaint *why);
