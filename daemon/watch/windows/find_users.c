/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/find_users.h"

#include <stdlib.h>

#include "common/err.h"
#include "daemon/watch/windows/match.h"

/* A handle that may neither read nor write keeps a deleted file's name all the same. */
static unsigned how_of(const struct spg_win_open *open)
{
	if (open->section)
		return SPG_USE_MAPPED;
	return open->access & (FILE_WRITE_DATA | FILE_APPEND_DATA) ? SPG_USE_WRITE
	                                                           : SPG_USE_OPEN;
}

static int take_opens(struct spg_match *match, struct spg_win_users *users,
	const struct spg_win_reading *reading)
{
	int r = 0;

	users->cut = users->cut || reading->cut;
	for (size_t i = 0; r == 0 && i < reading->n_opens; i++) {
		const struct spg_win_open *open = &reading->opens[i];
		size_t at = SPG_NO_FILE;

		while (r == 0 &&
			(at = spg_match_next(match, &open->file, at)) != SPG_NO_FILE)
			r = spg_win_users_add(users, spg_match_file(match, at),
				open->pid, how_of(open));
	}
	return r;
}

static bool in_pids(const int32_t *pids, size_t n, int32_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static bool in_opaque(const struct spg_win_reading *reading, int32_t pid)
{
	for (size_t i = 0; i < reading->n_opaque; i++)
		if (reading->opaque[i].pid == pid)
			return true;
	return false;
}

/* Of those that have ended meanwhile nothing is to be known. */
static int note_opaque(struct spg_win_users *users, const struct spg_win_reading *first,
	const struct spg_win_reading *second, const struct spg_win_mapping *mapping)
{
	const struct spg_win_processes *all = &users->processes;

	users->opaque = calloc(all->n + 1, sizeof(*users->opaque));
	if (!users->opaque)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < all->n; i++) {
		int32_t pid = all->items[i].id.pid;

		if (in_opaque(first, pid) || in_opaque(second, pid) ||
			in_pids(mapping->opaque, mapping->n_opaque, pid))
			users->opaque[users->n_opaque++] = all->items[i];
	}
	return 0;
}

/* Whoever has ended meanwhile uses nothing. */
static void drop_ended(struct spg_win_users *users)
{
	size_t n = 0;

	for (size_t i = 0; i < users->n_uses; i++)
		if (spg_win_processes_find(&users->processes, users->uses[i].pid))
			users->uses[n++] = users->uses[i];
	users->n_uses = n;
}

/*
 * Handles first, then views: who maps a file and closes it is seen by one or the other. Then
 * the handles again: who hands one over to a process that has been looked at already, or
 * unmaps what he opens again, is seen by that.
 */
static int look(struct spg_win_tools *tools, const struct spg_survey_request *request,
	struct spg_match *match, struct spg_win_users *users)
{
	struct spg_win_reading first = {.opens = NULL}, second = {.opens = NULL};
	struct spg_win_mapping mapping = {.views = NULL};
	int r = spg_win_handles_read(tools->handles, NULL, request->cancel, &first);

	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	if (r == 0)
		r = spg_win_views_read(&users->processes, request->cancel, &mapping);
	if (r == 0)
		r = spg_win_handles_read(
			tools->handles, &first, request->cancel, &second);
	spg_win_processes_finish(&users->processes);
	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	if (r == 0)
		r = take_opens(match, users, &first);
	if (r == 0)
		r = take_opens(match, users, &second);
	if (r == 0)
		r = spg_match_views(match, tools, users, &mapping);
	if (r == 0)
		r = note_opaque(users, &first, &second, &mapping);
	if (r == 0)
		drop_ended(users);
	users->cut = users->cut || mapping.cut;
	spg_win_reading_finish(&first);
	spg_win_reading_finish(&second);
	spg_win_mapping_finish(&mapping);
	return r;
}

int spg_win_users_find(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_observation *obs,
	struct spg_win_users *ret)
{
	struct spg_match match;
	int r = spg_match_init(&match, request, obs);

	if (r == 0)
		r = look(tools, request, &match, ret);
	spg_match_finish(&match);
	/* Services are names for people: without them processes are named. */
	if (r == 0 && ret->n_uses > 0 &&
		spg_win_services_read(&ret->services) == SPG_ERR_NOMEM)
		r = SPG_ERR_NOMEM;
	if (r < 0)
		spg_win_users_finish(ret);
	return r;
}
