/* SPDX-License-Identifier: MIT */
/* .NET: an assembly's own name and those that it refers to (ECMA-335, II.24, II.22). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/pe_image.h"

#define CLI_BYTES         72 /* the CLI header */
#define CLI_METADATA      8
#define ROOT_SIGNATURE    0x424a5342U
#define ROOT_BYTES        16 /* before the version's text */
#define VERSION_MAX       255
#define STREAM_NAME_BYTES 32
#define TABLES_BYTES      24 /* of the stream of tables, before the numbers of rows */
#define WIDE_STRINGS      0x01
#define WIDE_GUIDS        0x02
#define WIDE_BLOBS        0x04
#define EXTRA_DATA        0x40 /* 4 bytes behind the numbers of rows */
#define ROWS_MAX          0xffffffU
#define N_TABLES          64
#define N_KNOWN           0x24 /* up to AssemblyRef */
#define COLUMNS_MAX       9
#define FULL_KEY          0x0001 /* AssemblyFlags */
#define RETARGETABLE      0x0100
#define CONTENT_MASK      0x0e00
#define CONTENT_WINDOWS   0x0200

enum table {
	MODULE = 0x00,
	TYPE_REF = 0x01,
	TYPE_DEF = 0x02,
	FIELD = 0x04,
	METHOD = 0x06,
	PARAM = 0x08,
	INTERFACE_IMPL = 0x09,
	MEMBER_REF = 0x0a,
	DECL_SECURITY = 0x0e,
	SIGNATURE = 0x11,
	EVENT = 0x14,
	PROPERTY = 0x17,
	MODULE_REF = 0x1a,
	TYPE_SPEC = 0x1b,
	ASSEMBLY = 0x20,
	ASSEMBLY_REF = 0x23,
	FILE_TABLE = 0x26,
	EXPORTED_TYPE = 0x27,
	RESOURCE = 0x28,
	GENERIC_PARAM = 0x2a,
	METHOD_SPEC = 0x2b,
	GENERIC_CONSTRAINT = 0x2c,
};

/* Kinds of columns: fixed widths, heaps, an index into one table (TO plus its
 * number), one into several (CODED plus the number of its kind). */
enum {
	NONE,
	TWO,
	FOUR,
	STRING,
	GUID,
	BLOB,
	CODED = 0x20,
	TO = 0x40,
};

enum coded {
	TYPE_DEF_OR_REF,
	HAS_CONSTANT,
	HAS_ATTRIBUTE,
	HAS_MARSHAL,
	HAS_SECURITY,
	MEMBER_PARENT,
	HAS_SEMANTICS,
	METHOD_OR_REF,
	FORWARDED,
	ATTRIBUTE_TYPE,
	SCOPE,
};

/* II.24.2.6: bits of the tag, and the tables; END ends them. */
#define END 0xff

static const struct {
	uint8_t bits, tables[24];
} coded_kinds[] = {
	[TYPE_DEF_OR_REF] = {2, {TYPE_DEF, TYPE_REF, TYPE_SPEC, END}},
	[HAS_CONSTANT] = {2, {FIELD, PARAM, PROPERTY, END}},
	[HAS_ATTRIBUTE] = {5,
		{METHOD, FIELD, TYPE_REF, TYPE_DEF, PARAM, INTERFACE_IMPL, MEMBER_REF,
			MODULE, DECL_SECURITY, PROPERTY, EVENT, SIGNATURE, MODULE_REF,
			TYPE_SPEC, ASSEMBLY, ASSEMBLY_REF, FILE_TABLE, EXPORTED_TYPE,
			RESOURCE, GENERIC_PARAM, GENERIC_CONSTRAINT, METHOD_SPEC, END}},
	[HAS_MARSHAL] = {1, {FIELD, PARAM, END}},
	[HAS_SECURITY] = {2, {TYPE_DEF, METHOD, ASSEMBLY, END}},
	[MEMBER_PARENT] = {3, {TYPE_DEF, TYPE_REF, MODULE_REF, METHOD, TYPE_SPEC, END}},
	[HAS_SEMANTICS] = {1, {EVENT, PROPERTY, END}},
	[METHOD_OR_REF] = {1, {METHOD, MEMBER_REF, END}},
	[FORWARDED] = {1, {FIELD, METHOD, END}},
	[ATTRIBUTE_TYPE] = {3, {METHOD, MEMBER_REF, END}},
	[SCOPE] = {2, {MODULE, MODULE_REF, ASSEMBLY_REF, TYPE_REF, END}},
};

