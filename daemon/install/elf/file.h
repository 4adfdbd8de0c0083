/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of the ELF reader (elf.h): a file that is being read.
 *
 * Every function that returns int gives 0, or SPG_ERR_CORRUPT, SPG_ERR_LIMIT or SPG_ERR_IO
 * with the reason in @file->error, or SPG_ERR_NOMEM.
 */
#include <gelf.h>

#include "daemon/install/elf/elf.h"

struct spg_elf_segment {
	uint64_t address, offset, bytes; /* those in the file */
};

/* What the dynamic section says; addresses, and 0: not there. */
struct spg_elf_dynamic {
	uint64_t strings, strings_bytes;
	uint64_t symbols, hash, gnu_hash;
	uint64_t versions, needed_versions,
		defined_versions; /* DT_VERSYM, VERNEED, VERDEF */
	uint64_t n_needed_versions, n_defined_versions;
	uint64_t rela, rela_bytes;
	uint64_t rel, rel_bytes;
	uint64_t jumps, jumps_bytes; /* DT_JMPREL */
	bool jumps_are_rela;
	uint64_t flags, flags_1;
	uint64_t soname, rpath, runpath; /* offsets of strings */
	bool has_soname, has_rpath, has_runpath;
};

/* What an index of the versions of symbols stands for. */
struct spg_elf_version {
	uint32_t name;   /* 0: none */
	uint32_t needed; /* index in binary.versions, and 1; 0: it is defined here */
};

struct spg_elf_file {
	Elf *elf;
	int fd;
	uint64_t size;
	GElf_Ehdr header;
	struct spg_elf_segment *segments;
	size_t n_segments;
	uint64_t dynamic_at, dynamic_bytes;         /* in the file */
	uint64_t interpreter_at, interpreter_bytes; /* likewise */
	struct spg_elf_dynamic dynamic;

	/* The symbols of the loader. */
	Elf_Data *symbols;
	size_t n_symbols;
	size_t first_hashed;            /* from this one on the loader finds them */
	const uint8_t *symbol_versions; /* of @n_symbols, two bytes each; NULL: none */
	struct spg_elf_version *version_of; /* 0x8000 of them */
	const char *strings;
	size_t strings_bytes;

	/* What is known; pointers are set at the end. */
	struct spg_binary binary;
	struct spg_binary_module *modules;
	struct spg_binary_import *imports;
	struct spg_binary_export *exports;
	struct spg_binary_version *versions;
	uint32_t *defined;
	size_t modules_size, imports_size, exports_size, versions_size, defined_size;
	struct spg_buf more; /* texts that are not in the string table */
	struct spg_buf *error;
};

/** Set the reason; return SPG_ERR_CORRUPT. */
int spg_elf_damage(struct spg_elf_file *file, const char *what);

/** The same; SPG_ERR_LIMIT. */
int spg_elf_limit(struct spg_elf_file *file, const char *what);

/**
 * The @bytes at @offset of the file, as @type; @what names them when they are not there.
 * @ret lives as long as @file->elf.
 */
int spg_elf_chunk(struct spg_elf_file *file, uint64_t offset, uint64_t bytes,
	Elf_Type type, const char *what, Elf_Data **ret);

/** The same, of what is at @address when it runs. */
int spg_elf_at(struct spg_elf_file *file, uint64_t address, uint64_t bytes,
	Elf_Type type, const char *what, Elf_Data **ret);

/** Bytes of the file from @address to the end of its segment; 0: none is there. */
uint64_t spg_elf_room(const struct spg_elf_file *file, uint64_t address);

/** True when a string begins at @offset. */
bool spg_elf_has_string(const struct spg_elf_file *file, uint64_t offset);

/** The text of the string at @offset, which has to be one. */
uint32_t spg_elf_string(uint64_t offset);

/** The dynamic section into @file->dynamic, and what it names: libraries, paths. */
int spg_elf_read_dynamic(struct spg_elf_file *file);

/** The string table, the symbol table and how long it is. */
int spg_elf_find_symbols(struct spg_elf_file *file);

/** Make room for symbols below @n, which relocations name. */
int spg_elf_grow_symbols(struct spg_elf_file *file, size_t n);

/** Of the symbol @index: as in the table; 0 without one. */
uint32_t spg_elf_symbol_version(const struct spg_elf_file *file, size_t index);

/** The versions that are needed and defined. */
int spg_elf_read_versions(struct spg_elf_file *file);

/** What is exported, and what relocations need. After the versions. */
int spg_elf_read_exports(struct spg_elf_file *file);
int spg_elf_read_imports(struct spg_elf_file *file);

static inline uint64_t spg_elf_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** Numbers of two and four bytes in the file's order. */
static inline uint32_t spg_elf_u16(const struct spg_elf_file *file, const uint8_t *at)
{
	return file->header.e_ident[EI_DATA] == ELFDATA2MSB
	               ? (uint32_t)(at[0] << 8 | at[1])
	               : (uint32_t)(at[1] << 8 | at[0]);
}

static inline uint32_t spg_elf_u32(const struct spg_elf_file *file, const uint8_t *at)
{
	uint32_t first = spg_elf_u16(file, at), second = spg_elf_u16(file, at + 2);

	return file->header.e_ident[EI_DATA] == ELFDATA2MSB ? first << 16 | second
	                                                    : second << 16 | first;
}
