/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Messages for the administrator, one line each, on stderr or in the journal.
 *
 * When stderr is the journal's (systemd.exec(5), JOURNAL_STREAM), a message goes
 * to journald's own socket with its priority and what it is about as fields
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), and is no stderr line; while journald does
 * not take it, stderr gets it with its priority as "<N>" (sd-daemon(3)). Elsewhere
 * a line starts with the program's name. Line breaks and control characters that
 * come in through arguments are replaced, so that data about other processes cannot
 * forge a line or a field. Thread-safe: one write(2) or sendto(2) a message.
 */
#include <stdbool.h>

#include "common/format.h"
#include "common/log_ids.h"

/* Where journald listens, systemd-journald.service(8). */
#define SPG_LOG_JOURNAL "/run/systemd/journal/socket"

enum spg_log_level {
	SPG_LOG_ERROR = 3, /* something is broken and stays broken */
	SPG_LOG_WARNING = 4,
	SPG_LOG_NOTICE = 5, /* rare and worth reading: start, stop, reload */
	SPG_LOG_INFO = 6,
	SPG_LOG_DEBUG = 7,
};

/* What a message is about; NULL: nothing to be said. Borrowed for the call. */
struct spg_log_about {
	const char *id;      /* MESSAGE_ID, of log_ids.h */
	const char *product; /* SPGUARD_PRODUCT: its name */
	const char *verdict; /* SPGUARD_VERDICT, SPGUARD_OUTCOME, SPGUARD_GAP: */
	const char *outcome; /* their names as in kind.h */
	const char *gap;
};

/**
 * Call once, before threads start. @program is borrowed for ever; messages
 * above @max_level are not written.
 */
void spg_log_init(const char *program, enum spg_log_level max_level);

/**
 * From now on send messages to the journal's socket at @path, borrowed for ever,
 * if stderr is the journal's. Call once, after spg_log_init(), before threads
 * start.
 */
void spg_log_use_journal(const char *path);

/** Whether stderr is the journal's, as spg_log_use_journal() has found. */
bool spg_log_is_journal(void);

/** Write one message. @format as printf(3), without a line break at its end. */
void spg_log(enum spg_log_level level, const char *format, ...)
	SPG_PRINTF(2, 3);

/** The same, with fields for the journal. */
void spg_log_about(enum spg_log_level level, const struct spg_log_about *about,
	const char *format, ...) SPG_PRINTF(3, 4);

/** Write each line of @text as a message. */
void spg_log_lines(enum spg_log_level level, const char *text);

/** As spg_log_about() at SPG_LOG_NOTICE, whatever the level: for a line that others
 * wait for. */
void spg_log_always(const struct spg_log_about *about, const char *format, ...)
	SPG_PRINTF(2, 3);

#define spg_error(...)   spg_log(SPG_LOG_ERROR, __VA_ARGS__)
#define spg_warning(...) spg_log(SPG_LOG_WARNING, __VA_ARGS__)
#define spg_notice(...)  spg_log(SPG_LOG_NOTICE, __VA_ARGS__)
#define spg_info(...)    spg_log(SPG_LOG_INFO, __VA_ARGS__)
#define spg_debug(...)   spg_log(SPG_LOG_DEBUG, __VA_ARGS__)

/* With a MESSAGE_ID alone, as in spg_log_as(SPG_LOG_ERROR, SPG_LOG_ID_GAP, ...). */
#define spg_log_as(level, message_id, ...)                                             \
	spg_log_about(level, &(struct spg_log_about){.id = (message_id)}, __VA_ARGS__)