/* II.22, and the tables of pointers that only the stream "#-" has. */
static const uint8_t schema[N_KNOWN][COLUMNS_MAX] = {
	[MODULE] = {TWO, STRING, GUID, GUID, GUID},
	[TYPE_REF] = {CODED + SCOPE, STRING, STRING},
	[TYPE_DEF] = {FOUR, STRING, STRING, CODED + TYPE_DEF_OR_REF, TO + FIELD,
		TO + METHOD},
	[0x03] = {TO + FIELD},
	[FIELD] = {TWO, STRING, BLOB},
	[0x05] = {TO + METHOD},
	[METHOD] = {FOUR, TWO, TWO, STRING, BLOB, TO + PARAM},
	[0x07] = {TO + PARAM},
	[PARAM] = {TWO, TWO, STRING},
	[INTERFACE_IMPL] = {TO + TYPE_DEF, CODED + TYPE_DEF_OR_REF},
	[MEMBER_REF] = {CODED + MEMBER_PARENT, STRING, BLOB},
	[0x0b] = {TWO, CODED + HAS_CONSTANT, BLOB},
	[0x0c] = {CODED + HAS_ATTRIBUTE, CODED + ATTRIBUTE_TYPE, BLOB},
	[0x0d] = {CODED + HAS_MARSHAL, BLOB},
	[DECL_SECURITY] = {TWO, CODED + HAS_SECURITY, BLOB},
	[0x0f] = {TWO, FOUR, TO + TYPE_DEF},
	[0x10] = {FOUR, TO + FIELD},
	[SIGNATURE] = {BLOB},
	[0x12] = {TO + TYPE_DEF, TO + EVENT},
	[0x13] = {TO + EVENT},
	[EVENT] = {TWO, STRING, CODED + TYPE_DEF_OR_REF},
	[0x15] = {TO + TYPE_DEF, TO + PROPERTY},
	[0x16] = {TO + PROPERTY},
	[PROPERTY] = {TWO, STRING, BLOB},
	[0x18] = {TWO, TO + METHOD, CODED + HAS_SEMANTICS},
	[0x19] = {TO + TYPE_DEF, CODED + METHOD_OR_REF, CODED + METHOD_OR_REF},
	[MODULE_REF] = {STRING},
	[TYPE_SPEC] = {BLOB},
	[0x1c] = {TWO, CODED + FORWARDED, STRING, TO + MODULE_REF},
	[0x1d] = {FOUR, TO + FIELD},
	[0x1e] = {FOUR, FOUR},
	[0x1f] = {FOUR},
	[ASSEMBLY] = {FOUR, FOUR, FOUR, FOUR, BLOB, STRING, STRING},
	[0x21] = {FOUR},
	[0x22] = {FOUR, FOUR, FOUR},
	[ASSEMBLY_REF] = {FOUR, FOUR, FOUR, BLOB, STRING, STRING, BLOB},
};

struct stream {
	uint64_t rva;
	uint32_t bytes; /* 0: there is none */
};

struct metadata {
	struct spg_pe_image *image;
	struct stream tables, strings, blobs;
	uint8_t wide;
	uint32_t n_rows[N_TABLES];
};

/* ---- streams ---- */

