/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How far something is that takes long: one line on stderr, which is written over
 * and erased at the end. Only where stderr is a terminal, and only once a second
 * has gone by.
 */
#include <stdbool.h>
#include <stdint.h>

/* Room that is always enough for the text of a line; longer ones are cut. */
#define SPG_PROGRESS_BYTES 256

struct spg_progress {
	int64_t next_ns; /* monotonic: when the next line may be written */
	unsigned width;  /* of the terminal in columns; 0: nothing is written */
	bool shown;
};

/** @quiet: write nothing. */
void spg_progress_begin(struct spg_progress *progress, bool quiet);

/** Show @text, which may be hostile, unless it is too early for that. */
void spg_progress_tell(struct spg_progress *progress, const char *text);

/** Erase the line. Idempotent. */
void spg_progress_end(struct spg_progress *progress);
