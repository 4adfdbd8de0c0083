/* SPDX-License-Identifier: MIT */
/* The plain records of the model: name sets, products, references. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/model/name_set.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

/* --- name sets ------------------------------------------------------------- */

static char *const listed[] = {"b.dll", "A.dll", "/srv/bin/c.dll", "Z_file", "z[1]",
	"\xc3\x84.dll", "a.dll", "b.dll", "", "K.dll", "\xff.dll"};

static const struct {
	const char *name;
	bool exact, folded;
} names[] = {
	{"b.dll", true, true},
	{"B.DLL", false, true},
	{"A.dll", true, true},
	{"a.DLL", false, true},
	{"/srv/bin/c.dll", true, true},
	{"/SRV/bin/C.dll", false, true},
	{"c.dll", false, false},
	{"z_FILE", false, true},
	/* '_' and '[' lie between 'Z' and 'a'. */
	{"Z[1]", false, true},
	{"\xc3\x84.DLL", false, true},
	{"\xc3\xa4.dll", false, true},
	{"a\xcc\x88.dll", false, false},   /* a letter and a mark */
	{"\xe2\x84\xaa.dll", false, true}, /* the sign of Kelvin */
	{"k.dll", false, true},
	{"\xff.DLL", false, true},
	{"\xdf.dll", false, false},
	{"", true, true},
	{"b.dl", false, false},
	{"b.dlll", false, false},
};

START_TEST(name_set)
{
	struct spg_name_set set;

	for (int folds = 0; folds < 2; folds++) {
		ck_assert_int_eq(spg_name_set_init(&set, listed,
					 sizeof(listed) / sizeof(listed[0]), folds),
			0);
		ck_assert_int_eq(spg_name_set_has(&set, names[_i].name),
			folds ? names[_i].folded : names[_i].exact);
		spg_name_set_finish(&set);
		spg_name_set_finish(&set);
	}
}
END_TEST

START_TEST(name_set_paths)
{
	struct spg_name_set set = SPG_NAME_SET_NULL;

	ck_assert(!spg_name_set_has(&set, "a"));
	ck_assert(!spg_name_set_has_path(&set, "/a"));
	ck_assert_int_eq(spg_name_set_init(&set, NULL, 0, true), 0);
	ck_assert(!spg_name_set_has(&set, ""));
	spg_name_set_finish(&set);
	ck_assert_int_eq(spg_name_set_init(&set, listed, 3, true), 0);
	ck_assert(spg_name_set_has_path(&set, "/opt/x/B.dll"));
	ck_assert(spg_name_set_has_path(&set, "/srv/bin/c.dll"));
	ck_assert(!spg_name_set_has_path(&set, "/srv/other/c.dll"));
	ck_assert(!spg_name_set_has_path(&set, "/b.dll/other"));
	spg_name_set_finish(&set);
}
END_TEST

static const struct {
	const char *name, *dir;
	bool exact, folded;
} belows[] = {
	{"/srv/bin/x", "/srv/bin", true, true},
	{"/srv/bin/x", "/srv/BIN", false, true},
	{"/srv/binary", "/srv/bin", false, false},
	{"/srv/bin", "/srv/bin", false, false},
	{"/srv/\xc3\x84/x", "/srv/\xc3\xa4", false, true},
	{"/srv/\xe2\x84\xaa/x", "/SRV/k", false, true}, /* of another length */
	{"/srv/k/x", "/srv/\xe2\x84\xaa", false, true},
	{"/srv/\xc3\x84", "/srv/\xc3", false, false},
};

START_TEST(name_set_below)
{
	char *name = strdup(belows[_i].name);

	for (int folds = 0; folds < 2; folds++) {
		struct spg_name_set set;

		ck_assert_int_eq(spg_name_set_init(&set, &name, 1, folds), 0);
		ck_assert_int_eq(spg_name_set_any_below(&set, belows[_i].dir),
			folds ? belows[_i].folded : belows[_i].exact);
		spg_name_set_finish(&set);
	}
	free(name);
}
END_TEST

/* As many as a large payload, against a plain search. */
START_TEST(name_set_large)
{
	enum { N = 10000 };
	static char texts[N][16];
	static char *many[N];
	struct spg_name_set set;

	for (int i = 0; i < N; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%c%d.Dll", 'A' + i % 58,
			i * 7919 % N * 2);
		many[i] = texts[i];
	}
	ck_assert_int_eq(spg_name_set_init(&set, many, N, true), 0);
	for (int i = 0; i < N; i++) {
		char other[16];

		snprintf(other, sizeof(other), "%c%d.DLL", 'A' + i % 58,
			i * 7919 % N * 2);
		ck_assert(spg_name_set_has(&set, other));
		snprintf(other, sizeof(other), "%c%d.DLL", 'A' + i % 58,
			i * 7919 % N * 2 + 1);
		ck_assert(!spg_name_set_has(&set, other));
	}
	spg_name_set_finish(&set);
}
END_TEST

/* --- products -------------------------------------------------------------- */

