/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The fanotify groups, in file-id mode: no descriptor of a watched file is ever
 * held.
 *
 * One group would do, were it not for filesystems whose id is weak: a btrfs
 * subvolume that is not the first has an id of its own below one superblock, and
 * the kernel lets a group with such a mark have no other filesystem
 * (fs/notify/fanotify/fanotify_user.c, fanotify_set_mark_fsid: EXDEV). Those get
 * a group each, when they are first marked. Before 6.8 they cannot be marked at all,
 * and before 6.6 neither can an overlay, whose files have no handles: those are watched
 * by inotify(7), which has the same events but does not tell who caused them, so that
 * this process's own cannot be told apart. That serves where nothing is opened to be
 * looked at, in tier "bpf". One epoll descriptor stands for all.
 *
 * The queues are the kernel's ordinary, bounded ones
 * (fs.fanotify.max_queued_events, 16,384 by default), on purpose: an unbounded
 * queue of a daemon that was stopped or hangs would fill the kernel's memory.
 * When one overflows, an event says so, and that is a gap.
 *
 * Marks are set on the worker thread, events are read on the loop's. Groups are
 * only ever added; inotify's goes with a flush, on the loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPG_GROUPS_MAX 64

struct spg_groups;

/* A queue of events. */
struct spg_group {
	int fd;
	bool is_inotify;
	size_t queue_max; /* events that it may hold, as of when it was made */
	uint64_t fsid;    /* the one filesystem it is for; the first is for all */
};

/**
 * Open the first group. @may_watch: inotify may serve where fanotify does not.
 * Returns 0; SPG_ERR_DENIED without CAP_SYS_ADMIN;
 * SPG_ERR_UNSUPPORTED on a kernel before 5.17; or SPG_ERR_LIMIT, SPG_ERR_NOMEM.
 */
int spg_groups_create(struct spg_groups **ret, bool may_watch);

/** Takes NULL. */
void spg_groups_destroy(struct spg_groups *groups);

/** Readable when any group has events. */
int spg_groups_poll_fd(const struct spg_groups *groups);

/** The groups there are now, 1..SPG_GROUPS_MAX. */
size_t spg_groups_list(struct spg_groups *groups, struct spg_group ret[SPG_GROUPS_MAX]);

/** False when a mark on the filesystem @fsid was refused for good. */
bool spg_groups_can_mark(const struct spg_groups *groups, uint64_t fsid);

/** True when something is watched by inotify. */
bool spg_groups_watches(struct spg_groups *groups);

/**
 * Set a mark on the directory behind @fd, or on the object at @path if it is not
 * NULL, which is on the filesystem @fsid. Returns 0, SPG_ERR_LIMIT,
 * SPG_ERR_UNSUPPORTED, SPG_ERR_DENIED or SPG_ERR_IO.
 */
int spg_groups_mark(struct spg_groups *groups, uint64_t fsid, uint64_t mask, int fd,
	const char *path);

/**
 * Watch the directory or file behind @fd by inotify for what fanotify's @mask says: an
 * execution is an opening. Returns 0 and *ret_watch, the number that its events have;
 * SPG_ERR_UNSUPPORTED when inotify may not serve, SPG_ERR_LIMIT, SPG_ERR_DENIED,
 * SPG_ERR_NOMEM or SPG_ERR_IO. Not at the same time as spg_groups_flush().
 */
int spg_groups_watch(struct spg_groups *groups, uint64_t mask, int fd, int *ret_watch);

/** Remove every mark of every group. */
void spg_groups_flush(struct spg_groups *groups);
