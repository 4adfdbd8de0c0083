/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The command lines of those who install, read while they run: what the loop knows of a
 * process has none. A process that is stuck in a page fault keeps whoever asks waiting, so
 * each has a thread of its own. Loop thread.
 */
#include <uv.h>

#include "daemon/model/process.h"
#include "daemon/watch/watch.h"

/* Bytes of one that are kept. */
#define SPG_COMMAND_MAX 1024

/** @cmdline: NULL, it is not known. Both are borrowed. */
typedef void spg_command_done(
	void *user, struct spg_process *process, const char *cmdline);

/** Ask for that of @process. @done comes once, later, also while @loop is being stopped.
 * Returns 0; or a negative spg_err: it does not come. */
int spg_command_ask(uv_loop_t *loop, struct spg_watch *watch,
	struct spg_process *process, spg_command_done *done, void *user);
