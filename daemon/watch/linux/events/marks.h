/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What fanotify watches, and what its events are about.
 *
 * In file-id mode an event names its directory by filesystem id and file
 * handle (fanotify(7), FAN_REPORT_DFID_NAME); this table gives the path back. Where
 * fanotify refuses that (see groups.h) inotify watches, and names the object by the
 * number of its watch.
 * The worker thread sets marks while it walks the directories, before it
 * lists them; the loop thread looks up events. One lock, held for moments.
 *
 * A mark can only be removed through the object it is on; a directory that was
 * moved away keeps its mark, and its events find no path here and are ignored.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/observation.h"
#include "daemon/watch/linux/events/groups.h"
#include "daemon/watch/linux/files/layer.h"

/* How an object is watched; a set, since one directory may be both. */
enum spg_mark_role {
	SPG_MARK_ANCESTOR = 1 << 0,  /* above a product's directory: its layout */
	SPG_MARK_DIRECTORY = 1 << 1, /* holds a product's files */
	SPG_MARK_FILE = 1 << 2,      /* a file that has names elsewhere too */
	/* With SPG_MARK_FILE: it lies behind a link, and its directory is not watched. */
	SPG_MARK_LINKED = 1 << 3,
};

/* The key by which events name an object. */
struct spg_fid {
	uint64_t fsid;
	struct spg_handle handle;
};

/** The key of what inotify watches as number @watch; no filesystem has handles of its
 * type. inotify(7) uses no number twice before it has used them all. */
struct spg_fid spg_fid_of_watch(int watch);

struct spg_marks;

/** @groups is borrowed. NULL: out of memory. */
struct spg_marks *spg_marks_create(struct spg_groups *groups);
void spg_marks_destroy(struct spg_marks *marks); /* takes NULL */

/**
 * Watch the directory or file behind @fd, known as @path. Does nothing when it
 * is watched so already. Returns 0, SPG_ERR_UNSUPPORTED (the filesystem has no
 * ids, and inotify may not be used), SPG_ERR_LIMIT, SPG_ERR_DENIED, SPG_ERR_IO or
 * SPG_ERR_NOMEM.
 */
int spg_marks_add(struct spg_marks *marks, int fd, const char *path, unsigned role);

/**
 * The ways to the directories of @product, a name: the paths of every link that leads
 * there, and of the directories themselves; none of them has another link in it. They
 * replace those of before. Copied. Returns 0 or SPG_ERR_NOMEM: then those stay.
 */
int spg_marks_set_ways(
	struct spg_marks *marks, const char *product, char *const *paths, size_t n);

/** True when some product's way leads over @path: it is one of those, or above one. */
bool spg_marks_is_way(struct spg_marks *marks, const char *path);

/** Forget that an object is at @path or below: it was moved or deleted. */
void spg_marks_forget(struct spg_marks *marks, const char *path);

/** The kernel has dropped the mark of @fid: the object is gone, or was unmounted. */
void spg_marks_lost(struct spg_marks *marks, const struct spg_fid *fid);

/** Set every mark anew when it is next asked for: an unmount drops marks, and the
 * same filesystem mounted again has the same ids. Until then all count as they did. */
void spg_marks_distrust(struct spg_marks *marks);

/** Everything at or below @path has been walked: what was not asked for is not there
 * any more. */
void spg_marks_end_walk(struct spg_marks *marks, const char *path);

/** What the survey @obs found gone from its path (SPG_GONE) has that name no more: who
 * opens it elsewhere uses no file of the product. The mark stays. Out of memory: the
 * names stay, too. */
void spg_marks_end_survey(struct spg_marks *marks, const struct spg_observation *obs);

/** Forget every path and remove every mark: before other products come. */
void spg_marks_flush(struct spg_marks *marks);

/** Call @visit with each path by which the object is known and its roles.
 * Returns how many; the paths are valid only within the call. */
#define SPG_MARK_PATHS_MAX 8
size_t spg_marks_lookup(struct spg_marks *marks, const struct spg_fid *fid,
	void (*visit)(void *user, const char *path, unsigned role), void *user);

/** How many directories at or below @path are watched for their files. */
size_t spg_marks_count(struct spg_marks *marks, const char *path);
