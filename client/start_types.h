/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How the services of this machine are started (systemd: enabled, disabled, masked,
 * static...; on Windows: automatic, manual, disabled), to find out what a setup has
 * changed about that. Blocks; start_types.c asks systemctl(1), whose answer comes from
 * the unit files on disk and needs no running service manager.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/texts.h"

struct spg_start_type {
	char *service, *type;
};

struct spg_start_types {
	struct spg_start_type *services; /* by name */
	size_t n, size;
};

#define SPG_START_TYPES_NULL                                                           \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Read them. False: they cannot be read here, and @ret is empty. */
bool spg_start_types_read(struct spg_start_types *ret);

/** Append a sentence for each service that differs, escaped. Returns how many. */
size_t spg_start_types_compare(const struct spg_start_types *before,
	const struct spg_start_types *after, struct spg_texts *ret);

/** Idempotent. */
void spg_start_types_finish(struct spg_start_types *types);
