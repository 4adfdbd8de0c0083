/* SPDX-License-Identifier: MIT */
#include "daemon/model/judge.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/name_set.h"
#include "daemon/model/obstacle.h"
#include "daemon/model/space.h"
#include "daemon/model/verdict_text.h"

/* An old version is nowhere to be asked about by each of its paths: the survey has seen
 * whether it is by another one. */
static bool is_old_asked(const struct spg_product *product,
	const struct spg_selection *selection, const struct spg_seen_file *seen)
{
	const char *name = spg_path_base(seen->file->path);

	if (!selection || seen->presence != SPG_REPLACED || !seen->asked_otherwise)
		return false;
	for (size_t i = 0; i < selection->n_names; i++)
		if (spg_path_is_absolute(selection->names[i]) &&
			spg_name_equal(spg_path_base(selection->names[i]), name,
				product->ignore_case))
			return true;
	return false;
}

/* What is known of one file while it is judged. */
struct tally {
	unsigned how;     /* of every user */
	bool blockers;    /* somebody who has to go */
	bool setup;       /* somebody whom setup stops */
	bool hidden_lock; /* a lock whose holder no process shows */
	bool keepers;     /* in the way without having it open */
};

static void count_use(struct tally *tally, enum spg_use_class class, unsigned how)
{
	tally->how |= how;
	if (class == SPG_CLASS_BLOCKER)
		tally->blockers = true;
	if (class == SPG_CLASS_SETUP_STOPS)
		tally->setup = true;
}

/* One pass over uses and locks, however many files there are. */
static struct tally *tally_files(const struct spg_observation *obs)
{
	struct tally *tallies = calloc(obs->n_files + 1, sizeof(*tallies));

	if (!tallies)
		return NULL;
	for (size_t i = 0; i < obs->n_uses; i++) {
		const struct spg_seen_use *use = &obs->uses[i];

		count_use(&tallies[use->file],
			spg_use_classify(obs->product, use->process), use->how);
	}
	for (size_t i = 0; i < obs->n_keepers; i++)
		if (spg_keeper_matters(obs, &obs->keepers[i]))
			tallies[obs->keepers[i].file].keepers = true;
	for (size_t i = 0; i < obs->n_locks; i++) {
		const struct spg_seen_lock *lock = &obs->locks[i];
		struct tally *tally = &tallies[lock->file];

		if (lock->process)
			count_use(tally, spg_use_classify(obs->product, lock->process),
				0);
		else if (lock->state == SPG_LOCK_HELD)
			tally->hidden_lock = true;
		tally->how |=
			lock->state == SPG_LOCK_HELD ? SPG_USE_LOCKED : SPG_USE_WAITING;
	}
	return tallies;
}

static enum spg_file_state judge_state(const struct spg_observation *obs,
	const struct spg_seen_file *seen, const struct tally *tally)
{
	if (tally->blockers || tally->hidden_lock || seen->unattributed ||
		tally->keepers || seen->kept)
		return SPG_FILE_BLOCKED;
	/* An in-use probe that does not count tells somebody from nobody, not one from two: who
	 * holds it without a process (acct(2), a ring of io_uring whose descriptor is
	 * closed) may hide behind the one that shows. */
	if (tally->setup)
		return !obs->counted || seen->shared ||
		                       seen->in_use == SPG_IN_USE_UNKNOWN
		               ? SPG_FILE_UNKNOWN
		               : SPG_FILE_HELD_BY_SETUP_STOPPED;
	switch (seen->in_use) {
	case SPG_IN_USE_NO:
		return SPG_FILE_FREE;
	case SPG_IN_USE_YES:
		/* Busy and nobody found, yet not marked so: never free. */
		return SPG_FILE_BLOCKED;
	case SPG_IN_USE_UNKNOWN:
		break;
	}
	return SPG_FILE_UNKNOWN;
}

static int add_judged(struct spg_verdict *v, const struct spg_judged_file *file)
{
	int r = spg_array_reserve(
		&v->files, v->n_files, &v->size_files, sizeof(*v->files));

	if (r < 0)
		return r;
	v->files[v->n_files++] = *file;
	return 0;
}

