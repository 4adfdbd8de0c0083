/* SPDX-License-Identifier: MIT */
/* Do modules fit together: entry points, machines, damage, service packs. */
#include "daemon/install/fit/fit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

#define MODULES_MAX 24

/* The files of a product, and what came of the question. */
struct scene {
	struct spg_fit_module modules[MODULES_MAX];
	struct spg_binary *pes[MODULES_MAX];
	struct spg_fit_question question;
	struct spg_fit fit;
};

#define SYMBOLS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FROM(module, ...)                                                              \
	((const struct pe_make_module[]){{module, SYMBOLS(__VA_ARGS__), false}, {NULL}})
#define LATE_FROM(module, ...)                                                         \
	((const struct pe_make_module[]){{module, SYMBOLS(__VA_ARGS__), true}, {NULL}})

static void put(struct scene *scene, struct spg_fit_module module)
{
	size_t n = scene->question.n_modules++;

	ck_assert_uint_lt(n, MODULES_MAX);
	module.name = strrchr(module.path, '/') + 1;
	scene->modules[n] = module;
	scene->question.modules = scene->modules;
}

static void add(struct scene *scene, const char *path, struct pe_make make)
{
	size_t n = scene->question.n_modules;

	scene->pes[n] = pe_make(&make);
	put(scene, (struct spg_fit_module){.path = path, .binary = scene->pes[n]});
}

#define ADD(scene, path, ...) add(scene, path, (struct pe_make){__VA_ARGS__})
#define EXPORTS(...)                                                                   \
	.exports = (const struct pe_make_export[]){__VA_ARGS__},                       \
	.n_exports = sizeof((const struct pe_make_export[]){__VA_ARGS__}) /            \
	             sizeof(struct pe_make_export)

/* The findings' kinds, files and texts, a line each. */
static void expect(struct scene *scene, const char *findings)
{
	struct spg_buf found = SPG_BUF_NULL;

	spg_fit_finish(&scene->fit);
	ck_assert_int_eq(spg_fit(&scene->fit, &scene->question), 0);
	for (size_t i = 0; i < scene->fit.n_findings; i++) {
		const struct spg_finding *finding = &scene->fit.findings[i];

		spg_buf_printf(&found, "%s %s: %s\n",
			spg_finding_kind_name(finding->kind),
			finding->module == SPG_FIT_NO_MODULE
				? finding->path
				: scene->modules[finding->module].path,
			finding->text);
	}
	ck_assert_str_eq(spg_buf_text(&found), findings);
	spg_buf_finish(&found);
}

static void expect_hints(const struct scene *scene, const char *hints)
{
	struct spg_buf found = SPG_BUF_NULL;

	for (size_t i = 0; i < scene->fit.n_hints; i++)
		spg_buf_printf(&found, "%s\n", scene->fit.hints[i].text);
	ck_assert_str_eq(spg_buf_text(&found), hints);
	spg_buf_finish(&found);
}

static void finish(struct scene *scene)
{
	spg_fit_finish(&scene->fit);
	spg_fit_finish(&scene->fit);
	for (size_t i = 0; i < MODULES_MAX; i++)
		spg_binary_destroy(scene->pes[i]);
}

/* The article: the new program met the old library. */
START_TEST(article)
{
	struct scene scene = {0};
	const struct spg_finding *finding;

	ADD(&scene, "/bin/dsamain.exe", .is_exe = true, .version = "5.5.2650.24",
		.modules = FROM("MDBPERF.dll", "EcPerfOpen", "EcPerfOpenEx"));
	ADD(&scene, "/bin/mdbperf.dll", .version = "5.5.2448.0",
		EXPORTS({"EcPerfOpen", 1, NULL}));
	expect(&scene,
		"missing-export /bin/dsamain.exe: dsamain.exe needs EcPerfOpenEx, "
		"which mdbperf.dll 5.5.2448.0 does not export\n");
	finding = &scene.fit.findings[0];
	ck_assert_str_eq(finding->needs, "EcPerfOpenEx");
	ck_assert_str_eq(finding->from, "mdbperf.dll");
	ck_assert_str_eq(finding->from_version, "5.5.2448.0");
	ck_assert_uint_eq(scene.fit.n_checked, 2);
	finish(&scene);

	memset(&scene, 0, sizeof(scene));
	ADD(&scene, "/bin/dsamain.exe", .is_exe = true, .version = "5.5.2650.24",
		.modules = FROM("mdbperf.dll", "EcPerfOpen", "EcPerfOpenEx"));
	ADD(&scene, "/bin/mdbperf.dll", .version = "5.5.2650.24",
		EXPORTS({"EcPerfOpen", 1, NULL}, {"EcPerfOpenEx", 0, NULL}));
	expect(&scene, "");
	finish(&scene);
}
END_TEST

