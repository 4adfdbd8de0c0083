/* SPDX-License-Identifier: MIT */
/* Installed files against the service pack's. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/absent.h"
#include "daemon/install/fit/parts.h"

#define VERSIONS_TOLD 3   /* of one name, in a text */
#define CONTENTS_MAX  256 /* of one name, compared */

static struct spg_fit_text base_of(const char *name)
{
	const char *base = spg_path_base(name);

	return (struct spg_fit_text){base, strlen(base)};
}

/* ---- the payload by name ---- */

static int compare_payload(const void *a, const void *b, void *user)
{
	const struct spg_fit_question *question = user;
	size_t one = *(const size_t *)a, two = *(const size_t *)b;
	int order = spg_fit_compare(base_of(question->payload[one].name),
		base_of(question->payload[two].name), true);

	/* Variants of one name stand together also where the case matters. */
	if (order == 0)
		order = strcmp(
			question->payload[one].name, question->payload[two].name);
	return order ? order : (one > two) - (one < two);
}

int spg_fit_sort_payload(struct spg_fit_work *work)
{
	size_t n = work->question->n_payload;

	work->payload = calloc(n + 1, sizeof(work->payload[0]));
	if (!work->payload)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		work->payload[i] = i;
	qsort_r(work->payload, n, sizeof(work->payload[0]), compare_payload,
		(void *)work->question);
	return 0;
}

/* Names that differ in case alone stand together. */
size_t spg_fit_payload_find(
	const struct spg_fit_work *work, struct spg_fit_text name, bool fold)
{
	const struct spg_fit_payload *payload = work->question->payload;
	size_t low = 0, n = work->question->n_payload, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spg_fit_compare(base_of(payload[work->payload[middle]].name), name,
			    true) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n; low++) {
		struct spg_fit_text found = base_of(payload[work->payload[low]].name);

		if (spg_fit_compare(found, name, true) != 0)
			break;
		if (spg_fit_compare(found, name, fold) == 0)
			return low;
	}
	return SPG_FIT_NONE;
}

/* ---- one installed file ---- */

