/* SPDX-License-Identifier: MIT */
/* What is imported: the symbols that relocations name. */
#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/install/elf/file.h"

/* How relocations use a symbol. */
enum { BY_CALL = 1, AT_START = 2, BY_ADDRESS = 4, COPIED = 8 };

/* Counted first, and then filled: a table that grows symbol by symbol is read as often. */
struct use {
	uint8_t *of; /* per symbol; NULL while they are counted */
	size_t n;
};

/* The number of a copy relocation, which is every processor's own (its ABI supplement,
 * elf.h); R_..._NONE is always 0. */
static unsigned copy_type(const struct spg_elf_file *file)
{
	switch (file->header.e_machine) {
	case EM_386:
	case EM_X86_64:
		return R_X86_64_COPY; /* and R_386_COPY */
	case EM_AARCH64:
		return R_AARCH64_COPY;
	case EM_ARM:
		return R_ARM_COPY;
	case EM_PPC64:
	case EM_PPC:
		return R_PPC64_COPY;
	case EM_S390:
		return R_390_COPY;
	case EM_RISCV:
		return R_RISCV_COPY;
	}
	return 0;
}

static void mark(struct use *use, size_t symbol, unsigned how)
{
	if (!use->of)
		use->n = symbol >= use->n ? symbol + 1 : use->n;
	else if (symbol < use->n)
		use->of[symbol] |= (uint8_t)how;
}

static int take_table(struct spg_elf_file *file, struct use *use, uint64_t address,
	uint64_t bytes, bool is_rela, bool are_jumps)
{
	Elf_Type type = is_rela ? ELF_T_RELA : ELF_T_REL;
	size_t n = bytes / gelf_fsize(file->elf, type, 1, EV_CURRENT);
	unsigned copy = copy_type(file);
	Elf_Data *data;
	int err = n == 0 ? 0
	                 : spg_elf_at(file, address, bytes, type,
				   "table of relocations", &data);

	for (size_t i = 0; err == 0 && i < n; i++) {
		GElf_Rela rela = {0};
		GElf_Rel rel = {0};
		uint64_t info;
		unsigned kind;

		if (is_rela)
			gelf_getrela(data, (int)i, &rela);
		else
			gelf_getrel(data, (int)i, &rel);
		info = is_rela ? rela.r_info : rel.r_info;
		kind = (unsigned)GELF_R_TYPE(info);
		if (GELF_R_SYM(info) == 0 || kind == 0)
			continue;
		mark(use, GELF_R_SYM(info),
			copy && kind == copy ? COPIED
			: are_jumps          ? BY_CALL
					     : AT_START | BY_ADDRESS);
	}
	return err;
}

static bool is_looked_for(const GElf_Sym *symbol, unsigned how)
{
	unsigned visibility = GELF_ST_VISIBILITY(symbol->st_other);

	if (GELF_ST_BIND(symbol->st_info) == STB_LOCAL || visibility == STV_HIDDEN ||
		visibility == STV_INTERNAL)
		return false;
	/* What it defines itself it finds, at the latest there. */
	return how && (symbol->st_shndx == SHN_UNDEF || (how & COPIED));
}

static int add(struct spg_elf_file *file, size_t index, unsigned how)
{
	struct spg_binary *binary = &file->binary;
	struct spg_binary_import import = {
		.late = !(how & ~BY_CALL) && !binary->binds_now,
		.by_address = (how & BY_ADDRESS) && !(how & BY_CALL),
		.copied = how & COPIED};
	GElf_Sym symbol;

	if (!gelf_getsym(file->symbols, (int)index, &symbol) ||
		!is_looked_for(&symbol, how))
		return 0;
	if (!spg_elf_has_string(file, symbol.st_name))
		return spg_elf_damage(file, "a symbol of it has no name");
	import.name = spg_elf_string(symbol.st_name);
	import.weak = GELF_ST_BIND(symbol.st_info) == STB_WEAK;
	import.version =
		file->version_of[spg_elf_symbol_version(file, index) & 0x7fff].needed;
	if (spg_array_reserve(&file->imports, binary->n_imports, &file->imports_size,
		    sizeof(import)) < 0)
		return SPG_ERR_NOMEM;
	file->imports[binary->n_imports++] = import;
	return 0;
}

static int take_tables(struct spg_elf_file *file, struct use *use)
{
	const struct spg_elf_dynamic *d = &file->dynamic;
	int err = take_table(
		file, use, d->rela, d->rela ? d->rela_bytes : 0, true, false);

	if (err == 0)
		err = take_table(
			file, use, d->rel, d->rel ? d->rel_bytes : 0, false, false);
	if (err == 0)
		err = take_table(file, use, d->jumps, d->jumps ? d->jumps_bytes : 0,
			d->jumps_are_rela, true);
	return err;
}

int spg_elf_read_imports(struct spg_elf_file *file)
{
	struct use use = {NULL, 0};
	int err;

	if (!file->dynamic.symbols)
		return 0;
	err = take_tables(file, &use);
	if (err == 0)
		err = spg_elf_grow_symbols(file, use.n);
	if (err == 0) {
		use.of = calloc(use.n + 1, sizeof(use.of[0]));
		err = use.of ? take_tables(file, &use) : SPG_ERR_NOMEM;
	}
	for (size_t i = 0; err == 0 && i < use.n; i++)
		err = add(file, i, use.of[i]);
	free(use.of);
	return err;
}
