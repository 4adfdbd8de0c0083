/* SPDX-License-Identifier: MIT */
#include "tests/support/pe_make.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/err.h"

#define HEADERS_BYTES 0x400
#define PAGE          0x1000U
#define SECTOR        0x200U
#define PE_AT         0x80
#define BASE          0x10000000U
#define MAX_SECTIONS  5
#define FULL_KEY      1

struct section {
	struct spg_buf bytes;
	uint32_t rva;
};

struct maker {
	const struct pe_make *make;
	struct section sections[MAX_SECTIONS];
	size_t n_sections;
	uint32_t dirs[16][2];
};

void pe_make_patch(struct spg_buf *image, size_t at, uint64_t value, size_t bytes)
{
	ck_assert_uint_le(at + bytes, image->len);
	for (size_t i = 0; i < bytes; i++)
		image->data[at + i] = (char)(value >> 8 * i);
}

uint32_t pe_make_u32(const struct spg_buf *image, size_t at)
{
	uint32_t value = 0;

	ck_assert_uint_le(at + 4, image->len);
	for (size_t i = 0; i < 4; i++)
		value |= (uint32_t)(unsigned char)image->data[at + i] << 8 * i;
	return value;
}

static void put(struct spg_buf *buf, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		spg_buf_putc(buf, (char)(value >> 8 * i));
}

static void put_zeros(struct spg_buf *buf, size_t n)
{
	while (n-- > 0)
		spg_buf_putc(buf, 0);
}

static void align(struct spg_buf *buf, size_t to)
{
	while (buf->len % to)
		spg_buf_putc(buf, 0);
}

static uint32_t here(const struct section *section)
{
	return section->rva + (uint32_t)section->bytes.len;
}

static struct section *begin(struct maker *maker)
{
	struct section *section = &maker->sections[maker->n_sections];

	ck_assert_uint_lt(maker->n_sections, MAX_SECTIONS);
	section->rva = PAGE;
	if (maker->n_sections)
		section->rva = (uint32_t)((here(section - 1) + PAGE - 1) & ~(PAGE - 1));
	maker->n_sections++;
	return section;
}

static void end(struct maker *maker, const struct section *section, unsigned dir)
{
	maker->dirs[dir][0] = section->rva;
	maker->dirs[dir][1] = (uint32_t)section->bytes.len;
}

static uint32_t put_text(struct section *section, const char *text)
{
	uint32_t at = here(section);

	spg_buf_add(&section->bytes, text, strlen(text) + 1);
	align(&section->bytes, 2);
	return at;
}

/* ---- imports ---- */

/* The thunks of one module; returns their address. */
static uint32_t put_thunks(const struct maker *maker, struct section *section,
	const struct pe_make_module *module)
{
	size_t bytes = maker->make->is_pe32plus ? 8 : 4, n = 0;
	uint32_t base = module->delayed && maker->make->old_delayed ? BASE : 0;
	const char *before = NULL;
	uint32_t at, rva = 0;

	align(&section->bytes, 8);
	at = here(section);
	while (module->symbols && module->symbols[n])
		n++;
	put_zeros(&section->bytes, (n + 1) * bytes);
	for (size_t i = 0; i < n; i++) {
		const char *symbol = module->symbols[i];
		uint64_t value = UINT64_C(1) << (8 * bytes - 1);

		if (symbol[0] == '#') {
			value |= strtoul(symbol + 1, NULL, 10);
		} else {
			if (symbol != before) {
				rva = here(section);
				put(&section->bytes, 77, 2); /* the hint */
				put_text(section, symbol);
			}
			before = symbol;
			value = rva + base;
		}
		pe_make_patch(
			&section->bytes, at - section->rva + i * bytes, value, bytes);
	}
	return at;
}

