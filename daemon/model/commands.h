/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What an administrator types on this system: a file for each in linux/, windows/. Pure;
 * each appends to a text that may have failed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum spg_service_verb {
	SPG_SERVICE_STOP,
	SPG_SERVICE_RESTART,
	/* Of systemd alone. */
	SPG_SERVICE_THAW,
	SPG_SERVICE_MASK,
};

/**
 * What does @verb to the service @unit.
 *
 * @user   whose service manager that is; NULL: the system's
 * @first  words that stand before it, each with a blank behind it, as units that have to
 *         stop in one call; NULL: none
 */
void spg_command_put_service(struct spg_buf *buf, enum spg_service_verb verb,
	const char *user, const char *first, const char *unit);

/** What asks process @pid to end; @force: what ends it, whether it wants to or not. */
void spg_command_put_end(struct spg_buf *buf, int32_t pid, bool force);

/** What starts this daemon anew. A constant. */
const char *spg_command_restart_daemon(void);
