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
#include "common/pe_other.h"
#include "common/pe_signed.h"
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

static void expect_text(const struct spg_pe *pe, uint32_t offset, const char *text)
{
	if (text) {
		ck_assert_uint_ne(offset, 0);
		ck_assert_str_eq(spg_pe_text(pe, offset), text);
	} else {
		ck_assert_ptr_null(spg_pe_text(pe, offset));
	}
}

static void expect_module(const struct spg_pe *pe, uint32_t index, const char *name,
	const char *const *symbols, bool delayed)
{
	const struct spg_pe_module *module = &pe->modules[index];
	uint32_t n = 0;

	expect_text(pe, module->name, name);
	ck_assert_int_eq(module->delayed, delayed);
	for (; symbols[n]; n++) {
		const struct spg_pe_import *import = &pe->imports[module->first + n];

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

static void expect_export(const struct spg_pe *pe, uint32_t index, uint32_t ordinal,
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
	struct spg_pe *pe = pe_make(make);
	char text[SPG_PE_VERSION_TEXT_BYTES], machine[SPG_PE_MACHINE_BYTES];

	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_N_PARTS);
	ck_assert_int_eq(pe->is_pe32plus, make->is_pe32plus);
	ck_assert_int_eq(pe->is_dll, !make->is_exe);
	ck_assert_str_eq(
		spg_pe_machine_name(pe->machine, machine), make->machine       ? "arm64"
							   : make->is_pe32plus ? "x64"
									       : "x86");
	ck_assert(pe->has_version);
	ck_assert_str_eq(spg_pe_version_format(pe->file_version, text), "5.5.2448.0");
	ck_assert_str_eq(
		spg_pe_version_format(pe->product_version, text), "5.5.2448.0");
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
	spg_pe_destroy(pe);
}
END_TEST

START_TEST(nothing_in_it)
{
	struct pe_make make = {0};
	struct spg_pe *pe = pe_make(&make);

	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_N_PARTS);
	ck_assert_uint_eq(pe->n_modules + pe->n_imports + pe->n_exports, 0);
	ck_assert(!pe->has_version);
	expect_text(pe, pe->company_name, NULL);
	spg_pe_destroy(pe);
	spg_pe_destroy(NULL);
}
END_TEST

START_TEST(machines)
{
	struct pe_make x86 = {0}, x64 = {.is_pe32plus = true};
	struct spg_pe *a = pe_make(&x86), *b = pe_make(&x64);

	ck_assert(spg_pe_machines_agree(a, a));
	ck_assert(!spg_pe_machines_agree(a, b));
	spg_pe_destroy(a);
	spg_pe_destroy(b);
}
END_TEST

/* The load configuration in the headers, and the table of dynamic relocations in the
 * padding of the first section. */
#define CONFIG_AT 0x300
#define TABLE_AT  0x1c0

static const struct {
	uint16_t machine;
	uint32_t version, first, config_bytes, section;
	bool is_x64_too;
} dual[] = {
	{0xaa64, 1, 6, 320, 1, true},
	{0xaa64, 1, 3, 320, 1, true}, /* the second is ARM64X */
	{0xaa64, 2, 6, 320, 1, false},
	{0xaa64, 1, 6, 229, 1, false},
	{0xaa64, 1, 6, 320, 0, false},
	{0xaa64, 1, 6, 320, 2, false},
	{0, 1, 6, 320, 1, false}, /* x64 */
	{0xaa64, 1, 0, 320, 1, true},
};

