/* SPDX-License-Identifier: MIT */
#include "common/binary.h"

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

enum spg_binary_part spg_binary_damaged_part(const struct spg_binary *pe)
{
	enum spg_binary_part part = 0;

	while (part < SPG_BINARY_N_PARTS && pe->status[part] == 0)
		part++;
	return part;
}

const char *spg_binary_version_format(const uint16_t version[4], char *ret)
{
	snprintf(ret, SPG_BINARY_VERSION_TEXT_BYTES, "%u.%u.%u.%u", version[0],
		version[1], version[2], version[3]);
	return ret;
}

const char *spg_binary_machine_name(uint16_t machine, char *buf)
{
	switch (machine) {
	case 0x014c:
		return "x86";
	case MACHINE_X64:
		return "x64";
	case 0xaa64:
		return "arm64";
	}
	snprintf(buf, SPG_BINARY_MACHINE_BYTES, "0x%x", machine);
	return buf;
}

bool spg_binary_machines_agree(const struct spg_binary *a, const struct spg_binary *b)
{
	return a->machine == b->machine ||
	       (a->is_x64_too && b->machine == MACHINE_X64) ||
	       (b->is_x64_too && a->machine == MACHINE_X64);
}

void spg_binary_destroy(struct spg_binary *pe)
{
	free(pe);
}
