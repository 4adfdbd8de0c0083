/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Messages for the administrator, one line each, on stderr or in the system's log.
 *
 * When stderr is the journal's (systemd.exec(5), JOURNAL_STREAM), a message goes
 * to journald's own socket with its priority and what it is about as fields
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), and is no stderr line; while journald does
 * not take it, stderr gets it with its priority as "<N>" (sd-daemon(3)). A service of
 * Windows has no stderr, and the Event Log (windows/log.h). Elsewhere
 * a line starts with the program's name. Line breaks and control characters that
 * come in through arguments are replaced, so that data about other processes cannot
 * forge a line or a field. Thread-safe: one write(2) or sendto(2) a message.
 */
#include <stdbool.h>

#include "common/format.h"
#include "common/log_about.h"

/**
 * Call once, before threads start. @program is borrowed for ever; messages
 * above @max_level are not written.
 */
void spg_log_init(const char *program, enum spg_log_level max_level);

/**
 * From now on send messages to the system's log, if it is the one that reads what this
 * program writes: the journal, when stderr is its own; the Event Log, in a service.
 * Call once, after spg_log_init(), before threads start.
 *
 * @where  the journal's socket, the folder of the log file; NULL: where it usually is;
 *         borrowed for ever
 */
void spg_log_use_system(const char *where);

/** Whether the system's log has the place of stderr, as spg_log_use_system() has found. */
bool spg_log_is_system(void);

/** Write one message. @format as printf(3), without a line break at its end. */
void spg_log(enum spg_log_level level, const char *format, ...) SPG_PRINTF(2, 3);

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
