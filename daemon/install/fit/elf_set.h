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

/* Objects are the question's modules, and behind them those of its surroundings. */
struct spg_elf_set {
	const struct spg_fit_question *question;
	size_t n_objects;
	size_t *by_path; /* of the question's modules */
	size_t *of_set;  /* the question's module that the n-th of the set is */
	struct spg_elf_symbols symbols;
	struct spg_elf_symbols plugins; /* what they lack, and who defines that */
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

/** True when @root was loaded while the surroundings were looked at, and then as
 * spg_elf_set_load(). *@err: 0 or SPG_ERR_NOMEM. */
bool spg_elf_set_recall(const struct spg_elf_set *set, size_t root,
	struct spg_elf_loading *ret, int *err);

/** Note the symbols that @loading lacks, those of each plugin; and then who of all objects
 * defines which. Return 0 or SPG_ERR_NOMEM. */
int spg_elf_set_want(struct spg_elf_set *set, const struct spg_elf_loading *loading);
int spg_elf_set_find_definitions(struct spg_elf_set *set);

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

/** What @plugin lacks in the process that has loaded @host, which keeps its own library of
 * a name. Empty when it has none that @plugin would have found elsewhere. As
 * spg_elf_set_load(). */
int spg_elf_set_load_into(struct spg_elf_set *set, const struct spg_elf_loading *host,
	const struct spg_elf_loading *plugin, struct spg_elf_loading *ret);

/** True when symbol @import of @object, which was wanted, is found in what @loading has
 * loaded. */
bool spg_elf_set_has_symbol(struct spg_elf_set *set,
	const struct spg_elf_loading *loading, size_t object, uint32_t import);
