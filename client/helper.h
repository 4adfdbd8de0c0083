/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A program of the system that is asked something: dpkg-query, rpm, systemctl. It runs
 * without a shell, in the C locale, with nothing to read; what it prints is bounded, and
 * so is its time. Its answer is to be trusted no more than any other text from elsewhere.
 */
#include <stddef.h>
#include <stdint.h>

#include "client/error.h"
#include "common/buf.h"

#define SPG_HELPER_MISSING (-1) /* there is no such program */
#define SPG_HELPER_FAILED  (-2) /* it gave no whole answer: @why */

/**
 * Run @argv[0], found by PATH, until it ends, and kill it, and what it started in its
 * process group, when it takes longer than @limit_ns or prints more than @max_bytes.
 *
 * @ret  what it printed on standard output is appended, a '\0' as '\1'
 * @why  is filled for SPG_HELPER_FAILED
 *
 * Returns its exit code (128 and more: a signal), SPG_HELPER_MISSING, or
 * SPG_HELPER_FAILED.
 */
int spg_helper_run(char *const argv[], int64_t limit_ns, size_t max_bytes,
	struct spg_buf *ret, struct spg_complaint *why);
