/* SPDX-License-Identifier: MIT */
/* The readers of ELF files, scripts and ld.so.cache: what a file says, and what hostile
 * ones do. What is lacking when they are loaded, tests/component/test_elf.py asks the
 * loader. */
#include "daemon/install/elf/elf.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/install/elf/ld_cache.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

static int open_seed(const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", SPG_CORPUS_ELF, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static struct spg_binary *read_seed(const char *name)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *binary = NULL;
	int fd = open_seed(name);

	ck_assert_int_eq(spg_elf_read_fd(&binary, fd, &error), 0);
	spg_buf_finish(&error);
	close(fd);
	return binary;
}

static const struct spg_binary_import *find_import(
	const struct spg_binary *binary, const char *name)
{
	for (uint32_t i = 0; i < binary->n_imports; i++)
		if (strcmp(spg_binary_text(binary, binary->imports[i].name), name) == 0)
			return &binary->imports[i];
	return NULL;
}

static const struct spg_binary_export *find_export(
	const struct spg_binary *binary, const char *name)
{
	for (uint32_t i = 0; i < binary->n_exports; i++)
		if (strcmp(spg_binary_text(binary, binary->exports[i].name), name) == 0)
			return &binary->exports[i];
	return NULL;
}

START_TEST(library)
{
	struct spg_binary *binary = read_seed("liba.so");
	const struct spg_binary_import *import;

	ck_assert(binary->format == SPG_BINARY_ELF && binary->is_dll);
	ck_assert(binary->is_64_bit && !binary->is_big_endian);
	ck_assert_str_eq(spg_binary_text(binary, binary->soname), "liba.so.1");
	ck_assert_str_eq(spg_binary_text(binary, binary->runpath), "$ORIGIN");
	ck_assert_uint_eq(binary->n_modules, 1);
	ck_assert_str_eq(spg_binary_text(binary, binary->modules[0].name), "libb.so");
	ck_assert_uint_eq(strlen(spg_binary_text(binary, binary->build_id)), 40);
	ck_assert_uint_eq(binary->n_defined, 2);

	import = find_import(binary, "b");
	ck_assert(import && import->weak && import->version == 0);
	import = find_import(binary, "c");
	ck_assert(import && !import->weak && import->version != 0);
	ck_assert_str_eq(
		spg_binary_text(binary, binary->versions[import->version - 1].name),
		"V1");
	import = find_import(binary, "d");
	ck_assert(import && !import->late);
	ck_assert_str_eq(
		spg_binary_text(binary, binary->versions[import->version - 1].name),
		"V2");

	ck_assert_str_eq(
		spg_binary_text(binary, find_export(binary, "e")->version), "V2");
	ck_assert(find_export(binary, "a")->first_version);
	ck_assert(!find_export(binary, "e")->first_version);
	spg_binary_destroy(binary);
}
END_TEST

START_TEST(program)
{
	struct spg_binary *binary = read_seed("prog");
	const struct spg_binary_import *data = find_import(binary, "d");

	ck_assert(!binary->is_dll);
	ck_assert_str_eq(spg_binary_text(binary, binary->interpreter),
		"/lib64/ld-linux-x86-64.so.2");
	/* It has a copy of the variable, and needs the one in the library all the same. */
	ck_assert(data && data->copied);
	ck_assert(find_import(binary, "c")->late);
	spg_binary_destroy(binary);
	binary = read_seed("static");
	ck_assert_uint_eq(binary->n_modules + binary->n_imports, 0);
	spg_binary_destroy(binary);
}
END_TEST

START_TEST(other_tables)
{
	struct spg_binary *binary = read_seed("sysv.so");

	ck_assert_ptr_nonnull(find_export(binary, "c"));
	ck_assert(!binary->has_versions);
	spg_binary_destroy(binary);
	binary = read_seed("lib32.so");
	ck_assert(!binary->is_64_bit);
	ck_assert_ptr_nonnull(find_export(binary, "c"));
	spg_binary_destroy(binary);
}
END_TEST

/* @text as a file of its own, read as a script. */
static int read_script(const char *text, struct spg_binary **ret)
{
	struct spg_buf error = SPG_BUF_NULL;
	int fd = memfd_create("script", MFD_CLOEXEC), r;

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	r = spg_script_read_fd(ret, fd, &error);
	spg_buf_finish(&error);
	close(fd);
	return r;
}

START_TEST(scripts)
{
	static const char *const cases[][3] = {
		{"#!/bin/sh\necho", "/bin/sh", NULL},
		{"#! /usr/bin/env\tpython3 -x\n", "/usr/bin/env", "python3"},
		{"#!/bin/sh -e\r\n", "/bin/sh", "-e\r"},
		{"#!/bin/sh\r\n", "/bin/sh\r", NULL},
		{"#!/bin/sh", "/bin/sh", NULL},
		{"#!sh\n", NULL, NULL},
		{"#!\n/bin/sh", NULL, NULL},
		{"# !/bin/sh\n", NULL, NULL},
		{"", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spg_binary *binary = NULL;
		int r = read_script(cases[i][0], &binary);

		ck_assert_int_eq(r, cases[i][1] ? 0 : SPG_ERR_INVALID);
		if (r < 0)
			continue;
		ck_assert_str_eq(
			spg_binary_text(binary, binary->interpreter), cases[i][1]);
		ck_assert_pstr_eq(
			spg_binary_text(binary, binary->argument), cases[i][2]);
		spg_binary_destroy(binary);
	}
}
END_TEST

START_TEST(cache)
{
	struct spg_surroundings *around = spg_surroundings_create();
	const struct spg_cached_library *lines;
	char bytes[4096];
	int fd = open_seed("cache");
	ssize_t n = read(fd, bytes, sizeof(bytes));
	size_t found;

	close(fd);
	ck_assert_ptr_nonnull(around);
	around->levels[around->n_levels++] = "x86-64-v3";
	ck_assert_int_eq(spg_ld_cache_parse(around, bytes, (size_t)n), 0);
	lines = spg_surroundings_cached(around, "libz.so.1", &found);
	ck_assert_uint_eq(found, 2);
	/* The one for this processor first. */
	ck_assert_int_eq(lines[0].level, 0);
	ck_assert_str_eq(lines[1].path, "/usr/lib/libz.so.1");
	(void)spg_surroundings_cached(around, "liby.so.1", &found);
	ck_assert_uint_eq(found, 0);
	spg_surroundings_unref(around);

	/* One that cannot do that has the other only; a damaged one has no lines. */
	around = spg_surroundings_create();
	ck_assert_int_eq(spg_ld_cache_parse(around, bytes, (size_t)n), 0);
	(void)spg_surroundings_cached(around, "libz.so.1", &found);
	ck_assert_uint_eq(found, 1);
	spg_surroundings_unref(around);
	around = spg_surroundings_create();
	ck_assert_int_eq(spg_ld_cache_parse(around, bytes, 60), SPG_ERR_INVALID);
	spg_surroundings_unref(around);
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_ELF, 40);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("elf");

	tcase_add_test(tc, library);
	tcase_add_test(tc, program);
	tcase_add_test(tc, other_tables);
	tcase_add_test(tc, scripts);
	tcase_add_test(tc, cache);
	tcase_add_test(tc, corpus);
	return spg_run_suite("elf", tc);
}
