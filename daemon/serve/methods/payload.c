/* SPDX-License-Identifier: MIT */
#include "daemon/serve/methods/payload.h"

#include "common/err.h"

int spg_params_payload(const json_t *params, const struct spg_product *product,
	struct spg_expected *ret)
{
	const json_t *files = json_object_get(params, "payload");
	int r = 0;

	*ret = (struct spg_expected)SPG_EXPECTED_NULL;
	for (size_t i = 0; r == 0 && i < json_array_size(files); i++) {
		const json_t *file = json_array_get(files, i);

		r = spg_expected_add(ret,
			json_string_value(json_object_get(file, "name")),
			json_string_value(json_object_get(file, "version")),
			json_string_value(json_object_get(file, "sha256")));
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

static int expect_one(const struct spg_service *service, const json_t *params,
	size_t index, bool only_if_concerned)
{
	const struct spg_product *product = spg_model_product(service->model, index);
	struct spg_expected expected;
	int r = spg_params_payload(params, product, &expected);

	if (r < 0)
		return r;
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
