/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the programs of a product meet outside of it when Linux loads them: libraries of
 * the system, the loader's cache of names, what is not where it was looked for. Whoever
 * reads a product's files fills it (daemon/install/elf/search.h), and from then on it is
 * immutable: any thread may ask it, and nothing is opened. What each program lacks is
 * found out then as well, in steps: who judges finds it here.
 */
#include "daemon/install/fit/module.h"

#define SPG_LEVELS_MAX          4     /* of a processor: "x86-64-v3" */
#define SPG_OUTSIDE_MODULES_MAX 20000 /* libraries that are not the product's */
#define SPG_LOOKED_AT_MAX       50000 /* paths */

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
	unsigned order; /* in the cache: the first of a name is taken */
};

enum spg_elf_lack_kind {
	SPG_ELF_NO_LIBRARY, /* index: in the binary's modules */
	SPG_ELF_NO_VERSION, /* in its versions */
	SPG_ELF_NO_SYMBOL,  /* in its imports */
};

struct spg_elf_lack {
	enum spg_elf_lack_kind kind;
	size_t object; /* who needs it */
	uint32_t index;
	/* Of a library: one of its name that cannot be loaded. Of a version: the library
	 * that should define it. SPG_FIT_NONE. */
	size_t other;
};

/* A program or a library, loaded. */
struct spg_elf_loading {
	size_t *objects; /* the root first */
	size_t n;
	struct spg_elf_lack *lacks; /* libraries first, then versions, then symbols */
	size_t n_lacks, lacks_size;
	bool is_unseen; /* a path was not looked at, or there was more than the limits */
};

#define SPG_ELF_LOADING_NULL                                                           \
	{                                                                              \
		NULL                                                                   \
	}

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
	/* What was loaded with each module of the set whose surroundings these are; an object
	 * is a module of the set by its index, or behind them one of ->modules. NULL: not
	 * tried; of a module that is none of Linux, or another name of one, empty. */
	struct spg_elf_loading *loadings;
	size_t n_loadings;
	/* Per module of the set: a program that runs with more rights than who starts it
	 * (AT_SECURE of getauxval(3)). NULL: not looked at. */
	bool *secure;
	size_t n_secure;
	bool is_partial; /* there was more than the limits allow */
};

/** Idempotent; takes SPG_ELF_LOADING_NULL. */
void spg_elf_loading_finish(struct spg_elf_loading *loading);

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
