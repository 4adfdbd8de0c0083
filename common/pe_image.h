/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of the PE reader (pe_reader.h): a file that is being read. Addresses
 * ("RVA") are translated through the sections as the Windows loader lays them
 * out: bytes behind a section's data in the file are zeros, an address below
 * SizeOfHeaders that no section covers is one into the headers.
 *
 * Every function that returns int gives 0, SPG_ERR_CORRUPT or SPG_ERR_LIMIT with
 * the reason in @image->why, SPG_ERR_NOMEM, or what the source's read returned.
 */
#include "common/buf.h"
#include "common/format.h"
#include "common/pe.h"

#define SPG_PE_PAGE_BYTES 8192
#define SPG_PE_PAGES      32

enum {
	SPG_PE_DIR_EXPORT = 0,
	SPG_PE_DIR_IMPORT = 1,
	SPG_PE_DIR_RESOURCE = 2,
	SPG_PE_DIR_EXCEPTION = 3,
	SPG_PE_DIR_CERTIFICATE = 4, /* not an address: an offset in the file */
	SPG_PE_DIR_RELOCATION = 5,
	SPG_PE_DIR_DEBUG = 6,
	SPG_PE_DIR_TLS = 9,
	SPG_PE_DIR_LOAD_CONFIG = 10,
	SPG_PE_DIR_DELAY = 13,
	SPG_PE_DIR_CLI = 14,
	SPG_PE_N_DIRS = 16,
};

struct spg_pe_section {
	uint32_t rva;
	uint32_t in_memory; /* bytes it covers there */
	uint32_t in_file;   /* of these, bytes that come from the file */
	uint64_t offset;    /* of these in the file */
	uint32_t flags;     /* IMAGE_SCN_... */
	char name[9];
};

struct spg_pe_image {
	const struct spg_pe_source *source;
	uint8_t *window; /* SPG_PE_PAGES pages, each at number % SPG_PE_PAGES */
	uint64_t page_plus_1[SPG_PE_PAGES]; /* 0: empty */
	uint64_t n_read;

	uint64_t base;
	uint32_t section_alignment, headers_bytes, entry;
	uint32_t symbols_at, n_symbols;  /* COFF, an offset in the file */
	uint16_t flags;                  /* IMAGE_FILE_... */
	struct spg_pe_section *sections; /* ascending, none overlaps another */
	size_t n_sections;
	struct {
		uint32_t rva, bytes;
	} dirs[SPG_PE_N_DIRS]; /* rva 0: none */

	struct spg_binary pe; /* what is known; its pointers are not set yet */
	struct spg_binary_module *modules;
	struct spg_binary_import *imports;
	struct spg_binary_export *exports;
	struct spg_binary_assembly *references;
	size_t references_size, modules_size, imports_size, exports_size;
	struct spg_buf text;

	char why[160];
};

/** Set the reason; return SPG_ERR_CORRUPT, or SPG_ERR_LIMIT. */
int spg_pe_image_damage(struct spg_pe_image *image, const char *format, ...)
	SPG_PRINTF(2, 3);
int spg_pe_image_limit(struct spg_pe_image *image, const char *format, ...)
	SPG_PRINTF(2, 3);

/** @n bytes of the file at @offset; the file ends before them: cut off. */
int spg_pe_image_file(struct spg_pe_image *image, uint64_t offset, void *buf, size_t n);

/** @n bytes at the address @rva, which may not fit into 32 bits. */
int spg_pe_image_read(struct spg_pe_image *image, uint64_t rva, void *buf, size_t n);

/**
 * Keep the text of 1..@max bytes at @rva.
 *
 * @what  for the reason when it is damaged: "name of a module"
 */
int spg_pe_image_text(struct spg_pe_image *image, uint64_t rva, size_t max,
	const char *what, uint32_t *ret);

/** Keep @n bytes as a text. */
int spg_pe_image_keep(
	struct spg_pe_image *image, const void *bytes, size_t n, uint32_t *ret);

/** What machines it is for beside the one in its header. Damage is none of its business:
 * it gives only what ends all. */
int spg_pe_read_machine(struct spg_pe_image *image);

/** The parts; each leaves nothing of itself behind when it fails, but for
 * the version. The imports may also give SPG_ERR_UNSUPPORTED. */
int spg_pe_read_whole(struct spg_pe_image *image);
int spg_pe_read_imports(struct spg_pe_image *image);
int spg_pe_read_delayed(struct spg_pe_image *image);
int spg_pe_read_exports(struct spg_pe_image *image);
int spg_pe_read_assembly(struct spg_pe_image *image);
int spg_pe_read_version(struct spg_pe_image *image);

/** Numbers in the file are little-endian. */
static inline uint16_t spg_pe_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t spg_pe_u32(const uint8_t *bytes)
{
	return spg_pe_u16(bytes) | (uint32_t)spg_pe_u16(bytes + 2) << 16;
}

static inline uint64_t spg_pe_u64(const uint8_t *bytes)
{
	return spg_pe_u32(bytes) | (uint64_t)spg_pe_u32(bytes + 4) << 32;
}
