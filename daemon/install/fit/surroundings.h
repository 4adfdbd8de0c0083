/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the programs of a product meet outside of it when Linux loads them: libraries of
 * the system, the loader's cache of names, what is not where it was looked for. Whoever
 * reads a product's files fills it (daemon/install/elf/search.h), and from then on it is
 * immutable: any thread may ask it, and nothing is opened.
 */
#include "daemon/install/fit/module.h"

#define SPG_LEVELS_MAX          4      /* of a processor: "x86-64-v3" */
#define SPG_OUTSIDE_MODULES_MAX 20000  /* libraries that are not the product's */
#define SPG_LOOKED_AT_MAX       500000 /* paths */

/* What is at a path that was looked at. */
struct spg_place_looked_at {
	char *path;
	char *inside;   /* the product's file that it is, by another name; or NULL */
	size_t outside; /* index in modules; SPG_FIT_NONE: nothing is there, or @inside */
};

/* A line of the loader's cache (ldconfig(8)). */
struct spg_cached_library {
	const char *name, *path;
	int level; /* index in levels, of a library for newer processors; -1: for any */
};

struct spg_surroundings {
	atomic_uint refs;
	struct spg_module **modules;
	size_t n_modules, modules_size;
	struct spg_place_looked_at *places; /* by path */
	size_t n_places, places_size;
	struct spg_cached_library
		*cached; /* by name; of one those of a better level first */
	size_t n_cached;
	char *cache_text;
	const char
		*levels[SPG_LEVELS_MAX]; /* that this processor has, the best first */
	size_t n_levels;
	struct spg_binary *self; /* the daemon's own program: for which machine it is */
	bool is_partial;         /* there was more than the limits allow */
};

/** With one reference; empty. NULL: out of memory. */
struct spg_surroundings *spg_surroundings_create(void);

struct spg_surroundings *spg_surroundings_ref(struct spg_surroundings *around);

/** Takes NULL. */
void spg_surroundings_unref(struct spg_surroundings *around);

/** What is known of @path; NULL: it was not looked at. */
const struct spg_place_looked_at *spg_surroundings_find(
	const struct spg_surroundings *around, const char *path);

/** While it is filled: note what is at @path. @inside: copied, or NULL. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_surroundings_note(struct spg_surroundings *around, const char *path,
	const char *inside, size_t outside);

/** The lines of the cache called @name: the first and how many. */
const struct spg_cached_library *spg_surroundings_cached(
	const struct spg_surroundings *around, const char *name, size_t *ret_n);

/** Once ->cached is filled. */
void spg_surroundings_sort_cache(struct spg_surroundings *around);
