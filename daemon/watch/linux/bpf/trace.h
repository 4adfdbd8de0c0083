/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the kernel tells of locks and processes as they happen (trace.bpf.c).
 * Loaded once at start, while the daemon still has its privileges.
 *
 * Locks of inodes that are watched only; what others lock costs the kernel one
 * look into a hash table. Records queue in a ring of 2 MiB: what does not fit is
 * counted.
 *
 * In a build without BPF every call but spg_trace_destroy() is refused. Threads:
 * watch() and unwatch() on any thread; the rest on the loop's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "daemon/watch/linux/bpf/reason.h"
#include "daemon/watch/linux/bpf/record.h"

struct spg_trace;

/** Load and attach. Returns as spg_look_create(). */
int spg_trace_create(struct spg_trace **ret, struct spg_bpf_reason *reason);

/** Load the programs anew when the kernel knows types that it did not know (types.h);
 * the tables and the ring stay. Loop thread; other threads may use the trace meanwhile.
 * Returns 0; 1 when that was done, and events of a moment are missing; or as
 * spg_trace_create(): then the programs of before go on, if they can. */
int spg_trace_refresh(struct spg_trace *trace, struct spg_bpf_reason *reason);

void spg_trace_destroy(struct spg_trace *trace); /* takes NULL */

/** Tell of locks on the inode that an in-use probe told as @key, under the number @slot.
 * Returns 0, or SPG_ERR_LIMIT beyond half a million. */
int spg_trace_watch(
	struct spg_trace *trace, const struct spg_bpf_inode_key *key, uint32_t slot);
void spg_trace_unwatch(struct spg_trace *trace, const struct spg_bpf_inode_key *key);

/** Readable when records have come. */
int spg_trace_poll_fd(const struct spg_trace *trace);

/** Say whether the reader will look again soon without being woken. After it
 * said no it must read once more: a record may have come in between. */
void spg_trace_set_awake(struct spg_trace *trace, bool awake);

/**
 * Hand every record that is there to @on_lock, which returns 0 or an error that
 * ends the reading. Returns how many there were, or that error.
 */
int spg_trace_read(struct spg_trace *trace,
	int (*on_lock)(void *user, const struct spg_bpf_lock *lock), void *user);

/** How many records were dropped since start. */
uint64_t spg_trace_dropped(const struct spg_trace *trace);

/** What is known of process @tgid, alive or not: whoever last had that number.
 * Returns false when it started or executed nothing since the daemon did, or too
 * many have since. */
bool spg_trace_process(
	const struct spg_trace *trace, int32_t tgid, struct spg_bpf_process *ret);