/* One header; *@at is moved behind it. */
static int read_stream(struct metadata *metadata, uint64_t root, uint64_t *at)
{
	uint8_t raw[8 + STREAM_NAME_BYTES + 1] = {0};
	const struct {
		const char *name;
		struct stream *to;
	} wanted[] = {
		{"#~", &metadata->tables},
		{"#-", &metadata->tables},
		{"#Strings", &metadata->strings},
		{"#Blob", &metadata->blobs},
	};
	const char *name = (const char *)raw + 8;
	size_t n = 0;
	int err = spg_pe_image_read(metadata->image, *at, raw, 8);

	while (err == 0 && n < STREAM_NAME_BYTES) {
		err = spg_pe_image_read(metadata->image, *at + 8 + n, raw + 8 + n, 4);
		n += 4;
		if (memchr(raw + 8 + n - 4, 0, 4))
			break;
	}
	if (err < 0)
		return err;
	*at += 8 + n;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strcmp(name, wanted[i].name) == 0 && wanted[i].to->bytes == 0)
			*wanted[i].to = (struct stream){
				root + spg_pe_u32(raw), spg_pe_u32(raw + 4)};
	return 0;
}

static int read_streams(struct metadata *metadata, uint64_t root)
{
	uint8_t raw[ROOT_BYTES];
	uint32_t version;
	uint64_t at;
	uint16_t n;
	int err = spg_pe_image_read(metadata->image, root, raw, sizeof(raw));

	if (err < 0)
		return err;
	version = spg_pe_u32(raw + 12);
	if (spg_pe_u32(raw) != ROOT_SIGNATURE || version > VERSION_MAX + 1)
		return spg_pe_image_damage(metadata->image, "they have no signature");
	at = root + ROOT_BYTES + ((version + 3) & ~(uint64_t)3);
	err = spg_pe_image_read(metadata->image, at, raw, 4);
	n = spg_pe_u16(raw + 2);
	if (err == 0 && n > SPG_PE_STREAMS_MAX)
		return spg_pe_image_limit(metadata->image,
			"they have %u streams, at most %d are read", n,
			SPG_PE_STREAMS_MAX);
	at += 4;
	for (uint16_t i = 0; err == 0 && i < n; i++)
		err = read_stream(metadata, root, &at);
	return err;
}

/* ---- tables ---- */

static int read_rows(struct metadata *metadata, uint64_t *ret_at)
{
	uint64_t at = metadata->tables.rva, valid;
	uint8_t raw[TABLES_BYTES];
	int err = spg_pe_image_read(metadata->image, at, raw, sizeof(raw));

	if (err < 0)
		return err;
	metadata->wide = raw[6];
	valid = spg_pe_u64(raw + 8);
	at += TABLES_BYTES;
	for (size_t table = 0; table < N_TABLES; table++) {
		if (!(valid >> table & 1))
			continue;
		err = spg_pe_image_read(metadata->image, at, raw, 4);
		if (err < 0)
			return err;
		metadata->n_rows[table] = spg_pe_u32(raw);
		if (metadata->n_rows[table] > ROWS_MAX)
			return spg_pe_image_damage(metadata->image,
				"table %zu has %u rows", table,
				metadata->n_rows[table]);
		at += 4;
	}
	*ret_at = at + (metadata->wide & EXTRA_DATA ? 4 : 0);
	return 0;
}

static size_t coded_bytes(const struct metadata *metadata, size_t kind)
{
	uint32_t most = 0;

	for (size_t i = 0; coded_kinds[kind].tables[i] != END; i++)
		if (metadata->n_rows[coded_kinds[kind].tables[i]] > most)
			most = metadata->n_rows[coded_kinds[kind].tables[i]];
	return most >> (16 - coded_kinds[kind].bits) ? 4 : 2;
}

static size_t column_bytes(const struct metadata *metadata, uint8_t column)
{
	switch (column) {
	case NONE:
		return 0;
	case TWO:
		return 2;
	case FOUR:
		return 4;
	case STRING:
		return metadata->wide & WIDE_STRINGS ? 4 : 2;
	case GUID:
		return metadata->wide & WIDE_GUIDS ? 4 : 2;
	case BLOB:
		return metadata->wide & WIDE_BLOBS ? 4 : 2;
	}
	if (column >= TO)
		return metadata->n_rows[column - TO] > UINT16_MAX ? 4 : 2;
	return coded_bytes(metadata, column - CODED);
}

