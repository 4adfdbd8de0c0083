/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which file is mapped at an address. Thread-safe.
 *
 * GetMappedFileName() is of no use: it knows names of 260 characters at most, and says of a
 * longer one what it says of memory that no file backs.
 */
#include <wchar.h>

#include <windows.h>

/* Positive: no file backs the memory there. */
#define SPG_WIN_NO_FILE 1

/**
 * The name of the file that @process has mapped at @at, as the system has it
 * ("\Device\HarddiskVolume3\dir\name"). @process needs PROCESS_QUERY_INFORMATION.
 *
 * @ret  for free(); untouched unless 0 is returned
 *
 * Returns 0, SPG_WIN_NO_FILE, SPG_ERR_NOMEM, or SPG_ERR_IO: the system does not say.
 */
int spg_win_mapped_name(HANDLE process, const void *at, wchar_t **ret);
