/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/payload_comparison.h"

#include <stdlib.h>

#include "common/err.h"
#include "daemon/install/places.h"
#include "daemon/serve/render/parts.h"

/* From what is least to what is most worth knowing, where a file of the pack has several
 * counterparts. */
enum offer {
	UNTOUCHED,
	SAME,
	NOT_KNOWN,
	UPDATE,
	DIFFERENT,
	OLDER,
	NEW,
	VARIANT,
	OFFERS
};

static const char *const names[OFFERS] = {
	[UNTOUCHED] = "untouched",
	[SAME] = "same",
	[NOT_KNOWN] = "unknown",
	[UPDATE] = "update",
	[DIFFERENT] = "different",
	[OLDER] = "older",
	[NEW] = "new",
	[VARIANT] = "variant",
};

/* An old version that runs on: its name counts once, as what is there now. */
static bool is_old_version(
	const struct spg_observation *obs, const struct spg_judged_file *file)
{
	return file->seen != SPG_NO_FILE &&
	       obs->files[file->seen].presence == SPG_REPLACED;
}

static bool is_absent(const struct spg_judged_file *file)
{
	return file->state == SPG_FILE_NEW || file->state == SPG_FILE_MISSING;
}

int spg_offer_init(struct spg_offer *offer, const struct spg_expected *expected,
	const struct spg_module_set *installed, const struct spg_proof *proof)
{
	const struct spg_verdict *verdict = proof->verdict;
	const char **paths = calloc(verdict->n_files + 1, sizeof(*paths));
	size_t n = 0;
	int r;

	*offer = (struct spg_offer){expected, installed, SPG_EXPECTED_PLACES_NULL};
	if (!paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < verdict->n_files; i++)
		if (verdict->files[i].seen != SPG_NO_FILE &&
			!is_old_version(proof->observation, &verdict->files[i]))
			paths[n++] = verdict->files[i].path;
	r = spg_places_make_of(
		&offer->places, proof->observation->product, expected, paths, n);
	free(paths);
	return r;
}

void spg_offer_finish(struct spg_offer *offer)
{
	spg_expected_places_finish(&offer->places);
}

static enum offer compare(const struct spg_offer *offer,
	const struct spg_module *module, struct spg_expected_match *match)
{
	enum spg_expectation is = spg_expected_compare(&offer->places, module, match);

	/* It may be another one by now. */
	if (module->written && is != SPG_NOT_EXPECTED)
		return NOT_KNOWN;
	switch (is) {
	case SPG_NOT_EXPECTED:
		return UNTOUCHED;
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

/* Of a file that is not there, or that nobody has read. */
static enum offer name_it(const struct spg_offer *offer,
	const struct spg_judged_file *file, struct spg_expected_match *match)
{
	const struct spg_place_choice *choice;
	size_t n, index;

	match->file = spg_expected_find(offer->expected, file->path, &n);
	if (is_absent(file))
		return NEW;
	choice = spg_expected_choice(&offer->places, file->path, &index);
	if (!choice)
		return NOT_KNOWN;
	match->file = NULL;
	if (choice->n == 0)
		return UNTOUCHED;
	match->file =
		&offer->expected
			 ->files[offer->places.placement.candidates[choice->first]];
	return NOT_KNOWN;
}

bool spg_offer_concerns(
	const struct spg_offer *offer, const struct spg_judged_file *file)
{
	const struct spg_expected_file *found;
	size_t n = 0;

	if (!is_absent(file))
		return true;
	found = spg_expected_find(offer->expected, file->path, &n);
	for (size_t i = 0; i < n; i++)
		if (spg_placement_concerns(&offer->places.placement,
			    (size_t)(found - offer->expected->files) + i))
			return true;
	return n == 0;
}

int spg_render_offer(
	json_t *out, const struct spg_judged_file *file, const struct spg_offer *offer)
{
	const struct spg_module *module =
		is_absent(file) ? NULL
				: spg_module_set_find(offer->installed, file->path);
	struct spg_expected_match match = {NULL, 0, 0, 0};
	enum offer is =
		module ? compare(offer, module, &match) : name_it(offer, file, &match);
	const char *version = match.file ? match.file->version : NULL;
	int r = json_object_set_new(out, "offer", json_string(names[is]));

	r |= json_object_set_new(out, "installed_version",
		spg_render_text(module && module->version[0] ? module->version : NULL));
	r |= json_object_set_new(out, "offered_version", spg_render_text(version));
	if (match.of > 1)
		r |= json_object_set_new(out, "of", json_integer((json_int_t)match.of));
	return r;
}

/* What each installed file is; returns how many may be one of several. */
static size_t compare_all(const struct spg_offer *offer, struct spg_place_result *ret)
{
	size_t n_by_name = 0;

	for (size_t i = 0; i < offer->places.n; i++) {
		const struct spg_module *module =
			spg_module_set_find(offer->installed, offer->places.paths[i]);
		struct spg_expected_match match = {NULL, 0, 0, 0};

		ret[i] = (struct spg_place_result){NOT_KNOWN, 0, 0};
		if (!module)
			continue;
		ret[i].state = (unsigned char)compare(offer, module, &match);
		ret[i].first = match.first;
		ret[i].n = match.n;
		n_by_name += match.of > 1;
	}
	return n_by_name;
}

static enum offer offer_of(unsigned char state)
{
	return state == SPG_PLACE_MISSING   ? NEW
	       : state == SPG_PLACE_VARIANT ? VARIANT
	                                    : (enum offer)state;
}

json_t *spg_render_offers(const struct spg_offer *offer)
{
	size_t n = offer->expected->n, n_by_name;
	unsigned char *states = calloc(n + 1, 1);
	struct spg_place_result *results =
		calloc(offer->places.n + 1, sizeof(*results));
	json_int_t counts[OFFERS] = {0};
	json_t *out = json_object();
	int r = -1;

	if (states && results) {
		n_by_name = compare_all(offer, results);
		r = spg_placement_states(&offer->places.placement, results, states);
		r |= json_object_set_new(
			out, "by_name", json_integer((json_int_t)n_by_name));
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		if (spg_placement_concerns(&offer->places.placement, i))
			counts[offer_of(states[i])]++;
	for (int i = UNTOUCHED + 1; r == 0 && i < OFFERS; i++)
		r |= json_object_set_new(out, names[i], json_integer(counts[i]));
	free(results);
	free(states);
	return spg_render_done(out, r);
}
