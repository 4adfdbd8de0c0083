/* SPDX-License-Identifier: MIT */
/*
 * The reader of configuration files against any bytes. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_ini.c common/ini.c
 * and run it on tests/fuzz/corpus-ini. The unit test "ini" replays that corpus through
 * the same function.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, const char *begin, size_t size, size_t max)
{
	if (text < begin || text > begin + size || strlen(text) > max ||
		strchr(text, '\n'))
		abort();
}

static void check_item(const struct spg_ini_item *item, const char *begin, size_t size,
	bool key_before)
{
	if (item->kind == SPG_INI_CONTINUED && (!key_before || !*item->value))
		abort();
	switch (item->kind) {
	case SPG_INI_SECTION:
		check_text(item->name, begin, size, SPG_INI_SECTION_MAX);
		break;
	case SPG_INI_CONTINUED:
	case SPG_INI_VALUE:
		check_text(item->name, begin, size, SPG_INI_KEY_MAX);
		check_text(item->value, begin, size, SPG_INI_LINE_MAX);
		break;
	default:
		if (item->name || item->value)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that reading past it is seen. */
	char *text = malloc(size + 1);
	struct spg_ini_item item;
	struct spg_ini ini;
	bool key_before = false;
	unsigned line = 0;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	spg_ini_begin(&ini, text, size);
	for (spg_ini_next(&ini, &item); item.kind != SPG_INI_END;
		spg_ini_next(&ini, &item)) {
		if (item.line <= line || item.line > size)
			abort();
		line = item.line;
		check_item(&item, text, size, key_before);
		key_before = item.kind == SPG_INI_VALUE ||
		             (key_before && item.kind != SPG_INI_SECTION);
	}
	spg_ini_next(&ini, &item);
	if (item.kind != SPG_INI_END)
		abort();
	free(text);
	return 0;
}
