/* SPDX-License-Identifier: MIT */
/* The loader's symbols: how many there are, which of them it finds, what is exported. */
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/install/elf/file.h"

#define HIDDEN       0x8000 /* of a symbol's version index */
#define HEADER_BYTES 16     /* of DT_GNU_HASH: buckets, first, Bloom words, shift */
#define FIRST_INDEX  2      /* 0 local, 1 global: the first version that is defined */

static size_t symbol_bytes(const struct spg_elf_file *file)
{
	return gelf_fsize(file->elf, ELF_T_SYM, 1, EV_CURRENT);
}

/* The chain of the bucket with the highest symbols ends the table. */
static int count_by_chain(
	struct spg_elf_file *file, uint64_t address, uint32_t highest, uint32_t first)
{
	uint64_t at = address + (uint64_t)(highest - first) * 4;
	uint64_t n = spg_elf_min(spg_elf_room(file, at) / 4, SPG_ELF_SYMBOLS_MAX);
	Elf_Data *data;
	int err = spg_elf_at(
		file, at, n ? n * 4 : 4, ELF_T_BYTE, "hash table of symbols", &data);

	if (err < 0)
		return err;
	for (uint64_t i = 0; i < n; i++) {
		if (!(spg_elf_u32(file, (uint8_t *)data->d_buf + i * 4) & 1))
			continue;
		file->n_symbols = highest + i + 1;
		return 0;
	}
	return spg_elf_damage(file, "its hash table of symbols has no end");
}

static int count_by_gnu_hash(struct spg_elf_file *file)
{
	uint64_t at = file->dynamic.gnu_hash;
	uint32_t n_buckets, first, n_words, highest = 0;
	unsigned word = file->binary.is_64_bit ? 8 : 4;
	Elf_Data *data;
	int err = spg_elf_at(
		file, at, HEADER_BYTES, ELF_T_BYTE, "hash table of symbols", &data);

	if (err < 0)
		return err;
	n_buckets = spg_elf_u32(file, data->d_buf);
	first = spg_elf_u32(file, (uint8_t *)data->d_buf + 4);
	n_words = spg_elf_u32(file, (uint8_t *)data->d_buf + 8);
	at += HEADER_BYTES + (uint64_t)n_words * word;
	err = spg_elf_at(file, at, (uint64_t)n_buckets * 4, ELF_T_BYTE,
		"hash table of symbols", &data);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < n_buckets; i++) {
		uint32_t bucket = spg_elf_u32(file, (uint8_t *)data->d_buf + i * 4ULL);

		highest = bucket > highest ? bucket : highest;
	}
	file->first_hashed = first;
	file->n_symbols = first;
	if (highest == 0) /* it exports nothing */
		return 0;
	if (highest < first || highest >= SPG_ELF_SYMBOLS_MAX)
		return spg_elf_damage(file, "its hash table of symbols is damaged");
	return count_by_chain(file, at + (uint64_t)n_buckets * 4, highest, first);
}

static int count_by_hash(struct spg_elf_file *file)
{
	/* nbucket, nchain, of four bytes but on Alpha and 64-bit S/390. */
	bool is_wide =
		file->binary.is_64_bit && (file->header.e_machine == EM_S390 ||
						  file->header.e_machine == EM_ALPHA);
	unsigned n = is_wide ? 8 : 4, low = 0;
	Elf_Data *data;
	int err = spg_elf_at(file, file->dynamic.hash, 2ULL * n, ELF_T_BYTE,
		"hash table of symbols", &data);

	if (err < 0)
		return err;
	if (is_wide && file->header.e_ident[EI_DATA] == ELFDATA2MSB)
		low = 4;
	file->n_symbols = spg_elf_u32(file, (uint8_t *)data->d_buf + n + low);
	return 0;
}

static int find_versions(struct spg_elf_file *file)
{
	Elf_Data *data;
	int err;

	if (!file->dynamic.versions || file->n_symbols == 0)
		return 0;
	err = spg_elf_at(file, file->dynamic.versions, file->n_symbols * 2, ELF_T_BYTE,
		"table of versions", &data);
	if (err == 0)
		file->symbol_versions = data->d_buf;
	return err;
}

int spg_elf_grow_symbols(struct spg_elf_file *file, size_t n)
{
	int err;

	if (n <= file->n_symbols && file->symbols)
		return 0;
	if (n > SPG_ELF_SYMBOLS_MAX)
		return spg_elf_limit(file, "it has too many symbols");
	if (n > file->n_symbols)
		file->n_symbols = n;
	if (file->n_symbols == 0)
		return 0;
	err = spg_elf_at(file, file->dynamic.symbols,
		file->n_symbols * symbol_bytes(file), ELF_T_SYM, "table of symbols",
		&file->symbols);
	return err < 0 ? err : find_versions(file);
}

int spg_elf_find_symbols(struct spg_elf_file *file)
{
	int err = 0;

	if (!file->dynamic.symbols)
		return 0;
	if (file->dynamic.gnu_hash)
		err = count_by_gnu_hash(file);
	else if (file->dynamic.hash)
		err = count_by_hash(file);
	return err < 0 ? err : spg_elf_grow_symbols(file, file->n_symbols);
}

uint32_t spg_elf_symbol_version(const struct spg_elf_file *file, size_t index)
{
	return file->symbol_versions
	               ? spg_elf_u16(file, file->symbol_versions + index * 2)
	               : 0;
}

/* ---- exports ---- */

/* As glibc's check_match() does: not a section, a file or nothing at all. */
static bool is_of_use(const struct spg_elf_file *file, const GElf_Sym *symbol)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);
	unsigned bind = GELF_ST_BIND(symbol->st_info);
	unsigned visibility = GELF_ST_VISIBILITY(symbol->st_other);

	if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE)
		return false;
	if (visibility == STV_HIDDEN || visibility == STV_INTERNAL)
		return false;
	if (type != STT_NOTYPE && type != STT_OBJECT && type != STT_FUNC &&
		type != STT_COMMON && type != STT_TLS && type != STT_GNU_IFUNC)
		return false;
	if (symbol->st_value == 0 && symbol->st_shndx != SHN_ABS && type != STT_TLS)
		return false;
	if (symbol->st_shndx == SHN_UNDEF && symbol->st_value == 0)
		return false;
	return symbol->st_name != 0 && spg_elf_has_string(file, symbol->st_name);
}

static struct spg_binary_export describe(
	const struct spg_elf_file *file, const GElf_Sym *symbol, size_t index)
{
	uint32_t version = spg_elf_symbol_version(file, index);
	uint32_t number = version & ~HIDDEN;

	return (struct spg_binary_export){.name = spg_elf_string(symbol->st_name),
		.version = file->version_of[number].name,
		.hidden = version & HIDDEN,
		.first_version = number <= FIRST_INDEX,
		.undefined = symbol->st_shndx == SHN_UNDEF};
}

int spg_elf_read_exports(struct spg_elf_file *file)
{
	struct spg_binary *binary = &file->binary;

	for (size_t i = file->first_hashed; i < file->n_symbols; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(file->symbols, (int)i, &symbol) ||
			!is_of_use(file, &symbol))
			continue;
		if (spg_array_reserve(&file->exports, binary->n_exports,
			    &file->exports_size, sizeof(file->exports[0])) < 0)
			return SPG_ERR_NOMEM;
		file->exports[binary->n_exports++] = describe(file, &symbol, i);
	}
	return 0;
}
