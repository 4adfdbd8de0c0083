/* SPDX-License-Identifier: MIT */
#include "daemon/model/installed.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

struct spg_installed *spg_installed_create(
	const char *product, const char *scope, int64_t at_ns)
{
	struct spg_installed *installed = calloc(1, sizeof(*installed));

	if (!installed)
		return NULL;
	installed->product = strdup(product);
	installed->scope = strdup(scope);
	installed->at_ns = at_ns;
	if (installed->product && installed->scope)
		return installed;
	spg_installed_destroy(installed);
	return NULL;
}

void spg_installed_destroy(struct spg_installed *installed)
{
	if (!installed)
		return;
	for (size_t i = 0; i < installed->n; i++) {
		free(installed->files[i].path);
		free(installed->files[i].version);
	}
	free(installed->files);
	free(installed->product);
	free(installed->scope);
	free(installed);
}

struct spg_installed_file *spg_installed_add(
	struct spg_installed *installed, const char *path, const char *version)
{
	struct spg_installed_file file = {.path = strdup(path)};

	if (version)
		file.version = strdup(version);
	if (!file.path || (version && !file.version) ||
		spg_array_reserve(&installed->files, installed->n, &installed->size,
			sizeof(file)) < 0) {
		free(file.path);
		free(file.version);
		return NULL;
	}
	installed->files[installed->n] = file;
	return &installed->files[installed->n++];
}
