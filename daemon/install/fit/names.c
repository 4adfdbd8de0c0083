/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/names.h"

#include <stdint.h>
#include <string.h>

#include "common/text.h"

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
	return spg_name_compare_parts(a.text, a.n, b.text, b.n, fold);
}

bool spg_fit_take(struct spg_fit_text *text, struct spg_fit_text start, bool fold)
{
	size_t n = spg_name_begin(text->text, text->n, start.text, start.n, fold);

	if (n == SIZE_MAX)
		return false;
	text->text += n;
	text->n -= n;
	return true;
}

bool spg_fit_begins(const char *name, const char *with)
{
	const struct spg_fit_text wanted = spg_fit_whole(with);
	const struct spg_fit_text has = {name, strnlen(name, wanted.n)};

	return spg_fit_compare(has, wanted, true) == 0;
}