static size_t row_bytes(const struct metadata *metadata, size_t table)
{
	size_t bytes = 0;

	for (size_t i = 0; i < COLUMNS_MAX; i++)
		bytes += column_bytes(metadata, schema[table][i]);
	return bytes;
}

static int read_row(const struct metadata *metadata, size_t table, uint64_t at,
	uint32_t ret[COLUMNS_MAX])
{
	for (size_t i = 0; i < COLUMNS_MAX; i++) {
		size_t n = column_bytes(metadata, schema[table][i]);
		uint8_t raw[4] = {0};
		int err = spg_pe_image_read(metadata->image, at, raw, n);

		if (err < 0)
			return err;
		ret[i] = spg_pe_u32(raw);
		at += n;
	}
	return 0;
}

/* ---- heaps ---- */

/* *@ret is 0 for an empty text. */
static int read_string(const struct metadata *metadata, uint32_t index, uint32_t *ret)
{
	uint64_t rva = metadata->strings.rva + index;
	uint8_t first = 0;
	int err = 0;

	*ret = 0;
	if (index == 0)
		return 0;
	if (index >= metadata->strings.bytes)
		return spg_pe_image_damage(
			metadata->image, "a name lies behind all names");
	err = spg_pe_image_read(metadata->image, rva, &first, 1);
	if (err < 0 || first == 0)
		return err;
	return spg_pe_image_text(
		metadata->image, rva, SPG_PE_ASSEMBLY_MAX, "name of an assembly", ret);
}

/* Where the content of the blob is, and how long (II.24.2.4). */
static int read_blob(const struct metadata *metadata, uint32_t index, uint64_t *ret_rva,
	uint32_t *ret_n)
{
	uint64_t rva = metadata->blobs.rva + index;
	uint8_t raw[4] = {0};
	size_t n = 1;
	int err;

	*ret_n = 0;
	if (index == 0)
		return 0;
	if (index >= metadata->blobs.bytes)
		return spg_pe_image_damage(metadata->image, "a key lies behind all");
	err = spg_pe_image_read(metadata->image, rva, raw, 1);
	if (raw[0] & 0x80)
		n = raw[0] & 0x40 ? 4 : 2;
	if (err == 0 && n > 1)
		err = spg_pe_image_read(metadata->image, rva + 1, raw + 1, n - 1);
	if (err < 0)
		return err;
	*ret_rva = rva + n;
	if (n == 1)
		*ret_n = raw[0];
	else if (n == 2)
		*ret_n = (raw[0] & 0x3fU) << 8 | raw[1];
	else
		*ret_n = (raw[0] & 0x1fU) << 24 | (uint32_t)raw[1] << 16 |
		         (uint32_t)raw[2] << 8 | raw[3];
	if (*ret_n > metadata->blobs.bytes - index)
		return spg_pe_image_damage(metadata->image, "a key lies behind all");
	return 0;
}

/* The token of the public key at @rva: the last 8 bytes of its SHA-1, backwards. */
static int make_token(const struct metadata *metadata, uint64_t rva, uint32_t n,
	uint8_t ret[SPG_BINARY_TOKEN_BYTES])
{
	uint8_t digest[SPG_SHA1_BYTES], *key;
	int err;

	if (n > SPG_PE_KEY_MAX)
		return spg_pe_image_limit(metadata->image,
			"a key has %u bytes, at most %d are read", n, SPG_PE_KEY_MAX);
	key = malloc(n);
	if (!key)
		return SPG_ERR_NOMEM;
	err = spg_pe_image_read(metadata->image, rva, key, n);
	if (err == 0)
		spg_sha1(key, n, digest);
	for (size_t i = 0; err == 0 && i < SPG_BINARY_TOKEN_BYTES; i++)
		ret[i] = digest[SPG_SHA1_BYTES - 1 - i];
	free(key);
	return err;
}

