/* SPDX-License-Identifier: MIT */
/* Imports, delayed imports and exports. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/pe_image.h"

#define DESCRIPTOR_BYTES       20 /* IMAGE_IMPORT_DESCRIPTOR */
#define DELAY_DESCRIPTOR_BYTES 32 /* IMAGE_DELAYLOAD_DESCRIPTOR */
#define EXPORT_BYTES           40 /* IMAGE_EXPORT_DIRECTORY */
#define HINT_BYTES             2  /* before IMAGE_IMPORT_BY_NAME.Name */
#define DELAY_BY_RVA           1  /* in IMAGE_DELAYLOAD_DESCRIPTOR.Attributes */

/* Where the names of one module stand. What the old kind of delayed import
 * calls an address is one with the image's base in it; @base is taken off. */
struct thunks {
	uint64_t rva;
	uint64_t base;
};

static int to_rva(
	struct spg_pe_image *image, uint64_t address, uint64_t base, uint64_t *ret)
{
	if (address < base)
		return spg_pe_image_damage(
			image, "address 0x%" PRIx64 " lies below the image", address);
	*ret = address - base;
	return 0;
}

/* One symbol; *ret_end at the end of the list. */
static int read_thunk(struct spg_pe_image *image, const struct thunks *thunks,
	uint64_t index, struct spg_binary_import *ret, bool *ret_end)
{
	size_t bytes = image->pe.is_pe32plus ? 8 : 4;
	uint64_t flag = image->pe.is_pe32plus ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
	uint64_t value, rva = 0;
	uint8_t raw[8];
	int err = spg_pe_image_read(image, thunks->rva + index * bytes, raw, bytes);

	if (err < 0)
		return err;
	value = image->pe.is_pe32plus ? spg_pe_u64(raw) : spg_pe_u32(raw);
	*ret = (struct spg_binary_import){0};
	*ret_end = value == 0;
	if (value == 0)
		return 0;
	if (value & flag) {
		ret->ordinal = value & 0xffff;
		return 0;
	}
	err = to_rva(image, value, thunks->base, &rva);
	if (err < 0)
		return err;
	/* Above 4 GiB there is no image; and the hint must not wrap around. */
	if (rva > UINT32_MAX)
		return spg_pe_image_damage(
			image, "address 0x%" PRIx64 " lies in no section", rva);
	return spg_pe_image_text(image, rva + HINT_BYTES, SPG_PE_SYMBOL_MAX,
		"name of an import", &ret->name);
}

static int read_module(struct spg_pe_image *image, uint64_t name_rva,
	const struct thunks *thunks, bool delayed)
{
	struct spg_binary_module module = {
		.first = image->pe.n_imports, .delayed = delayed};
	bool end = false;
	int err;

	if (image->pe.n_modules >= SPG_PE_MODULES_MAX)
		return spg_pe_image_limit(image, "it imports from more than %d modules",
			SPG_PE_MODULES_MAX);
	if (spg_array_reserve(&image->modules, image->pe.n_modules,
		    &image->modules_size, sizeof(image->modules[0])) < 0)
		return SPG_ERR_NOMEM;
	err = spg_pe_image_text(
		image, name_rva, SPG_PE_MODULE_MAX, "name of a module", &module.name);
	for (uint64_t i = 0; err == 0 && thunks; i++) {
		struct spg_binary_import import;

		if (image->pe.n_imports >= SPG_PE_IMPORTS_MAX)
			return spg_pe_image_limit(image,
				"it imports more than %d symbols", SPG_PE_IMPORTS_MAX);
		if (spg_array_reserve(&image->imports, image->pe.n_imports,
			    &image->imports_size, sizeof(image->imports[0])) < 0)
			return SPG_ERR_NOMEM;
		err = read_thunk(image, thunks, i, &import, &end);
		if (err < 0 || end)
			break;
		image->imports[image->pe.n_imports++] = import;
	}
	if (err < 0)
		return err;
	module.n = image->pe.n_imports - module.first;
	image->modules[image->pe.n_modules++] = module;
	return 0;
}

/* One descriptor; *ret_end behind the last. */
static int read_descriptor(
	struct spg_pe_image *image, const uint8_t *raw, bool *ret_end)
{
	uint32_t names = spg_pe_u32(raw), stamp = spg_pe_u32(raw + 4);
	uint32_t module = spg_pe_u32(raw + 12), addresses = spg_pe_u32(raw + 16);
	struct thunks thunks = {names ? names : addresses, 0};

	/* As the loader has it; the directory's size means nothing to it. */
	*ret_end = module == 0 || addresses == 0;
	if (*ret_end)
		return 0;
	if (!names && stamp) {
		spg_pe_image_damage(image,
			"it was bound, and no names were kept of what it imports");
		return SPG_ERR_UNSUPPORTED;
	}
	return read_module(image, module, &thunks, false);
}

int spg_pe_read_imports(struct spg_pe_image *image)
{
	uint64_t rva = image->dirs[SPG_PE_DIR_IMPORT].rva;
	uint8_t raw[DESCRIPTOR_BYTES];
	bool end = rva == 0;

	while (!end) {
		int err = spg_pe_image_read(image, rva, raw, sizeof(raw));

		if (err == 0)
			err = read_descriptor(image, raw, &end);
		if (err < 0)
			return err;
		rva += sizeof(raw);
	}
	return 0;
}

/* Of the old kind (before Visual C++ 7) all addresses have the base in them. */
static int read_delay_descriptor(
	struct spg_pe_image *image, const uint8_t *raw, bool *ret_end)
{
	uint64_t base = spg_pe_u32(raw) & DELAY_BY_RVA ? 0 : image->base;
	uint32_t module = spg_pe_u32(raw + 4), names = spg_pe_u32(raw + 16);
	struct thunks thunks = {0, base};
	uint64_t name_rva = 0;
	int err;

