/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The few calls that every operating system has in its own way and that need no more
 * than this; what a watch backend answers is in daemon/watch/watch.h. One file for each
 * system: platform_linux.c. Thread-safe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/identity.h"

/** Rename, but never over an existing file. Returns 0; SPG_ERR_EXISTS;
 * SPG_ERR_UNSUPPORTED when this filesystem cannot promise that; or another negative
 * spg_err. */
int spg_platform_rename_new(const char *from, const char *to);

/** Lock the whole file behind @fd for whoever has this open file, until it is closed.
 * Returns 0; SPG_ERR_BUSY: somebody else has it; or another negative spg_err. */
int spg_platform_lock(int fd);

/** Descriptors 0, 1 and 2 that were closed when the program started get what can be
 * neither read nor written, as before, so that no file or socket of the program's own
 * gets their numbers. First of all in main. Returns 0 or SPG_ERR_IO. */
int spg_platform_fill_descriptors(void);

/** A descriptor that is readable as soon as the child @pid has ended; -1: the kernel has
 * none (before 5.3). */
int spg_platform_open_child(int pid);

/** Who connected the local socket @fd. Returns 0 or SPG_ERR_IO. */
int spg_platform_peer(int fd, struct spg_peer *ret);

/** Give memory that was freed back to the system; the allocator would keep it. Takes
 * milliseconds. */
void spg_platform_release_memory(void);

/** Whether spg_platform_tcp_user() works here: tried on a connection to itself. It may
 * wait for the kernel to load a module (tcp_diag). */
bool spg_platform_knows_tcp_users(void);

/** Which user has the other end of the TCP connection @fd, when that is a socket of this
 * machine, and of this network namespace. Where that is known it waits for nothing.
 * Returns 0; SPG_ERR_NOT_FOUND: there is no such socket, or not any more; SPG_ERR_IO. */
int spg_platform_tcp_user(int fd, uint32_t *ret);

/** Process @pid, its parent and so on, nearest first, without the first process of all: at
 * most @max of them into @ret. Returns how many; those of another pid namespace are not
 * known. Waits for nothing. */
size_t spg_platform_lineage(int32_t pid, int32_t *ret, size_t max);