static void put_descriptor(struct maker *maker, struct section *section, size_t at,
	const struct pe_make_module *module)
{
	uint32_t name = put_text(section, module->name);
	uint32_t thunks = put_thunks(maker, section, module);
	uint32_t base = maker->make->old_delayed ? BASE : 0;

	if (module->delayed) {
		pe_make_patch(&section->bytes, at, base ? 0 : 1, 4);
		pe_make_patch(&section->bytes, at + 4, name + base, 4);
		pe_make_patch(&section->bytes, at + 12, thunks + base, 4);
		pe_make_patch(&section->bytes, at + 16, thunks + base, 4);
		return;
	}
	if (!maker->make->no_names)
		pe_make_patch(&section->bytes, at, thunks, 4);
	pe_make_patch(&section->bytes, at + 12, name, 4);
	pe_make_patch(&section->bytes, at + 16, thunks, 4);
}

static void make_imports(struct maker *maker, bool delayed)
{
	const struct pe_make_module *modules = maker->make->modules;
	size_t bytes = delayed ? 32 : 20, n = 0, at = 0;
	struct section *section;

	for (size_t i = 0; modules && modules[i].name; i++)
		n += modules[i].delayed == delayed;
	if (n == 0)
		return;
	section = begin(maker);
	put_zeros(&section->bytes, (n + 1) * bytes);
	for (size_t i = 0; modules[i].name; i++) {
		if (modules[i].delayed != delayed)
			continue;
		put_descriptor(maker, section, at, &modules[i]);
		at += bytes;
	}
	end(maker, section, delayed ? 13 : 1);
}

/* ---- exports ---- */

static void make_exports(struct maker *maker)
{
	const struct pe_make_export *exports = maker->make->exports;
	size_t n = maker->make->n_exports, n_names = 0, functions, names, ordinals;
	unsigned base = n ? exports[0].ordinal : 0, ordinal = 0, last = base;
	struct section *section;
	struct spg_buf *bytes;

	if (n == 0)
		return;
	section = begin(maker);
	bytes = &section->bytes;
	for (size_t i = 0; i < n; i++) {
		n_names += exports[i].name != NULL;
		last = exports[i].ordinal ? exports[i].ordinal : last + (i > 0);
	}
	put_zeros(bytes, 40);
	functions = bytes->len;
	put_zeros(bytes, (size_t)(last - base + 1) * 4);
	names = bytes->len;
	put_zeros(bytes, n_names * 4);
	ordinals = bytes->len;
	put_zeros(bytes, n_names * 2);
	align(bytes, 4);
	pe_make_patch(bytes, 16, base, 4);
	pe_make_patch(bytes, 20, last - base + 1, 4);
	pe_make_patch(bytes, 24, n_names, 4);
	pe_make_patch(bytes, 28, section->rva + functions, 4);
	pe_make_patch(bytes, 32, section->rva + names, 4);
	pe_make_patch(bytes, 36, section->rva + ordinals, 4);
	for (size_t i = 0; i < n; i++) {
		uint32_t to = 0x7fff0000; /* code, which nobody reads */

		ordinal = exports[i].ordinal ? exports[i].ordinal : ordinal + 1;
		if (exports[i].forwarder)
			to = put_text(section, exports[i].forwarder);
		pe_make_patch(bytes, functions + 4 * (ordinal - base), to, 4);
		if (!exports[i].name)
			continue;
		to = put_text(section, exports[i].name);
		pe_make_patch(bytes, names, to, 4);
		pe_make_patch(bytes, ordinals, ordinal - base, 2);
		names += 4;
		ordinals += 2;
	}
	end(maker, section, 0);
}

/* ---- resources ---- */

static void put_utf16(struct spg_buf *buf, const char *text)
{
	for (; *text; text++)
		put(buf, (unsigned char)*text, 2);
	put(buf, 0, 2);
}

/* A block whose length is patched by end_block(). */
static size_t begin_block(
	struct spg_buf *buf, size_t value_length, unsigned type, const char *key)
{
	size_t at;

	align(buf, 4);
	at = buf->len;
	put(buf, 0, 2);
	put(buf, value_length, 2);
	put(buf, type, 2);
	put_utf16(buf, key);
	align(buf, 4);
	return at;
}

static void end_block(struct spg_buf *buf, size_t at)
{
	pe_make_patch(buf, at, buf->len - at, 2);
}

static void put_string(struct spg_buf *buf, const char *key, const char *value)
{
	size_t at;

	if (!value)
		return;
	at = begin_block(buf, strlen(value) + 1, 1, key);
	put_utf16(buf, value);
	end_block(buf, at);
}

