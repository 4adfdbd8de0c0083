/* SPDX-License-Identifier: MIT */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void spg_buf_finish(struct spg_buf *buf)
{
	free(buf->data);
	*buf = (struct spg_buf)SPG_BUF_NULL;
}

void spg_buf_clear(struct spg_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

/* Make room for @n more bytes and the final zero. */
static bool reserve(struct spg_buf *buf, size_t n)
{
	size_t want, size;
	char *data;

	if (buf->failed)
		return false;
	if (n > SIZE_MAX / 2 - buf->len - 1) {
		buf->failed = true;
		return false;
	}
	want = buf->len + n + 1;
	if (want <= buf->size)
		return true;
	size = buf->size ? buf->size : 64;
	while (size < want)
		size *= 2;
	data = realloc(buf->data, size);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->size = size;
	return true;
}

void spg_buf_add(struct spg_buf *buf, const void *bytes, size_t n)
{
	if (!reserve(buf, n))
		return;
	if (n > 0)
		memcpy(buf->data + buf->len, bytes, n);
	buf->len += n;
	buf->data[buf->len] = '\0';
}

void spg_buf_puts(struct spg_buf *buf, const char *text)
{
	spg_buf_add(buf, text, strlen(text));
}

void spg_buf_putc(struct spg_buf *buf, char c)
{
	spg_buf_add(buf, &c, 1);
}

void spg_buf_printf(struct spg_buf *buf, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) {
		buf->failed = true;
		return;
	}
	if (!reserve(buf, (size_t)n))
		return;
	va_start(args, format);
	vsnprintf(buf->data + buf->len, (size_t)n + 1, format, args);
	va_end(args);
	buf->len += (size_t)n;
}

const char *spg_buf_text(const struct spg_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *spg_buf_take(struct spg_buf *buf)
{
	char *data;

	if (!buf->failed && !buf->data)
		spg_buf_add(buf, "", 0);
	if (buf->failed) {
		spg_buf_finish(buf);
		return NULL;
	}
	data = buf->data;
	*buf = (struct spg_buf)SPG_BUF_NULL;
	return data;
}
