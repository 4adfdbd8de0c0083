/* SPDX-License-Identifier: MIT */
/* The lines of an INI file, one after the other, and the corpus of its fuzzer. */
#include "common/ini.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

#define K8  "kkkkkkkk"
#define K64 K8 K8 K8 K8 K8 K8 K8 K8

static const char *const kinds[] = {
	[SPG_INI_NO_FORM] = "no form",
	[SPG_INI_NUL] = "nul",
	[SPG_INI_LONG_LINE] = "long line",
	[SPG_INI_LONG_SECTION] = "long section",
	[SPG_INI_LONG_KEY] = "long key",
};

/* Each item as a line: "2 [section]", "3 key=value", "4 key+=value", "5 no form". */
#define TEXT(text) text, sizeof(text) - 1
static const struct {
	const char *text;
	size_t n;
	const char *expect;
} rows[] = {
	{TEXT(""), ""},
	{TEXT("\n\r\n \t\n"), ""},
	{TEXT("[a]"), "1 [a]\n"},
	{TEXT("[a]\nk = v"), "1 [a]\n2 k=v\n"},
	{TEXT("[a]\r\nk=v\r\n"), "1 [a]\n2 k=v\n"},
	{TEXT("\xef\xbb\xbf[a]\nk:v\n"), "1 [a]\n2 k=v\n"},
	{TEXT("[a]\n\xef\xbb\xbf[b]\n"), "1 [a]\n2 no form\n"},
	{TEXT("k = v\n[a]\n"), "1 k=v\n2 [a]\n"},
	{TEXT("\tk\t=\tv\t\n"), "1 k=v\n"},
	{TEXT("[a b]   ; why\n[ c ] # why\n"), "1 [a b]\n2 [ c ]\n"},
	{TEXT("[]\n"), "1 []\n"},
	{TEXT("[a [0-9]*[a-z].x]\n[b ] ] ; ]\n"), "1 [a [0-9]*[a-z].x]\n2 [b ] ]\n"},
	/* Comments. */
	{TEXT("# a = b\n; a = b\n\t# a = b\nk = v ; rest\nl = v;w # x\n"),
		"4 k=v\n5 l=v;w # x\n"},
	{TEXT("k = ; rest\nl =; kept\n"), "1 k=\n2 l=; kept\n"},
	{TEXT("k ; no = v\n"), "1 no form\n"},
	/* The first sign of both divides. */
	{TEXT("k = a=b:c\nl : C:\\x = y\n = v\n"),
		"1 k=a=b:c\n2 l=C:\\x = y\n3 l+== v\n"},
	{TEXT("= v\n"), "1 =v\n"},
	/* Values that go on, behind comments and empty lines as well. */
	{TEXT("k = v\n  w ; x\n\n# c\n\t[x]\n  y = z\n"),
		"1 k=v\n2 k+=w\n5 k+=[x]\n6 k+=y = z\n"},
	{TEXT("[a]\nk = v\n[b]\n  w\n"), "1 [a]\n2 k=v\n3 [b]\n4 no form\n"},
	{TEXT("[a]\n  k = v\n  w\n"), "1 [a]\n2 k=v\n3 k+=w\n"},
	{TEXT("\v w\n"), "1 no form\n"},
	/* What has no form; what belongs to it is passed over. */
	{TEXT("[a\nk = v\n  w\nx\n[b]\nl = v\n"), "1 no form\n5 [b]\n6 l=v\n"},
	{TEXT("[a ;]\nk = v\n"), "1 no form\n"},
	{TEXT("[a] k = v\n"), "1 no form\n"},
	{TEXT("x\n  y = z\nk = v\n"), "1 no form\n3 k=v\n"},
	/* NUL bytes, wherever they stand. */
	{TEXT("\0"), "1 nul\n"},
	{TEXT("k = v\0\n  w\nl = v\n"), "1 nul\n3 l=v\n"},
	{TEXT("k = v\n \0\n  w\n"), "1 k=v\n2 nul\n3 k+=w\n"},
	{TEXT("# c\0\n"), "1 nul\n"},
	{TEXT("[a\0]\nk = v\n"), "1 nul\n2 k=v\n"},
	/* Bounds. */
	{TEXT(K64 " = v\n" K64 "k = v\n  w\nk = v\n"),
		"1 " K64 "=v\n2 long key\n4 k=v\n"},
	{TEXT("[" K64 K64 K64 K64 "kkkkkkk]\n"), "1 [" K64 K64 K64 K64 "kkkkkkk]\n"},
	{TEXT("[" K64 K64 K64 K64 K8 "]\nk = v\n[b]\nk = v\n"),
		"1 long section\n3 [b]\n4 k=v\n"},
};

static void tell(struct spg_buf *out, const struct spg_ini_item *item)
{
	spg_buf_printf(out, "%u ", item->line);
	if (item->kind == SPG_INI_SECTION)
		spg_buf_printf(out, "[%s]\n", item->name);
	else if (item->kind == SPG_INI_VALUE)
		spg_buf_printf(out, "%s=%s\n", item->name, item->value);
	else if (item->kind == SPG_INI_CONTINUED)
		spg_buf_printf(out, "%s+=%s\n", item->name, item->value);
	else
		spg_buf_printf(out, "%s\n", kinds[item->kind]);
}

static void read_all(const char *bytes, size_t n, struct spg_buf *out)
{
	char *text = malloc(n + 1);
	struct spg_ini_item item;
	struct spg_ini ini;

	ck_assert_ptr_nonnull(text);
	memcpy(text, bytes, n);
	text[n] = '\0';
	spg_ini_begin(&ini, text, n);
	for (spg_ini_next(&ini, &item); item.kind != SPG_INI_END;
		spg_ini_next(&ini, &item))
		tell(out, &item);
	free(text);
}

START_TEST(row)
{
	struct spg_buf out = SPG_BUF_NULL;

	read_all(rows[_i].text, rows[_i].n, &out);
	ck_assert_str_eq(spg_buf_text(&out), rows[_i].expect);
	spg_buf_finish(&out);
}
END_TEST

/* A line of exactly the bound is whole; one byte more is a fault, and counted on. */
START_TEST(longest_line)
{
	for (size_t n = SPG_INI_LINE_MAX; n <= SPG_INI_LINE_MAX + 1; n++) {
		struct spg_buf text = SPG_BUF_NULL, out = SPG_BUF_NULL;
		bool fits = n == SPG_INI_LINE_MAX;

		spg_buf_puts(&text, "k=");
		while (text.len < n)
			spg_buf_putc(&text, 'x');
		spg_buf_puts(&text, "\n  y\nl = z");
		read_all(text.data, text.len, &out);
		ck_assert_uint_eq(
			out.len, fits ? strlen("1 ") + n + strlen("\n2 k+=y\n3 l=z\n")
				      : strlen("1 long line\n3 l=z\n"));
		spg_buf_finish(&text);
		spg_buf_finish(&out);
	}
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_INI, 12);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ini");

	spg_add_rows(tc, row, rows);
	tcase_add_test(tc, longest_line);
	tcase_add_test(tc, corpus);
	return spg_run_suite("ini", tc);
}
