/* SPDX-License-Identifier: MIT */
/* Installed files against the service pack's. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/install/fit/parts.h"

#define VERSIONS_TOLD 3 /* of one name, in a text */

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

/* What the variants of one name say about an installed file. */
struct comparison {
	bool named;               /* there are variants */
	bool same;                /* one of them is it */
	bool compared;            /* something could be compared */
	bool older, newer, equal; /* than one of them */
	const char *versions[VERSIONS_TOLD];
	size_t n_versions;
};

static void note_version(struct comparison *comparison, const char *version)
{
	for (size_t i = 0; i < comparison->n_versions; i++)
		if (compare_versions(comparison->versions[i], version) == 0)
			return;
	if (comparison->n_versions < VERSIONS_TOLD)
		comparison->versions[comparison->n_versions++] = version;
}

static void compare_variant(struct comparison *comparison,
	const struct spg_fit_module *module, const char *version,
	const struct spg_fit_payload *file)
{
	int order;

	comparison->named = true;
	if (module->sha256 && file->sha256) {
		comparison->compared = true;
		if (strcasecmp(module->sha256, file->sha256) == 0)
			comparison->same = true;
	}
	if (!version || !file->version)
		return;
	order = compare_versions(version, file->version);
	comparison->compared = true;
	comparison->older |= order < 0;
	comparison->newer |= order > 0;
	comparison->equal |= order == 0;
	/* Without digests the version decides. */
	if (order == 0 && !(module->sha256 && file->sha256))
		comparison->same = true;
	note_version(comparison, file->version);
}

/* @file is called like @module; where it has a path, that counts. */
static bool is_meant(const struct spg_fit_question *question,
	const struct spg_fit_module *module, const struct spg_fit_payload *file)
{
	if (file->name[0] == '/')
		return spg_name_equal(file->name, module->path, question->ignore_case);
	return spg_name_equal(file->name, module->name, question->ignore_case);
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
	return spg_fit_add(work, kind, index, NULL, "service pack",
		comparison->n_versions ? comparison->versions[0] : NULL, &text);
}

/* What an installed file adds to the state of a payload's name. */
enum { ABSENT, UNKNOWN, SAME, DIFFERENT };

static int check_installed(
	struct spg_fit_work *work, size_t index, unsigned char *states)
{
	const struct spg_fit_question *question = work->question;
	const struct spg_fit_module *module = &question->modules[index];
	struct spg_fit_text name = base_of(module->name);
	char buf[SPG_PE_VERSION_TEXT_BYTES];
	const char *version = spg_fit_module_version(module, buf);
	struct comparison comparison = {0};
	size_t first = spg_fit_payload_find(work, name, true);
	unsigned char state = UNKNOWN;

	for (size_t at = first; at < question->n_payload; at++) {
		const struct spg_fit_payload *file =
			&question->payload[work->payload[at]];

		if (spg_fit_compare(base_of(file->name), name, true) != 0)
			break;
		if (is_meant(question, module, file))
			compare_variant(&comparison, module, version, file);
	}
	if (!comparison.named)
		return 0;
	if (comparison.same)
		state = SAME;
	else if (comparison.compared)
		state = DIFFERENT;
	for (size_t at = first; at < question->n_payload; at++) {
		size_t entry = work->payload[at];

		if (spg_fit_compare(base_of(question->payload[entry].name), name, true))
			break;
		/* One copy that is wrong makes the name wrong. */
		if (is_meant(question, module, &question->payload[entry]) &&
			state > states[entry])
			states[entry] = state;
	}
	return state == DIFFERENT ? tell_different(work, index, version, &comparison)
	                          : 0;
}

/* Count each name once: variants have the same state. */
static void count_states(struct spg_fit_work *work, const unsigned char *states)
{
	const struct spg_fit_question *question = work->question;

	for (size_t at = 0; at < question->n_payload; at++) {
		size_t entry = work->payload[at];
		const char *name = question->payload[entry].name;

		if (at && spg_name_equal(question->payload[work->payload[at - 1]].name,
				  name, question->ignore_case))
			continue;
		work->fit->n_payload++;
		work->fit->n_missing += states[entry] == ABSENT;
		work->fit->n_same += states[entry] == SAME;
		work->fit->n_different += states[entry] == DIFFERENT;
	}
}

int spg_fit_against_payload(struct spg_fit_work *work)
{
	unsigned char *states = calloc(work->question->n_payload + 1, 1);
	int err = states ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; err == 0 && i < work->question->n_modules; i++)
		err = check_installed(work, i, states);
	if (err == 0)
		count_states(work, states);
	free(states);
	return err;
}
