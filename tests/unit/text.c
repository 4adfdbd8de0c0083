/* SPDX-License-Identifier: MIT */
/* Hostile text, globs and paths. */
#include "common/text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct {
	const char *in, *out;
} escapes[] = {
	{"", ""},
	{"plain.dll", "plain.dll"},
	{"M\xc3\xbcnchen", "M\xc3\xbcnchen"},
	{"a\nb", "a\\x0ab"},
	{"\x1b[31mred", "\\x1b[31mred"},
	{"\xc2\x9b"
	 "31m",
		"\\xc2\\x9b31m"}, /* C1 CSI */
	{"\xe2\x80\xae"
	 "lld.x",
		"\\xe2\\x80\\xaelld.x"},     /* right-to-left override */
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
	{"\xff\xfe", "\\xff\\xfe"},
	{"\xc0\xaf", "\\xc0\\xaf"},          /* overlong '/' */
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	{"cut\xe2\x82", "cut\\xe2\\x82"},
	{"back\\slash", "back\\slash"},
	/* Invisible: two names that look like one. */
	{"a\xe2\x80\x8b"
	 "b",
		"a\\xe2\\x80\\x8b"
		"b"},                                 /* zero width space */
	{"\xc2\xad", "\\xc2\\xad"},                   /* soft hyphen */
	{"\xef\xbb\xbfx", "\\xef\\xbb\\xbfx"},        /* byte order mark */
	{"\xef\xb8\x8f", "\\xef\\xb8\\x8f"},          /* variation selector 16 */
	{"\xe2\x81\xa0", "\\xe2\\x81\\xa0"},          /* word joiner */
	{"\xe2\x80\xa9", "\\xe2\\x80\\xa9"},          /* paragraph separator */
	{"\xe3\x85\xa4", "\\xe3\\x85\\xa4"},          /* Hangul filler */
	{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}, /* tag A */
	/* Their neighbours are seen. */
	{"\xc2\xac\xc2\xae\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf",
		"\xc2\xac\xc2\xae\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf"},
	{"\xe6\x97\xa5\xe6\x9c\xac \xd9\x81\xd8\xa7\xf0\x9f\x98\x80",
		"\xe6\x97\xa5\xe6\x9c\xac \xd9\x81\xd8\xa7\xf0\x9f\x98\x80"},
};

START_TEST(escape)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_text_escape(&buf, escapes[_i].in, false);
	ck_assert_str_eq(spg_buf_text(&buf), escapes[_i].out);
	ck_assert_int_eq(spg_text_is_clean(escapes[_i].in),
		strcmp(escapes[_i].in, escapes[_i].out) == 0);
	ck_assert(spg_text_is_clean(spg_buf_text(&buf)));
	spg_buf_finish(&buf);
}
END_TEST

/* Without memory: whole characters, as many as fit. */
START_TEST(escape_into)
{
	static const char in[] = "ab\x1b\xc3\xa4\xc2\xad!";
	static const char out[] = "ab\\x1b\xc3\xa4\\xc2\\xad!";
	char text[sizeof(out)];

	for (size_t size = 1; size <= sizeof(out); size++) {
		spg_text_escape_into(text, size, in);
		ck_assert_uint_lt(strlen(text), size);
		ck_assert_int_eq(strncmp(text, out, strlen(text)), 0);
		ck_assert(spg_text_is_clean(text));
	}
	ck_assert_str_eq(text, out);
}
END_TEST

#ifndef _WIN32 /* whose words are for cmd.exe */
static const struct {
	const char *in, *out;
} quotes[] = {
	{"perfmon.service", "perfmon.service"},
	{"dev-disk-by\\x2duuid.mount", "'dev-disk-by\\x2duuid.mount'"},
	{"", "''"},
	{"a b", "'a b'"},
	{"; rm -rf /", "'; rm -rf /'"},
	{"it's", "'it'\\''s'"},
	{"a\tb", "\"$(printf 'a\\011b')\""},
	{"$(id)\n`id`", "\"$(printf '$(id)\\012`id`')\""},
	{"it's\a100%\\", "\"$(printf 'it'\\''s\\007100%%\\\\')\""},
	{"\xff\xc3\xa4\xe2\x80\xae", "\"$(printf '\\377\xc3\xa4\\342\\200\\256')\""},
};