/* ---- assemblies ---- */

/* Columns from the version on, which both tables have in this order. */
static int read_assembly(const struct metadata *metadata, const uint32_t *columns,
	bool is_reference, struct spg_binary_assembly *ret)
{
	uint32_t flags = columns[2], n = 0;
	uint64_t rva = 0;
	int err;

	*ret = (struct spg_binary_assembly){
		.version = {(uint16_t)columns[0], (uint16_t)(columns[0] >> 16),
			(uint16_t)columns[1], (uint16_t)(columns[1] >> 16)},
		.is_retargetable = flags & RETARGETABLE,
		.is_windows_runtime = (flags & CONTENT_MASK) == CONTENT_WINDOWS,
	};
	err = read_blob(metadata, columns[3], &rva, &n);
	ret->has_token = n > 0;
	if (err == 0 && n == SPG_BINARY_TOKEN_BYTES && is_reference &&
		!(flags & FULL_KEY))
		err = spg_pe_image_read(metadata->image, rva, ret->token, n);
	else if (err == 0 && n > 0)
		err = make_token(metadata, rva, n, ret->token);
	if (err == 0)
		err = read_string(metadata, columns[4], &ret->name);
	if (err == 0)
		err = read_string(metadata, columns[5], &ret->culture);
	if (err == 0 && !ret->name)
		return spg_pe_image_damage(
			metadata->image, "the name of an assembly is missing");
	return err;
}

static int read_references(const struct metadata *metadata, uint64_t at, uint32_t n)
{
	struct spg_pe_image *image = metadata->image;
	size_t bytes = row_bytes(metadata, ASSEMBLY_REF);

	if (n > SPG_PE_REFERENCES_MAX)
		return spg_pe_image_limit(image,
			"it refers to %u assemblies, at most %d are read", n,
			SPG_PE_REFERENCES_MAX);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t columns[COLUMNS_MAX];
		struct spg_binary_assembly reference;
		int err = read_row(metadata, ASSEMBLY_REF, at + i * bytes, columns);

		if (err == 0)
			err = read_assembly(metadata, columns, true, &reference);
		if (err < 0)
			return err;
		if (spg_array_reserve(&image->references, image->pe.n_references,
			    &image->references_size, sizeof(reference)) < 0)
			return SPG_ERR_NOMEM;
		image->references[image->pe.n_references++] = reference;
	}
	return 0;
}

static int read_tables(struct metadata *metadata)
{
	uint32_t columns[COLUMNS_MAX];
	uint64_t at = 0;
	int err;

	if (metadata->tables.bytes == 0)
		return spg_pe_image_damage(metadata->image, "they have no tables");
	err = read_rows(metadata, &at);
	for (size_t table = 0; err == 0 && table < N_KNOWN; table++) {
		uint32_t n = metadata->n_rows[table];

		if (table == ASSEMBLY && n > 0) {
			err = read_row(metadata, table, at, columns);
			/* The first is the algorithm of hashes. */
			if (err == 0)
				err = read_assembly(metadata, columns + 1, false,
					&metadata->image->pe.assembly);
		} else if (table == ASSEMBLY_REF) {
			err = read_references(metadata, at, n);
		}
		at += (uint64_t)n * row_bytes(metadata, table);
	}
	return err;
}

int spg_pe_read_assembly(struct spg_pe_image *image)
{
	struct metadata metadata = {.image = image};
	uint32_t rva = image->dirs[SPG_PE_DIR_CLI].rva;
	uint8_t raw[CLI_BYTES];
	int err;

	if (rva == 0)
		return 0;
	err = spg_pe_image_read(image, rva, raw, sizeof(raw));
	if (err == 0)
		err = read_streams(&metadata, spg_pe_u32(raw + CLI_METADATA));
	if (err == 0)
		err = read_tables(&metadata);
	if (err == 0)
		image->pe.is_managed = true;
	return err;
}