START_TEST(two_machines)
{
	struct pe_make make = {.is_pe32plus = true,
		.machine = dual[_i].machine,
		.exports = exports,
		.n_exports = 1};
	struct pe_make x64 = {.is_pe32plus = true}, x86 = {0};
	struct pe_make arm64 = {.is_pe32plus = true, .machine = 0xaa64};
	struct spg_pe *others[] = {pe_make(&x64), pe_make(&arm64), pe_make(&x86)};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;
	size_t table;

	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_entry(&image, 10), CONFIG_AT, 4);
	pe_make_patch(&image, pe_make_entry(&image, 10) + 4, 0x40, 4);
	pe_make_patch(&image, CONFIG_AT, dual[_i].config_bytes, 4);
	pe_make_patch(&image, CONFIG_AT + 224, TABLE_AT, 4);
	pe_make_patch(&image, CONFIG_AT + 228, dual[_i].section, 2);
	table = pe_make_table(&image, 0) + TABLE_AT;
	pe_make_patch(&image, table, dual[_i].version, 4);
	pe_make_patch(&image, table + 4, 28, 4);
	pe_make_patch(&image, table + 8, dual[_i].first, 8);
	pe_make_patch(&image, table + 16, 4, 4);
	pe_make_patch(&image, table + 24, 6, 8);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_N_PARTS);
	ck_assert_int_eq(pe->is_x64_too, dual[_i].is_x64_too);
	ck_assert_int_eq(spg_pe_machines_agree(pe, others[0]),
		dual[_i].is_x64_too || dual[_i].machine == 0);
	ck_assert_int_eq(spg_pe_machines_agree(others[0], pe),
		dual[_i].is_x64_too || dual[_i].machine == 0);
	ck_assert_int_eq(
		spg_pe_machines_agree(pe, others[1]), dual[_i].machine == 0xaa64);
	ck_assert(!spg_pe_machines_agree(pe, others[2]));
	for (size_t i = 0; i < 3; i++)
		spg_pe_destroy(others[i]);
	spg_pe_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* ---- .NET ---- */

static const struct pe_make managed[] = {
	{.assembly = &assembly, .references = references},
	{.assembly = &assembly,
		.references = references,
		.wide = true,
		.is_pe32plus = true},
};

static void expect_assembly(const struct spg_pe *pe, const struct spg_pe_assembly *is,
	const struct pe_make_assembly *expected)
{
	char version[SPG_PE_VERSION_TEXT_BYTES];
	uint8_t token[SPG_PE_TOKEN_BYTES] = {0};

	expect_text(pe, is->name, expected->name);
	expect_text(pe, is->culture, expected->culture);
	ck_assert_str_eq(
		spg_pe_version_format(is->version, version), expected->version);
	ck_assert_int_eq(is->has_token, expected->key != NULL);
	if (expected->key)
		pe_make_token(expected->key, token);
	ck_assert_mem_eq(is->token, token, sizeof(token));
	ck_assert_int_eq(is->is_retargetable, expected->flags == 0x100);
	ck_assert_int_eq(is->is_windows_runtime, expected->flags == 0x200);
}

START_TEST(assemblies)
{
	struct spg_pe *pe = pe_make(&managed[_i]);

	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_N_PARTS);
	ck_assert(pe->is_managed);
	expect_assembly(pe, &pe->assembly, &assembly);
	ck_assert_uint_eq(pe->n_references, 4);
	for (size_t i = 0; i < 4; i++)
		expect_assembly(pe, &pe->references[i], &references[i]);
	spg_pe_destroy(pe);
}
END_TEST

/* A module without an assembly of its own. */
START_TEST(netmodule)
{
	static const struct pe_make_assembly none = {0};
	struct pe_make make = {.assembly = &none, .references = references};
	struct spg_pe *pe = pe_make(&make);

	ck_assert(pe->is_managed);
	ck_assert_uint_eq(pe->assembly.name, 0);
	ck_assert_uint_eq(pe->n_references, 4);
	spg_pe_destroy(pe);
}
END_TEST

/* Places in the section: the CLI header, the root behind it at 72, its streams'
 * headers at 96, 108 and 128, the tables at 144. */
static const struct {
	size_t at, bytes;
	uint64_t value;
	int err;
	const char *says;
} metadata_damages[] = {
	{108 - 4, 4, 0x2d23, 0, NULL}, /* "#-" */
	{8, 4, 0x7fffffff, SPG_ERR_CORRUPT, "no section"},
	{72, 4, 0, SPG_ERR_CORRUPT, "no signature"},
	{84, 4, 0xffffffff, SPG_ERR_CORRUPT, "no signature"},
	{94, 2, 65, SPG_ERR_LIMIT, "65 streams"},
	{94, 2, 64, 0, NULL}, /* behind the third: without names */
	{94, 2, 0, SPG_ERR_CORRUPT, "no tables"},
	{104, 4, 0x5823, SPG_ERR_CORRUPT, "no tables"},
	{96, 4, 0xfffffff0, SPG_ERR_CORRUPT, "no section"},
	{112, 4, 2, SPG_ERR_CORRUPT, "behind all names"},
	{132, 4, 2, SPG_ERR_CORRUPT, "behind all"},
	{144 + 24, 4, 0x1000000, SPG_ERR_CORRUPT, "rows"},
	{144 + 24, 4, 0xffffff, SPG_ERR_CORRUPT, "no section"},
	{144 + 36, 4, 4097, SPG_ERR_LIMIT, "4097 assemblies"},
	{144 + 36, 4, 4096, SPG_ERR_CORRUPT, NULL},
};

