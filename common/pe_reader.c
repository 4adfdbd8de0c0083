/* SPDX-License-Identifier: MIT */
#include "common/pe_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_image.h"

#define DOS_BYTES          64 /* IMAGE_DOS_HEADER */
#define DOS_RELOCATIONS_AT 0x18
#define DOS_NEW_HEADER_AT  0x3c
#define PE_BYTES           24 /* "PE\0\0" and IMAGE_FILE_HEADER */
#define OPTIONAL_BYTES     96 /* IMAGE_OPTIONAL_HEADER32 before its directories */
#define OPTIONAL64_BYTES   112
#define SECTION_BYTES      40 /* IMAGE_SECTION_HEADER */
#define MAGIC_PE32         0x10b
#define MAGIC_PE32PLUS     0x20b
#define FILE_DLL           0x2000 /* IMAGE_FILE_DLL */
#define MEMORY_PAGE        0x1000
#define FILE_SECTOR        0x200

static int (*const read_parts[SPG_BINARY_N_PARTS])(struct spg_pe_image *image) = {
	[SPG_BINARY_WHOLE] = spg_pe_read_whole,
	[SPG_BINARY_IMPORTS] = spg_pe_read_imports,
	[SPG_BINARY_DELAYED] = spg_pe_read_delayed,
	[SPG_BINARY_EXPORTS] = spg_pe_read_exports,
	[SPG_BINARY_ASSEMBLY] = spg_pe_read_assembly,
	[SPG_BINARY_VERSION] = spg_pe_read_version,
};

static int not_pe(struct spg_pe_image *image, const char *what)
{
	snprintf(image->why, sizeof(image->why), "not a PE file: %s", what);
	return SPG_ERR_INVALID;
}

/* Where the PE header is. */
static int read_dos(struct spg_pe_image *image, uint32_t *ret_at)
{
	uint8_t dos[DOS_BYTES], magic[4];
	uint32_t at;
	int err;

	if (image->source->size == 0)
		return not_pe(image, "it is empty");
	if (image->source->size < 2)
		return not_pe(image, "it has one byte");
	err = spg_pe_image_file(image, 0, dos, 2);
	if (err < 0)
		return err;
	if (dos[0] != 'M' || dos[1] != 'Z')
		return not_pe(image, "it does not begin with \"MZ\"");
	err = spg_pe_image_file(image, 0, dos, sizeof(dos));
	if (err < 0)
		return err;
	at = spg_pe_u32(dos + DOS_NEW_HEADER_AT);
	if (at > image->source->size || image->source->size - at < sizeof(magic)) {
		/* Of a program for DOS these bytes are something else. */
		if (spg_pe_u16(dos + DOS_RELOCATIONS_AT) < DOS_BYTES)
			return not_pe(image, "a program for DOS");
	}
	err = spg_pe_image_file(image, at, magic, sizeof(magic));
	if (err < 0)
		return err;
	if (spg_pe_u32(magic) == 0 && at >= DOS_BYTES &&
		spg_pe_u16(dos + DOS_RELOCATIONS_AT) == DOS_BYTES)
		return spg_pe_image_damage(image, "its header is all zeros");
	if (memcmp(magic, "PE\0\0", 4) != 0)
		return not_pe(image, "a program for DOS or for 16-bit Windows");
	*ret_at = at;
	return 0;
}

static int read_directories(
	struct spg_pe_image *image, uint64_t at, uint32_t n_directories)
{
	if (n_directories > SPG_PE_N_DIRS)
		n_directories = SPG_PE_N_DIRS;
	for (uint32_t i = 0; i < n_directories; i++) {
		uint8_t raw[8];
		int err = spg_pe_image_file(image, at + 8 * i, raw, sizeof(raw));

		if (err < 0)
			return err;
		image->dirs[i].rva = spg_pe_u32(raw);
		image->dirs[i].bytes = spg_pe_u32(raw + 4);
	}
	return 0;
}

