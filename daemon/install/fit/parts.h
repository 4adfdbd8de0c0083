/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: what its parts share while a question is answered.
 */
#include "daemon/install/fit/index.h"

#include "common/buf.h"
#include "daemon/install/fit/placement.h"

struct spg_fit_work {
	const struct spg_fit_question *question;
	struct spg_fit *fit;
	struct spg_fit_index index;
	size_t *payload; /* its indices by name, as spg_fit_payload_find() wants */
	struct spg_placement placement; /* of the payload */
	struct spg_fit_namesakes gone;  /* question->gone */
	bool *blamed; /* per module: a finding says that it is damaged */
};

/* A library that is not where Windows looks for it. */
struct spg_fit_missing {
	size_t importer;
	const char *name; /* with its ".dll" */
	bool delayed;
	size_t elsewhere; /* a file of that name in another folder; SPG_FIT_NONE */
};

/**
 * Add a finding about @module.
 *
 * @needs, @from, @from_version  copied, escaped; may be NULL
 * @text                         taken over; its `failed` gives SPG_ERR_NOMEM
 */
int spg_fit_add(struct spg_fit_work *work, enum spg_finding_kind kind, size_t module,
	const char *needs, const char *from, const char *from_version,
	struct spg_buf *text);

/** Add what could not be checked of @module; @text as above. */
int spg_fit_add_gap(struct spg_fit_work *work, size_t module, struct spg_buf *text);
/** The same, about @module and the payload: it may be one of @of contents, the first of
 * which has @version (may be NULL). */
int spg_fit_add_payload(struct spg_fit_work *work, enum spg_finding_kind kind,
	size_t module, size_t of, const char *version, struct spg_buf *text);

/** The same, about a file of the payload that is not there; takes over @path, NULL:
 * out of memory. */
int spg_fit_add_absent(struct spg_fit_work *work, char *path, const char *version,
	struct spg_buf *text);

/** Append "mdbperf.dll 5.5.2448.0", with "in DIRECTORY" when @with_directory. */
void spg_fit_put_module(
	struct spg_buf *out, const struct spg_fit_module *module, bool with_directory);

/** True when an install had the finding that is @text about the file at @path. */
bool spg_fit_was_told(
	const struct spg_fit_question *question, const char *path, const char *text);

/** What all modules import, and their damage. */
int spg_fit_entry_points(struct spg_fit_work *work);

/** What programs and libraries of Linux lack when they are loaded. */
int spg_fit_elf(struct spg_fit_work *work);

/** What .NET assemblies refer to. */
int spg_fit_assemblies(struct spg_fit_work *work);

/** Make work->payload; its files against those installed. */
int spg_fit_sort_payload(struct spg_fit_work *work);
int spg_fit_against_payload(struct spg_fit_work *work);

/** The first of the payload's files that are called @name, SPG_FIT_NONE without
 * one, as place in work->payload. */
size_t spg_fit_payload_find(
	const struct spg_fit_work *work, struct spg_fit_text name, bool fold);

/** Sum up the versions. */
int spg_fit_group(struct spg_fit_work *work);

/** Make work->gone. Returns 0 or SPG_ERR_NOMEM. */
int spg_fit_sort_gone(struct spg_fit_work *work);

/** Tell, hint or be silent. Returns 0 or SPG_ERR_NOMEM. */
int spg_fit_library_missing(
	struct spg_fit_work *work, const struct spg_fit_missing *missing);

/** Tell that the library @name of Linux that @importer needs is nowhere, or was at the path
 * @gone (NULL: not known). Returns 0 or SPG_ERR_NOMEM. */
int spg_fit_elf_library_missing(
	struct spg_fit_work *work, size_t importer, const char *name, const char *gone);

/** Add a hint about @module; @text as above, and it may be dropped. */
int spg_fit_add_hint(struct spg_fit_work *work, size_t module, struct spg_buf *text);

/** The assembly @name of .NET that @importer refers to is not here: tell it if a file that
 * is called like it was there before. Returns 0 or SPG_ERR_NOMEM. */
int spg_fit_assembly_missing(
	struct spg_fit_work *work, size_t importer, const char *name);