START_TEST(names_ordinals_and_delays)
{
	struct scene scene = {0};

	ADD(&scene, "/bin/a.exe",
		.modules = FROM("KERNEL32.dll", "NotOurBusiness", "#99"));
	ADD(&scene, "/bin/b.exe", .modules = FROM("c.dll", "#12", "#13", "open"));
	ADD(&scene, "/bin/C.DLL", EXPORTS({"Open", 12, NULL}));
	ADD(&scene, "/bin/d.exe", .modules = LATE_FROM("C", "Late", "#12", "#1"));
	expect(&scene,
		"missing-export /bin/b.exe: b.exe needs ordinal 13, which C.DLL does "
		"not export\n"
		"missing-export /bin/b.exe: b.exe needs open, which C.DLL does not "
		"export\n"
		"missing-export /bin/d.exe: d.exe needs Late, which C.DLL does not "
		"export, when it is first called\n"
		"missing-export /bin/d.exe: d.exe needs ordinal 1, which C.DLL does "
		"not "
		"export, when it is first called\n");
	finish(&scene);
}
END_TEST

START_TEST(forwarders)
{
	struct scene scene = {0};

	ADD(&scene, "/bin/a.exe",
		.modules = FROM("b.dll", "Good", "ByOrdinal", "Outside", "Gone", "Odd",
			"Round"));
	ADD(&scene, "/bin/b.dll", .version = "1.0.0.0",
		EXPORTS({"Good", 1, "C.Real"}, {"ByOrdinal", 0, "c.#7"},
			{"Outside", 0, "NTDLL.RtlAllocateHeap"}, {"Gone", 0, "C.Old"},
			{"Odd", 0, "nowhere"}, {"Round", 0, "C.Round"}));
	ADD(&scene, "/bin/c.dll", .version = "2.0.0.0",
		EXPORTS({"Real", 7, NULL}, {"Round", 0, "B.Round"}));
	expect(&scene,
		"missing-export /bin/a.exe: a.exe needs Gone, which b.dll 1.0.0.0 "
		"forwards as Old to c.dll 2.0.0.0, which does not export it\n"
		"missing-export /bin/a.exe: a.exe needs Odd, which b.dll 1.0.0.0 does "
		"not export\n"
		"missing-export /bin/a.exe: a.exe needs Round, which b.dll 1.0.0.0 "
		"forwards without an end\n");
	ck_assert_str_eq(scene.fit.findings[0].from, "c.dll");
	finish(&scene);
}
END_TEST

/* 16 forwarders are followed, one more is taken for a circle. */
START_TEST(forwarder_depth)
{
	struct scene scene = {0};
	struct pe_make_export rows[SPG_FIT_FORWARDS_MAX + 2];
	char names[SPG_FIT_FORWARDS_MAX + 2][2][16];

	for (size_t i = 0; i < SPG_FIT_FORWARDS_MAX + 2; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "Step%zu", i);
		snprintf(names[i][1], sizeof(names[i][1]), "b.Step%zu", i + 1);
		rows[i] = (struct pe_make_export){names[i][0], i == 0, names[i][1]};
	}
	rows[SPG_FIT_FORWARDS_MAX + 1].forwarder = NULL;
	ADD(&scene, "/bin/a.exe", .modules = FROM("b.dll", "Step0", "Step1", "Step2"));
	ADD(&scene, "/bin/b.dll", .exports = rows,
		.n_exports = SPG_FIT_FORWARDS_MAX + 2);
	expect(&scene, "missing-export /bin/a.exe: a.exe needs Step0, which b.dll "
		       "forwards without an end\n");
	finish(&scene);
}
END_TEST

START_TEST(machines)
{
	struct scene scene = {0};

	ADD(&scene, "/bin/a.exe", .is_pe32plus = true,
		.modules = FROM("b.dll", "Gone"));
	ADD(&scene, "/bin/b.dll", EXPORTS({"x", 1, NULL}));
	ADD(&scene, "/bin/c.exe", .machine = 0x184, .modules = LATE_FROM("b.dll", "x"));
	expect(&scene, "architecture /bin/a.exe: b.dll is for x86, a.exe for x64 and "
		       "loads it\n"
		       "architecture /bin/c.exe: b.dll is for x86, c.exe for 0x184 and "
		       "loads it when it is first called\n");
	finish(&scene);
}
END_TEST

/* One finding for a damaged file, and none for who imports from it. */
START_TEST(damage)
{
	struct scene scene = {0};
	struct pe_make make = {EXPORTS({"x", 1, NULL})};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;

	ADD(&scene, "/bin/a.exe", .modules = FROM("b.dll", "x"));
	ADD(&scene, "/bin/a2.exe", .modules = FROM("b.dll", "y"));
	put(&scene, (struct spg_fit_module){.path = "/bin/b.dll",
			    .err = SPG_ERR_CORRUPT,
			    .why = "it was cut off"});
	ADD(&scene, "/bin/d.exe", .modules = FROM("c.dll", "x"));
	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_table(&image, 0) + 32, 0xfffffff0, 4);
	ck_assert_int_eq(pe_make_read(&scene.pes[4], image.data, image.len, &error), 0);
	put(&scene,
		(struct spg_fit_module){.path = "/bin/c.dll", .binary = scene.pes[4]});
	expect(&scene,
		"damaged /bin/b.dll: b.dll is damaged: it was cut off\n"
		"damaged /bin/c.dll: c.dll is damaged: its export table: address "
		"0xfffffff0 lies in no section\n");
	ck_assert_uint_eq(scene.fit.n_gaps, 0);
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	finish(&scene);
}
END_TEST

