/* SPDX-License-Identifier: MIT */
/* What came of an install: what was left out, and in which words. */
#include "daemon/install/outcome.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

/*
 * Files are words "NAME@VERSION=CONTENT", the version may be missing. One that is
 * changed has another inode too, unless NAME begins with '+'. @touched: what happened,
 * "NAME:kinds" with m, c, d, r; @held: "NAME:who", mapped, or "NAME!:who", open.
 */
static const struct {
	const char *before, *after, *touched, *held;
	const char *expected; /* the payload; NULL: not known */
	const char *left;     /* left out by the install before: "NAME=CONTENT", with
	                         '?' behind it as a guess */
	const char *aside;    /* the name of a file that has stepped aside */
	const char *users;    /* who has a file mapped now: "NAME:who" */
	const char *shown;    /* an old version, and to whom; NULL: none */
	bool unwatched, at_start;
	const char *outcome; /* and the files: "NAME change", then "? reason" */
} rows[] = {
	/* Each file is compared with its own counterpart. */
	{"x64/a.dll@1.0=x x86/a.dll@1.0=y", "x64/a.dll@2.0=q x86/a.dll@2.0=q",
		"x64/a.dll:r x86/a.dll:r", "", "sp/x64/a.dll@2.0=p sp/x86/a.dll@2.0=q",
		.outcome = "mixed: a.dll skipped, a.dll replaced\n"
			   "? a.dll was changed, but is not the service pack's\n"},
	{"x64/a.dll@1.0=x x86/a.dll@1.0=y", "x64/a.dll@2.0=p x86/a.dll@1.0=y",
		"x64/a.dll:r", "", "sp/x64/a.dll@2.0=p",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* What is not there at all, although the rest of its folder is. */
	{"x/a.dll@1.0=a x/b.dll@1.0=b x/c.dll@1.0=c",
		"x/a.dll@2.0=p x/b.dll@2.0=q x/c.dll@2.0=r",
		"x/a.dll:r x/b.dll:r x/c.dll:r", "",
		"sp/x/a.dll@2.0=p sp/x/b.dll@2.0=q sp/x/c.dll@2.0=r sp/x/d.dll@2.0=s "
		"sp/setup.exe@2.0=t",
		.outcome =
			"mixed: a.dll replaced, b.dll replaced, c.dll replaced\n"
			"? d.dll of the service pack is not installed, although 3 of "
			"the 4 files of its folder are\n"},
	/* Where no folder tells which, that is said. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@1.0=x b.dll@2.0=y", "b.dll:r", "",
		"i386/a.dll@2.0=p alpha/a.dll@3.0=q",
		.outcome = "mixed: a.dll skipped, b.dll replaced\n"
			   "? a.dll was not replaced: it is not the service pack's "
			   "(one of 2: no folder tells which)\n"},
	/* All replaced. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@2.0=y", "a.dll:r b.dll:r", "",
		.outcome = "clean: a.dll replaced, b.dll replaced\n"
			   "? it finished clean: 2 of 2 files replaced; "
			   "entry points of 0 modules checked\n"},
	/* ... and somebody is shown what was there before: it fits together, and is not
	 * clean. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@2.0=y", "a.dll:r b.dll:r", "",
		.shown = "an old version of a.dll is mounted",
		.outcome = "mixed: a.dll replaced, b.dll replaced\n"
			   "? an old version of a.dll is mounted\n"},
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r",
		"b.dll:perfmon", .shown = "an old version of a.dll is mounted",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had it mapped\n"
			   "? an old version of a.dll is mounted\n"},
	/* One held, its like replaced. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r",
		"b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had it mapped\n"},
	/* Without versions, when it is half of them at least. */
	{"a.dll=x b.dll=x", "a.dll=y b.dll=x", "a.dll:m", "b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had it mapped\n"},
	{"a.dll=x b.dll=x c.dll=x", "a.dll=y b.dll=x c.dll=x", "a.dll:m",
		"b.dll:perfmon",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* Each of its own version: all are alike. */
	{"a.dll@1.0=x b.dll@7.0=x", "a.dll@2.0=y b.dll@7.0=x", "a.dll:r",
		"b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had it mapped\n"},
	/* The same written again over a held one: it is what it was. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r b.dll:mr",
		"b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had it mapped\n"},
	/* ... which mends nothing that was left before. */
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "b.dll:cm", "",
		.left = "b.dll=x",
		.outcome = "mixed: b.dll skipped\n"
			   "? b.dll was not replaced, as in the install before\n"},
	/* Of another version than those replaced: none of its like. */
	{"a.dll@1.0=x b.dll@7.0=x c.dll@7.0=x", "a.dll@2.0=y b.dll@7.0=x c.dll@7.0=x",
		"a.dll:r", "b.dll:perfmon",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* Not held: nobody knows that it should have been replaced... */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r", "",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* ... unless the payload is known. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r", "",
		.expected = "A.DLL@2.0=y B.dll@2.0=y",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced: it is 1.0, the service pack has "
			   "2.0\n"},
	{"a.dll@1.0=x \xc3\xa4.dll@1.0=x", "a.dll@2.0=y \xc3\xa4.dll@1.0=x", "a.dll:r",
		"", .expected = "A.DLL@2.0=y \xc3\x84.dll@2.0=y",
		.outcome =
			"mixed: a.dll replaced, \xc3\xa4.dll skipped\n"
			"? \xc3\xa4.dll was not replaced: it is 1.0, the service pack "
			"has 2.0\n"},
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r",
		"b.dll:perfmon", .expected = "a.dll@2.0=y b.dll@2.0=y",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced: perfmon (pid 2113) had it "
			   "mapped; it "
			   "is 1.0, the service pack has 2.0\n"},
	/* Held, and not in the payload: no business of it. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r",
		"b.dll:perfmon", .expected = "a.dll@2.0=y",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* Written to, and yet not what the payload brings: cut short. */
	{"a.dll@1.0=x", "a.dll@2.0=cut", "a.dll:m", "", .expected = "a.dll@2.0=y",
		.outcome = "mixed: a.dll skipped\n"
			   "? a.dll was changed, but is not the service pack's\n"},
	/* Any variant of a name will do; newer than the payload's will too. */
	{"a.dll@1.0=x", "a.dll@2.0=z", "a.dll:r", "",
		.expected = "a.dll@2.0=y a.dll@2.0=z",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	{"a.dll@1.0=x b.dll@9.0=x", "a.dll@2.0=y b.dll@9.0=x", "a.dll:r", "",
		.expected = "a.dll@2.0=y b.dll@2.0=y",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* The installer's own processes do not hold anything in its way. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r",
		"b.dll!:store",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* ... but what they run themselves. */
	{"a.dll@1.0=x b.dll@1.0=x", "a.dll@2.0=y b.dll@1.0=x", "a.dll:r", "b.dll:store",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should have been: "
			   "Store.EXE (pid 2300) had it mapped\n"},
	/* What was there before is not known: what has happened tells. */
	{NULL, "a.dll@2.0=y b.dll@1.0=x", "a.dll:r", "b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should have been: "
			   "perfmon (pid 2113) had it mapped\n"},
	{NULL, "a.dll@2.0=y b.dll@1.0=x c.dll@1.0=x", "a.dll:r", "b.dll:perfmon",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* The same written again counts as replaced. */
	{"a.dll=x b.dll=x +c.dll=x", "a.dll=y b.dll=x c.dll=x", "a.dll:r +c.dll:m",
		"b.dll:perfmon",
		.outcome = "mixed: a.dll replaced, b.dll skipped, c.dll modified\n"
			   "? b.dll was not replaced, and perhaps should have been: "
			   "perfmon (pid 2113) had it mapped\n"},
	/* It happened before the daemon began, and who holds a file now may have begun
	 * later; ... */
	{"a.dll=x b.dll=x", "a.dll=y b.dll=x", "a.dll:r", "b.dll:perfmon",
		.at_start = true,
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* ... only a part of it did. */
	{"a.dll=x b.dll=x", "a.dll=y b.dll=x", "a.dll:r", "b.dll:perfmon",
		.unwatched = true,
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should have been: "
			   "perfmon (pid 2113) had it mapped\n"},
	/* What the run before left is still left, held or not, until it is replaced. */
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=z b.dll@1.0=x", "a.dll:r", "",
		.left = "b.dll=x",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, as in the install before\n"},
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=y b.dll@2.0=y", "b.dll:r", "",
		.left = "b.dll=x",
		.outcome = "clean: b.dll replaced\n"
			   "? it finished clean, and mended install 3: 1 of 1 file "
			   "replaced; "
			   "entry points of 0 modules checked\n"},
	/* Created, deleted, modified, and what only came and went. */
	{"a.dll=x b.dll=x +c.dll=x", "d.dll=y b.dll=x c.dll=y",
		"a.dll:d d.dll:c +c.dll:m e.dll:cd", "",
		.outcome = "clean: a.dll deleted, c.dll modified, d.dll created\n"
			   "? it finished clean: 1 of 1 file replaced, 1 created, 1 "
			   "deleted; "
			   "entry points of 0 modules checked\n"},
	/* Renamed away and back. */
	{"+a.dll=x b.dll=x", "+a.dll=x b.dll=y", "a.dll:r b.dll:m", "a.dll:perfmon",
		.outcome = "mixed: a.dll skipped, b.dll replaced\n"
			   "? a.dll was not replaced, and perhaps should "
			   "have been: perfmon (pid 2113) had "
			   "it mapped\n"},
	/* Nothing is known of before: only what happened. */
	{NULL, "a.dll=y b.dll=y c.dll=y", "a.dll:r b.dll:m c.dll:c", "",
		.outcome = "clean: a.dll replaced, b.dll modified, c.dll created\n"
			   "? it finished clean: 2 of 2 files replaced, 1 created; "
			   "entry points of 0 modules checked\n"},
	/* A file with a version is not the like of files without one. */
	{"a.txt=x b.txt=x c.dll@1.0=x", "a.txt=y b.txt=y c.dll@1.0=x",
		"a.txt:r b.txt:r", "c.dll:perfmon",
		.outcome = "clean: a.txt replaced, b.txt replaced\n"
			   "? it finished clean: 2 of 2 files replaced; "
			   "entry points of 0 modules checked\n"},
	{"a.dll@1.0=x b.dll@3.0=x c.txt=x", "a.dll@2.0=y b.dll@4.0=y c.txt=x",
		"a.dll:r b.dll:r", "c.txt:perfmon",
		.outcome = "clean: a.dll replaced, b.dll replaced\n"
			   "? it finished clean: 2 of 2 files replaced; "
			   "entry points of 0 modules checked\n"},
	/* A guess stays one, until a payload is named that has no such file. */
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=z b.dll@1.0=x", "a.dll:r", "",
		.left = "b.dll=x?",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, and perhaps should have been, as "
			   "in the install before\n"},
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=z b.dll@1.0=x", "a.dll:r", "",
		.left = "b.dll=x?", .expected = "a.dll@2.0=z",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean, and mended install 3: 1 of 1 file "
			   "replaced; "
			   "entry points of 0 modules checked\n"},
	/* ... which another service pack cannot say of what one has named. */
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=z b.dll@1.0=x", "a.dll:r", "",
		.left = "b.dll=x", .expected = "a.dll@2.0=z",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced, as in the install before\n"},
	/* What is gone is not left out any more, unless it has stepped aside. */
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=y", "b.dll:d", "", .left = "b.dll=x",
		.outcome = "clean: b.dll deleted\n"
			   "? it finished clean, and mended install 3: 1 deleted; "
			   "entry points of 0 modules checked\n"},
	{"a.dll@2.0=y b.dll@1.0=x", "a.dll@2.0=z", "a.dll:r", "", .left = "b.dll=x",
		.aside = "b.dll",
		.outcome = "mixed: a.dll replaced, b.dll skipped\n"
			   "? b.dll was not replaced: it has stepped aside, and nobody "
			   "has written a new one\n"},
	/* All gone. */
	{"a.dll=x b.dll=x", "", "a.dll:d b.dll:d", "",
		.outcome = "mixed: a.dll deleted, b.dll deleted\n"
			   "? all 2 files of the product are gone\n"},
	{NULL, "", "a.dll:d", "",
		.outcome = "mixed: a.dll deleted\n"
			   "? the one file of the product is gone\n"},
	/* Written to in place, while somebody has it mapped. */
	{"+c.dll=x", "+c.dll=y", "+c.dll:m", "c.dll:perfmon", .users = "c.dll:perfmon",
		.outcome =
			"clean: c.dll modified\n"
			"? c.dll was written to in place while perfmon (pid 2113) had "
			"it mapped: it may crash\n"
			"? it finished clean: 1 of 1 file replaced; "
			"entry points of 0 modules checked\n"},
	{"+c.dll=x", "+c.dll=y", "+c.dll:m", "c.dll:perfmon",
		.outcome = "clean: c.dll modified\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	{"a.dll=x", "a.dll=y", "a.dll:r", "a.dll:perfmon", .users = "a.dll:perfmon",
		.outcome = "clean: a.dll replaced\n"
			   "? it finished clean: 1 of 1 file replaced; "
			   "entry points of 0 modules checked\n"},
	/* Not readable: nobody knows. */
	{"a.dll=x", "a.dll=!", "a.dll:r", "",
		.outcome = "unknown: a.dll replaced\n? could not read a.dll: "
			   "no\n"},
};