	*ret_end = module == 0;
	if (*ret_end)
		return 0;
	err = to_rva(image, module, base, &name_rva);
	if (err == 0 && names)
		err = to_rva(image, names, base, &thunks.rva);
	if (err < 0)
		return err;
	return read_module(image, name_rva, names ? &thunks : NULL, true);
}

int spg_pe_read_delayed(struct spg_pe_image *image)
{
	uint64_t rva = image->dirs[SPG_PE_DIR_DELAY].rva;
	uint8_t raw[DELAY_DESCRIPTOR_BYTES];
	bool end = rva == 0;

	while (!end) {
		int err = spg_pe_image_read(image, rva, raw, sizeof(raw));

		if (err == 0)
			err = read_delay_descriptor(image, raw, &end);
		if (err < 0)
			return err;
		rva += sizeof(raw);
	}
	return 0;
}

/* ---- exports ---- */

struct exports {
	uint32_t n_functions, n_names, base;
	uint32_t functions, names, ordinals; /* addresses of the three tables */
	uint8_t *named;                      /* functions that have a name */
};

static int read_u32(struct spg_pe_image *image, uint64_t rva, uint32_t *ret)
{
	uint8_t raw[4];
	int err = spg_pe_image_read(image, rva, raw, sizeof(raw));

	if (err == 0)
		*ret = spg_pe_u32(raw);
	return err;
}

/* Function @index as one more export, unless its place is empty. @name_rva 0:
 * it has no name. */
static int add_export(struct spg_pe_image *image, const struct exports *exports,
	uint32_t index, uint32_t name_rva)
{
	uint32_t start = image->dirs[SPG_PE_DIR_EXPORT].rva;
	struct spg_binary_export export = {.ordinal = exports->base + index};
	uint32_t rva = 0;
	int err = read_u32(image, exports->functions + (uint64_t)index * 4, &rva);

	if (err < 0 || rva == 0)
		return err;
	if (name_rva)
		err = spg_pe_image_text(image, name_rva, SPG_PE_SYMBOL_MAX,
			"name of an export", &export.name);
	/* An address inside of the export directory is that of a text. */
	if (err == 0 && rva >= start &&
		rva - start < image->dirs[SPG_PE_DIR_EXPORT].bytes)
		err = spg_pe_image_text(image, rva, SPG_PE_SYMBOL_MAX,
			"forwarded export", &export.forwarder);
	if (err < 0)
		return err;
	if (spg_array_reserve(&image->exports, image->pe.n_exports,
		    &image->exports_size, sizeof(image->exports[0])) < 0)
		return SPG_ERR_NOMEM;
	image->exports[image->pe.n_exports++] = export;
	return 0;
}

static int read_named(struct spg_pe_image *image, const struct exports *exports)
{
	for (uint32_t i = 0; i < exports->n_names; i++) {
		uint8_t raw[2];
		uint32_t name = 0, index;
		int err = spg_pe_image_read(
			image, exports->ordinals + (uint64_t)i * 2, raw, sizeof(raw));

		if (err == 0)
			err = read_u32(image, exports->names + (uint64_t)i * 4, &name);
		if (err < 0)
			return err;
		index = spg_pe_u16(raw);
		if (index >= exports->n_functions)
			return spg_pe_image_damage(image,
				"name %u belongs to function %u of %u", i, index,
				exports->n_functions);
		if (name == 0)
			return spg_pe_image_damage(
				image, "the name of an export is missing");
		exports->named[index / 8] |= (uint8_t)(1 << index % 8);
		err = add_export(image, exports, index, name);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_unnamed(struct spg_pe_image *image, const struct exports *exports)
{
	for (uint32_t i = 0; i < exports->n_functions; i++) {
		int err = 0;

		if (!(exports->named[i / 8] & 1 << i % 8))
			err = add_export(image, exports, i, 0);
		if (err < 0)
			return err;
	}
	return 0;
}

int spg_pe_read_exports(struct spg_pe_image *image)
{
	uint32_t rva = image->dirs[SPG_PE_DIR_EXPORT].rva;
	struct exports exports;
	uint8_t raw[EXPORT_BYTES];
	int err;

	if (rva == 0)
		return 0;
	err = spg_pe_image_read(image, rva, raw, sizeof(raw));
	if (err < 0)
		return err;
	exports = (struct exports){
		.base = spg_pe_u32(raw + 16),
		.n_functions = spg_pe_u32(raw + 20),
		.n_names = spg_pe_u32(raw + 24),
		.functions = spg_pe_u32(raw + 28),
		.names = spg_pe_u32(raw + 32),
		.ordinals = spg_pe_u32(raw + 36),
	};
	if (exports.n_functions > SPG_PE_EXPORTS_MAX ||
		exports.n_names > SPG_PE_EXPORTS_MAX)
		return spg_pe_image_limit(image,
			"it claims %u functions and %u names, at most %d are read",
			exports.n_functions, exports.n_names, SPG_PE_EXPORTS_MAX);
	if (exports.base > UINT32_MAX - exports.n_functions)
		return spg_pe_image_damage(
			image, "the ordinals begin with %u", exports.base);
	exports.named = calloc(exports.n_functions / 8 + 1, 1);
	if (!exports.named)
		return SPG_ERR_NOMEM;
	image->pe.ordinal_base = exports.base;
	err = read_named(image, &exports);
	if (err == 0)
		err = read_unnamed(image, &exports);
	free(exports.named);
	return err;
}
