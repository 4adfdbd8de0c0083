/* SPDX-License-Identifier: MIT */
/* Which installed file is the counterpart of which file of a service pack. */
#include "daemon/install/fit/placement.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/text.h"
#include "tests/support/suite.h"

#define WORDS_MAX 64

struct words {
	char *copy;
	const char *texts[WORDS_MAX];
	size_t n;
};

static void take_apart(struct words *words, const char *text)
{
	char *rest, *word;

	*words = (struct words){.copy = strdup(text)};
	rest = words->copy;
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		ck_assert_uint_lt(words->n, WORDS_MAX);
		words->texts[words->n++] = word;
	}
}

/* For each installed file what it may be, or "-"; then the pack's files that are none:
 * "?FILE" where no folder tells its place, "?FILE>HOME" where one does, with "!" where
 * no installed file has the name. */
static char *describe(
	const struct spg_placement *placement, const struct spg_placement_question *q)
{
	struct spg_buf out = SPG_BUF_NULL;

	for (size_t i = 0; i < q->n_installed; i++) {
		const struct spg_place_choice *choice = &placement->installed[i];

		spg_buf_printf(&out, "%s%s=", i ? " " : "", q->installed[i]);
		for (size_t k = 0; k < choice->n; k++)
			spg_buf_printf(&out, "%s%s", k ? "|" : "",
				q->offered[placement->candidates[choice->first + k]]);
		if (choice->n == 0)
			spg_buf_putc(&out, '-');
	}
	for (size_t i = 0; i < q->n_offered; i++) {
		const struct spg_place *place = &placement->offered[i];
		const struct spg_place_folder *folder =
			&placement->folders[place->folder];

		ck_assert_int_eq(place->installed == SPG_PLACEMENT_NONE,
			place->kind != SPG_PLACE_FOUND);
		if (place->kind == SPG_PLACE_NOWHERE)
			spg_buf_printf(&out, " ?%s", q->offered[i]);
		else if (place->kind == SPG_PLACE_ABSENT)
			spg_buf_printf(&out, " ?%s>%.*s", q->offered[i],
				(int)folder->home_n, folder->home);
		else
			continue;
		spg_buf_puts(&out, place->named ? "" : "!");
	}
	return spg_buf_take(&out);
}

