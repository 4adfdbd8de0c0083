/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A hold around a command: begin it, run the command, end it. For "hold" and for
 * whatever else runs something while others are kept out.
 *
 * All messages go to stderr, since stdout is the command's. This process becomes a
 * subreaper (prctl(2)): what the command leaves behind comes to it and still counts
 * as the installer.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "client/client.h"

/* As env(1) and timeout(1) say it. */
#define SPG_EXIT_NOT_HELD  125 /* nothing was run */
#define SPG_EXIT_NOT_RUN   126 /* the command cannot be executed */
#define SPG_EXIT_NOT_FOUND 127 /* there is no such command */

struct spg_holding {
	struct spg_client *client;
	const char *product; /* borrowed; NULL: the only one */
	int64_t for_ns;
	json_t *pids;  /* besides this process; owned; NULL: none */
	json_t *begun; /* the answer to hold.begin; NULL: not begun */
	bool over;     /* it ended before the command */
};

#define SPG_HOLDING_NULL                                                               \
	{                                                                              \
		.client = NULL                                                         \
	}

/** A line on stderr: @first and @last are ours, @foreign is escaped. */
void spg_holding_say(const char *first, const char *foreign, const char *last);

/** Read the number of a process into the list; false: it is none. */
bool spg_holding_allow(struct spg_holding *holding, const char *text);

/**
 * Unless @yes, ask the person at the terminal. Returns true to go on; else it was
 * said why not, and *@ret_exit is set.
 */
bool spg_holding_agree(struct spg_holding *holding, bool yes, int *ret_exit);

/** Begin it, and say so. False after the complaint was printed. */
bool spg_holding_begin(struct spg_holding *holding);

/**
 * Run @argv, which ends in NULL, with this process's terminal and files, and wait
 * for its end. SIGTERM, SIGHUP, and what somebody sends to this process alone are
 * passed on; Ctrl-C reaches the command by itself. When the hold ends before, a
 * warning is printed and the command goes on. Returns its exit code, 128 + n after
 * signal n, or SPG_EXIT_NOT_RUN or SPG_EXIT_NOT_FOUND.
 */
int spg_holding_run(struct spg_holding *holding, char **argv);

/** End it. Returns the daemon's report, for the caller; NULL when there is none, and
 * then it was said why. */
json_t *spg_holding_end(struct spg_holding *holding);

/** Say who was refused, and what was not stopped. */
void spg_holding_tell(const struct spg_holding *holding, const json_t *report);

/** After spg_holding_end(): ready to begin another, in the same way. */
void spg_holding_renew(struct spg_holding *holding);

/** Idempotent; takes SPG_HOLDING_NULL. */
void spg_holding_finish(struct spg_holding *holding);
