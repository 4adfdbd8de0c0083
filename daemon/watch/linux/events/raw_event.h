/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One event as the kernel writes it, by fanotify(7) or inotify(7), taken apart. Both
 * have the same bits for the same thing (linux/fanotify.h, linux/inotify.h), so that
 * the mask is always fanotify's.
 *
 * The kernel puts events and records end to end at whatever length they have (only to
 * four bytes), so nothing in the buffer is used in place: every struct is copied out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/linux/events/marks.h"

/* A name in a directory. */
struct spg_raw_name {
	bool has;
	struct spg_fid fid; /* the directory */
	const char *name;   /* in the buffer; "" or ".": the directory itself */
};

struct spg_raw_event {
	uint64_t mask;
	int32_t pid;                            /* 0: not told */
	int pidfd, fd;                          /* the reader's to close; -1 none */
	struct spg_raw_name old_name, new_name; /* plain events use old_name */
	bool has_target;
	struct spg_fid target;
	/* By inotify, which tells nobody's pid: it may be this process. */
	bool anonymous;
	bool mark_gone; /* the kernel has dropped the mark of old_name.fid */
};

/** Take the first event of the @len bytes at @at apart, as one fanotify read them.
 * Returns how many bytes it takes up, 0 when they are none. */
size_t spg_raw_fanotify(const char *at, size_t len, struct spg_raw_event *ret);

/** The same of inotify's; the two halves of a rename that follow each other are one
 * event. */
size_t spg_raw_inotify(const char *at, size_t len, struct spg_raw_event *ret);
