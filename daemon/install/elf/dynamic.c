/* SPDX-License-Identifier: MIT */
/* The dynamic section: where everything else is, and which libraries are needed. */
#include "common/array.h"
#include "common/err.h"
#include "daemon/install/elf/file.h"

static void note(struct spg_elf_dynamic *d, const GElf_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_STRTAB:
		d->strings = value;
		break;
	case DT_STRSZ:
		d->strings_bytes = value;
		break;
	case DT_SYMTAB:
		d->symbols = value;
		break;
	case DT_HASH:
		d->hash = value;
		break;
	case DT_GNU_HASH:
		d->gnu_hash = value;
		break;
	case DT_VERSYM:
		d->versions = value;
		break;
	case DT_VERNEED:
		d->needed_versions = value;
		break;
	case DT_VERNEEDNUM:
		d->n_needed_versions = value;
		break;
	case DT_VERDEF:
		d->defined_versions = value;
		break;
	case DT_VERDEFNUM:
		d->n_defined_versions = value;
		break;
	case DT_RELA:
		d->rela = value;
		break;
	case DT_RELASZ:
		d->rela_bytes = value;
		break;
	case DT_REL:
		d->rel = value;
		break;
	case DT_RELSZ:
		d->rel_bytes = value;
		break;
	case DT_JMPREL:
		d->jumps = value;
		break;
	case DT_PLTRELSZ:
		d->jumps_bytes = value;
		break;
	case DT_PLTREL:
		d->jumps_are_rela = value == DT_RELA;
		break;
	case DT_FLAGS:
		d->flags |= value;
		break;
	case DT_BIND_NOW:
		d->flags |= DF_BIND_NOW;
		break;
	case DT_FLAGS_1:
		d->flags_1 = value;
		break;
	case DT_SONAME:
		d->soname = value;
		d->has_soname = true;
		break;
	case DT_RPATH:
		d->rpath = value;
		d->has_rpath = true;
		break;
	case DT_RUNPATH:
		d->runpath = value;
		d->has_runpath = true;
		break;
	}
}

static int find_strings(struct spg_elf_file *file)
{
	const struct spg_elf_dynamic *d = &file->dynamic;
	Elf_Data *data;
	int err;

	if (!d->strings || !d->strings_bytes)
		return spg_elf_damage(file, "its dynamic section has no strings");
	if (d->strings_bytes > SPG_ELF_STRINGS_MAX)
		return spg_elf_limit(file, "its string table is too large");
	err = spg_elf_at(
		file, d->strings, d->strings_bytes, ELF_T_BYTE, "string table", &data);
	if (err < 0)
		return err;
	file->strings = data->d_buf;
	file->strings_bytes = d->strings_bytes;
	if (file->strings[file->strings_bytes - 1] != '\0')
		return spg_elf_damage(file, "its string table has no end");
	return 0;
}

static int take_string(
	struct spg_elf_file *file, bool is_there, uint64_t offset, uint32_t *ret)
{
	if (!is_there)
		return 0;
	if (!spg_elf_has_string(file, offset))
		return spg_elf_damage(
			file, "its dynamic section names a string that is none");
	*ret = spg_elf_string(offset);
	return 0;
}

static int take_needed(struct spg_elf_file *file, uint64_t offset, bool optional)
{
	struct spg_binary *binary = &file->binary;
	struct spg_binary_module module = {.optional = optional};
	int err = take_string(file, true, offset, &module.name);

	if (err < 0)
		return err;
	if (binary->n_modules >= SPG_ELF_NEEDED_MAX)
		return spg_elf_limit(file, "it needs too many libraries");
	if (spg_array_reserve(&file->modules, binary->n_modules, &file->modules_size,
		    sizeof(module)) < 0)
		return SPG_ERR_NOMEM;
	file->modules[binary->n_modules++] = module;
	return 0;
}

/* Call @each with the entries up to the one that ends them. */
static int each_entry(struct spg_elf_file *file, Elf_Data *data,
	int (*each)(struct spg_elf_file *file, const GElf_Dyn *entry))
{
	size_t n = data->d_size / gelf_fsize(file->elf, ELF_T_DYN, 1, EV_CURRENT);
	int err = 0;

	for (size_t i = 0; err == 0 && i < n; i++) {
		GElf_Dyn entry;

		if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		err = each(file, &entry);
	}
	return err;
}

static int note_each(struct spg_elf_file *file, const GElf_Dyn *entry)
{
	note(&file->dynamic, entry);
	return 0;
}

static int take_each(struct spg_elf_file *file, const GElf_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_NEEDED:
	case DT_FILTER: /* who defines symbols in place of this one is as much needed */
	case DT_AUXILIARY:
		return take_needed(
			file, entry->d_un.d_val, entry->d_tag == DT_AUXILIARY);
	}
	return 0;
}

int spg_elf_read_dynamic(struct spg_elf_file *file)
{
	struct spg_elf_dynamic *d = &file->dynamic;
	struct spg_binary *binary = &file->binary;
	Elf_Data *data;
	int err = spg_elf_chunk(file, file->dynamic_at, file->dynamic_bytes, ELF_T_DYN,
		"dynamic section", &data);

	if (err == 0)
		err = each_entry(file, data, note_each);
	if (err == 0)
		err = find_strings(file);
	if (err == 0)
		err = each_entry(file, data, take_each);
	if (err == 0)
		err = take_string(file, d->has_soname, d->soname, &binary->soname);
	if (err == 0)
		err = take_string(file, d->has_rpath, d->rpath, &binary->rpath);
	if (err == 0)
		err = take_string(file, d->has_runpath, d->runpath, &binary->runpath);
	binary->binds_now = (d->flags & DF_BIND_NOW) || (d->flags_1 & DF_1_NOW);
	binary->has_no_default = d->flags_1 & DF_1_NODEFLIB;
	binary->has_versions = d->versions != 0;
	return err;
}
