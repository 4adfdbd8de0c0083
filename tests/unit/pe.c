/* SPDX-License-Identifier: MIT */
/* The PE reader: whole images, every limit, every truncation, flipped bits. */
#include "common/pe_reader.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/pe_file.h"
#include "tests/support/corpus.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

static const char *const mdbperf_symbols[] = {
	"EcPerfOpen", "#12", "EcPerfOpenEx", NULL};
static const char *const kernel_symbols[] = {"ReadFile", NULL};
static const char *const late_symbols[] = {"#65535", "Late", NULL};
static const char *const no_symbols[] = {NULL};

static const struct pe_make_module modules[] = {
	{"mdbperf.dll", mdbperf_symbols, false},
	{"late.dll", late_symbols, true},
	{"KERNEL32.dll", kernel_symbols, false},
	{"empty.dll", no_symbols, false},
	{NULL},
};

static const struct pe_make_export exports[] = {
	{"First", 5, NULL},
	{NULL, 0, NULL},
	{"Forwarded", 9, "NTDLL.RtlAllocateHeap"},
	{"ForwardedToo", 0, "FOO.#12"},
};

static const struct pe_make_assembly assembly = {
	"Exchange.Data", "15.1.2507.39", "key"};
static const struct pe_make_assembly references[] = {
	{"mscorlib", "4.0.0.0", "another key"},
	{"Exchange.Net", "15.1.2507.65535", "key", NULL, 1},
	{"Unsigned", "1.2.3.4", NULL, "de-DE", 0x100},
	{"Windows", "255.255.255.255", NULL, NULL, 0x200},
	{NULL},
};

/* Both formats, both kinds of delayed imports, with and without name tables. */
static const struct pe_make images[] = {
	{false, false, 0, modules, false, false, exports, 4, "5.5.2448.0", "Microsoft",
		"Exchange", "dsamain.exe"},
	{true, false, 0, modules, false, false, exports, 4, "5.5.2448.0", "Microsoft",
		"Exchange", "dsamain.exe"},
	{false, true, 0, modules, true, true, exports, 4, "5.5.2448.0", "Microsoft",
		"Exchange", "dsamain.exe"},
	{true, true, 0xaa64, modules, true, false, exports, 4, "5.5.2448.0",
		"Microsoft", "Exchange", "dsamain.exe", &assembly, references, false},
};

static void expect_text(const struct spg_binary *pe, uint32_t offset, const char *text)
{
	if (text) {
		ck_assert_uint_ne(offset, 0);
		ck_assert_str_eq(spg_binary_text(pe, offset), text);
	} else {
		ck_assert_ptr_null(spg_binary_text(pe, offset));
	}
}

static void expect_module(const struct spg_binary *pe, uint32_t index, const char *name,
	const char *const *symbols, bool delayed)
{
	const struct spg_binary_module *module = &pe->modules[index];
	uint32_t n = 0;

	expect_text(pe, module->name, name);
	ck_assert_int_eq(module->delayed, delayed);
	for (; symbols[n]; n++) {
		const struct spg_binary_import *import =
			&pe->imports[module->first + n];

		ck_assert_uint_lt(n, module->n);
		if (symbols[n][0] != '#') {
			expect_text(pe, import->name, symbols[n]);
			continue;
		}
		ck_assert_uint_eq(import->name, 0);
		ck_assert_uint_eq(import->ordinal, strtoul(symbols[n] + 1, NULL, 10));
	}
	ck_assert_uint_eq(module->n, n);
}

static void expect_export(const struct spg_binary *pe, uint32_t index, uint32_t ordinal,
	const char *name, const char *forwarder)
{
	ck_assert_uint_lt(index, pe->n_exports);
	ck_assert_uint_eq(pe->exports[index].ordinal, ordinal);
	expect_text(pe, pe->exports[index].name, name);
	expect_text(pe, pe->exports[index].forwarder, forwarder);
}

