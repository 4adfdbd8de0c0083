/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: who defines which symbol of Linux, and whether a symbol that is needed
 * is found in a scope. As glibc does: a version that is needed must be the definition's,
 * unless who defines it has no versions at all, or this one has none and is not hidden;
 * who needs no version takes the first one that is defined, or the only one. Where the
 * library that should have the version has none at all, the loader ends the program.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/binary.h"

/* Definitions of one name by one library, of different versions, that are known; more
 * than any has. */
#define SPG_ELF_SAME_NAME_MAX 64

struct spg_elf_definition {
	uint32_t object, export,
		next; /* of the same name; 0: none, else its index and 1 */
};

struct spg_elf_symbols {
	size_t n_objects;
	const struct spg_binary **binaries; /* of objects; NULL: not added */
	uint32_t **imports; /* the number of the name of each; UINT32_MAX: not wanted */
	uint32_t *first;    /* by number of a name: its first definition */
	size_t n_names, names_size;
	struct spg_elf_definition *definitions;
	size_t n_definitions, definitions_size;
	void *tree;       /* tsearch(3): hostile names do not make it slow */
	uint32_t *stamps; /* of objects in the scope in hand */
	uint32_t stamp;
	uint32_t *order; /* their places in it */
	uint32_t n_in_scope;
};

/** Returns 0 or SPG_ERR_NOMEM; finish in either case. */
int spg_elf_symbols_init(struct spg_elf_symbols *symbols, size_t n_objects);

/** Idempotent; takes zeroes. */
void spg_elf_symbols_finish(struct spg_elf_symbols *symbols);

/** @object is @binary, which is borrowed; once is enough. Returns 0 or SPG_ERR_NOMEM. */
int spg_elf_symbols_add(struct spg_elf_symbols *symbols, size_t object,
	const struct spg_binary *binary);

/**
 * For few symbols of many: note that import @import of @object, which is @binary, is
 * wanted; and once all are noted, that @object has what of its exports is wanted. An object
 * that is wanted of or offered is none for spg_elf_symbols_add(). Return 0 or
 * SPG_ERR_NOMEM.
 */
int spg_elf_symbols_want(struct spg_elf_symbols *symbols, size_t object,
	const struct spg_binary *binary, uint32_t import);
int spg_elf_symbols_offer(struct spg_elf_symbols *symbols, size_t object,
	const struct spg_binary *binary);

/** Another scope, empty; then @object, which was added, is in it. */
void spg_elf_symbols_begin_scope(struct spg_elf_symbols *symbols);
void spg_elf_symbols_in_scope(struct spg_elf_symbols *symbols, size_t object);

/** True when import @import of @object is found in the scope, of which @root is the
 * program; a weak one as well. */
bool spg_elf_symbols_is_found(const struct spg_elf_symbols *symbols, size_t root,
	size_t object, uint32_t import);

/** The definitions of what import @import of @object names, in whatever scope: the first,
 * NULL: none; the next one. */
const struct spg_elf_definition *spg_elf_symbols_first(
	const struct spg_elf_symbols *symbols, size_t object, uint32_t import);
const struct spg_elf_definition *spg_elf_symbols_next(
	const struct spg_elf_symbols *symbols, const struct spg_elf_definition *of);