static const struct {
	const char *offered, *directories, *installed; /* without "/srv" */
	const char *placed;
	bool ignore_case, flat;
} rows[] = {
	/* Each file with its counterpart, also below the pack's own folders. */
	{"x64/a x86/a", "/srv", "/srv/x64/a /srv/x86/a",
		"/srv/x64/a=x64/a /srv/x86/a=x86/a"},
	{"sp/x64/a sp/x86/a", "/srv", "/srv/x64/a /srv/x86/a",
		"/srv/x64/a=sp/x64/a /srv/x86/a=sp/x86/a"},
	{"sp4/server/bin/a", "/srv/bin", "/srv/bin/a", "/srv/bin/a=sp4/server/bin/a"},
	{"bin/a compat/a", "/srv", "/srv/bin/a /srv/compat/a",
		"/srv/bin/a=bin/a /srv/compat/a=compat/a"},
	{"de/a fr/a a", "/srv", "/srv/a /srv/de/a /srv/fr/a",
		"/srv/a=a /srv/de/a=de/a /srv/fr/a=fr/a"},
	/* The longest ending wins. */
	{"bin/x64/a lib/x64/a", "/srv", "/srv/bin/x64/a /srv/lib/x64/a",
		"/srv/bin/x64/a=bin/x64/a /srv/lib/x64/a=lib/x64/a"},
	{"server/bin/a web/bin/a", "/srv/app/bin /srv/web/bin",
		"/srv/app/bin/a /srv/web/bin/a",
		"/srv/app/bin/a=server/bin/a /srv/web/bin/a=web/bin/a"},
	/* What the pack does not touch. */
	{"bin/a", "/srv", "/srv/bin/a /srv/compat/a",
		"/srv/bin/a=bin/a /srv/compat/a=-"},
	{"x64/a", "/srv", "/srv/x64/a /srv/x86/a /srv/a",
		"/srv/x64/a=x64/a /srv/x86/a=- /srv/a=-"},
	/* One file in several folders that are called alike. */
	{"bin/a", "/srv", "/srv/one/bin/a /srv/two/bin/a",
		"/srv/one/bin/a=bin/a /srv/two/bin/a=bin/a"},
	/* A flat pack tells no folder: all are compared with it. */
	{"a b c", "/srv", "/srv/x/a /srv/y/b /srv/z/c /srv/y/c",
		"/srv/x/a=a /srv/y/b=b /srv/z/c=c /srv/y/c=c"},
	{"a b c", "/srv", "/srv/a /srv/b /srv/c /srv/compat/c",
		"/srv/a=a /srv/b=b /srv/c=c /srv/compat/c=c"},
	{"a", "/srv", "/srv/a /srv/x/a", "/srv/a=a /srv/x/a=a"},
	/* Nothing tells which, until other files do. */
	{"i386/a alpha/a", "/srv", "/srv/a", "/srv/a=i386/a|alpha/a"},
	{"i386/a alpha/a i386/b", "/srv", "/srv/a /srv/b",
		"/srv/a=i386/a /srv/b=i386/b ?alpha/a"},
	{"i386/a alpha/a i386/b alpha/c", "/srv", "/srv/a /srv/b /srv/c",
		"/srv/a=i386/a|alpha/a /srv/b=i386/b /srv/c=alpha/c"},
	{"i386/a alpha/a i386/b", "/srv", "/srv/a /srv/b /srv/x/a",
		"/srv/a=i386/a /srv/b=i386/b /srv/x/a=alpha/a"},
	{"i386/a i386/b", "/srv", "/srv/a /srv/b /srv/x/a",
		"/srv/a=i386/a /srv/b=i386/b /srv/x/a=i386/a"},
	{"p/bin/a q/bin/a p/bin/b q/bin/c", "/srv",
		"/srv/one/bin/a /srv/two/bin/a /srv/one/bin/b /srv/two/bin/c",
		"/srv/one/bin/a=p/bin/a /srv/two/bin/a=q/bin/a "
		"/srv/one/bin/b=p/bin/b /srv/two/bin/c=q/bin/c"},
	{"p/bin/a q/bin/a", "/srv", "/srv/one/bin/a /srv/two/bin/a",
		"/srv/one/bin/a=p/bin/a|q/bin/a /srv/two/bin/a=p/bin/a|q/bin/a"},
	/* The same path below a directory of the product. */
	{"a old/a", "/srv", "/srv/a /srv/x/a", "/srv/a=a /srv/x/a=old/a"},
	{"a old/a", "/srv /srv/x", "/srv/a /srv/x/a",
		"/srv/a=a|old/a /srv/x/a=a|old/a"},
	/* It goes where its folder is, and is not there. */
	{"bin/a bin/b", "/srv", "/srv/compat/a /srv/bin/b",
		"/srv/compat/a=- /srv/bin/b=bin/b ?bin/a>/srv/bin"},
	{"x64/a x86/a x64/b", "/srv", "/srv/x86/a /srv/x64/b",
		"/srv/x86/a=x86/a /srv/x64/b=x64/b ?x64/a>/srv/x64"},
	{"x64/a x86/a", "/srv", "/srv/x86/a", "/srv/x86/a=x86/a ?x64/a"},
	{"a b c", "/srv", "/srv/a /srv/b", "/srv/a=a /srv/b=b ?c>/srv!"},
	{"a setup.exe", "/srv", "", " ?a! ?setup.exe!"},
	/* The pack's own folder is the product's when one below it is. */
	{"a b d x/c", "/srv", "/srv/b /srv/d /srv/x/c /srv/compat/a",
		"/srv/b=b /srv/d=d /srv/x/c=x/c /srv/compat/a=- ?a>/srv"},
	{"a b x/c", "/srv", "/srv/b /srv/x/c /srv/compat/a",
		"/srv/b=b /srv/x/c=x/c /srv/compat/a=a"},
	{"sp/a sp/b sp/x/c", "/srv", "/srv/a /srv/b /srv/x/c /srv/compat/a",
		"/srv/a=sp/a /srv/b=sp/b /srv/x/c=sp/x/c /srv/compat/a=-"},
	/* A folder of a known name in which none of the pack's files is. */
	{"en/a en/b", "/srv", "/srv/a /srv/b /srv/en/r",
		"/srv/a=en/a /srv/b=en/b /srv/en/r=-"},
	/* Most of it is elsewhere. */
	{"bin/a bin/b bin/c bin/d", "/srv",
		"/srv/bin/a /srv/lib/b /srv/lib/c /srv/lib/d",
		"/srv/bin/a=bin/a /srv/lib/b=bin/b /srv/lib/c=bin/c /srv/lib/d=bin/d"},
	/* A folder's name that comes twice by chance: most of the others tell. */
	{"a b c bin/b bin/c", "/srv/bin",
		"/srv/bin/a /srv/bin/b /srv/bin/c /srv/bin/bin/b /srv/bin/bin/c",
		"/srv/bin/a=a /srv/bin/b=b /srv/bin/c=c "
		"/srv/bin/bin/b=bin/b /srv/bin/bin/c=bin/c"},
	/* Names of folders outweigh files that happen to be there. */
	{"x64/a x64/b x64/c x86/a x86/b", "/srv", "/srv/x86/a /srv/x86/b /srv/x86/c",
		"/srv/x86/a=x86/a /srv/x86/b=x86/b /srv/x86/c=x64/c ?x64/a ?x64/b"},
	/* Most of a folder in one place, and one of its files in a second too. */
	{"bin/a bin/b", "/srv", "/srv/one/bin/a /srv/one/bin/b /srv/two/bin/a",
		"/srv/one/bin/a=bin/a /srv/one/bin/b=bin/b /srv/two/bin/a=bin/a"},
	/* ... but not where the pack is a copy of one, or a longer name tells. */
	{"bin/a bin/b lib/c", "/srv",
		"/srv/one/bin/a /srv/one/bin/b /srv/one/lib/c /srv/two/bin/a",
		"/srv/one/bin/a=bin/a /srv/one/bin/b=bin/b /srv/one/lib/c=lib/c "
		"/srv/two/bin/a=-"},
	{"one/bin/a", "/srv", "/srv/one/bin/a /srv/two/bin/a",
		"/srv/one/bin/a=one/bin/a /srv/two/bin/a=-"},
	{"one/bin/a one/bin/b", "/srv", "/srv/one/bin/a /srv/one/bin/b /srv/two/bin/a",
		"/srv/one/bin/a=one/bin/a /srv/one/bin/b=one/bin/b /srv/two/bin/a=-"},
	/* Case. */
	{"X64/A.dll x86/a.DLL", "/srv", "/srv/x64/a.dll /srv/X86/a.dll",
		"/srv/x64/a.dll=X64/A.dll /srv/X86/a.dll=x86/a.DLL", true},
	{"X64/a x86/a", "/srv", "/srv/x64/a /srv/x86/a",
		"/srv/x64/a=X64/a /srv/x86/a=x86/a"},
	{"A a", "/srv", "/srv/a /srv/A", "/srv/a=a /srv/A=A"},
	/* Names that only end alike are others. */
	{"64/a x/ba", "/srv", "/srv/x64/a /srv/y/a",
		"/srv/x64/a=64/a /srv/y/a=64/a ?x/ba!"},
	/* A package says where each of its files goes: nowhere else, also where a copy of
	 * its folders has more of them. */
	{"/usr/pg/15/lib/a /usr/pg/15/lib/b /usr/pg/15/bin/c /usr/pg/15/bin/d",
		"/usr/pg/15 /usr/pg/14",
		"/usr/pg/15/lib/a /usr/pg/15/bin/c /usr/pg/14/lib/a /usr/pg/14/lib/b "
		"/usr/pg/14/bin/c /usr/pg/14/bin/d",
		"/usr/pg/15/lib/a=/usr/pg/15/lib/a /usr/pg/15/bin/c=/usr/pg/15/bin/c "
		"/usr/pg/14/lib/a=- /usr/pg/14/lib/b=- /usr/pg/14/bin/c=- "
		"/usr/pg/14/bin/d=- ?/usr/pg/15/lib/b>/usr/pg/15/lib "
		"?/usr/pg/15/bin/d>/usr/pg/15/bin"},
	{"/usr/sbin/nginx /etc/init.d/nginx /usr/share/doc/nginx", "/usr/sbin",
		"/usr/sbin/nginx",
		"/usr/sbin/nginx=/usr/sbin/nginx ?/etc/init.d/nginx "
		"?/usr/share/doc/nginx"},
	{"/usr/bin/a /usr/bin/b", "/usr/bin /opt/x", "/usr/bin/a /opt/x/b",
		"/usr/bin/a=/usr/bin/a /opt/x/b=- ?/usr/bin/b>/usr/bin"},
	{"/srv/15/bin/a", "/srv", "/srv/14/bin/a", "/srv/14/bin/a=- ?/srv/15/bin/a>"},
	{"/srv/a", "/srv", "/srv/x/a", "/srv/x/a=- ?/srv/a>"},
	/* Below a directory the product does not look. */
	{"/srv/x/a /srv/b /srv/c", "/srv", "/srv/b",
		"/srv/b=/srv/b ?/srv/x/a! ?/srv/c>/srv!", false, true},
	/* ... unless it is in no directory of the product: a link may lead there. */
	{"/lib/x/a", "/usr/lib/x", "/usr/lib/x/a", "/usr/lib/x/a=/lib/x/a"},
	{"/usr/lib/app/a /usr/share/app/b", "/usr/lib/app /srv/app",
		"/usr/lib/app/a /srv/app/b",
		"/usr/lib/app/a=/usr/lib/app/a /srv/app/b=/usr/share/app/b"},
	{"/opt/app/a", "/srv/x", "/srv/x/a", "/srv/x/a=/opt/app/a"},
	/* Two packages with one file: any of them. */
	{"/usr/lib/a /usr/lib/a", "/usr/lib", "/usr/lib/a",
		"/usr/lib/a=/usr/lib/a|/usr/lib/a"},
	{"/a /usr/b", "/", "/a /usr/b", "/a=/a /usr/b=/usr/b"},
	{"/USR/A", "/usr", "/usr/a", "/usr/a=/USR/A", true},
	{"/USR/\xc3\x84", "/usr", "/usr/\xc3\xa4", "/usr/\xc3\xa4=/USR/\xc3\x84", true},
	{"/\xc3\x84/x", "/\xc3\xa4", "/\xc3\xa4/x", "/\xc3\xa4/x=/\xc3\x84/x", true},
	{"x\xc3\x84/a x86/a", "/srv", "/srv/x\xc3\xa4/a /srv/x86/a",
		"/srv/x\xc3\xa4/a=x\xc3\x84/a /srv/x86/a=x86/a", true},
	{"x\xc3\x84/a x86/a", "/srv", "/srv/x\xc3\xa4/a",
		"/srv/x\xc3\xa4/a=x\xc3\x84/a|x86/a"},
	/* Capitals of another length. */
	{"\xe2\x84\xaa/\xe1\xba\x9e x/\xe1\xba\x9e", "/srv",
		"/srv/k/\xc3\x9f /srv/X/\xc3\x9f",
		"/srv/k/\xc3\x9f=\xe2\x84\xaa/\xe1\xba\x9e "
		"/srv/X/\xc3\x9f=x/\xe1\xba\x9e",
		true},
	/* The last byte is the same, the character is not. */
	{"\xc3\xa4", "/srv", "/srv/\xc4\xa4", "/srv/\xc4\xa4=- ?\xc3\xa4!", true},
	/* Odd ones. */
	{"a a x/a x/a", "/srv", "/srv/a /srv/x/a", "/srv/a=a|a /srv/x/a=x/a|x/a"},
	{"", "/srv", "/srv/a", "/srv/a=-"},
	{"srv/a", "/", "/a /srv/a", "/a=- /srv/a=srv/a"},
};

