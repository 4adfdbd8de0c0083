/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Messages for the administrator, one line each, on stderr.
 *
 * Under systemd (JOURNAL_STREAM is set) a line starts with its priority as
 * "<N>" (sd-daemon(3)); elsewhere with the program's name. Line breaks and
 * control characters that come in through arguments are escaped, so that data
 * about other processes cannot forge a line. Thread-safe: one write(2) a line.
 */

enum spg_log_level {
	SPG_LOG_ERROR = 3, /* something is broken and stays broken */
	SPG_LOG_WARNING = 4,
	SPG_LOG_NOTICE = 5, /* rare and worth reading: start, stop, reload */
	SPG_LOG_INFO = 6,
	SPG_LOG_DEBUG = 7,
};

/**
 * Call once, before threads start. @program is borrowed for ever; messages
 * above @max_level are not written.
 */
void spg_log_init(const char *program, enum spg_log_level max_level);

/** Write one message. @format as printf(3), without a line break at its end. */
void spg_log(enum spg_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The same whatever the level: for a line that others wait for. */
void spg_log_always(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define spg_error(...)   spg_log(SPG_LOG_ERROR, __VA_ARGS__)
#define spg_warning(...) spg_log(SPG_LOG_WARNING, __VA_ARGS__)
#define spg_notice(...)  spg_log(SPG_LOG_NOTICE, __VA_ARGS__)
#define spg_info(...)    spg_log(SPG_LOG_INFO, __VA_ARGS__)
#define spg_debug(...)   spg_log(SPG_LOG_DEBUG, __VA_ARGS__)