static void count_file(struct spg_verdict_counts *counts,
	const struct spg_judged_file *file, unsigned how)
{
	counts->files++;
	counts->blocked += file->state == SPG_FILE_BLOCKED;
	counts->unattributed += file->unattributed;
	counts->obstructed += file->obstructed;
	counts->open += (how & (SPG_USE_OPEN | SPG_USE_WRITE)) != 0;
	counts->mapped += (how & SPG_USE_MAPPED) != 0;
	counts->executing += (how & SPG_USE_EXECUTING) != 0;
	counts->locked += (how & SPG_USE_LOCKED) != 0;
	counts->waiting += (how & SPG_USE_WAITING) != 0;
}

/* An old version that was stepped aside is held, and yet in nobody's way. */
static enum spg_file_state excuse(const struct spg_seen_file *seen,
	const struct spg_standing *standing, enum spg_file_state state)
{
	bool held = state == SPG_FILE_BLOCKED ||
	            state == SPG_FILE_HELD_BY_SETUP_STOPPED ||
	            (state == SPG_FILE_UNKNOWN && seen->in_use == SPG_IN_USE_YES);

	if (!held)
		return state;
	return seen->presence == SPG_REPLACED &&
	                       spg_standing_find(standing, seen->file->id)
	               ? SPG_FILE_SIDESTEPPED
	               : state;
}

static bool is_unused(enum spg_file_state state)
{
	return state == SPG_FILE_FREE || state == SPG_FILE_HELD_BY_SETUP_STOPPED;
}

static void judge_file(const struct spg_observation *obs, size_t index,
	const struct tally *tally, const struct spg_standing *standing,
	struct spg_judged_file *file)
{
	const struct spg_seen_file *seen = &obs->files[index];

	file->state = excuse(seen, standing, judge_state(obs, seen, tally));
	file->unattributed = file->state == SPG_FILE_BLOCKED &&
	                     (seen->unattributed || tally->hidden_lock || seen->kept ||
				     !(tally->blockers || tally->keepers));
	file->obstacles = spg_obstacles_of(obs, index);
	file->obstructed = file->obstacles && is_unused(file->state);
	if (file->obstacles)
		file->state = SPG_FILE_BLOCKED;
}

static int judge_seen(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_name_set *asked,
	const struct spg_standing *standing, struct spg_verdict *v)
{
	struct tally *tallies = tally_files(obs);
	int r = 0;

	if (!tallies)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < obs->n_files; i++) {
		const struct spg_seen_file *seen = &obs->files[i];
		const char *path = seen->file->path;
		struct spg_judged_file file = {.path = path, .seen = i};

		if (seen->presence == SPG_GONE ||
			(!spg_verdict_is_asked(obs->product, asked, path) &&
				!is_old_asked(obs->product, selection, seen)))
			continue;
		judge_file(obs, i, &tallies[i], standing, &file);
		if (file.state != SPG_FILE_FREE)
			file.advice =
				spg_product_advice(obs->product, spg_path_base(path));
		r = add_judged(v, &file);
		if (r == 0)
			count_file(&v->counts, &file, tallies[i].how);
	}
	free(tallies);
	return r;
}

/* The paths and the bare names of all files that lie at their place. */
static int list_present(const struct spg_observation *obs, char ***ret, size_t *ret_n)
{
	char **names = calloc(2 * obs->n_files + 1, sizeof(*names));
	size_t n = 0;

	if (!names)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_files; i++) {
		char *path = obs->files[i].file->path;

		if (obs->files[i].presence != SPG_PRESENT)
			continue;
		names[n++] = path;
		names[n++] = path + (spg_path_base(path) - path);
	}
	*ret = names;
	*ret_n = n;
	return 0;
}

static int add_absent(const struct spg_observation *obs, const char *name,
	enum spg_file_state state, struct spg_verdict *v)
{
	struct spg_judged_file file = {.seen = SPG_NO_FILE,
		.state = state,
		.anywhere = !spg_path_is_absolute(name)};
	struct spg_buf path = SPG_BUF_NULL;
	int r;

	if (!spg_path_is_absolute(name) && obs->product->n_directories > 0)
		spg_buf_printf(&path, "%s/", obs->product->directories[0].path);
	spg_buf_puts(&path, name);
	file.own_path = spg_buf_take(&path);
	if (!file.own_path)
		return SPG_ERR_NOMEM;
	file.path = file.own_path;
	r = add_judged(v, &file);
	if (r < 0) {
		free(file.own_path);
		return r;
	}
	/* A file of the payload is judged, and it is free: nothing is there. */
	if (state != SPG_FILE_MISSING)
		v->counts.files++;
	return 0;
}