/* One that is not whole: one finding too, and its tables are compared as ever. */
START_TEST(not_whole)
{
	struct scene scene = {0};
	struct pe_make make = {EXPORTS({"x", 1, NULL})};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;

	ADD(&scene, "/bin/a.exe", .modules = FROM("b.dll", "x", "y"));
	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_entry(&image, 4), image.len, 4);
	pe_make_patch(&image, pe_make_entry(&image, 4) + 4, 4096, 4);
	ck_assert_int_eq(pe_make_read(&scene.pes[1], image.data, image.len, &error), 0);
	put(&scene,
		(struct spg_fit_module){.path = "/bin/b.dll", .binary = scene.pes[1]});
	expect(&scene,
		"missing-export /bin/a.exe: a.exe needs y, which b.dll does not "
		"export\n"
		"damaged /bin/b.dll: b.dll is damaged: 4096 bytes are missing at its "
		"end: its certificate was cut off\n");
	/* By what its tables do not show, too. */
	pe_make_patch(&image, pe_make_entry(&image, 4), 0, 8);
	spg_binary_destroy(scene.pes[1]);
	ck_assert_int_eq(pe_make_read(&scene.pes[1], image.data, image.len, &error), 0);
	scene.modules[1].binary = scene.pes[1];
	scene.modules[1].why = "its content is not what was signed";
	expect(&scene,
		"missing-export /bin/a.exe: a.exe needs y, which b.dll does not "
		"export\n"
		"damaged /bin/b.dll: b.dll is damaged: its content is not what was "
		"signed\n");
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	finish(&scene);
}
END_TEST

/* A version that is damaged keeps nothing from running. */
START_TEST(damaged_version)
{
	struct scene scene = {0};
	struct pe_make make = {.version = "1.2.3.4", EXPORTS({"x", 1, NULL})};
	struct spg_buf image = SPG_BUF_NULL, error = SPG_BUF_NULL;

	pe_make_image(&make, &image);
	pe_make_patch(&image, pe_make_table(&image, 2) + 88, 0, 2);
	ck_assert_int_eq(pe_make_read(&scene.pes[0], image.data, image.len, &error), 0);
	ck_assert_int_lt(scene.pes[0]->status[SPG_BINARY_VERSION], 0);
	put(&scene,
		(struct spg_fit_module){.path = "/bin/a.dll", .binary = scene.pes[0]});
	ADD(&scene, "/bin/b.exe", .modules = FROM("a.dll", "y"));
	expect(&scene, "missing-export /bin/b.exe: b.exe needs y, which a.dll does not "
		       "export\n");
	spg_buf_finish(&image);
	spg_buf_finish(&error);
	finish(&scene);
}
END_TEST

START_TEST(foreign_and_unreadable)
{
	struct scene scene = {0};

	ADD(&scene, "/bin/a.exe", .modules = FROM("b.dll", "x"));
	ADD(&scene, "/bin/a2.exe", .modules = FROM("b.dll", "x"));
	ADD(&scene, "/bin/a3.exe", .modules = FROM("secret.dll", "x"));
	put(&scene, (struct spg_fit_module){.path = "/bin/b.dll",
			    .err = SPG_ERR_INVALID,
			    .why = "not a PE file: it is empty"});
	put(&scene, (struct spg_fit_module){.path = "/bin/script.sh",
			    .err = SPG_ERR_INVALID,
			    .why = "not a PE file"});
	put(&scene, (struct spg_fit_module){.path = "/bin/secret.dll",
			    .err = SPG_ERR_DENIED,
			    .why = "Permission denied\n"});
	expect(&scene, "damaged /bin/b.dll: b.dll is damaged: not a PE file: it is "
		       "empty, and a.exe loads it\n");
	ck_assert_uint_eq(scene.fit.n_foreign, 2);
	ck_assert_uint_eq(scene.fit.n_checked, 3);
	ck_assert_uint_eq(scene.fit.n_gaps, 1);
	ck_assert_uint_eq(scene.fit.gaps[0].module, 5);
	ck_assert_str_eq(scene.fit.gaps[0].text,
		"secret.dll could not be checked: Permission denied\\x0a");
	finish(&scene);
}
END_TEST

/* Which of several files of one name is meant. */
START_TEST(same_name_twice)
{
	struct scene scene = {0};

	ADD(&scene, "/x64/b.dll", .is_pe32plus = true, EXPORTS({"x64", 1, NULL}));
	ADD(&scene, "/one/b.dll", .version = "1.0.0.0", EXPORTS({"one", 1, NULL}));
	ADD(&scene, "/two/B.dll", .version = "2.0.0.0", EXPORTS({"two", 1, NULL}));
	ADD(&scene, "/one/a.exe", .modules = FROM("b.dll", "one"));
	ADD(&scene, "/two/a.exe", .modules = FROM("b.dll", "two"));
	ADD(&scene, "/three/a.exe", .modules = FROM("b.dll", "one", "two"));
	ADD(&scene, "/two/c.exe", .modules = FROM("b.dll", "one"));
	ADD(&scene, "/three/d.exe", .machine = 0xaa64, .modules = FROM("b.dll", "x"));
	/* The program's own folder is where Windows looks, no other program's. */
	expect(&scene, "missing-export /two/c.exe: c.exe needs one, which B.dll "
		       "2.0.0.0 in /two does not export\n");
	expect_hints(&scene, "a.exe needs b.dll 1.0.0.0 in /one, if the loader looks "
			     "there (library-path)\n");
	finish(&scene);
}
END_TEST

