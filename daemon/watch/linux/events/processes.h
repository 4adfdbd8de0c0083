/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The processes that events name, resolved at the event before they end, and
 * the watch over the end of those that use a file. Loop thread.
 *
 * A process is recognised by the inode of its pidfd, which is its own for ever
 * since Linux 6.9 (pidfs); before, by pid and start time.
 */
#include <uv.h>

#include "daemon/model/process.h"
#include "daemon/watch/linux/bpf/trace.h"
#include "daemon/watch/linux/proc/proc.h"

struct spg_processes;

/** @reader is copied, except that nothing here may block; its users are borrowed.
 * NULL: out of memory. */
struct spg_processes *spg_processes_create(
	uv_loop_t *loop, const struct spg_proc_reader *reader);

/**
 * The process @pid, which @pidfd names (-1: none came with the event, the
 * process has ended). A record with a reference for the caller; one with only a
 * pid when it ended before it could be read. NULL: out of memory, or @pid is 0.
 *
 * @executed  it just executed a program: what was known of it is stale
 */
struct spg_process *spg_processes_resolve(
	struct spg_processes *processes, int32_t pid, int pidfd, bool executed);

/** The same for a process that an event of BPF names: @key is its pidfd's inode, 0
 * unknown. */
struct spg_process *spg_processes_by_key(
	struct spg_processes *processes, int32_t pid, uint64_t key);

/** From now on, what ended before it could be read is looked up in the kernel's own
 * table. Borrowed; must outlive the stop. */
void spg_processes_use_table(
	struct spg_processes *processes, const struct spg_trace *trace);

/** See struct spg_watch_ops.watch_exit. */
int spg_processes_watch_exit(struct spg_processes *processes,
	struct spg_process *process, void (*on_exit)(void *user, struct spg_proc_id id),
	void *user);

/** See struct spg_watch_ops.ended. */
bool spg_processes_ended(const struct spg_processes *processes,
	const struct spg_process *process, struct spg_process_end *ret);

/** Close all handles; @on_closed comes when they are, and frees everything. */
void spg_processes_stop(
	struct spg_processes *processes, void (*on_closed)(void *user), void *user);
