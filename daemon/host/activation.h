/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Sockets that the service manager has opened and hands over: socket activation
 * (sd_listen_fds(3)), with LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
 *
 * A socket is named by FileDescriptorName= in its unit: "local" is where clients
 * connect, "http" where browsers and monitoring systems do. One without a name (the
 * unit's own, "unknown" or none at all) is "local" when it is an AF_UNIX socket,
 * else "http". Main thread, before others start.
 */
#include <stdbool.h>

#define SPG_ACTIVATION_LOCAL "local"
#define SPG_ACTIVATION_HTTP  "http"

/* Where a manager puts the first one: SD_LISTEN_FDS_START. */
#define SPG_ACTIVATION_FIRST 3

/**
 * Take over what was handed to this process, from descriptor @first on, if anything was: the descriptors are
 * close-on-exec from now on, and the variables are gone, so that no child mistakes
 * them for its own. Call once, before anything else opens or inherits descriptors.
 *
 * Returns 0; SPG_ERR_INVALID when one of them is no listening stream socket, or two
 * have the same name; logged with what to do.
 */
int spg_activation_begin(int first);

/** True when there is a socket called @name that nobody has taken. */
bool spg_activation_has(const char *name);

/** The socket called @name, which passes to the caller; -1: there is none (more). */
int spg_activation_take(const char *name);

/** Warn when @fd, an AF_UNIX socket, is not at @path, where clients look for it. */
void spg_activation_expect(int fd, const char *path);

/** Close what nobody has taken, and say so. */
void spg_activation_end(void);
