/* SPDX-License-Identifier: MIT */
/* What an install tells of who ran it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/install/transaction.h"
#include "tests/support/suite.h"

static const struct {
	const char *name, *cmdline, *command;
} commands[] = {
	{"apt-get", "/usr/bin/apt-get upgrade", "apt-get upgrade"},
	{"apt-get", "apt-get", "apt-get"},
	{"dnf", "/usr/bin/python3 /usr/bin/dnf -y upgrade", "dnf -y upgrade"},
	{"unattended-upgr", "/usr/bin/python3 /usr/bin/unattended-upgrade -v",
		"unattended-upgrade -v"},
	{"bash", "bash ./setup.sh -x", "bash ./setup.sh -x"},
	{"setup.sh", "/bin/bash ./setup.sh -x", "setup.sh -x"},
	{"renamed", "/opt/a/agent: working", "agent: working"},
	{"cut", "/opt/", "opt/"},
	{"", "  ", "  "},
	{NULL, "/bin/x y", "x y"},
	{"x", "", ""},
	{"x", NULL, ""},
};

START_TEST(command)
{
	struct spg_install *install = spg_install_create(1, "p", 1);
	struct spg_buf buf = SPG_BUF_NULL;

	install->by = spg_process_create(&(struct spg_process_info){
		.name = commands[_i].name, .cmdline = commands[_i].cmdline});
	spg_install_put_command(install, &buf);
	ck_assert_str_eq(spg_buf_text(&buf), commands[_i].command);
	spg_buf_finish(&buf);
	spg_install_unref(install);
}
END_TEST

/* ---- packages ---- */

static struct spg_product *make_product(void)
{
	struct spg_product *product = spg_product_create("p");

	ck_assert_int_eq(spg_product_add_directory(product, "/app", "t:1"), 0);
	ck_assert_int_eq(spg_product_add_pattern(product, "*"), 0);
	return product;
}

/* "name version, ..."; a file of the product is of each package with a '*' before its
 * name, /app/NAME; of each with a '+' one beside it. */
static struct spg_packages *make_packages(const char *text)
{
	struct spg_packages *packages;

	if (!text)
		return NULL;
	packages = spg_packages_create();
	while (*text) {
		char name[32], version[32], path[64];
		int n = 0;
		size_t index;

		ck_assert_int_eq(
			sscanf(text, " %31[^ ] %31[^,],%n", name, version, &n), 2);
		index = spg_packages_add(packages, name + strspn(name, "*+"),
			strcmp(version, "?") == 0 ? NULL : version);
		snprintf(path, sizeof(path), "%s/%s", *name == '*' ? "/app" : "/other",
			name + 1);
		if (*name == '*' || *name == '+')
			ck_assert_int_eq(spg_packages_own(packages, path, index), 0);
		text += n;
	}
	ck_assert_int_eq(spg_packages_sort(packages), 0);
	return packages;
}

static const struct {
	const char *before, *after;
	const char *files; /* of /app that were changed, a character each */
	const char *changes;
} transactions[] = {
	{"*a 1,", "*a 2,", "a", "a 1 2;"},
	/* Whose files were changed elsewhere. */
	{"*a 1,+b 1,c 1,", "*a 2,+b 2,c 2,", "", "a 1 2;"},
	{"*a 1,", "*a 1,", "", ""},
	{"*a 1,", "*a 1,", "a", "a 1 1;"},
	{"*a 1,", "", "a", "a 1 -;"},
	{"", "*a 1,", "a", "a - 1;"},
	{NULL, "*a 1,*b 1,", "a", "a ? 1;"},
	{NULL, "", "a", ""},
	/* The product has no file of it any more, or did not have one. */
	{"*a 1,", "a 2,", "a", "a 1 2;"},
	{"a 1,", "*a 2,", "a", "a 1 2;"},
	{"*a 1,", "a 1,", "a", ""},
	{"*a 1,", "a ?,", "a", ""},
	{"a ?,", "*a 2,", "a", "a ? 2;"},
	{"a ?,", "*a 2,", "", ""},
	/* Several of one name. */
	{"*a 1,*a 2,", "*a 2,*a 3,", "", "a 1 3;"},
	{"*a 1,", "a 1,*a 2,", "", "a - 2;"},
	{"*a 1,*a 2,", "*a 2,", "", "a 1 -;"},
	{"*b 1,*a 1,*c 1,", "*c 2,*a 1,*d 1,", "", "b 1 -;c 1 2;d - 1;"},
};

START_TEST(packages)
{
	struct spg_product *product = make_product();
	struct spg_packages *before = make_packages(transactions[_i].before);
	struct spg_packages *after = make_packages(transactions[_i].after);
	struct spg_install *install = spg_install_create(1, "p", 1);
	struct spg_buf buf = SPG_BUF_NULL;

	for (const char *c = transactions[_i].files; *c; c++) {
		char path[16];
		struct spg_install_file *file;

		snprintf(path, sizeof(path), "/app/%c", *c);
		file = spg_install_add_file(install, path);
		file->kinds = SPG_EVENT_BIT(SPG_EVENT_MODIFY);
	}
	ck_assert_int_eq(spg_transaction_note(install, product, before, after), 0);
	for (size_t i = 0; i < install->n_packages; i++) {
		const struct spg_install_package *p = &install->packages[i];

		spg_buf_printf(&buf, "%s %s %s;", p->name,
			p->from         ? p->from
			: p->from_known ? "-"
					: "?",
			p->to ? p->to : "-");
	}
	ck_assert_str_eq(spg_buf_text(&buf), transactions[_i].changes);
	spg_buf_finish(&buf);
	spg_install_unref(install);
	spg_packages_unref(before);
	spg_packages_unref(after);
	spg_product_unref(product);
}
END_TEST

/* Of which package a file is; one that is gone, of which it was. */
START_TEST(files)
{
	struct spg_product *product = make_product();
	struct spg_packages *before = make_packages("*a 1,*b 1,");
	struct spg_packages *after = make_packages("*a 2,");
	struct spg_install *install = spg_install_create(1, "p", 1);
	struct spg_install_file *file;

	spg_install_add_file(install, "/app/a")->change = SPG_CHANGE_REPLACED;
	spg_install_add_file(install, "/app/b")->change = SPG_CHANGE_DELETED;
	spg_install_add_file(install, "/app/c")->change = SPG_CHANGE_CREATED;
	ck_assert_int_eq(spg_transaction_note(install, product, before, after), 0);
	file = spg_install_find(install, "/app/a");
	ck_assert_str_eq(file->package, "a");
	ck_assert_str_eq(file->package_version, "2");
	file = spg_install_find(install, "/app/b");
	ck_assert_str_eq(file->package, "b");
	ck_assert_str_eq(file->package_version, "1");
	ck_assert_ptr_null(spg_install_find(install, "/app/c")->package);
	spg_install_unref(install);
	spg_packages_unref(before);
	spg_packages_unref(after);
	spg_product_unref(product);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("transaction");

	spg_add_rows(tc, command, commands);
	spg_add_rows(tc, packages, transactions);
	tcase_add_test(tc, files);
	return spg_run_suite("transaction", tc);
}
