/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the installed files are: version, digest, imports and exports of each.
 *
 * Files are read as a background job of the worker thread, one a step, so that no survey
 * ever finds the daemon among their users. A file whose inode, size and times are
 * those of last time is not read again, unless somebody could write to it when it was
 * read: stores through a mapping change its times only now and then. Where nobody knows
 * (an overlay, a network), it is always read again. Loop thread, but for what it says.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/module_set.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"

/* Larger files are not read: a step would take seconds, and no survey runs meanwhile. */
#define SPG_CATALOG_FILE_MAX  (UINT64_C(1) << 30)

/* Bytes that the cache may keep; what does not fit is read each time. */
#define SPG_CATALOG_BYTES_MAX (64U << 20)

struct spg_catalog;

/** @prover is borrowed and must outlive it. NULL: out of memory. */
struct spg_catalog *spg_catalog_create(struct spg_prover *prover);

/** After the prover has stopped without a hang. Takes NULL. */
void spg_catalog_destroy(struct spg_catalog *catalog);

/** @err 0 and @set, which is borrowed; SPG_ERR_BUSY: the daemon stops. */
typedef void spg_catalog_done(void *user, int err, struct spg_module_set *set);

/**
 * Read the @n files at @paths, which are copied. What is not there is left out; what
 * cannot be read is in the set with its reason. @done comes once, never from within
 * the call, unless spg_catalog_forget() is called with the same @user. Returns 0,
 * SPG_ERR_NOMEM, or SPG_ERR_BUSY while the daemon stops.
 */
int spg_catalog_read(struct spg_catalog *catalog, const char *const *paths, size_t n,
	spg_catalog_done *done, void *user);

/** As spg_catalog_read(), with what installers have left beside the files (set->beside) and
 * what programs of Linux meet outside (set->around); of all files of product @index of
 * @model, and of those in @known (NULL: none) that are still the product's: a file that
 * the last survey did not find need not be gone. */
int spg_catalog_read_product(struct spg_catalog *catalog, const struct spg_model *model,
	size_t index, const struct spg_module_set *known, spg_catalog_done *done,
	void *user);

/** Forget what is no product's any more: after a change of products. Without memory it is
 * kept. */
void spg_catalog_trim(struct spg_catalog *catalog, const struct spg_model *model);

/** How far the reading that @user asked for is; false: there is none. */
bool spg_catalog_progress(const struct spg_catalog *catalog, const void *user,
	size_t *ret_done, size_t *ret_total);

/** No callback comes with @user. */
void spg_catalog_forget(struct spg_catalog *catalog, const void *user);
