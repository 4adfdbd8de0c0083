/* SPDX-License-Identifier: MIT */
#include "common/pe_signed.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_image.h"

#define DOS_NEW_HEADER_AT 0x3c
#define PE_BYTES          24
#define OPTIONAL_BYTES    112
#define CHECKSUM_AT       64 /* in the optional header, of both kinds */
#define MAGIC_PE32        0x10b
#define MAGIC_PE32PLUS    0x20b
#define CHECKSUM_BYTES    4
#define ENTRY_BYTES       8
#define TABLE_ALIGNMENT   8
#define TABLE_BYTES       16

/* SPC_PE_IMAGE_DATA (1.3.6.1.4.1.311.2.1.15): behind it comes the first digest. */
static const uint8_t image_data[] = {
	0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f};

/* A DigestInfo up to the digest, of each algorithm with and without parameters. */
static const struct {
	uint8_t bytes[19], n, digest_bytes, kind;
} infos[] = {
	{{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
		 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
		19, 32, SPG_PE_SIGNED_SHA256},
	{{0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
		 0x02, 0x01, 0x04, 0x20},
		17, 32, SPG_PE_SIGNED_SHA256},
	{{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00,
		 0x04, 0x14},
		15, 20, SPG_PE_SIGNED_SHA1},
	{{0x30, 0x1f, 0x30, 0x07, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x04, 0x14},
		13, 20, SPG_PE_SIGNED_SHA1},
	/* MD5, SHA-384, SHA-512 */
	{{0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02,
		 0x05},
		14, 0, SPG_PE_NOT_SIGNED},
	{{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
		 0x02, 0x02},
		15, 0, SPG_PE_NOT_SIGNED},
	{{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
		 0x02, 0x03},
		15, 0, SPG_PE_NOT_SIGNED},
};

/* The DigestInfo at the start of the @n bytes, as an index; -1: there is none. */
static int info_at(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
		if (n >= (size_t)infos[i].n + infos[i].digest_bytes &&
			memcmp(bytes, infos[i].bytes, infos[i].n) == 0)
			return (int)i;
	return -1;
}

static void find_digest(struct spg_pe_signed *file, const uint8_t *table, size_t n)
{
	const uint8_t *start = memmem(table, n, image_data, sizeof(image_data));
	const uint8_t *end = table + n;

	for (const uint8_t *at = start; at && at < end; at++) {
		int info = info_at(at, (size_t)(end - at));

		if (info < 0)
			continue;
		file->kind = infos[info].kind;
		spg_digest_format(
			at + infos[info].n, infos[info].digest_bytes, file->expected);
		return;
	}
}

/* Where the three ranges are that are no part of the digest. 0 in @ret_bytes: the file is
 * not signed, or not as it is known here. */
static int find_table(struct spg_pe_signed *file, const struct spg_pe_source *source,
	size_t *ret_bytes)
{
	uint8_t raw[OPTIONAL_BYTES];
	uint64_t at, size = source->size, bytes;
	int err;

	*ret_bytes = 0;
	if (size < DOS_NEW_HEADER_AT + 4)
		return 0;
	err = source->read(source->user, 0, raw, DOS_NEW_HEADER_AT + 4);
	if (err < 0 || raw[0] != 'M' || raw[1] != 'Z')
		return err;
	at = (uint64_t)spg_pe_u32(raw + DOS_NEW_HEADER_AT) + PE_BYTES;
	if (at + OPTIONAL_BYTES + 5 * ENTRY_BYTES > size)
		return 0;
	err = source->read(source->user, at, raw, OPTIONAL_BYTES);
	if (err < 0)
		return err;
	file->checksum_at = at + CHECKSUM_AT;
	if (spg_pe_u16(raw) == MAGIC_PE32PLUS)
		at += OPTIONAL_BYTES;
	else if (spg_pe_u16(raw) == MAGIC_PE32)
		at += OPTIONAL_BYTES - 16;
	else
		return 0;
	file->entry_at = at + (uint64_t)ENTRY_BYTES * SPG_PE_DIR_CERTIFICATE;
	err = source->read(source->user, file->entry_at, raw, ENTRY_BYTES);
	if (err < 0)
		return err;
	file->table_at = spg_pe_u32(raw);
	bytes = spg_pe_u32(raw + 4);
	if (file->table_at % TABLE_ALIGNMENT == 0 &&
		file->table_at >= file->entry_at + ENTRY_BYTES &&
		file->table_at + bytes == size && bytes >= TABLE_BYTES &&
		bytes <= SPG_PE_SIGNATURE_MAX)
		*ret_bytes = (size_t)bytes;
	return 0;
}

int spg_pe_signed_begin(struct spg_pe_signed *ret, const struct spg_pe_source *source)
{
	uint8_t *table;
	size_t n;
	int err;

	memset(ret, 0, sizeof(*ret));
	spg_digest_init(&ret->sha256);
	spg_sha1_init(&ret->sha1);
	err = find_table(ret, source, &n);
	if (err < 0 || n == 0)
		return err;
	table = malloc(n);
	if (!table)
		return SPG_ERR_NOMEM;
	err = source->read(source->user, ret->table_at, table, n);
	if (err == 0)
		find_digest(ret, table, n);
	free(table);
	return err;
}

static void add(struct spg_pe_signed *file, const uint8_t *bytes, size_t n)
{
	if (file->kind == SPG_PE_SIGNED_SHA256)
		spg_digest_add(&file->sha256, bytes, n);
	else
		spg_sha1_add(&file->sha1, bytes, n);
}

/* From @file->at on: the end of what is left out, or, when that is not now, of what is
 * not. */
static uint64_t next_border(const struct spg_pe_signed *file, bool *ret_left_out)
{
	const uint64_t ranges[][2] = {
		{file->checksum_at, file->checksum_at + CHECKSUM_BYTES},
		{file->entry_at, file->entry_at + ENTRY_BYTES},
		{file->table_at, UINT64_MAX},
	};

	for (size_t i = 0; i < 3; i++) {
		*ret_left_out = file->at >= ranges[i][0];
		if (file->at < ranges[i][1])
			return ranges[i][*ret_left_out];
	}
	return UINT64_MAX;
}

void spg_pe_signed_add(struct spg_pe_signed *file, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	while (file->kind != SPG_PE_NOT_SIGNED && n > 0) {
		bool left_out;
		uint64_t left = next_border(file, &left_out) - file->at;
		size_t take = left < n ? (size_t)left : n;

		if (!left_out)
			add(file, at, take);
		at += take;
		n -= take;
		file->at += take;
	}
}

bool spg_pe_signed_end(struct spg_pe_signed *file)
{
	char is[SPG_SHA256_TEXT_BYTES];

	if (file->kind == SPG_PE_NOT_SIGNED)
		return true;
	if (file->kind == SPG_PE_SIGNED_SHA256) {
		spg_digest_text(&file->sha256, is);
	} else {
		uint8_t digest[SPG_SHA1_BYTES];

		spg_sha1_end(&file->sha1, digest);
		spg_digest_format(digest, sizeof(digest), is);
	}
	return strcmp(is, file->expected) == 0;
}
