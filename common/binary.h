/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a program or a library says about itself, whatever its format: for which machine
 * it is, what it needs of others and what it offers them. pe_reader.h fills it for
 * Windows, daemon/install/elf/elf.h for Linux; who judges reads this alone.
 *
 * Damage is told per part, and one that is damaged loses nothing of another. The whole
 * is a part too: a file that was cut off where no table is.
 *
 * A struct spg_binary is one block of memory, immutable, and may be read by any
 * number of threads. All its texts end in '\0'; those of symbols and modules are
 * bytes as they are in the file (not even UTF-8), the others valid UTF-8. All
 * are other people's: spg_text_escape() before they are shown.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spg_binary_format {
	SPG_BINARY_PE,
	SPG_BINARY_ELF,
	SPG_BINARY_SCRIPT, /* "#!": it has an interpreter, and nothing else is told */
};

enum spg_binary_part {
	SPG_BINARY_WHOLE, /* no table: what a whole file would have */
	SPG_BINARY_IMPORTS,
	SPG_BINARY_DELAYED,
	SPG_BINARY_EXPORTS,
	SPG_BINARY_ASSEMBLY, /* of .NET */
	SPG_BINARY_VERSION,
	SPG_BINARY_N_PARTS,
};

/* Texts are offsets for spg_binary_text(); 0 is "none". */

/* A library that it needs, by name. */
struct spg_binary_module {
	uint32_t name; /* as in the file: "KERNEL32.dll", "libc.so.6" */
	/* PE: its symbols in spg_binary.imports. ELF: a symbol is of no library. */
	uint32_t first, n;
	bool delayed;  /* bound when it is first called */
	bool optional; /* ELF: a library that may be nowhere (DT_AUXILIARY) */
};

/* A version of symbols that has to be there; ELF. */
struct spg_binary_version {
	uint32_t name;   /* "GLIBC_2.34" */
	uint32_t module; /* whose: "libc.so.6", as a text */
	bool weak;       /* the program runs without it */
	bool hidden;     /* a symbol without any version is none of it */
};

struct spg_binary_import {
	uint32_t name;    /* 0: by ordinal */
	uint32_t ordinal; /* PE, when by ordinal, 0..65535 */
	uint32_t version; /* ELF: index in spg_binary.versions, and 1; 0: none */
	bool weak;        /* it may be nowhere */
	bool late;        /* looked for when it is first called */
	bool by_address;  /* ELF: an undefined symbol that has an address will do */
	bool copied;      /* ELF: it must be in another module */
};

struct spg_binary_export {
	uint32_t name;      /* 0: by ordinal only */
	uint32_t forwarder; /* "NTDLL.RtlAllocateHeap", "FOO.#12"; 0: none */
	uint32_t ordinal;   /* PE: with the base; two names may have the same */
	uint32_t version;   /* ELF: text; 0: none, or that of the library itself */
	bool hidden;        /* ELF: only for who names its version */
	bool first_version; /* ELF: for who names none, as if it had none */
	bool undefined;     /* ELF: it has an address, and no content */
};

#define SPG_BINARY_TOKEN_BYTES 8

/* What a .NET assembly is called, or what one is called that it refers to. */
struct spg_binary_assembly {
	uint32_t name, culture; /* culture 0: neutral */
	uint16_t version[4];
	bool has_token;          /* it has a strong name */
	bool is_retargetable;    /* the runtime may take another one for it */
	bool is_windows_runtime; /* no assembly, but types of Windows */
	uint8_t token[SPG_BINARY_TOKEN_BYTES]; /* of the public key, as it is written */
};

struct spg_binary {
	enum spg_binary_format format;
	bool is_pe32plus;
	bool is_dll;      /* a library: of Windows or of any other system */
	bool has_version; /* there is a fixed version info */
	uint16_t machine; /* PE: IMAGE_FILE_MACHINE_..., ELF: EM_... (elf.h) */
	bool is_x64_too;  /* ARM64X: for ARM64, and for x64 programs on ARM64 */

	uint16_t file_version[4]; /* of the fixed version info, 0 without one */
	uint16_t product_version[4];
	/* Of the first StringTable; of several languages US English, if there. */
	uint32_t company_name, product_name;
	uint32_t file_version_text, product_version_text, original_filename;

	uint32_t ordinal_base;
	uint32_t n_modules, n_imports, n_exports;
	const struct spg_binary_module *modules; /* imports first, then the delayed */
	const struct spg_binary_import *imports;
	const struct spg_binary_export
		*exports; /* by names as in the file; the others */

	bool is_managed; /* it has .NET metadata */
	struct spg_binary_assembly
		assembly; /* without a name: a module of another one */
	uint32_t n_references;
	const struct spg_binary_assembly *references;

	/* ELF: the header, and what the dynamic section says (ld.so(8), elf(5)). */
	bool is_64_bit, is_big_endian;
	bool binds_now;          /* nothing is late */
	bool has_no_default;     /* DF_1_NODEFLIB: not where all look */
	bool has_versions;       /* its symbols have versions */
	uint32_t soname;         /* 0: none */
	uint32_t rpath, runpath; /* lists of directories, with their "$ORIGIN" */
	uint32_t build_id;       /* hexadecimal digits */
	uint32_t argument;       /* of a script, the interpreter's first; 0: none */
	uint32_t interpreter;    /* also of a script; 0: none */
	uint32_t n_versions;     /* needed */
	const struct spg_binary_version *versions;
	uint32_t n_defined; /* versions that it defines, as texts */
	const uint32_t *defined;

	/* Per part: 0, also for a part that is not there; SPG_ERR_CORRUPT,
	 * SPG_ERR_LIMIT or SPG_ERR_UNSUPPORTED (an import that was bound by a
	 * linker that kept no names of it), then nothing of the part is told but
	 * what of a version could be read. */
	int status[SPG_BINARY_N_PARTS];
	uint32_t why[SPG_BINARY_N_PARTS]; /* what is damaged, in words */

	const char *text;
	size_t bytes; /* of the whole block, for who keeps many */
};

/** Takes NULL. */
void spg_binary_destroy(struct spg_binary *binary);

/** NULL for 0. */
static inline const char *spg_binary_text(
	const struct spg_binary *binary, uint32_t offset)
{
	return offset ? binary->text + offset : NULL;
}

/** The worst part: the first that is not 0; SPG_BINARY_N_PARTS when all are well. */
enum spg_binary_part spg_binary_damaged_part(const struct spg_binary *binary);

/** For messages: "import table", ...; NULL for the whole. */
const char *spg_binary_part_name(enum spg_binary_part part);

#define SPG_BINARY_VERSION_TEXT_BYTES 24 /* "65535.65535.65535.65535" */

/** Write "5.5.2448.0" to @ret, of SPG_BINARY_VERSION_TEXT_BYTES; returns it. */
const char *spg_binary_version_format(const uint16_t version[4], char *ret);

#define SPG_BINARY_MACHINE_BYTES 16

/** Write "x86", "x64", "arm64", "riscv64", else "0x184" to @buf, of
 * SPG_BINARY_MACHINE_BYTES; returns it. */
const char *spg_binary_machine_name(const struct spg_binary *binary, char *buf);

/** Can one process load both @a and @b? The machine of a process is that of its
 * program, and every module that it loads has to be for it; ARM64X is for two. ARM64EC
 * counts as x64, which its header says. */
bool spg_binary_machines_agree(const struct spg_binary *a, const struct spg_binary *b);
