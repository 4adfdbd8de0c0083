/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What came of an install: which files became what, which were left out though
 * they should have been replaced, and whether the set fits together now. Pure.
 *
 * A file was left out when the payload is known and brings another one than is there;
 * or, when no payload is known, when somebody held it meanwhile (or nobody can know that)
 * and most of its like were replaced: the files that had the same version before, or none;
 * all that have one, where no other has the same. That is a guess. So was one whose new version
 * an installer that was ended has left beside it (unfinished.h), or whose package is
 * half-installed; what was to become a new file, and lies there still, is not installed. A
 * file is left out until it
 * is replaced or gone, or all that was done is undone and no payload is known; a guess also
 * until a payload is named that has no such file. A set that fits together is mixed all the
 * same as long as somebody is shown versions of before.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/model/install.h"
#include "daemon/model/install_status.h"
#include "daemon/model/package.h"
#include "daemon/model/process.h"
#include "daemon/model/product.h"

/* Somebody who took part and did not end well. */
struct spg_outcome_failure {
	const struct spg_process *process; /* borrowed */
	struct spg_process_end end;
};

struct spg_outcome_facts {
	const struct spg_product *product;
	struct spg_module_set *before; /* NULL: not known */
	struct spg_module_set *after;
	/* What was left beside the files long before; NULL: not known. */
	struct spg_module_set *beside;
	const struct spg_packages *packages;        /* now; NULL: not known */
	const struct spg_outcome_failure *failures; /* of who took part */
	size_t n_failures;
	const struct spg_process *starter; /* of who is named; NULL: not known */
	bool past_lost;      /* nobody saw it whole: the daemon ended while it ran */
	bool unwatched;      /* nobody saw it all: the daemon was not running */
	bool found_at_start; /* nobody saw anything of it */
	const struct spg_expected *expected; /* the payload; NULL: not known */
	const struct spg_install *previous;  /* the last one, if it was mixed */
	bool undone; /* every file is what it was before what is amiss began */
	const struct spg_install *accepted;   /* what is meant to be so; may be NULL */
	const struct spg_notes *shown;        /* who shows old versions; NULL: nobody */
	const struct spg_install_held *users; /* who uses its files now */
	size_t n_users;
	const struct spg_standing *standing; /* files that stepped aside; may be NULL */
};

/**
 * Fill in what became of the files, the outcome, and its reasons, next steps and
 * findings. ->ended_ns has been set. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_outcome_judge(
	struct spg_install *install, const struct spg_outcome_facts *facts);