static void put_version(struct spg_buf *buf, const struct pe_make *make)
{
	unsigned v[4] = {0};
	size_t root, info, table;

	ck_assert_int_ge(
		sscanf(make->version, "%u.%u.%u.%u", &v[0], &v[1], &v[2], &v[3]), 1);
	root = begin_block(buf, 52, 0, "VS_VERSION_INFO");
	put(buf, 0xfeef04bd, 4);
	put(buf, 0x10000, 4);
	for (int twice = 0; twice < 2; twice++) {
		put(buf, v[0] << 16 | v[1], 4);
		put(buf, v[2] << 16 | v[3], 4);
	}
	put_zeros(buf, 28);
	info = begin_block(buf, 0, 1, "StringFileInfo");
	table = begin_block(buf, 0, 1, "040904b0");
	put_string(buf, "CompanyName", make->company);
	put_string(buf, "FileDescription", "what nobody asks for");
	put_string(buf, "FileVersion", make->version);
	put_string(buf, "OriginalFilename", make->original);
	put_string(buf, "ProductName", make->product);
	put_string(buf, "ProductVersion", make->version);
	end_block(buf, table);
	end_block(buf, info);
	end_block(buf, root);
}

static void make_resources(struct maker *maker)
{
	static const uint32_t ids[] = {16, 1, 0x409};
	struct section *section;
	struct spg_buf *bytes;

	if (!maker->make->version)
		return;
	section = begin(maker);
	bytes = &section->bytes;
	for (uint32_t level = 0; level < 3; level++) {
		put_zeros(bytes, 12);
		put(bytes, 0, 2);
		put(bytes, 1, 2);
		put(bytes, ids[level], 4);
		put(bytes, level < 2 ? 0x80000000U | (level + 1) * 24 : 72, 4);
	}
	put(bytes, section->rva + 88, 4);
	put_zeros(bytes, 12);
	put_version(bytes, maker->make);
	pe_make_patch(bytes, 76, bytes->len - 88, 4);
	end(maker, section, 2);
}

/* ---- metadata of .NET ---- */

void pe_make_token(const char *key, uint8_t ret[SPG_BINARY_TOKEN_BYTES])
{
	uint8_t digest[SPG_SHA1_BYTES];

	spg_sha1(key, strlen(key), digest);
	for (size_t i = 0; i < SPG_BINARY_TOKEN_BYTES; i++)
		ret[i] = digest[SPG_SHA1_BYTES - 1 - i];
}

struct heaps {
	struct spg_buf strings, blobs;
	size_t index_bytes;
};

static uint32_t keep_string(struct heaps *heaps, const char *text)
{
	uint32_t at = (uint32_t)heaps->strings.len;

	if (!text)
		return 0;
	spg_buf_add(&heaps->strings, text, strlen(text) + 1);
	return at;
}

/* Lengths have one byte, or two (II.24.2.4). */
static uint32_t keep_blob(struct heaps *heaps, const void *bytes, size_t n)
{
	uint32_t at = (uint32_t)heaps->blobs.len;

	if (n > 0x7f)
		spg_buf_putc(&heaps->blobs, (char)(0x80 | n >> 8));
	spg_buf_putc(&heaps->blobs, (char)n);
	spg_buf_add(&heaps->blobs, bytes, n);
	return at;
}

static uint32_t keep_key(
	struct heaps *heaps, const struct pe_make_assembly *assembly, bool whole)
{
	uint8_t token[SPG_BINARY_TOKEN_BYTES];

	if (!assembly->key)
		return 0;
	if (whole)
		return keep_blob(heaps, assembly->key, strlen(assembly->key));
	pe_make_token(assembly->key, token);
	return keep_blob(heaps, token, sizeof(token));
}