START_TEST(places)
{
	struct words offered, directories, installed;
	struct spg_placement placement = SPG_PLACEMENT_NULL;
	struct spg_placement_question question = {
		.ignore_case = rows[_i].ignore_case, .flat = rows[_i].flat};
	char *text;

	take_apart(&offered, rows[_i].offered);
	take_apart(&directories, rows[_i].directories);
	take_apart(&installed, rows[_i].installed);
	question.offered = offered.texts;
	question.n_offered = offered.n;
	question.installed = installed.texts;
	question.n_installed = installed.n;
	question.directories = directories.texts;
	question.n_directories = directories.n;
	ck_assert_int_eq(spg_placement_make(&placement, &question), 0);
	text = describe(&placement, &question);
	ck_assert_str_eq(text, rows[_i].placed);
	free(text);
	spg_placement_finish(&placement);
	spg_placement_finish(&placement);
	free(offered.copy);
	free(directories.copy);
	free(installed.copy);
}
END_TEST

/* What is told of the folders of the pack. */
START_TEST(folders)
{
	static const char *const offered[] = {
		"x64/a", "x64/b", "x64/c", "setup/a", "setup/setup.exe"};
	static const char *const installed[] = {
		"/srv/x64/a", "/srv/x64/b", "/srv/x64/d"};
	static const char *const directories[] = {"/srv"};
	const struct spg_placement_question question = {
		offered, 5, installed, 3, directories, 1, false};
	struct spg_placement placement = SPG_PLACEMENT_NULL;
	const struct spg_place_folder *folder;

	ck_assert_int_eq(spg_placement_make(&placement, &question), 0);
	ck_assert_uint_eq(placement.n_folders, 2);
	folder = &placement.folders[placement.offered[2].folder];
	ck_assert_uint_eq(folder->n, 3);
	ck_assert_uint_eq(folder->n_present, 2);
	ck_assert(folder->sure);
	ck_assert(strncmp(folder->path, "x64", folder->path_n) == 0);
	ck_assert(strncmp(folder->home, "/srv/x64", folder->home_n) == 0);
	ck_assert_int_eq(placement.offered[2].kind, SPG_PLACE_ABSENT);
	folder = &placement.folders[placement.offered[4].folder];
	ck_assert_ptr_null(folder->home);
	ck_assert_uint_eq(folder->n_present, 0);
	spg_placement_finish(&placement);
}
END_TEST