START_TEST(whole)
{
	const struct pe_make *make = &images[_i];
	struct spg_binary *pe = pe_make(make);
	char text[SPG_BINARY_VERSION_TEXT_BYTES], machine[SPG_BINARY_MACHINE_BYTES];

	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_N_PARTS);
	ck_assert_int_eq(pe->is_pe32plus, make->is_pe32plus);
	ck_assert_int_eq(pe->is_dll, !make->is_exe);
	ck_assert_str_eq(spg_binary_machine_name(pe, machine), make->machine ? "arm64"
							       : make->is_pe32plus
								       ? "x64"
								       : "x86");
	ck_assert(pe->has_version);
	ck_assert_str_eq(
		spg_binary_version_format(pe->file_version, text), "5.5.2448.0");
	ck_assert_str_eq(
		spg_binary_version_format(pe->product_version, text), "5.5.2448.0");
	expect_text(pe, pe->company_name, "Microsoft");
	expect_text(pe, pe->product_name, "Exchange");
	expect_text(pe, pe->file_version_text, "5.5.2448.0");
	expect_text(pe, pe->product_version_text, "5.5.2448.0");
	expect_text(pe, pe->original_filename, "dsamain.exe");
	ck_assert_uint_eq(pe->n_modules, 4);
	expect_module(pe, 0, "mdbperf.dll", mdbperf_symbols, false);
	expect_module(pe, 1, "KERNEL32.dll", kernel_symbols, false);
	expect_module(pe, 2, "empty.dll", no_symbols, false);
	expect_module(pe, 3, "late.dll", late_symbols, true);
	ck_assert_uint_eq(pe->ordinal_base, 5);
	ck_assert_uint_eq(pe->n_exports, 4); /* 7 and 8 are empty places */
	expect_export(pe, 0, 5, "First", NULL);
	expect_export(pe, 1, 9, "Forwarded", "NTDLL.RtlAllocateHeap");
	expect_export(pe, 2, 10, "ForwardedToo", "FOO.#12");
	expect_export(pe, 3, 6, NULL, NULL);
	spg_binary_destroy(pe);
}
END_TEST

START_TEST(nothing_in_it)
{
	struct pe_make make = {0};
	struct spg_binary *pe = pe_make(&make);

	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_N_PARTS);
	ck_assert_uint_eq(pe->n_modules + pe->n_imports + pe->n_exports, 0);
	ck_assert(!pe->has_version);
	expect_text(pe, pe->company_name, NULL);
	spg_binary_destroy(pe);
	spg_binary_destroy(NULL);
}
END_TEST

/* ---- no PE files, and damaged headers ---- */

static const struct {
	const char *bytes;
	size_t n;
	int err;
	const char *says;
} foreign[] = {
	{"", 0, SPG_ERR_INVALID, "it is empty"},
	{"M", 1, SPG_ERR_INVALID, "one byte"},
	{"\177ELF\2\1\1", 7, SPG_ERR_INVALID, "does not begin with \"MZ\""},
	{"#!/bin/sh\n", 10, SPG_ERR_INVALID, "does not begin with \"MZ\""},
	{"MZ", 2, SPG_ERR_CORRUPT, "cut off"},
};

START_TEST(no_pe)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;

	ck_assert_int_eq(pe_make_read(&pe, foreign[_i].bytes, foreign[_i].n, &error),
		foreign[_i].err);
	ck_assert_ptr_null(pe);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), foreign[_i].says));
	spg_buf_finish(&error);
}
END_TEST

/* What is written where, and what is then said of the headers, or of a part. */
enum from { FILE_START, ENTRY, TABLE, SECTIONS };

#define HEADERS SPG_BINARY_N_PARTS

