/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The child that the self-test starts: this program again, which holds scratch files in each
 * way until it is let go, or whoever started it has ended.
 */
#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#define SPG_HELPER_ARGUMENT L"--watch-helper"

/* The files in the scratch directory, and how the child has them. */
#define SPG_HELD_SHARED     L"shared" /* open, shares everything */
#define SPG_HELD_ALONE      L"alone"  /* open, shares nothing */
#define SPG_HELD_LOCKED     L"locked" /* open for reading, a range locked */
#define SPG_HELD_MAPPED     L"mapped" /* a view of data, its handle closed */
#define SPG_HELD_IMAGE      L"image"  /* a view as of a library, its handle closed */
#define SPG_HELD_FREE       L"free"   /* not at all */

#define SPG_HELD_LOCK_START 100
#define SPG_HELD_LOCK_END   199

struct spg_win_helper {
	void *process;
	void *go; /* the child ends when this is closed */
	int32_t pid;
};

/** Start it on the files in @dir, and wait until it has them: at most ten seconds. Returns 0
 * or SPG_ERR_IO, with GetLastError(); spg_win_helper_end() either way. */
int spg_win_helper_start(const wchar_t *dir, struct spg_win_helper *ret);

/** Let it go, and wait for its end. Idempotent; takes one that is all zero. */
void spg_win_helper_end(struct spg_win_helper *helper);
