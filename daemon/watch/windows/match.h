/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which file of a survey is it that a handle or a view leads to? Handles by identity. Views
 * by the file that now has the name that the view has: where another file has taken over
 * that name since, the view is of an old version. Worker thread.
 */
#include "daemon/model/observation.h"
#include "daemon/watch/watch.h"
#include "daemon/watch/windows/identity.h"
#include "daemon/watch/windows/tools.h"
#include "daemon/watch/windows/views.h"

struct spg_win_users;

struct spg_match_target {
	struct spg_win_identity identity;
	size_t file; /* in the observation */
};

struct spg_match {
	const struct spg_survey_request *request;
	struct spg_observation *obs;
	struct spg_match_target *targets; /* by index */
	size_t n_targets, size_targets;
};

/** Take all files of @obs. Returns 0 or SPG_ERR_NOMEM; spg_match_finish() either way. */
int spg_match_init(struct spg_match *match, const struct spg_survey_request *request,
	struct spg_observation *obs);

void spg_match_finish(struct spg_match *match);

/** The next target after @after (SPG_NO_FILE: the first) that is the file @identity: a file
 * may have several names. SPG_NO_FILE: there is none more. */
size_t spg_match_next(const struct spg_match *match,
	const struct spg_win_identity *identity, size_t after);

/** Its index in the observation. */
size_t spg_match_file(const struct spg_match *match, size_t target);

/** Add the use that one view shows: one whose file has the name @name. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_match_view(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_mapped *name,
	const struct spg_win_view *view);

/** Add the uses that @mapping shows. Old versions that nobody knew are added to the
 * observation. Returns 0 or SPG_ERR_NOMEM. */
int spg_match_views(struct spg_match *match, const struct spg_win_tools *tools,
	struct spg_win_users *users, const struct spg_win_mapping *mapping);
