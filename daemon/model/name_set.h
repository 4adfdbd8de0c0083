/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A set of file names, bare or absolute, compared by a product's rule: for
 * payloads of 10,000 files against 10,000 installed ones. Immutable once made;
 * any thread may then read it.
 */
#include <stdbool.h>
#include <stddef.h>

struct spg_name_set {
	const char **sorted; /* borrowed from the maker's array */
	size_t n;
	bool ignore_case;
};

#define SPG_NAME_SET_NULL                                                              \
	{                                                                              \
		NULL, 0, false                                                         \
	}

/** Index @n names, which must outlive the set. Returns 0 or SPG_ERR_NOMEM. */
int spg_name_set_init(
	struct spg_name_set *set, char *const *names, size_t n, bool ignore_case);

/** Idempotent; takes SPG_NAME_SET_NULL. */
void spg_name_set_finish(struct spg_name_set *set);

/** True when the set has exactly @name. */
bool spg_name_set_has(const struct spg_name_set *set, const char *name);

/** True when the set has @path itself or its last component. */
bool spg_name_set_has_path(const struct spg_name_set *set, const char *path);

/** True when the set has a path that lies below @dir, an absolute path other than
 * "/". Looks at every name. */
bool spg_name_set_any_below(const struct spg_name_set *set, const char *dir);
