/* SPDX-License-Identifier: MIT */
/* Tables, paragraphs and elided names in a terminal's columns. */
#include "common/table.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "tests/support/suite.h"

#define E_ACUTE "e\xcc\x81"    /* e and a combining accent */
#define CJK     "\xe6\xbc\xa2" /* two columns */
#define SHARP_S "\xc3\x9f"

static void use_utf8(void)
{
#ifndef _WIN32 /* which has no such locale, and needs none */
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
#endif
}

static const struct {
	const char *text;
	unsigned width;
} widths[] = {
	{"", 0},
	{"Mdbperf.dll", 11},
	{SHARP_S, 1},
	{CJK CJK, 4},
	{E_ACUTE, 1},
	{"\\x1b", 4},
};

START_TEST(display_width)
{
	use_utf8();
	ck_assert_uint_eq(spg_display_width(widths[_i].text), widths[_i].width);
}
END_TEST

static const struct {
	const char *text;
	unsigned width;
	enum spg_table_elide how;
	bool unicode;
	const char *out;
} elisions[] = {
	{"short", 5, SPG_TABLE_END, true, "short"},
	{"longer", 5, SPG_TABLE_KEEP, true, "longer"},
	{"longer", 5, SPG_TABLE_END, true, "long…"},
	{"longer", 5, SPG_TABLE_END, false, "lo..."},
	{"longer", 3, SPG_TABLE_END, false, "lon"},
	{"longer", 1, SPG_TABLE_END, true, "l"},
	{"longer", 0, SPG_TABLE_END, true, ""},
	{"abcdefghij", 5, SPG_TABLE_MIDDLE, true, "ab…ij"},
	{"/srv/exchsrvr/bin/Mdbperf.dll", 29, SPG_TABLE_MIDDLE, true,
		"/srv/exchsrvr/bin/Mdbperf.dll"},
	{"/srv/exchsrvr/bin/Mdbperf.dll", 20, SPG_TABLE_MIDDLE, true,
		"/srv/ex…/Mdbperf.dll"},
	{"/srv/exchsrvr/bin/Mdbperf.dll", 13, SPG_TABLE_MIDDLE, true, "…/Mdbperf.dll"},
	{"/srv/exchsrvr/bin/Mdbperf.dll", 12, SPG_TABLE_MIDDLE, true, "/srv/…rf.dll"},
	{"/srv/exchsrvr/bin/Mdbperf.dll", 20, SPG_TABLE_MIDDLE, false,
		"/srv/.../Mdbperf.dll"},
	{CJK CJK CJK, 4, SPG_TABLE_END, true, CJK "…"}, /* three columns, not five */
	{CJK CJK CJK CJK, 5, SPG_TABLE_MIDDLE, true, CJK "…" CJK},
	{E_ACUTE E_ACUTE E_ACUTE, 2, SPG_TABLE_END, true, E_ACUTE "…"},
	{"\x1b[31m", 20, SPG_TABLE_END, true, "\\x1b[31m"},
};

START_TEST(elide)
{
	struct spg_buf buf = SPG_BUF_NULL;
	unsigned used;

	use_utf8();
	used = spg_display_elide(&buf, elisions[_i].text, elisions[_i].width,
		elisions[_i].how, elisions[_i].unicode);
	ck_assert_str_eq(spg_buf_text(&buf), elisions[_i].out);
	ck_assert_uint_eq(used, spg_display_width(spg_buf_text(&buf)));
	spg_buf_finish(&buf);
}
END_TEST

static const struct {
	const char *text, *first;
	unsigned indent, width;
	const char *out;
} paragraphs[] = {
	{"", NULL, 0, 10, "\n"},
	{"one two three", NULL, 0, 7, "one two\nthree\n"},
	{"one two three", NULL, 0, 8, "one two\nthree\n"},
	{"one two", "  -", 4, 8, "  - one\n    two\n"},
	{"one  two ", NULL, 2, 80, "  one two\n"},
	{"/a/very/long/path is", NULL, 2, 8, "  /a/very/long/path\n  is\n"},
	{CJK " " CJK " " CJK, NULL, 0, 5, CJK " " CJK "\n" CJK "\n"},
	{"a\nb", NULL, 0, 80, "a\\x0ab\n"},
};

START_TEST(wrap)
{
	struct spg_buf buf = SPG_BUF_NULL;

	use_utf8();
	spg_display_wrap(&buf, paragraphs[_i].text, paragraphs[_i].first,
		paragraphs[_i].indent, paragraphs[_i].width);
	ck_assert_str_eq(spg_buf_text(&buf), paragraphs[_i].out);
	spg_buf_finish(&buf);
}
END_TEST

