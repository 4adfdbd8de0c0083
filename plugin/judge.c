/* SPDX-License-Identifier: MIT */
#include "plugin/judge.h"

#include <string.h>
#include <strings.h>

#include "client/output.h"
#include "common/clock.h"

static const char *const names[] = {
	[SPG_STATE_OK] = "OK",
	[SPG_STATE_WARNING] = "WARNING",
	[SPG_STATE_CRITICAL] = "CRITICAL",
	[SPG_STATE_UNKNOWN] = "UNKNOWN",
};

#define N_STATES (sizeof(names) / sizeof(names[0]))

static const int badness[] = {
	[SPG_STATE_OK] = 0,
	[SPG_STATE_WARNING] = 1,
	[SPG_STATE_UNKNOWN] = 2,
	[SPG_STATE_CRITICAL] = 3,
};

const char *spg_state_name(enum spg_state state)
{
	return names[state];
}

bool spg_state_parse(const char *text, enum spg_state *ret)
{
	for (size_t i = 0; i < N_STATES; i++) {
		if (strcasecmp(text, names[i]) == 0 ||
			(text[0] == (char)('0' + i) && !text[1])) {
			*ret = (enum spg_state)i;
			return true;
		}
	}
	return false;
}

enum spg_state spg_state_worse(enum spg_state a, enum spg_state b)
{
	return badness[a] >= badness[b] ? a : b;
}

static enum spg_state by_ranges(
	const struct spg_range *warning, const struct spg_range *critical, double value)
{
	if (spg_range_alerts(critical, value))
		return SPG_STATE_CRITICAL;
	return spg_range_alerts(warning, value) ? SPG_STATE_WARNING : SPG_STATE_OK;
}

/* Why an answer with @verdict is no proof; NULL: it is one. */
static const char *find_fault(
	const struct spg_judgement *judgement, const char *verdict)
{
	const json_t *proof = json_object_get(judgement->answer, "proof");

	if (judgement->files < 0 || judgement->blocked < 0 ||
		judgement->blocked > judgement->files)
		return "its numbers of files make no sense";
	if (strcmp(verdict, "safe") != 0 && strcmp(verdict, "attention") != 0)
		return NULL;
	if (judgement->files == 0 && strcmp(verdict, "safe") == 0)
		return "not one file was looked at";
	if (!spg_json_true(proof, "complete"))
		return "it says so without a complete proof";
	if (judgement->blocked > 0)
		return "it says so although files are blocked";
	return judgement->has_age ? NULL : "it says so without the time of the proof";
}

static enum spg_state of_verdict(const char *verdict)
{
	if (strcmp(verdict, "safe") == 0)
		return SPG_STATE_OK;
	if (strcmp(verdict, "attention") == 0)
		return SPG_STATE_WARNING;
	return strcmp(verdict, "blocked") == 0 ? SPG_STATE_CRITICAL : SPG_STATE_UNKNOWN;
}

/* The ranges are about the number of blocked files: what else there is stays. */
static enum spg_state of_answer(const char *verdict, const struct spg_limits *limits,
	struct spg_judgement *judgement)
{
	const char *without_blocked =
		spg_json_text(judgement->answer, "without_blocked");

	if (strcmp(verdict, "blocked") != 0 || judgement->blocked == 0 ||
		(!limits->blocked_warning.text && !limits->blocked_critical.text))
		return of_verdict(verdict);
	judgement->without_blocked = without_blocked ? without_blocked : "not told";
	judgement->accepted = strcmp(judgement->without_blocked, "safe") == 0;
	return of_verdict(judgement->without_blocked);
}

void spg_judge(const json_t *answer, const struct spg_limits *limits, int64_t now_ns,
	struct spg_judgement *ret)
{
	const json_t *counts = json_object_get(answer, "counts");
	const char *verdict = spg_json_text(answer, "verdict");
	int64_t at_ns = spg_json_time(answer, "at");
	struct spg_judgement judgement = {
		.answer = answer,
		.has_age = at_ns > 0,
		.files = spg_json_number(counts, "files"),
		.blocked = spg_json_number(counts, "blocked"),
	};
	enum spg_state by_blocked, by_age = SPG_STATE_OK;

	if (judgement.has_age)
		judgement.age_s = (double)(now_ns - at_ns) / (double)SPG_NS_PER_S;
	judgement.fault =
		verdict ? find_fault(&judgement, verdict) : "it has no verdict";
	if (judgement.files < 0 || judgement.blocked < 0)
		judgement.files = judgement.blocked = 0; /* and the fault says why */
	judgement.state = judgement.fault ? SPG_STATE_UNKNOWN
	                                  : of_answer(verdict, limits, &judgement);
	by_blocked = by_ranges(&limits->blocked_warning, &limits->blocked_critical,
		(double)judgement.blocked);
	judgement.accepted = judgement.accepted && by_blocked == SPG_STATE_OK;
	judgement.state = spg_state_worse(judgement.state, by_blocked);
	if (judgement.has_age)
		by_age = by_ranges(
			&limits->age_warning, &limits->age_critical, judgement.age_s);
	judgement.age_alerts = by_age != SPG_STATE_OK;
	judgement.state = spg_state_worse(judgement.state, by_age);
	*ret = judgement;
}