/* --- packs that are installed as they are, at random ------------------------------ */

#define RANDOM_SETS  3000
#define RANDOM_FILES 40

struct random_set {
	char offered[RANDOM_FILES][64], installed[RANDOM_FILES][64];
	const char *offered_texts[RANDOM_FILES], *installed_texts[RANDOM_FILES];
	size_t n_offered, own[RANDOM_FILES], n_installed;
	char directory[32];
};

static unsigned pick(uint64_t *state, unsigned n)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(*state >> 33) % n;
}

/* Append up to two folders, from few names so that they come again elsewhere. */
static void put_folders(uint64_t *state, char *path, bool slash_first)
{
	for (unsigned n = pick(state, 3); n > 0; n--) {
		char *end = path + strlen(path);

		*end++ = slash_first ? '/' : (char)('a' + pick(state, 5));
		*end++ = slash_first ? (char)('a' + pick(state, 5)) : '/';
		*end = '\0';
	}
}

static bool is_double(const struct random_set *set, const char *path)
{
	for (size_t i = 0; i < set->n_offered; i++)
		if (strcmp(set->offered[i], path) == 0)
			return true;
	return false;
}

/* Files of a folder of the pack, and where they are installed; some are not. */
static void put_files(struct random_set *set, uint64_t *state, const char *top,
	const char *folder, bool gaps)
{
	for (unsigned k = 0; k < 6; k++) {
		size_t n = set->n_offered, m = set->n_installed;

		if (n == RANDOM_FILES || pick(state, 3) == 0)
			continue;
		snprintf(set->offered[n], 64, "%s%sN%u", top, folder, k);
		if (is_double(set, set->offered[n]))
			continue;
		set->offered_texts[n] = set->offered[n];
		set->n_offered++;
		if (gaps && pick(state, 6) == 0)
			continue;
		snprintf(set->installed[m], 64, "%s/%sN%u", set->directory, folder, k);
		set->installed_texts[m] = set->installed[m];
		set->own[m] = n;
		set->n_installed++;
	}
}

