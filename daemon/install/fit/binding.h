/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the configuration beside a .NET program says about where its assemblies are and
 * which version is meant: <runtime>, <assemblyBinding> of NAME.exe.config or web.config
 * (Microsoft: "Runtime settings schema"). Plain data; any thread.
 *
 * The file is other people's XML: it is parsed by expat, may have no document type (no
 * entities), and has the limits below. What exceeds them, or is no XML, makes the whole
 * partial: then nobody can say which version is meant.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/binary.h"

#define SPG_BINDING_BYTES_MAX     (1U << 20) /* of one file */
#define SPG_BINDING_REDIRECTS_MAX 4096
#define SPG_BINDING_EQUAL_MAX     64 /* redirects of one name */
#define SPG_BINDING_PATHS_MAX     64
#define SPG_BINDING_NAME_MAX      1024 /* bytes */

/* References to versions of @name from @low to @high mean @to. */
struct spg_binding_redirect {
	char *name;
	bool has_token;
	uint8_t token[SPG_BINARY_TOKEN_BYTES];
	uint16_t low[4], high[4], to[4];
	bool elsewhere; /* <codeBase>: a file that is named there, of any version */
};

struct spg_binding {
	struct spg_binding_redirect *redirects; /* by name */
	size_t n_redirects, redirects_size;
	char **paths; /* <probing privatePath>: below the program's folder, with '/' */
	size_t n_paths, paths_size;
	bool is_core;    /* for .NET Core: NAME.runtimeconfig.json or NAME.deps.json */
	bool is_partial; /* what is there could not be read wholly */
};

#define SPG_BINDING_NULL                                                               \
	{                                                                              \
		0                                                                      \
	}

/**
 * Add what the @n bytes of a configuration say. What cannot be understood makes @binding
 * partial. Returns 0 or SPG_ERR_NOMEM; finish in either case.
 */
int spg_binding_add(struct spg_binding *binding, const char *bytes, size_t n);

/** Idempotent. */
void spg_binding_finish(struct spg_binding *binding);

/** True when it says nothing that matters for a version. */
bool spg_binding_is_empty(const struct spg_binding *binding);

/** Memory that it takes, about. */
size_t spg_binding_bytes(const struct spg_binding *binding);

/** As numbers: < 0, 0, > 0. */
int spg_binding_compare_versions(const uint16_t a[4], const uint16_t b[4]);

/** Where the reference to @name with @token (NULL: no strong name) and @version leads.
 * NULL: no redirect is about it. */
const struct spg_binding_redirect *spg_binding_find(const struct spg_binding *binding,
	const char *name, const uint8_t *token, const uint16_t version[4]);
