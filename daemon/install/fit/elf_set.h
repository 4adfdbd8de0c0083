/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: the programs and libraries of Linux in a question, loaded in mind one
 * after the other, and what each then lacks: what ldd -r would print of it. What becomes
 * of that, elf.c decides.
 */
#include "daemon/install/fit/elf_loader.h"
#include "daemon/install/fit/elf_symbols.h"
#include "daemon/install/fit/finding.h"

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

/* Objects are the question's modules, and behind them those of its surroundings. */
struct spg_elf_set {
	const struct spg_fit_question *question;
	size_t n_objects;
	size_t *by_path; /* of the question's modules */
	struct spg_elf_symbols symbols;
	struct spg_elf_world world;
	bool unseen, failed;
};

/** Returns 0 or SPG_ERR_NOMEM; finish in either case. @question is borrowed. */
int spg_elf_set_init(struct spg_elf_set *set, const struct spg_fit_question *question);

/** Idempotent; takes zeroes. */
void spg_elf_set_finish(struct spg_elf_set *set);

/** What @object is. */
struct spg_elf_object spg_elf_set_object(const struct spg_elf_set *set, size_t object);

/** The object at @path; SPG_FIT_NONE: there is none. */
size_t spg_elf_set_find(struct spg_elf_set *set, const char *path);

/**
 * Load @root, which has an ELF binary.
 *
 * @directories  where libraries are looked for besides, as if in LD_LIBRARY_PATH
 *
 * Returns 0 or SPG_ERR_NOMEM; spg_elf_loading_finish() in either case.
 */
int spg_elf_set_load(struct spg_elf_set *set, size_t root,
	const char *const *directories, size_t n_directories,
	struct spg_elf_loading *ret);

/** True when symbol @import of @object is found in what @loading has loaded. */
bool spg_elf_set_has_symbol(struct spg_elf_set *set,
	const struct spg_elf_loading *loading, size_t object, uint32_t import);

void spg_elf_loading_finish(struct spg_elf_loading *loading);