static void put_assembly(struct spg_buf *rows, struct heaps *heaps,
	const struct pe_make_assembly *assembly, bool is_reference)
{
	bool whole = !is_reference || assembly->flags & FULL_KEY;
	unsigned v[4] = {0};

	sscanf(assembly->version, "%u.%u.%u.%u", &v[0], &v[1], &v[2], &v[3]);
	if (!is_reference)
		put(rows, 0x8004, 4);
	for (size_t i = 0; i < 4; i++)
		put(rows, v[i], 2);
	put(rows, assembly->flags, 4);
	put(rows, keep_key(heaps, assembly, whole), heaps->index_bytes);
	put(rows, keep_string(heaps, assembly->name), heaps->index_bytes);
	put(rows, keep_string(heaps, assembly->culture), heaps->index_bytes);
	if (is_reference)
		put(rows, 0, heaps->index_bytes);
}

/* A module, one type reference, the assembly and its references. */
static void put_tables(
	const struct pe_make *make, struct spg_buf *out, struct heaps *heaps)
{
	size_t index = heaps->index_bytes, n = 0;

	while (make->references && make->references[n].name)
		n++;
	put(out, 0, 4);
	put(out, 2, 2);
	put(out, index == 4 ? 7 : 0, 1);
	put(out, 1, 1);
	put(out, UINT64_C(0x900000003), 8);
	if (!make->assembly->name)
		pe_make_patch(out, out->len - 4, 8, 1);
	put(out, 0, 8);
	put(out, 1, 4);
	put(out, 1, 4);
	if (make->assembly->name)
		put(out, 1, 4);
	put(out, n, 4);
	put_zeros(out, 2 + 4 * index);
	put_zeros(out, 2 + 2 * index);
	if (make->assembly->name)
		put_assembly(out, heaps, make->assembly, false);
	for (size_t i = 0; i < n; i++)
		put_assembly(out, heaps, &make->references[i], true);
	align(out, 4);
}

static void put_stream_header(
	struct spg_buf *out, size_t at, const struct spg_buf *stream, const char *name)
{
	put(out, at, 4);
	put(out, stream->len, 4);
	spg_buf_add(out, name, strlen(name) + 1);
	align(out, 4);
}

static void make_metadata(struct maker *maker)
{
	struct heaps heaps = {.index_bytes = maker->make->wide ? 4 : 2};
	struct spg_buf tables = SPG_BUF_NULL;
	struct section *section;
	struct spg_buf *bytes;
	size_t root;

	if (!maker->make->assembly)
		return;
	spg_buf_putc(&heaps.strings, 0);
	spg_buf_putc(&heaps.blobs, 0);
	put_tables(maker->make, &tables, &heaps);
	align(&heaps.strings, 4);
	align(&heaps.blobs, 4);
	section = begin(maker);
	bytes = &section->bytes;
	put(bytes, 72, 4);
	put(bytes, 0x50002, 4);
	put(bytes, section->rva + 72, 4);
	put_zeros(bytes, 60);
	root = bytes->len;
	put(bytes, 0x424a5342, 4);
	put(bytes, 0x10001, 4);
	put_zeros(bytes, 4);
	put(bytes, 4, 4);
	spg_buf_add(bytes, "v4\0\0", 4);
	put(bytes, 0, 2);
	put(bytes, 3, 2);
	/* Their headers have 12, 20 and 16 bytes. */
	put_stream_header(bytes, bytes->len - root + 48, &tables, "#~");
	put_stream_header(
		bytes, bytes->len - root + 36 + tables.len, &heaps.strings, "#Strings");
	put_stream_header(bytes,
		bytes->len - root + 16 + tables.len + heaps.strings.len, &heaps.blobs,
		"#Blob");
	spg_buf_add(bytes, tables.data, tables.len);
	spg_buf_add(bytes, heaps.strings.data, heaps.strings.len);
	spg_buf_add(bytes, heaps.blobs.data, heaps.blobs.len);
	pe_make_patch(bytes, 12, bytes->len - root, 4);
	end(maker, section, 14);
	spg_buf_finish(&tables);
	spg_buf_finish(&heaps.strings);
	spg_buf_finish(&heaps.blobs);
}

/* ---- headers ---- */

