/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Uses of files told by who uses them: the service (or, without one, the user), in it
 * the process, and below that its files. What is to be stopped stands once, however
 * many files it holds.
 */
#include <jansson.h>

#include "client/output.h"

/**
 * Append @files, the elements of "files" as in the answers to who and check; borrowed.
 * Those that nobody uses come last, with their state.
 */
void spg_group_uses_tell(struct spg_output *out, const json_t *files);
