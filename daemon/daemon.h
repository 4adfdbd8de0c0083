/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The running daemon: starts its parts in order, passes events between them,
 * stops them in the mirrored order. Owns the loop.
 */
#include "common/buf.h"
#include "daemon/config/config.h"
#include "daemon/host/access.h"
#include "daemon/watch/watch.h"

/**
 * What a start would refuse: see daemon/host/places.h, also for what is returned.
 *
 * @ret       NULL: only the answer is wanted
 */
int spg_daemon_check(const struct spg_config *config, struct spg_access *ret,
	struct spg_buf *problems, struct spg_buf *notes);

/**
 * Run until it is asked to stop (host/control.h). Takes over @config. Returns 0 after a clean stop,
 * or a negative spg_err, logged, when it could not start; SPG_ERR_BUSY also when another
 * daemon took its place.
 */
int spg_daemon_run(struct spg_config *config, enum spg_tier tier);
