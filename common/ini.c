/* SPDX-License-Identifier: MIT */
#include "common/ini.h"

#include <string.h>

#define BLANKS " \t\r\v\f"

static bool is_blank(char c)
{
	return c && strchr(BLANKS, c);
}

/* @text without the blanks around it. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, BLANKS);
	n = strlen(text);
	while (n > 0 && is_blank(text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

/* The first of @wanted in @text, before a comment begins; NULL: there is none. */
static char *find(char *text, const char *wanted)
{
	for (char *c = text; *c; c++) {
		if (strchr(wanted, *c))
			return c;
		if (*c == ';' && c > text && is_blank(c[-1]))
			break;
	}
	return NULL;
}

static void cut_comment(char *text)
{
	for (char *c = text; *c; c++)
		if (*c == ';' && c > text && is_blank(c[-1])) {
			*c = '\0';
			return;
		}
}

void spg_ini_begin(struct spg_ini *ini, char *text, size_t n)
{
	static const char mark[] = "\xef\xbb\xbf"; /* as some editors put it */

	*ini = (struct spg_ini){.at = text, .end = text + n};
	if (n >= 3 && memcmp(text, mark, 3) == 0)
		ini->at += 3;
}

/* The ']' that nothing but a comment follows: a pattern in the name may have some, too. */
static char *find_end(char *name)
{
	char *end = find(name, "]");

	while (end) {
		const char *rest = end + 1 + strspn(end + 1, BLANKS);

		if (!*rest || *rest == ';' || *rest == '#')
			break;
		end = find(end + 1, "]");
	}
	return end;
}

/* Both return what the line is. */
static enum spg_ini_kind take_section(
	struct spg_ini *ini, char *text, struct spg_ini_item *ret)
{
	char *end = find_end(text + 1);

	ini->key = NULL;
	ini->skips_value = false;
	ini->skips_section = true;
	if (!end)
		return SPG_INI_NO_FORM;
	if (end - text - 1 > SPG_INI_SECTION_MAX)
		return SPG_INI_LONG_SECTION;
	*end = '\0';
	ini->skips_section = false;
	ret->name = text + 1;
	return SPG_INI_SECTION;
}

static enum spg_ini_kind take_key(
	struct spg_ini *ini, char *text, struct spg_ini_item *ret)
{
	char *equals = find(text, "=:");

	ini->skips_value = true;
	if (!equals)
		return SPG_INI_NO_FORM;
	*equals = '\0';
	cut_comment(equals + 1);
	ini->key = trim(text);
	if (strlen(ini->key) > SPG_INI_KEY_MAX)
		return SPG_INI_LONG_KEY;
	ini->skips_value = false;
	ret->name = ini->key;
	ret->value = trim(equals + 1);
	return SPG_INI_VALUE;
}

/* A line of @n bytes with a '\0' behind. False when it says nothing. */
static bool take_line(
	struct spg_ini *ini, char *line, size_t n, struct spg_ini_item *ret)
{
	bool indented = is_blank(line[0]);
	char *text;

	if (n > SPG_INI_LINE_MAX || memchr(line, '\0', n)) {
		ret->kind = n > SPG_INI_LINE_MAX ? SPG_INI_LONG_LINE : SPG_INI_NUL;
		ini->skips_value = ini->skips_value || !indented;
		return !ini->skips_section;
	}
	text = trim(line);
	if (!*text || *text == '#' || *text == ';')
		return false;
	if (indented && (ini->key || ini->skips_value)) {
		cut_comment(text);
		*ret = (struct spg_ini_item){
			SPG_INI_CONTINUED, ret->line, ini->key, trim(text)};
		return !ini->skips_section && !ini->skips_value;
	}
	if (*text == '[') {
		ret->kind = take_section(ini, text, ret);
		return true;
	}
	ret->kind = take_key(ini, text, ret);
	return !ini->skips_section;
}

void spg_ini_next(struct spg_ini *ini, struct spg_ini_item *ret)
{
	while (ini->at < ini->end) {
		char *line = ini->at;
		char *end = memchr(line, '\n', (size_t)(ini->end - line));

		if (!end)
			end = ini->end;
		*end = '\0';
		ini->at = end < ini->end ? end + 1 : end;
		*ret = (struct spg_ini_item){.line = ++ini->line};
		if (take_line(ini, line, (size_t)(end - line), ret))
			return;
	}
	*ret = (struct spg_ini_item){.kind = SPG_INI_END, .line = ini->line};
}
