/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A verdict: what judge.h makes of a survey. Plain data; any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/name_set.h"
#include "daemon/model/note.h"
#include "daemon/model/observation.h"

#define SPG_SIZE_UNKNOWN UINT64_MAX

/* Where a package puts a file, by its path in no directory of any product, and what is there
 * now. It may be a product's all the same, by another path. */
struct spg_selected_place {
	char *path;            /* NULL: none */
	struct spg_file_id id; /* of what is there */
	bool is_program; /* or a library, the one or the other: who uses it matters */
};

/* The files asked about: names of a payload. NULL: the product's own set. */
struct spg_selection {
	char **names;    /* bare file names, or absolute paths */
	uint64_t *sizes; /* of the new files in bytes, as many; NULL: none is known */
	struct spg_selected_place *places; /* as many; NULL: none */
	size_t n_names;
	/* All are paths of files that the product watches, so they are its own: that none
	 * of them is there yet is no doubt. */
	bool own;
};

struct spg_judged_file {
	const char *path; /* of the observation, or of @own_path */
	char *own_path;   /* for files that no survey found: missing, new */
	bool anywhere;    /* asked about by its name alone: the folder is a guess */
	size_t seen;      /* index in the observation, or SPG_NO_FILE */
	enum spg_file_state state;
	bool unattributed;
	unsigned obstacles; /* that matter: a set of SPG_OBSTACLE_BIT() */
	bool obstructed;    /* blocked by those alone */
	const char *advice; /* borrowed from the product; NULL none */
};

struct spg_verdict_counts {
	size_t files, blocked, open, mapped, executing, locked, waiting, unattributed;
	size_t obstructed; /* blocked by an obstacle, and by nobody who uses them */
};

struct spg_verdict {
	enum spg_verdict_kind kind;
	/* What it would be if nobody used the blocked files: who accepts those needs to
	 * know whether all else was proved. An obstacle is there all the same. */
	enum spg_verdict_kind without_blocked;
	bool asked_own; /* see struct spg_selection, ->own */
	struct spg_verdict_counts counts;
	struct spg_judged_file *files; /* every file judged, in survey order */
	size_t n_files, size_files;
	struct spg_notes reasons, next;
	struct spg_notes remarks; /* what is good to know, whatever the verdict */
};

#define SPG_VERDICT_NULL                                                               \
	{                                                                              \
		.kind = SPG_VERDICT_UNKNOWN, .without_blocked = SPG_VERDICT_UNKNOWN    \
	}

/** Idempotent; takes SPG_VERDICT_NULL. */
void spg_verdict_finish(struct spg_verdict *verdict);

/** What a process that uses a file means for @product. */
enum spg_use_class spg_use_classify(
	const struct spg_product *product, const struct spg_process *process);

/** True when @path is among the names asked about (NULL: all of @product). */
bool spg_verdict_is_asked(const struct spg_product *product,
	const struct spg_name_set *asked, const char *path);

/** True when @lack takes away a verdict of safe about @asked (NULL: about the
 * product's own files). */
bool spg_lack_counts(const struct spg_observation *obs, const struct spg_lack *lack,
	const struct spg_name_set *asked);
