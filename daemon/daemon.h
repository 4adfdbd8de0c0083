/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The running daemon: starts its parts in order, passes events between them,
 * stops them in the mirrored order. Owns the loop.
 */
#include "daemon/config/config.h"
#include "daemon/watch/watch.h"

/**
 * Run until SIGTERM or SIGINT. Takes over @config. Returns 0 after a clean stop,
 * or a negative spg_err, logged, when it could not start.
 */
int spg_daemon_run(struct spg_config *config, enum spg_tier tier);