static void make_random(struct random_set *set, uint64_t *state)
{
	char top[8] = "", folder[8];
	bool gaps = pick(state, 3) == 0;

	set->n_offered = set->n_installed = 0;
	snprintf(set->directory, sizeof(set->directory), "/srv");
	put_folders(state, set->directory, true);
	put_folders(state, top, false);
	for (unsigned n = 1 + pick(state, 4); n > 0; n--) {
		folder[0] = '\0';
		put_folders(state, folder, false);
		put_files(set, state, top, folder, gaps);
	}
}

static bool has_candidate(
	const struct spg_placement *placement, size_t installed, size_t offered)
{
	const struct spg_place_choice *choice = &placement->installed[installed];

	for (size_t i = 0; i < choice->n; i++)
		if (placement->candidates[choice->first + i] == offered)
			return true;
	return false;
}

/* No false alarm: whatever the folders are called, below whatever a pack has above and
 * a product too, each installed file may be its own; and it hardly may be another. */
START_TEST(healthy)
{
	static struct random_set set;
	unsigned n = 0, n_wrong = 0, n_several = 0;
	uint64_t state = 1;

	for (unsigned i = 0; i < RANDOM_SETS; i++) {
		const char *directory = set.directory;
		struct spg_placement placement = SPG_PLACEMENT_NULL;
		struct spg_placement_question question = {
			.directories = &directory, .n_directories = 1};

		make_random(&set, &state);
		question.offered = set.offered_texts;
		question.n_offered = set.n_offered;
		question.installed = set.installed_texts;
		question.n_installed = set.n_installed;
		ck_assert_int_eq(spg_placement_make(&placement, &question), 0);
		for (size_t k = 0; k < set.n_installed; k++) {
			n_wrong += !has_candidate(&placement, k, set.own[k]);
			n_several += placement.installed[k].n > 1;
		}
		n += (unsigned)set.n_installed;
		spg_placement_finish(&placement);
	}
	ck_assert_uint_gt(n, 10000);
	ck_assert_msg(n_wrong < n / 10000, "%u of %u are not their own", n_wrong, n);
	ck_assert_msg(n_several < n / 1000, "%u of %u may be several", n_several, n);
}
END_TEST

