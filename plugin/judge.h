/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * From a verdict to the state of a service, as Nagios and Icinga count them.
 *
 * An answer is not believed further than it goes: one that says safe and does not
 * prove it, about no file or at no time, is UNKNOWN. Plain functions, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "plugin/range.h"

/* The values are exit codes of a plugin. */
enum spg_state {
	SPG_STATE_OK,
	SPG_STATE_WARNING,
	SPG_STATE_CRITICAL,
	SPG_STATE_UNKNOWN
};

/** "OK", "WARNING", "CRITICAL", "UNKNOWN". */
const char *spg_state_name(enum spg_state state);

/** Read a state's name, in any case, or its number. False: it is none. */
bool spg_state_parse(const char *text, enum spg_state *ret);

/** The worse of both. From best to worst: OK, WARNING, UNKNOWN, CRITICAL, as the
 * verdicts behind them (client/check.c). */
enum spg_state spg_state_worse(enum spg_state a, enum spg_state b);

/* What was asked for on the command line. */
struct spg_limits {
	struct spg_range blocked_warning, blocked_critical; /* files */
	struct spg_range age_warning, age_critical;         /* seconds */
};

/* One product. */
struct spg_judgement {
	const json_t *answer; /* borrowed */
	enum spg_state state;
	const char *fault; /* why the answer is not believed; NULL: it is */
	bool age_alerts;   /* its proof is too old, or too young */
	bool accepted;     /* blocked, and the ranges take no offence */
	/* Blocked, and ranges were given: what it is but for the blocked files;
	 * borrowed. Else NULL. */
	const char *without_blocked;
	bool has_age;
	double age_s; /* negative: this clock is behind the daemon's */
	int64_t files, blocked;
};

/**
 * Judge one product's @answer to "check". With a range for blocked files, their
 * number decides what "blocked" means; but what is wrong besides (an install is
 * running, not everything was looked at, the set is mixed) no range accepts.
 *
 * @now_ns  wall time
 */
void spg_judge(const json_t *answer, const struct spg_limits *limits, int64_t now_ns,
	struct spg_judgement *ret);
