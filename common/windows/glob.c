/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>

#include "common/array.h"
#include "common/text.h"

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(glob_t *found, size_t *size, const char *pattern, const char *name)
{
	int before = (int)(spg_path_base(pattern) - pattern);
	char *path = NULL;

	if (spg_array_reserve(&found->gl_pathv, found->gl_pathc, size, sizeof(char *)) <
			0 ||
		asprintf(&path, "%.*s%s", before, pattern, name) < 0)
		return GLOB_NOSPACE;
	found->gl_pathv[found->gl_pathc++] = path;
	return 0;
}

static int search(const char *pattern, glob_t *found, size_t *size)
{
	const char *last = spg_path_base(pattern);
	char *folder = strndup(pattern, last > pattern ? (size_t)(last - pattern) : 0);
	const struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (!folder)
		return GLOB_NOSPACE;
	dir = opendir(folder[0] ? folder : ".");
	free(folder);
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : GLOB_ABORTED;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
			spg_name_match(last, entry->d_name, true))
			r = add(found, size, pattern, entry->d_name);
	closedir(dir);
	return r;
}

int glob(
	const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret)
{
	struct stat st;
	size_t size = 0;
	int r = 0;

	(void)flags;
	(void)on_error;
	*ret = (glob_t){0};
	if (!spg_name_is_literal(pattern))
		r = search(pattern, ret, &size);
	else if (stat(pattern, &st) == 0)
		r = add(ret, &size, pattern, spg_path_base(pattern));
	if (ret->gl_pathc > 1)
		qsort(ret->gl_pathv, ret->gl_pathc, sizeof(char *), compare);
	return r == 0 && ret->gl_pathc == 0 ? GLOB_NOMATCH : r;
}

void globfree(glob_t *found)
{
	for (size_t i = 0; i < found->gl_pathc; i++)
		free(found->gl_pathv[i]);
	free(found->gl_pathv);
	*found = (glob_t){0};
}
