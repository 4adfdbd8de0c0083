/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Whom the guard refused, on the way to the daemon. The same process and file
 * within a second are one report with a number. Never blocks: what the daemon does
 * not take is counted and dropped. Guard process.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/linux/guard/tree.h"
#include "daemon/watch/linux/guard/wire.h"

#define SPG_GUARD_PENDING 64

struct spg_guard_pending {
	struct spg_guard_id file;
	int64_t since_ns; /* monotonic */
	struct spg_guard_message message;
};

struct spg_guard_reports {
	int socket;
	struct spg_guard_pending *pending; /* SPG_GUARD_PENDING, oldest first */
	size_t n;
	uint64_t n_refused, n_untold;
};

/* One opener who is to be refused; it waits, so that /proc has it. */
struct spg_guard_opener {
	int32_t pid;
	const struct spg_tree_stat *stat; /* all zero: could not be read */
	struct spg_guard_id file;
	const char *path;
	bool executes;
};

/** Returns 0 or SPG_ERR_NOMEM. */
int spg_guard_reports_init(struct spg_guard_reports *reports, int socket);

/** Note a refusal, before it is answered. */
void spg_guard_reports_note(
	struct spg_guard_reports *reports, const struct spg_guard_opener *opener);

/** Send what is a second old; @all: everything. */
void spg_guard_reports_send(struct spg_guard_reports *reports, bool all);

/** Idempotent. */
void spg_guard_reports_finish(struct spg_guard_reports *reports);
