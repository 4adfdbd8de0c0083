/* SPDX-License-Identifier: MIT */
/* What NFS servers export, by their own files. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/watch/linux/survey/exports.h"
#include "tests/support/suite.h"

struct row {
	const char *text, *exports; /* a "+" behind one that crosses mounts */
};

static const struct row tables[] = {
	{"", ""},
	{"\n\n# /srv/none\n", ""},
	{"/srv/app\t*(rw,sync,wdelay,hide,nocrossmnt,secure)\n", "/srv/app;"},
	{"/srv/app\t10.0.0.0/8(ro)\n/srv/app\t*.example.org(rw)\n",
		"/srv/app;/srv/app;"},
	{"/srv\t*(rw,crossmnt)\n", "/srv+;"},
	{"/srv\t*(rw,crossmnt)", "/srv+;"},
	/* What is mounted below says this of itself (exports(5)). */
	{"/srv\t*(rw,nohide)", "/srv;"},
	{"/srv\ta(crossmntx) b(,) c(crossmnt", "/srv+;"},
	{"/srv\tcrossmnt crossmnt(rw)\n", "/srv;"},
	{"/srv/two\\040words\\134\t*(rw)\n", "/srv/two words\\;"},
	{"  \"/srv/two words\" host(rw) other(ro)\n", "/srv/two words;"},
	{"/srv/long \\\n  one(rw) \\\n  two(rw,crossmnt)\n/srv/next *(ro)\n",
		"/srv/long+;/srv/next;"},
	{"/srv/last", "/srv/last;"},
	{"/srv/open\\", "/srv/open\\;"},
	{"\"/srv/open", "/srv/open;"},
	{"relative *(rw)\n@group host\n\"\n\" \n\\\n", ""},
};

static const struct row ganesha[] = {
	{"", ""},
	{"EXPORT\n{\n\tExport_Id = 1;\n\tPath = /srv/app;\n\tPseudo = /app;\n}\n",
		"/srv/app+;"},
	{"export { path=\"/srv/two words\"; } EXPORT{PATH=/b;}",
		"/srv/two words+;/b+;"},
	{"EXPORT { Path = '/srv/a \"b\"'; }EXPORT{Path=\"/it's\";}",
		"/srv/a \"b\"+;/it's+;"},
	{"EXPORT { Path = /b; FSAL { Name = VFS; } }", "/b+;"},
	{"EXPORT { Path = /gpfs0; FSAL { Name = GPFS; } }", "/gpfs0+;"},
	{"EXPORT { Path = /b; FSAL { Name = NULL; FSAL { Name = VFS; } } }", "/b+;"},
	{"EXPORT { FSAL { name = \"vfs\"; } Path = /b; CLIENT { Path = /c; } }",
		"/b+;"},
	/* The root of another filesystem. */
	{"EXPORT { Path = /; FSAL { Name = CEPH; } } EXPORT { Path = /b; }", "/b+;"},
	{"EXPORT { Path = /; FSAL { Name = MDCACHE; FSAL { Name = rgw; } } }", ""},
	{"EXPORT { Path = vol; FSAL { Name = GLUSTER; } }", ""},
	{"# EXPORT { Path = /srv/none; }\n NFSv4 { Path = /none; } Path = /none;", ""},
	{"EXPORT { Pseudo_Path = /none; Path = ; Path }", ""},
	{"EXPORT { Path = /srv/cut", ""},
	{"}}}} EXPORT { Path = /a; } }", "/a+;"},
	{"{{{{ \" = ", ""},
	{"\"", ""},
	{"'", ""},
	{"=;={}\"\"{'\"'", ""},
};

static int put(void *user, const struct spg_export *export)
{
	char *text = user;
	size_t n = strlen(text);

	snprintf(text + n, 256 - n, "%s%s;", export->path, export->crosses ? "+" : "");
	return strcmp(export->path, "/srv/next") == 0 ? 7 : 0;
}

static void parse(
	const char *text, enum spg_exports_format format, const char *expected)
{
	char copy[256], got[256] = "";
	int r;

	snprintf(copy, sizeof(copy), "%s", text);
	r = spg_exports_parse(copy, format, put, got);
	ck_assert_str_eq(got, expected);
	ck_assert_int_eq(r, strstr(expected, "/srv/next") ? 7 : 0);
}

START_TEST(table)
{
	parse(tables[_i].text, SPG_EXPORTS_TABLE, tables[_i].exports);
}
END_TEST

START_TEST(ganesha_blocks)
{
	parse(ganesha[_i].text, SPG_EXPORTS_GANESHA, ganesha[_i].exports);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("exports");

	spg_add_rows(tc, table, tables);
	spg_add_rows(tc, ganesha_blocks, ganesha);
	return spg_run_suite("exports", tc);
}