/* A path that no directory of the product has was not looked at. */
static enum spg_file_state absent_state(const struct spg_observation *obs,
	const struct spg_selection *selection, const char *name)
{
	if (!selection)
		return SPG_FILE_MISSING;
	if (spg_path_is_absolute(name) && !spg_product_covers(obs->product, name))
		return SPG_FILE_UNKNOWN;
	return SPG_FILE_NEW;
}

static int compare_ids(const void *a, const void *b)
{
	const struct spg_file_id *one = a, *two = b;

	if (one->dev != two->dev)
		return one->dev < two->dev ? -1 : 1;
	return (one->ino > two->ino) - (one->ino < two->ino);
}

/* The files that were looked at, sorted; *@ret is NULL where nobody needs to know. */
static int list_ids(const struct spg_observation *obs,
	const struct spg_selection *selection, struct spg_file_id **ret)
{
	bool any = false;

	for (size_t i = 0; selection && selection->places && i < selection->n_names;
		i++)
		any = any || selection->places[i].path;
	if (!any)
		return 0;
	*ret = calloc(obs->n_files + 1, sizeof(**ret));
	if (!*ret)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_files; i++)
		(*ret)[i] = obs->files[i].file->id;
	qsort(*ret, obs->n_files, sizeof(**ret), compare_ids);
	return 0;
}

/* Where a package puts the file @index something is that nobody has looked at; NULL: that
 * is not so. */
static const struct spg_selected_place *unseen_place(const struct spg_observation *obs,
	const struct spg_selection *selection, size_t index,
	const struct spg_file_id *ids)
{
	const struct spg_selected_place *place = ids ? &selection->places[index] : NULL;

	return place && place->path &&
	                       !bsearch(&place->id, ids, obs->n_files, sizeof(*ids),
				       compare_ids)
	               ? place
	               : NULL;
}

static bool is_any_literal(const struct spg_product *product)
{
	for (size_t i = 0; i < product->n_patterns; i++)
		if (spg_name_is_literal(product->patterns[i]))
			return true;
	return false;
}

/* Files that are asked about or named by the product, and are not there. */
static int judge_absent(const struct spg_observation *obs,
	const struct spg_selection *selection, struct spg_verdict *v)
{
	struct spg_name_set present = SPG_NAME_SET_NULL;
	char *const *names = selection ? selection->names : obs->product->patterns;
	size_t n_names = selection ? selection->n_names : obs->product->n_patterns;
	struct spg_file_id *ids = NULL;
	char **listed = NULL;
	size_t n_listed = 0;
	int r;

	/* A pattern is never absent: no need to sort what is there. */
	if (!selection && !is_any_literal(obs->product))
		return 0;
	r = list_present(obs, &listed, &n_listed);
	if (r == 0)
		r = spg_name_set_init(
			&present, listed, n_listed, obs->product->ignore_case);
	if (r == 0)
		r = list_ids(obs, selection, &ids);
	for (size_t i = 0; r == 0 && i < n_names; i++) {
		const struct spg_selected_place *place =
			unseen_place(obs, selection, i, ids);

		if (!selection && !spg_name_is_literal(names[i]))
			continue;
		if (place && place->is_program)
			r = add_absent(obs, place->path, SPG_FILE_UNKNOWN, v);
		else if (!place && !spg_name_set_has(&present, names[i]))
			r = add_absent(obs, names[i],
				absent_state(obs, selection, names[i]), v);
	}
	spg_name_set_finish(&present);
	free(listed);
	free(ids);
	return r;
}

/* A step aside is finished when setup has written the new file and nobody uses
 * the old one any more. */
static bool is_unfinished(
	const struct spg_standing *standing, const struct spg_verdict *v)
{
	for (size_t i = 0; i < standing->n_aside; i++)
		if (standing->aside[i].missing || standing->aside[i].unsure)
			return true;
	for (size_t i = 0; i < v->n_files; i++)
		if (v->files[i].state == SPG_FILE_SIDESTEPPED)
			return true;
	return false;
}

