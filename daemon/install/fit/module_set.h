/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What all files of a product are, at one time. Plain data, immutable once it is filled:
 * any thread may read it.
 */
#include "daemon/install/fit/module.h"
#include "daemon/install/fit/surroundings.h"

/* The files of a product at one time, by path in byte order. */
struct spg_module_set {
	atomic_uint refs;
	struct spg_surroundings
		*around;  /* of its programs of Linux; NULL: not looked at */
	bool is_searched; /* what ->around has loaded is of just these modules */
	/* What installers have left beside them under names of their own, of the product or
	 * not (daemon/install/unfinished.h); NULL: not looked for. */
	struct spg_module_set *beside;
	struct spg_module **modules;
	size_t n, size;
	size_t n_read; /* that were not known from last time */
};

struct spg_module_set *spg_module_set_ref(struct spg_module_set *set);

/** Takes NULL. */
void spg_module_set_unref(struct spg_module_set *set);

/** The file at @path, or NULL. @set may be NULL. */
const struct spg_module *spg_module_set_find(
	const struct spg_module_set *set, const char *path);

/** An empty set with one reference. NULL: out of memory. */
struct spg_module_set *spg_module_set_create(void);

/** The one at @path among @n modules sorted by path, and in *@ret_at (may be NULL)
 * where it is or would be; NULL: it is not there. */
struct spg_module *spg_module_find(
	struct spg_module *const *modules, size_t n, const char *path, size_t *ret_at);

/** True when other files are in @after than in @before, or others at the same paths. One
 * that cannot be read may be what it was. */
bool spg_module_set_differs(
	const struct spg_module_set *before, const struct spg_module_set *after);

/** Another name of a file of the set, by a link. A Windows program minds which name it
 * loads: for its modules it is never true. */
bool spg_module_set_is_link(
	const struct spg_module_set *set, const struct spg_module *module);

/** True when every file of it has been read. */
bool spg_module_set_is_whole(const struct spg_module_set *set);
