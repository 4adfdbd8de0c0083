/* SPDX-License-Identifier: MIT */
/* A library with nothing in it, for tests to load under the name of a DLL. */
int spg_test_library(void);

__attribute__((visibility("default"))) int spg_test_library(void)
{
	return 246337;
}
