/* SPDX-License-Identifier: MIT */
/* What an installer that was ended leaves beside a file, by its name. */
#include "daemon/install/unfinished.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "tests/support/suite.h"

static const struct {
	const char *path, *target; /* NULL: it is none */
	bool uncertain;            /* others give such names too */
} names[] = {
	{"/a/x.so.dpkg-new", "/a/x.so"},
	{"/a/x.so.dpkg-tmp", NULL}, /* the old version */
	{"/a/x.so.dpkg-dist", NULL},
	{"/a/.dpkg-new", NULL},
	{"/a/x.so;0123abcd", "/a/x.so"},
	{"/a/x.so;0123abc", NULL},
	{"/a/x.so;0123abcde", NULL},
	{"/a/x.so;0123ABCD", NULL},
	{"/a/x.so.rpmnew", NULL}, /* to be compared by hand */
	{"/a/.x.so.aB3xYz", "/a/x.so", true},
	{"/a/x.so.aB3xYz", NULL},
	{"/a/.x.so.aB3xY", NULL},
	{"/a/.x.so.aB3-Yz", NULL},
	{"/a/.x.so.backup", NULL}, /* a word */
	{"/a/.bashrc", NULL},
	{"/a/..aB3xYz", NULL},
	{"/a/.~tmp~/x.so", "/a/x.so"},
	{"/.~tmp~/x.so", "/x.so"},
	{"/a/b.~tmp~/x.so", NULL},
	{"/a/.~tmp~", NULL},
	{".~tmp~/x.so", NULL},
	{"x.so.dpkg-new", "x.so"},
	{"", NULL},
};

START_TEST(name)
{
	bool certain = false;
	char *target = spg_unfinished_target(names[_i].path, &certain);

	ck_assert_pstr_eq(target, names[_i].target);
	if (target)
		ck_assert_int_eq(certain, !names[_i].uncertain);
	free(target);
}
END_TEST

/* A set of files "NAME=CONTENT", in order. */
static struct spg_module_set *set_of(const char *text)
{
	struct spg_module_set *set = spg_module_set_create();
	char *copy = strdup(text), *rest = copy, *word;

	set->size = 8;
	set->modules = calloc(set->size, sizeof(struct spg_module *));
	while ((word = strsep(&rest, " "))) {
		char *content = strchr(word, '=');
		struct spg_module *module;

		if (!content)
			continue;
		*content++ = '\0';
		module = spg_module_create(word);
		strncpy(module->sha256, content, sizeof(module->sha256) - 1);
		ck_assert_uint_lt(set->n, set->size);
		set->modules[set->n++] = module;
	}
	free(copy);
	return set;
}

static const struct {
	const char *files, *beside;
	const char *known;  /* NULL: not known */
	const char *before; /* a file that the product had; may be NULL */
	const char *found;  /* those that are told: the file in its place, or '-' */
} rows[] = {
	{"/a/x=1", "/a/x.dpkg-new=2", NULL, NULL, "/a/x"},
	/* The same: there is nothing to be done. */
	{"/a/x=1", "/a/x.dpkg-new=1", NULL, NULL, ""},
	/* It has lain there before. */
	{"/a/x=1", "/a/x.dpkg-new=2", "/a/x.dpkg-new=2", NULL, ""},
	{"/a/x=1", "/a/x.dpkg-new=2", "/a/x.dpkg-new=3", NULL, "/a/x"},
	{"/a/x=1", "/a/x.dpkg-new=2", "/a/y.dpkg-new=2", NULL, "/a/x"},
	/* A new file; a name that says so for certain. */
	{"/a/x=1", "/a/y.dpkg-new=2", NULL, NULL, "-"},
	{"/a/x=1", "/a/.y.aB3xYz=2", NULL, NULL, ""},
	{"/a/x=1 /a/y=1", "/a/.y.aB3xYz=2 /a/x;01234567=2", "", NULL, "/a/y /a/x"},
	/* The product's own. */
	{"/a/y=1", "/a/.y.aB3xYz=2", NULL, "/a/.y.aB3xYz=1", ""},
	{"/a/y=1", "/a/y.dpkg-new=2", NULL, "/a/y.dpkg-new=1", "/a/y"},
};

START_TEST(found)
{
	static struct spg_unfinished unfinished[SPG_UNFINISHED_MAX];
	struct spg_module_set *after = set_of(rows[_i].files);
	struct spg_module_set *known = rows[_i].known ? set_of(rows[_i].known) : NULL;
	struct spg_module_set *before =
		rows[_i].before ? set_of(rows[_i].before) : NULL;
	struct spg_buf text = SPG_BUF_NULL;
	size_t n;

	after->beside = set_of(rows[_i].beside);
	n = spg_unfinished_find(unfinished, before, known, after);
	for (size_t i = 0; i < n; i++)
		spg_buf_printf(&text, "%s%s", i > 0 ? " " : "",
			unfinished[i].module ? unfinished[i].module->path : "-");
	ck_assert_str_eq(spg_buf_text(&text), rows[_i].found);
	spg_buf_finish(&text);
	spg_module_set_unref(before);
	spg_module_set_unref(known);
	spg_module_set_unref(after);
}
END_TEST

/* Nobody knows yet whether who has written it is still at it. */
START_TEST(settled)
{
	struct spg_module_set *beside = set_of("/a/x.dpkg-new=1 /a/y.dpkg-new=1"), *old;
	int64_t now_ns = 100 * 3600 * SPG_NS_PER_S;

	beside->modules[0]->ctime_ns = now_ns - 2 * 3600 * SPG_NS_PER_S;
	beside->modules[1]->ctime_ns = now_ns - SPG_NS_PER_S;
	old = spg_unfinished_old(beside, now_ns);
	ck_assert_uint_eq(old->n, 1);
	ck_assert_str_eq(old->modules[0]->path, "/a/x.dpkg-new");
	spg_module_set_unref(old);
	spg_module_set_unref(beside);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("unfinished");

	spg_add_rows(tc, name, names);
	spg_add_rows(tc, found, rows);
	tcase_add_test(tc, settled);
	return spg_run_suite("unfinished", tc);
}
