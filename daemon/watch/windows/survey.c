/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/survey.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/name_set.h"
#include "daemon/watch/windows/conclude.h"
#include "daemon/watch/windows/file.h"
#include "daemon/watch/windows/state.h"
#include "daemon/watch/windows/text.h"
#include "daemon/watch/windows/walk.h"

static int find_files(struct spg_win_survey *s)
{
	const struct spg_survey_request *request = s->request;
	const struct spg_survey_scope *scope = request->scope;
	struct spg_name_set extra = SPG_NAME_SET_NULL;
	struct spg_win_walk walk = {.obs = s->obs,
		.events = s->tools->events,
		.cancel = request->cancel,
		.progress = s->tools->progress,
		.user = s->tools->user};
	int r = 0;

	if (request->n_extra_names > 0) {
		r = spg_name_set_init(&extra, request->extra_names,
			request->n_extra_names, request->product->ignore_case);
		walk.extra = &extra;
	}
	if (r == 0)
		r = scope->depth == SPG_SURVEY_FILES
		            ? spg_win_walk_some(&walk, scope->paths, scope->n_paths)
		            : spg_win_walk_all(&walk);
	spg_win_walk_finish(&walk);
	spg_name_set_finish(&extra);
	return r;
}

static bool in_paths(const struct spg_survey_scope *scope, const char *path)
{
	for (size_t i = 0; i < scope->n_paths; i++)
		if (strcmp(scope->paths[i], path) == 0)
			return true;
	return false;
}

static int order_ids(const void *a, const void *b)
{
	const struct spg_file_id *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return (x->dev > y->dev) - (x->dev < y->dev);
}

/* A file that is deleted, and open yet, has no identity: what was known of its path is
 * what it is. */
static bool is_pending_at(const struct spg_observation *obs, const char *path)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].file->id.ino == 0 &&
			strcmp(obs->files[i].file->path, path) == 0)
			return true;
	return false;
}

/* A file that an earlier question was about, and this one is not: it is where it was. */
static bool is_not_asked_now(const struct spg_win_survey *s, struct spg_file *file)
{
	struct spg_win_file *own = spg_win_file_of(file);
	struct spg_win_identity now;

	return own &&
	       !spg_product_has_name(s->obs->product, spg_win_base(file->path)) &&
	       spg_win_identify_path(own->native, false, &now) &&
	       spg_file_id_equal(now.id, file->id);
}

/* Files that were known and are at none of the product's paths any more: deleted, renamed
 * over or away. Somebody may still run the old version. */
static int add_replaced(struct spg_win_survey *s)
{
	const struct spg_survey_scope *scope = s->request->scope;
	size_t n = s->obs->n_files;
	struct spg_file_id *here = calloc(n + 1, sizeof(*here));
	int r = here ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		here[i] = s->obs->files[i].file->id;
	if (r == 0)
		qsort(here, n, sizeof(*here), order_ids);
	for (size_t i = 0; r == 0 && i < scope->n_known; i++) {
		struct spg_file *known = scope->known[i];

		if ((scope->depth == SPG_SURVEY_FILES &&
			    !in_paths(scope, known->path)) ||
			known->id.ino == 0 ||
			bsearch(&known->id, here, n, sizeof(*here), order_ids) ||
			is_pending_at(s->obs, known->path))
			continue;
		r = spg_observation_add_file(s->obs, known,
			is_not_asked_now(s, known) ? SPG_PRESENT : SPG_REPLACED,
			SPG_IN_USE_UNKNOWN);
	}
	free(here);
	return r;
}

/* Old versions that somebody asks about by another path than theirs. */
static void note_asked_otherwise(struct spg_win_survey *s)
{
	const struct spg_survey_request *request = s->request;

	for (size_t i = 0; i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];
		const char *name = spg_win_base(seen->file->path);

		for (size_t k = 0; seen->presence == SPG_REPLACED &&
				   k < request->n_extra_names && !seen->asked_otherwise;
			k++) {
			const char *asked = request->extra_names[k];

			/* Two paths may be one directory: counts as such. */
			seen->asked_otherwise =
				spg_win_base(asked) != asked &&
				spg_name_equal(spg_win_base(asked), name,
					request->product->ignore_case);
		}
	}
}

static int add_known(struct spg_win_survey *s)
{
	const struct spg_survey_scope *scope = s->request->scope;
	int r = 0;

	for (size_t i = 0; r == 0 && i < scope->n_known; i++)
		r = spg_observation_add_file(
			s->obs, scope->known[i], SPG_PRESENT, SPG_IN_USE_YES);
	return r;
}

static int survey(struct spg_win_survey *s)
{
	bool locks_only = s->request->scope->depth == SPG_SURVEY_LOCKS;
	int r = locks_only ? add_known(s) : find_files(s);

	if (r == 0 && !locks_only)
		r = add_replaced(s);
	s->obs->looked_ns = spg_clock_wall_ns();
	s->obs->attributed = !locks_only;
	if (r == 0)
		r = spg_win_users_find(s->tools, s->request, s->obs, &s->users);
	if (r == SPG_ERR_IO) {
		s->failed = true;
		r = 0;
	}
	if (r == 0 && !locks_only)
		r = spg_win_conclude(s);
	if (r == 0)
		r = spg_win_add_uses(s, !locks_only);
	if (r == 0)
		r = spg_win_add_locks(s);
	if (r == 0 && !locks_only)
		r = spg_win_add_lacks(s);
	if (r == 0)
		note_asked_otherwise(s);
	if (r == 0)
		r = spg_observation_list_states(s->obs);
	return r;
}

int spg_win_survey_run(struct spg_win_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	int64_t began = spg_clock_mono_ns();
	struct spg_win_survey s = {.tools = tools, .request = request};
	int r;

	s.obs = spg_observation_create(request->product, request->scope->depth);
	if (!s.obs)
		return SPG_ERR_NOMEM;
	s.obs->began_ns = spg_clock_wall_ns();
	r = survey(&s);
	spg_win_users_finish(&s.users);
	for (size_t i = 0; i < s.n_processes; i++)
		spg_process_unref(s.processes[i]);
	free(s.processes);
	if (r < 0) {
		spg_observation_destroy(s.obs);
		return r;
	}
	s.obs->ended_ns = spg_clock_wall_ns();
	s.obs->took_ns = spg_clock_mono_ns() - began;
	*ret = s.obs;
	return 0;
}
