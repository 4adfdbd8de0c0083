/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where a package's files go on this machine: its paths may lead over links.
 */
#include "common/payload.h"

/**
 * Replace each absolute path of @payload by the one that its folder really has: links are
 * followed as far as the folder exists. Reads directories, blocks. Returns 0 or
 * SPG_ERR_NOMEM.
 */
int spg_archive_resolve_places(struct spg_payload *payload);