static const struct {
	const char *directory;
	bool recursive;
	const char *path;
	bool covers;
} covers[] = {
	{"/srv/bin", false, "/srv/bin/a.dll", true},
	{"/srv/bin", false, "/srv/bin/deep/a.dll", false},
	{"/srv/bin", true, "/srv/bin/deep/er/a.dll", true},
	{"/srv/bin", true, "/srv/binary/a.dll", false},
	{"/srv/bin", true, "/srv/bin", false},
	{"/srv/bin/", false, "/srv/bin/a.dll", true},
	{"/srv//./bin", false, "/srv/bin/a.dll", true},
	{"/", false, "/a.dll", true},
	{"/", false, "/srv/a.dll", false},
	{"/", true, "/srv/a.dll", true},
	/* Directories are Linux names: their case counts. */
	{"/srv/bin", true, "/srv/BIN/a.dll", false},
};

START_TEST(product_covers)
{
	struct spg_product *p = help_plain_product("p", covers[_i].directory, "*.dll");

	p->recursive = covers[_i].recursive;
	p->ignore_case = true;
	ck_assert_int_eq(spg_product_covers(p, covers[_i].path), covers[_i].covers);
	ck_assert_int_eq(spg_product_has_path(p, covers[_i].path), covers[_i].covers);
	spg_product_unref(p);
}
END_TEST

static const struct {
	const char *name, *exe;
	bool exact, folded;
	const char *service;
} stops[] = {
	{"store.exe", NULL, true, true},
	{"STORE.EXE", NULL, false, true},
	{NULL, "/srv/bin/store.exe", true, true},
	{"wine-preloader", "/srv/Store.exe", false, true},
	{"store.exe", "/usr/bin/other", true, true},
	{"store", "/srv/store", false, false},
	{"xstore.exe", "/srv/store.exe/x", false, false},
	{NULL, NULL, false, false},
	/* Services. */
	{"x", "/x", true, true, "store.exe"},
	{"x", "/x", false, true, "Store.exe"},
	{"x", NULL, false, false, "store.exe.service"},
	{NULL, NULL, false, false, "store.exe.socket"},
	{NULL, NULL, false, false, "store.exe@.service"},
	{NULL, NULL, false, false, "store"},
	{NULL, NULL, false, false, ".service"},
	{NULL, NULL, false, false, ""},
};

START_TEST(product_setup_stops)
{
	struct spg_product *p = help_product();

	for (int folds = 0; folds < 2; folds++) {
		p->ignore_case = folds;
		ck_assert_int_eq(spg_product_setup_stops(p, stops[_i].name,
					 stops[_i].exe, stops[_i].service),
			folds ? stops[_i].folded : stops[_i].exact);
	}
	spg_product_unref(p);
}
END_TEST

/* The first advice that matches counts. */
START_TEST(product_advice)
{
	struct spg_product *p = help_product();

	ck_assert_int_eq(spg_product_add_advice(p, "*", "Ask somebody."), 0);
	ck_assert_str_eq(
		spg_product_advice(p, "MdbPERF.DLL"), "Stop Performance Monitor.");
	ck_assert_str_eq(spg_product_advice(p, "a.dll"), "Ask somebody.");
	spg_product_unref(p);
	p = help_product();
	ck_assert_ptr_null(spg_product_advice(p, "a.dll"));
	spg_product_unref(p);
}
END_TEST

/* --- references ------------------------------------------------------------ */

START_TEST(references)
{
	struct spg_process *process = help_process("perfmon");
	struct spg_event *event = help_event(SPG_EVENT_OPEN, 5, "a.dll", "perfmon");
	struct spg_event_list list = SPG_EVENT_LIST_NULL;

	ck_assert_ptr_eq(spg_process_ref(process), process);
	spg_process_unref(process);
	ck_assert_str_eq(process->unit, "perfmon.service");
	spg_process_unref(process);
	ck_assert_ptr_null(spg_process_ref(NULL));
	ck_assert_ptr_null(spg_file_ref(NULL));
	ck_assert_ptr_null(spg_event_ref(NULL));
	ck_assert_ptr_null(spg_product_ref(NULL));
	spg_process_unref(NULL);
	spg_file_unref(NULL);
	spg_event_unref(NULL);
	spg_product_unref(NULL);
	ck_assert_uint_eq(event->kinds, SPG_EVENT_BIT(SPG_EVENT_OPEN));
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(spg_event_list_add(&list, spg_event_ref(event)), 0);
	ck_assert_int_lt(spg_event_list_add(&list, NULL), 0);
	ck_assert_uint_eq(list.n, 100);
	spg_event_list_finish(&list);
	spg_event_list_finish(&list);
	ck_assert_str_eq(event->file->path, HELP_DIR "/a.dll");
	spg_event_unref(event);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("records");

	spg_add_rows(tc, name_set, names);
	spg_add_rows(tc, name_set_below, belows);
	tcase_add_test(tc, name_set_paths);
	tcase_add_test(tc, name_set_large);
	spg_add_rows(tc, product_covers, covers);
	spg_add_rows(tc, product_setup_stops, stops);
	tcase_add_test(tc, product_advice);
	tcase_add_test(tc, references);
	return spg_run_suite("records", tc);
}