static uint64_t sum_of(const char *text)
{
	uint64_t sum = 1;

	for (; *text; text++)
		sum = sum * 31 + (unsigned char)*text;
	return sum;
}

/* Take "NAME@VERSION=CONTENT" apart, in place. */
static void take_apart(char *word, char **name, char **version, char **content)
{
	*name = *word == '+' ? word + 1 : word;
	*content = strchr(word, '=');
	*(*content)++ = '\0';
	*version = strchr(word, '@');
	if (*version)
		*(*version)++ = '\0';
}

static void digest(const char *content, char *ret)
{
	snprintf(ret, SPG_SHA256_TEXT_BYTES, "%064llx",
		(unsigned long long)sum_of(content));
}

static struct spg_module *make_module(char *word)
{
	bool same_inode = *word == '+';
	char *name, *version, *content, path[64];
	struct spg_module *module;

	take_apart(word, &name, &version, &content);
	snprintf(path, sizeof(path), HELP_DIR "/%s", name);
	module = spg_module_create(path);
	ck_assert_ptr_nonnull(module);
	module->id.ino = sum_of(name) + (same_inode ? 0 : sum_of(content));
	/* A modified file of the table's rows has the inode of its '+' twin. */
	if (strcmp(name, "c.dll") == 0)
		module->id.ino = 5;
	if (version)
		snprintf(module->version, sizeof(module->version), "%s", version);
	if (strcmp(content, "!") == 0) {
		module->err = SPG_ERR_DENIED;
		module->why = strdup("no");
	} else {
		digest(content, module->sha256);
	}
	return module;
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct spg_module *const *)a)->path,
		(*(struct spg_module *const *)b)->path);
}

