/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Bytes to and from the daemon on this machine: a Unix socket, or a named pipe of
 * Windows. The only place of the client that knows which; a file for each in
 * client/linux, client/windows. Single-threaded.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/error.h"

#ifdef _WIN32
#define SPG_LOCAL_LOG      "wevtutil qe Application /rd:true /c:20 /f:text"
#define SPG_LOCAL_DISK_LOG "wevtutil qe System /rd:true /c:20 /f:text"
#define SPG_LOCAL_STATUS   "sc query spguard"
#define SPG_LOCAL_RESTART  "net stop spguard && net start spguard"
#else
#define SPG_LOCAL_LOG      "journalctl -u spguardd -e"
#define SPG_LOCAL_DISK_LOG "journalctl -k -e"
#define SPG_LOCAL_STATUS   "systemctl status spguardd"
#define SPG_LOCAL_RESTART  "systemctl restart spguardd"
#endif
#define SPG_LOCAL_SEE_WHY "See why: " SPG_LOCAL_LOG

/* spg_local_wait(): @wake has something to read. */
#define SPG_LOCAL_WOKEN   2

struct spg_local {
	int fd;           /* -1: not open */
	void *connection; /* of Windows; owned */
};

/**
 * Connect to the daemon at @path, within @timeout_ns. Returns 0; SPG_ERR_NOT_FOUND:
 * nobody is there; SPG_ERR_DENIED; SPG_ERR_INVALID; SPG_ERR_TIMEOUT; SPG_ERR_IO: @why
 * says what to do.
 */
int spg_local_open(struct spg_local *local, const char *path, int64_t timeout_ns,
	struct spg_complaint *why);

/** How to name another place. */
void spg_local_hint_path(struct spg_complaint *why);

/**
 * Wait until there is something to read, or room to write. INT64_MAX: without end.
 *
 * @wake  what spg_interrupt_open() returned; -1: none
 *
 * Returns 0; SPG_LOCAL_WOKEN; SPG_ERR_TIMEOUT; SPG_ERR_IO with errno.
 */
int spg_local_wait(
	struct spg_local *local, bool to_write, int wake, int64_t timeout_ns);

/** What there is, or fits, at once: bytes; 0 at the end (receiving); -1 with errno, EAGAIN
 * when it is to wait. The same bytes have to be sent again after that. */
ssize_t spg_local_send(struct spg_local *local, const void *bytes, size_t n);
ssize_t spg_local_receive(struct spg_local *local, void *ret, size_t n);

bool spg_local_is_open(const struct spg_local *local);

/** Idempotent. */
void spg_local_close(struct spg_local *local);
