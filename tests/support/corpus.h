/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Replays what fuzzers have found, as a test: every file of a folder goes through
 * the fuzz target that the test links.
 */
#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Fails the test when the folder has fewer than @least files. */
static inline void spg_replay_corpus(const char *folder, int least)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int n_files = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		static uint8_t data[65536];
		char path[4096];
		FILE *file;
		size_t n;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		file = fopen(path, "rb");
		ck_assert_ptr_nonnull(file);
		n = fread(data, 1, sizeof(data), file);
		fclose(file);
		ck_assert_int_eq(LLVMFuzzerTestOneInput(data, n), 0);
		n_files++;
	}
	closedir(dir);
	ck_assert_int_ge(n_files, least);
}