static int read_optional(struct spg_pe_image *image, uint64_t at)
{
	uint8_t raw[OPTIONAL64_BYTES];
	size_t n = OPTIONAL_BYTES;
	int err = spg_pe_image_file(image, at, raw, 2);

	if (err < 0)
		return err;
	if (spg_pe_u16(raw) == MAGIC_PE32PLUS) {
		image->pe.is_pe32plus = true;
		n = OPTIONAL64_BYTES;
	} else if (spg_pe_u16(raw) != MAGIC_PE32) {
		return spg_pe_image_damage(image,
			"its optional header has the magic number 0x%x",
			spg_pe_u16(raw));
	}
	err = spg_pe_image_file(image, at, raw, n);
	if (err < 0)
		return err;
	image->base =
		image->pe.is_pe32plus ? spg_pe_u64(raw + 24) : spg_pe_u32(raw + 28);
	image->entry = spg_pe_u32(raw + 16);
	image->section_alignment = spg_pe_u32(raw + 32);
	image->headers_bytes = spg_pe_u32(raw + 60);
	return read_directories(image, at + n, spg_pe_u32(raw + n - 4));
}

/* How the loader lays it out. */
static int add_section(struct spg_pe_image *image, const uint8_t *raw)
{
	struct spg_pe_section *section = &image->sections[image->n_sections];
	uint32_t virtual_bytes = spg_pe_u32(raw + 8), rva = spg_pe_u32(raw + 12);
	uint32_t raw_bytes = spg_pe_u32(raw + 16), raw_at = spg_pe_u32(raw + 20);
	uint64_t bytes = virtual_bytes ? virtual_bytes : raw_bytes;
	uint64_t pages = (bytes + MEMORY_PAGE - 1) & ~(uint64_t)(MEMORY_PAGE - 1);
	uint64_t before = image->n_sections
	                          ? (uint64_t)section[-1].rva + section[-1].in_memory
	                          : 0;

	if (raw_at == 0)
		raw_bytes = 0;
	if (raw_bytes && (uint64_t)raw_at + raw_bytes > image->source->size)
		return spg_pe_image_damage(image,
			"it was cut off: section %zu goes to byte %llu, the file to "
			"%llu",
			image->n_sections + 1,
			(unsigned long long)((uint64_t)raw_at + raw_bytes),
			(unsigned long long)image->source->size);
	if (rva < before)
		return spg_pe_image_damage(image, "section %zu overlaps the one before",
			image->n_sections + 1);
	if (image->section_alignment < MEMORY_PAGE)
		pages = bytes;
	else
		raw_at &= ~(uint32_t)(FILE_SECTOR - 1);
	if ((uint64_t)rva + pages > UINT32_MAX)
		return spg_pe_image_damage(
			image, "section %zu goes beyond 4 GiB", image->n_sections + 1);
	section->rva = rva;
	section->in_memory = (uint32_t)pages;
	section->in_file = raw_bytes < pages ? raw_bytes : (uint32_t)pages;
	section->offset = raw_at;
	section->flags = spg_pe_u32(raw + 36);
	for (size_t i = 0; i < 8 && raw[i]; i++)
		section->name[i] = raw[i] > ' ' && raw[i] < 0x7f ? (char)raw[i] : '?';
	image->n_sections++;
	return 0;
}

