/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the database keeps besides events: installs, what is installed and what should be, and
 * steps aside. As for the rest of the store: called on the loop thread, callbacks come there later, in
 * order, never from within the call; a write is on disk when its callback comes.
 *
 * A callback's @err is 0; SPG_ERR_FULL or SPG_ERR_IO when the database cannot be
 * written or read; SPG_ERR_BUSY while the daemon stops; SPG_ERR_NOMEM.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/model/expected.h"
#include "daemon/model/install.h"
#include "daemon/model/installed.h"
#include "daemon/model/sidestep.h"

struct spg_store;

/* What the next install of a product should bring. */
struct spg_store_expected {
	char *product;
	struct spg_expected expected; /* not sorted */
};

/* What was so when the database was opened. */
struct spg_store_records {
	struct spg_install **installs; /* the latest of each product */
	size_t n_installs, size_installs;
	struct spg_sidestep *sidesteps; /* all that the journal has, oldest first */
	size_t n_sidesteps, size_sidesteps;
	struct spg_installed *
		*installed; /* of each product, when that was last known */
	size_t n_installed, size_installed;
	struct spg_store_expected *expected; /* of each product that has one */
	size_t n_expected, size_expected;
};

/** Takes NULL. */
void spg_store_records_destroy(struct spg_store_records *records);

/** Write @install, of which the store takes a reference, instead of what it has
 * under its number. It must not change any more. @done may be NULL. */
void spg_store_put_install(struct spg_store *store, struct spg_install *install,
	void (*done)(void *user, int err), void *user);

struct spg_store_install_query {
	const char *product; /* NULL: any */
	int64_t id;          /* 0: any */
	size_t limit;        /* the newest so many */
	bool whole;          /* with files, holders and words */
};

/** @installs, newest first, are the store's; take references to keep them. */
typedef void spg_store_on_installs(
	void *user, int err, struct spg_install *const *installs, size_t n);

void spg_store_get_installs(struct spg_store *store,
	const struct spg_store_install_query *query, spg_store_on_installs *done,
	void *user);

/** Write what is installed of a product, or what has changed in that; takes over
 * @installed. @done may be NULL. */
void spg_store_put_installed(struct spg_store *store, struct spg_installed *installed,
	void (*done)(void *user, int err), void *user);

/** Write what the next install of @product should bring, instead of what it has of it.
 * @expected is copied; empty: nothing is known, or it has come. @done may be NULL. */
void spg_store_put_expected(struct spg_store *store, const char *product,
	const struct spg_expected *expected, void (*done)(void *user, int err),
	void *user);

/** Write @sidestep, which is copied, instead of what it has under its number. */
void spg_store_put_sidestep(struct spg_store *store,
	const struct spg_sidestep *sidestep, void (*done)(void *user, int err),
	void *user);

/** @sidesteps, oldest first, are the store's. */
typedef void spg_store_on_sidesteps(
	void *user, int err, const struct spg_sidestep *sidesteps, size_t n);

/** The newest @limit. */
void spg_store_get_sidesteps(struct spg_store *store, size_t limit,
	spg_store_on_sidesteps *done, void *user);
