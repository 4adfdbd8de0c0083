/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What stands under the name of a Windows module and is no PE file: is it meant,
 * or was a module lost there? Any thread.
 */
#include "common/buf.h"
#include "common/pe.h"

#define SPG_PE_HEAD_BYTES 512 /* bytes of its beginning that are looked at */

/**
 * Judge a file that spg_pe_read() calls no PE file.
 *
 * @name   its name, bare; by its ending it is a module or not
 * @error  on SPG_ERR_CORRUPT: what it is instead, in words: "it is empty"
 *
 * Returns SPG_ERR_CORRUPT when a module should be there: the file is empty, begins
 * with zeros, is a web page, a text, a compressed module or anything unknown.
 * SPG_ERR_INVALID when it may be meant: the name is no module's, a program for DOS
 * or 16-bit Windows, for Linux or macOS, or a script. Texts are let be under endings
 * that others use for texts (.scr, .tsp, ...), and so is config.sys. Or what
 * @source->read returned.
 */
int spg_pe_judge_other(
	const struct spg_pe_source *source, const char *name, struct spg_buf *error);