/* A library in a folder of its own, of which nobody knows who loads it. */
START_TEST(where_the_loader_looks)
{
	static const char *const directories[] = {"/app", "/app/lib"};
	struct scene scene = {0};

	ADD(&scene, "/app/bin/run.exe", .is_exe = true);
	ADD(&scene, "/app/bin/core.dll", EXPORTS({"one", 1, NULL}));
	ADD(&scene, "/app/plugins/a.dll", .modules = FROM("core.dll", "one", "two"));
	/* A folder of programs for another machine is none of this library's. */
	ADD(&scene, "/app/bin64/run.exe", .is_exe = true, .is_pe32plus = true);
	ADD(&scene, "/app/bin64/rt.dll", .is_pe32plus = true, EXPORTS({"x", 1, NULL}));
	ADD(&scene, "/app/bin64/old.dll", EXPORTS({"x", 1, NULL}));
	ADD(&scene, "/app/plugins/b.dll", .modules = FROM("rt.dll", "x", "y"));
	ADD(&scene, "/app/plugins/c.dll", .modules = FROM("old.dll", "x", "y"));
	/* A component's own copy beats that of the program. */
	ADD(&scene, "/app/part/core.dll", EXPORTS({"two", 1, NULL}));
	ADD(&scene, "/app/part/d.dll", .modules = FROM("core.dll", "two"));
	ADD(&scene, "/app/lib/common.dll", EXPORTS({"three", 1, NULL}));
	ADD(&scene, "/app/plugins/e.dll", .modules = FROM("common.dll", "four"));
	ADD(&scene, "/app/bin/wrong.dll", .is_pe32plus = true, EXPORTS({"x", 1, NULL}));
	ADD(&scene, "/app/plugins/f.dll", .modules = FROM("wrong.dll", "x"));
	scene.question.directories = directories;
	scene.question.n_directories = 2;
	expect(&scene,
		"missing-export /app/plugins/a.dll: a.dll needs two, which core.dll in "
		"/app/bin does not export\n"
		"missing-export /app/plugins/e.dll: e.dll needs four, which common.dll "
		"does not export\n"
		"architecture /app/plugins/f.dll: wrong.dll is for x64, f.dll for x86 "
		"and loads it\n");
	expect_hints(&scene, "c.dll needs old.dll in /app/bin64, if the loader looks "
			     "there (library-path)\n");
	finish(&scene);
}
END_TEST

static void set_patterns(struct scene *scene, const char *const *patterns)
{
	scene->question.patterns = patterns;
	for (; patterns[scene->question.n_patterns]; scene->question.n_patterns++)
		;
}

START_TEST(absent)
{
	static const char *const gone[] = {
		"/app/Core.dll", "/app/dbghelp.dll", "/app/msvcr71.dll", "/x/far.dll"};
	static const char *const outside[] = {"python3*.dll"};
	struct scene scene = {0};

	/* Said once, whatever the linker has made of it. */
	ADD(&scene, "/app/a.exe",
		.modules = (const struct pe_make_module[]){
			{"nowhere.dll", SYMBOLS("x"), false},
			{"NOWHERE.dll", SYMBOLS("y"), false}, {NULL}});
	ADD(&scene, "/app/b.exe", .modules = FROM("NoSuffix", "#1"));
	ADD(&scene, "/app/c.exe", .modules = FROM("KERNEL32.dll", "x"));
	ADD(&scene, "/app/d.exe", .modules = FROM("api-ms-win-core-x-l1-1-0.dll", "x"));
	ADD(&scene, "/app/e.exe", .modules = FROM("MSVCP140_1.dll", "x"));
	ADD(&scene, "/app/f.exe", .modules = FROM("Python311.dll", "x"));
	ADD(&scene, "/app/g.exe", .modules = LATE_FROM("late.dll", "x"));
	ADD(&scene, "/app/addon.dll", .modules = FROM("node.exe", "x"));
	expect(&scene, ""); /* where the product's files are not all known */
	set_patterns(&scene, SYMBOLS("*.exe", "addon.dll"));
	expect(&scene, "");
	scene.question.n_patterns = 0;
	set_patterns(&scene, SYMBOLS("*.DLL"));
	scene.question.outside = outside;
	scene.question.n_outside = 1;
	expect(&scene,
		"missing-module /app/a.exe: a.exe needs nowhere.dll, which is neither "
		"here nor a part of Windows\n"
		"missing-module /app/b.exe: b.exe needs NoSuffix.dll, which is neither "
		"here nor a part of Windows\n");
	ck_assert_str_eq(scene.fit.findings[0].from, "nowhere.dll");
	finish(&scene);

	memset(&scene, 0, sizeof(scene));
	ADD(&scene, "/app/a.exe", .modules = FROM("core.dll", "x"));
	ADD(&scene, "/app/b.exe", .modules = LATE_FROM("CORE", "x"));
	ADD(&scene, "/app/c.exe", .modules = FROM("dbghelp.dll", "x"));
	ADD(&scene, "/app/d.exe", .modules = FROM("msvcr71.dll", "x"));
	ADD(&scene, "/app/e.exe", .modules = FROM("far.dll", "x"));
	ADD(&scene, "/y/far.dll", EXPORTS({"x", 1, NULL}));
	/* No hint about what Windows has. */
	ADD(&scene, "/y/version.dll", EXPORTS({"x", 1, NULL}));
	ADD(&scene, "/app/f.exe", .modules = FROM("version.dll", "x"));
	scene.question.gone = gone;
	scene.question.n_gone = 4;
	expect(&scene,
		"missing-module /app/a.exe: a.exe needs Core.dll, which is gone: it "
		"was in /app\n"
		"missing-module /app/b.exe: b.exe needs Core.dll, which is gone: it "
		"was in /app, when it is first called\n"
		"missing-module /app/c.exe: c.exe needs dbghelp.dll, which is gone: it "
		"was in /app\n"
		"missing-module /app/d.exe: d.exe needs msvcr71.dll, which is gone: it "
		"was in /app\n");
	expect_hints(&scene, "e.exe needs far.dll in /y, if the loader looks there "
			     "(library-path)\n");
	finish(&scene);
}
END_TEST