START_TEST(metadata_damage)
{
	struct pe_make make = managed[0];
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;
	const char *why;

	make.exports = exports;
	make.n_exports = 4;
	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_table(&image, 14) + metadata_damages[_i].at,
		metadata_damages[_i].value, metadata_damages[_i].bytes);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	why = spg_pe_text(pe, pe->why[SPG_PE_ASSEMBLY]);
	ck_assert_msg(
		pe->status[SPG_PE_ASSEMBLY] == metadata_damages[_i].err, "%s", why);
	if (metadata_damages[_i].says)
		ck_assert_msg(
			strstr(why, metadata_damages[_i].says) != NULL, "%s", why);
	ck_assert_int_eq(pe->is_managed, metadata_damages[_i].err == 0);
	ck_assert_uint_eq(pe->n_references, metadata_damages[_i].err ? 0 : 4);
	ck_assert_uint_eq(pe->n_exports, 4);
	spg_pe_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
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
	struct spg_pe *pe = NULL;

	ck_assert_int_eq(pe_make_read(&pe, foreign[_i].bytes, foreign[_i].n, &error),
		foreign[_i].err);
	ck_assert_ptr_null(pe);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), foreign[_i].says));
	spg_buf_finish(&error);
}
END_TEST

/* What stands under a name and is no PE file. NULL: it may be meant. */
static const struct {
	const char *name, *bytes;
	size_t n;
	const char *says;
} others[] = {
	{"mdbperf.dll", "", 0, "it is empty"},
	{"MDBPERF.DLL", "", 0, "it is empty"},
	{"screen.scr", "", 0, "it is empty"},
	{"readme.txt", "", 0, NULL},
	{".dll", "", 0, NULL},
	{"a.exe", "\0\0\0\0\0\0\0\0", 8, "it begins with zeros"},
	{"a.dll", "\r\n<!DOCTYPE html><title>404", 27, "it is a web page"},
	{"a.dll", "<?xml version='1.0'?><HTML>", 27, "it is a web page"},
	{"a.tsp", "<html>", 6, "it is a web page"},
	{"a.dll", "version https://git-lfs", 23, "it is a text"},
	{"a.dll", "\xff\xfe\x41\0\x42\0", 6, "it is a text"},
	{"a.dll", "M", 1, "it is a text"},
	{"a.ocx", "SZDD\x88\xf0\x27\x33 and more", 16, "it is compressed"},
	{"a.cpl", "\1\2\3\4", 4, "does not begin as"},
	{"driver.sys", "nothing", 7, "it is a text"},
	{"CONFIG.SYS", "DEVICE=C:\\HIMEM.SYS", 19, NULL},
	{"plot.scr", "LINE 0,0 1,1", 12, NULL},
	{"winecfg.exe", "#!/bin/sh\n", 10, NULL},
	{"a.dll", "\177ELF\2\1\1", 7, NULL},
	{"a.exe", "MZ for DOS", 10, NULL},
	{"a.conf", "text", 4, NULL},
};

static int read_literal(void *user, uint64_t offset, void *buf, size_t n)
{
	memcpy(buf, (const char *)user + offset, n);
	return 0;
}

START_TEST(other_contents)
{
	struct spg_pe_source source = {
		(void *)others[_i].bytes, read_literal, others[_i].n};
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_pe_judge_other(&source, others[_i].name, &error);

	ck_assert_int_eq(err, others[_i].says ? SPG_ERR_CORRUPT : SPG_ERR_INVALID);
	if (others[_i].says)
		ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), others[_i].says));
	spg_buf_finish(&error);
}
END_TEST

/* What is written where, and what is then said of the headers, or of a part. */
enum from { FILE_START, ENTRY, TABLE, SECTIONS };

#define HEADERS SPG_PE_N_PARTS

