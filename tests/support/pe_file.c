/* SPDX-License-Identifier: MIT */
/*
 * Write a Windows module, for tests that need no more than its tables:
 *
 *   pe-file PATH VERSION [+EXPORT | MODULE:SYMBOL | MODULE~SYMBOL]...
 *
 * VERSION "-": none. MODULE~SYMBOL is imported delayed. PATH ends in .exe or it is a
 * library.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/pe_make.h"

#define N_MAX 64

static const char *symbols[N_MAX][2];
static struct pe_make_module modules[N_MAX + 1];
static struct pe_make_export exports[N_MAX];

static void take_import(size_t at, char *text)
{
	char *end = text + strcspn(text, ":~");

	modules[at].delayed = *end == '~';
	if (*end)
		*end++ = '\0';
	symbols[at][0] = *end ? end : NULL;
	modules[at].name = text;
	modules[at].symbols = symbols[at];
}

static int n_args;
static char **args;
static const char *why; /* it could not be written */

/* pe_make.c asserts, which only a test may. */
START_TEST(write_it)
{
	struct pe_make make = {
		.is_pe32plus = true, .modules = modules, .exports = exports};
	struct spg_buf image = SPG_BUF_NULL;
	const char *path = args[1];
	size_t n_modules = 0;
	FILE *file;

	make.is_exe = strlen(path) > 4 && strcmp(path + strlen(path) - 4, ".exe") == 0;
	make.version = strcmp(args[2], "-") ? args[2] : NULL;
	for (int i = 3; i < n_args; i++) {
		if (args[i][0] == '+')
			exports[make.n_exports++].name = args[i] + 1;
		else
			take_import(n_modules++, args[i]);
	}
	exports[0].ordinal = 1;
	pe_make_image(&make, &image);
	file = fopen(path, "wb");
	if (!file || fwrite(image.data, 1, image.len, file) != image.len ||
		fclose(file) != 0)
		why = path;
	spg_buf_finish(&image);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("pe-file");
	TCase *tc = tcase_create("pe-file");
	SRunner *runner = srunner_create(suite);
	int failed;

	n_args = argc;
	args = argv;
	if (argc < 3 || argc > N_MAX) {
		fputs("pe-file PATH VERSION [+EXPORT | MODULE:SYMBOL]...\n", stderr);
		return 2;
	}
	tcase_add_test(tc, write_it);
	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (why)
		perror(why);
	return failed || why ? 1 : 0;
}
