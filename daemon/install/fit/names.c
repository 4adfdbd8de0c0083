/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/names.h"

#include <string.h>

#include "common/text.h"

static int folded(char c, bool fold)
{
	return fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char)c;
}

struct spg_fit_text spg_fit_whole(const char *text)
{
	return (struct spg_fit_text){text, strlen(text)};
}

struct spg_fit_text spg_fit_folder(const char *path)
{
	return (struct spg_fit_text){path, (size_t)(spg_path_base(path) - path)};
}

int spg_fit_compare(struct spg_fit_text a, struct spg_fit_text b, bool fold)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int order = folded(a.text[i], fold) - folded(b.text[i], fold);

		if (order)
			return order;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool spg_fit_begins(const char *name, const char *with)
{
	const struct spg_fit_text wanted = spg_fit_whole(with);
	const struct spg_fit_text has = {name, strnlen(name, wanted.n)};

	return spg_fit_compare(has, wanted, true) == 0;
}
