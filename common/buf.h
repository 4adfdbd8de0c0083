/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A growable string of bytes.
 *
 * Invariants, before and after every function:
 *   - data is NULL or a malloc'ed block in which data[len] is '\0';
 *   - after an allocation failed, `failed` stays set and every later append
 *     does nothing, so that a caller checks once, at the end.
 * Not thread-safe. spg_buf_finish() is idempotent and takes SPG_BUF_NULL.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/format.h"

struct spg_buf {
	char *data;
	size_t len;
	size_t size;
	bool failed;
};

#define SPG_BUF_NULL                                                                   \
	{                                                                              \
		NULL, 0, 0, false                                                      \
	}

/** Release the memory; the buffer is empty and usable again. */
void spg_buf_finish(struct spg_buf *buf);

/** Forget the contents (and a failure), keep the memory. */
void spg_buf_clear(struct spg_buf *buf);

/** Append @n bytes of @bytes. */
void spg_buf_add(struct spg_buf *buf, const void *bytes, size_t n);

/** Append a string. */
void spg_buf_puts(struct spg_buf *buf, const char *text);

/** Append one byte. */
void spg_buf_putc(struct spg_buf *buf, char c);

/** Append formatted text, as printf(3). */
void spg_buf_printf(struct spg_buf *buf, const char *format, ...) SPG_PRINTF(2, 3);

/** The contents as a string; "" when empty. Borrowed until the next change. */
const char *spg_buf_text(const struct spg_buf *buf);

/**
 * Hand the contents to the caller, who frees them; the buffer is empty after.
 * Returns NULL when an append failed for want of memory.
 */
char *spg_buf_take(struct spg_buf *buf);
