/* SPDX-License-Identifier: MIT */
#include "daemon/install/unfinished.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"

/* No installer runs for so long. */
#define OLD_NS (3600 * SPG_NS_PER_S)

/* dpkg: NAME.dpkg-new */
static char *of_dpkg(const char *path)
{
	static const char end[] = ".dpkg-new";
	size_t len = strlen(path), n = sizeof(end) - 1;

	return strlen(spg_path_base(path)) > n && strcmp(path + len - n, end) == 0
	               ? strndup(path, len - n)
	               : NULL;
}

/* rpm: NAME;0123abcd */
static char *of_rpm(const char *path)
{
	const char *mark = strrchr(path, ';');

	if (!mark || mark == spg_path_base(path) || strlen(mark + 1) != 8 ||
		strspn(mark + 1, "0123456789abcdef") != 8)
		return NULL;
	return strndup(path, (size_t)(mark - path));
}

/* rsync: .NAME.aB3xYz */
static char *of_rsync(const char *path)
{
	const char *base = spg_path_base(path), *mark = strrchr(path, '.');
	size_t folder = (size_t)(base - path), len;
	bool is_word = true;
	char *target;

	if (base[0] != '.' || mark <= base + 1 || strlen(mark + 1) != 6)
		return NULL;
	/* Made by chance, they are hardly ever a word. */
	for (const char *at = mark + 1; *at; at++) {
		if (!isalnum((unsigned char)*at))
			return NULL;
		is_word = is_word && islower((unsigned char)*at);
	}
	if (is_word)
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

/* rsync --delay-updates: FOLDER/NAME */
static char *of_delayed(const char *path)
{
	static const char folder[] = "/" SPG_UNFINISHED_FOLDER;
	const char *base = spg_path_base(path);
	size_t n = sizeof(folder) - 1, at = (size_t)(base - path);
	char *target;

	/* at: behind the slash */
	if (at < n + 1 || memcmp(base - 1 - n, folder, n) != 0)
		return NULL;
	target = strdup(path);
	if (target)
		memmove(target + at - n, base, strlen(base) + 1);
	return target;
}

char *spg_unfinished_target(const char *path, bool *ret_certain)
{
	char *target = of_delayed(path);

	if (!target)
		target = of_dpkg(path);
	if (!target)
		target = of_rpm(path);
	*ret_certain = target != NULL;
	return target ? target : of_rsync(path);
}

struct spg_module_set *spg_unfinished_old(
	const struct spg_module_set *beside, int64_t now_ns)
{
	struct spg_module_set *old = spg_module_set_create();

	for (size_t i = 0; old && i < beside->n; i++) {
		struct spg_module *module = beside->modules[i];

		if (module->ctime_ns > now_ns - OLD_NS)
			continue;
		if (spg_array_reserve(&old->modules, old->n, &old->size,
			    sizeof(struct spg_module *)) < 0) {
			spg_module_set_unref(old);
			return NULL;
		}
		old->modules[old->n++] = spg_module_ref(module);
	}
	return old;
}

static bool is_known(
	const struct spg_module_set *known, const struct spg_module *beside)
{
	const struct spg_module *then = spg_module_set_find(known, beside->path);

	return then && strcmp(then->sha256, beside->sha256) == 0;
}

size_t spg_unfinished_find(struct spg_unfinished *ret,
	const struct spg_module_set *before, const struct spg_module_set *known,
	const struct spg_module_set *after)
{
	size_t n = 0;

	for (size_t i = 0; after->beside && i < after->beside->n; i++) {
		const struct spg_module *beside = after->beside->modules[i], *module;
		bool certain;
		char *target = spg_unfinished_target(beside->path, &certain);

		module = target ? spg_module_set_find(after, target) : NULL;
		free(target);
		if ((!certain &&
			    (!module || spg_module_set_find(before, beside->path))) ||
			n == SPG_UNFINISHED_MAX || beside->err == SPG_ERR_INVALID ||
			is_known(known, beside))
			continue;
		if (!module || strcmp(module->sha256, beside->sha256) != 0)
			ret[n++] = (struct spg_unfinished){module, beside};
	}
	return n;
}