/* @quoted is @word to a shell. */
static void check_word(const char *quoted, const char *word)
{
	struct spg_buf command = SPG_BUF_NULL;
	char read[256];
	size_t n;
	FILE *shell;

	spg_buf_printf(&command, "printf %%s %s", quoted);
	shell = popen(spg_buf_text(&command), "r");
	ck_assert_ptr_nonnull(shell);
	n = fread(read, 1, sizeof(read) - 1, shell);
	read[n] = '\0';
	ck_assert_int_eq(pclose(shell), 0);
	ck_assert_str_eq(read, word);
	spg_buf_finish(&command);
}

START_TEST(quote)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_text_shell_quote(&buf, quotes[_i].in);
	ck_assert_str_eq(spg_buf_text(&buf), quotes[_i].out);
	ck_assert(spg_text_is_clean(spg_buf_text(&buf)));
	check_word(spg_buf_text(&buf), quotes[_i].in);
	spg_buf_finish(&buf);
}
END_TEST
#endif

static const struct {
	const char *pattern, *name;
	bool ignore_case, match;
} globs[] = {
	{"*perf.dll", "Mdbperf.dll", true, true},
	{"*perf.dll", "Mdbperf.DLL", true, true},
	{"*perf.dll", "Mdbperf.DLL", false, false},
	{"*perf.dll", "perf.dll", true, true},
	{"*perf.dll", "perf.dll.bak", true, false},
	{"*.exe", "store.exe", true, true},
	{"*.exe", ".exe", true, true},
	{"?.dll", "a.dll", false, true},
	{"?.dll", ".dll", false, false},
	{"[a-c]*", "Bob", true, true},
	{"[a-c]*", "Bob", false, false},
	{"[!a-c]*", "dog", false, true},
	{"[!a-c]*", "cat", false, false},
	{"[]x]y", "]y", false, true},
	{"[abc", "[abc", false, true}, /* a set without end is plain text */
	{"*", "", false, true},
	{"", "", false, true},
	{"", "a", false, false},
	{"*a*b*c", "xxaxxbxxc", false, true},
	{"*a*b*c", "xxaxxbxx", false, false},
	{"*", "dir/file", false, false},
	{"d*/f?le", "dir/file", false, true},
	{"*ab", "aab", false, true},
	{"[A-_]", "b", true, true}, /* B is in it */
	{"[!A-_]", "b", true, false},
	{"[Z-a]", "z", true, true},
	{"[Z-a]", "b", true, false},
	/* Characters, not bytes. */
	{"?.dll", "\xc3\x84.dll", false, true},
	{"??.dll", "\xc3\x84.dll", false, false},
	{"?.dll", "\xf0\x90\x90\x80.dll", true, true},
	{"[\xc3\x84\xc3\x96].dll", "\xc3\x96.dll", false, true},
	{"[\xc3\x84\xc3\x96].dll", "\xc3\x9c.dll", false, false},
	{"[!a]x", "\xc3\x84x", false, true},
	{"*[!a]", "\xc3\x84", false, true},
	/* Each byte that is no UTF-8 is one. */
	{"?.dll", "\xc3.dll", false, true},
	{"??.dll", "\xff\xc3.dll", true, true},
	{"?", "\xc3\x84\xc3", false, false},
	{"\xff*",
		"\xff"
		"A",
		true, true},
	{"\xe4*", "\xc4", true, false}, /* as in Latin-1, which nobody reads here */
	{"[\xf0-\xff]", "\xff", true, true},
	{"*\xc3\xa4", "\xc3\xc3\x84", true, true},
	/* What differs in case alone. */
	{"\xc3\xa4rger*.dll", "\xc3\x84RGER1.DLL", true, true},
	{"\xc3\xa4rger*.dll", "\xc3\x84rger1.dll", false, false},
	{"*\xc3\x9f", "\xe1\xba\x9e", true, true},
	{"*ss", "\xc3\x9f", true, false},
	{"k*", "\xe2\x84\xaa.dll", true, true},
	{"[a-z]*", "\xe2\x84\xaa.dll", true, true},
	{"[\xe2\x84\xaa]*", "K.dll", true, true},
	{"[\xc3\x80-\xc3\x9e]", "\xc3\xa4", true, true},
	{"[\xc3\xa0-\xc3\xbe]", "\xc3\x84", true, true},
	{"[!\xc3\xa0-\xc3\xbe]", "\xc3\x84", true, false},
	{"[\xc4\x80-\xc5\xbf]", "S", true, true}, /* the long s */
	{"\xd0\x94*", "\xd0\xb4.dll", true, true},
};

