/* SPDX-License-Identifier: MIT */
/* .NET: references against the assemblies of a product, and the configurations that say
 * which version is meant. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/install/fit/binding.h"
#include "daemon/install/fit/fit.h"
#include "tests/support/corpus.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

#define FILES_MAX 8
#define CONFIG(inside)                                                                 \
	"<?xml version='1.0'?><configuration><runtime>"                                \
	"<assemblyBinding xmlns='urn:schemas-microsoft-com:asm.v1'>" inside            \
	"</assemblyBinding></runtime></configuration>"
#define REDIRECT(name, from, to)                                                       \
	"<dependentAssembly><assemblyIdentity name='" name "' culture='neutral'/>"     \
	"<bindingRedirect oldVersion='" from "' newVersion='" to                       \
	"'/></dependentAssembly>"
#define LIBRARY(path, ...)                                                             \
	{                                                                              \
		path, false, __VA_ARGS__                                               \
	}
#define PROGRAM(path, ...)                                                             \
	{                                                                              \
		path, true, __VA_ARGS__                                                \
	}

struct file {
	const char *path;
	bool is_exe;
	struct pe_make_assembly assembly, references[3];
	const char *config; /* "core": of .NET Core */
};

static const struct row {
	const char *says; /* the findings' texts, a line each; "": none */
	struct file files[FILES_MAX];
	size_t n_gaps;
} rows[] = {
	{"", {LIBRARY("/p/Net.dll", {"Net", "1.0.0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	{"A.exe needs Net 1.0.0.1, which is not here: Net.dll is 1.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "1.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"Net", "1.0.0.1", "k"}})}},
	/* Names have no case, and the whole key names a key too. */
	{"A.exe needs NET 0.9.0.0, which is not here: Net.dll is 1.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "1.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"NET", "0.9", "k", NULL, 1}})}},
	/* Another key. */
	{"A.exe needs Net 1.0.0.0, which is not here: Net.dll has the key "
	 "a2ca9fcfc5f759fc, not the key 0cff0c97c15eff11\n",
		{LIBRARY("/p/Net.dll", {"Net", "1.0.0.0", "other"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"Net", "1.0.0.0", "k"}})}},
	{"A.exe needs Net 1.0.0.0, which is not here: Net.dll has no key, not the key "
	 "0cff0c97c15eff11\n",
		{LIBRARY("/p/Net.dll", {"Net", "1.0.0.0"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"Net", "1.0.0.0", "k"}})}},
	/* Without a key any version will do. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "7.0.0.0"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0"}})}},
	/* Absent, of the framework, of a culture, retargetable: not ours. */
	{"", {LIBRARY("/p/System.Memory.dll", {"System.Memory", "4.0.1.2", "k"}),
		     LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
			     {{"System.Memory", "4.0.1.1", "k"}, {"Gone", "1.0", "k"},
				     {"Net", "1.0", "k", "de"}}),
		     PROGRAM("/p/B.exe", {"B", "1.0.0.0"},
			     {{"Net", "1.0", "k", NULL, 0x100}})}},
	/* The program's configuration redirects; another program's does not. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     {"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
			     CONFIG(REDIRECT("net", "0.0.0.0-1.9.0.0", "2.0.0.0"))}}},
	{"Lib.dll needs Net 1.0.0.0, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/Lib.dll", {"Lib", "1.0.0.0", "k"},
				{{"Net", "1.0.0.0", "k"}}),
			{"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Lib", "1.0.0.0", "k"}},
				CONFIG(REDIRECT("Net", "1.0.0.0", "2.0.0.0"))},
			PROGRAM("/p/B.exe", {"B", "1.0.0.0"},
				{{"Lib", "1.0.0.0", "k"}})}},
	{"A.exe needs Net 3.0.0.0, by the configuration, which is not here: Net.dll is "
	 "2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			{"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
				CONFIG(REDIRECT("Net", "0.0-2.0", "3.0.0.0"))}}},
	/* What no program refers to: any configuration beside it will do. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     LIBRARY("/p/Plug.dll", {"Plug", "1.0.0.0", "k"},
			     {{"Net", "1.0.0.0", "k"}}),
		     {"/p/A.exe", true, {"A", "1.0.0.0"}, {{NULL}},
			     CONFIG(REDIRECT("Net", "1.0.0.0", "2.0.0.0"))}}},
	{"Plug.dll needs Net 1.0.0.0, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/Plug.dll", {"Plug", "1.0.0.0", "k"},
				{{"Net", "1.0.0.0", "k"}})}},
	/* Folders: one that is searched, a private one, another, and a cache. */
	{"A.exe needs Net 1.0.0.0, which is not here: Net.dll in /p/Net is 2.0.0.0\n",
		{LIBRARY("/p/Net/Net.dll", {"Net", "2.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"Net", "1.0.0.0", "k"}})}},
	{"A.exe needs Net 1.0.0.0, which is not here: Net.dll in /p/bin/x is 2.0.0.0\n",
		{LIBRARY("/p/bin/x/Net.dll", {"Net", "2.0.0.0", "k"}),
			{"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
				CONFIG("<probing privatePath='lib;bin\\x;'/>")}}},
	{"", {LIBRARY("/p/other/Net.dll", {"Net", "2.0.0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     LIBRARY("/gac/Net/1.0.0.0__0123456789abcdef/Net.dll",
			     {"Net", "1.0.0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	{"A.exe needs Net 1.0.0.0, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/old/Net.dll", {"Net", "1.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"Net", "1.0.0.0", "k"}})}},
	/* The file has another name: it is not found by the assembly's. */
	{"", {LIBRARY("/p/Network.dll", {"Net", "2.0.0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	/* Other cases of letters are no other name, nor where they need more bytes. */
	{"A.exe needs \xc3\xa4k 1.0.0.0, which is not here: \xc3\x84\xe2\x84\xaa.dll "
	 "is "
	 "2.0.0.0\n",
		{LIBRARY("/p/\xc3\x84\xe2\x84\xaa.dll", {"\xc3\xa4k", "2.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"\xc3\xa4k", "1.0.0.0", "k"}})}},
	{"A.exe needs k 1.0.0.0, which is not here: K.dll in /p/\xe2\x84\xaa is "
	 "2.0.0.0\n",
		{LIBRARY("/p/\xe2\x84\xaa/K.dll", {"k", "2.0.0.0", "k"}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"k", "1.0.0.0", "k"}})}},
	/* A publisher's policy, and a file that is named. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "1.0.9.0", "k"}),
		     LIBRARY("/p/policy.1.0.Net.dll", {"policy.1.0.Net", "0.0", "k"}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     {"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
			     CONFIG("<dependentAssembly><assemblyIdentity name='Net'/>"
				    "<codeBase version='1.0.0.0' href='x.dll'/>"
				    "</dependentAssembly>")}}},
	/* .NET Core: the same or a later one; its programs are libraries. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     {"/p/A.dll", false, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
			     "core"}}},
	{"Lib.dll needs Net 2.0.0.1 or later, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/Lib.dll", {"Lib", "1.0.0.0", "k"},
				{{"Net", "2.0.0.1", "k"}}),
			{"/p/A.dll", false, {"A", "1.0.0.0"}, {{"Lib", "1.0.0.0", "k"}},
				"core"}}},
	{"", {LIBRARY("/p/plug/Net.dll", {"Net", "2.0.0.0", "k"}),
		     LIBRARY("/p/plug/Lib.dll", {"Lib", "1.0.0.0", "k"},
			     {{"Net", "1.0.0.1", "k"}}),
		     {"/p/A.dll", false, {"A", "1.0.0.0"}, {{NULL}}, "core"}}},
	/* By the framework it refers to; .NET Standard leaves it to the program. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
		     LIBRARY("/p/Plug.dll", {"Plug", "1.0.0.0", "k"},
			     {{"System.Runtime", "4.2.1.0", "m"}, {"Net", "1.0", "k"}}),
		     LIBRARY("/p/Any.dll", {"Any", "1.0.0.0", "k"},
			     {{"netstandard", "2.0.0.0", "m"}, {"Net", "1.0", "k"}})}},
	{"Any.dll needs Net 2.0.0.1 or later, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/Any.dll", {"Any", "1.0.0.0", "k"},
				{{"netstandard", "2.0.0.0", "m"},
					{"Net", "2.0.0.1", "k"}})}},
	{"Any.dll needs Net 1.0.0.0, which is not here: Net.dll is 2.0.0.0\n",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			LIBRARY("/p/Any.dll", {"Any", "1.0.0.0", "k"},
				{{"netstandard", "2.0.0.0", "m"}, {"Net", "1.0", "k"}}),
			PROGRAM("/p/A.exe", {"A", "1.0.0.0"},
				{{"mscorlib", "4.0.0.0", "m"},
					{"Any", "1.0.0.0", "k"}})}},
	/* A circle ends. */
	{"", {LIBRARY("/p/Net.dll", {"Net", "1.0.0.0", "k"}, {{"Lib", "1.0.0.0", "k"}}),
		     LIBRARY("/p/Lib.dll", {"Lib", "1.0.0.0", "k"},
			     {{"Net", "1.0.0.0", "k"}}),
		     PROGRAM("/p/A.exe", {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}})}},
	/* Not understood: nothing is said, but that. */
	{"",
		{LIBRARY("/p/Net.dll", {"Net", "2.0.0.0", "k"}),
			{"/p/A.exe", true, {"A", "1.0.0.0"}, {{"Net", "1.0.0.0", "k"}},
				"<configuration>"}},
		1},
	{"",
		{LIBRARY("/p/System.X.dll", {"System.X", "2.0.0.0", "k"}),
			{"/p/A.exe", true, {"A", "1.0.0.0"},
				{{"System.X", "1.0.0.0", "k"}}, "<configuration>"}},
		0},
};

struct set {
	struct spg_fit_module modules[FILES_MAX];
	struct spg_binary *pes[FILES_MAX];
	struct spg_binding bindings[FILES_MAX];
	size_t n;
};

static void put(struct set *set, const struct file *file)
{
	struct pe_make make = {.is_exe = file->is_exe,
		.assembly = &file->assembly,
		.references = file->references};
	struct spg_binding *binding = &set->bindings[set->n];
	size_t i = set->n++;

	set->pes[i] = pe_make(&make);
	set->modules[i] = (struct spg_fit_module){.path = file->path,
		.name = strrchr(file->path, '/') + 1,
		.binary = set->pes[i]};
	if (!file->config)
		return;
	set->modules[i].binding = binding;
	if (strcmp(file->config, "core") == 0)
		binding->is_core = true;
	else
		ck_assert_int_eq(
			spg_binding_add(binding, file->config, strlen(file->config)),
			0);
}

/* @reversed: the order of the files says nothing. */
static void expect(const struct row *row, bool reversed)
{
	struct set set = {0};
	struct spg_fit_question question = {.modules = set.modules};
	struct spg_fit fit = SPG_FIT_NULL;
	struct spg_buf found = SPG_BUF_NULL;
	size_t n = 0;

	while (n < FILES_MAX && row->files[n].path)
		n++;
	for (size_t i = 0; i < n; i++)
		put(&set, &row->files[reversed ? n - 1 - i : i]);
	question.n_modules = set.n;
	ck_assert_int_eq(spg_fit(&fit, &question), 0);
	for (size_t i = 0; i < fit.n_findings; i++) {
		ck_assert_int_eq(fit.findings[i].kind, SPG_FINDING_ASSEMBLY_VERSION);
		spg_buf_printf(&found, "%s\n", fit.findings[i].text);
	}
	ck_assert_str_eq(spg_buf_text(&found), row->says);
	ck_assert_uint_eq(fit.n_gaps, row->n_gaps);
	spg_fit_finish(&fit);
	spg_buf_finish(&found);
	for (size_t i = 0; i < set.n; i++) {
		spg_binary_destroy(set.pes[i]);
		spg_binding_finish(&set.bindings[i]);
	}
}

START_TEST(references)
{
	expect(&rows[_i], false);
	expect(&rows[_i], true);
}
END_TEST

/* What a program has to know of a finding. */
START_TEST(finding)
{
	struct set set = {0};
	struct spg_fit_question question = {.modules = set.modules};
	struct spg_fit fit = SPG_FIT_NULL;

	put(&set, &rows[1].files[0]);
	put(&set, &rows[1].files[1]);
	question.n_modules = set.n;
	ck_assert_int_eq(spg_fit(&fit, &question), 0);
	ck_assert_uint_eq(fit.n_findings, 1);
	ck_assert_uint_eq(fit.findings[0].module, 1);
	ck_assert_str_eq(fit.findings[0].needs, "Net 1.0.0.1");
	ck_assert_str_eq(fit.findings[0].from, "Net.dll");
	ck_assert_str_eq(fit.findings[0].from_version, "1.0.0.0");
	spg_fit_finish(&fit);
	spg_binary_destroy(set.pes[0]);
	spg_binary_destroy(set.pes[1]);
}
END_TEST

/* ---- configurations ---- */

static const struct {
	const char *text, *name, *token;
	uint16_t version[4];
	const char *to; /* NULL: no redirect; "elsewhere" */
	bool is_partial;
} configs[] = {
	{"", "a", NULL, {1}, NULL, true},
	{"<configuration/>", "a", NULL, {1}, NULL, false},
	{CONFIG(REDIRECT("a", "1.0.0.0", "2.3.4.5")), "A", NULL, {1}, "2.3.4.5", false},
	{CONFIG(REDIRECT("a", " 1.0 - 1.5 ", "2")), "a", NULL, {1, 5}, "2.0.0.0",
		false},
	{CONFIG(REDIRECT("a", "1.0-1.5", "2")), "a", NULL, {1, 6}, NULL, false},
	{CONFIG(REDIRECT("a", "1.0-65535.65535.65535.65535", "2")), "a", NULL, {9},
		"2.0.0.0", false},
	{CONFIG(REDIRECT("a", "1.65536", "2")), "a", NULL, {1}, NULL, true},
	{CONFIG(REDIRECT("a", "", "2")), "a", NULL, {1}, NULL, true},
	{CONFIG(REDIRECT("a", "1.0.0.0.0", "2")), "a", NULL, {1}, NULL, true},
	{CONFIG(REDIRECT("b", "1.0", "2") REDIRECT("c", "1.0", "3")
			 REDIRECT("a", "1.0", "4")),
		"c", NULL, {1}, "3.0.0.0", false},
	{CONFIG(REDIRECT("a", "1.0", "2") REDIRECT("a", "2.0", "3")), "a", NULL, {2},
		"3.0.0.0", false},
	/* With a prefix, and the identity behind. */
	{"<x:assemblyBinding xmlns:x='urn'><x:dependentAssembly><x:bindingRedirect "
	 "oldVersion='1.0' newVersion='2.0'/><x:assemblyIdentity name='a'/>"
	 "</x:dependentAssembly></x:assemblyBinding>",
		"a", NULL, {1}, "2.0.0.0", false},
	/* Outside of <assemblyBinding> it means nothing. */
	{"<configuration>" REDIRECT("a", "1.0", "2") "</configuration>", "a", NULL, {1},
		NULL, false},
	{CONFIG("<dependentAssembly><assemblyIdentity name='a' "
		"publicKeyToken='0102030405060708'/><bindingRedirect oldVersion='1.0' "
		"newVersion='2.0'/></dependentAssembly>"),
		"a", "\1\2\3\4\5\6\7\10", {1}, "2.0.0.0", false},
	{CONFIG("<dependentAssembly><assemblyIdentity name='a' "
		"publicKeyToken='0102030405060708'/><bindingRedirect oldVersion='1.0' "
		"newVersion='2.0'/></dependentAssembly>"),
		"a", "\1\2\3\4\5\6\7\11", {1}, NULL, false},
	{CONFIG("<dependentAssembly><assemblyIdentity name='a' "
		"publicKeyToken='01020304050607'/></dependentAssembly>"),
		"a", NULL, {1}, NULL, true},
	{CONFIG("<dependentAssembly><bindingRedirect oldVersion='1.0' "
		"newVersion='2.0'/></dependentAssembly>"),
		"a", NULL, {1}, NULL, false},
	{CONFIG("<dependentAssembly><assemblyIdentity name='a'/><codeBase version='9' "
		"href='b.dll'/></dependentAssembly>"),
		"a", NULL, {1}, "elsewhere", false},
	{CONFIG("<linkedConfiguration href='file://x'/>"), "a", NULL, {1}, NULL, true},
	{"<!DOCTYPE c [<!ENTITY e 'x'>]><configuration>&e;</configuration>", "a", NULL,
		{1}, NULL, true},
	{CONFIG("<dependentAssembly>"), "a", NULL, {1}, NULL, true},
};

START_TEST(configurations)
{
	struct spg_binding binding = SPG_BINDING_NULL;
	const struct spg_binding_redirect *found;
	char to[SPG_BINARY_VERSION_TEXT_BYTES];

	ck_assert_int_eq(
		spg_binding_add(&binding, configs[_i].text, strlen(configs[_i].text)),
		0);
	ck_assert_int_eq(binding.is_partial, configs[_i].is_partial);
	found = spg_binding_find(&binding, configs[_i].name,
		(const uint8_t *)configs[_i].token, configs[_i].version);
	if (!configs[_i].to)
		ck_assert_ptr_null(found);
	else if (strcmp(configs[_i].to, "elsewhere") == 0)
		ck_assert(found && found->elsewhere);
	else
		ck_assert_str_eq(
			spg_binary_version_format(found->to, to), configs[_i].to);
	spg_binding_finish(&binding);
	spg_binding_finish(&binding);
}
END_TEST

/* Two files, and what is too much. */
START_TEST(limits)
{
	const char *first = CONFIG(
		REDIRECT("b", "1.0", "2") "<probing privatePath=' lib ; a\\b\\;;/'/>");
	struct spg_binding binding = SPG_BINDING_NULL;
	struct spg_buf text = SPG_BUF_NULL;

	ck_assert(spg_binding_is_empty(&binding));
	ck_assert_int_eq(spg_binding_add(&binding, first, strlen(first)), 0);
	first = CONFIG(REDIRECT("a", "1.0", "3"));
	ck_assert_int_eq(spg_binding_add(&binding, first, strlen(first)), 0);
	ck_assert(!binding.is_partial && !spg_binding_is_empty(&binding));
	ck_assert_uint_eq(binding.n_redirects, 2);
	ck_assert_str_eq(binding.redirects[0].name, "a");
	ck_assert_uint_eq(binding.n_paths, 2);
	ck_assert_str_eq(binding.paths[0], "lib");
	ck_assert_str_eq(binding.paths[1], "a/b");
	spg_binding_finish(&binding);

	spg_buf_puts(&text, "<assemblyBinding>");
	for (size_t i = 0; i <= SPG_BINDING_EQUAL_MAX; i++)
		spg_buf_puts(&text, REDIRECT("a", "1.0", "3"));
	spg_buf_puts(&text, "</assemblyBinding>");
	ck_assert_int_eq(spg_binding_add(&binding, text.data, text.len), 0);
	ck_assert(binding.is_partial);
	spg_binding_finish(&binding);

	spg_buf_clear(&text);
	spg_buf_puts(&text, "<assemblyBinding>");
	for (size_t i = 0; i <= SPG_BINDING_REDIRECTS_MAX; i++)
		spg_buf_printf(&text, REDIRECT("a%zu", "1.0", "3"), i);
	spg_buf_puts(&text, "</assemblyBinding>");
	ck_assert_int_eq(spg_binding_add(&binding, text.data, text.len), 0);
	ck_assert(binding.is_partial);
	ck_assert_uint_eq(binding.n_redirects, SPG_BINDING_REDIRECTS_MAX);
	spg_binding_finish(&binding);

	ck_assert_int_eq(
		spg_binding_add(&binding, text.data, SPG_BINDING_BYTES_MAX + 1), 0);
	ck_assert(binding.is_partial);
	spg_binding_finish(&binding);
	spg_buf_finish(&text);
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_BINDING, 6);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("assembly");

	spg_add_rows(tc, references, rows);
	tcase_add_test(tc, finding);
	spg_add_rows(tc, configurations, configs);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, corpus);
	return spg_run_suite("assembly", tc);
}
