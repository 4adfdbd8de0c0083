/* SPDX-License-Identifier: MIT */
/* Characters that differ in case alone. */
#include "common/fold.h"

#include <check.h>

#include "common/digest.h"
#include "tests/support/suite.h"

/*
 * What each of them folds to as four bytes, the lowest first; from Python's tables of
 * Unicode 14.0 and, the same, from Perl's:
 *
 *   def fold(c):
 *       if 0xd800 <= c < 0xe000: return c
 *       for t in chr(c).casefold(), chr(c).lower():
 *           if len(t) == 1: return ord(t)
 *       return c
 *   hashlib.sha256(b"".join(fold(c).to_bytes(4, "little") for c in range(0x110000)))
 */
START_TEST(all_of_unicode)
{
	struct spg_digest digest;
	char text[SPG_SHA256_TEXT_BYTES];

	spg_digest_init(&digest);
	for (uint32_t c = 0; c < 0x110000; c++) {
		uint32_t f = spg_fold(c);
		const uint8_t bytes[] = {
			f & 0xff, f >> 8 & 0xff, f >> 16 & 0xff, f >> 24};

		spg_digest_add(&digest, bytes, sizeof(bytes));
	}
	spg_digest_text(&digest, text);
	ck_assert_str_eq(text,
		"2e8d1a459a5825ef0e0f9e4ec63fcc3f1c6b54898918fdc337438e4fc40826e0");
}
END_TEST

START_TEST(folded_once)
{
	for (uint32_t c = 0; c < 0x110100; c++)
		if (spg_fold(spg_fold(c)) != spg_fold(c))
			ck_abort_msg("%x folds on", c);
	ck_assert_uint_eq(spg_fold(0x1100c4), 0x1100c4);
	ck_assert_uint_eq(spg_fold(UINT32_MAX), UINT32_MAX);
}
END_TEST

static const struct {
	uint32_t code, folded;
} folds[] = {
	{'A', 'a'}, {'z', 'z'}, {'[', '['}, {0xc4, 0xe4}, /* umlauts */
	{0xd7, 0xd7},       /* the sign of multiplication between them */
	{0x212a, 'k'},      /* the sign of Kelvin */
	{0x212b, 0xe5},     /* that of Angstrom */
	{0x17f, 's'},       /* long s */
	{0x3a3, 0x3c3},     /* sigma */
	{0x3c2, 0x3c3},     /* at the end of a word */
	{0x1e9e, 0xdf},     /* sharp s */
	{0x130, 0x130},     /* I with its dot */
	{0x131, 0x131},     /* i without */
	{0x1c5, 0x1c6},     /* one letter of two, the first a capital */
	{0x13a0, 0x13a0},   /* Cherokee folds to capitals */
	{0xab70, 0x13a0},   /* the same */
	{0x13f8, 0x13f0},   /* the same */
	{0x10400, 0x10428}, /* Deseret */
	{0x1e921, 0x1e943}, /* Adlam, the last of all */
};

START_TEST(known_fold)
{
	ck_assert_uint_eq(spg_fold(folds[_i].code), folds[_i].folded);
}
END_TEST

/* Against a plain search. */
START_TEST(between)
{
	static const struct {
		uint32_t low, high;
	} ranges[] = {{'a', 'z'}, {'A', 'Z'}, {'A', '_'}, {'Z', 'a'}, {'0', '9'},
		{'k', 'k'}, {0x212a, 0x212a}, {0xc0, 0xde}, {'~', 0x17f},
		{0x3c2, 0x3c2}, {0x100, 0x250}, {0xab70, 0xab71}, {0x10400, 0x10410},
		{'b', 'a'}, {0x110080, 0x1100ff}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (uint32_t c = 0; c < 0x11100; c++) {
			uint32_t folded = spg_fold(c), at = ranges[i].low;

			if (folded != c)
				continue;
			while (at <= ranges[i].high && spg_fold(at) != folded)
				at++;
			if (spg_fold_is_between(folded, ranges[i].low,
				    ranges[i].high) != (at <= ranges[i].high))
				ck_abort_msg("%x, range %zu", c, i);
		}
	ck_assert(spg_fold_is_between(0x1100c4, 0x110080, 0x1100ff));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fold");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, all_of_unicode);
	tcase_add_test(tc, folded_once);
	tcase_add_test(tc, between);
	spg_add_rows(tc, known_fold, folds);
	return spg_run_suite("fold", tc);
}
