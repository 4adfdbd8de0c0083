/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a Windows program or library (PE32 and PE32+) says about itself: for
 * which machine it is, its version, what it imports and what it exports.
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
 * Damage is told per part: imports, delayed imports, exports, the assembly and
 * the version are read for themselves, and one that is damaged loses nothing of another.
 * The whole is a part too: a file that was cut off inside of its certificate,
 * its symbols or its debug data, a certificate or a table that is none, and a
 * section of zeros where something has to be. Windows may load such a file. No
 * checksum is compared: many tools leave a wrong one behind (all of Wine's do),
 * and Windows minds it in drivers only.
 *
 * A struct spg_pe is one block of memory, immutable, and may be read by any
 * number of threads. All its texts end in '\0'; those of symbols and modules are
 * bytes as they are in the file (not even UTF-8), the others valid UTF-8. All
 * are other people's: spg_text_escape() before they are shown.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

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

enum spg_pe_part {
	SPG_PE_WHOLE, /* no table: what a whole file would have */
	SPG_PE_IMPORTS,
	SPG_PE_DELAYED,
	SPG_PE_EXPORTS,
	SPG_PE_ASSEMBLY, /* of .NET */
	SPG_PE_VERSION,
	SPG_PE_N_PARTS,
};

/* Texts are offsets for spg_pe_text(); 0 is "none". */

struct spg_pe_module {
	uint32_t name;     /* as in the file: "KERNEL32.dll" */
	uint32_t first, n; /* its symbols in spg_pe.imports */
	bool delayed;      /* bound when it is first called */
};

struct spg_pe_import {
	uint32_t name;    /* 0: by ordinal */
	uint32_t ordinal; /* when by ordinal, 0..65535 */
};

struct spg_pe_export {
	uint32_t name;      /* 0: by ordinal only */
	uint32_t forwarder; /* "NTDLL.RtlAllocateHeap", "FOO.#12"; 0: none */
	uint32_t ordinal;   /* with the base; two names may have the same */
};

#define SPG_PE_TOKEN_BYTES 8

/* What a .NET assembly is called, or what one is called that it refers to. */
struct spg_pe_assembly {
	uint32_t name, culture; /* culture 0: neutral */
	uint16_t version[4];
	bool has_token;                    /* it has a strong name */
	bool is_retargetable;              /* the runtime may take another one for it */
	bool is_windows_runtime;           /* no assembly, but types of Windows */
	uint8_t token[SPG_PE_TOKEN_BYTES]; /* of the public key, as it is written */
};

struct spg_pe {
	bool is_pe32plus;
	bool is_dll;
	bool has_version; /* there is a fixed version info */
	uint16_t machine; /* IMAGE_FILE_MACHINE_... */
	bool is_x64_too;  /* ARM64X: for ARM64, and for x64 programs on ARM64 */

	uint16_t file_version[4]; /* of the fixed version info, 0 without one */
	uint16_t product_version[4];
	/* Of the first StringTable; of several languages US English, if there. */
	uint32_t company_name, product_name;
	uint32_t file_version_text, product_version_text, original_filename;

	uint32_t ordinal_base;
	uint32_t n_modules, n_imports, n_exports;
	const struct spg_pe_module *modules; /* imports first, then the delayed */
	const struct spg_pe_import *imports;
	const struct spg_pe_export *exports; /* by names as in the file; the others */

	bool is_managed;                 /* it has .NET metadata */
	struct spg_pe_assembly assembly; /* without a name: a module of another one */
	uint32_t n_references;
	const struct spg_pe_assembly *references;

	/* Per part: 0, also for a part that is not there; SPG_ERR_CORRUPT,
	 * SPG_ERR_LIMIT or SPG_ERR_UNSUPPORTED (an import that was bound by a
	 * linker that kept no names of it), then nothing of the part is told but
	 * what of a version could be read. */
	int status[SPG_PE_N_PARTS];
	uint32_t why[SPG_PE_N_PARTS]; /* what is damaged, in words */

	const char *text;
	size_t bytes; /* of the whole block, for who keeps many */
};

/** Takes NULL. */
void spg_pe_destroy(struct spg_pe *pe);

/** NULL for 0. */
static inline const char *spg_pe_text(const struct spg_pe *pe, uint32_t offset)
{
	return offset ? pe->text + offset : NULL;
}

/** The worst part: the first that is not 0; SPG_PE_N_PARTS when all are well. */
enum spg_pe_part spg_pe_damaged_part(const struct spg_pe *pe);

/** For messages: "import table", ...; NULL for the whole. */
const char *spg_pe_part_name(enum spg_pe_part part);

#define SPG_PE_VERSION_TEXT_BYTES 24 /* "65535.65535.65535.65535" */

/** Write "5.5.2448.0" to @ret, of SPG_PE_VERSION_TEXT_BYTES; returns it. */
const char *spg_pe_version_format(const uint16_t version[4], char *ret);

#define SPG_PE_MACHINE_BYTES 8

/** "x86", "x64", "arm64", else "0x184"; @buf of SPG_PE_MACHINE_BYTES is used for
 * the number only. */
const char *spg_pe_machine_name(uint16_t machine, char *buf);

/** Can one process load both @a and @b? The machine of a process is that of its
 * program, and every module that it loads has to be for it; ARM64X is for two. ARM64EC
 * counts as x64, which its header says. */
bool spg_pe_machines_agree(const struct spg_pe *a, const struct spg_pe *b);
