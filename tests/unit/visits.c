/* SPDX-License-Identifier: MIT */
/* Who came lately: returns, starts, and who opened a file last. */
#include "daemon/model/visits.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

#define S SPG_NS_PER_S

/* What happens, a letter and a digit each: a process (its digit) Opens, Closes, is found
 * by a survey to Use the file, or to have Let it go; a blank is a second. ',' ends a
 * survey. */
static const struct {
	const char *happens;
	const char *tells; /* of a survey that finds the file busy, without a user */
} rows[] = {
	{"", ""},
	{"U1,", ""},
	{"U1, L1, ", ""},
	/* One that lets go and takes it again has not come back. */
	{"U1, L1, U1,", ""},
	{"U1, L1U2,", "came-back 1;"},
	{"U1, L1, U2,", "came-back 1;"},
	{"U1, L1, U2, L2, U3, L3, ", "came-back 2;"},
	/* Another worker, while one stays. */
	{"U1U2, L1U3, L2U4,", ""},
	{"U1U2, L1, L2, U3U4,", "came-back 1;"},
	{"O1 C1 O2 C2 O3 C3 O4 C4 ", ""},
	{"O1C1O2C2O3C3O4C4O5C5", "keeps-starting 5;"},
	/* Two that take turns have started once. */
	{"O1C1O2C2O1C1O2C2O1C1O2C2O1C1O2C2", ""},
	/* Who was started long ago is forgotten. */
	{"O1C1O2C2O3C3O4C4                                                             "
	 " "
	 "        O5C5",
		""},
	{"O1", "opened-last 1;"},
	{"O1 O2", "opened-last 2;"},
	{"O1 O2 C2", "opened-last 1;"},
	{"O1 O2 C1 C2", ""},
};

static struct spg_process *make(char digit)
{
	int number = digit - '0';

	return spg_process_create(&(struct spg_process_info){
		.id = {100 + number, (uint64_t)number}, .name = "probe"});
}

static struct spg_event *happen(char what, struct spg_file *file, char digit)
{
	static const char letters[] = "OCUL";
	static const enum spg_event_kind kinds[] = {SPG_EVENT_OPEN, SPG_EVENT_CLOSE,
		SPG_EVENT_USE_BEGIN, SPG_EVENT_USE_END};
	struct spg_process *process = make(digit);
	struct spg_event *event = spg_event_create(
		kinds[strchr(letters, what) - letters], S, file, process);

	ck_assert_ptr_nonnull(event);
	spg_process_unref(process);
	return event;
}

static void play(struct spg_visits *visits, struct spg_file *file, const char *happens,
	int64_t *now_ns)
{
	struct spg_event_list survey = SPG_EVENT_LIST_NULL;

	for (const char *p = happens; *p; p++) {
		struct spg_event *event;

		if (*p == ' ') {
			*now_ns += S;
			continue;
		}
		if (*p == ',') {
			spg_visits_note_changes(
				visits, survey.events, survey.n, *now_ns);
			spg_event_list_finish(&survey);
			continue;
		}
		event = happen(p[0], file, p[1]);
		if (*p == 'O' || *p == 'C') {
			spg_visits_note(visits, event, *now_ns);
			spg_event_unref(event);
		} else {
			ck_assert_int_eq(spg_event_list_add(&survey, event), 0);
		}
		p++;
	}
	ck_assert_uint_eq(survey.n, 0);
}

static void put_past(char *text, size_t size, const struct spg_seen_past *past)
{
	static const char *const names[] = {
		"came-back", "keeps-starting", "opened-last"};
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s %u;", names[past->kind],
		past->kind == SPG_PAST_OPENED_LAST
			? (unsigned)past->process->id.pid - 100
			: past->count);
}

START_TEST(what_is_told)
{
	struct spg_product *product = help_product();
	struct spg_observation *obs = help_observe(
		product, SPG_SURVEY_FULL, 1, "file a.dll busy unattributed");
	struct spg_visits visits = {0};
	int64_t now_ns = 1000 * S;
	char told[256] = "";

	play(&visits, obs->files[0].file, rows[_i].happens, &now_ns);
	ck_assert_int_eq(spg_visits_tell(&visits, obs, now_ns), 0);
	for (size_t i = 0; i < obs->n_pasts; i++)
		put_past(told, sizeof(told), &obs->pasts[i]);
	ck_assert_str_eq(told, rows[_i].tells);
	spg_visits_finish(&visits);
	spg_visits_finish(&visits);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* How long one that keeps coming back stays away: the longest time, while it is away. */
START_TEST(how_long_it_stays_away)
{
	static const struct {
		const char *happens;
		int64_t away_ns;
	} times[] = {
		{"U1, L1,   U2, L2,", 0}, /* it came back once */
		{"U1, L1,   U2, L2,     U3, L3,", 5 * S},
		{"U1, L1,   U2, L2,     U3,", 0},
		{"U1, L1,                                U2, L2,  U3, L3,", 0},
	};
	struct spg_file *file =
		spg_file_create("/srv/bin/a.dll", (struct spg_file_id){1, 1});

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct spg_visits visits = {0};
		int64_t now_ns = 1000 * S;

		play(&visits, file, times[i].happens, &now_ns);
		ck_assert_int_eq(spg_visits_away_ns(&visits, now_ns), times[i].away_ns);
		spg_visits_finish(&visits);
	}
	spg_file_unref(file);
}
END_TEST

/* More programs than there is room for: those that use something now stay. */
START_TEST(room)
{
	struct spg_file *file =
		spg_file_create("/srv/bin/a.dll", (struct spg_file_id){1, 1});
	struct spg_visits visits = {0};
	int64_t now_ns = 1000 * S;

	play(&visits, file, "U1,", &now_ns);
	for (int i = 0; i < 3 * SPG_VISITORS; i++) {
		char name[16];
		struct spg_process *process;
		struct spg_event *event;

		snprintf(name, sizeof(name), "other%d", i);
		process = spg_process_create(&(struct spg_process_info){
			.id = {1000 + i, (uint64_t)i}, .name = name});
		event = spg_event_create(SPG_EVENT_OPEN, S, file, process);
		spg_visits_note(&visits, event, ++now_ns);
		spg_event_unref(event);
		spg_process_unref(process);
	}
	ck_assert_str_eq(visits.visitors[0].process->name, "probe");
	ck_assert_uint_eq(visits.visitors[0].n_uses, 1);
	spg_visits_finish(&visits);
	spg_file_unref(file);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("visits");

	spg_add_rows(tc, what_is_told, rows);
	tcase_add_test(tc, how_long_it_stays_away);
	tcase_add_test(tc, room);
	return spg_run_suite("visits", tc);
}
