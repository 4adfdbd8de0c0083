/* SPDX-License-Identifier: MIT */
/* What an install tells of who ran it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model/install.h"
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

int main(void)
{
	TCase *tc = tcase_create("transaction");

	spg_add_rows(tc, command, commands);
	return spg_run_suite("transaction", tc);
}
