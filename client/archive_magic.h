/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a file is by its first bytes: what its name says nobody has to believe.
 */
#include <stdbool.h>
#include <stddef.h>

#define SPG_ARCHIVE_MAGIC_BYTES 32774 /* that tell all of them apart */

enum spg_archive_magic {
	SPG_MAGIC_OTHER,     /* libarchive may know it all the same */
	SPG_MAGIC_ARCHIVE,   /* libarchive tells which */
	SPG_MAGIC_PACKAGE,   /* .deb, .rpm, .cab: read in another archive as well */
	SPG_MAGIC_INSTALLER, /* .msi, .msp; and other documents of that kind */
	SPG_MAGIC_PROGRAM,   /* of Windows: may have an archive inside */
};

/** What the @n bytes at the beginning of a file say. */
enum spg_archive_magic spg_archive_magic_of(const char *bytes, size_t n);

/** True when the @n bytes at its beginning are those of a program or a library. */
bool spg_archive_is_program(const char *bytes, size_t n);

/** True when a file called @name is one: "libx.so.1", "x.jar". */
bool spg_archive_is_program_name(const char *name);
