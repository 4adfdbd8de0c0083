/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of outcome.c: an install that is being judged.
 */
#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/install/unfinished.h"
#include "daemon/model/install.h"
#include "daemon/model/package.h"

struct spg_outcome_facts;

struct spg_outcome_judging {
	struct spg_install *install;
	const struct spg_outcome_facts *facts;
	struct spg_expected_places places; /* of the payload, if it is known */
	struct spg_unfinished *unfinished; /* SPG_UNFINISHED_MAX of them */
	size_t n_unfinished;
	bool undone;      /* every file is what it was, and that is right */
	bool failed;      /* somebody who took part has not done all, perhaps */
	bool unread;      /* something could not be read, or was not done */
	size_t n_dropped; /* left out, and too many to be listed */
	size_t n_gone;    /* files that there were, when all are gone */
	size_t n_checked; /* modules whose entry points were looked at */
};

/** Version and digest of @module (NULL: it is not there) into a file of the install;
 * *@version is freed and made anew. Returns 0 or SPG_ERR_NOMEM. */
int spg_outcome_copy_facts(
	const struct spg_module *module, char **version, char *sha256);

/** Note each file that was left out (left_out.c), ... Returns 0 or SPG_ERR_NOMEM. */
int spg_outcome_find_left_out(struct spg_outcome_judging *j);

/** ... and each that has stepped aside and was not written anew. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_outcome_find_stepped_aside(struct spg_outcome_judging *j);

/** True when the file at @path has stepped aside, and setup has written no new one. */
bool spg_outcome_is_aside(const struct spg_outcome_judging *j, const char *path);

/** True when @module lies there as it did before the install. */
bool spg_outcome_is_untouched(
	const struct spg_outcome_judging *j, const struct spg_module *module);

/** The new version of @module that an installer has left beside it, or NULL. */
const struct spg_module *spg_outcome_beside(
	const struct spg_outcome_judging *j, const struct spg_module *module);

/** The package of @module, if it is half-installed; else NULL. */
const struct spg_package *spg_outcome_half_package(
	const struct spg_outcome_judging *j, const struct spg_module *module);

/** Note what could not be read or is not known, and set @j->unread. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_outcome_explain_unread(struct spg_outcome_judging *j);

/** Append where @beside is, seen from the folder of @path. */
void spg_outcome_put_beside(struct spg_buf *buf, const char *path, const char *beside);

/** Say from which release to which, where a link leads to another. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_outcome_explain_release(struct spg_outcome_judging *j);

/** The reasons and the steps, once all else is known. Returns 0 or SPG_ERR_NOMEM. */
int spg_outcome_explain(struct spg_outcome_judging *j, bool mixed);