/* Names are other people's text. */
START_TEST(hostile_names)
{
	struct scene scene = {0};

	ADD(&scene, "/bin/a\n.exe", .modules = FROM("b.dll", "x\x1b[31m\xff"));
	ADD(&scene, "/bin/b.dll", EXPORTS({"x", 1, NULL}));
	expect(&scene, "missing-export /bin/a\n.exe: a\\x0a.exe needs x\\x1b[31m\\xff, "
		       "which b.dll does not export\n");
	ck_assert_str_eq(scene.fit.findings[0].needs, "x\\x1b[31m\\xff");
	finish(&scene);
}
END_TEST

/* ---- service packs ---- */

#define OLD "5.5.2448.0"
#define NEW "5.5.2650.24"

static const struct {
	const char *version, *sha256;       /* installed */
	struct spg_fit_payload variants[3]; /* up to one without a name */
	const char *findings;
	unsigned n_same, n_different, n_missing, n_variants;
} packs[] = {
	{OLD, "aa", {{"a.dll", OLD, "aa"}}, "", 1, 0, 0},
	{OLD, "aa", {{"A.DLL", OLD, "AA"}}, "", 1, 0, 0},
	{OLD, "aa", {{"a.dll", NEW, "bb"}},
		"older /bin/a.dll: a.dll is 5.5.2448.0, the service pack has "
		"5.5.2650.24\n",
		0, 1, 0},
	{NEW, NULL, {{"a.dll", OLD, NULL}},
		"newer /bin/a.dll: a.dll is 5.5.2650.24, the service pack has "
		"5.5.2448.0\n",
		0, 1, 0},
	/* A number is compared as one: 24 is more than 9. */
	{"5.5.2650.9", NULL, {{"a.dll", NEW, NULL}},
		"older /bin/a.dll: a.dll is 5.5.2650.9, the service pack has "
		"5.5.2650.24\n",
		0, 1, 0},
	{OLD, "aa", {{"a.dll", OLD, "bb"}},
		"not-payload /bin/a.dll: a.dll is 5.5.2448.0 as in the service pack, "
		"but its content is another\n",
		0, 1, 0},
	{NULL, "aa", {{"a.dll", NULL, "bb"}},
		"not-payload /bin/a.dll: a.dll has another content than in the service "
		"pack\n",
		0, 1, 0},
	{OLD, "aa", {{"a.dll", NULL, "bb"}},
		"not-payload /bin/a.dll: a.dll has another content than in the service "
		"pack\n",
		0, 1, 0},
	/* Without a digest on one side the version decides. */
	{OLD, NULL, {{"a.dll", OLD, "bb"}}, "", 1, 0, 0},
	{OLD, "aa", {{"a.dll", OLD, NULL}}, "", 1, 0, 0},
	/* Any of the variants will do. */
	{OLD, "aa", {{"a.dll", NEW, "bb"}, {"a.dll", OLD, "aa"}}, "", 1, 0, 0, 1},
	{OLD, "aa", {{"a.dll", NEW, "bb"}, {"a.dll", "6.0.0.0", "cc"}},
		"older /bin/a.dll: a.dll is 5.5.2448.0, the service pack has "
		"5.5.2650.24 or 6.0.0.0 (one of 2: no folder tells which)\n",
		0, 1, 0, 1},
	/* The same content twice is one, and both files are there. */
	{OLD, "aa", {{"a.dll", OLD, "aa"}, {"a.dll", OLD, "aa"}}, "", 2, 0, 0},
	{OLD, "aa", {{"a.dll", NEW, "bb"}, {"a.dll", NEW, "bb"}},
		"older /bin/a.dll: a.dll is 5.5.2448.0, the service pack has "
		"5.5.2650.24\n",
		0, 2, 0},
	{OLD, "aa", {{"a.dll", NEW, "bb"}, {"a.dll", "4.0.0.0", "cc"}},
		"not-payload /bin/a.dll: a.dll is 5.5.2448.0, the service pack has "
		"5.5.2650.24 or 4.0.0.0 (one of 2: no folder tells which)\n",
		0, 1, 0, 1},
	/* A folder tells which. */
	{OLD, "aa",
		{{"a.dll", NEW, "bb", "bin/a.dll"}, {"a.dll", OLD, "aa", "x/a.dll"}},
		"older /bin/a.dll: a.dll is 5.5.2448.0, the service pack has "
		"5.5.2650.24\n",
		0, 1, 0, 1},
	{OLD, "aa",
		{{"a.dll", OLD, "aa", "bin/a.dll"}, {"a.dll", NEW, "bb", "x/a.dll"}},
		"", 1, 0, 0, 1},
	/* Nothing to compare is neither right nor wrong. */
	{OLD, "aa", {{"a.dll", NULL, NULL}}, "", 0, 0, 0},
	{NULL, NULL, {{"a.dll", NEW, "bb"}}, "", 0, 0, 0},
	{OLD, "aa", {{"b.dll", NEW, "bb"}}, "", 0, 0, 1},
};