static const struct {
	enum from from;
	unsigned dir;
	size_t at, bytes;
	uint64_t value;
	enum spg_binary_part part;
	int err;
	const char *says;
} damages[] = {
	{FILE_START, 0, 0x3c, 4, 0x7fffffff, HEADERS, SPG_ERR_CORRUPT, "cut off"},
	{FILE_START, 0, 0x3c, 4, 0xfffffffe, HEADERS, SPG_ERR_CORRUPT, "cut off"},
	{FILE_START, 0, 0x3c, 4, 0, HEADERS, SPG_ERR_INVALID, "16-bit"},
	{FILE_START, 0, 0x80, 4, 0x0000454e, HEADERS, SPG_ERR_INVALID, "16-bit"},
	{FILE_START, 0, 0x98, 2, 0x107, HEADERS, SPG_ERR_CORRUPT, "magic number 0x107"},
	{FILE_START, 0, 0x86, 2, 1025, HEADERS, SPG_ERR_LIMIT, "1025 sections"},
	{FILE_START, 0, 0x86, 2, 65535, HEADERS, SPG_ERR_LIMIT, "65535 sections"},
	{FILE_START, 0, 0x94, 2, 65535, HEADERS, SPG_ERR_CORRUPT, "cut off"},
	{SECTIONS, 0, 16, 4, 0xfffffe00, HEADERS, SPG_ERR_CORRUPT, "section 1 goes"},
	{SECTIONS, 0, 20, 4, 0xffffffff, HEADERS, SPG_ERR_CORRUPT, "section 1 goes"},
	{SECTIONS, 0, 8, 4, 0xffffffff, HEADERS, SPG_ERR_CORRUPT, "beyond 4 GiB"},
	{SECTIONS, 0, 8, 4, 0x100000, HEADERS, SPG_ERR_CORRUPT, "section 2 overlaps"},
	{SECTIONS, 0, 52, 4, 0x1000, HEADERS, SPG_ERR_CORRUPT, "section 2 overlaps"},
	/* imports */
	{ENTRY, 1, 0, 4, 0xfffffffc, SPG_BINARY_IMPORTS, SPG_ERR_CORRUPT, "0xfffffffc"},
	{TABLE, 1, 12, 4, 0xffffff, SPG_BINARY_IMPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 1, 0, 4, 0xffffffff, SPG_BINARY_IMPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 1, 12, 4, 0x18, SPG_BINARY_IMPORTS, 0,
		NULL}, /* a name in the headers */
	{TABLE, 1, 12, 4, 0x1fff, SPG_BINARY_IMPORTS, SPG_ERR_CORRUPT,
		"module is empty"},
	{TABLE, 1, 12, 4, 0, SPG_BINARY_IMPORTS, 0, NULL}, /* the list ends early */
	/* delayed imports */
	{ENTRY, 13, 0, 4, 0xffff0000, SPG_BINARY_DELAYED, SPG_ERR_CORRUPT,
		"no section"},
	{TABLE, 13, 0, 4, 0, SPG_BINARY_DELAYED, SPG_ERR_CORRUPT, "below the image"},
	{TABLE, 13, 16, 4, 0xffffffff, SPG_BINARY_DELAYED, SPG_ERR_CORRUPT,
		"no section"},
	/* exports */
	{TABLE, 0, 20, 4, 0xffffffff, SPG_BINARY_EXPORTS, SPG_ERR_LIMIT,
		"4294967295 func"},
	{TABLE, 0, 20, 4, 65537, SPG_BINARY_EXPORTS, SPG_ERR_LIMIT, "65537 functions"},
	{TABLE, 0, 24, 4, 0xffffffff, SPG_BINARY_EXPORTS, SPG_ERR_LIMIT,
		"4294967295 nam"},
	{TABLE, 0, 16, 4, 0xffffffff, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT,
		"ordinals begin"},
	{TABLE, 0, 20, 4, 1, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT, "function 4 of 1"},
	{TABLE, 0, 28, 4, 0xfffffff0, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT,
		"no section"},
	{TABLE, 0, 32, 4, 0xfffffff0, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT,
		"no section"},
	{TABLE, 0, 36, 4, 0xfffffff0, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT,
		"no section"},
	{TABLE, 0, 64, 4, 0, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT,
		"name of an export is mi"},
	/* overlapping tables: the names are the functions' addresses */
	{TABLE, 0, 32, 4, 0x3028, SPG_BINARY_EXPORTS, SPG_ERR_CORRUPT, "no section"},
	/* resources */
	{ENTRY, 2, 0, 4, 0xffffffff, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 2, 12, 2, 65535, SPG_BINARY_VERSION, SPG_ERR_LIMIT, "65536 entries"},
	{TABLE, 2, 12, 2, 4096, SPG_BINARY_VERSION, SPG_ERR_LIMIT, "4097 entries"},
	{TABLE, 2, 20, 4, 72, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "where a directory"},
	{TABLE, 2, 68, 4, 0x80000000, SPG_BINARY_VERSION, SPG_ERR_CORRUPT,
		"where data"},
	{TABLE, 2, 20, 4, 0x80000000, SPG_BINARY_VERSION, SPG_ERR_CORRUPT,
		"where data"},
	{TABLE, 2, 20, 4, 0xffffffff, SPG_BINARY_VERSION, SPG_ERR_CORRUPT,
		"no section"},
	{TABLE, 2, 76, 4, 65536, SPG_BINARY_VERSION, SPG_ERR_LIMIT, "65536 bytes"},
	{TABLE, 2, 76, 4, 0xffffffff, SPG_BINARY_VERSION, SPG_ERR_LIMIT,
		"4294967295 bytes"},
	{TABLE, 2, 76, 4, 5, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "beyond its end"},
	{TABLE, 2, 76, 4, 0, SPG_BINARY_VERSION, 0, NULL},
	{TABLE, 2, 88, 2, 0, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "has 0 bytes"},
	{TABLE, 2, 88, 2, 65535, SPG_BINARY_VERSION, SPG_ERR_CORRUPT,
		"has 65535 bytes"},
	{TABLE, 2, 94, 2, 'X', SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "no key"},
	{TABLE, 2, 128, 4, 0, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "no signature"},
	{TABLE, 2, 90, 2, 51, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "no signature"},
	{TABLE, 2, 180, 2, 3, SPG_BINARY_VERSION, SPG_ERR_CORRUPT, "has 3 bytes"},
};

