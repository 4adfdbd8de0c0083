/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Why something did not work, and what to do about it: a value that travels
 * from where it arose to the command, which prints it once, on stderr.
 *
 * The texts may quote hostile input; they are escaped when printed.
 */
#include "common/buf.h"
#include "common/format.h"

struct spg_complaint {
	struct spg_buf why;  /* one sentence; more lines only from the daemon */
	struct spg_buf hint; /* what to do; empty when nothing is known */
	size_t heading;      /* so many bytes of @why are "no daemon: " */
	int code; /* of the daemon's refusal (enum spg_rpc_code); 0: none came */
};

#define SPG_COMPLAINT_NULL                                                             \
	{                                                                              \
		SPG_BUF_NULL, SPG_BUF_NULL, 0, 0                                       \
	}

/** Idempotent; takes SPG_COMPLAINT_NULL. */
void spg_complaint_finish(struct spg_complaint *complaint);

/** Replace the reason, and forget the hint. */
void spg_complain(struct spg_complaint *complaint, const char *format, ...)
	SPG_PRINTF(2, 3);

/** The same, where there is no daemon at @path, since @what: "there is no socket". */
void spg_complain_no_daemon(
	struct spg_complaint *complaint, const char *what, const char *path);

/** Add a sentence of advice. */
void spg_complaint_hint(struct spg_complaint *complaint, const char *format, ...)
	SPG_PRINTF(2, 3);

/** Write {"error": {"code", "message", "hint"}} to stdout, as HTTP answers: for scripts
 * that asked for JSON. Without a refusal the code is SPG_RPC_NO_ANSWER. */
void spg_complaint_print_json(const struct spg_complaint *complaint);

/** Write "PROGRAM: WHY" and "hint: ..." to stderr, escaped line by line. */
void spg_complaint_print(const struct spg_complaint *complaint, const char *program);
