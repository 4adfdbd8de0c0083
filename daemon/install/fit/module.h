/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What one installed file is. Plain data, immutable once it is read: any thread may read
 * it.
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
	/* Somebody had it open, or mapped, for writing when it was read: what it is now,
	 * no time tells. */
	bool written;
	bool executable; /* by somebody (mode); false where only the database knows it */
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

/** True when a script at @path is one that is started: others only begin like one, as many
 * libraries of Python and Perl do. */
bool spg_module_is_started_script(const char *path);

/** True when @then was a program of Linux that could be started, and @now, at its path, is
 * one that nobody may execute. */
bool spg_module_has_lost_execution(
	const struct spg_module *then, const struct spg_module *now);

struct spg_module *spg_module_ref(struct spg_module *module);

/** Takes NULL. */
void spg_module_unref(struct spg_module *module);
