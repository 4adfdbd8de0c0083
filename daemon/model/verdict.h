/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From what a survey found to an answer: safe, attention, blocked or unknown,
 * and for each file why. Pure: no clock, no IO, no state; any thread.
 *
 * The rules, in order:
 *   - a file that anybody uses is blocked, except by processes that setup
 *     stops by itself and by the daemon;
 *   - busy with no visible owner is blocked too, by "something that no process
 *     shows";
 *   - what keeps an old version without having the file open blocks it where that
 *     matters for the way in which setup replaces it (product.h, enum
 *     spg_replacement), and as an old version;
 *   - held only by processes that setup stops, it does not block; but if other
 *     holders, or sharers of what those have open, could not be ruled out, it is
 *     unknown;
 *   - what could not be looked at is unknown;
 *   - any blocked file: blocked. Else any unknown, any blinding lack, or no
 *     file at all: unknown;
 *   - then what installs have left (install_status.h): while one runs, blocked; what
 *     would be safe is attention when the set is mixed or a file was stepped
 *     aside and the step is not finished. Else safe.
 * An old version that was stepped aside does not block: its name is free. A held
 * file that looks like what the payload brings does: it was read at another moment,
 * and who holds it can change it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/model/install_status.h"
#include "daemon/model/note.h"
#include "daemon/model/observation.h"

/* The files asked about: names of a payload. NULL: the product's own set. */
struct spg_selection {
	char **names; /* bare file names, or absolute paths */
	size_t n_names;
};

struct spg_judged_file {
	const char *path; /* of the observation, or of @own_path */
	char *own_path;   /* for files that no survey found: missing, new */
	size_t seen;      /* index in the observation, or SPG_NO_FILE */
	enum spg_file_state state;
	bool unattributed;
	const char *advice; /* borrowed from the product; NULL none */
};

struct spg_verdict_counts {
	size_t files, blocked, open, mapped, executing, locked, waiting, unattributed;
};

struct spg_verdict {
	enum spg_verdict_kind kind;
	/* What it would be without the blocked files: who accepts those needs to know
	 * whether all else was proved. */
	enum spg_verdict_kind otherwise;
	struct spg_verdict_counts counts;
	struct spg_judged_file *files; /* every file judged, in survey order */
	size_t n_files, size_files;
	struct spg_notes reasons, next;
};

#define SPG_VERDICT_NULL                                                               \
	{                                                                              \
		.kind = SPG_VERDICT_UNKNOWN, .otherwise = SPG_VERDICT_UNKNOWN          \
	}

/**
 * Judge @obs, a full survey. @standing may be NULL: nothing. @ret borrows from
 * @obs, which must outlive it, and is untouched on failure. Returns 0 or
 * SPG_ERR_NOMEM.
 */
int spg_verdict_judge(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_standing *standing,
	struct spg_verdict *ret);

/** Turn @verdict into unknown, since files changed while it was proved. Returns 0 or
 * SPG_ERR_NOMEM, and the verdict is unknown in any case. In verdict_text.c. */
int spg_verdict_make_unknown(struct spg_verdict *verdict);

/** Idempotent; takes SPG_VERDICT_NULL. */
void spg_verdict_finish(struct spg_verdict *verdict);

/** What a process that uses a file means for @product. */
enum spg_use_class spg_use_classify(
	const struct spg_product *product, const struct spg_process *process);