static size_t place_of(const struct spg_buf *image, enum from from, unsigned dir)
{
	switch (from) {
	case ENTRY:
		return pe_make_entry(image, dir);
	case TABLE:
		return pe_make_table(image, dir);
	case SECTIONS:
		return pe_make_entry(image, 16);
	default:
		return 0;
	}
}

/* One damage loses nothing of the other parts. */
START_TEST(damage)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	int err;

	pe_make_image(&images[0], &image);
	pe_make_patch(&image,
		place_of(&image, damages[_i].from, damages[_i].dir) + damages[_i].at,
		damages[_i].value, damages[_i].bytes);
	err = pe_make_read(&pe, image.data, image.len, &error);
	if (damages[_i].part == HEADERS) {
		ck_assert_int_eq(err, damages[_i].err);
		ck_assert_ptr_null(pe);
		ck_assert_msg(strstr(spg_buf_text(&error), damages[_i].says) != NULL,
			"%s", spg_buf_text(&error));
		goto out;
	}
	ck_assert_int_eq(err, 0);
	for (enum spg_binary_part part = 0; part < SPG_BINARY_N_PARTS; part++) {
		const char *why = spg_binary_text(pe, pe->why[part]);

		if (part != damages[_i].part || damages[_i].err == 0) {
			ck_assert_msg(pe->status[part] == 0, "%s", why);
			continue;
		}
		ck_assert_int_eq(pe->status[part], damages[_i].err);
		ck_assert_msg(strstr(why, damages[_i].says) != NULL, "%s", why);
	}
	if (damages[_i].part != SPG_BINARY_EXPORTS)
		ck_assert_uint_eq(pe->n_exports, 4);
	else
		ck_assert_uint_eq(pe->n_exports, 0);
	if (damages[_i].part != SPG_BINARY_VERSION)
		expect_text(pe, pe->product_name, "Exchange");
	/* A string that is damaged does not take the numbers along. */
	if (damages[_i].from == TABLE && damages[_i].dir == 2 && damages[_i].at == 180)
		ck_assert(pe->has_version);
