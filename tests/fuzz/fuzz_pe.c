/* SPDX-License-Identifier: MIT */
/*
 * The PE reader against any bytes. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_pe.c common/pe_{cli,image,machine,reader,signed,tables}.c \
 *     common/pe_{version,whole}.c common/binary.c \
 *     common/{text,buf,err,array,digest}.c -lnettle
 * and run it on tests/fuzz/corpus-pe. The unit test "pe" replays that corpus
 * through the same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_reader.h"
#include "common/pe_signed.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *bytes;
	size_t n;
};

static int read_memory(void *user, uint64_t offset, void *buf, size_t n)
{
	const struct memory *memory = user;

	if (offset > memory->n || n > memory->n - offset)
		abort();
	memcpy(buf, memory->bytes + offset, n);
	return 0;
}

static void check_text(
	const struct spg_binary *pe, uint32_t offset, size_t max, bool required)
{
	const char *text = spg_binary_text(pe, offset);

	if (!text && required)
		abort();
	if (text && (strlen(text) > max || offset >= pe->bytes))
		abort();
}

static void check_utf8(const struct spg_binary *pe, uint32_t offset)
{
	const char *text = spg_binary_text(pe, offset);

	check_text(pe, offset, 3 * SPG_PE_STRING_MAX, false);
	while (text && *text) {
		size_t n = spg_text_utf8_length(text, strlen(text));

		if (n == 0)
			abort();
		text += n;
	}
}

static void check_tables(const struct spg_binary *pe)
{
	if (pe->n_modules > SPG_PE_MODULES_MAX || pe->n_imports > SPG_PE_IMPORTS_MAX ||
		pe->n_exports > 2 * SPG_PE_EXPORTS_MAX)
		abort();
	for (uint32_t i = 0; i < pe->n_modules; i++) {
		const struct spg_binary_module *module = &pe->modules[i];

		check_text(pe, module->name, SPG_PE_MODULE_MAX, true);
		if (module->first > pe->n_imports ||
			module->n > pe->n_imports - module->first)
			abort();
	}
	for (uint32_t i = 0; i < pe->n_imports; i++) {
		check_text(pe, pe->imports[i].name, SPG_PE_SYMBOL_MAX, false);
		if (pe->imports[i].ordinal > 65535)
			abort();
	}
	for (uint32_t i = 0; i < pe->n_exports; i++) {
		check_text(pe, pe->exports[i].name, SPG_PE_SYMBOL_MAX, false);
		check_text(pe, pe->exports[i].forwarder, SPG_PE_SYMBOL_MAX, false);
	}
}

static void check_assembly(const struct spg_binary *pe,
	const struct spg_binary_assembly *assembly, bool required)
{
	check_text(pe, assembly->name, SPG_PE_ASSEMBLY_MAX, required);
	check_text(pe, assembly->culture, SPG_PE_ASSEMBLY_MAX, false);
}

static void check_assemblies(const struct spg_binary *pe)
{
	if (pe->n_references > SPG_PE_REFERENCES_MAX)
		abort();
	check_assembly(pe, &pe->assembly, false);
	for (uint32_t i = 0; i < pe->n_references; i++)
		check_assembly(pe, &pe->references[i], true);
}

static void check(const struct spg_binary *pe)
{
	char version[SPG_BINARY_VERSION_TEXT_BYTES], machine[SPG_BINARY_MACHINE_BYTES];

	if (!*spg_binary_version_format(pe->file_version, version) ||
		!*spg_binary_machine_name(pe, machine))
		abort();
	check_tables(pe);
	check_assemblies(pe);
	check_utf8(pe, pe->company_name);
	check_utf8(pe, pe->product_name);
	check_utf8(pe, pe->file_version_text);
	check_utf8(pe, pe->product_version_text);
	check_utf8(pe, pe->original_filename);
	for (enum spg_binary_part part = 0; part < SPG_BINARY_N_PARTS; part++)
		check_text(pe, pe->why[part], 200, pe->status[part] != 0);
}

static void check_signed(const struct spg_pe_source *source)
{
	const struct memory *memory = source->user;
	struct spg_pe_signed file;
	int err = spg_pe_signed_begin(&file, source);

	if (err < 0 && err != SPG_ERR_NOMEM)
		abort();
	spg_pe_signed_add(&file, memory->bytes, memory->n);
	(void)spg_pe_signed_end(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory memory = {data, size};
	struct spg_pe_source source = {&memory, read_memory, size};
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	int err = spg_pe_read(&pe, &source, &error);

	if (err == 0)
		check(pe);
	else if (pe || error.len == 0 ||
		 (err != SPG_ERR_INVALID && err != SPG_ERR_CORRUPT &&
			 err != SPG_ERR_LIMIT && err != SPG_ERR_NOMEM))
		abort();
	check_signed(&source);
	spg_binary_destroy(pe);
	spg_buf_finish(&error);
	return 0;
}
