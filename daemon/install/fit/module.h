/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What one installed file is, and what all of a product are. Plain data; a module is
 * immutable once it is read, and so is a set; any thread may read them.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/binary.h"
#include "common/digest.h"
#include "common/identity.h"
#include "daemon/install/fit/binding.h"

/* One file as it was read: immutable, shared between threads. */
struct spg_module {
	atomic_uint refs;
	struct spg_module *of; /* the one that this is at another path; NULL: itself */
	char *path;
	char *real; /* where links on the way lead; NULL: there are none */
	struct spg_file_id id;
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
	struct spg_binary *binary; /* NULL: neither program nor library, or damaged */
	bool was_module; /* nothing was read: the database says that it was a PE file */
	int err;         /* 0; SPG_ERR_CORRUPT: a PE file whose headers are damaged; or
	                      why it could not be read, and then there is no digest */
	char *why; /* then: in words; with a @pe: how it is damaged all the same */
	struct spg_binding *binding; /* of .NET: what is beside it; NULL: nothing */
	uint64_t companions;         /* key of that (daemon/install/companions.h) */
	char sha256[SPG_SHA256_TEXT_BYTES];
	char version[SPG_BINARY_VERSION_TEXT_BYTES]; /* "": has none */
};

struct spg_surroundings;

/* The files of a product at one time, by path in byte order. */
struct spg_module_set {
	atomic_uint refs;
	struct spg_surroundings *around; /* of its programs of Linux; NULL: not looked at */
	struct spg_module **modules;
	size_t n, size;
	size_t n_read; /* that were not known from last time */
};

struct spg_module_set *spg_module_set_ref(struct spg_module_set *set);

/** Takes NULL. */
void spg_module_set_unref(struct spg_module_set *set);

/** The file at @path, or NULL. @set may be NULL. */
const struct spg_module *spg_module_set_find(
	const struct spg_module_set *set, const char *path);

/** A new one with one reference, about nothing yet. NULL: out of memory. */
struct spg_module *spg_module_create(const char *path);

/** @of as it would be at @path, with one reference; its tables are those of @of. NULL:
 * out of memory. */
struct spg_module *spg_module_at(struct spg_module *of, const char *path);

/** True when @module is a program or a library, or was one before: no script, no data. */
static inline bool spg_module_is_loaded(const struct spg_module *module)
{
	return module->was_module ||
	       (module->binary && module->binary->format != SPG_BINARY_SCRIPT);
}

struct spg_module *spg_module_ref(struct spg_module *module);

/** Takes NULL. */
void spg_module_unref(struct spg_module *module);

/** An empty set with one reference. NULL: out of memory. */
struct spg_module_set *spg_module_set_create(void);

/** The one at @path among @n modules sorted by path, and in *@ret_at (may be NULL)
 * where it is or would be; NULL: it is not there. */
struct spg_module *spg_module_find(
	struct spg_module *const *modules, size_t n, const char *path, size_t *ret_at);

/** True when other files are in @after than in @before, or others at the same paths. One
 * that cannot be read may be what it was. */
bool spg_module_set_differs(
	const struct spg_module_set *before, const struct spg_module_set *after);

/** True when every file of it has been read. */
bool spg_module_set_is_whole(const struct spg_module_set *set);
