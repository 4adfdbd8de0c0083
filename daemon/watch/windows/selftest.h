/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Does each means of looking find what a child holds? Some answer with success and nothing
 * behind it: what does not find the child is dropped. At start, on the loop thread; takes a
 * second or two.
 */
#include <stddef.h>

#include "daemon/watch/watch.h"
#include "daemon/watch/windows/tools.h"

#define SPG_WIN_ROWS 10

/**
 * Try all of them with scratch files in @scratch_dir.
 *
 * @tools  ->proofs are filled in
 * @rows   SPG_WIN_ROWS of them
 *
 * Returns how many rows are filled in.
 */
size_t spg_win_selftest_run(struct spg_win_tools *tools, const char *scratch_dir,
	struct spg_mechanism *rows);