static struct spg_module_set *make_set(const char *text)
{
	struct spg_module_set *set = spg_module_set_create();
	char *copy = strdup(text), *rest = copy, *word;

	set->modules = calloc(16, sizeof(*set->modules));
	while ((word = strsep(&rest, " ")))
		if (*word)
			set->modules[set->n++] = make_module(word);
	qsort(set->modules, set->n, sizeof(*set->modules), by_path);
	free(copy);
	return set;
}

static struct spg_expected make_expected(const char *text)
{
	struct spg_expected expected = SPG_EXPECTED_NULL;
	char *copy = strdup(text), *rest = copy, *word;

	while ((word = strsep(&rest, " "))) {
		char *name, *version, *content, sha256[SPG_SHA256_TEXT_BYTES];

		take_apart(word, &name, &version, &content);
		digest(content, sha256);
		ck_assert_int_eq(spg_expected_add(&expected, name, version, sha256), 0);
	}
	spg_expected_sort(&expected, true);
	free(copy);
	return expected;
}

static void touch(struct spg_install *install, const struct spg_product *product,
	const char *word, struct spg_process *by)
{
	static const struct {
		char letter;
		enum spg_event_kind kind;
	} kinds[] = {{'m', SPG_EVENT_MODIFY}, {'c', SPG_EVENT_CREATE},
		{'d', SPG_EVENT_DELETE}, {'r', SPG_EVENT_RENAME}};
	char path[64];
	struct spg_file *file;

	snprintf(path, sizeof(path), HELP_DIR "/%.*s",
		(int)strcspn(word + (*word == '+'), ":"), word + (*word == '+'));
	file = spg_file_create(path, (struct spg_file_id){1, 1});
	for (size_t i = 0; i < 4; i++) {
		struct spg_event *event;

		if (!strchr(strchr(word, ':'), kinds[i].letter))
			continue;
		event = spg_event_create(kinds[i].kind, 100, file, by);
		ck_assert_int_eq(spg_install_note(install, product, event), 0);
		spg_event_unref(event);
	}
	spg_file_unref(file);
}