START_TEST(glob)
{
	ck_assert_int_eq(spg_name_match(globs[_i].pattern, globs[_i].name,
				 globs[_i].ignore_case),
		globs[_i].match);
}
END_TEST

/* Names in the order of spg_name_compare(), with case ignored; those of one row are one. */
static const char *const ordered[][4] = {
	{""},
	{"\x01"},
	{"[a]"},
	{"_"},
	{"a", "A"},
	{"ab", "AB", "Ab", "aB"},
	{"A\xcc\x88", "a\xcc\x88"}, /* no umlaut: a letter and a mark */
	{"k", "K", "\xe2\x84\xaa"},
	{"kx", "\xe2\x84\xaaX"},
	{"s", "S", "\xc5\xbf"},
	{"ss"},
	{"\xc3\x9f", "\xe1\xba\x9e"},
	{"\xc3\xa4", "\xc3\x84"},
	{"\xc3\xa5", "\xc3\x85", "\xe2\x84\xab"},
	{"\xc4\xb0"}, /* I with its dot */
	{"\xc4\xb1"}, /* i without */
	{"\xcf\x83", "\xce\xa3", "\xcf\x82"},
	{"\xe1\x8e\xa0", "\xea\xad\xb0"},         /* Cherokee */
	{"\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"}, /* Deseret */
	{"\x84"},
	{"\xc3"},
	{"\xc3"
	 "a",
		"\xc3"
		"A"},
	{"\xc4"},
	{"\xe2\x84"}, /* the sign of Kelvin, cut */
	{"\xff"},
};

#define N_ORDERED (sizeof(ordered) / sizeof(ordered[0]))

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void check_pair(const char *a, const char *b, int order)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s/", b);

	ck_assert_int_eq(sign(spg_name_compare(a, b, true)), order);
	ck_assert_int_eq(
		sign(spg_name_compare_parts(a, strlen(a), b, strlen(b), true)), order);
	ck_assert_int_eq(spg_name_equal(a, b, true), order == 0);
	ck_assert_int_eq(spg_name_equal(a, b, false), strcmp(a, b) == 0);
	ck_assert_int_eq(
		sign(spg_name_compare_parts(a, strlen(a), b, strlen(b), false) == 0),
		strcmp(a, b) == 0);
	if (order == 0)
		ck_assert_uint_eq(
			spg_name_begin(text, (size_t)n, a, strlen(a), true), strlen(b));
	if (!strpbrk(a, "*?["))
		ck_assert_int_eq(spg_name_match(a, b, true), order == 0);
}

START_TEST(order)
{
	for (size_t i = 0; i < 4 && ordered[_i][i]; i++)
		for (size_t k = 0; k < N_ORDERED * 4; k++) {
			int row = (int)(k / 4);

			if (ordered[row][k % 4])
				check_pair(ordered[_i][i], ordered[row][k % 4],
					sign(_i - row));
		}
}
END_TEST

static const struct {
	const char *name, *start;
	bool ignore_case;
	size_t n;
} begins[] = {
	{"/srv/bin/x", "/SRV", true, 4}, {"/srv/bin/x", "/SRV", false, SIZE_MAX},
	{"/srv", "/srv/x", true, SIZE_MAX}, {"x", "", true, 0},
	{"", "x", true, SIZE_MAX}, {"\xe2\x84\xaa/x", "k", true, 3},
	{"k/x", "\xe2\x84\xaa", true, 1},
	{"\xc3\x84", "\xc3", true, SIZE_MAX}, /* half of a character */
};

START_TEST(begin)
{
	ck_assert_uint_eq(spg_name_begin(begins[_i].name, strlen(begins[_i].name),
				  begins[_i].start, strlen(begins[_i].start),
				  begins[_i].ignore_case),
		begins[_i].n);
}
END_TEST

