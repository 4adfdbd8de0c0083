/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How files, their users, locks, events and lacks are told to a person; shared
 * by the commands. Everything here takes the daemon's JSON and is content with
 * whatever is missing in it.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "client/output.h"
#include "common/note_kind.h"
#include "common/table.h"

/* ---- pieces of text ---- */

/** "perfmon (2113)", or that no process shows it. */
void spg_describe_who(struct spg_buf *buf, const json_t *use);

/** Append " (old, replaced 13:00)" when @file is an old version that runs on. */
void spg_describe_version(
	const struct spg_output *out, struct spg_buf *buf, const json_t *file);

/** Append " (libfoo1 1.2-1)" when it is known of which package @file is. */
void spg_describe_package(struct spg_buf *buf, const json_t *file);
/* Fewer processes that do the same are told of one by one. */
#define SPG_CROWD_MIN 4

/**
 * For each of @uses how many it stands for in a table: itself; a crowd of processes that do
 * the same, of which it is the first; or 0, since it belongs to one of those. The caller
 * frees; NULL: out of memory.
 */
size_t *spg_describe_crowds(const json_t *uses);

/** "nginx (pid 7 and 1,999 more)": @n processes, of which @use is the first. */
void spg_describe_crowd_of(struct spg_buf *buf, const json_t *use, size_t n);

/** The service, else "user NAME", else "-". */
void spg_describe_service(struct spg_buf *buf, const json_t *use);

/** The strings of @array joined by @separator. */
void spg_describe_list(struct spg_buf *buf, const json_t *array, const char *separator);

/** "whole file", "0-99", "100-end". */
void spg_describe_range(struct spg_buf *buf, const json_t *lock);

/** Append a line that begins with @prefix and the name of a verdict in capitals,
 * both in its colour; @text is wrapped behind them. */
void spg_describe_verdict(struct spg_output *out, const char *prefix,
	const char *verdict, const char *text);

/** The colour of a verdict, or of the outcome of an install. */
const char *spg_describe_verdict_style(const char *verdict);

/** True when @note, of "reasons" or "next", is of @kind. */
bool spg_note_is(const json_t *note, enum spg_note_kind kind);

/** True when one of @notes is. */
bool spg_notes_have(const json_t *notes, enum spg_note_kind kind);

/** Append what to do: a command on a line of its own, not wrapped, so that it can be
 * copied; else an indented paragraph. */
void spg_describe_step(struct spg_output *out, const json_t *step);

/** A step that is @command, with a @comment. */
json_t *spg_command_step(const char *command, const char *comment);

/** Append "What to do:" and the steps in @next, if there are any. */
void spg_describe_next(struct spg_output *out, const json_t *next);

/** Append the sentences of @remarks of an answer, below @title if there is one; only those of
 * *@kind, NULL: all. */
void spg_describe_remarks(struct spg_output *out, const char *title,
	const json_t *remarks, const enum spg_note_kind *kind);

/** "3 files", "1 file": @one is the singular, whose plural has an s. */
void spg_describe_count(struct spg_buf *buf, int64_t n, const char *one);

/** Append to what is told of @payload, of an answer, how many installed files were
 * compared with several of its files since no folder tells which is meant. */
void spg_describe_by_name(struct spg_buf *buf, const json_t *payload);

/* ---- tables of files: one heading for each folder ---- */

/* Why a use is in nobody's way. */
enum spg_file_mark {
	SPG_MARK_NONE,
	SPG_MARK_STOPPED, /* setup ends the program */
	SPG_MARK_ASIDE,   /* it was renamed aside */
	SPG_FILE_MARKS
};

struct spg_file_table {
	struct spg_table table;
	const struct spg_output *out;
	struct spg_buf folder;       /* of the heading above the last row */
	bool marked[SPG_FILE_MARKS]; /* some row is: see the footnote */
};

/** An empty table with @columns (borrowed, the first is the file). */
void spg_file_table_init(struct spg_file_table *table, const struct spg_output *out,
	const struct spg_table_column *columns, size_t n_columns);

/** Begin a row about @path: the file's cell, and a heading above it when its folder
 * is another one than that of the row before. @file: what is known of it, or NULL. */
void spg_file_table_add_path(
	struct spg_file_table *table, const char *path, const json_t *file);

/** A table of uses: file, how, who, service or user, since. */
void spg_use_table_init(struct spg_file_table *table, const struct spg_output *out);

/** Add the uses of @file, an element of "files"; one without uses gets a row
 * that tells its state. */
void spg_use_table_add(struct spg_file_table *table, const json_t *file);

/** A table of locks: file, lock, range, state, who, since. */
void spg_lock_table_init(struct spg_file_table *table, const struct spg_output *out);

/** Add one lock of @file, which may be @lock itself where its row names the file. */
void spg_lock_table_add(
	struct spg_file_table *table, const json_t *file, const json_t *lock);

/** Append it to the output it was made for, with footnotes, and release it. */
void spg_file_table_print(struct spg_file_table *table, struct spg_output *out);

/* ---- what could not be looked at ---- */

/** True when some element of @coverage could have changed the answer. */
bool spg_coverage_blinds(const json_t *coverage);

/**
 * Under @heading, a paragraph for each element of @coverage that could have
 * changed the answer: what, why, remedy. The others make a line each below:
 * they are no reason for doubt, and doctor says more about them.
 */
void spg_describe_coverage(
	struct spg_output *out, const char *heading, const json_t *coverage);

/* ---- events ---- */

/* The columns of one event. */
struct spg_event_text {
	struct spg_buf time, kind, file, who, detail;
	const char *style; /* of the kind */
	bool is_mark;      /* a gap, an install, a hold: @detail is the whole line */
};

/** Fill in @ret, to be released with spg_event_text_finish(). */
void spg_describe_event(
	const struct spg_output *out, const json_t *event, struct spg_event_text *ret);

void spg_event_text_finish(struct spg_event_text *text);
