/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/fold.h"
#include "common/platform.h"

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

bool spg_text_is_utf8(const char *text, size_t n)
{
	while (n > 0) {
		size_t len = spg_text_utf8_length(text, n);

		if (len == 0)
			return false;
		text += len;
		n -= len;
	}
	return true;
}

/* What is valid but must not reach a terminal or a log line, in ascending order: the
 * categories Cc, Cf, Zl and Zp, and what has Default_Ignorable_Code_Point, since it shows
 * as nothing and makes two names look like one (Unicode 15, UnicodeData.txt and
 * DerivedCoreProperties.txt). */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{0x0000, 0x001f}, /* C0 */
	{0x007f, 0x009f}, /* DEL, C1 */
	{0x00ad, 0x00ad}, /* soft hyphen */
	{0x034f, 0x034f}, {0x0600, 0x0605}, {0x061c, 0x061c}, {0x06dd, 0x06dd},
	{0x070f, 0x070f}, {0x0890, 0x0891}, {0x08e2, 0x08e2},
	{0x115f, 0x1160}, /* fillers */
	{0x17b4, 0x17b5}, {0x180b, 0x180f},
	{0x200b, 0x200f},                   /* zero width, and marks of direction */
	{0x2028, 0x202e},                   /* separators, embeddings and overrides */
	{0x2060, 0x206f},                   /* joiner, invisible operators, isolates */
	{0x3164, 0x3164}, {0xfe00, 0xfe0f}, /* variation selectors */
	{0xfeff, 0xfeff},                   /* byte order mark */
	{0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
	{0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe0fff}, /* tags, variation selectors */
};

