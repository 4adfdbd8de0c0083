/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Users who have other user numbers at their disposal (subuid(5): rootless containers):
 * what they do under those counts for one user, so that nobody is many. Loop thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct spg_subordinates {
	const char *path; /* borrowed: /etc/subuid */
	struct spg_subordinate_range {
		uint32_t first, count;
		uint32_t account;
	} * ranges;
	size_t n, size;
	struct stat read; /* the file, as it was then */
};

/**
 * For whom @uid counts: the first number of those that belong to the same owner by the
 * file, which is read again when it has changed; or @uid itself. (The owner's own number
 * is not looked up: that may take a network.) What cannot be read has no ranges.
 */
uint32_t spg_subordinates_account(struct spg_subordinates *subordinates, uint32_t uid);

/** Idempotent. */
void spg_subordinates_finish(struct spg_subordinates *subordinates);