static const struct {
	enum from from;
	unsigned dir;
	size_t at, bytes;
	uint64_t value;
	enum spg_pe_part part;
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
	{ENTRY, 1, 0, 4, 0xfffffffc, SPG_PE_IMPORTS, SPG_ERR_CORRUPT, "0xfffffffc"},
	{TABLE, 1, 12, 4, 0xffffff, SPG_PE_IMPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 1, 0, 4, 0xffffffff, SPG_PE_IMPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 1, 12, 4, 0x18, SPG_PE_IMPORTS, 0, NULL}, /* a name in the headers */
	{TABLE, 1, 12, 4, 0x1fff, SPG_PE_IMPORTS, SPG_ERR_CORRUPT, "module is empty"},
	{TABLE, 1, 12, 4, 0, SPG_PE_IMPORTS, 0, NULL}, /* the list ends early */
	/* delayed imports */
	{ENTRY, 13, 0, 4, 0xffff0000, SPG_PE_DELAYED, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 13, 0, 4, 0, SPG_PE_DELAYED, SPG_ERR_CORRUPT, "below the image"},
	{TABLE, 13, 16, 4, 0xffffffff, SPG_PE_DELAYED, SPG_ERR_CORRUPT, "no section"},
	/* exports */
	{TABLE, 0, 20, 4, 0xffffffff, SPG_PE_EXPORTS, SPG_ERR_LIMIT, "4294967295 func"},
	{TABLE, 0, 20, 4, 65537, SPG_PE_EXPORTS, SPG_ERR_LIMIT, "65537 functions"},
	{TABLE, 0, 24, 4, 0xffffffff, SPG_PE_EXPORTS, SPG_ERR_LIMIT, "4294967295 nam"},
	{TABLE, 0, 16, 4, 0xffffffff, SPG_PE_EXPORTS, SPG_ERR_CORRUPT,
		"ordinals begin"},
	{TABLE, 0, 20, 4, 1, SPG_PE_EXPORTS, SPG_ERR_CORRUPT, "function 4 of 1"},
	{TABLE, 0, 28, 4, 0xfffffff0, SPG_PE_EXPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 0, 32, 4, 0xfffffff0, SPG_PE_EXPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 0, 36, 4, 0xfffffff0, SPG_PE_EXPORTS, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 0, 64, 4, 0, SPG_PE_EXPORTS, SPG_ERR_CORRUPT,
		"name of an export is mi"},
	/* overlapping tables: the names are the functions' addresses */
	{TABLE, 0, 32, 4, 0x3028, SPG_PE_EXPORTS, SPG_ERR_CORRUPT, "no section"},
	/* resources */
	{ENTRY, 2, 0, 4, 0xffffffff, SPG_PE_VERSION, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 2, 12, 2, 65535, SPG_PE_VERSION, SPG_ERR_LIMIT, "65536 entries"},
	{TABLE, 2, 12, 2, 4096, SPG_PE_VERSION, SPG_ERR_LIMIT, "4097 entries"},
	{TABLE, 2, 20, 4, 72, SPG_PE_VERSION, SPG_ERR_CORRUPT, "where a directory"},
	{TABLE, 2, 68, 4, 0x80000000, SPG_PE_VERSION, SPG_ERR_CORRUPT, "where data"},
	{TABLE, 2, 20, 4, 0x80000000, SPG_PE_VERSION, SPG_ERR_CORRUPT, "where data"},
	{TABLE, 2, 20, 4, 0xffffffff, SPG_PE_VERSION, SPG_ERR_CORRUPT, "no section"},
	{TABLE, 2, 76, 4, 65536, SPG_PE_VERSION, SPG_ERR_LIMIT, "65536 bytes"},
	{TABLE, 2, 76, 4, 0xffffffff, SPG_PE_VERSION, SPG_ERR_LIMIT,
		"4294967295 bytes"},
	{TABLE, 2, 76, 4, 5, SPG_PE_VERSION, SPG_ERR_CORRUPT, "beyond its end"},
	{TABLE, 2, 76, 4, 0, SPG_PE_VERSION, 0, NULL},
	{TABLE, 2, 88, 2, 0, SPG_PE_VERSION, SPG_ERR_CORRUPT, "has 0 bytes"},
	{TABLE, 2, 88, 2, 65535, SPG_PE_VERSION, SPG_ERR_CORRUPT, "has 65535 bytes"},
	{TABLE, 2, 94, 2, 'X', SPG_PE_VERSION, SPG_ERR_CORRUPT, "no key"},
	{TABLE, 2, 128, 4, 0, SPG_PE_VERSION, SPG_ERR_CORRUPT, "no signature"},
	{TABLE, 2, 90, 2, 51, SPG_PE_VERSION, SPG_ERR_CORRUPT, "no signature"},
	{TABLE, 2, 180, 2, 3, SPG_PE_VERSION, SPG_ERR_CORRUPT, "has 3 bytes"},
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
	struct spg_pe *pe = NULL;
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
	for (enum spg_pe_part part = 0; part < SPG_PE_N_PARTS; part++) {
		const char *why = spg_pe_text(pe, pe->why[part]);

		if (part != damages[_i].part || damages[_i].err == 0) {
			ck_assert_msg(pe->status[part] == 0, "%s", why);
			continue;
		}
		ck_assert_int_eq(pe->status[part], damages[_i].err);
		ck_assert_msg(strstr(why, damages[_i].says) != NULL, "%s", why);
	}
	if (damages[_i].part != SPG_PE_EXPORTS)
		ck_assert_uint_eq(pe->n_exports, 4);
	else
		ck_assert_uint_eq(pe->n_exports, 0);
	if (damages[_i].part != SPG_PE_VERSION)
		expect_text(pe, pe->product_name, "Exchange");
	/* A string that is damaged does not take the numbers along. */
	if (damages[_i].from == TABLE && damages[_i].dir == 2 && damages[_i].at == 180)
		ck_assert(pe->has_version);
out:
	spg_pe_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* ---- whether it is whole ---- */

/* The place of headers that pe_make.c fills in, and one that it leaves empty. */
#define SYMBOLS_AT 0x8c
#define SYMBOLS_N  0x90
#define ENTRY_AT   0xa8
#define SPARE      0x300

static void append_number(struct spg_buf *image, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		spg_buf_putc(image, (char)(value >> 8 * i));
}

static void put_directory(
	struct spg_buf *image, unsigned dir, uint64_t rva, uint64_t bytes)
{
	pe_make_patch(image, pe_make_entry(image, dir), rva, 4);
	pe_make_patch(image, pe_make_entry(image, dir) + 4, bytes, 4);
}

/* NULL: nothing. */
static void expect_whole(const struct spg_buf *image, size_t n, const char *says)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;
	const char *why;

	ck_assert_int_eq(pe_make_read(&pe, image->data, n, &error), 0);
	why = spg_pe_text(pe, pe->why[SPG_PE_WHOLE]);
	if (says) {
		ck_assert_int_eq(pe->status[SPG_PE_WHOLE], SPG_ERR_CORRUPT);
		ck_assert_msg(strncmp(why, says, strlen(says)) == 0, "%s", why);
	} else {
		ck_assert_msg(pe->status[SPG_PE_WHOLE] == 0, "%s", why);
	}
	ck_assert_uint_eq(pe->n_exports, 4); /* no part suffers */
	spg_pe_destroy(pe);
	spg_buf_finish(&error);
}

