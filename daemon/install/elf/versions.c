/* SPDX-License-Identifier: MIT */
/* Versions of symbols: needed ones by library, and those that are defined. The records of
 * both classes are the same (elf.h: Elfxx_Verneed, _Vernaux, _Verdef, _Verdaux). */
#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/install/elf/file.h"

#define NEED_BYTES   16 /* vn_version, vn_cnt, vn_file, vn_aux, vn_next */
#define AUX_BYTES    16 /* vna_hash, vna_flags, vna_other, vna_name, vna_next */
#define DEF_BYTES    20 /* vd_version, _flags, _ndx, _cnt, _hash, _aux, _next */
#define DEFAUX_BYTES 8  /* vda_name, vda_next */
#define HIDDEN       0x8000

struct table {
	const uint8_t *at;
	uint64_t bytes;
};

static int find_table(struct spg_elf_file *file, uint64_t address, const char *what,
	struct table *ret)
{
	uint64_t bytes = spg_elf_room(file, address);
	Elf_Data *data;
	int err;

	/* Nothing tells how long it is: it ends in its segment. */
	if (bytes > SPG_ELF_RECORDS_MAX)
		bytes = SPG_ELF_RECORDS_MAX;
	err = spg_elf_at(file, address, bytes ? bytes : 1, ELF_T_BYTE, what, &data);
	if (err == 0)
		*ret = (struct table){data->d_buf, bytes};
	return err;
}

/* The record of @bytes at @offset; NULL: it is not in the table. */
static const uint8_t *record(const struct table *table, uint64_t offset, uint64_t bytes)
{
	return offset <= table->bytes && bytes <= table->bytes - offset
	               ? table->at + offset
	               : NULL;
}

static int damaged(struct spg_elf_file *file)
{
	return spg_elf_damage(file, "its versions of symbols lead out of their table");
}

/* ---- needed ---- */

/* Versions by their index in the table of symbols. */
static int add_needed(struct spg_elf_file *file, uint32_t library, const uint8_t *aux)
{
	uint32_t flags = spg_elf_u16(file, aux + 4);
	uint32_t other = spg_elf_u16(file, aux + 6), name = spg_elf_u32(file, aux + 8);
	struct spg_binary_version version = {.module = library,
		.weak = flags & VER_FLG_WEAK,
		.hidden = other & HIDDEN};
	struct spg_binary *binary = &file->binary;

	if (!spg_elf_has_string(file, name))
		return damaged(file);
	version.name = spg_elf_string(name);
	if (binary->n_versions >= SPG_ELF_VERSIONS_MAX)
		return spg_elf_limit(file, "it needs too many versions of symbols");
	if (spg_array_reserve(&file->versions, binary->n_versions, &file->versions_size,
		    sizeof(version)) < 0)
		return SPG_ERR_NOMEM;
	file->versions[binary->n_versions++] = version;
	file->version_of[other & ~HIDDEN] = (struct spg_elf_version){
		.needed = binary->n_versions, .name = version.name};
	return 0;
}

static int read_needed_of(struct spg_elf_file *file, const struct table *table,
	uint64_t offset, const uint8_t *need)
{
	uint32_t n = spg_elf_u16(file, need + 2), library = spg_elf_u32(file, need + 4);
	int err = 0;

	if (!spg_elf_has_string(file, library))
		return damaged(file);
	offset += spg_elf_u32(file, need + 8);
	for (uint32_t i = 0; err == 0 && i < n; i++) {
		const uint8_t *aux = record(table, offset, AUX_BYTES);

		if (!aux)
			return damaged(file);
		err = add_needed(file, spg_elf_string(library), aux);
		if (spg_elf_u32(file, aux + 12) == 0)
			break;
		offset += spg_elf_u32(file, aux + 12);
	}
	return err;
}

static int read_needed(struct spg_elf_file *file)
{
	struct table table;
	uint64_t offset = 0;
	int err = find_table(file, file->dynamic.needed_versions,
		"table of needed versions", &table);

	for (uint64_t i = 0;
		err == 0 &&
		i < spg_elf_min(file->dynamic.n_needed_versions, SPG_ELF_VERSIONS_MAX);
		i++) {
		const uint8_t *need = record(&table, offset, NEED_BYTES);

		if (!need)
			return damaged(file);
		err = read_needed_of(file, &table, offset, need);
		if (spg_elf_u32(file, need + 12) == 0)
			break;
		offset += spg_elf_u32(file, need + 12);
	}
	return err;
}

/* ---- defined ---- */

static int add_defined(struct spg_elf_file *file, uint32_t index, uint32_t name)
{
	struct spg_binary *binary = &file->binary;

	if (!spg_elf_has_string(file, name))
		return damaged(file);
	if (binary->n_defined >= SPG_ELF_VERSIONS_MAX)
		return spg_elf_limit(file, "it defines too many versions of symbols");
	if (spg_array_reserve(&file->defined, binary->n_defined, &file->defined_size,
		    sizeof(file->defined[0])) < 0)
		return SPG_ERR_NOMEM;
	file->defined[binary->n_defined++] = spg_elf_string(name);
	file->version_of[index & ~HIDDEN] =
		(struct spg_elf_version){.name = spg_elf_string(name)};
	return 0;
}

static int read_defined(struct spg_elf_file *file)
{
	struct table table;
	uint64_t offset = 0;
	int err = find_table(file, file->dynamic.defined_versions,
		"table of defined versions", &table);

	for (uint64_t i = 0;
		err == 0 &&
		i < spg_elf_min(file->dynamic.n_defined_versions, SPG_ELF_VERSIONS_MAX);
		i++) {
		const uint8_t *def = record(&table, offset, DEF_BYTES), *aux;
		uint32_t next;

		if (!def)
			return damaged(file);
		aux = record(
			&table, offset + spg_elf_u32(file, def + 12), DEFAUX_BYTES);
		if (!aux)
			return damaged(file);
		/* The base is the library itself, and no version. */
		if (!(spg_elf_u16(file, def + 2) & VER_FLG_BASE))
			err = add_defined(file, spg_elf_u16(file, def + 4),
				spg_elf_u32(file, aux));
		next = spg_elf_u32(file, def + 16);
		if (next == 0)
			break;
		offset += next;
	}
	return err;
}

int spg_elf_read_versions(struct spg_elf_file *file)
{
	int err = 0;

	file->version_of = calloc(HIDDEN, sizeof(file->version_of[0]));
	if (!file->version_of)
		return SPG_ERR_NOMEM;
	if (file->dynamic.needed_versions)
		err = read_needed(file);
	if (err == 0 && file->dynamic.defined_versions)
		err = read_defined(file);
	return err;
}
