/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which packages the files of all products are of, as the system's package manager has
 * written it down, and the packages that are installed. It is read as a background job of
 * the worker thread, at the start, after a reload and at the end of an install; and of
 * another root that a package manager was started for, at the end of its install. Good for
 * telling, never for deciding. Loop thread.
 */
#include "daemon/host/packages.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"

struct spg_owners;

/** Both are borrowed and must outlive it. NULL: out of memory. */
struct spg_owners *spg_owners_create(
	struct spg_prover *prover, const struct spg_model *model);

/** After the prover has stopped without a hang. Takes NULL. */
void spg_owners_destroy(struct spg_owners *owners);

/** What was read last of the database at @place; NULL: the system's. NULL: nothing. Borrowed
 * until the loop goes on. */
struct spg_packages *spg_owners_known(
	const struct spg_owners *owners, const struct spg_package_place *place);

/** @packages: borrowed; NULL: it cannot be read, which the log says. */
typedef void spg_owners_done(void *user, struct spg_packages *packages);

/**
 * Read the database at @place, copied; NULL: the system's. @done, which may be NULL, comes
 * once, never from within the call, within seconds, since a reading that takes long is
 * given up; not at all when the daemon stops before. Returns 0; SPG_ERR_NOMEM; SPG_ERR_LIMIT: it is
 * one place too many; SPG_ERR_BUSY while the daemon stops.
 */
int spg_owners_read(struct spg_owners *owners, const struct spg_package_place *place,
	spg_owners_done *done, void *user);
