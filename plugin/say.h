/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a plugin prints: one line with performance data, below it what -v asks for.
 *
 * All texts of others are escaped so that they stay within their line, cannot begin
 * performance data (a '|') and are no markup for a web interface (a '<').
 */
#include <stddef.h>

#include "client/connection.h"
#include "client/error.h"
#include "common/buf.h"
#include "plugin/judge.h"

struct spg_report {
	enum spg_state state;
	const struct spg_judgement *products; /* in the daemon's order */
	size_t n_products;
	const struct spg_limits *limits;
	/* One product was asked for: the labels of its values need not name it. */
	bool named;
	int verbosity;
	const struct spg_connection *connection;
};

/** Append the whole output, its last line ended. */
void spg_report_say(struct spg_buf *out, const struct spg_report *report);

/** Append the one line that tells why there is no answer, and what to do. */
void spg_report_failure(
	struct spg_buf *out, enum spg_state state, const struct spg_complaint *why);

/** Append @text escaped as all texts of others here. */
void spg_report_escape(struct spg_buf *out, const char *text);
