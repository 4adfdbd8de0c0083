/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Reads a program or a library of Linux (ELF, 32 and 64 bits, both byte orders), as the
 * dynamic loader does: by the program headers and what the dynamic section leads to, never
 * by sections, which a stripped file need not have. See binary.h for what comes of it.
 *
 * The format is that of elf(5), the System V ABI and its supplements; versions of symbols
 * are those of "ELF Symbol Versioning" (LSB), hash tables and what is undefined as glibc
 * takes them (elf/dl-lookup.c, elf/dl-version.c). What the loader looks for is told by the
 * relocations: a symbol that none of them names is never looked for.
 *
 * A file is hostile input: every table lies inside of it, nothing is mapped, and time and
 * memory have the limits below. Any thread; blocks as pread(2) does.
 */
#include "common/binary.h"
#include "common/buf.h"

#define SPG_ELF_SEGMENTS_MAX 512
#define SPG_ELF_NEEDED_MAX   4096
#define SPG_ELF_SYMBOLS_MAX  (1U << 20)
#define SPG_ELF_STRINGS_MAX  (64U << 20)  /* bytes of the string table */
#define SPG_ELF_VERSIONS_MAX 32767        /* an index has 15 bits */
#define SPG_ELF_TABLE_MAX    (128U << 20) /* bytes of any other table */
#define SPG_ELF_RECORDS_MAX  (4U << 20)   /* bytes of records about versions */
#define SPG_ELF_BUILD_ID_MAX 64           /* bytes */
#define SPG_ELF_PATH_MAX     4096         /* bytes of an interpreter */

/**
 * Read what is open at @fd, which stays open; its position does not matter.
 *
 * @ret    on success the caller's, for spg_binary_destroy()
 * @error  on failure: what is wrong, in words without the file's name
 *
 * A program without a dynamic section is one that needs nothing. Returns 0, and in
 * @ret->status whether it was cut off; SPG_ERR_INVALID when this is neither ELF program
 * nor library (an object file, a core, an archive, text); SPG_ERR_CORRUPT; SPG_ERR_LIMIT;
 * SPG_ERR_IO; SPG_ERR_NOMEM.
 */
int spg_elf_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error);

/**
 * As spg_elf_read_fd(), a script that begins with "#!" (execve(2)): its interpreter.
 * SPG_ERR_INVALID when it is none.
 */
int spg_script_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error);