out:
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* Imports that were bound and have lost their names. */
START_TEST(bound_without_names)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;

	pe_make_image(&images[2], &image);
	pe_make_patch(&image, pe_make_table(&image, 1) + 4, 0x12345678, 4);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	ck_assert_int_eq(pe->status[SPG_BINARY_IMPORTS], SPG_ERR_UNSUPPORTED);
	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_IMPORTS);
	ck_assert_uint_eq(pe->n_modules, 1); /* the delayed one */
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* ---- limits ---- */

static void expect_limit(const struct pe_make *make, enum spg_binary_part part, int err,
	const char *says, size_t n_modules, size_t n_imports)
{
	struct spg_binary *pe = pe_make(make);

	ck_assert_int_eq(pe->status[part], err);
	if (err < 0)
		ck_assert_msg(strstr(spg_binary_text(pe, pe->why[part]), says) != NULL,
			"%s", spg_binary_text(pe, pe->why[part]));
	ck_assert_uint_eq(pe->n_modules, n_modules);
	ck_assert_uint_eq(pe->n_imports, n_imports);
	spg_binary_destroy(pe);
}

START_TEST(module_limit)
{
	struct pe_make_module *many = calloc(SPG_PE_MODULES_MAX + 2, sizeof(*many));
	struct pe_make make = {.modules = many};

	for (size_t i = 0; i < SPG_PE_MODULES_MAX; i++)
		many[i] = (struct pe_make_module){"a.dll", kernel_symbols, false};
	expect_limit(&make, SPG_BINARY_IMPORTS, 0, NULL, SPG_PE_MODULES_MAX,
		SPG_PE_MODULES_MAX);
	many[SPG_PE_MODULES_MAX] = many[0];
	expect_limit(
		&make, SPG_BINARY_IMPORTS, SPG_ERR_LIMIT, "more than 4096 mod", 0, 0);
	/* Both kinds count together. */
	many[SPG_PE_MODULES_MAX].delayed = true;
	expect_limit(&make, SPG_BINARY_DELAYED, SPG_ERR_LIMIT, "more than 4096 mod",
		SPG_PE_MODULES_MAX, SPG_PE_MODULES_MAX);
	free(many);
}
END_TEST

static void expect_symbols(size_t n, const char *symbol, int err, const char *says)
{
	const char **symbols = calloc(n + 1, sizeof(*symbols));
	struct pe_make_module list[] = {{"a.dll", symbols, false}, {NULL}};
	struct pe_make make = {.modules = list, .is_pe32plus = true};

	for (size_t i = 0; i < n; i++)
		symbols[i] = symbol;
	expect_limit(&make, SPG_BINARY_IMPORTS, err, says, err == 0, err == 0 ? n : 0);
	free(symbols);
}

START_TEST(import_limits)
{
	static char symbol[SPG_PE_SYMBOL_MAX + 2];

	expect_symbols(SPG_PE_IMPORTS_MAX - 1, "#1", 0, NULL);
	expect_symbols(SPG_PE_IMPORTS_MAX + 1, "#1", SPG_ERR_LIMIT, "more than 131072");
	memset(symbol, 'x', SPG_PE_SYMBOL_MAX);
	expect_symbols(1, symbol, 0, NULL);
	expect_symbols(SPG_PE_TEXT_MAX / SPG_PE_SYMBOL_MAX - 1, symbol, 0, NULL);
	expect_symbols(SPG_PE_TEXT_MAX / SPG_PE_SYMBOL_MAX + 1, symbol, SPG_ERR_LIMIT,
		"its names exceed 8 MiB");
	symbol[SPG_PE_SYMBOL_MAX] = 'x';
	expect_symbols(1, symbol, SPG_ERR_CORRUPT, "longer than 4096 bytes");
}
END_TEST