static struct spg_install *make_install(
	const struct spg_product *product, const char *touched, const char *held)
{
	struct spg_install *install = spg_install_create(4, product->name, 50);
	struct spg_process *setup = help_process("store");
	char *copy = strdup(touched), *rest = copy, *word;

	while ((word = strsep(&rest, " ")))
		touch(install, product, word, setup);
	free(copy);
	if (*held) {
		struct spg_process *who = help_process(strchr(held, ':') + 1);
		char *name = strndup(held, strcspn(held, "!:")), path[64];
		struct spg_file *file;

		snprintf(path, sizeof(path), HELP_DIR "/%s", name);
		free(name);
		file = spg_file_create(path, (struct spg_file_id){0, 0});
		ck_assert_int_eq(
			spg_install_note_use(install, file, who,
				strchr(held, '!') ? SPG_USE_OPEN : SPG_USE_MAPPED),
			0);
		spg_file_unref(file);
		spg_process_unref(who);
	}
	spg_process_unref(setup);
	return install;
}

static struct spg_install *make_previous(const char *left)
{
	struct spg_install *install = spg_install_create(3, "exchange", 10);
	char *copy = strdup(left), *name, *version, *content, path[64];
	struct spg_install_file *file;

	take_apart(copy, &name, &version, &content);
	snprintf(path, sizeof(path), HELP_DIR "/%s", name);
	file = spg_install_add_file(install, path);
	file->change = SPG_CHANGE_SKIPPED;
	file->guessed = strchr(content, '?') != NULL;
	content[strcspn(content, "?")] = '\0';
	digest(content, file->to_sha256);
	install->outcome = SPG_INSTALL_MIXED;
	free(copy);
	return install;
}

