/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Installs, steps aside and what verify finds as JSON. As in render.h: new
 * references, NULL when memory is short.
 */
#include <stdbool.h>

#include <jansson.h>

#include "daemon/model/install.h"
#include "daemon/model/sidestep.h"

/** @whole: with its files and findings. */
json_t *spg_render_install(const struct spg_install *install, bool whole);

json_t *spg_render_sidestep(const struct spg_sidestep *sidestep);
