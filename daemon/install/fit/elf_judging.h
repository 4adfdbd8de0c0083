/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of elf.c: what its parts share while the programs and libraries of a product are
 * judged.
 */
#include "daemon/install/fit/elf_set.h"
#include "daemon/install/fit/parts.h"

#define SPG_ELF_ASSUMED_MAX                                                            \
	16 /* folders in which libraries are taken to be looked for */

/* A program or a library in hand. */
struct spg_elf_root {
	size_t object;
	size_t host; /* the first program that would load it; SPG_FIT_NONE */
	struct spg_elf_loading loading;
	const char **directories; /* the library-path, and folders that are assumed */
	size_t n_directories;
	char *assumed[SPG_ELF_ASSUMED_MAX];
	size_t n_assumed;
	bool lacks_library, is_unseen;
	bool hosted; /* ->loading is that of its host, and it */
	/* Per object of the loading: what it lacks no library outside defines. NULL: not
	 * all that is missing is known to stand outside. */
	bool *is_own;
};

struct spg_elf_judging {
	struct spg_fit_work *work;
	const struct spg_fit_question *question;
	struct spg_elf_set set;
	bool *covered;       /* objects that were loaded with one that was judged */
	uint8_t **told;      /* per object: lacks that have been told */
	bool *hinted;        /* per module: it stands where the loader does not look */
	const char **former; /* names that the product defined before, sorted */
	size_t n_former;
};

/** True for a program or library of Linux that is no other name of one. */
bool spg_elf_is_module(const struct spg_elf_judging *j, size_t module);

/** Borrowed. */
const struct spg_binary *spg_elf_binary_of(
	const struct spg_elf_judging *j, size_t object);

/** What is loaded with @object, and what it lacks. Returns 0 or SPG_ERR_NOMEM;
 * spg_elf_root_finish() in either case. */
int spg_elf_root_load(
	struct spg_elf_judging *j, size_t object, struct spg_elf_root *ret);

/** Idempotent. */
void spg_elf_root_finish(struct spg_elf_root *root);

/** False: another lack says it. */
bool spg_elf_is_to_tell(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack);

/** Add the finding, unless it was told of that object. Returns 0 or SPG_ERR_NOMEM. */
int spg_elf_tell(struct spg_elf_judging *j, const struct spg_elf_root *root,
	const struct spg_elf_lack *lack);

/** All that is loaded with @root is judged with it. */
void spg_elf_cover(struct spg_elf_judging *j, const struct spg_elf_root *root);

/** True for what another system's loader or machine is needed: nobody runs it here. */
bool spg_elf_is_of_elsewhere(
	const struct spg_elf_judging *j, const struct spg_elf_root *root);

void spg_elf_count_as_foreign(struct spg_elf_judging *j);

/** elf_excused.c: learn what the product defined before; of @root, which is loaded, who does
 * without the libraries outside. Return 0 or SPG_ERR_NOMEM. */
int spg_elf_know_former(struct spg_elf_judging *j);
int spg_elf_excuse(struct spg_elf_judging *j, struct spg_elf_root *root);

/** True for a symbol, of no version, that the product defined before; or has to define,
 * since who needs it does without the libraries outside. */
bool spg_elf_was_own_symbol(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack);
bool spg_elf_is_own_symbol(const struct spg_elf_judging *j,
	const struct spg_elf_root *root, const struct spg_elf_lack *lack);

/** True when @loading has a lack as @lack. */
bool spg_elf_has_lack(
	const struct spg_elf_loading *loading, const struct spg_elf_lack *lack);

/** elf_hosted.c: tell what @plugin lacks only where its host has loaded another library
 * of a name that it needs. @ret: it and its host together; empty: the host has none such,
 * or nothing is known of it. Returns 0 or SPG_ERR_NOMEM; spg_elf_loading_finish() in either
 * case. */
int spg_elf_judge_hosted(struct spg_elf_judging *j, const struct spg_elf_root *plugin,
	struct spg_elf_loading *ret);

/** elf_plugins.c: judge a library that no program of the product needs. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_elf_judge_plugin(struct spg_elf_judging *j, size_t object);
