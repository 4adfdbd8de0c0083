/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Names of the libraries that Windows itself has, of windows_libraries.txt; made by
 * embed_names.py. Constants.
 */
#include <stddef.h>

extern const char *const spg_windows_libraries[]; /* lower case, sorted */
extern const size_t spg_n_windows_libraries;
