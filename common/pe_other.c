/* SPDX-License-Identifier: MIT */
#include "common/pe_other.h"

#include <string.h>
#include <strings.h>

#include "common/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *ending;
	bool is_module_only; /* nothing else has this ending */
} endings[] = {
	{".dll", true},
	{".exe", true},
	{".ocx", true},
	{".cpl", true},
	{".sys", true},
	{".drv", false},
	{".scr", false},
	{".ax", false},
	{".acm", false},
	{".tsp", false},
};

/* What DOS reads at its start: texts. */
static const char *const texts_of_dos[] = {"config.sys", "msdos.sys"};

static const struct {
	const char *bytes;
	size_t n;
} meant[] = {
	{"MZ", 2}, /* for DOS, 16-bit Windows, OS/2: not read */
	{"NE", 2},
	{"LE", 2},
	{"LX", 2},
	{"\177ELF", 4},
	{"#!", 2},               /* winegcc makes foo.exe, a script, and foo.exe.so */
	{"\xfe\xed\xfa\xce", 4}, /* Mach-O */
	{"\xfe\xed\xfa\xcf", 4},
	{"\xce\xfa\xed\xfe", 4},
	{"\xcf\xfa\xed\xfe", 4},
	{"\xca\xfe\xba\xbe", 4},
};

static const struct {
	const char *bytes;
	size_t n;
} compressed[] = {
	{"SZDD\x88\xf0\x27\x33", 8}, /* as on the media of a setup program */
	{"KWAJ\x88\xf0\x27\xd1", 8},
	{"MSCF", 4},
	{"PK\3\4", 4},
	{"\x1f\x8b", 2},
};

enum content { MEANT, COMPRESSED, ZEROS, WEB_PAGE, TEXT, UNKNOWN };

static const char *const words[] = {
	[COMPRESSED] = "it is compressed, and was not expanded",
	[ZEROS] = "it begins with zeros",
	[WEB_PAGE] = "it is a web page, not a Windows module",
	[TEXT] = "it is a text, not a Windows module",
	[UNKNOWN] = "it does not begin as a Windows module does",
};

static bool begins(const uint8_t *head, size_t n, const char *bytes, size_t n_bytes)
{
	return n >= n_bytes && memcmp(head, bytes, n_bytes) == 0;
}

static bool has_word(const uint8_t *head, size_t n, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= n; i++)
		if (strncasecmp((const char *)head + i, word, length) == 0)
			return true;
	return false;
}

static bool is_zero(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (head[i])
			return false;
	return true;
}

static bool is_control(uint8_t c)
{
	return (c < ' ' && !strchr("\t\n\v\f\r\032\033", c)) || c == 0x7f || c == 0;
}

/* In any code page, or in UTF-16 with its mark. */
static bool is_text(const uint8_t *head, size_t n)
{
	if (begins(head, n, "\xff\xfe", 2) || begins(head, n, "\xfe\xff", 2))
		return true;
	for (size_t i = 0; i < n; i++)
		if (is_control(head[i]))
			return false;
	return true;
}

static enum content look(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < COUNT(meant); i++)
		if (begins(head, n, meant[i].bytes, meant[i].n))
			return MEANT;
	for (size_t i = 0; i < COUNT(compressed); i++)
		if (begins(head, n, compressed[i].bytes, compressed[i].n))
			return COMPRESSED;
	if (is_zero(head, n))
		return ZEROS;
	if (!is_text(head, n))
		return UNKNOWN;
	return has_word(head, n, "<html") || has_word(head, n, "<!doctype html")
	               ? WEB_PAGE
	               : TEXT;
}

/* Whether the name is a module's, and that of nothing else. */
static bool is_module(const char *name, bool *ret_only)
{
	size_t n = strlen(name);

	*ret_only = true;
	for (size_t i = 0; i < COUNT(texts_of_dos); i++)
		if (strcasecmp(name, texts_of_dos[i]) == 0)
			*ret_only = false;
	for (size_t i = 0; i < COUNT(endings); i++) {
		size_t length = strlen(endings[i].ending);

		if (n <= length || strcasecmp(name + n - length, endings[i].ending))
			continue;
		*ret_only = *ret_only && endings[i].is_module_only;
		return true;
	}
	return false;
}

int spg_pe_judge_other(
	const struct spg_pe_source *source, const char *name, struct spg_buf *error)
{
	uint8_t head[SPG_PE_HEAD_BYTES];
	size_t n = source->size < sizeof(head) ? (size_t)source->size : sizeof(head);
	enum content content;
	bool only;
	int err;

	if (!is_module(name, &only))
		return SPG_ERR_INVALID;
	if (n == 0) {
		spg_buf_clear(error);
		spg_buf_puts(error, "it is empty");
		return SPG_ERR_CORRUPT;
	}
	err = source->read(source->user, 0, head, n);
	if (err < 0)
		return err;
	content = look(head, n);
	if (content == MEANT || (!only && (content == TEXT || content == UNKNOWN)))
		return SPG_ERR_INVALID;
	spg_buf_clear(error);
	spg_buf_puts(error, words[content]);
	return SPG_ERR_CORRUPT;
}
