/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the configuration names on this machine (the socket, the database, where HTTP
 * listens, the groups): is it there, and can the daemon use it? A start asks, and so does
 * --check-config, so that both refuse the same.
 *
 * Main thread, before others start; does file IO, and binds addresses for a moment.
 */
#include <stdbool.h>

#include "common/buf.h"
#include "daemon/config/config.h"
#include "daemon/host/access.h"

/* What the service manager has made already. */
struct spg_places_given {
	bool local, http;
};

/**
 * Look at all of it.
 *
 * @ret       who may ask; the caller's, for spg_access_finish()
 * @problems  a line for each fault, "FILE: KEY = VALUE: what; what to do"
 * @notes     the same for what may stop a start, or clients, and need not: such as that a
 *            daemon runs, which has what this one wants. NULL: nobody reads it
 *
 * Returns 0, or why the first fault is one: SPG_ERR_INVALID when the configuration has to
 * be changed, or something made; SPG_ERR_DENIED for rights that are missing;
 * SPG_ERR_BUSY, SPG_ERR_FULL, SPG_ERR_IO for what may pass by itself; SPG_ERR_NOMEM.
 */
int spg_places_check(const struct spg_config *config,
	const struct spg_places_given *given, struct spg_access *ret,
	struct spg_buf *problems, struct spg_buf *notes);
