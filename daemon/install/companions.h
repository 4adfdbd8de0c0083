/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The files beside a .NET module that say which assemblies it takes: NAME.exe.config,
 * for libraries also web.config in its folder and the one above (web applications have
 * theirs in bin/); whether NAME.runtimeconfig.json or NAME.deps.json is there. They need
 * not be files of the product. Worker thread: all of this blocks.
 */
#include <stdint.h>

#include "daemon/install/fit/binding.h"

/** A number that is another one when one of the files beside @path was changed, came or
 * went. */
uint64_t spg_companions_key(const char *path);

/**
 * Read what is beside the module at @path.
 *
 * @ret  the caller's, for spg_companions_destroy(); NULL: nothing that matters
 *
 * What cannot be read makes it partial. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_companions_read(const char *path, struct spg_binding **ret);

/** Takes NULL. */
void spg_companions_destroy(struct spg_binding *binding);