static void expect_every_cut(
	const struct spg_buf *image, size_t n_tail, const char *what)
{
	expect_whole(image, image->len, NULL);
	for (size_t n = 1; n <= n_tail; n++) {
		char says[100];

		snprintf(says, sizeof(says),
			"%zu bytes are missing at its end: its %s cut off", n, what);
		expect_whole(image, image->len - n, says);
	}
}

START_TEST(certificates)
{
	struct spg_buf image = SPG_BUF_NULL;
	size_t at;

	pe_make_image(&images[_i], &image);
	at = image.len;
	put_directory(&image, 4, at, 64);
	append_number(&image, 64, 4);
	append_number(&image, 0x200, 2);
	append_number(&image, 2, 2);
	append_number(&image, 0x3430, 2); /* a SEQUENCE of 52 bytes */
	while (image.len < at + 64)
		spg_buf_putc(&image, 'c');
	expect_every_cut(&image, 64, "certificate was");
	pe_make_patch(&image, at + 8, 0, 2);
	expect_whole(&image, image.len, "its certificate is none");
	pe_make_patch(&image, at + 8, 0xffffffff8430, 6);
	expect_whole(&image, image.len, "its certificate is none");
	pe_make_patch(&image, at + 6, 1, 2); /* of a kind that is not looked at */
	expect_whole(&image, image.len, NULL);
	pe_make_patch(&image, at, 0, 4);
	expect_whole(&image, image.len, "its certificate has 0 bytes of 64");
	pe_make_patch(&image, at, 65, 4);
	expect_whole(&image, image.len, "its certificate has 65 bytes of 64");
	spg_buf_finish(&image);
}
END_TEST

