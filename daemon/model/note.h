/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A reason or a step: its kind, what it is about, and the sentence for people. Whoever
 * decides something looks at the kind and the fields; the sentence is worded where the
 * note is made (verdict_text.c, daemon/install/outcome.c) and read by nobody.
 * Plain data.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/kind.h"
#include "common/note_kind.h"
#include "daemon/model/process.h"

/* Notes beyond these are counted; of a list that programs compare, beyond more. */
#define SPG_NOTES_MAX      50
#define SPG_NOTES_MANY_MAX 1000

/* A list owns all texts of its notes. Texts are NULL and numbers 0 where the kind does not
 * have them. Only @text and @command are clean: escape the others where they are shown. */
struct spg_note {
	enum spg_note_kind kind;
	const char *file; /* path */
	const char *name; /* of the process */
	const char *unit;
	enum spg_container_engine engine;
	const char *container;
	const char *place;   /* a mount, a probe, a control group, a service */
	const char *command; /* for a shell */
	const char *starter; /* name of the process that started it */
	int32_t pid, starter_pid;
	int32_t tracer;
	const char *family; /* STOP_FAMILY: pids of the others, a blank before each */
	unsigned how;       /* set of spg_use_how */
	enum spg_lack_kind lack;         /* NOT_LOOKED_AT, REMEDY */
	enum spg_finding_kind finding;   /* MISFIT */
	enum spg_obstacle_kind obstacle; /* OBSTACLE, CLEAR_OBSTACLE */
	int64_t install, sidestep, count;
	const char *text;
};

struct spg_notes {
	struct spg_note *items; /* most important first */
	size_t n, size;
	size_t n_more; /* that were not kept */
	size_t max;    /* 0: SPG_NOTES_MAX */
};

#define SPG_NOTES_NULL                                                                 \
	{                                                                              \
		NULL, 0, 0, 0, 0                                                       \
	}

/**
 * Append a copy of @note, with the sentence in @text instead of its own, and empty
 * @text. One whose sentence is there already is left out; beyond SPG_NOTES_MAX they are
 * counted. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_notes_add(
	struct spg_notes *notes, const struct spg_note *note, struct spg_buf *text);

/** As spg_notes_add(), with the sentence that @note has. */
int spg_notes_add_copy(struct spg_notes *notes, const struct spg_note *note);

/** Append copies of all of @from, as spg_notes_add(). Returns 0 or SPG_ERR_NOMEM. */
int spg_notes_add_all(struct spg_notes *notes, const struct spg_notes *from);

/** As spg_notes_add_copy(), but before the others, and never left out. */
int spg_notes_put_first(struct spg_notes *notes, const struct spg_note *note);

/** Say how many were counted: "and 3 more reasons", SPG_REASON_MORE or SPG_STEP_MORE.
 * Returns 0 or SPG_ERR_NOMEM. */
int spg_notes_sum_up(
	struct spg_notes *notes, enum spg_note_kind more, const char *reasons);

/** True when @notes has one with the kind and the sentence of @note. */
bool spg_notes_has(const struct spg_notes *notes, const struct spg_note *note);

/** Drop all; empty and usable again. */
void spg_notes_finish(struct spg_notes *notes);

/** A note of @kind about @process (NULL: none), which it borrows from. */
struct spg_note spg_note_about(
	enum spg_note_kind kind, const struct spg_process *process);

/** Append "nginx (pid 77)". */
void spg_note_put_process(struct spg_buf *buf, const struct spg_process *process);

/** Append @note as a step that is @command, which is emptied, with a comment for people
 * behind it (or NULL). Returns 0 or SPG_ERR_NOMEM. */
int spg_notes_add_command(struct spg_notes *notes, struct spg_note note,
	struct spg_buf *command, const char *comment);
