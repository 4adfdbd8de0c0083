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

/* What could not be looked into, by whom it is. */
struct look {
	struct spg_win_reading first, second, third;
	struct spg_win_mapping mapping, again;
};

static void finish_look(struct look *look)
{
	spg_win_reading_finish(&look->first);
	spg_win_reading_finish(&look->second);
	spg_win_reading_finish(&look->third);
	spg_win_mapping_finish(&look->mapping);
	spg_win_mapping_finish(&look->again);
}

/* Of those that have ended meanwhile nothing is to be known. Who begins or ends just now
 * refuses, and is asked again: who refused twice cannot be looked into. */
static int note_opaque(struct spg_win_users *users, const struct look *look)
{
	const struct spg_win_processes *all = &users->processes;

	users->opaque = calloc(all->n + 1, sizeof(*users->opaque));
	if (!users->opaque)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < all->n; i++) {
		int32_t pid = all->items[i].id.pid;

		if ((in_opaque(&look->second, pid) && in_opaque(&look->third, pid)) ||
			in_pids(look->again.opaque, look->again.n_opaque, pid))
			users->opaque[users->n_opaque++] = all->items[i];
	}
	return 0;
}

/* Walk the address spaces again that could not be walked. */
static int walk_again(
	struct spg_win_users *users, const atomic_bool *cancel, struct look *look)
{
	struct spg_win_processes some = {
		calloc(users->processes.n + 1, sizeof(*some.items)), 0};
	int r = some.items ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < users->processes.n; i++)
		if (in_pids(look->mapping.opaque, look->mapping.n_opaque,
			    users->processes.items[i].id.pid))
			some.items[some.n++] = users->processes.items[i];
	if (r == 0)
		r = spg_win_views_read(&some, cancel, &look->again);
	free(some.items);
	return r;
}

static int ask_again(struct spg_win_tools *tools, struct spg_win_users *users,
	const atomic_bool *cancel, struct look *look)
{
	int r = 0;

	if (look->second.n_opaque > 0)
		r = spg_win_handles_read(
			tools->handles, &look->second, cancel, &look->third);
	if (r == 0 && look->mapping.n_opaque > 0)
		r = walk_again(users, cancel, look);
	return r;
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
static int look_at_all(struct spg_win_tools *tools, struct spg_win_users *users,
	const atomic_bool *cancel, struct look *look)
{
	int r = spg_win_handles_read(tools->handles, NULL, cancel, &look->first);

	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	if (r == 0)
		r = spg_win_views_read(&users->processes, cancel, &look->mapping);
	if (r == 0)
		r = spg_win_handles_read(
			tools->handles, &look->first, cancel, &look->second);
	if (r == 0)
		r = ask_again(tools, users, cancel, look);
	spg_win_processes_finish(&users->processes);
	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	users->cut = look->mapping.cut || look->again.cut;
	return r;
}

static int look_and_match(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_match *match,
	struct spg_win_users *users)
{
	struct look look = {.first = {.opens = NULL}};
	int r = look_at_all(tools, users, request->cancel, &look);

	if (r == 0)
		r = take_opens(match, users, &look.first);
	if (r == 0)
		r = take_opens(match, users, &look.second);
	if (r == 0)
		r = take_opens(match, users, &look.third);
	if (r == 0)
		r = spg_match_views(match, tools, users, &look.mapping);
	if (r == 0)
		r = spg_match_views(match, tools, users, &look.again);
	if (r == 0)
		r = note_opaque(users, &look);
	if (r == 0)
		drop_ended(users);
	finish_look(&look);
	return r;
}

int spg_win_users_find(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_observation *obs,
	struct spg_win_users *ret)
{
	struct spg_match match;
	int r = spg_match_init(&match, request, obs);

	if (r == 0)
		r = look_and_match(tools, request, &match, ret);
	spg_match_finish(&match);
	/* Services are names for people: without them processes are named. */
	if (r == 0 && ret->n_uses > 0 &&
		spg_win_services_read(&ret->services) == SPG_ERR_NOMEM)
		r = SPG_ERR_NOMEM;
	if (r < 0)
		spg_win_users_finish(ret);
	return r;
}