START_TEST(coff_symbols)
{
	struct spg_buf image = SPG_BUF_NULL;
	size_t at;

	pe_make_image(&images[_i], &image);
	at = image.len;
	pe_make_patch(&image, SYMBOLS_AT, at, 4);
	pe_make_patch(&image, SYMBOLS_N, 2, 4);
	for (int i = 0; i < 36; i++)
		spg_buf_putc(&image, 's');
	append_number(&image, 8, 4);
	append_number(&image, 0x616161, 4);
	expect_whole(&image, image.len, NULL);
	for (size_t n = 1; n <= 44; n++)
		expect_whole(&image, image.len - n, "");
	expect_whole(&image, image.len - 4,
		"4 bytes are missing at its end: its symbols were cut off");
	expect_whole(&image, at, "40 bytes are missing at its end: its symbols");
	pe_make_patch(&image, SYMBOLS_AT, image.len + 1, 4);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

START_TEST(debug_data)
{
	struct spg_buf image = SPG_BUF_NULL;

	pe_make_image(&images[_i], &image);
	put_directory(&image, 6, SPARE, 28);
	pe_make_patch(&image, SPARE + 12, 2, 4);
	pe_make_patch(&image, SPARE + 16, 30, 4);
	pe_make_patch(&image, SPARE + 24, image.len, 4);
	for (int i = 0; i < 30; i++)
		spg_buf_putc(&image, 'd');
	expect_every_cut(&image, 30, "debug data were");
	/* Left over by a tool that removed them. */
	pe_make_patch(&image, SPARE + 24, image.len + 1, 4);
	expect_whole(&image, image.len, NULL);
	put_directory(&image, 6, 0x7fffffff, 28);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

/* Tables that only the loader follows. */
START_TEST(followed_tables)
{
	struct spg_buf image = SPG_BUF_NULL;

	pe_make_image(&images[_i], &image);
	put_directory(&image, 9, SPARE, 24);
	expect_whole(&image, image.len, NULL);
	put_directory(&image, 9, 0x7fffffff, 24);
	expect_whole(&image, image.len, "its TLS directory at 0x7fffffff");
	put_directory(&image, 9, SPARE, 0xffffffff);
	expect_whole(&image, image.len, "its TLS directory at 0x300 to 0x1000002fe");
	put_directory(&image, 9, 0, 0);
	put_directory(&image, 5, 0x7fffffff, 24);
	expect_whole(&image, image.len, "its relocation table at 0x7fffffff");
	pe_make_patch(&image, 0x96, 0x2003, 2);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

static void expect_zeros(const struct spg_buf *image, bool damaged)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;

	ck_assert_int_eq(pe_make_read(&pe, image->data, image->len, &error), 0);
	ck_assert_int_eq(pe->status[SPG_PE_WHOLE], damaged ? SPG_ERR_CORRUPT : 0);
	expect_text(pe, pe->why[SPG_PE_WHOLE],
		damaged ? "its section .made is all zeros" : NULL);
	spg_pe_destroy(pe);
	spg_buf_finish(&error);
}

/* Each section of the image: it holds a table, nothing, code, the entry. */
START_TEST(zeros)
{
	struct spg_buf image = SPG_BUF_NULL;

	for (size_t i = 0; i < (images[_i].assembly ? 5 : 4); i++) {
		size_t header;

		spg_buf_clear(&image);
		pe_make_image(&images[_i], &image);
		header = pe_make_entry(&image, 16) + 40 * i;
		memset(image.data + pe_make_u32(&image, header + 20), 0,
			pe_make_u32(&image, header + 16));
		expect_zeros(&image, true);
		for (unsigned dir = 0; dir < 16; dir++)
			put_directory(&image, dir, 0, 0);
		expect_zeros(&image, false);
		pe_make_patch(&image, header + 36, 0xe0000020, 4); /* writable too */
		expect_zeros(&image, false);
		pe_make_patch(&image, header + 36, 0x60000020, 4);
		expect_zeros(&image, true);
		pe_make_patch(&image, header + 36, 0, 4);
		pe_make_patch(&image, ENTRY_AT, pe_make_u32(&image, header + 12), 4);
		expect_zeros(&image, true);
	}
	spg_buf_finish(&image);
}
END_TEST

/* ---- whether it is what was signed ---- */

/* SPC_PE_IMAGE_DATA, as it stands before the digest. */
static const char image_data[] = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f";

static const struct {
	const char *info; /* a DigestInfo up to the digest */
	size_t n;
	unsigned bytes; /* of the digest; 0: of a kind that is not judged */
} signatures[] = {
	{"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\0\x04\x20",
		19, 32},
	{"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20", 17,
		32},
	{"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\0\x04\x14", 15, 20},
	{"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\0\x04\x30",
		19, 0},
};

/* The digest of the image without its checksum and its certificate table's entry. */
static void put_digest(
	struct spg_buf *table, const struct spg_buf *image, unsigned bytes)
{
	size_t checksum = 0x80 + 24 + 64, entry = pe_make_entry(image, 4);
	struct spg_buf left = SPG_BUF_NULL;
	struct sha256_ctx sha256;
	uint8_t digest[32] = {0};

	spg_buf_add(&left, image->data, checksum);
	spg_buf_add(&left, image->data + checksum + 4, entry - checksum - 4);
	spg_buf_add(&left, image->data + entry + 8, image->len - entry - 8);
	if (bytes == SPG_SHA1_BYTES)
		spg_sha1(left.data, left.len, digest);
	sha256_init(&sha256);
	sha256_update(&sha256, left.len, (uint8_t *)left.data);
	if (bytes == 32)
		sha256_digest(&sha256, sizeof(digest), digest);
	spg_buf_add(table, digest, bytes ? bytes : 32);
	spg_buf_finish(&left);
}

static bool is_as_signed(const struct spg_buf *image, size_t piece)
{
	struct spg_pe_source source = {image->data, read_literal, image->len};
	struct spg_pe_signed file;

	ck_assert_int_eq(spg_pe_signed_begin(&file, &source), 0);
	for (size_t at = 0; at < image->len; at += piece)
		spg_pe_signed_add(&file, image->data + at,
			image->len - at < piece ? image->len - at : piece);
	return spg_pe_signed_end(&file);
}

START_TEST(signature)
{
	struct spg_buf image = SPG_BUF_NULL, table = SPG_BUF_NULL;
	bool judged = signatures[_i].bytes;
	size_t at;

	pe_make_image(&images[_i % 2], &image);
	at = image.len;
	append_number(&table, 128, 4);
	append_number(&table, 0x20200, 4);
	spg_buf_add(&table, image_data, sizeof(image_data) - 1);
	spg_buf_add(&table, "what stands between", 19);
	spg_buf_add(&table, signatures[_i].info, signatures[_i].n);
	put_digest(&table, &image, signatures[_i].bytes);
	while (table.len < 128)
		spg_buf_putc(&table, 0);
	put_directory(&image, 4, at, 128);
	spg_buf_add(&image, table.data, table.len);
	for (size_t piece = 1; piece < image.len; piece = piece * 3 + 1)
		ck_assert(is_as_signed(&image, piece));
	ck_assert(is_as_signed(&image, image.len));
	pe_make_patch(&image, 0x80 + 24 + 64, 0x12345678, 4); /* the checksum */
	ck_assert(is_as_signed(&image, image.len));
	for (size_t i = 0; i < at; i += 97) {
		size_t checksum = 0x80 + 24 + 64, entry = pe_make_entry(&image, 4);
		char was = image.data[i];

		if (i < 0x40 || (i >= 0x80 && i < 0xa0) ||
			(i >= checksum && i < checksum + 4) ||
			(i >= entry && i < entry + 8))
			continue;
		image.data[i] = (char)~was;
		ck_assert_int_eq(is_as_signed(&image, 1000), !judged);
		image.data[i] = was;
	}
	spg_buf_putc(&image, 'x'); /* more behind it: not judged */
	image.data[at - 1] = 'x';
	ck_assert(is_as_signed(&image, image.len));
	spg_buf_finish(&image);
	spg_buf_finish(&table);
}
END_TEST

/* Imports that were bound and have lost their names. */
START_TEST(bound_without_names)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;

	pe_make_image(&images[2], &image);
	pe_make_patch(&image, pe_make_table(&image, 1) + 4, 0x12345678, 4);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	ck_assert_int_eq(pe->status[SPG_PE_IMPORTS], SPG_ERR_UNSUPPORTED);
	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_IMPORTS);
	ck_assert_uint_eq(pe->n_modules, 1); /* the delayed one */
	spg_pe_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

/* ---- limits ---- */

static void expect_limit(const struct pe_make *make, enum spg_pe_part part, int err,
	const char *says, size_t n_modules, size_t n_imports)
{
	struct spg_pe *pe = pe_make(make);

	ck_assert_int_eq(pe->status[part], err);
	if (err < 0)
		ck_assert_msg(strstr(spg_pe_text(pe, pe->why[part]), says) != NULL,
			"%s", spg_pe_text(pe, pe->why[part]));
	ck_assert_uint_eq(pe->n_modules, n_modules);
	ck_assert_uint_eq(pe->n_imports, n_imports);
	spg_pe_destroy(pe);
}

START_TEST(module_limit)
{
	struct pe_make_module *many = calloc(SPG_PE_MODULES_MAX + 2, sizeof(*many));
	struct pe_make make = {.modules = many};

	for (size_t i = 0; i < SPG_PE_MODULES_MAX; i++)
		many[i] = (struct pe_make_module){"a.dll", kernel_symbols, false};
	expect_limit(
		&make, SPG_PE_IMPORTS, 0, NULL, SPG_PE_MODULES_MAX, SPG_PE_MODULES_MAX);
	many[SPG_PE_MODULES_MAX] = many[0];
	expect_limit(&make, SPG_PE_IMPORTS, SPG_ERR_LIMIT, "more than 4096 mod", 0, 0);
	/* Both kinds count together. */
	many[SPG_PE_MODULES_MAX].delayed = true;
	expect_limit(&make, SPG_PE_DELAYED, SPG_ERR_LIMIT, "more than 4096 mod",
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
	expect_limit(&make, SPG_PE_IMPORTS, err, says, err == 0, err == 0 ? n : 0);
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
	expect_limit(&make, SPG_PE_DELAYED, 0, NULL, 1, 1);
	name[SPG_PE_MODULE_MAX] = 'm';
	expect_limit(&make, SPG_PE_DELAYED, SPG_ERR_CORRUPT, "longer than 260", 0, 0);
}
END_TEST

/* A text of the version: what is too long is cut; UTF-16 becomes UTF-8. */
START_TEST(version_texts)
{
	static const uint16_t units[] = {0xe4, 0x20ac, 0xd83d, 0xde00, 0xd800, 'x'};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	char company[2 * SPG_PE_STRING_MAX] = "";
	struct pe_make make = {.version = "1.2.3.4", .company = company};
	struct spg_pe *pe;
	size_t at;

	memset(company, 'c', SPG_PE_STRING_MAX + 9);
	pe = pe_make(&make);
	ck_assert_uint_eq(strlen(spg_pe_text(pe, pe->company_name)), SPG_PE_STRING_MAX);
	spg_pe_destroy(pe);

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
	spg_pe_destroy(pe);
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
	struct spg_pe *pe = NULL;
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
	ck_assert_int_eq(pe->status[SPG_PE_IMPORTS], SPG_ERR_LIMIT);
	ck_assert_ptr_nonnull(
		strstr(spg_pe_text(pe, pe->why[SPG_PE_IMPORTS]), "256 MiB"));
	ck_assert_uint_le(vast.n_read, SPG_PE_READ_MAX);
	spg_pe_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	free(symbols);
}
END_TEST

/* Sections without bytes in the file are zeros, and tables in them are empty. */
START_TEST(zero_raw_size)
{
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;
	size_t at;

	pe_make_image(&images[1], &image);
	at = pe_make_entry(&image, 16);
	for (int i = 0; i < 4; i++)
		pe_make_patch(&image, at + 40 * (size_t)i + 16, 0, 4);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	ck_assert_int_eq(spg_pe_damaged_part(pe), SPG_PE_N_PARTS);
	ck_assert_uint_eq(pe->n_modules + pe->n_exports, 0);
	spg_pe_destroy(pe);
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
		struct spg_pe *pe = NULL;
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
	struct spg_pe *pe = NULL;

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
	struct spg_pe *pe = NULL;
	int ends[2];

	ck_assert_ptr_nonnull(file);
	pe_make_image(&images[0], &image);
	ck_assert_uint_eq(fwrite(image.data, 1, image.len, file), image.len);
	ck_assert_int_eq(fflush(file), 0);
	ck_assert_int_eq(spg_pe_read_fd(&pe, fileno(file), &error), 0);
	ck_assert_uint_eq(pe->n_exports, 4);
	spg_pe_destroy(pe);
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
	spg_add_rows(tc, assemblies, managed);
	tcase_add_test(tc, netmodule);
	spg_add_rows(tc, metadata_damage, metadata_damages);
	tcase_add_test(tc, machines);
	spg_add_rows(tc, two_machines, dual);
	spg_add_rows(tc, no_pe, foreign);
	spg_add_rows(tc, other_contents, others);
	spg_add_rows(tc, damage, damages);
	spg_add_rows(tc, certificates, images);
	spg_add_rows(tc, coff_symbols, images);
	spg_add_rows(tc, debug_data, images);
	spg_add_rows(tc, followed_tables, images);
	spg_add_rows(tc, zeros, images);
	spg_add_rows(tc, signature, signatures);
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
