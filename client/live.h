/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The live view of `spguard watch` on a terminal: the verdict of each product, who
 * holds which files, the last events. Start here to read live*.
 *
 *   live.c       the loop: asks when something has happened, takes what comes, keys,
 *                signals, and begins again when the daemon goes
 *   live_view.c  from the state to the lines of a frame
 *   screen.h     the terminal
 *
 * What is shown as a verdict was proved for this view (the method check). When the
 * daemon goes, or does not answer, the verdicts are shown as unknown, and what they
 * were as what they were. Single-threaded; everything comes to one poll.
 */
#include <stdbool.h>

#include <jansson.h>

#include "client/client.h"

/** True when standard output is a terminal that can be drawn on. */
bool spg_live_can_run(const struct spg_client *client);

/**
 * Show it until the user has seen enough. The client is connected, subscribed to all
 * kinds of events, and its output is set up.
 *
 * Returns the exit code.
 */
int spg_live_run(struct spg_client *client, const char *product, const json_t *kinds);
