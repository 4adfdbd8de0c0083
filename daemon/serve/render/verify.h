/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What verify found as JSON. As in render.h: a new reference, NULL when memory is
 * short.
 */
#include <stdint.h>

#include <jansson.h>

#include "daemon/install/verify.h"
#include "daemon/model/install.h"

/** @unresolved: what an install has left and nothing has mended; or NULL. */
json_t *spg_render_verification(const struct spg_product *product,
	const struct spg_verification *verification,
	const struct spg_install *unresolved, int64_t took_ns);