START_TEST(against_payload)
{
	struct scene scene = {0};
	size_t n = 0;

	ADD(&scene, "/bin/a.dll", .version = packs[_i].version);
	scene.modules[0].sha256 = packs[_i].sha256;
	while (packs[_i].variants[n].name)
		n++;
	scene.question.payload = packs[_i].variants;
	scene.question.n_payload = n;
	scene.question.ignore_case = true;
	expect(&scene, packs[_i].findings);
	ck_assert_uint_eq(scene.fit.n_payload, n);
	ck_assert_uint_eq(scene.fit.n_variants, packs[_i].n_variants);
	ck_assert_uint_eq(scene.fit.n_same, packs[_i].n_same);
	ck_assert_uint_eq(scene.fit.n_different, packs[_i].n_different);
	ck_assert_uint_eq(scene.fit.n_missing, packs[_i].n_missing);
	finish(&scene);
}
END_TEST

/* Letters beyond ASCII have two cases, too, and one may need more bytes. */
START_TEST(payload_without_case)
{
	static const struct spg_fit_payload payload[] = {
		{"\xc3\x84.dll", NULL, "aa"}, {"\xe2\x84\xaa.dll", NULL, "bb"}};
	struct scene scene = {0};

	put(&scene, (struct spg_fit_module){.path = "/bin/\xc3\xa4.dll",
			    .err = SPG_ERR_INVALID,
			    .sha256 = "aa"});
	put(&scene,
		(struct spg_fit_module){
			.path = "/bin/k.dll", .err = SPG_ERR_INVALID, .sha256 = "cc"});
	scene.question.payload = payload;
	scene.question.n_payload = 2;
	scene.question.ignore_case = true;
	expect(&scene, "not-payload /bin/k.dll: k.dll has another content than in the "
		       "service pack\n");
	ck_assert_uint_eq(scene.fit.n_same, 1);
	ck_assert_uint_eq(scene.fit.n_different, 1);
	ck_assert_uint_eq(scene.fit.n_missing, 0);
	finish(&scene);
}
END_TEST

/* Where names differ in case, these are two files. */
START_TEST(payload_with_case)
{
	static const struct spg_fit_payload payload[] = {
		{"A.dll", NULL, "aa"}, {"a.dll", NULL, "bb"}, {"A.dll", NULL, "cc"}};
	struct scene scene = {0};

	put(&scene,
		(struct spg_fit_module){
			.path = "/bin/a.dll", .err = SPG_ERR_INVALID, .sha256 = "bb"});
	put(&scene,
		(struct spg_fit_module){
			.path = "/bin/A.dll", .err = SPG_ERR_INVALID, .sha256 = "bb"});
	scene.question.payload = payload;
	scene.question.n_payload = 3;
	expect(&scene, "not-payload /bin/A.dll: A.dll has another content than in the "
		       "service pack (one of 2: no folder tells which)\n");
	ck_assert_uint_eq(scene.fit.findings[0].of, 2);
	ck_assert_uint_eq(scene.fit.n_by_name, 1);
	ck_assert_uint_eq(scene.fit.n_payload, 3);
	ck_assert_uint_eq(scene.fit.n_variants, 1);
	ck_assert_uint_eq(scene.fit.n_same, 1);
	ck_assert_uint_eq(scene.fit.n_different, 1);
	finish(&scene);
}
END_TEST

