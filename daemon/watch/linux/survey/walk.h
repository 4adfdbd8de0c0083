/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Finding the files of a product: every directory is marked first and listed
 * then, so that what happens in between is an event. Worker  thread.
 *
 * Foreign filesystems are listed by a thread of their own with a deadline
 * (listing.h); a share that does not answer is a lack, not a hang.
 */
#include <stdatomic.h>
#include <time.h>

#include "daemon/model/name_set.h"
#include "daemon/model/observation.h"
#include "daemon/watch/linux/events/marks.h"
#include "daemon/watch/linux/files/layer.h"
#include "daemon/watch/linux/files/mounts.h"

/* Where the product's names lead, for recognising files that have none any more:
 * a directory with its identity, or the target of a link to a file. */
struct spg_known_directory {
	char *path;      /* as the product names it */
	char *real_path; /* without symbolic links */
	struct spg_file_id id;
	struct timespec changed; /* of a directory: when, before it was listed */
	bool is_link;            /* a file behind a symbolic link, not a directory */
};

/* A symbolic link in one of the directories that may lead to something of the
 * product's, now or later, wherever it led when it was looked at. */
struct spg_link {
	char *path;            /* as the product names it */
	struct spg_file_id id; /* of what it led to */
	bool dangles;          /* it led to nothing */
};

struct spg_known_directories {
	struct spg_known_directory *marks;
	size_t n, size;
	struct spg_link *links;
	size_t n_links, size_links;
};

#define SPG_KNOWN_DIRECTORIES_NULL                                                     \
	{                                                                              \
		NULL, 0, 0, NULL, 0, 0                                                 \
	}

/** Idempotent; takes SPG_KNOWN_DIRECTORIES_NULL. */
void spg_known_directories_finish(struct spg_known_directories *directories);

/* What to tell while it runs; see struct spg_watch_ops.survey_place. */
typedef void spg_walk_progress(void *user, const char *path);

struct spg_walk {
	struct spg_observation *obs; /* files and lacks are appended */
	const struct spg_mounts *mounts;
	struct spg_known_directories *directories; /* appended to */
	struct spg_marks *marks;                   /* NULL: no events here */
	const struct spg_name_set *extra;          /* names that count too, or NULL */
	struct spg_file *const *known;             /* to reuse; see spg_survey_scope */
	size_t n_known;
	const atomic_bool *cancel;   /* or NULL */
	spg_walk_progress *progress; /* or NULL */
	void *user;

	/* Index of @known by path, made by the walk. */
	struct spg_linux_file **by_path;
};

/** Find all files. Returns 0, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when cancelled.
 * What cannot be read is a lack of the observation. */
int spg_walk_all(struct spg_walk *walk);

/** Find only the files at @paths, and mark nothing but them. */
int spg_walk_some(struct spg_walk *walk, char *const *paths, size_t n);

/** Idempotent. */
void spg_walk_finish(struct spg_walk *walk);
