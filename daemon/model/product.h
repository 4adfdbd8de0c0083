/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A product: a named profile of directories, file patterns, and what is known
 * about them. Made by config.c; immutable and reference-counted from then on,
 * since a survey on another thread may outlive a reload. All paths absolute and
 * normalised, valid UTF-8 (config.c refuses others).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spg_product_directory {
	char *path;
	char *origin; /* "FILE:LINE" that named it, for messages */
};

/* How setup puts a new version in place. */
enum spg_replacement {
	SPG_REPLACE_ANYHOW,    /* nobody said: it may do either */
	SPG_REPLACE_IN_PLACE,  /* writes into the file that is there */
	SPG_REPLACE_BY_RENAME, /* a new file takes over the name */
	SPG_REPLACEMENTS
};

struct spg_advice {
	char *pattern; /* glob over file names */
	char *say;
};

struct spg_product {
	atomic_uint refs;
	char *name;  /* [a-z0-9_.-]+, unique */
	char *title; /* for people; the name when not given */
	bool recursive;
	bool ignore_case;
	enum spg_replacement replacement;
	/* Who installs, by name, number and groups (the primary one first); NULL: root,
	 * who may do everything. */
	char *install_as;
	uint32_t install_uid;
	uint32_t *install_gids;
	size_t n_install_gids;
	struct spg_product_directory *directories;
	size_t n_directories;
	char **patterns; /* of "files" */
	size_t n_patterns;
	char **setup_stops; /* programs and services that setup ends by itself */
	size_t n_setup_stops;
	/* Where a loader looks for libraries: that of Linux as in LD_LIBRARY_PATH, that of
	 * Windows beside the library's own folder,
	 * those of the programs and the directories: "library-path". */
	char **library_path;
	size_t n_library_path;
	char **hosts; /* programs elsewhere that load its libraries: "loaded-by" */
	size_t n_hosts;
	char **outside; /* globs of libraries that stand elsewhere: "libraries-outside" */
	size_t n_outside;
	struct spg_advice *advice;
	size_t n_advice;
};

/** Its name in the configuration: "any", "in-place", "rename". */
const char *spg_replacement_name(enum spg_replacement replacement);

/** The one with @name; -1 when there is none. */
int spg_replacement_from_name(const char *name);

/** An empty product with one reference. NULL: out of memory. */
struct spg_product *spg_product_create(const char *name);

struct spg_product *spg_product_ref(struct spg_product *product);

/** Drop a reference; the last frees. Takes NULL. */
void spg_product_unref(struct spg_product *product);

/** Append, copying the text. Only while the maker has the only reference.
 * Return 0 or SPG_ERR_NOMEM. */
int spg_product_add_directory(
	struct spg_product *product, const char *path, const char *origin);
int spg_product_add_pattern(struct spg_product *product, const char *pattern);
int spg_product_add_setup_stop(struct spg_product *product, const char *name);
int spg_product_add_library_path(struct spg_product *product, const char *path);
int spg_product_add_host(struct spg_product *product, const char *path);
int spg_product_add_outside(struct spg_product *product, const char *pattern);
int spg_product_add_advice(
	struct spg_product *product, const char *pattern, const char *say);

/** True when a file called @name (no directory) belongs to the product. */
bool spg_product_has_name(const struct spg_product *product, const char *name);

/**
 * True when @path lies in a directory of the product (deeper only if it is
 * recursive) and its name belongs to it.
 */
bool spg_product_has_path(const struct spg_product *product, const char *path);

/** As spg_product_has_path(), whatever the file is called. */
bool spg_product_covers(const struct spg_product *product, const char *path);

/** The advice for @name, or NULL. Borrowed from the product. */
const char *spg_product_advice(const struct spg_product *product, const char *name);

/**
 * True when setup ends the program by itself. @name, @exe and @service, the machine's that
 * runs it, describe the process, each may be NULL; matches the name, the last part of
 * @exe, or the whole name of the service ("x.service"), ignoring case where the product
 * does.
 */
bool spg_product_setup_stops(const struct spg_product *product, const char *name,
	const char *exe, const char *service);