/* What is not there although the rest of its folder is. */
START_TEST(not_installed)
{
	struct spg_fit_payload payload[] = {{"a.dll", NULL, NULL, "x/a.dll"},
		{"b.dll", NULL, NULL, "x/b.dll"}, {"c.dll", NULL, NULL, "x/c.dll"},
		{"d.DLL", NEW, NULL, "x/d.DLL"}, {"read.me", NULL, NULL, "x/read.me"},
		{"run.exe", NULL, NULL, "x/run.exe"},
		{"setup.exe", NULL, NULL, "setup.exe"},
		{"e.dll", NULL, NULL, "y/e.dll"}};
	struct scene scene = {0};

	ADD(&scene, "/srv/x/a.dll", .version = NULL);
	ADD(&scene, "/srv/x/b.dll", .version = NULL);
	scene.question.payload = payload;
	scene.question.n_payload = 8;
	/* Two of four: nobody may have wanted the others. */
	expect(&scene, "");
	ADD(&scene, "/srv/x/c.dll", .version = NULL);
	expect(&scene, "not-installed /srv/x/d.DLL: d.DLL of the service pack is not "
		       "installed, although 3 of the 4 files of its folder are\n");
	ck_assert_str_eq(scene.fit.findings[0].from_version, NEW);
	ck_assert_uint_eq(scene.fit.n_missing, 5);
	/* A program, now that the product has one there. */
	ADD(&scene, "/srv/x/other.exe", .version = NULL);
	payload[3].foreign = true;
	expect(&scene, "not-installed /srv/x/run.exe: run.exe of the service pack is "
		       "not installed, although 3 of the 4 files of its folder are\n");
	payload[5].foreign = true;
	expect(&scene, "");
	finish(&scene);
}
END_TEST

/* A pack without folders may have files for elsewhere. */
START_TEST(not_installed_of_a_flat_pack)
{
	struct spg_fit_payload payload[9] = {{0}};
	static const char *const names[] = {"a.dll", "b.dll", "c.dll", "d.dll", "e.dll",
		"f.dll", "g.dll", "h.dll", "i.dll"};
	static const char *const paths[] = {"/srv/a.dll", "/srv/b.dll", "/srv/c.dll",
		"/srv/d.dll", "/srv/e.dll", "/srv/f.dll", "/srv/g.dll", "/lib/h.dll"};
	struct scene scene = {0};

	for (size_t i = 0; i < 9; i++)
		payload[i].name = names[i];
	for (size_t i = 0; i < 7; i++)
		ADD(&scene, paths[i], .version = NULL);
	scene.question.payload = payload;
	scene.question.n_payload = 8;
	expect(&scene, "not-installed /srv/h.dll: h.dll of the service pack is not "
		       "installed, although 7 of the 8 files of its folder are\n");
	/* Two of nine. */
	scene.question.n_payload = 9;
	expect(&scene, "");
	/* Some of it is elsewhere. */
	ADD(&scene, paths[7], .version = NULL);
	expect(&scene, "");
	finish(&scene);
}
END_TEST

/* A library that the service pack brings and nobody installed. */
START_TEST(missing_module)
{
	static const struct spg_fit_payload payload[] = {
		{"new.dll", NEW, "aa"}, {"unused.dll", NEW, "bb"}};
	struct scene scene = {0};

	ADD(&scene, "/bin/a.exe", .modules = FROM("NEW.dll", "x", "y"));
	expect(&scene, "");
	scene.question.payload = payload;
	scene.question.n_payload = 2;
	expect(&scene, "missing-module /bin/a.exe: a.exe needs new.dll, which the "
		       "service pack has and which is not installed\n");
	ck_assert_str_eq(scene.fit.findings[0].from, "new.dll");
	ck_assert_str_eq(scene.fit.findings[0].from_version, NEW);
	ck_assert_uint_eq(scene.fit.n_missing, 2);
	finish(&scene);
}
END_TEST

START_TEST(groups)
{
	struct scene scene = {0};
	const struct spg_fit_group *group;

	ADD(&scene, "/bin/a.dll", .version = NEW, .company = "Microsoft",
		.product = "Exchange");
	ADD(&scene, "/bin/b.dll", .version = OLD, .company = "Microsoft",
		.product = "Exchange");
	ADD(&scene, "/bin/c.dll", .version = NEW, .company = "Microsoft",
		.product = "Exchange");
	ADD(&scene, "/bin/d.dll", .version = "1.0.0.0", .company = "Contoso");
	ADD(&scene, "/bin/e.dll", .is_exe = true);
	expect(&scene, ""); /* differences alone are none */
	ck_assert_uint_eq(scene.fit.n_groups, 3);
	group = &scene.fit.groups[0];
	ck_assert_ptr_null(group->company);
	ck_assert_ptr_null(group->product);
	ck_assert_uint_eq(group->n_versions, 1);
	ck_assert_str_eq(group->versions[0].text, "");
	group = &scene.fit.groups[1];
	ck_assert_str_eq(group->company, "Contoso");
	ck_assert_ptr_null(group->product);
	group = &scene.fit.groups[2];
	ck_assert_str_eq(group->company, "Microsoft");
	ck_assert_str_eq(group->product, "Exchange");
	ck_assert_uint_eq(group->n, 3);
	ck_assert_uint_eq(group->n_versions, 2);
	ck_assert_str_eq(group->versions[0].text, OLD);
	ck_assert_uint_eq(group->versions[0].n, 1);
	ck_assert_str_eq(group->versions[1].text, NEW);
	ck_assert_uint_eq(group->versions[1].n, 2);
	finish(&scene);
}
END_TEST

START_TEST(nothing)
{
	struct scene scene = {0};

	expect(&scene, "");
	ck_assert_uint_eq(scene.fit.n_groups + scene.fit.n_checked, 0);
	finish(&scene);
}
END_TEST

