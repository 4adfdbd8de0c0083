/* SPDX-License-Identifier: MIT */
/* SHA-256 and SHA-1: the examples of FIPS 180-4, and files. */
#include "common/digest.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "tests/support/suite.h"

static const struct {
	const char *text;
	size_t times;
	const char *digest;
} rows[] = {
	{"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"aaaaaaaaaa", 100000,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

START_TEST(sha1)
{
	static const uint8_t abc[SPG_SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06,
		0x81, 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0,
		0xd8, 0x9d};
	uint8_t bytes[SPG_SHA1_BYTES];

	spg_sha1("abc", 3, bytes);
	ck_assert_mem_eq(bytes, abc, sizeof(bytes));
}
END_TEST

START_TEST(examples)
{
	struct spg_digest digest;
	char text[SPG_SHA256_TEXT_BYTES];

	spg_digest_init(&digest);
	for (int twice = 0; twice < 2; twice++) {
		for (size_t i = 0; i < rows[_i].times; i++)
			spg_digest_add(&digest, rows[_i].text, strlen(rows[_i].text));
		spg_digest_text(&digest, text);
		ck_assert_str_eq(text, rows[_i].digest);
	}
}
END_TEST

START_TEST(file)
{
	char text[SPG_SHA256_TEXT_BYTES];
	FILE *out = tmpfile();
	struct spg_digest digest;

	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < rows[_i].times; i++)
		fputs(rows[_i].text, out);
	ck_assert_int_eq(fflush(out), 0);
	spg_digest_init(&digest);
	ck_assert_int_eq(spg_digest_fd(&digest, fileno(out), NULL, NULL), 0);
	ck_assert_uint_eq(digest.n_bytes, rows[_i].times * strlen(rows[_i].text));
	spg_digest_text(&digest, text);
	ck_assert_str_eq(text, rows[_i].digest);
	fclose(out);
}
END_TEST

static bool stop_at(void *user, uint64_t n_read)
{
	return n_read < *(uint64_t *)user;
}

/* As sha256sum(1) says of 3 MiB of zeros. */
#define ZEROS "bbd05cf6097ac9b1f89ea29d2542c1b7b67ee46848393895f5a9e43fa1f621e5"

/* Ended, it goes on where it was, with another descriptor. */
START_TEST(ended)
{
	char text[SPG_SHA256_TEXT_BYTES];
	uint64_t limit = 1 << 20;
	FILE *out = tmpfile();
	struct spg_digest digest;
	int again;

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(ftruncate(fileno(out), 3 << 20), 0);
	spg_digest_init(&digest);
	ck_assert_int_eq(
		spg_digest_fd(&digest, fileno(out), stop_at, &limit), SPG_ERR_TIMEOUT);
	ck_assert_uint_eq(digest.n_bytes, 1 << 20);
	limit = 4 << 20;
	again = dup(fileno(out));
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(spg_digest_fd(&digest, again, stop_at, &limit), 0);
	ck_assert_uint_eq(digest.n_bytes, 3 << 20);
	spg_digest_text(&digest, text);
	ck_assert_str_eq(text, ZEROS);
	ck_assert_uint_eq(digest.n_bytes, 0);
	close(again);
	fclose(out);
	errno = 0;
	ck_assert_int_eq(spg_digest_fd(&digest, -1, NULL, NULL), SPG_ERR_IO);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* A filesystem may give less than it is asked for: then no place is a whole MiB. */
START_TEST(asked_at_odd_places)
{
	uint64_t limit = 1 << 20;
	FILE *out = tmpfile();
	struct spg_digest digest;

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(ftruncate(fileno(out), 3 << 20), 0);
	spg_digest_init(&digest);
	spg_digest_add(&digest, "", 1);
	ck_assert_int_eq(
		spg_digest_fd(&digest, fileno(out), stop_at, &limit), SPG_ERR_TIMEOUT);
	ck_assert_uint_eq(digest.n_bytes, (1 << 20) + 1);
	fclose(out);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("digest");

	tcase_add_test(tc, sha1);
	spg_add_rows(tc, examples, rows);
	spg_add_rows(tc, file, rows);
	tcase_add_test(tc, ended);
	tcase_add_test(tc, asked_at_odd_places);
	return spg_run_suite("digest", tc);
}