START_TEST(module_name_limit)
{
	static char name[SPG_PE_MODULE_MAX + 2];
	struct pe_make_module list[] = {{name, kernel_symbols, true}, {NULL}};
	struct pe_make make = {.modules = list};

	memset(name, 'm', SPG_PE_MODULE_MAX);
	expect_limit(&make, SPG_BINARY_DELAYED, 0, NULL, 1, 1);
	name[SPG_PE_MODULE_MAX] = 'm';
	expect_limit(
		&make, SPG_BINARY_DELAYED, SPG_ERR_CORRUPT, "longer than 260", 0, 0);
}
END_TEST

/* A text of the version: what is too long is cut; UTF-16 becomes UTF-8. */
START_TEST(version_texts)
{
	static const uint16_t units[] = {0xe4, 0x20ac, 0xd83d, 0xde00, 0xd800, 'x'};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	char company[2 * SPG_PE_STRING_MAX] = "";
	struct pe_make make = {.version = "1.2.3.4", .company = company};
	struct spg_binary *pe;
	size_t at;

	memset(company, 'c', SPG_PE_STRING_MAX + 9);
	pe = pe_make(&make);
	ck_assert_uint_eq(
		strlen(spg_binary_text(pe, pe->company_name)), SPG_PE_STRING_MAX);
	spg_binary_destroy(pe);

	memset(company, 0, sizeof(company));
	memset(company, 'c', sizeof(units) / sizeof(units[0]));
	pe_make_image(&make, &image);
	at = pe_make_table(&image, 2);
	while (pe_make_u32(&image, at) != ('c' | 'c' << 16))
		at += 2;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		pe_make_patch(&image, at + 2 * i, units[i], 2);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	expect_text(pe, pe->company_name,
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx");
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* A file of gigabytes whose imports have names everywhere. */
#define FAR 0x100000

struct vast {
	const struct spg_buf *image;
	uint64_t n_read;
};

static int read_vast(void *user, uint64_t offset, void *buf, size_t n)
{
	struct vast *vast = user;

	vast->n_read += n;
	memset(buf, 0, n);
	for (size_t i = 3; i < n; i += 4)
		((char *)buf)[i - 1] = 'x';
	if (offset < vast->image->len) {
		size_t left = vast->image->len - (size_t)offset;

		memcpy(buf, vast->image->data + offset, n < left ? n : left);
	}
	return 0;
}

START_TEST(read_limit)
{
	size_t n = 60000;
	const char **symbols = calloc(n + 1, sizeof(*symbols));
	struct pe_make_module list[] = {{"a.dll", symbols, false}, {NULL}};
	struct pe_make make = {.modules = list};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct vast vast = {&image, 0};
	struct spg_pe_source source = {&vast, read_vast, UINT32_MAX};
	struct spg_binary *pe = NULL;
	size_t thunks;

	for (size_t i = 0; i < n; i++)
		symbols[i] = "#1";
	pe_make_image(&make, &image);
	thunks = pe_make_u32(&image, pe_make_table(&image, 1)) - 0x1000 + 0x400;
	for (size_t i = 0; i < n; i++)
		pe_make_patch(&image, thunks + 4 * i, FAR + i * 16384, 4);
	pe_make_patch(&image, pe_make_entry(&image, 16) + 8, 0x7f000000, 4);
	pe_make_patch(&image, pe_make_entry(&image, 16) + 16, 0x7f000000, 4);
	ck_assert_int_eq(spg_pe_read(&pe, &source, &error), 0);
	ck_assert_int_eq(pe->status[SPG_BINARY_IMPORTS], SPG_ERR_LIMIT);
	ck_assert_ptr_nonnull(
		strstr(spg_binary_text(pe, pe->why[SPG_BINARY_IMPORTS]), "256 MiB"));
	ck_assert_uint_le(vast.n_read, SPG_PE_READ_MAX);
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	free(symbols);
}
END_TEST

/* Sections without bytes in the file are zeros, and tables in them are empty. */
START_TEST(zero_raw_size)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	size_t at;

	pe_make_image(&images[1], &image);
	at = pe_make_entry(&image, 16);
	for (int i = 0; i < 4; i++)
		pe_make_patch(&image, at + 40 * (size_t)i + 16, 0, 4);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_N_PARTS);
	ck_assert_uint_eq(pe->n_modules + pe->n_exports, 0);
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* ---- hostile bytes in bulk ---- */

/* No shorter file passes for a whole one. */
START_TEST(every_truncation)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;

	pe_make_image(&images[_i], &image);
	for (size_t n = 0; n < image.len; n++) {
		char *copy = malloc(n ? n : 1);
		struct spg_binary *pe = NULL;
		int err;

		memcpy(copy, image.data, n);
		err = pe_make_read(&pe, copy, n, &error);
		ck_assert_int_eq(err, n < 2 ? SPG_ERR_INVALID : SPG_ERR_CORRUPT);
		ck_assert_ptr_null(pe);
		free(copy);
	}
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

START_TEST(flipped_bits)
{
	struct spg_buf image = SPG_BUF_NULL;
	uint32_t seed = 246337 + (uint32_t)_i;

	pe_make_image(&images[_i], &image);
	for (int round = 0; round < 5000; round++) {
		char *copy = malloc(image.len);
		uint32_t n = 1 + next_random(&seed) % 6;

		memcpy(copy, image.data, image.len);
		while (n-- > 0) {
			uint32_t bit = next_random(&seed) % (8 * (uint32_t)image.len);

			copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		}
		LLVMFuzzerTestOneInput((const uint8_t *)copy, image.len);
		free(copy);
	}
	spg_buf_finish(&image);
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_PE, 16);
}
END_TEST

