/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who uses the files of one survey: all handles and all views, matched with the files by
 * identity. Worker thread.
 */
#include "daemon/model/observation.h"
#include "daemon/watch/watch.h"
#include "daemon/watch/windows/process.h"
#include "daemon/watch/windows/tools.h"
#include "daemon/watch/windows/views.h"

/* One process and one file. */
struct spg_win_use {
	size_t file; /* in the observation */
	int32_t pid;
	unsigned how; /* set of spg_use_how */
};

struct spg_win_users {
	struct spg_win_use *uses;
	size_t n_uses, size_uses;
	/* Processes that run and could not be looked into, by pid. */
	struct spg_win_process *opaque;
	size_t n_opaque;
	bool cut; /* the search was not whole, for want of threads or memory */
	bool restless; /* processes came and went: a file may have gone from one to another */
	char *unresolved; /* a view whose name leads nowhere that can be told; or NULL */
	struct spg_win_processes processes; /* at the end */
	struct spg_win_services services;
};

/** Note another use; one of the same process and file is widened. */
int spg_win_users_add(
	struct spg_win_users *users, size_t file, int32_t pid, unsigned how);

/** How file @index is used, by all together; 0: not at all. */
unsigned spg_win_users_how(const struct spg_win_users *users, size_t index);

/** The only process that has file @index open; 0: none or several have. */
int32_t spg_win_users_only(const struct spg_win_users *users, size_t index);

/** True when everybody has been looked into. */
bool spg_win_users_complete(
	const struct spg_win_tools *tools, const struct spg_win_users *users);

/** Idempotent; takes one that is all zero. */
void spg_win_users_finish(struct spg_win_users *users);
