/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Why something did not work, and what to do about it: a value that travels
 * from where it arose to the command, which prints it once, on stderr.
 *
 * The texts may quote hostile input; they are escaped when printed.
 */
#include "common/buf.h"

struct spg_complaint {
	struct spg_buf why;  /* one sentence; more lines only from the daemon */
	struct spg_buf hint; /* what to do; empty when nothing is known */
};

#define SPG_COMPLAINT_NULL                                                             \
	{                                                                              \
		SPG_BUF_NULL, SPG_BUF_NULL                                             \
	}

/** Idempotent; takes SPG_COMPLAINT_NULL. */
void spg_complaint_finish(struct spg_complaint *complaint);

/** Replace the reason, and forget the hint. */
void spg_complain(struct spg_complaint *complaint, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Add a sentence of advice. */
void spg_complaint_hint(struct spg_complaint *complaint, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Write "PROGRAM: WHY" and "hint: ..." to stderr, escaped line by line. */
void spg_complaint_print(const struct spg_complaint *complaint, const char *program);
