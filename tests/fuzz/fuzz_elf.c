/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader, the reader of scripts and that of ld.so.cache against any bytes. Build
 * for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_elf.c daemon/install/elf/{dynamic,file,ld_cache,reader}.c \
 *     daemon/install/elf/{relocations,symbols,versions}.c \
 *     daemon/install/fit/{module,surroundings,binding}.c \
 *     common/{array,binary,buf,err,text}.c -lelf -lexpat
 * and run it on tests/fuzz/corpus-elf. The unit test "elf" replays that corpus through the
 * same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/install/elf/elf.h"
#include "daemon/install/elf/ld_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct spg_binary *binary, uint32_t offset)
{
	const char *text = spg_binary_text(binary, offset);
	const char *end = (const char *)binary + binary->bytes;

	if (text && (text >= end || !memchr(text, '\0', (size_t)(end - text))))
		abort();
}

static void check(const struct spg_binary *binary)
{
	check_text(binary, binary->soname);
	check_text(binary, binary->rpath);
	check_text(binary, binary->runpath);
	check_text(binary, binary->interpreter);
	check_text(binary, binary->argument);
	check_text(binary, binary->build_id);
	for (int part = 0; part < SPG_BINARY_N_PARTS; part++)
		check_text(binary, binary->why[part]);
	for (uint32_t i = 0; i < binary->n_modules; i++)
		check_text(binary, binary->modules[i].name);
	for (uint32_t i = 0; i < binary->n_versions; i++) {
		check_text(binary, binary->versions[i].name);
		check_text(binary, binary->versions[i].module);
	}
	for (uint32_t i = 0; i < binary->n_defined; i++)
		check_text(binary, binary->defined[i]);
	for (uint32_t i = 0; i < binary->n_imports; i++) {
		check_text(binary, binary->imports[i].name);
		if (binary->imports[i].version > binary->n_versions)
			abort();
	}
	for (uint32_t i = 0; i < binary->n_exports; i++) {
		check_text(binary, binary->exports[i].name);
		check_text(binary, binary->exports[i].version);
	}
}

static void check_result(int err, struct spg_binary **read)
{
	struct spg_binary *binary = *read;

	if (err == 0)
		check(binary);
	else if (err != SPG_ERR_INVALID && err != SPG_ERR_CORRUPT &&
		 err != SPG_ERR_LIMIT && err != SPG_ERR_IO)
		abort();
	if (err == 0)
		spg_binary_destroy(binary);
}

static void read_cache(const uint8_t *data, size_t size)
{
	struct spg_surroundings *around = spg_surroundings_create();
	size_t n = 0;

	if (!around)
		abort();
	around->levels[around->n_levels++] = "x86-64-v3";
	(void)spg_ld_cache_parse(around, (const char *)data, size);
	for (size_t i = 0; i < around->n_cached; i++)
		n += strlen(around->cached[i].name) + strlen(around->cached[i].path);
	if (n > 2 * size * (around->n_cached + 1))
		abort();
	spg_surroundings_unref(around);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *binary = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	check_result(spg_elf_read_fd(&binary, fd, &error), &binary);
	check_result(spg_script_read_fd(&binary, fd, &error), &binary);
	spg_buf_finish(&error);
	close(fd);
	if (size >= 4)
		read_cache(data, size);
	return 0;
}
