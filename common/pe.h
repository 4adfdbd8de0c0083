/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * How a Windows program or library (PE32 and PE32+) is read (pe_reader.h) to become a
 * struct spg_binary: where the bytes come from, and the limits.
 *
 * The format is Microsoft's "PE Format" document (Windows apps, Win32, Debug);
 * names are those of winnt.h: IMAGE_DOS_HEADER, IMAGE_FILE_HEADER,
 * IMAGE_OPTIONAL_HEADER32/64, IMAGE_SECTION_HEADER, IMAGE_IMPORT_DESCRIPTOR,
 * IMAGE_DELAYLOAD_DESCRIPTOR, IMAGE_EXPORT_DIRECTORY, IMAGE_RESOURCE_DIRECTORY;
 * VS_VERSIONINFO and VS_FIXEDFILEINFO from "Version Information" (Menus and
 * other resources) and verrsrc.h. Where the document is silent it does what the
 * Windows loader does. Of .NET: ECMA-335, partition II, 22 to 25.
 *
 * A file is hostile input: every offset is checked, nothing is mapped, time and
 * memory have the limits below, and no content makes it crash or loop. It is
 * read through a callback and a window of 256 KiB, so that the file is held
 * open by nobody longer than its reader says.
 *
 * Damage is told per part: imports, delayed imports, exports, the assembly and the
 * version are read for themselves. The whole: a file that was cut off inside of its
 * certificate, its symbols or its debug data, a certificate or a table that is none, and
 * a section of zeros where something has to be. Windows may load such a file. No
 * checksum is compared: many tools leave a wrong one behind (all of Wine's do),
 * and Windows minds it in drivers only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/binary.h"

#define SPG_PE_SECTIONS_MAX   1024         /* Windows: 96, since Vista 65535 */
#define SPG_PE_MODULES_MAX    4096         /* import descriptors, both kinds */
#define SPG_PE_IMPORTS_MAX    131072       /* imported symbols, both kinds */
#define SPG_PE_EXPORTS_MAX    65536        /* exported functions; as many names */
#define SPG_PE_SYMBOL_MAX     4096         /* bytes of a symbol or a forwarder */
#define SPG_PE_MODULE_MAX     260          /* bytes of a module's name */
#define SPG_PE_TEXT_MAX       (8U << 20)   /* bytes of all texts of one file */
#define SPG_PE_VERSION_MAX    65535        /* bytes of a version resource */
#define SPG_PE_STRING_MAX     256          /* UTF-16 units kept of CompanyName... */
#define SPG_PE_ENTRIES_MAX    4096         /* entries of one resource directory */
#define SPG_PE_SIGNED_MAX     64           /* entries of the certificate table */
#define SPG_PE_DEBUG_MAX      64           /* entries of the debug directory */
#define SPG_PE_DYNAMIC_MAX    4096         /* kinds of dynamic relocations */
#define SPG_PE_STREAMS_MAX    64           /* streams of .NET metadata */
#define SPG_PE_REFERENCES_MAX 4096         /* assemblies that one refers to */
#define SPG_PE_ASSEMBLY_MAX   1024         /* bytes of an assembly's name */
#define SPG_PE_KEY_MAX        65536        /* bytes of a public key */
#define SPG_PE_READ_MAX       (256U << 20) /* bytes read of one file */
/* Resources are followed exactly three directories deep (type, name, language),
 * so that a cycle in them has no effect. */

/* Where the bytes come from. @read fills @buf with exactly @n bytes from
 * @offset, which lie below @size, and returns 0 or a negative spg_err, for
 * instance because the file has become shorter. */
struct spg_pe_source {
	void *user;
	int (*read)(void *user, uint64_t offset, void *buf, size_t n);
	uint64_t size; /* bytes of the file */
};
