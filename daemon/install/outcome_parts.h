/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of outcome.c: an install that is being judged.
 */
#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/install/unfinished.h"
#include "daemon/model/install.h"

struct spg_outcome_facts;

struct spg_outcome_judging {
	struct spg_install *install;
	const struct spg_outcome_facts *facts;
	struct spg_expected_places places; /* of the payload, if it is known */
	struct spg_unfinished *unfinished; /* SPG_UNFINISHED_MAX of them */
	size_t n_unfinished;
	bool unread;      /* something could not be read */
	size_t n_dropped; /* left out, and too many to be listed */
	size_t n_gone;    /* files that there were, when all are gone */
	size_t n_checked; /* modules whose entry points were looked at */
};

/** True when @module lies there as it did before the install. */
bool spg_outcome_is_untouched(
	const struct spg_outcome_judging *j, const struct spg_module *module);

/** The new version of @module that an installer has left beside it, or NULL. */
const struct spg_module *spg_outcome_beside(
	const struct spg_outcome_judging *j, const struct spg_module *module);

/** Note what could not be read or is not known, and set @j->unread. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_outcome_explain_unread(struct spg_outcome_judging *j);

/** Say from which release to which, where a link leads to another. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_outcome_explain_release(struct spg_outcome_judging *j);

/** The reasons and the steps, once all else is known. Returns 0 or SPG_ERR_NOMEM. */
int spg_outcome_explain(struct spg_outcome_judging *j, bool mixed);
