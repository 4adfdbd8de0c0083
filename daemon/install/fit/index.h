/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: modules by name and exports by name and ordinal, as sorted
 * arrays: hostile names cannot make them slow, as they could a hash table.
 */
#include "common/pe.h"
#include "daemon/install/fit/loader.h"
#include "daemon/install/fit/namesakes.h"

/* The exports of one module; made when they are first asked for. */
struct spg_fit_exports {
	bool made;
	uint32_t *by_name; /* indices of exports with a name */
	size_t n_named;
	uint32_t *by_ordinal; /* indices of all */
};

struct spg_fit_index {
	const struct spg_fit_question *question;
	struct spg_fit_namesakes modules;
	struct spg_fit_exports *exports; /* one for each module */
	struct spg_fit_loader loader;
};

/* What is imported. */
struct spg_fit_symbol {
	struct spg_fit_text name; /* text NULL: by ordinal */
	uint32_t ordinal;
};

/** Returns 0 or SPG_ERR_NOMEM; finish in either case. */
int spg_fit_index_init(
	struct spg_fit_index *index, const struct spg_fit_question *question);
void spg_fit_index_finish(struct spg_fit_index *index);

struct spg_fit_target {
	size_t module;    /* SPG_FIT_NONE: none is where Windows looks */
	size_t elsewhere; /* then: one in another folder, for that machine; or _NONE */
	bool several;     /* there are more files of that name */
};

#define SPG_FIT_NAME_BYTES (SPG_PE_SYMBOL_MAX + sizeof(".dll"))

/** The name of the file that is meant by @name: ".dll" is added when it has no dot. @buf
 * is of SPG_FIT_NAME_BYTES. Names longer than SPG_PE_SYMBOL_MAX are cut. */
const char *spg_fit_library_name(struct spg_fit_text name, char *buf);

/** The file that @importer means by the module's name @name. */
struct spg_fit_target spg_fit_index_module(
	struct spg_fit_index *index, size_t importer, struct spg_fit_text name);

/** Index of the export of @module, which has been read. SPG_FIT_NONE in *@ret:
 * it does not export that. Returns 0 or SPG_ERR_NOMEM. */
int spg_fit_index_export(struct spg_fit_index *index, size_t module,
	const struct spg_fit_symbol *symbol, size_t *ret);
