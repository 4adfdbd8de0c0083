/* SPDX-License-Identifier: MIT */
/* Archives that a fuzzer made, and links that would take for ever. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/archive_files.h"
#include "common/err.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_ARCHIVE, 18);
}
END_TEST

static void add_link(struct spg_archive_files *files, size_t number, const char *target)
{
	struct spg_archive_file file = {.kind = SPG_ARCHIVE_SYMBOLIC};
	char path[32];

	snprintf(path, sizeof(path), "l%zu", number);
	file.file.path = strdup(path);
	file.target = strdup(target);
	ck_assert_ptr_nonnull(file.file.path);
	ck_assert_ptr_nonnull(file.target);
	ck_assert_int_eq(spg_archive_files_add(files, &file), 0);
}

/* Each of many links leads through forty others with long paths. */
START_TEST(links_without_end)
{
	struct spg_archive_files files = SPG_ARCHIVE_FILES_NULL;
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL, target = SPG_BUF_NULL;

	for (size_t i = 0; i < 20000; i++) {
		spg_buf_clear(&target);
		for (size_t k = 0; k < 900; k++)
			spg_buf_puts(&target, "./");
		spg_buf_printf(&target, "l%zu", i + 1);
		add_link(&files, i, spg_buf_text(&target));
	}
	ck_assert_int_eq(spg_archive_files_move(&files, &payload, "a.tar", &error),
		SPG_ERR_LIMIT);
	ck_assert_uint_eq(payload.n_files, 0);
	ck_assert_uint_gt(error.len, 0);
	spg_payload_finish(&payload);
	spg_archive_files_finish(&files);
	spg_archive_files_finish(&files);
	spg_buf_finish(&target);
	spg_buf_finish(&error);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("archive");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, corpus);
	tcase_add_test(tc, links_without_end);
	return spg_run_suite("archive", tc);
}