static char **make_paths(const char *above, size_t n, size_t n_names)
{
	char **paths = calloc(n, sizeof(*paths));

	for (size_t i = 0; i < n; i++) {
		struct spg_buf path = SPG_BUF_NULL;

		spg_buf_printf(&path, "%s%zu/f%zu", above, i / n_names, i % n_names);
		paths[i] = spg_buf_take(&path);
	}
	return paths;
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

/* Many files of one name, and of many: a logarithm each, else this takes minutes. */
START_TEST(many)
{
	static const char *const directories[] = {"/srv"};
	static const size_t n_names[] = {1, 300, 100000};
	size_t n = 100000;
	char **offered = make_paths("sp/l", n, n_names[_i]);
	char **installed = make_paths("/srv/l", n, n_names[_i]);
	char **others = make_paths("/srv/o", n, n_names[_i]);
	struct spg_placement placement = SPG_PLACEMENT_NULL;
	struct spg_placement_question question = {
		.offered = (const char *const *)offered,
		.n_offered = n,
		.installed = (const char *const *)installed,
		.n_installed = n,
		.directories = directories,
		.n_directories = 1};

	ck_assert_int_eq(spg_placement_make(&placement, &question), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(placement.offered[i].installed, i);
	spg_placement_finish(&placement);
	question.installed = (const char *const *)others;
	ck_assert_int_eq(spg_placement_make(&placement, &question), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_gt(placement.installed[i].n, 0);
	spg_placement_finish(&placement);
	free_paths(offered, n);
	free_paths(installed, n);
	free_paths(others, n);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("placement");

	tcase_set_timeout(tc, 60);
	spg_add_rows(tc, places, rows);
	tcase_add_test(tc, folders);
	tcase_add_test(tc, healthy);
	tcase_add_loop_test(tc, many, 0, 3);
	return spg_run_suite("placement", tc);
}
