/* SPDX-License-Identifier: MIT */
/*
 * Images for two machines. Windows on ARM64 runs x64 programs; their own modules may be
 * ARM64EC (the header says x64, the code is ARM64's: nothing is different here), and the
 * system's are ARM64X: the header says ARM64, and the loader makes an x64 module of it by
 * relocations of a kind of their own ("ARM64X PE files", Windows apps, ARM).
 */
#include "common/err.h"
#include "common/pe_image.h"

#define MACHINE_ARM64        0xaa64
#define CONFIG_BYTES         230 /* IMAGE_LOAD_CONFIG_DIRECTORY64, up to: */
#define CONFIG_TABLE_OFFSET  224 /* DynamicValueRelocTableOffset */
#define CONFIG_TABLE_SECTION 228 /* DynamicValueRelocTableSection, from 1 */
#define TABLE_BYTES          8   /* IMAGE_DYNAMIC_RELOCATION_TABLE */
#define ENTRY_BYTES          12  /* IMAGE_DYNAMIC_RELOCATION64 */
#define RELOCATION_ARM64X    6   /* IMAGE_DYNAMIC_RELOCATION_ARM64X */

/* The table at @rva, in version 1, the only one that has the kind. */
static int read_table(struct spg_pe_image *image, uint64_t rva)
{
	uint8_t raw[ENTRY_BYTES];
	uint64_t end;
	int err = spg_pe_image_read(image, rva, raw, TABLE_BYTES);

	if (err < 0 || spg_pe_u32(raw) != 1)
		return err;
	rva += TABLE_BYTES;
	end = rva + spg_pe_u32(raw + 4);
	for (size_t i = 0; i < SPG_PE_DYNAMIC_MAX && rva + ENTRY_BYTES <= end; i++) {
		err = spg_pe_image_read(image, rva, raw, sizeof(raw));
		if (err < 0)
			return err;
		if (spg_pe_u64(raw) == RELOCATION_ARM64X) {
			image->pe.is_x64_too = true;
			break;
		}
		rva += ENTRY_BYTES + spg_pe_u32(raw + 8);
	}
	return 0;
}

static int find_table(struct spg_pe_image *image, uint64_t *ret_rva)
{
	uint8_t config[CONFIG_BYTES];
	uint64_t rva = image->dirs[SPG_PE_DIR_LOAD_CONFIG].rva;
	size_t section;
	int err = spg_pe_image_read(image, rva, config, 4);

	/* Its own size counts; that of the directory is an old one in many files. */
	if (err < 0 || spg_pe_u32(config) < CONFIG_BYTES)
		return err;
	err = spg_pe_image_read(image, rva, config, sizeof(config));
	section = err < 0 ? 0 : spg_pe_u16(config + CONFIG_TABLE_SECTION);
	if (section && section <= image->n_sections)
		*ret_rva = (uint64_t)image->sections[section - 1].rva +
		           spg_pe_u32(config + CONFIG_TABLE_OFFSET);
	return err;
}

int spg_pe_read_machine(struct spg_pe_image *image)
{
	uint64_t rva = 0;
	int err = 0;

	if (image->pe.machine != MACHINE_ARM64 || !image->pe.is_pe32plus ||
		image->dirs[SPG_PE_DIR_LOAD_CONFIG].rva == 0)
		return 0;
	err = find_table(image, &rva);
	if (err == 0 && rva)
		err = read_table(image, rva);
	return err == SPG_ERR_CORRUPT || err == SPG_ERR_LIMIT ? 0 : err;
}