static enum spg_verdict_kind add_standing(const struct spg_standing *standing,
	const struct spg_verdict *v, enum spg_verdict_kind kind)
{
	if (!standing)
		return kind;
	if (standing->installing.n > 0)
		return SPG_VERDICT_BLOCKED;
	if ((kind == SPG_VERDICT_SAFE || kind == SPG_VERDICT_ATTENTION) &&
		standing->unread.n > 0)
		return SPG_VERDICT_UNKNOWN;
	if (kind == SPG_VERDICT_SAFE &&
		(standing->mixed.n > 0 || is_unfinished(standing, v)))
		return SPG_VERDICT_ATTENTION;
	return kind;
}

/* What surely has no room is in the way like any other obstacle. */
static void judge_space(const struct spg_space *space,
	const struct spg_observation *obs, struct spg_verdict *v)
{
	for (size_t i = 0; space->n > 0 && i < v->n_files; i++) {
		struct spg_judged_file *file = &v->files[i];
		unsigned obstacles =
			file->seen == SPG_NO_FILE
				? 0
				: spg_space_obstacles(space, obs, file->seen);

		if (!obstacles)
			continue;
		file->obstacles |= obstacles;
		if (file->state == SPG_FILE_BLOCKED)
			continue;
		file->obstructed = is_unused(file->state);
		file->state = SPG_FILE_BLOCKED;
		v->counts.blocked++;
		v->counts.obstructed += file->obstructed;
	}
}

static bool is_any_obstructed(const struct spg_verdict *v)
{
	for (size_t i = 0; i < v->n_files; i++)
		if (v->files[i].obstacles)
			return true;
	return false;
}

/* Leaving the blocked files out. */
static enum spg_verdict_kind conclude(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_verdict *v)
{
	size_t n_there = 0;

	for (size_t i = 0; i < v->n_files; i++) {
		if (v->files[i].state == SPG_FILE_UNKNOWN)
			return SPG_VERDICT_UNKNOWN;
		if (v->files[i].seen != SPG_NO_FILE)
			n_there++;
	}
	for (size_t i = 0; i < obs->n_lacks; i++)
		if (spg_lack_counts(obs, &obs->lacks[i], asked))
			return SPG_VERDICT_UNKNOWN;
	return n_there == 0 && !v->asked_own ? SPG_VERDICT_UNKNOWN : SPG_VERDICT_SAFE;
}

/* The verdict if nobody used the blocked files. */
static enum spg_verdict_kind conclude_all(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_standing *standing,
	const struct spg_space *space, const struct spg_verdict *v)
{
	enum spg_verdict_kind kind;

	if (is_any_obstructed(v) || spg_obstacles_to_new(obs, v) == SPG_VERDICT_BLOCKED)
		return SPG_VERDICT_BLOCKED;
	kind = add_standing(standing, v, conclude(obs, asked, v));
	if (kind == SPG_VERDICT_SAFE)
		kind = spg_obstacles_to_new(obs, v);
	return kind == SPG_VERDICT_SAFE && space->n > 0 ? SPG_VERDICT_ATTENTION : kind;
}

int spg_verdict_judge(const struct spg_observation *obs,
	const struct spg_selection *selection, const struct spg_standing *standing,
	struct spg_verdict *ret)
{
	struct spg_verdict v = SPG_VERDICT_NULL;
	struct spg_space space = SPG_SPACE_NULL;
	struct spg_name_set set = SPG_NAME_SET_NULL;
	const struct spg_name_set *asked = selection ? &set : NULL;
	int r = 0;

	v.asked_own = selection && selection->own;
	if (selection)
		r = spg_name_set_init(&set, selection->names, selection->n_names,
			obs->product->ignore_case);
	if (r == 0)
		r = judge_seen(obs, selection, asked, standing, &v);
	if (r == 0)
		r = judge_absent(obs, selection, &v);
	if (r == 0)
		r = spg_space_measure(obs, selection, &v, &space);
	if (r == 0) {
		judge_space(&space, obs, &v);
		v.without_blocked = conclude_all(obs, asked, standing, &space, &v);
		v.kind = v.counts.blocked > 0 ? SPG_VERDICT_BLOCKED : v.without_blocked;
		r = spg_verdict_explain(obs, asked, standing, &v);
	}
	if (r == 0)
		r = spg_space_explain(&space, obs, &v);
	spg_space_finish(&space);
	spg_name_set_finish(&set);
	if (r < 0) {
		spg_verdict_finish(&v);
		return r;
	}
	*ret = v;
	return 0;
}
