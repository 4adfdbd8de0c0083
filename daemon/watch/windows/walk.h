/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Finding the files of a product: every directory is watched first and listed then, so that
 * what happens in between is an event. Worker thread.
 *
 * A reparse point that leads elsewhere (symbolic link, junction) is followed; a directory
 * that it leads back to is listed once.
 */
#include <stdatomic.h>

#include "daemon/model/name_set.h"
#include "daemon/model/observation.h"
#include "daemon/watch/windows/events.h"

struct spg_win_walk {
	struct spg_observation *obs;      /* files and lacks are appended */
	const struct spg_name_set *extra; /* names that count too, or NULL */
	struct spg_win_events *events;    /* NULL: nothing is watched */
	const atomic_bool *cancel;        /* or NULL */
	void (*progress)(void *user, const char *path); /* or NULL */
	void *user;

	/* The final paths of the directories that were listed; owned. Not by their numbers:
	 * a volume that was cloned has the same ones. */
	char **walked;
	size_t n_walked, size_walked;
};

/** Find all files. Returns 0, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when cancelled. What cannot
 * be read is a lack of the observation. */
int spg_win_walk_all(struct spg_win_walk *walk);

/** Find only the files at @paths. */
int spg_win_walk_some(struct spg_win_walk *walk, char *const *paths, size_t n);

/** Idempotent. */
void spg_win_walk_finish(struct spg_win_walk *walk);
