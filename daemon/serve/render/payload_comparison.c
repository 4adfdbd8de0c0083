/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/payload_comparison.h"

#include "daemon/serve/render/parts.h"

enum offer { NEW, UPDATE, SAME, OLDER, DIFFERENT, NOT_KNOWN, OFFERS };

static const char *const names[OFFERS] = {
	[NEW] = "new",
	[UPDATE] = "update",
	[SAME] = "same",
	[OLDER] = "older",
	[DIFFERENT] = "different",
	[NOT_KNOWN] = "unknown",
};

static enum offer offer_of(const struct spg_judged_file *file,
	const struct spg_offer *offer, const struct spg_module **ret_module,
	const struct spg_expected_file **ret_file)
{
	size_t n;

	*ret_module = spg_module_set_find(offer->installed, file->path);
	*ret_file = spg_expected_find(offer->expected, file->path, &n);
	if (file->state == SPG_FILE_NEW)
		return NEW;
	if (!*ret_module)
		return NOT_KNOWN;
	switch (spg_expected_compare(offer->expected, *ret_module, ret_file)) {
	case SPG_AS_EXPECTED:
		return SAME;
	case SPG_OLDER:
		return UPDATE;
	case SPG_NEWER:
		return OLDER;
	case SPG_DIFFERENT:
		return DIFFERENT;
	default:
		return NOT_KNOWN;
	}
}

int spg_render_offer(
	json_t *out, const struct spg_judged_file *file, const struct spg_offer *offer)
{
	const struct spg_module *module;
	const struct spg_expected_file *expected;
	enum offer is = offer_of(file, offer, &module, &expected);
	int r = json_object_set_new(out, "offer", json_string(names[is]));

	r |= json_object_set_new(out, "installed_version",
		spg_render_text(module && module->version[0] ? module->version : NULL));
	r |= json_object_set_new(out, "offered_version",
		spg_render_text(expected ? expected->version : NULL));
	return r;
}

/* An old version that runs on: its name counts once, as what is there now. */
static bool is_old_version(
	const struct spg_observation *obs, const struct spg_judged_file *file)
{
	return file->seen != SPG_NO_FILE &&
	       obs->files[file->seen].presence == SPG_REPLACED;
}

json_t *spg_render_offers(const struct spg_proof *proof, const struct spg_offer *offer)
{
	const struct spg_verdict *verdict = proof->verdict;
	const struct spg_expected_file *expected;
	const struct spg_module *module;
	json_int_t counts[OFFERS] = {0};
	json_t *out = json_object();
	int r = 0;

	for (size_t i = 0; i < verdict->n_files; i++)
		if (!is_old_version(proof->observation, &verdict->files[i]))
			counts[offer_of(
				&verdict->files[i], offer, &module, &expected)]++;
	for (int i = 0; i < OFFERS; i++)
		r |= json_object_set_new(out, names[i], json_integer(counts[i]));
	return spg_render_done(out, r);
}
