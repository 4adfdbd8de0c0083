/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is asked of a guard, and what it tells: for a while it refuses new opens
 * and executions of a product's files to everyone but the installer. The watch
 * backend has it (daemon/watch/watch.h); a hold (daemon/install/hold/hold.h) is the
 * reason for it. Plain data; loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/file.h"
#include "daemon/model/process.h"
#include "daemon/model/product.h"

/* The backend's. */
struct spg_guard;

struct spg_guard_request {
	struct spg_product *product;
	/* The installer: these processes and whoever they start, at any depth. */
	const int32_t *pids;
	size_t n_pids;
	int64_t duration_ns; /* from now */
};

/* Why a guard ended. */
enum spg_guard_end {
	SPG_GUARD_ENDED,         /* it was asked to */
	SPG_GUARD_TIME_OVER,     /* its duration passed */
	SPG_GUARD_NOT_BEGUN,     /* it could not begin; the text says why */
	SPG_GUARD_HUNG,          /* it did not answer and was killed */
	SPG_GUARD_DIED,          /* it was killed by somebody else, or crashed */
	SPG_GUARD_DAEMON_SILENT, /* it had not heard of the daemon for too long */
	SPG_GUARD_ENDS           /* how many */
};

/* One process that was refused one file, once or many times within a second. */
struct spg_refusal {
	int64_t at_ns; /* the first, UTC */
	struct spg_process *process;
	struct spg_file *file;
	bool executes; /* it was to be executed */
	uint64_t times;
};

/* All on the loop thread; never within the call that begins or ends it. */
struct spg_guard_listener {
	/* From now on others are refused. */
	void (*on_begun)(void *user, size_t n_files, size_t n_directories);
	/* Borrowed. */
	void (*on_refused)(void *user, const struct spg_refusal *refusal);
	/* The last one: the guard is gone. @n_refused: in all; @n_untold: of which
	 * on_refused did not tell. @why: in words, "" where the cause says it. */
	void (*on_ended)(void *user, enum spg_guard_end cause, const char *why,
		uint64_t n_refused, uint64_t n_untold);
	void *user;
};
