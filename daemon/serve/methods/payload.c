/* SPDX-License-Identifier: MIT */
#include "daemon/serve/methods/payload.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/payload.h"
#include "common/text.h"
#include "daemon/serve/methods/methods.h"

/* A path below the payload's folder, or the root: no component leads anywhere else. */
static bool is_below(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > SPG_PAYLOAD_PATH_MAX)
		return false;
	path += path[0] == '/';
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
			(n == 2 && memcmp(path, "..", 2) == 0))
			return false;
		if (path[n] == '\0')
			return true;
		path += n + 1;
	}
}

bool spg_params_payload_paths(struct spg_call *call, const json_t *params)
{
	const json_t *files = json_object_get(params, "payload");

	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);
		const char *path = spg_params_text(file, "path");
		struct spg_buf quoted = SPG_BUF_NULL;

		if (!path || (is_below(path) && strcmp(spg_path_base(path),
							spg_path_base(spg_params_text(
								file, "name"))) == 0))
			continue;
		spg_call_fail(call, SPG_RPC_BAD_PARAMS,
			"write it as \"x64/foo.dll\", or of a package "
			"\"/usr/lib/foo.so\", "
			"its end the file's name",
			"parameter \"payload\": no path below the folder of a service "
			"pack: %s",
			spg_params_quote(&quoted, path));
		spg_buf_finish(&quoted);
		return false;
	}
	return true;
}

/* Some paths alone would say that the others are files of the payload's own folder. */
static bool has_all_paths(const json_t *files)
{
	for (size_t i = 0; i < json_array_size(files); i++)
		if (!spg_params_text(json_array_get(files, i), "path"))
			return false;
	return true;
}

int spg_params_payload(const json_t *params, const struct spg_product *product,
	struct spg_expected *ret)
{
	const json_t *files = json_object_get(params, "payload");
	bool paths = has_all_paths(files);
	int r = 0;

	*ret = (struct spg_expected)SPG_EXPECTED_NULL;
	for (size_t i = 0; r == 0 && i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);

		const char *path = paths ? spg_params_text(file, "path")
		                         : spg_path_base(spg_params_text(file, "name"));

		r = spg_expected_add(ret, path, spg_params_text(file, "version"),
			spg_params_text(file, "sha256"));
	}
	if (r < 0)
		spg_expected_finish(ret);
	else
		spg_expected_sort(ret, product->ignore_case);
	return r;
}

bool spg_payload_concerns(const struct spg_model *model, size_t index,
	const struct spg_expected *expected)
{
	size_t n, n_files;
	struct spg_file *const *files = spg_model_files(model, index, &n_files);

	for (size_t i = 0; i < n_files; i++)
		if (spg_expected_find(expected, files[i]->path, &n))
			return true;
	return false;
}

static void mark(struct spg_expected *expected, const char *path)
{
	size_t n;
	const struct spg_expected_file *found = spg_expected_find(expected, path, &n);

	for (size_t i = 0; i < n; i++)
		expected->files[(size_t)(found - expected->files) + i].elsewhere = true;
}

void spg_payload_mark_elsewhere(
	const struct spg_model *model, size_t index, struct spg_expected *expected)
{
	for (size_t p = 0; p < spg_model_n_products(model); p++) {
		size_t n_files = 0;
		struct spg_file *const *files = NULL;

		if (p != index && expected->n > 0)
			files = spg_model_files(model, p, &n_files);
		for (size_t i = 0; i < n_files; i++)
			mark(expected, files[i]->path);
	}
}

static int expect_one(const struct spg_service *service, const json_t *params,
	size_t index, bool only_if_concerned)
{
	const struct spg_product *product = spg_model_product(service->model, index);
	struct spg_expected expected;
	int r = spg_params_payload(params, product, &expected);

	if (r < 0)
		return r;
	spg_payload_mark_elsewhere(service->model, index, &expected);
	if (!only_if_concerned ||
		spg_payload_concerns(service->model, index, &expected))
		spg_tracker_expect(service->tracker, product->name, &expected);
	spg_expected_finish(&expected);
	return 0;
}

bool spg_params_expect(struct spg_call *call, const json_t *params, int index)
{
	const struct spg_service *service = call->service;
	int r = 0;

	if (!json_array_size(json_object_get(params, "payload")) ||
		!spg_call_is_of_admin(call))
		return true;
	for (size_t i = 0; r == 0 && i < spg_model_n_products(service->model); i++)
		if (index < 0 || (size_t)index == i)
			r = expect_one(service, params, i, index < 0);
	if (r == 0)
		return true;
	spg_call_fail_nomem(call);
	return false;
}

/* True when @path is @directory or lies below it. */
static bool is_within(const char *path, const char *directory, bool ignore_case)
{
	bool found = spg_path_below(path, directory, true);

	for (size_t at = 1; ignore_case && !found && path[at - 1]; at++) {
		char *above = NULL;

		if (path[at] != '/' && path[at] != '\0')
			continue;
		above = strndup(path, at);
		found = !above || spg_name_equal(above, directory, true);
		free(above);
	}
	return found;
}

bool spg_payload_leads_into_missing(
	const json_t *params, const struct spg_observation *obs)
{
	const json_t *file;
	size_t i;

	json_array_foreach (json_object_get(params, "payload"), i, file) {
		const char *path = spg_params_text(file, "path");

		if (!path || !spg_path_is_absolute(path))
			return true;
		for (size_t k = 0; k < obs->n_missing; k++)
			if (is_within(path, obs->missing[k], obs->product->ignore_case))
				return true;
	}
	return false;
}
