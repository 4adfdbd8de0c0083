/* SPDX-License-Identifier: MIT */
/* The PE reader, of two machines and of .NET. */
#include "common/pe_reader.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

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

static void expect_text(const struct spg_binary *pe, uint32_t offset, const char *text)
{
	if (text) {
		ck_assert_uint_ne(offset, 0);
		ck_assert_str_eq(spg_binary_text(pe, offset), text);
	} else {
		ck_assert_ptr_null(spg_binary_text(pe, offset));
	}
}

START_TEST(machines)
{
	struct pe_make x86 = {0}, x64 = {.is_pe32plus = true};
	struct spg_binary *a = pe_make(&x86), *b = pe_make(&x64);

	ck_assert(spg_binary_machines_agree(a, a));
	ck_assert(!spg_binary_machines_agree(a, b));
	spg_binary_destroy(a);
	spg_binary_destroy(b);
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
	struct spg_binary *others[] = {pe_make(&x64), pe_make(&arm64), pe_make(&x86)};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
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
	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_N_PARTS);
	ck_assert_int_eq(pe->is_x64_too, dual[_i].is_x64_too);
	ck_assert_int_eq(spg_binary_machines_agree(pe, others[0]),
		dual[_i].is_x64_too || dual[_i].machine == 0);
	ck_assert_int_eq(spg_binary_machines_agree(others[0], pe),
		dual[_i].is_x64_too || dual[_i].machine == 0);
	ck_assert_int_eq(
		spg_binary_machines_agree(pe, others[1]), dual[_i].machine == 0xaa64);
	ck_assert(!spg_binary_machines_agree(pe, others[2]));
	for (size_t i = 0; i < 3; i++)
		spg_binary_destroy(others[i]);
	spg_binary_destroy(pe);
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

static void expect_assembly(const struct spg_binary *pe,
	const struct spg_binary_assembly *is, const struct pe_make_assembly *expected)
{
	char version[SPG_BINARY_VERSION_TEXT_BYTES];
	uint8_t token[SPG_BINARY_TOKEN_BYTES] = {0};

	expect_text(pe, is->name, expected->name);
	expect_text(pe, is->culture, expected->culture);
	ck_assert_str_eq(
		spg_binary_version_format(is->version, version), expected->version);
	ck_assert_int_eq(is->has_token, expected->key != NULL);
	if (expected->key)
		pe_make_token(expected->key, token);
	ck_assert_mem_eq(is->token, token, sizeof(token));
	ck_assert_int_eq(is->is_retargetable, expected->flags == 0x100);
	ck_assert_int_eq(is->is_windows_runtime, expected->flags == 0x200);
}

START_TEST(assemblies)
{
	struct spg_binary *pe = pe_make(&managed[_i]);

	ck_assert_int_eq(spg_binary_damaged_part(pe), SPG_BINARY_N_PARTS);
	ck_assert(pe->is_managed);
	expect_assembly(pe, &pe->assembly, &assembly);
	ck_assert_uint_eq(pe->n_references, 4);
	for (size_t i = 0; i < 4; i++)
		expect_assembly(pe, &pe->references[i], &references[i]);
	spg_binary_destroy(pe);
}
END_TEST

/* A module without an assembly of its own. */
START_TEST(netmodule)
{
	static const struct pe_make_assembly none = {0};
	struct pe_make make = {.assembly = &none, .references = references};
	struct spg_binary *pe = pe_make(&make);

	ck_assert(pe->is_managed);
	ck_assert_uint_eq(pe->assembly.name, 0);
	ck_assert_uint_eq(pe->n_references, 4);
	spg_binary_destroy(pe);
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
	struct spg_binary *pe = NULL;
	const char *why;

	make.exports = exports;
	make.n_exports = 4;
	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_table(&image, 14) + metadata_damages[_i].at,
		metadata_damages[_i].value, metadata_damages[_i].bytes);
	ck_assert_int_eq(pe_make_read(&pe, image.data, image.len, &error), 0);
	why = spg_binary_text(pe, pe->why[SPG_BINARY_ASSEMBLY]);
	ck_assert_msg(
		pe->status[SPG_BINARY_ASSEMBLY] == metadata_damages[_i].err, "%s", why);
	if (metadata_damages[_i].says)
		ck_assert_msg(
			strstr(why, metadata_damages[_i].says) != NULL, "%s", why);
	ck_assert_int_eq(pe->is_managed, metadata_damages[_i].err == 0);
	ck_assert_uint_eq(pe->n_references, metadata_damages[_i].err ? 0 : 4);
	ck_assert_uint_eq(pe->n_exports, 4);
	spg_binary_destroy(pe);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pe-assembly");

	tcase_add_test(tc, machines);
	spg_add_rows(tc, two_machines, dual);
	spg_add_rows(tc, assemblies, managed);
	tcase_add_test(tc, netmodule);
	spg_add_rows(tc, metadata_damage, metadata_damages);
	return spg_run_suite("pe-assembly", tc);
}