static void put_optional(const struct maker *maker, struct spg_buf *out)
{
	size_t start = out->len;
	bool plus = maker->make->is_pe32plus;

	put(out, plus ? 0x20b : 0x10b, 2);
	put_zeros(out, 30);
	put(out, PAGE, 4);
	put(out, SECTOR, 4);
	put_zeros(out, 20);
	put(out, HEADERS_BYTES, 4);
	put_zeros(out, plus ? 44 : 28);
	put(out, 16, 4);
	if (plus)
		pe_make_patch(out, start + 24, BASE, 8);
	else
		pe_make_patch(out, start + 28, BASE, 4);
	for (size_t i = 0; i < 16; i++) {
		put(out, maker->dirs[i][0], 4);
		put(out, maker->dirs[i][1], 4);
	}
}

static void put_headers(const struct maker *maker, struct spg_buf *out)
{
	const struct pe_make *make = maker->make;
	uint16_t machine = make->is_pe32plus ? 0x8664 : 0x14c;
	size_t raw_at = HEADERS_BYTES;

	spg_buf_add(out, "MZ", 2);
	put_zeros(out, PE_AT - 2);
	pe_make_patch(out, 0x18, 0x40, 2);
	pe_make_patch(out, 0x3c, PE_AT, 4);
	spg_buf_add(out, "PE\0\0", 4);
	put(out, make->machine ? make->machine : machine, 2);
	put(out, maker->n_sections, 2);
	put_zeros(out, 12);
	put(out, make->is_pe32plus ? 240 : 224, 2);
	put(out, make->is_exe ? 0x0002 : 0x2002, 2);
	put_optional(maker, out);
	for (size_t i = 0; i < maker->n_sections; i++) {
		size_t n = maker->sections[i].bytes.len;

		spg_buf_add(out, ".made\0\0\0", 8);
		put(out, n, 4);
		put(out, maker->sections[i].rva, 4);
		put(out, (n + SECTOR - 1) & ~(size_t)(SECTOR - 1), 4);
		put(out, raw_at, 4);
		put_zeros(out, 16);
		raw_at += (n + SECTOR - 1) & ~(size_t)(SECTOR - 1);
	}
	put_zeros(out, HEADERS_BYTES - out->len);
}

void pe_make_image(const struct pe_make *make, struct spg_buf *ret)
{
	struct maker maker = {.make = make};

	make_imports(&maker, false);
	make_imports(&maker, true);
	make_exports(&maker);
	make_resources(&maker);
	make_metadata(&maker);
	put_headers(&maker, ret);
	for (size_t i = 0; i < maker.n_sections; i++) {
		struct spg_buf *bytes = &maker.sections[i].bytes;

		align(bytes, SECTOR);
		spg_buf_add(ret, bytes->data, bytes->len);
		spg_buf_finish(bytes);
	}
	ck_assert(!ret->failed);
}

struct memory {
	const char *bytes;
	size_t n;
};

static int read_memory(void *user, uint64_t offset, void *buf, size_t n)
{
	const struct memory *memory = user;

	ck_assert_uint_le(offset, memory->n);
	ck_assert_uint_le(n, memory->n - offset);
	memcpy(buf, memory->bytes + offset, n);
	return 0;
}

int pe_make_read(
	struct spg_binary **ret, const void *bytes, size_t n, struct spg_buf *error)
{
	struct memory memory = {bytes, n};
	struct spg_pe_source source = {&memory, read_memory, n};

	return spg_pe_read(ret, &source, error);
}

struct spg_binary *pe_make(const struct pe_make *make)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	int err;

	pe_make_image(make, &image);
	err = pe_make_read(&pe, image.data, image.len, &error);
	ck_assert_msg(err == 0, "%s", spg_buf_text(&error));
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	return pe;
}

size_t pe_make_entry(const struct spg_buf *image, unsigned index)
{
	bool plus = (unsigned char)image->data[PE_AT + 25] == 2;

	return PE_AT + 24 + (plus ? 112 : 96) + 8 * (size_t)index;
}

size_t pe_make_table(const struct spg_buf *image, unsigned index)
{
	uint32_t rva = pe_make_u32(image, pe_make_entry(image, index));
	size_t at = pe_make_entry(image, 16);

	for (; at < HEADERS_BYTES; at += 40)
		if (pe_make_u32(image, at + 12) == rva)
			return pe_make_u32(image, at + 20);
	ck_abort_msg("no such table");
	return 0; /* where Check runs a test in its own process, that may return */
}
