/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What fit.h is asked, and what it finds. Plain data.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/binary.h"
#include "common/kind.h"
#include "daemon/install/fit/binding.h"

struct spg_surroundings;
struct spg_module_set;

#define SPG_FIT_FINDINGS_MAX 10000 /* further ones are counted */
#define SPG_FIT_HINTS_MAX    1000  /* further ones are dropped */
#define SPG_FIT_FORWARDS_MAX 16    /* forwarders followed for one symbol */
#define SPG_FIT_NO_MODULE    SIZE_MAX

/* One file of the product. All is borrowed for the call, and path, name and
 * why as long as the result is used. */
struct spg_fit_module {
	size_t at; /* in the set that they are all of: 0, 1... in any order */
	const char *path, *name; /* valid UTF-8 */
	const char *real;        /* where links on the way lead; NULL: none */
	bool is_link; /* @real is among the modules, and what there is to say is said of it */
	const struct spg_binary *binary; /* NULL: see @err */
	int err;         /* SPG_ERR_INVALID: no PE file; SPG_ERR_CORRUPT: damaged;
	                    else: it could not be looked at */
	const char *why; /* in words, when there is no @pe; with one: it is damaged in a
	                       way that its tables do not show */
	const char *sha256;                /* 64 digits; NULL: not known */
	const struct spg_binding *binding; /* of .NET, beside it; NULL: none */
};

/* A file of the service pack. A name may come several times, in several folders: see
 * placement.h for which is meant; those with one content stand together. */
struct spg_fit_payload {
	const char *name;    /* bare */
	const char *version; /* "5.5.2650.24"; NULL: none known */
	const char *sha256;  /* NULL: not known */
	const char *path;    /* below the pack's folder; NULL: not known */
	bool foreign; /* the product does not look at files of its name, or another has one */
};

/* A finding that an install had about the file at @path. */
struct spg_fit_told {
	const char *path, *text;
};

struct spg_fit_question {
	const struct spg_fit_module *modules; /* in the product's order */
	size_t n_modules;
	bool ignore_case; /* the product's file names do, against the payload's */
	bool flat;        /* what lies below its directories is not the product's */
	/* The product's, and where else every program looks for libraries; absolute and
	 * normalised. */
	const char *const *directories, *const *library_path;
	size_t n_directories, n_library_path;
	const char *const *patterns; /* globs of the names that @modules are all of */
	size_t n_patterns;
	const char *const *outside; /* globs of libraries that stand elsewhere */
	size_t n_outside;
	const struct spg_surroundings *around; /* NULL: not looked at */
	bool is_searched; /* what it has loaded is of just these modules */
	/* Programs outside that load libraries of the product; absolute paths. */
	const char *const *hosts;
	size_t n_hosts;
	const char *const *gone; /* paths of files that were there before */
	size_t n_gone;
	const struct spg_module_set *before; /* NULL: not known */
	/* What was found while @before was known: it is still so where the same is lacking. */
	const struct spg_fit_told *told;
	size_t n_told;
	const struct spg_fit_payload *payload; /* NULL: none was given */
	size_t n_payload;
};

/* All texts are escaped (common/text.h) and owned by the result. */
struct spg_finding {
	enum spg_finding_kind kind;
	size_t module; /* index of the file it is about; SPG_FIT_NO_MODULE: see path */
	char *path;    /* of a file that is not there; else NULL */
	char *needs; /* symbol, "ordinal 12", "Exchange.Net 15.1.2507.39"; NULL: none */
	char *from;  /* module, or NULL; of a payload finding "service pack" */
	char *from_version; /* or NULL */
	bool late;          /* it matters when a symbol is first called, no sooner */
	char *text;         /* one sentence without its full stop */
	size_t of; /* a payload finding: contents that the file may be; else 0 */
	bool accepted; /* spg_resolution_apply(): an administrator says it is meant to be so */
};

/* What could not be checked, and why. */
struct spg_fit_gap {
	size_t module;
	char *text; /* escaped */
};

/* How many modules of one product of one company have which version. */
struct spg_fit_version {
	char text[SPG_BINARY_VERSION_TEXT_BYTES]; /* "": they say none */
	size_t n;
};

struct spg_fit_group {
	char *company, *product;          /* escaped; NULL: they name none */
	size_t n;                         /* modules */
	struct spg_fit_version *versions; /* oldest first */
	size_t n_versions;
};

struct spg_fit {
	struct spg_finding *findings; /* in the order of the modules */
	size_t n_findings, findings_size;
	size_t n_more; /* findings beyond the limit */
	struct spg_fit_gap *gaps;
	size_t n_gaps, gaps_size;
	/* Of a library that is not where Windows looks, but in another folder. */
	struct spg_fit_gap *hints;
	size_t n_hints, hints_size;
	struct spg_fit_group *groups;
	size_t n_groups, groups_size;
	size_t n_checked; /* modules whose entry points were looked at */
	size_t n_foreign; /* files that are no PE files */

	/* Of a payload's files that concern the product: as they are installed. A file about which nothing is
	 * known to compare is in none but @n_payload. A variant is not installed, but
	 * another file of its name may be in its place. */
	size_t n_payload, n_same, n_different, n_missing, n_variants;
	size_t n_by_name; /* installed files that may be one of several contents */
};

#define SPG_FIT_NULL                                                                   \
	{                                                                              \
		0                                                                      \
	}

/** True when both say the same of the same file, perhaps of two sets. */
bool spg_finding_equal(const struct spg_finding *a, const struct spg_finding *b);

/** True when @fit has a gap that says the same, perhaps of another set. */
bool spg_fit_has_gap(const struct spg_fit *fit, const struct spg_fit_gap *gap);

/** The module's version into @ret, of SPG_BINARY_VERSION_TEXT_BYTES; NULL: it says
 * none. */
const char *spg_fit_module_version(const struct spg_fit_module *module, char *ret);
