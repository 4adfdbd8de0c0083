/* SPDX-License-Identifier: MIT */
#include "daemon/install/unfinished.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* dpkg: NAME.dpkg-new */
static char *of_dpkg(const char *path)
{
	static const char end[] = ".dpkg-new";
	size_t len = strlen(path), n = sizeof(end) - 1;

	return len > n && strcmp(path + len - n, end) == 0 ? strndup(path, len - n)
	                                                   : NULL;
}

/* rpm: NAME;0123abcd */
static char *of_rpm(const char *path)
{
	const char *mark = strrchr(path, ';');

	if (!mark || strlen(mark + 1) != 8 || strspn(mark + 1, "0123456789abcdef") != 8)
		return NULL;
	return strndup(path, (size_t)(mark - path));
}

/* rsync: .NAME.aB3xYz */
static char *of_rsync(const char *path)
{
	const char *base = spg_path_base(path), *mark = strrchr(path, '.');
	size_t folder = (size_t)(base - path), len;
	char *target;

	if (base[0] != '.' || mark <= base + 1 || strlen(mark + 1) != 6)
		return NULL;
	for (const char *at = mark + 1; *at; at++)
		if (!isalnum((unsigned char)*at))
			return NULL;
	len = (size_t)(mark - base) - 1;
	target = malloc(folder + len + 1);
	if (!target)
		return NULL;
	memcpy(target, path, folder);
	memcpy(target + folder, base + 1, len);
	target[folder + len] = '\0';
	return target;
}

char *spg_unfinished_target(const char *path)
{
	char *target = of_dpkg(path);

	if (!target)
		target = of_rpm(path);
	return target ? target : of_rsync(path);
}

static bool is_new(const struct spg_module_set *before, const struct spg_module *module)
{
	const struct spg_module *then = spg_module_set_find(before, module->path);

	return !then || strcmp(then->sha256, module->sha256) != 0;
}

size_t spg_unfinished_find(struct spg_unfinished *ret,
	const struct spg_module_set *before, const struct spg_module_set *after)
{
	size_t n = 0;

	for (size_t i = 0; before && i < after->n && n < SPG_UNFINISHED_MAX; i++) {
		const struct spg_module *beside = after->modules[i], *module;
		char *target = spg_unfinished_target(beside->path);

		module = target ? spg_module_set_find(after, target) : NULL;
		free(target);
		if (module && is_new(before, beside) &&
			strcmp(module->sha256, beside->sha256) != 0)
			ret[n++] = (struct spg_unfinished){module, beside};
	}
	return n;
}
