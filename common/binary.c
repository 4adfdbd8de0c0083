/* SPDX-License-Identifier: MIT */
#include "common/binary.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

#define MACHINE_X64 0x8664

static const char *const part_names[SPG_BINARY_N_PARTS] = {
	[SPG_BINARY_WHOLE] = NULL,
	[SPG_BINARY_IMPORTS] = "import table",
	[SPG_BINARY_DELAYED] = "delayed import table",
	[SPG_BINARY_EXPORTS] = "export table",
	[SPG_BINARY_ASSEMBLY] = "metadata of .NET",
	[SPG_BINARY_VERSION] = "version resource",
};

const char *spg_binary_part_name(enum spg_binary_part part)
{
	return part_names[part];
}

enum spg_binary_part spg_binary_damaged_part(const struct spg_binary *binary)
{
	enum spg_binary_part part = 0;

	while (part < SPG_BINARY_N_PARTS && binary->status[part] == 0)
		part++;
	return part;
}

const char *spg_binary_version_format(const uint16_t version[4], char *ret)
{
	snprintf(ret, SPG_BINARY_VERSION_TEXT_BYTES, "%u.%u.%u.%u", version[0],
		version[1], version[2], version[3]);
	return ret;
}

struct machine {
	uint16_t number;
	const char *name;
};

static const struct machine pe_machines[] = {
	{0x014c, "x86"}, {MACHINE_X64, "x64"}, {0xaa64, "arm64"}, {0, NULL}};

static const struct machine elf_machines[] = {{EM_386, "x86"}, {EM_X86_64, "x64"},
	{EM_AARCH64, "arm64"}, {EM_ARM, "arm"}, {EM_PPC64, "ppc64"}, {EM_S390, "s390"},
	{EM_RISCV, "riscv"}, {EM_LOONGARCH, "loongarch"}, {EM_MIPS, "mips"}, {0, NULL}};

const char *spg_binary_machine_name(const struct spg_binary *binary, char *buf)
{
	bool is_elf = binary->format == SPG_BINARY_ELF;
	const struct machine *machine = is_elf ? elf_machines : pe_machines;

	while (machine->name && machine->number != binary->machine)
		machine++;
	if (!machine->name)
		snprintf(buf, SPG_BINARY_MACHINE_BYTES, "0x%x", binary->machine);
	else /* x32 is one with another size */
		snprintf(buf, SPG_BINARY_MACHINE_BYTES, "%s%s", machine->name,
			is_elf && machine->number == EM_X86_64 && !binary->is_64_bit
				? "-32"
				: "");
	return buf;
}

bool spg_binary_machines_agree(const struct spg_binary *a, const struct spg_binary *b)
{
	if (a->format != b->format)
		return false;
	if (a->format == SPG_BINARY_ELF)
		return a->machine == b->machine && a->is_64_bit == b->is_64_bit &&
		       a->is_big_endian == b->is_big_endian;
	return a->machine == b->machine ||
	       (a->is_x64_too && b->machine == MACHINE_X64) ||
	       (b->is_x64_too && a->machine == MACHINE_X64);
}

void spg_binary_destroy(struct spg_binary *binary)
{
	free(binary);
}
