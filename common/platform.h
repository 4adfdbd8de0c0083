/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The few calls that every operating system has in its own way and that need no more
 * than this; what a watch backend answers is in daemon/watch/watch.h. One file for each
 * system: platform_linux.c, windows/platform.c. Thread-safe.
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

/** The arguments of main() as UTF-8, where the system hands over something else; they live as
 * long as the program. Then: anything else in main. Returns 0 or SPG_ERR_NOMEM. */
int spg_platform_arguments(int *argc, char ***argv);

/** True when a shell here takes double quotes around a word, and no others: cmd.exe. What
 * no name of a file or service has there cannot be quoted. */
bool spg_platform_has_double_quotes(void);

/** Whatever separates the parts of a path here becomes '/'. */
void spg_platform_separators(char *path);

/** What writes to a connection whose other end has gone gets an error, no signal, unless
 * this program has decided about that already. Main thread, before others start. */
void spg_platform_ignore_broken_pipes(void);

/** Call @late once, in @seconds, whatever the program is doing by then: in a signal handler,
 * or in a thread of its own. Once. */
void spg_platform_after(unsigned seconds, void (*late)(void));

/** How many descriptors this process may have; 0: no limit that it knows. */
uint64_t spg_platform_descriptor_limit(void);

/** Bytes at the start of @path that name its root ("/"; "C:/"; "//server/share/"): 0 for
 * one that is relative. */
size_t spg_platform_root(const char *path);

/** Columns that the character @code takes on a terminal; 1 where that is not known. */
unsigned spg_platform_columns(uint32_t code);

struct spg_platform_user {
	char *name;
	uint32_t id;
	uint32_t *groups; /* the primary one first */
	size_t n_groups;
};

/** The user called @name, who is then the caller's, for spg_platform_user_finish(). May
 * ask a directory service. Returns 0; SPG_ERR_NOT_FOUND; SPG_ERR_UNSUPPORTED where users
 * have no numbers; SPG_ERR_NOMEM. */
int spg_platform_find_user(const char *name, struct spg_platform_user *ret);

/** Idempotent. */
void spg_platform_user_finish(struct spg_platform_user *user);

/** A descriptor that is readable as soon as the child @pid has ended; -1: the kernel has
 * none (before 5.3). */
int spg_platform_open_child(int pid);

/** Who connected the local socket @connection, a descriptor (on Windows: the HANDLE of
 * the pipe). Returns 0 or SPG_ERR_IO. */
int spg_platform_peer(intptr_t connection, struct spg_peer *ret);

/** To be called when the first bytes of @connection have been read: true when @peer is who
 * sent them. Windows tells that only then; until then it is the user of the process that
 * had connected. */
bool spg_platform_confirms(intptr_t connection, const struct spg_peer *peer);

/** Whether the client of @connection, as above, has closed it, rather than its sending
 * side only. */
bool spg_platform_is_gone(intptr_t connection);

enum spg_times {
	SPG_TIMES_TELL,    /* nobody can change it without changing its times */
	SPG_TIMES_WRITTEN, /* somebody has it open, or mapped, for writing */
	SPG_TIMES_UNSURE, /* its filesystem does not say, or it has just been changed */
};

/** Do the times of the regular file that is open at @fd, for reading, tell of every change
 * from now on? A store through a mapping is told only once for each page. On Linux whoever
 * opens it for writing waits for microseconds, or with O_NONBLOCK gets EWOULDBLOCK; SIGIO
 * must be ignored. */
enum spg_times spg_platform_times(int fd);

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