/* Read from its end, a text has the characters that it has from its start. */
START_TEST(last)
{
	static const char bytes[] = "a/\xc3\x84\xe2\xaa\xf0\x90\x80\xff";
	uint32_t seed = 1;

	for (int round = 0; round < 20000; round++) {
		size_t lengths[8], at = 0, n = 0;
		char text[8];

		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
		}
		for (; at < sizeof(text); at += lengths[n++]) {
			lengths[n] = spg_text_utf8_length(text + at, sizeof(text) - at);
			lengths[n] += lengths[n] == 0;
		}
		while (n-- > 0) {
			size_t len;
			uint32_t code = spg_name_last(text, at, true, &len);

			if (len != lengths[n])
				ck_abort_msg(
					"round %d, %zu: %zu bytes", round, at, len);
			at -= len;
			if (code != spg_name_last(text + at, len, true, &len))
				ck_abort_msg("round %d, %zu: another one", round, at);
		}
		ck_assert_uint_eq(at, 0);
	}
}
END_TEST

START_TEST(glob_is_not_exponential)
{
	char name[4001];

	memset(name, 'a', 4000);
	name[4000] = '\0';
	ck_assert(!spg_name_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", name, false));
}
END_TEST

static const struct {
	const char *in, *out;
} paths[] = {
	{"/", "/"},
	{"//", "/"},
	{"/srv//exchsrvr/./bin/", "/srv/exchsrvr/bin"},
	{"/./", "/"},
	{"a/./b//c/", "a/b/c"},
	{"./a", "a"},
	{"/a/../b", "/a/../b"},
	{"", "."},
};

START_TEST(normalise)
{
	char path[64];

	snprintf(path, sizeof(path), "%s", paths[_i].in);
	spg_path_normalise(path);
	ck_assert_str_eq(path, paths[_i].out);
}
END_TEST

START_TEST(below)
{
	ck_assert(spg_path_directly_in("/srv/bin/x", "/srv/bin"));
	ck_assert(spg_path_directly_in("/x", "/"));
	ck_assert(!spg_path_directly_in("/srv/bin/a/x", "/srv/bin"));
	ck_assert(!spg_path_directly_in("/srv/bin2/x", "/srv/bin"));
	ck_assert(spg_path_below("/srv/bin/x", "/srv/bin", false));
	ck_assert(!spg_path_below("/srv/bin", "/srv/bin", false));
	ck_assert(spg_path_below("/srv/bin", "/srv/bin", true));
	ck_assert(!spg_path_below("/srv/binary", "/srv/bin", true));
	ck_assert(spg_path_below("/x", "/", false));
	ck_assert(!spg_path_below("/", "/", false));
}
END_TEST

static const struct {
	const char *path;
	bool is;
} runtime_paths[] = {
	{"/run/spguard/spguard.sock", true},
	{"/var/run/spguard/s", true},
	{"/run/s", false},
	{"/run//s", false},
	{"/run/spguard/", false},
	{"/run/a/b/s", false},
	{"/tmp/spguard/s", false},
	{"/running/a/s", false},
	{"s", false},
};

START_TEST(runtime_path)
{
	ck_assert_int_eq(
		spg_path_is_runtime(runtime_paths[_i].path), runtime_paths[_i].is);
}
END_TEST

static const struct {
	const char *name;
	bool is;
} product_names[] = {
	{"shop", true},
	{"postgresql-15.2_x", true},
	{"abcdefghijklmnopqrstuvwxyz0123456789_-.-----------------------64", true},
	{"abcdefghijklmnopqrstuvwxyz0123456789_-.-------- longer than 64 --", false},
	{"abcdefghijklmnopqrstuvwxyz0123456789_-.------------------------65", false},
	{"", false},
	{"Shop", false},
	{"a b", false},
	{"a/b", false},
	{"a]", false},
	{"\xc3\xbc", false},
};

START_TEST(product_name)
{
	ck_assert_int_eq(
		spg_name_is_product(product_names[_i].name), product_names[_i].is);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("text");

	spg_add_rows(tc, escape, escapes);
	tcase_add_test(tc, escape_into);
#ifndef _WIN32
	spg_add_rows(tc, quote, quotes);
#endif
	spg_add_rows(tc, glob, globs);
	tcase_add_test(tc, glob_is_not_exponential);
	spg_add_rows(tc, order, ordered);
	spg_add_rows(tc, begin, begins);
	tcase_add_test(tc, last);
	spg_add_rows(tc, normalise, paths);
	spg_add_rows(tc, runtime_path, runtime_paths);
	spg_add_rows(tc, product_name, product_names);
	tcase_add_test(tc, below);
	return spg_run_suite("text", tc);
}
