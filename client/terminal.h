/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The terminal that the client writes to: a file for each system in client/linux,
 * client/windows. Single-threaded.
 */
#include <stdbool.h>

/** Columns, and lines into *ret_lines where that is not NULL, of the terminal behind
 * descriptor @fd; 0: it is none, or does not say. */
unsigned spg_terminal_size(int fd, unsigned *ret_lines);

/** Prepare standard output and standard error for UTF-8. True when what is read there can
 * show more than ASCII. */
bool spg_terminal_begin(void);

/** True when colours, as ECMA-48 has them, mean something to the terminal. */
bool spg_terminal_has_colors(void);
