/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which libraries Linux loads with a program or a library, and in which order: the
 * dynamic loader of glibc, without loading anything (ld.so(8), and glibc's
 * elf/dl-load.c where that page is silent). Pure: what is at a path, the caller tells.
 *
 * A library that is needed is looked for, unless one of its name is loaded: in DT_RPATH of
 * who needs it and of those who loaded that (not if it has DT_RUNPATH), in the product's
 * library-path, which stands for LD_LIBRARY_PATH, in DT_RUNPATH, in ld.so.cache, in the
 * system's directories; in each first in glibc-hwcaps/ for what the processor can do. One
 * for another machine is passed over. Of a program that runs with more rights than who
 * starts it, LD_LIBRARY_PATH is none, and $ORIGIN leads to the system's directories alone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "daemon/install/fit/surroundings.h"

#define SPG_SCOPE_MAX 4096 /* libraries loaded with one program */

/* Objects are files that may be loaded, by numbers of the caller's. */
struct spg_elf_object {
	const char *path;
	const char *real;                /* where links lead; NULL: @path */
	const struct spg_binary *binary; /* NULL: no ELF file, or damaged */
	bool is_secure;                  /* a program as in surroundings.h */
};

struct spg_elf_world {
	void *user;
	/** Number of the object at @path; SPG_FIT_NONE: nothing is there, or memory is
	 * short, which the caller notes for itself. */
	size_t (*find)(void *user, const char *path);
	/** What it is; the texts live as long as the world. */
	struct spg_elf_object (*object)(void *user, size_t number);
	const struct spg_surroundings *around; /* cache and levels */
	const char *const *library_path;
	size_t n_library_path;
};

/* A library that was not found. */
struct spg_elf_missing {
	size_t at;       /* who needs it: place in the scope */
	uint32_t needed; /* index in its binary's modules */
	/* One of its name that cannot be loaded: for another machine, or no library at
	 * all; SPG_FIT_NONE: there is none. */
	size_t unfit;
};

struct spg_elf_loaded {
	size_t object;
	/* Of a library: where it was found, links not followed, which is its $ORIGIN; that of
	 * a program is where it really lies. Owned; NULL: it is not asked for. */
	char *found_at;
	size_t loader; /* place of who made it be loaded; of the first its own */
};

/* What is loaded, the root first, and in the order in which symbols are looked for. */
struct spg_elf_scope {
	struct spg_elf_loaded *loaded;
	size_t n, size;
	struct spg_elf_missing *missing;
	size_t n_missing, missing_size;
	/* Names by which they are known, sorted, with their places. */
	struct spg_elf_name {
		const char *name; /* borrowed from binaries */
		size_t at;
	} * names;
	size_t n_names, names_size;
	bool is_partial; /* more than SPG_SCOPE_MAX */
};

#define SPG_ELF_SCOPE_NULL                                                             \
	{                                                                              \
		NULL                                                                   \
	}

/** What is loaded with object @root, an ELF module. Returns 0, or SPG_ERR_NOMEM;
 * spg_elf_scope_finish() in either case. */
int spg_elf_scope_find(
	struct spg_elf_scope *ret, const struct spg_elf_world *world, size_t root);

/** The program that env(1) starts for @script: a name that it looks for in PATH, or a path;
 * borrowed. NULL: its interpreter is not env, or is told more than that. */
const char *spg_elf_script_env(const struct spg_binary *script);

/** Number of the program that runs a script: its interpreter, or what env(1) starts as
 * such, in the directories of a usual PATH. SPG_FIT_NONE: it is not there. */
size_t spg_elf_script_program(
	const struct spg_elf_world *world, const struct spg_binary *script);

/** Place of the one that is known by @name; SPG_FIT_NONE. */
size_t spg_elf_scope_named(const struct spg_elf_scope *scope, const char *name);

/** Idempotent; takes SPG_ELF_SCOPE_NULL. */
void spg_elf_scope_finish(struct spg_elf_scope *scope);
