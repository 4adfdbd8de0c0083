/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Verify: does what is installed of a product fit together, and is it what a
 * service pack brings? Judges with fit.h what the catalog has read. Any thread: it takes
 * tens of milliseconds for 2,000 modules, which the loop should not be kept for.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/texts.h"
#include "daemon/install/fit/expected.h"
#include "daemon/install/fit/fit.h"
#include "daemon/install/fit/module_set.h"
#include "daemon/model/install.h"
#include "daemon/model/product.h"

struct spg_verification {
	enum spg_verify_verdict verdict;
	struct spg_module_set *set;     /* a reference */
	struct spg_fit_module *modules; /* of @set, in the product's order */
	size_t n_modules;
	struct spg_fit fit;
	size_t n_accepted; /* of its findings */
};

/* What is known of before; each may be NULL. */
struct spg_verify_past {
	const struct spg_module_set *before; /* what there was before the install */
	const struct spg_install *previous;  /* what is amiss since: what it deleted */
	const struct spg_install *accepted;  /* likewise, and it is meant to be so */
};

/**
 * Judge @set. @past: NULL, or what may be missing now. @expected: the service pack's files, or NULL. @ret is for
 * spg_verification_finish(). Returns 0 or SPG_ERR_NOMEM.
 */
int spg_verify(struct spg_verification *ret, const struct spg_product *product,
	struct spg_module_set *set, const struct spg_expected *expected,
	const struct spg_verify_past *past);

/** What @verification says, apart from findings that are accepted. */
enum spg_verify_verdict spg_verification_conclude(
	const struct spg_verification *verification);

/** Path of the file that @finding of @verification is about. Borrowed. */
const char *spg_verification_path(
	const struct spg_verification *verification, const struct spg_finding *finding);

/** Idempotent. */
void spg_verification_finish(struct spg_verification *verification);