static uint32_t code_of(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code = len == 1 ? s[0] : s[0] & (0x7fU >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (s[i] & 0x3f);
	return code;
}

static bool is_deceptive(const char *text, size_t len)
{
	uint32_t code = code_of(text, len);
	size_t low = 0, high = sizeof(unseen) / sizeof(unseen[0]);

	/* Nearly all there is. */
	if (code >= 0x20 && code < 0x7f)
		return false;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > unseen[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(unseen) / sizeof(unseen[0]) && code >= unseen[low].first;
}

/* One character at the start of @text, @n bytes, as it may be shown, into @ret; returns
 * how many of them that was. */
static size_t escape_one(const char *text, size_t n, char ret[static 17])
{
	size_t len = spg_text_utf8_length(text, n);
	size_t step = len ? len : 1;

	if (len > 0 && !is_deceptive(text, len)) {
		memcpy(ret, text, len);
		ret[len] = '\0';
		return len;
	}
	for (size_t i = 0; i < step; i++)
		snprintf(ret + 4 * i, 5, "\\x%02x", (unsigned char)text[i]);
	return step;
}

void spg_text_escape_into(char *ret, size_t size, const char *text)
{
	size_t n = strlen(text), used = 0;
	char one[17];

	while (n > 0) {
		size_t step = escape_one(text, n, one), len = strlen(one);

		if (used + len >= size)
			break;
		memcpy(ret + used, one, len);
		used += len;
		text += step;
		n -= step;
	}
	ret[used] = '\0';
}

void spg_text_escape(struct spg_buf *out, const char *text, bool escape_backslash)
{
	size_t n = strlen(text);

	char one[17];

	while (n > 0) {
		size_t step = escape_one(text, n, one);

		spg_buf_puts(out, escape_backslash && text[0] == '\\' ? "\\\\" : one);
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
	if (spg_platform_has_double_quotes()) {
		spg_buf_putc(out, '"');
		spg_text_escape(out, text, false);
		spg_buf_putc(out, '"');
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

/* What a byte that is no UTF-8 is compared as: behind all characters. */
#define NO_UTF8  0x110000

#define UTF8_MAX 4 /* bytes of a character */

static uint32_t read_long(const char *text, size_t n, bool ignore_case, size_t *ret_len)
{
	size_t len = spg_text_utf8_length(text, n);
	uint32_t code;

	if (len == 0) {
		*ret_len = 1;
		return NO_UTF8 + (unsigned char)*text;
	}
	*ret_len = len;
	code = code_of(text, len);
	return ignore_case ? spg_fold(code) : code;
}

/* The character at @text, of which @n > 0 bytes may be read; a '\0' ends a sequence. */
static inline uint32_t read_one(
	const char *text, size_t n, bool ignore_case, size_t *ret_len)
{
	unsigned char c = (unsigned char)*text;

	if (c >= 0x80)
		return read_long(text, n, ignore_case, ret_len);
	*ret_len = 1;
	return ignore_case && c >= 'A' && c <= 'Z' ? c + 32U : c;
}

int spg_name_compare(const char *a, const char *b, bool ignore_case)
{
	if (!ignore_case)
		return strcmp(a, b);
	while (*a && *a == *b && !(*a & 0x80)) {
		a++;
		b++;
	}
	for (;;) {
		size_t len_a, len_b;
		uint32_t one = read_one(a, UTF8_MAX, true, &len_a);
		uint32_t two = read_one(b, UTF8_MAX, true, &len_b);

		if (one != two || one == 0)
			return (one > two) - (one < two);
		a += len_a;
		b += len_b;
	}
}

bool spg_name_equal(const char *a, const char *b, bool ignore_case)
{
	return spg_name_compare(a, b, ignore_case) == 0;
}

int spg_name_compare_parts(
	const char *a, size_t n_a, const char *b, size_t n_b, bool ignore_case)
{
	while (n_a > 0 && n_b > 0) {
		size_t len_a, len_b;
		uint32_t one = read_one(a, n_a, ignore_case, &len_a);
		uint32_t two = read_one(b, n_b, ignore_case, &len_b);

		if (one != two)
			return one < two ? -1 : 1;
		a += len_a;
		n_a -= len_a;
		b += len_b;
		n_b -= len_b;
	}
	return (n_a > n_b) - (n_a < n_b);
}

size_t spg_name_begin(
	const char *name, size_t n, const char *start, size_t n_start, bool ignore_case)
{
	size_t at = 0;

	while (n_start > 0) {
		size_t len, len_start;
		uint32_t wanted = read_one(start, n_start, ignore_case, &len_start);

		if (at == n || read_one(name + at, n - at, ignore_case, &len) != wanted)
			return SIZE_MAX;
		at += len;
		start += len_start;
		n_start -= len_start;
	}
	return at;
}

uint32_t spg_name_last(const char *text, size_t n, bool ignore_case, size_t *ret_len)
{
	/* The same characters as read from the start: what begins one is in no other. */
	for (size_t i = 2; i <= UTF8_MAX && i <= n && (text[n - 1] & 0x80); i++)
		if (spg_text_utf8_length(text + n - i, i) == i)
			return read_one(text + n - i, i, ignore_case, ret_len);
	return read_one(text + n - 1, 1, ignore_case, ret_len);
}

/*
 * Match one character against the set at @set, just behind its '['. Returns
 * the text behind ']' and whether it matched; NULL when the set never ends,
 * and then '[' is an ordinary character, as in fnmatch(3).
 */
static const char *match_set(const char *set, uint32_t c, bool ignore_case, bool *ret)
{
	bool negate = false, hit = false, first = true;
	size_t len;

	if (*set == '!' || *set == '^') {
		negate = true;
		set++;
	}
	for (; *set && (first || *set != ']'); first = false) {
		uint32_t low = read_one(set, UTF8_MAX, false, &len), high = low;

		set += len;
		if (set[0] == '-' && set[1] && set[1] != ']') {
			high = read_one(set + 1, UTF8_MAX, false, &len);
			set += 1 + len;
		}
		hit = hit || (ignore_case ? spg_fold_is_between(c, low, high)
					  : low <= c && c <= high);
	}
	if (*set != ']')
		return NULL;
	*ret = hit != negate && c != '/';
	return set + 1;
}

/* The pattern behind what matches @c alone; NULL: nothing does. */
static const char *match_one(const char *pattern, uint32_t c, bool ignore_case)
{
	bool hit = false;
	size_t len;

	if (*pattern == '[') {
		const char *next = match_set(pattern + 1, c, ignore_case, &hit);

		if (next)
			return hit ? next : NULL;
	}
	if (*pattern == '?')
		return c != '/' ? pattern + 1 : NULL;
	/* Its end is no character of a name. */
	return read_one(pattern, UTF8_MAX, ignore_case, &len) == c ? pattern + len
	                                                           : NULL;
}

static inline bool is_plain(char c)
{
	return (unsigned char)c < 0x80 && c != '*' && c != '?' && c != '[';
}

static inline char fold_plain(char c, bool ignore_case)
{
	return ignore_case && c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The next place behind @name where @pattern may begin, or '/' or the end. */
static const char *retry_at(const char *pattern, const char *name, bool ignore_case)
{
	size_t len;

	read_one(name, UTF8_MAX, false, &len);
	name += len;
	if (*pattern && is_plain(*pattern)) {
		char first = fold_plain(*pattern, ignore_case);

		while (*name && !(*name & 0x80) && *name != '/' &&
			fold_plain(*name, ignore_case) != first)
			name++;
	}
	return name;
}

bool spg_name_match(const char *pattern, const char *name, bool ignore_case)
{
	const char *star = NULL, *star_name = NULL;

	/* On a mismatch only the last '*' needs another try: it can take over
	 * whatever an earlier one would have taken. That bounds the time. */
	while (*name) {
		const char *next;
		size_t len = 1;

		if (*pattern == '*') {
			star = ++pattern;
			star_name = name;
			continue;
		}
		/* Nearly all there is, and events wait for it. */
		if (is_plain(*pattern) && (unsigned char)*name < 0x80)
			next = fold_plain(*pattern, ignore_case) ==
			                       fold_plain(*name, ignore_case)
			               ? pattern + 1
			               : NULL;
		else
			next = match_one(pattern,
				read_one(name, UTF8_MAX, ignore_case, &len),
				ignore_case);
		if (next) {
			pattern = next;
			name += len;
			continue;
		}
		if (!star || *star_name == '/')
			return false;
		star_name = retry_at(star, star_name, ignore_case);
		pattern = star;
		name = star_name;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool spg_name_is_literal(const char *pattern)
{
	return strpbrk(pattern, "*?[") == NULL;
}

bool spg_name_is_product(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= SPG_PRODUCT_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == n;
}

bool spg_path_is_absolute(const char *path)
{
	return spg_platform_root(path) > 0;
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
	size_t root = spg_platform_root(path);
	bool absolute = root == 1;

	spg_platform_separators(path);
	if (root > 1) {
		in = out = path += root - 1;
		absolute = true;
	}
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
