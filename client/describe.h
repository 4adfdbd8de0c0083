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
#include "common/table.h"

/* ---- pieces of text ---- */

/** "perfmon (2113)", or that no process shows it. */
void spg_describe_who(struct spg_buf *buf, const json_t *use);

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

/** The colour of a verdict. */
const char *spg_describe_verdict_style(const char *verdict);

/* ---- tables of files: one heading for each folder ---- */

struct spg_file_table {
	struct spg_table table;
	const struct spg_output *out;
	struct spg_buf folder; /* of the heading above the last row */
	bool setup_stops;      /* some row is marked: see the footnote */
};

/** A table of uses: file, how, who, service or user, since. */
void spg_use_table_init(struct spg_file_table *table, const struct spg_output *out);

/** Add the uses of @file, an element of "files"; one without uses gets a row
 * that tells its state. */
void spg_use_table_add(struct spg_file_table *table, const json_t *file);

/** A table of locks: file, lock, range, state, who, since. */
void spg_lock_table_init(struct spg_file_table *table, const struct spg_output *out);

/** Add one lock; @path NULL: it is in the lock itself. */
void spg_lock_table_add(
	struct spg_file_table *table, const char *path, const json_t *lock);

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
	bool is_mark;      /* a gap or dropped events: @detail is the whole line */
};

/** Fill in @ret, to be released with spg_event_text_finish(). */
void spg_describe_event(
	const struct spg_output *out, const json_t *event, struct spg_event_text *ret);

void spg_event_text_finish(struct spg_event_text *text);