static int read_sections(struct spg_pe_image *image, uint64_t at, size_t n)
{
	if (n > SPG_PE_SECTIONS_MAX)
		return spg_pe_image_limit(image,
			"it has %zu sections, at most %d are read", n,
			SPG_PE_SECTIONS_MAX);
	image->sections = calloc(n ? n : 1, sizeof(image->sections[0]));
	if (!image->sections)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		uint8_t raw[SECTION_BYTES];
		int err = spg_pe_image_file(
			image, at + i * SECTION_BYTES, raw, sizeof(raw));

		if (err == 0)
			err = add_section(image, raw);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_headers(struct spg_pe_image *image)
{
	uint8_t raw[PE_BYTES];
	uint32_t at = 0;
	int err = read_dos(image, &at);

	if (err == 0)
		err = spg_pe_image_file(image, at, raw, sizeof(raw));
	if (err < 0)
		return err;
	image->pe.machine = spg_pe_u16(raw + 4);
	image->symbols_at = spg_pe_u32(raw + 12);
	image->n_symbols = spg_pe_u32(raw + 16);
	image->flags = spg_pe_u16(raw + 22);
	image->pe.is_dll = image->flags & FILE_DLL;
	err = read_optional(image, (uint64_t)at + PE_BYTES);
	if (err < 0)
		return err;
	return read_sections(image, (uint64_t)at + PE_BYTES + spg_pe_u16(raw + 20),
		spg_pe_u16(raw + 6));
}

/* ---- parts ---- */

/* Returns only what ends all: no memory, or the source's own failure. */
static int read_part(struct spg_pe_image *image, enum spg_binary_part part)
{
	struct spg_binary before = image->pe;
	size_t text_before = image->text.len;
	int err = read_parts[part](image);

	if (err == 0)
		return 0;
	if (err != SPG_ERR_CORRUPT && err != SPG_ERR_LIMIT &&
		err != SPG_ERR_UNSUPPORTED)
		return err;
	/* Of a version the readable half is worth keeping. */
	if (part != SPG_BINARY_VERSION) {
		image->pe = before;
		image->text.len = text_before;
	}
	image->pe.status[part] = err;
	image->pe.why[part] = (uint32_t)image->text.len;
	spg_buf_add(&image->text, image->why, strlen(image->why) + 1);
	return image->text.failed ? SPG_ERR_NOMEM : 0;
}

static void *append(uint8_t *block, size_t *at, const void *from, size_t bytes)
{
	void *to = block + *at;

	if (bytes)
		memcpy(to, from, bytes);
	*at += bytes;
	return to;
}

/* All in one block; every array's elements are as aligned as uint32_t. */
static int pack(const struct spg_pe_image *image, struct spg_binary **ret)
{
	const struct spg_binary *from = &image->pe;
	size_t modules = from->n_modules * sizeof(image->modules[0]);
	size_t imports = from->n_imports * sizeof(image->imports[0]);
	size_t exports = from->n_exports * sizeof(image->exports[0]);
	size_t references = from->n_references * sizeof(image->references[0]);
	size_t bytes = sizeof(*from) + modules + imports + exports + references +
	               image->text.len;
	size_t at = sizeof(*from);
	uint8_t *block = malloc(bytes);
	struct spg_binary *pe = (struct spg_binary *)block;

	if (!block)
		return SPG_ERR_NOMEM;
	*pe = *from;
	pe->modules = append(block, &at, image->modules, modules);
	pe->imports = append(block, &at, image->imports, imports);
	pe->exports = append(block, &at, image->exports, exports);
	pe->references = append(block, &at, image->references, references);
	pe->text = append(block, &at, image->text.data, image->text.len);
	pe->bytes = bytes;
	*ret = pe;
	return 0;
}

int spg_pe_read(struct spg_binary **ret, const struct spg_pe_source *source,
	struct spg_buf *error)
{
	struct spg_pe_image image = {.source = source};
	int err = 0;

	image.window = malloc((size_t)SPG_PE_PAGES * SPG_PE_PAGE_BYTES);
	spg_buf_putc(&image.text, '\0'); /* offset 0 is none */
	if (!image.window || image.text.failed)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = read_headers(&image);
	if (err == 0)
		err = spg_pe_read_machine(&image);
	for (enum spg_binary_part part = 0; err == 0 && part < SPG_BINARY_N_PARTS;
		part++)
		err = read_part(&image, part);
	if (err == 0)
		err = pack(&image, ret);
	if (err < 0) {
		spg_buf_clear(error);
		spg_buf_puts(error, image.why[0] ? image.why : spg_err_text(err));
	}
	free(image.window);
	free(image.sections);
	free(image.modules);
	free(image.imports);
	free(image.exports);
	free(image.references);
	spg_buf_finish(&image.text);
	return err;
}