static const struct spg_table_column columns[] = {
	{"FILE", false, SPG_TABLE_MIDDLE, 13},
	{"N", true, SPG_TABLE_KEEP, 0},
	{"WHO", false, SPG_TABLE_END, 4},
};

static void fill(struct spg_table *table)
{
	spg_table_init(table, columns, 3);
	spg_table_add(table, "1", "/srv/exchsrvr/bin/Mdbperf.dll");
	spg_table_add(table, NULL, "1");
	spg_table_add(table, "31", "perfmon");
	spg_table_add_span(table, "2", "a line over all");
	spg_table_add(table, NULL, "x");
	spg_table_add(table, NULL, "123");
	spg_table_add(table, NULL, NULL);
}

static const struct {
	struct spg_table_view view;
	const char *out;
} views[] = {
	{{0, 0, false, true}, "FILE                             N  WHO\n"
			      "/srv/exchsrvr/bin/Mdbperf.dll    1  perfmon\n"
			      "a line over all\n"
			      "x                              123\n"},
	{{38, 2, false, true}, "  FILE                      N  WHO\n"
			       "  /srv/exch…/Mdbperf.dll    1  perfmon\n"
			       "  a line over all\n"
			       "  x                       123\n"},
	{{24, 0, false, true}, "FILE             N  WHO\n"
			       "…/Mdbperf.dll    1  per…\n"
			       "a line over all\n"
			       "x              123\n"},
	/* Least widths: the line is longer than asked for; the span wraps. */
	{{10, 0, false, false}, "FILE             N  WHO\n"
				"/srv/...f.dll    1  p...\n"
				"a line\nover all\n"
				"x              123\n"},
	{{0, 0, true, true},
		"\033[2mFILE\033[0m                             \033[2mN\033[0m  "
		"\033[2mWHO\033[0m\n"
		"\033[1m/srv/exchsrvr/bin/Mdbperf.dll\033[0m    1  "
		"\033[31mperfmon\033[0m\n"
		"\033[2ma line over all\033[0m\n"
		"x                              123\n"},
};

START_TEST(render)
{
	struct spg_table table;
	struct spg_buf buf = SPG_BUF_NULL;

	use_utf8();
	fill(&table);
	ck_assert_uint_eq(spg_table_n_rows(&table), 3);
	spg_table_render(&table, &views[_i].view, &buf);
	ck_assert(!buf.failed);
	ck_assert_str_eq(spg_buf_text(&buf), views[_i].out);
	spg_buf_finish(&buf);
	spg_table_finish(&table);
	spg_table_finish(&table);
}
END_TEST

START_TEST(hostile_cells)
{
	struct spg_table_view view = {.color = false, .unicode = true};
	struct spg_table table;
	struct spg_buf buf = SPG_BUF_NULL;

	use_utf8();
	spg_table_init(&table, columns, 3);
	spg_table_add(&table, NULL, "\x1b]0;owned\x07");
	spg_table_add(&table, NULL, "\xff");
	spg_table_add_span(&table, NULL, "two\nlines"); /* fills the begun row */
	spg_table_render(&table, &view, &buf);
	ck_assert_str_eq(spg_buf_text(&buf), "FILE                 N  WHO\n"
					     "\\x1b]0;owned\\x07  \\xff\n"
					     "two\\x0alines\n");
	ck_assert_uint_eq(spg_table_n_rows(&table), 2);
	spg_buf_finish(&buf);
	spg_table_finish(&table);
}
END_TEST

START_TEST(no_titles)
{
	static const struct spg_table_column plain[] = {{"", false, SPG_TABLE_END, 0}};
	struct spg_table_view view = {.width = 80, .indent = 1};
	struct spg_table table;
	struct spg_buf buf = SPG_BUF_NULL;

	spg_table_init(&table, plain, 1);
	spg_table_render(&table, &view, &buf);
	ck_assert_str_eq(spg_buf_text(&buf), "");
	spg_table_add(&table, NULL, "x");
	spg_table_render(&table, &view, &buf);
	ck_assert_str_eq(spg_buf_text(&buf), " x\n");
	spg_buf_finish(&buf);
	spg_table_finish(&table);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("table");

	spg_add_rows(tc, display_width, widths);
	spg_add_rows(tc, elide, elisions);
	spg_add_rows(tc, wrap, paragraphs);
	spg_add_rows(tc, render, views);
	tcase_add_test(tc, hostile_cells);
	tcase_add_test(tc, no_titles);
	return spg_run_suite("table", tc);
}
