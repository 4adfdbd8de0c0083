/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The log of a service: the Event Log, when it keeps what it is given, else a file. On a
 * console it is stderr. What log_sink.h wants is in log.c; here is what the service tells
 * it, and the parts.
 */
#include <stdbool.h>

#include "common/log_about.h"

/** This process is a service: nobody reads its stderr. Before spg_log_use_system(). */
void spg_log_expect_no_stderr(void);

/* --- the Event Log ---------------------------------------------------------- */

/* The source of our events, and the name of the service. */
#define SPG_EVENT_SOURCE L"spguard"

/**
 * Write an event and read it back: what takes an event and forgets it (Wine) is no log.
 * Takes up to half a second. Returns whether it is one; else why not in *ret_why, static.
 */
bool spg_event_log_open(const char **ret_why);

/** Write one event. @text is clean. False: the Event Log did not take it. Thread-safe. */
bool spg_event_log_put(
	enum spg_log_level level, const struct spg_log_about *about, const char *text);

/* --- the file --------------------------------------------------------------- */

#define SPG_LOG_FILE_BYTES_MAX (8 << 20)

/**
 * Write to @folder/@program.log from now on, which only administrators may read; the folder
 * is made. A file that has SPG_LOG_FILE_BYTES_MAX becomes @program.log.1, in the place of
 * the one before. Returns whether it can be written.
 */
bool spg_log_file_open(const char *folder, const char *program);

/** Write one line, with the time and the level. False: it could not. Thread-safe. */
bool spg_log_file_put(enum spg_log_level level, const char *text);
