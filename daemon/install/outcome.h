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
 * an installer that was ended has left beside it (unfinished.h). It is left out until it
 * is replaced or gone; a guess also until a payload is named that has no such file. A set
 * that fits together is mixed all the same as long as somebody is shown versions of before.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/model/install.h"
#include "daemon/model/install_status.h"
#include "daemon/model/product.h"

struct spg_outcome_facts {
	const struct spg_product *product;
	struct spg_module_set *before; /* NULL: not known */
	struct spg_module_set *after;
	bool past_lost; /* nobody saw it whole: the daemon ended while it ran */
	bool unwatched; /* nobody saw it: the daemon was not running */
	const struct spg_expected *expected;  /* the payload; NULL: not known */
	const struct spg_install *previous;   /* the last one, if it was mixed */
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
