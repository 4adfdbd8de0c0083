/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * An archive unpacked for a moment, into a directory that only this user and root can
 * read, so that the daemon reads its files. It goes when it is destroyed, and also when
 * this program is killed before: a child of it sees to that.
 */
#include <jansson.h>

#include "client/error.h"

#define SPG_UNPACKED_BYTES_MAX (UINT64_C(2) << 30) /* of all contents together */

struct spg_unpacked;

/**
 * Unpack the archive @path.
 *
 * @payload  its files as they were read for a question, each with "path" and "sha256":
 *           these are there, below spg_unpacked_root(); what was given with less, or does
 *           not fit into one tree of folders, is left out
 *
 * Blocks: reads the archive. Returns NULL with @why.
 */
struct spg_unpacked *spg_unpacked_create(
	const char *path, const json_t *payload, struct spg_complaint *why);

/** The absolute path of its folder; borrowed. */
const char *spg_unpacked_root(const struct spg_unpacked *unpacked);

/** Takes NULL. */
void spg_unpacked_destroy(struct spg_unpacked *unpacked);