static char *describe(const struct spg_install *install)
{
	struct spg_buf out = SPG_BUF_NULL;

	spg_buf_printf(&out, "%s: ", spg_install_outcome_name(install->outcome));
	for (size_t i = 0; i < install->n_files; i++)
		spg_buf_printf(&out, "%s%s %s", i ? ", " : "",
			spg_path_base(install->files[i].path),
			spg_install_change_name(install->files[i].change));
	spg_buf_puts(&out, "\n");
	for (size_t i = 0; i < install->reasons.n; i++)
		spg_buf_printf(&out, "? %s\n", install->reasons.items[i].text);
	return spg_buf_take(&out);
}

START_TEST(judge)
{
	struct spg_product *product = help_product();
	struct spg_install *install =
		make_install(product, rows[_i].touched, rows[_i].held);
	struct spg_install *previous =
		rows[_i].left ? make_previous(rows[_i].left) : NULL;
	struct spg_expected expected = SPG_EXPECTED_NULL;
	struct spg_outcome_facts facts = {.product = product, .previous = previous};
	struct spg_notes shown = SPG_NOTES_NULL;
	struct spg_standing standing = SPG_STANDING_NULL;
	struct spg_install_held user = {0};
	char *text, path[64];

	if (rows[_i].aside) {
		snprintf(path, sizeof(path), HELP_DIR "/%s", rows[_i].aside);
		ck_assert_int_eq(spg_standing_add_aside(&standing,
					 &(struct spg_stepped_aside){.path = path,
						 .old_path = path,
						 .missing = true}),
			0);
		facts.standing = &standing;
	}
	if (rows[_i].users) {
		snprintf(path, sizeof(path), HELP_DIR "/%.*s",
			(int)strcspn(rows[_i].users, ":"), rows[_i].users);
		user.path = path;
		user.process = help_process(strchr(rows[_i].users, ':') + 1);
		user.how = SPG_USE_MAPPED;
		facts.users = &user;
		facts.n_users = 1;
	}
	if (rows[_i].shown) {
		help_note(&shown, SPG_REASON_KEPT, rows[_i].shown);
		facts.shown = &shown;
	}
	if (rows[_i].expected) {
		expected = make_expected(rows[_i].expected);
		facts.expected = &expected;
	}
	facts.unwatched = rows[_i].unwatched || rows[_i].at_start;
	facts.found_at_start = rows[_i].at_start;
	facts.before = rows[_i].before ? make_set(rows[_i].before) : NULL;
	facts.after = make_set(rows[_i].after);
	ck_assert_int_eq(spg_outcome_judge(install, &facts), 0);
	text = describe(install);
	ck_assert_str_eq(text, rows[_i].outcome);
	/* Who has to do something is told what. */
	ck_assert_int_eq(
		install->next.n > 0, install->outcome != SPG_INSTALL_CLEAN ||
					     strstr(text, "it may crash") != NULL);
	/* With nothing else amiss it is over when that has gone. */
	ck_assert_int_eq(install->shown.n, rows[_i].shown && !*rows[_i].held);
	free(text);
	spg_process_unref(user.process);
	spg_standing_finish(&standing);
	spg_notes_finish(&shown);
	spg_expected_finish(&expected);
	spg_module_set_unref(facts.before);
	spg_module_set_unref(facts.after);
	spg_install_unref(previous);
	spg_install_unref(install);
	spg_product_unref(product);
}
END_TEST

static const struct {
	const char *a, *b;
	int order;
} versions[] = {
	{"5.5.2448.0", "5.5.2650.24", -1},
	{"5.5.2650.24", "5.5.2448.0", 1},
	{"5.5.2448.0", "5.5.2448.0", 0},
	{"10.0.0.0", "9.9.9.9", 1},
	{"1.0", "1.0.0.1", 0},
	{"", "1.0", 0},
	{NULL, "1.0", 0},
	{"one", "two", 0},
};

START_TEST(compare_versions)
{
	ck_assert_int_eq(spg_version_compare(versions[_i].a, versions[_i].b),
		versions[_i].order);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("outcome");

	spg_add_rows(tc, judge, rows);
	spg_add_rows(tc, compare_versions, versions);
	return spg_run_suite("outcome", tc);
}
