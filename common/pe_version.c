/* SPDX-License-Identifier: MIT */
/* The version resource: VS_VERSIONINFO, found by type, name and language. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_image.h"

#define RT_VERSION         16
#define VS_VERSION_INFO    1     /* the resource's name, where several are there */
#define US_ENGLISH         0x409 /* its language likewise: names that compare */
#define FIXED_SIGNATURE    0xfeef04bdU
#define FIXED_BYTES        52 /* VS_FIXEDFILEINFO */
#define DIRECTORY_BYTES    16 /* IMAGE_RESOURCE_DIRECTORY */
#define ENTRY_BYTES        8  /* IMAGE_RESOURCE_DIRECTORY_ENTRY */
#define IS_DIRECTORY       0x80000000U
#define BLOCK_HEADER_BYTES 6 /* wLength, wValueLength, wType */

/* ---- the directory ---- */

/* Of the directory at @offset (counted from the first one) the entry with the
 * number @id; @or_first: else the first. 0 in *@ret: there is none. */
static int find_entry(struct spg_pe_image *image, uint32_t offset, uint32_t id,
	bool or_first, uint32_t *ret)
{
	uint64_t rva = (uint64_t)image->dirs[SPG_PE_DIR_RESOURCE].rva + offset;
	uint8_t raw[DIRECTORY_BYTES];
	uint32_t n;
	int err = spg_pe_image_read(image, rva, raw, sizeof(raw));

	if (err < 0)
		return err;
	*ret = 0;
	n = (uint32_t)spg_pe_u16(raw + 12) + spg_pe_u16(raw + 14);
	if (n > SPG_PE_ENTRIES_MAX)
		return spg_pe_image_limit(image,
			"a resource directory has %u entries, at most %d are read", n,
			SPG_PE_ENTRIES_MAX);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t found;

		err = spg_pe_image_read(image, rva + DIRECTORY_BYTES + i * ENTRY_BYTES,
			raw, ENTRY_BYTES);
		if (err < 0)
			return err;
		found = spg_pe_u32(raw + 4);
		if (i == 0 && or_first)
			*ret = found;
		if (spg_pe_u32(raw) == id) {
			*ret = found;
			break;
		}
	}
	return 0;
}

/* Address and size of the first version resource; size 0: there is none. */
static int find_version(struct spg_pe_image *image, uint32_t *ret_rva, uint32_t *ret_n)
{
	static const uint32_t wanted[] = {RT_VERSION, VS_VERSION_INFO, US_ENGLISH};
	uint32_t entry = IS_DIRECTORY, offset;
	uint8_t raw[8];
	int err = 0;

	*ret_n = 0;
	for (int level = 0; level < 3; level++) {
		if (!(entry & IS_DIRECTORY))
			return spg_pe_image_damage(
				image, "resource data where a directory belongs");
		offset = entry & ~IS_DIRECTORY;
		err = find_entry(image, offset, wanted[level], level > 0, &entry);
		if (err < 0 || entry == 0)
			return err;
	}
	if (entry & IS_DIRECTORY)
		return spg_pe_image_damage(
			image, "a resource directory where data belong");
	err = spg_pe_image_read(image,
		(uint64_t)image->dirs[SPG_PE_DIR_RESOURCE].rva + entry, raw,
		sizeof(raw));
	if (err < 0)
		return err;
	*ret_rva = spg_pe_u32(raw);
	*ret_n = spg_pe_u32(raw + 4);
	return 0;
}

/* ---- VS_VERSIONINFO: blocks in blocks ---- */

/* wLength, wValueLength, wType, szKey, padding, value, padding, blocks. All
 * offsets count from the start of the resource, to which padding refers. */
struct block {
	size_t start, end;
	size_t key, key_units;
	size_t value, value_bytes;
	size_t inside; /* first block inside */
	bool is_text;
};

struct version {
	struct spg_pe_image *image;
	const uint8_t *data;
	size_t n;
};

static size_t aligned(size_t offset)
{
	return (offset + 3) & ~(size_t)3;
}

/* Units of the text at @from before its zero or @end. */
static size_t text_units(const struct version *version, size_t from, size_t end)
{
	size_t n = 0;

	while (from + 2 * n + 2 <= end && spg_pe_u16(version->data + from + 2 * n))
		n++;
	return n;
}

static int read_block(
	const struct version *version, size_t at, size_t limit, struct block *ret)
{
	const uint8_t *raw = version->data + at;
	size_t length, value;

	if (at + BLOCK_HEADER_BYTES > limit)
		return spg_pe_image_damage(
			version->image, "a block of the version goes beyond its end");
	length = spg_pe_u16(raw);
	value = spg_pe_u16(raw + 2);
	if (length < BLOCK_HEADER_BYTES || length > limit - at)
		return spg_pe_image_damage(version->image,
			"a block of the version has %zu bytes of %zu", length,
			limit - at);
	ret->start = at;
	ret->end = at + length;
	ret->is_text = spg_pe_u16(raw + 4) == 1;
	ret->key = at + BLOCK_HEADER_BYTES;
	ret->key_units = text_units(version, ret->key, ret->end);
	ret->value = aligned(ret->key + 2 * ret->key_units + 2);
	if (ret->value > ret->end)
		ret->value = ret->end;
	/* Of a text the length counts units, or, from some tools, bytes: its end
	 * is found by its zero. */
	ret->value_bytes = ret->is_text ? 2 * value : value;
	if (ret->value_bytes > ret->end - ret->value)
		ret->value_bytes = ret->end - ret->value;
	ret->inside = aligned(ret->value + ret->value_bytes);
	if (ret->inside > ret->end)
		ret->inside = ret->end;
	return 0;
}