/* ---- in bulk ---- */

START_TEST(findings_limit)
{
	size_t n = SPG_FIT_FINDINGS_MAX + 5;
	const char **symbols = calloc(n + 1, sizeof(*symbols));
	struct pe_make_module list[] = {{"b.dll", symbols, false}, {NULL}};
	struct scene scene = {0};

	for (size_t i = 0; i < n; i++)
		symbols[i] = "Gone";
	ADD(&scene, "/bin/a.exe", .modules = list);
	ADD(&scene, "/bin/b.dll", EXPORTS({"x", 1, NULL}));
	ck_assert_int_eq(spg_fit(&scene.fit, &scene.question), 0);
	ck_assert_uint_eq(scene.fit.n_findings, SPG_FIT_FINDINGS_MAX);
	ck_assert_uint_eq(scene.fit.n_more, 5);
	free(symbols);
	finish(&scene);
}
END_TEST

#define N_RANDOM  60
#define N_SYMBOLS 40

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Modules that import and export at random: exactly what a table of truth says
 * is missing is found. */
START_TEST(random_modules)
{
	static char names[N_SYMBOLS][12], files[N_RANDOM][16], paths[N_RANDOM][24];
	static bool exported[N_RANDOM][N_SYMBOLS];
	struct spg_fit_module modules[N_RANDOM] = {0};
	struct spg_binary *pes[N_RANDOM];
	struct spg_fit fit = SPG_FIT_NULL;
	uint32_t seed = 246337 + (uint32_t)_i * 977;
	size_t targets[N_RANDOM], wanted[N_RANDOM], n_missing = 0;

	for (size_t s = 0; s < N_SYMBOLS; s++)
		snprintf(names[s], sizeof(names[s]), "Symbol%zu", s * 7 % 41);
	for (size_t i = 0; i < N_RANDOM; i++) {
		snprintf(files[i], sizeof(files[i]), "m%zu.dll", i);
		snprintf(paths[i], sizeof(paths[i]), "/bin/%s", files[i]);
		for (size_t s = 0; s < N_SYMBOLS; s++)
			exported[i][s] = next_random(&seed) % 4 != 0;
		targets[i] = next_random(&seed) % N_RANDOM;
		wanted[i] = next_random(&seed) % N_SYMBOLS;
	}
	for (size_t i = 0; i < N_RANDOM; i++) {
		struct pe_make_export rows[N_SYMBOLS];
		struct pe_make make = {
			.modules = FROM(files[targets[i]], names[wanted[i]],
				names[(wanted[i] + 1) % N_SYMBOLS]),
			.exports = rows};

		for (size_t s = 0; s < N_SYMBOLS; s++) {
			size_t n = make.n_exports;

			if (!exported[i][s])
				continue;
			rows[n] = (struct pe_make_export){names[s], n == 0, NULL};
			make.n_exports++;
		}
		pes[i] = pe_make(&make);
		modules[i] = (struct spg_fit_module){
			.path = paths[i], .name = files[i], .binary = pes[i]};
		for (size_t k = 0; k < 2; k++)
			n_missing += !exported[targets[i]][(wanted[i] + k) % N_SYMBOLS];
	}
	ck_assert_int_eq(spg_fit(&fit, &(struct spg_fit_question){.modules = modules,
					       .n_modules = N_RANDOM}),
		0);
	ck_assert_uint_eq(fit.n_findings, n_missing);
	ck_assert_uint_gt(n_missing, 0);
	for (size_t i = 0; i < fit.n_findings; i++) {
		const struct spg_finding *finding = &fit.findings[i];
		size_t s = 0;

		ck_assert_str_eq(finding->from, files[targets[finding->module]]);
		while (strcmp(names[s], finding->needs) != 0)
			s++;
		ck_assert(!exported[targets[finding->module]][s]);
	}
	spg_fit_finish(&fit);
	for (size_t i = 0; i < N_RANDOM; i++)
		spg_binary_destroy(pes[i]);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fit");

	tcase_add_test(tc, article);
	tcase_add_test(tc, names_ordinals_and_delays);
	tcase_add_test(tc, forwarders);
	tcase_add_test(tc, forwarder_depth);
	tcase_add_test(tc, machines);
	tcase_add_test(tc, damage);
	tcase_add_test(tc, not_whole);
	tcase_add_test(tc, damaged_version);
	tcase_add_test(tc, foreign_and_unreadable);
	tcase_add_test(tc, same_name_twice);
	tcase_add_test(tc, where_the_loader_looks);
	tcase_add_test(tc, absent);
	tcase_add_test(tc, hostile_names);
	spg_add_rows(tc, against_payload, packs);
	tcase_add_test(tc, payload_without_case);
	tcase_add_test(tc, payload_with_case);
	tcase_add_test(tc, not_installed);
	tcase_add_test(tc, not_installed_of_a_flat_pack);
	tcase_add_test(tc, missing_module);
	tcase_add_test(tc, groups);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, findings_limit);
	tcase_add_loop_test(tc, random_modules, 0, 20);
	return spg_run_suite("fit", tc);
}
