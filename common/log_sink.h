/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where the messages of log.h go besides stderr: the journal (log_linux.c), the Event Log
 * or a file (windows/log.c). Thread-safe, but spg_log_sink_open().
 */
#include <stdbool.h>

#include "common/log_about.h"

/** Look for the system's log. @where: NULL: where it usually is; borrowed for ever. Before
 * threads start. Returns whether there is one that takes the place of stderr. */
bool spg_log_sink_open(const char *program, const char *where);

/** Give @text, which is clean, to the log. False: it has to go to stderr. @about may be
 * NULL. */
bool spg_log_sink_put(const char *program, enum spg_log_level level,
	const struct spg_log_about *about, const char *text);
