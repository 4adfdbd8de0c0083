/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/find_users.h"

#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/watch/windows/match.h"

#define ROUNDS_MAX 4

/* A handle that may neither read nor write keeps a deleted file's name all the same. */
static unsigned how_of(const struct spg_win_open *open)
{
	return open->access & (FILE_WRITE_DATA | FILE_APPEND_DATA) ? SPG_USE_WRITE
	                                                           : SPG_USE_OPEN;
}

/* A section is told by name, as a view is. */
static int take_section(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_open *open)
{
	struct spg_win_mapped name = {.native = open->section,
		.file = open->file,
		.found = open->error == 0,
		.error = open->error};
	struct spg_win_view view = {.pid = open->pid};

	return spg_match_view(match, tools, users, &name, &view);
}

static int take_opens(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_reading *reading)
{
	int r = 0;

	users->cut = users->cut || reading->cut;
	for (size_t i = 0; r == 0 && i < reading->n_opens; i++) {
		const struct spg_win_open *open = &reading->opens[i];
		size_t at = SPG_NO_FILE;

		if (open->section)
			r = take_section(match, tools, users, open);
		while (r == 0 && !open->section &&
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

/* --- whom to look into ---------------------------------------------------------- */

/* Processes, sorted. */
struct ids {
	struct spg_proc_id *items;
	size_t n, size;
};

static int order_ids(const void *a, const void *b)
{
	const struct spg_proc_id *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

static bool has_id(const struct ids *ids, struct spg_proc_id id)
{
	return ids->n > 0 &&
	       bsearch(&id, ids->items, ids->n, sizeof(id), order_ids) != NULL;
}

/* Add those of @processes that are in @pids; NULL: all. */
static int add_ids(struct ids *ids, const struct spg_win_processes *processes,
	const int32_t *pids, size_t n)
{
	for (size_t i = 0; i < processes->n; i++) {
		if (pids && !in_pids(pids, n, processes->items[i].id.pid))
			continue;
		if (spg_array_reserve(
			    &ids->items, ids->n, &ids->size, sizeof(*ids->items)) < 0)
			return SPG_ERR_NOMEM;
		ids->items[ids->n++] = processes->items[i].id;
	}
	if (ids->n > 0)
		qsort(ids->items, ids->n, sizeof(*ids->items), order_ids);
	return 0;
}

/* One round: the handles, the views, the handles again. */
struct round {
	struct ids listed;             /* all that there were */
	struct spg_win_processes some; /* whose views are read */
	struct spg_win_reading first, second, third;
	struct spg_win_mapping mapping, again;
};

/* All rounds. */
struct look {
	struct ids walked; /* looked into */
	struct ids opaque; /* of these, who refused twice */
	struct ids dead;   /* ended while or before they were looked into */
};

static void finish_round(struct round *round)
{
	free(round->listed.items);
	spg_win_processes_finish(&round->some);
	spg_win_reading_finish(&round->first);
	spg_win_reading_finish(&round->second);
	spg_win_reading_finish(&round->third);
	spg_win_mapping_finish(&round->mapping);
	spg_win_mapping_finish(&round->again);
}

static void finish_look(struct look *look)
{
	free(look->walked.items);
	free(look->opaque.items);
	free(look->dead.items);
}

/* Of @all those that were not looked into, or refused and are in @pids. */
static int pick(const struct look *look, const struct spg_win_processes *all,
	const int32_t *pids, size_t n, struct spg_win_processes *ret)
{
	ret->items = calloc(all->n + 1, sizeof(*ret->items));
	if (!ret->items)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < all->n; i++) {
		struct spg_proc_id id = all->items[i].id;

		if (pids ? in_pids(pids, n, id.pid)
			 : !has_id(&look->walked, id) && !has_id(&look->dead, id))
			ret->items[ret->n++] = all->items[i];
	}
	return 0;
}

/* --- one round ------------------------------------------------------------------- */

/* Walk the address spaces again that could not be walked. Who begins or ends just now refuses,
 * and is asked again: who refused twice cannot be looked into. */
static int walk_again(struct look *look, const atomic_bool *cancel, struct round *round)
{
	struct spg_win_processes some = {NULL, 0};
	int r = pick(look, &round->some, round->mapping.opaque, round->mapping.n_opaque,
		&some);

	if (r == 0)
		r = spg_win_views_read(&some, cancel, &round->again);
	if (r == 0)
		r = add_ids(&look->opaque, &some, round->again.opaque,
			round->again.n_opaque);
	spg_win_processes_finish(&some);
	return r;
}

static int ask_again(struct spg_win_tools *tools, struct look *look,
	const atomic_bool *cancel, struct round *round)
{
	int r = 0;

	if (round->second.n_opaque > 0)
		r = spg_win_handles_read(tools->handles, NULL, cancel, &round->third);
	if (r == 0 && round->mapping.n_opaque > 0)
		r = walk_again(look, cancel, round);
	return r;
}

/* Who ended is dead once: a list may have him for as long as somebody has a handle to him. */
static int note_walked(struct look *look, const struct round *round)
{
	int r = add_ids(&look->walked, &round->some, NULL, 0);

	if (r == 0)
		r = add_ids(&look->dead, &round->some, round->mapping.ended,
			round->mapping.n_ended);
	if (r == 0 && round->again.n_ended > 0)
		r = add_ids(&look->dead, &round->some, round->again.ended,
			round->again.n_ended);
	return r;
}

/*
 * Handles first, then views: who maps a file and closes it is seen by one or the other. Then
 * the handles again: who hands one over to a process that has been looked at already, or
 * unmaps what he opens again, is seen by that. Whatever is found is asked anew: what an object
 * was at its address a moment ago, another one may be now.
 */
static int look_around(struct spg_win_tools *tools, struct spg_win_users *users,
	const atomic_bool *cancel, struct look *look, struct round *round)
{
	int r = spg_win_handles_read(tools->handles, NULL, cancel, &round->first);

	spg_win_processes_finish(&users->processes);
	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	if (r == 0)
		r = add_ids(&round->listed, &users->processes, NULL, 0);
	if (r == 0)
		r = pick(look, &users->processes, NULL, 0, &round->some);
	if (r == 0)
		r = spg_win_views_read(&round->some, cancel, &round->mapping);
	if (r == 0)
		r = spg_win_handles_read(tools->handles, NULL, cancel, &round->second);
	if (r == 0)
		r = ask_again(tools, look, cancel, round);
	if (r == 0)
		r = note_walked(look, round);
	spg_win_processes_finish(&users->processes);
	if (r == 0)
		r = spg_win_processes_read(&users->processes);
	return r;
}

static int match_all(const struct spg_win_tools *tools, struct spg_match *match,
	struct spg_win_users *users, const struct round *round)
{
	int r = take_opens(match, tools, users, &round->first);

	if (r == 0)
		r = take_opens(match, tools, users, &round->second);
	if (r == 0)
		r = take_opens(match, tools, users, &round->third);
	if (r == 0)
		r = spg_match_views(match, tools, users, &round->mapping);
	if (r == 0)
		r = spg_match_views(match, tools, users, &round->again);
	users->cut = users->cut || round->mapping.cut || round->again.cut;
	return r;
}

/* Of those that have ended meanwhile nothing is to be known. */
static int note_opaque(
	struct spg_win_users *users, const struct look *look, const struct round *round)
{
	const struct spg_win_processes *all = &users->processes;

	free(users->opaque);
	users->n_opaque = 0;
	users->opaque = calloc(all->n + 1, sizeof(*users->opaque));
	if (!users->opaque)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < all->n; i++) {
		struct spg_proc_id id = all->items[i].id;

		if ((in_opaque(&round->second, id.pid) &&
			    in_opaque(&round->third, id.pid)) ||
			has_id(&look->opaque, id))
			users->opaque[users->n_opaque++] = all->items[i];
	}
	return 0;
}

/* --- until it holds -------------------------------------------------------------- */

/* Whoever has ended meanwhile uses nothing. Returns true when a file is left without any
 * user: before he ended he may have handed it to somebody who was looked at before that. */
static bool drop_ended(struct spg_win_users *users)
{
	size_t n = 0;
	bool bare = false;

	/* Those of who runs first. */
	for (size_t i = 0; i < users->n_uses; i++)
		if (spg_win_processes_find(&users->processes, users->uses[i].pid)) {
			struct spg_win_use use = users->uses[i];

			users->uses[i] = users->uses[n];
			users->uses[n++] = use;
		}
	for (size_t i = n; i < users->n_uses && !bare; i++) {
		bool used = false;

		for (size_t k = 0; k < n && !used; k++)
			used = users->uses[k].file == users->uses[i].file;
		bare = !used;
	}
	users->n_uses = n;
	return bare;
}

/* Who ends closes what he has before he is gone from the list: what it was nobody knows. */
static bool any_left(const struct round *round, const struct spg_win_processes *now)
{
	for (size_t i = 0; i < round->listed.n; i++) {
		const struct spg_win_process *process =
			spg_win_processes_find(now, round->listed.items[i].pid);

		if (!process || process->id.start != round->listed.items[i].start)
			return true;
	}
	return false;
}

static bool any_new(const struct look *look, const struct spg_win_processes *processes)
{
	for (size_t i = 0; i < processes->n; i++) {
		struct spg_proc_id id = processes->items[i].id;

		if (!has_id(&look->walked, id) && !has_id(&look->dead, id))
			return true;
	}
	return false;
}

/*
 * A file may go from hand to hand: who has it gives it to another process and ends. Who was
 * looked at before that has it now, or somebody who is not in the list. So who is new is
 * looked into; and everybody again, where somebody ended who had a file that seems free now,
 * or of whom nobody knows what he had.
 */
static int look_once(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_match *match,
	struct spg_win_users *users, struct look *look, bool *ret_settled)
{
	struct round round = {.listed = {NULL, 0, 0}};
	int r = look_around(tools, users, request->cancel, look, &round);
	bool again = false;

	if (r == 0)
		r = match_all(tools, match, users, &round);
	if (r == 0)
		r = note_opaque(users, look, &round);
	if (r == 0) {
		again = drop_ended(users) || any_left(&round, &users->processes) ||
		        round.mapping.n_ended > 0 || round.again.n_ended > 0 ||
		        (round.first.ended && round.second.ended);
		*ret_settled = !again && !any_new(look, &users->processes);
	}
	if (again)
		look->walked.n = look->opaque.n = 0;
	finish_round(&round);
	return r;
}

static int look_and_match(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_match *match,
	struct spg_win_users *users)
{
	/* Neither events nor locks say that a file is free. */
	bool once = tools->once || request->scope->depth == SPG_SURVEY_LOCKS;
	struct look look = {.walked = {NULL, 0, 0}};
	bool settled = false;
	int r = 0;

	for (int i = 0; r == 0 && !settled && i < (once ? 1 : ROUNDS_MAX); i++)
		r = look_once(tools, request, match, users, &look, &settled);
	users->restless = !settled;
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
