/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a service pack would do to the files it was asked about, for the answer to
 * "check". As in render.h. For each file "offer" is one of
 *
 *   new        nothing of its name is in the product's directories
 *   update     the service pack's is newer
 *   same       what is installed already is the service pack's
 *   older      the service pack's is older: it would be a step back
 *   different  another content, and no versions to tell which is newer
 *   unknown    too little is known of one of them
 *   untouched  the service pack has no file for its place, only one of its name
 */
#include <jansson.h>

#include "daemon/install/fit/expected.h"
#include "daemon/proof/proof.h"

/* A service pack, and what is installed in its place. */
struct spg_offer {
	const struct spg_expected *expected;
	const struct spg_module_set *installed; /* NULL: not known */
	struct spg_expected_places places;
};

/**
 * Place @expected among the files of @proof, which are borrowed as long as @offer is
 * used. Returns 0; then spg_offer_finish(); or SPG_ERR_NOMEM.
 */
int spg_offer_init(struct spg_offer *offer, const struct spg_expected *expected,
	const struct spg_module_set *installed, const struct spg_proof *proof);
void spg_offer_finish(struct spg_offer *offer);

/** False where @file is not there and need not be: the service pack is a package, which
 * installs its files of that name elsewhere. */
bool spg_offer_concerns(
	const struct spg_offer *offer, const struct spg_judged_file *file);

/** Add to @out, the object of @file. Returns 0, or not 0 without memory. */
int spg_render_offer(
	json_t *out, const struct spg_judged_file *file, const struct spg_offer *offer);

/** How many files of the service pack there are of each kind. NULL: out of memory. */
json_t *spg_render_offers(const struct spg_offer *offer);
