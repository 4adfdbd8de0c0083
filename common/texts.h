/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A growable list of texts that owns each of them.
 */
#include <stdbool.h>
#include <stddef.h>

struct spg_texts {
	char **items;
	size_t n, size;
};

#define SPG_TEXTS_NULL                                                                 \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Append a copy of @text. Returns 0 or SPG_ERR_NOMEM. */
int spg_texts_add(struct spg_texts *texts, const char *text);

/** As spg_texts_add(), unless it is there already. */
int spg_texts_add_new(struct spg_texts *texts, const char *text);

/** In byte order, each once. */
void spg_texts_sort(struct spg_texts *texts);

/** True when sorted @texts has @text. */
bool spg_texts_has(const struct spg_texts *texts, const char *text);

/** Drop all; empty and usable again. */
void spg_texts_finish(struct spg_texts *texts);