/* ---- sources that fail ---- */

static int read_failing(void *user, uint64_t offset, void *buf, size_t n)
{
	(void)user;
	(void)offset;
	memset(buf, 0, n);
	return SPG_ERR_IO;
}

START_TEST(failing_source)
{
	struct spg_pe_source source = {NULL, read_failing, 4096};
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;

	ck_assert_int_eq(spg_pe_read(&pe, &source, &error), SPG_ERR_IO);
	ck_assert_ptr_null(pe);
	ck_assert_uint_gt(error.len, 0);
	spg_buf_finish(&error);
}
END_TEST

START_TEST(from_file)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	FILE *file = tmpfile();
	struct spg_binary *pe = NULL;
	int ends[2];

	ck_assert_ptr_nonnull(file);
	pe_make_image(&images[0], &image);
	ck_assert_uint_eq(fwrite(image.data, 1, image.len, file), image.len);
	ck_assert_int_eq(fflush(file), 0);
	ck_assert_int_eq(spg_pe_read_fd(&pe, fileno(file), &error), 0);
	ck_assert_uint_eq(pe->n_exports, 4);
	spg_binary_destroy(pe);
	pe = NULL;
	fclose(file);
	/* What cannot be read at an offset is no file. */
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_lt(spg_pe_read_fd(&pe, ends[0], &error), 0);
	ck_assert_int_lt(spg_pe_read_fd(&pe, -1, &error), 0);
	ck_assert_str_eq(spg_buf_text(&error), "Bad file descriptor");
	close(ends[0]);
	close(ends[1]);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pe");

	spg_add_rows(tc, whole, images);
	tcase_add_test(tc, nothing_in_it);
	spg_add_rows(tc, no_pe, foreign);
	spg_add_rows(tc, damage, damages);
	tcase_add_test(tc, bound_without_names);
	tcase_add_test(tc, module_limit);
	tcase_add_test(tc, import_limits);
	tcase_add_test(tc, module_name_limit);
	tcase_add_test(tc, version_texts);
	tcase_add_test(tc, read_limit);
	tcase_add_test(tc, zero_raw_size);
	spg_add_rows(tc, every_truncation, images);
	spg_add_rows(tc, flipped_bits, images);
	tcase_add_test(tc, corpus);
	tcase_add_test(tc, failing_source);
	tcase_add_test(tc, from_file);
	return spg_run_suite("pe", tc);
}
