/* SPDX-License-Identifier: MIT */
#include "daemon/install/elf/file.h"

#include <string.h>

#include "common/err.h"

int spg_elf_damage(struct spg_elf_file *file, const char *what)
{
	spg_buf_clear(file->error);
	spg_buf_puts(file->error, what);
	return SPG_ERR_CORRUPT;
}

int spg_elf_limit(struct spg_elf_file *file, const char *what)
{
	spg_buf_clear(file->error);
	spg_buf_puts(file->error, what);
	return SPG_ERR_LIMIT;
}

int spg_elf_chunk(struct spg_elf_file *file, uint64_t offset, uint64_t bytes,
	Elf_Type type, const char *what, Elf_Data **ret)
{
	if (offset > file->size || bytes > file->size - offset) {
		spg_buf_clear(file->error);
		spg_buf_printf(
			file->error, "it was cut off, or has its %s elsewhere", what);
		return SPG_ERR_CORRUPT;
	}
	if (bytes > SPG_ELF_TABLE_MAX) {
		spg_buf_clear(file->error);
		spg_buf_printf(file->error, "its %s is too large", what);
		return SPG_ERR_LIMIT;
	}
	*ret = elf_getdata_rawchunk(file->elf, (int64_t)offset, bytes, type);
	if (*ret && ((*ret)->d_buf || bytes == 0))
		return 0;
	spg_buf_clear(file->error);
	spg_buf_printf(file->error, "its %s cannot be read: %s", what, elf_errmsg(-1));
	return SPG_ERR_IO;
}

static const struct spg_elf_segment *find_segment(
	const struct spg_elf_file *file, uint64_t address)
{
	for (size_t i = 0; i < file->n_segments; i++) {
		const struct spg_elf_segment *segment = &file->segments[i];

		if (address >= segment->address &&
			address - segment->address < segment->bytes)
			return segment;
	}
	return NULL;
}

uint64_t spg_elf_room(const struct spg_elf_file *file, uint64_t address)
{
	const struct spg_elf_segment *segment = find_segment(file, address);

	return segment ? segment->bytes - (address - segment->address) : 0;
}

int spg_elf_at(struct spg_elf_file *file, uint64_t address, uint64_t bytes,
	Elf_Type type, const char *what, Elf_Data **ret)
{
	const struct spg_elf_segment *segment = find_segment(file, address);

	if (!segment || bytes > segment->bytes - (address - segment->address)) {
		spg_buf_clear(file->error);
		spg_buf_printf(file->error, "its %s is not in the file", what);
		return SPG_ERR_CORRUPT;
	}
	return spg_elf_chunk(file, segment->offset + (address - segment->address),
		bytes, type, what, ret);
}

bool spg_elf_has_string(const struct spg_elf_file *file, uint64_t offset)
{
	return offset < file->strings_bytes;
}

/* The table stands behind the empty text at 0. */
uint32_t spg_elf_string(uint64_t offset)
{
	return (uint32_t)offset + 1;
}
