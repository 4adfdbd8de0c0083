/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is amiss with a product between two installs, and how it ends: verify found that
 * it does not fit, or that it is the service pack's after all, or an administrator accepts
 * it as it is. Each is a record like an install of nothing, so that check, the history
 * and the next start know. Pure; every function that makes a record returns it with one
 * reference, NULL: out of memory.
 */
#include <stdbool.h>

#include "daemon/install/verify.h"
#include "daemon/model/install.h"
#include "daemon/model/install_status.h"

/** Verify found what @v says. @previous: what was amiss before, or NULL; what it left out
 * and @places (NULL: not known) does not have is still left out. */
struct spg_install *spg_resolution_found(int64_t id, const struct spg_product *product,
	const struct spg_verification *v, const struct spg_expected_places *places,
	const struct spg_install *previous, const struct spg_standing *standing);

/** What @previous left is the service pack's now; without @by_payload: fits now. */
struct spg_install *spg_resolution_mended(
	int64_t id, const struct spg_install *previous, bool by_payload);

/** @who ("root") says that what @previous left is meant to be so, as what was @accepted
 * before (NULL: nothing). */
struct spg_install *spg_resolution_accepted(int64_t id,
	const struct spg_install *previous, const struct spg_install *accepted,
	const char *who);

/** True when nothing that @previous left out is left any more: it is gone and has not
 * stepped aside, or is what @places has, or was only guessed and @places has no such
 * file. */
bool spg_resolution_covers(const struct spg_install *previous,
	const struct spg_expected_places *places, const struct spg_module_set *set,
	const struct spg_standing *standing);

/** True when @known (NULL: nothing) names all that @v found. */
bool spg_resolution_knows(
	const struct spg_install *known, const struct spg_verification *v);

/** Mark what @v found and @accepted (NULL: nothing) allows, and conclude again: it is no
 * fault as long as it is the same. What was too much to be kept of an acceptance is
 * accepted by nobody. */
void spg_resolution_apply(
	struct spg_verification *v, const struct spg_install *accepted);

/** True when @places is what @install brought, at least in part. */
bool spg_resolution_is_payload(const struct spg_install *install,
	const struct spg_expected_places *places, const struct spg_module_set *set);

/** @install was not judged: what was amiss with @previous (NULL: nothing) is so still.
 * Returns 0 or SPG_ERR_NOMEM. */
int spg_resolution_carry_over(
	struct spg_install *install, const struct spg_install *previous);