/* "5.5.2650.24" as numbers; what is missing or no number is 0. */
static void parse_version(const char *text, unsigned long to[4])
{
	for (size_t i = 0; i < 4; i++) {
		char *end;

		to[i] = strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
}

static int compare_versions(const char *a, const char *b)
{
	unsigned long one[4], two[4];

	parse_version(a, one);
	parse_version(b, two);
	for (size_t i = 0; i < 4; i++)
		if (one[i] != two[i])
			return one[i] < two[i] ? -1 : 1;
	return 0;
}

/* What the files of the pack that it may be say about an installed file. */
struct comparison {
	bool compared;            /* something could be compared */
	bool older, newer, equal; /* than one of them */
	const char *versions[VERSIONS_TOLD];
	size_t n_versions, n_contents;
	size_t first_same, n_same; /* which of the candidates it is */
};

static void note_version(struct comparison *comparison, const char *version)
{
	for (size_t i = 0; i < comparison->n_versions; i++)
		if (compare_versions(comparison->versions[i], version) == 0)
			return;
	if (comparison->n_versions < VERSIONS_TOLD)
		comparison->versions[comparison->n_versions++] = version;
}

/* Returns whether @module is @file. */
static bool compare_file(struct comparison *comparison,
	const struct spg_fit_module *module, const char *version,
	const struct spg_fit_payload *file)
{
	bool digests = module->sha256 && file->sha256, same;
	int order;

	same = digests && strcasecmp(module->sha256, file->sha256) == 0;
	comparison->compared |= digests;
	if (!version || !file->version)
		return same;
	order = compare_versions(version, file->version);
	comparison->compared = true;
	comparison->older |= order < 0;
	comparison->newer |= order > 0;
	comparison->equal |= order == 0;
	note_version(comparison, file->version);
	/* Without digests the version decides. */
	return same || (order == 0 && !digests);
}

static bool is_text(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

static bool is_one_content(
	const struct spg_fit_payload *a, const struct spg_fit_payload *b)
{
	return is_text(a->sha256, b->sha256) &&
	       (a->sha256 || is_text(a->version, b->version));
}

static void compare_choice(const struct spg_fit_work *work, size_t index,
	const char *version, struct comparison *comparison)
{
	const struct spg_placement *placement = &work->placement;
	const struct spg_place_choice *choice = &placement->installed[index];
	const struct spg_fit_payload *payload = work->question->payload, *last = NULL;

	for (size_t i = 0; i < choice->n; i++) {
		size_t at = choice->first + i;
		const struct spg_fit_payload *file =
			&payload[placement->candidates[at]];

		if (last && is_one_content(last, file)) {
			comparison->n_same +=
				comparison->n_same > 0 &&
				comparison->first_same + comparison->n_same == at;
			continue;
		}
		last = file;
		/* Nobody makes so many; whoever does is told that nothing is known. */
		if (++comparison->n_contents > CONTENTS_MAX)
			break;
		if (compare_file(comparison, &work->question->modules[index], version,
			    file) &&
			comparison->n_same == 0) {
			comparison->first_same = at;
			comparison->n_same = 1;
		}
	}
}

static int tell_different(struct spg_fit_work *work, size_t index, const char *version,
	const struct comparison *comparison)
{
	enum spg_finding_kind kind = SPG_FINDING_NOT_PAYLOAD;
	struct spg_buf text = SPG_BUF_NULL;

	if (comparison->older && !comparison->newer && !comparison->equal)
		kind = SPG_FINDING_OLDER;
	else if (comparison->newer && !comparison->older && !comparison->equal)
		kind = SPG_FINDING_NEWER;
	spg_text_escape(&text, work->question->modules[index].name, false);
	if (comparison->equal) {
		spg_buf_printf(&text,
			" is %s as in the service pack, but its content is another",
			version);
	} else if (comparison->n_versions) {
		spg_buf_printf(&text, " is %s, the service pack has ", version);
		for (size_t i = 0; i < comparison->n_versions; i++) {
			spg_buf_puts(&text, i ? " or " : "");
			spg_text_escape(&text, comparison->versions[i], false);
		}
	} else {
		spg_buf_puts(&text, " has another content than in the service pack");
	}
	if (comparison->n_contents > 1)
		spg_buf_printf(&text, " (one of %zu: no folder tells which)",
			comparison->n_contents);
	return spg_fit_add_payload(work, kind, index, comparison->n_contents,
		comparison->n_versions ? comparison->versions[0] : NULL, &text);
}

/* What an installed file adds to the state of the pack's. */
enum { UNKNOWN = 1, SAME, DIFFERENT };

static int check_installed(
	struct spg_fit_work *work, size_t index, struct spg_place_result *ret)
{
	const struct spg_fit_module *module = &work->question->modules[index];
	char buf[SPG_BINARY_VERSION_TEXT_BYTES];
	const char *version = spg_fit_module_version(module, buf);
	struct comparison comparison = {0};

	if (work->placement.installed[index].n == 0)
		return 0;
	compare_choice(work, index, version, &comparison);
	work->fit->n_by_name += comparison.n_contents > 1;
	*ret = (struct spg_place_result){
		UNKNOWN, comparison.first_same, comparison.n_same};
	if (comparison.n_contents == 1) {
		ret->first = work->placement.installed[index].first;
		ret->n = work->placement.installed[index].n;
	}
	if (comparison.n_same > 0)
		ret->state = SAME;
	else if (comparison.compared && comparison.n_contents <= CONTENTS_MAX)
		ret->state = DIFFERENT;
	return ret->state == DIFFERENT
	               ? tell_different(work, index, version, &comparison)
	               : 0;
}

static void count_states(struct spg_fit_work *work, const unsigned char *states)
{
	struct spg_fit *fit = work->fit;

	for (size_t i = 0; i < work->question->n_payload; i++) {
		if (!spg_placement_concerns(&work->placement, i))
			continue;
		fit->n_payload++;
		fit->n_missing += states[i] == SPG_PLACE_MISSING;
		fit->n_variants += states[i] == SPG_PLACE_VARIANT;
		fit->n_same += states[i] == SAME;
		fit->n_different += states[i] == DIFFERENT;
	}
}

/* What is not there, although it should. */
static int find_absent(
	struct spg_fit_work *work, const struct spg_placement_question *question)
{
	bool *foreign = calloc(question->n_offered + 1, sizeof(*foreign));
	struct spg_absent *absent = NULL;
	size_t n = 0;
	int err = SPG_ERR_NOMEM;

	for (size_t i = 0; foreign && i < question->n_offered; i++)
		foreign[i] = work->question->payload[i].foreign;
	if (foreign)
		err = spg_absent_find(&work->placement, question, foreign, &absent, &n);
	for (size_t i = 0; err == 0 && i < n; i++) {
		struct spg_buf text = SPG_BUF_NULL;

		spg_absent_tell(&text, question, &absent[i]);
		err = spg_fit_add_absent(work,
			spg_absent_path(&work->placement, question, &absent[i]),
			work->question->payload[absent[i].offered].version, &text);
	}
	free(absent);
	free(foreign);
	return err;
}

static int compare_payload_files(
	struct spg_fit_work *work, const struct spg_placement_question *placed)
{
	unsigned char *states = calloc(placed->n_offered + 1, 1);
	struct spg_place_result *results =
		calloc(placed->n_installed + 1, sizeof(*results));
	int err = states && results ? 0 : SPG_ERR_NOMEM;

	if (err == 0)
		err = spg_placement_make(&work->placement, placed);
	for (size_t i = 0; err == 0 && i < placed->n_installed; i++)
		err = check_installed(work, i, &results[i]);
	if (err == 0)
		err = spg_placement_states(&work->placement, results, states);
	if (err == 0)
		count_states(work, states);
	free(results);
	free(states);
	return err == 0 ? find_absent(work, placed) : err;
}

int spg_fit_against_payload(struct spg_fit_work *work)
{
	const struct spg_fit_question *q = work->question;
	const char **offered = calloc(q->n_payload + 1, sizeof(*offered));
	const char **installed = calloc(q->n_modules + 1, sizeof(*installed));
	int err = offered && installed ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; err == 0 && i < q->n_payload; i++)
		offered[i] =
			q->payload[i].path ? q->payload[i].path : q->payload[i].name;
	for (size_t i = 0; err == 0 && i < q->n_modules; i++)
		installed[i] = q->modules[i].path;
	if (err == 0 && q->n_payload > 0)
		err = compare_payload_files(
			work, &(struct spg_placement_question){offered, q->n_payload,
				      installed, q->n_modules, q->directories,
				      q->n_directories, q->ignore_case, q->flat});
	free(offered);
	free(installed);
	return err;
}
