/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <stdint.h>
#include <string.h>

size_t spg_text_utf8_length(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	size_t len;

	if (n == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		len = 2;
		code = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		len = 3;
		code = s[0] & 0x0f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		len = 4;
		code = s[0] & 0x07;
	} else {
		return 0;
	}
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	/* Overlong forms, surrogates, beyond U+10FFFF (RFC 3629). */
	if ((len == 3 && code < 0x800) || (len == 4 && code < 0x10000) ||
		code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

/* Sequences that are valid but must not reach a terminal or a log line. */
static bool is_deceptive(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	if (len == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (len == 2)
		return s[0] == 0xc2 && s[1] < 0xa0; /* C1 controls */
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x80)
		/* U+200E/F marks, U+2028/9 separators, U+202A..E overrides */
		return s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae);
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x81)
		return s[2] >= 0xa6 && s[2] <= 0xa9; /* U+2066..9 isolates */
	return false;
}

void spg_text_escape(struct spg_buf *out, const char *text, bool escape_backslash)
{
	size_t n = strlen(text);

	while (n > 0) {
		size_t len = spg_text_utf8_length(text, n);
		size_t step = len ? len : 1;

		if (len == 0 || is_deceptive(text, len)) {
			for (size_t i = 0; i < step; i++)
				spg_buf_printf(out, "\\x%02x", (unsigned char)text[i]);
		} else if (escape_backslash && text[0] == '\\') {
			spg_buf_puts(out, "\\\\");
		} else {
			spg_buf_add(out, text, len);
		}
		text += step;
		n -= step;
	}
}

bool spg_text_is_clean(const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		size_t len = spg_text_utf8_length(text, n);

		if (len == 0 || is_deceptive(text, len))
			return false;
		text += len;
		n -= len;
	}
	return true;
}

/* What must not reach a terminal stands as \ooo, which printf(1) puts back. */
static void put_printf(struct spg_buf *out, const char *text)
{
	size_t n = strlen(text);

	spg_buf_puts(out, "\"$(printf '");
	while (n > 0) {
		size_t len = spg_text_utf8_length(text, n);
		size_t step = len ? len : 1;

		if (len == 0 || is_deceptive(text, len))
			for (size_t i = 0; i < step; i++)
				spg_buf_printf(out, "\\%03o", (unsigned char)text[i]);
		else if (text[0] == '%' || text[0] == '\\')
			spg_buf_printf(out, "%c%c", text[0], text[0]);
		else if (text[0] == '\'')
			spg_buf_puts(out, "'\\''");
		else
			spg_buf_add(out, text, len);
		text += step;
		n -= step;
	}
	spg_buf_puts(out, "')\"");
}

void spg_text_shell_quote(struct spg_buf *out, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789@%+=:,./_-";

	if (*text && strspn(text, plain) == strlen(text)) {
		spg_buf_puts(out, text);
		return;
	}
	if (!spg_text_is_clean(text)) {
		put_printf(out, text);
		return;
	}
	spg_buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			spg_buf_puts(out, "'\\''");
		else
			spg_buf_putc(out, *text);
	}
	spg_buf_putc(out, '\'');
}

static unsigned char fold(char c, bool ignore_case)
{
	unsigned char u = (unsigned char)c;

	return ignore_case && u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

bool spg_name_equal(const char *a, const char *b, bool ignore_case)
{
	while (*a && fold(*a, ignore_case) == fold(*b, ignore_case)) {
		a++;
		b++;
	}
	return fold(*a, ignore_case) == fold(*b, ignore_case);
}

/*
 * Match one character against the set at @set, just behind its '['. Returns
 * the text behind ']' and whether it matched; NULL when the set never ends,
 * and then '[' is an ordinary character, as in fnmatch(3).
 */
static const char *match_set(
	const char *set, unsigned char c, bool ignore_case, bool *ret)
{
	bool negate = false, hit = false, first = true;

	if (*set == '!' || *set == '^') {
		negate = true;
		set++;
	}
	for (; *set && (first || *set != ']'); first = false) {
		unsigned char low = fold(*set++, ignore_case);
		unsigned char high = low;

		if (set[0] == '-' && set[1] && set[1] != ']') {
			high = fold(set[1], ignore_case);
			set += 2;
		}
		if (low <= c && c <= high)
			hit = true;
	}
	if (*set != ']')
		return NULL;
	*ret = hit != negate && c != '/';
	return set + 1;
}

bool spg_name_match(const char *pattern, const char *name, bool ignore_case)
{
	const char *star = NULL, *star_name = NULL;

	/* On a mismatch only the last '*' needs another try: it can take over
	 * whatever an earlier one would have taken. That bounds the time. */
	while (*name) {
		const char *next = NULL;
		unsigned char c = fold(*name, ignore_case);
		bool hit = false;

		if (*pattern == '*') {
			star = ++pattern;
			star_name = name;
			continue;
		}
		if (*pattern == '[')
			next = match_set(pattern + 1, c, ignore_case, &hit);
		if (!next && *pattern) {
			next = pattern + 1;
			hit = *pattern == '?' ? *name != '/'
			                      : fold(*pattern, ignore_case) == c;
		}
		if (next && hit) {
			pattern = next;
			name++;
			continue;
		}
		if (!star || *star_name == '/')
			return false;
		pattern = star;
		name = ++star_name;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool spg_name_is_literal(const char *pattern)
{
	return strpbrk(pattern, "*?[") == NULL;
}

const char *spg_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool spg_path_below(const char *path, const char *dir, bool or_equal)
{
	size_t len = strlen(dir);

	if (len == 1 && dir[0] == '/')
		return path[0] == '/' && (or_equal || path[1]);
	if (strncmp(path, dir, len) != 0)
		return false;
	return path[len] == '/' || (or_equal && path[len] == '\0');
}

bool spg_path_directly_in(const char *path, const char *dir)
{
	size_t len = (size_t)(spg_path_base(path) - path), n = strlen(dir);

	return len == n + (n > 1) && strncmp(path, dir, n) == 0;
}

bool spg_path_is_runtime(const char *path)
{
	static const char *const tops[] = {"/run/", "/var/run/"};

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		const char *rest, *slash;

		if (strncmp(path, tops[i], strlen(tops[i])) != 0)
			continue;
		rest = path + strlen(tops[i]);
		slash = strchr(rest, '/');
		if (slash && slash != rest && slash[1] && !strchr(slash + 1, '/'))
			return true;
	}
	return false;
}

void spg_path_normalise(char *path)
{
	char *out = path;
	const char *in = path;
	bool absolute = *in == '/';

	while (*in) {
		size_t len;

		while (*in == '/')
			in++;
		len = strcspn(in, "/");
		if (len == 0)
			break;
		if (!(len == 1 && in[0] == '.')) {
			if (out != path || absolute)
				*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	if (out == path)
		*out++ = absolute ? '/' : '.';
	*out = '\0';
}