/* The block behind @block in one that ends at @limit; *ret_end: it was the last. */
static int next_block(const struct version *version, size_t at, size_t limit,
	struct block *ret, bool *ret_end)
{
	/* Fewer bytes than a header are padding. */
	*ret_end = at + BLOCK_HEADER_BYTES > limit;
	return *ret_end ? 0 : read_block(version, at, limit, ret);
}

static bool has_key(
	const struct version *version, const struct block *block, const char *key)
{
	if (block->key_units != strlen(key))
		return false;
	for (size_t i = 0; key[i]; i++)
		if (spg_pe_u16(version->data + block->key + 2 * i) !=
			(unsigned char)key[i])
			return false;
	return true;
}

/* ---- texts ---- */

static void add_utf8(struct spg_buf *out, uint32_t c)
{
	if (c < 0x80) {
		spg_buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		spg_buf_putc(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		spg_buf_putc(out, (char)(0xe0 | c >> 12));
		spg_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		spg_buf_putc(out, (char)(0xf0 | c >> 18));
		spg_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		spg_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	spg_buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

/* Half a surrogate pair becomes U+FFFD. */
static void add_utf16(struct spg_buf *out, const uint8_t *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t c = spg_pe_u16(units + 2 * i);
		uint32_t low = i + 1 < n ? spg_pe_u16(units + 2 * i + 2) : 0;

		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i++;
		} else if (c >= 0xd800 && c < 0xe000) {
			c = 0xfffd;
		}
		add_utf8(out, c);
	}
}

static int take_string(const struct version *version, const struct block *block)
{
	struct spg_binary *pe = &version->image->pe;
	const struct {
		const char *key;
		uint32_t *to;
	} wanted[] = {
		{"CompanyName", &pe->company_name},
		{"ProductName", &pe->product_name},
		{"FileVersion", &pe->file_version_text},
		{"ProductVersion", &pe->product_version_text},
		{"OriginalFilename", &pe->original_filename},
	};
	struct spg_buf text = SPG_BUF_NULL;
	size_t n = text_units(version, block->value, block->end);
	int err = 0;

	if (n > SPG_PE_STRING_MAX)
		n = SPG_PE_STRING_MAX;
	for (size_t i = 0; n && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (*wanted[i].to || !has_key(version, block, wanted[i].key))
			continue;
		add_utf16(&text, version->data + block->value, n);
		err = text.failed ? SPG_ERR_NOMEM
		                  : spg_pe_image_keep(version->image, text.data,
					    text.len, wanted[i].to);
		break;
	}
	spg_buf_finish(&text);
	return err;
}

/* The strings of the first StringTable in the StringFileInfo @info. */
static int take_strings(const struct version *version, const struct block *info)
{
	struct block table, string;
	bool end;
	int err = next_block(version, info->inside, info->end, &table, &end);

	if (err < 0 || end)
		return err;
	for (size_t at = table.inside;; at = aligned(string.end)) {
		err = next_block(version, at, table.end, &string, &end);
		if (err < 0 || end)
			return err;
		err = take_string(version, &string);
		if (err < 0)
			return err;
	}
}

static void take_number(uint16_t to[4], const uint8_t *raw)
{
	to[0] = spg_pe_u16(raw + 2);
	to[1] = spg_pe_u16(raw);
	to[2] = spg_pe_u16(raw + 6);
	to[3] = spg_pe_u16(raw + 4);
}

static int take_fixed(const struct version *version, const struct block *root)
{
	const uint8_t *raw = version->data + root->value;

	if (root->value_bytes == 0)
		return 0;
	if (root->value_bytes < FIXED_BYTES || spg_pe_u32(raw) != FIXED_SIGNATURE)
		return spg_pe_image_damage(
			version->image, "VS_FIXEDFILEINFO has no signature");
	version->image->pe.has_version = true;
	take_number(version->image->pe.file_version, raw + 8);
	take_number(version->image->pe.product_version, raw + 16);
	return 0;
}

static int take_version(const struct version *version)
{
	struct block root, block;
	bool end;
	int err = read_block(version, 0, version->n, &root);

	if (err == 0 && !has_key(version, &root, "VS_VERSION_INFO"))
		err = spg_pe_image_damage(
			version->image, "the version has no key VS_VERSION_INFO");
	if (err == 0)
		err = take_fixed(version, &root);
	if (err < 0)
		return err;
	for (size_t at = root.inside;; at = aligned(block.end)) {
		err = next_block(version, at, root.end, &block, &end);
		if (err < 0 || end)
			return err;
		if (has_key(version, &block, "StringFileInfo"))
			return take_strings(version, &block);
	}
}

int spg_pe_read_version(struct spg_pe_image *image)
{
	struct version version = {.image = image};
	uint32_t rva, n;
	uint8_t *data;
	int err;

	if (image->dirs[SPG_PE_DIR_RESOURCE].rva == 0)
		return 0;
	err = find_version(image, &rva, &n);
	if (err < 0 || n == 0)
		return err;
	/* Its own length has 16 bits. */
	if (n > SPG_PE_VERSION_MAX)
		return spg_pe_image_limit(image,
			"it claims %u bytes, at most %d are read", n,
			SPG_PE_VERSION_MAX);
	data = malloc(n);
	if (!data)
		return SPG_ERR_NOMEM;
	err = spg_pe_image_read(image, rva, data, n);
	if (err == 0) {
		version.data = data;
		version.n = n;
		err = take_version(&version);
	}
	free(data);
	return err;
}
