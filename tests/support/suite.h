/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What every Check binary of ours does the same way. One test case a binary:
 * the binary is the module.
 */
#include <check.h>
#include <stdlib.h>

/* Run @test once for each row of the array @rows; the row's index is _i. */
#define spg_add_rows(tc, test, rows)                                                   \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

/* Run and report; for the end of main(). The output format comes from
 * CK_TAP_LOG_FILE_NAME, which meson sets. */
static inline int spg_run_suite(const char *name, TCase *tc)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
