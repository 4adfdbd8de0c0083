/* SPDX-License-Identifier: MIT */
/*
 * Every member of every vocabulary has a name, which no other member has.
 */
#include "common/kind.h"

#include <check.h>
#include <string.h>

#include "common/note_kind.h"
#include "tests/support/suite.h"

/* A function with an int, since the enumerations differ. */
#define NAMER(function, type)                                                          \
	static const char *name_##function(int i)                                      \
	{                                                                              \
		return function((enum type)i);                                         \
	}

NAMER(spg_event_kind_name, spg_event_kind)
NAMER(spg_lock_kind_name, spg_lock_kind)
NAMER(spg_lock_mode_name, spg_lock_mode)
NAMER(spg_lock_state_name, spg_lock_state)
NAMER(spg_verdict_name, spg_verdict_kind)
NAMER(spg_file_state_name, spg_file_state)
NAMER(spg_use_class_name, spg_use_class)
NAMER(spg_gap_reason_name, spg_gap_reason)
NAMER(spg_install_outcome_name, spg_install_outcome)
NAMER(spg_install_change_name, spg_install_change)
NAMER(spg_sidestep_state_name, spg_sidestep_state)
NAMER(spg_lack_kind_name, spg_lack_kind)
NAMER(spg_lack_kind_what, spg_lack_kind)
NAMER(spg_container_engine_name, spg_container_engine)
NAMER(spg_mechanism_kind_name, spg_mechanism_kind)
NAMER(spg_store_fault_name, spg_store_fault)
NAMER(spg_finding_kind_name, spg_finding_kind)
NAMER(spg_obstacle_kind_name, spg_obstacle_kind)
NAMER(spg_hold_cause_name, spg_hold_cause)
NAMER(spg_verify_verdict_name, spg_verify_verdict)

static const char *name_step(int i)
{
	return spg_note_kind_name((enum spg_note_kind)(SPG_REASON_OTHER + 1 + i));
}

static const char *name_reason(int i)
{
	return spg_note_kind_name((enum spg_note_kind)i);
}

static const char *name_how(int i)
{
	return spg_use_how_name((enum spg_use_how)(1U << i));
}

static const struct {
	const char *(*name)(int i);
	int n;
	bool alike; /* several may have one name */
} vocabularies[] = {
	{name_spg_event_kind_name, SPG_EVENT_KINDS, false},
	{name_how, SPG_USE_HOWS, false},
	{name_spg_lock_kind_name, SPG_LOCK_KINDS, false},
	{name_spg_lock_mode_name, SPG_LOCK_MODES, false},
	{name_spg_lock_state_name, SPG_LOCK_STATES, false},
	{name_spg_verdict_name, SPG_VERDICT_KINDS, false},
	{name_spg_file_state_name, SPG_FILE_STATES, false},
	{name_spg_use_class_name, SPG_CLASSES, false},
	{name_spg_gap_reason_name, SPG_GAP_REASONS, false},
	{name_spg_install_outcome_name, SPG_INSTALL_OUTCOMES, false},
	{name_spg_install_change_name, SPG_CHANGES, false},
	{name_spg_sidestep_state_name, SPG_SIDESTEP_STATES, false},
	{name_spg_lack_kind_name, SPG_LACK_N_KINDS, false},
	{name_spg_lack_kind_what, SPG_LACK_N_KINDS, true},
	{name_spg_container_engine_name, SPG_CONTAINER_OTHER + 1, false},
	{name_spg_mechanism_kind_name, SPG_MECHANISM_N_KINDS, false},
	{name_spg_store_fault_name, SPG_STORE_N_FAULTS, false},
	{name_spg_finding_kind_name, SPG_FINDING_N_KINDS, false},
	{name_spg_obstacle_kind_name, SPG_OBSTACLE_N_KINDS, false},
	{name_spg_hold_cause_name, SPG_HOLD_CAUSE_CONNECTION_ENDED + 1, false},
	{name_spg_verify_verdict_name, SPG_VERIFY_MIXED + 1, false},
	{name_reason, SPG_REASON_OTHER + 1, false},
	{name_step, SPG_STEP_OTHER - SPG_REASON_OTHER, false},
};

START_TEST(names)
{
	const char *(*name)(int i) = vocabularies[_i].name;

	for (int i = 0; i < vocabularies[_i].n; i++) {
		ck_assert_ptr_nonnull(name(i));
		ck_assert_str_ne(name(i), "?");
		for (int k = 0; k < i && !vocabularies[_i].alike; k++)
			ck_assert_str_ne(name(i), name(k));
	}
	ck_assert_str_eq(name_spg_event_kind_name(SPG_EVENT_KINDS), "?");
	ck_assert_str_eq(name_spg_event_kind_name(-1), "?");
}
END_TEST

START_TEST(from_names)
{
	for (int i = 0; i < SPG_NOTE_KINDS; i++) {
		const char *name = spg_note_kind_name((enum spg_note_kind)i);

		ck_assert_int_eq(i <= SPG_REASON_OTHER ? spg_reason_kind_from_name(name)
						       : spg_step_kind_from_name(name),
			i);
	}
	for (int i = 0; i < SPG_LACK_N_KINDS; i++)
		ck_assert_int_eq(
			spg_lack_kind_from_name(name_spg_lack_kind_name(i)), i);
	for (int i = 0; i < SPG_MECHANISM_N_KINDS; i++)
		ck_assert_int_eq(
			spg_mechanism_kind_from_name(name_spg_mechanism_kind_name(i)),
			i);
	for (int i = 0; i < SPG_STORE_N_FAULTS; i++)
		ck_assert_int_eq(
			spg_store_fault_from_name(name_spg_store_fault_name(i)), i);
	for (int i = 0; i < SPG_EVENT_KINDS; i++)
		ck_assert_int_eq(
			spg_event_kind_from_name(name_spg_event_kind_name(i)), i);
	ck_assert_int_eq(spg_reason_kind_from_name("stop-unit"), SPG_REASON_OTHER);
	ck_assert_int_eq(spg_step_kind_from_name("in-use"), SPG_STEP_OTHER);
	ck_assert_int_eq(spg_step_kind_from_name(NULL), SPG_STEP_OTHER);
	ck_assert_int_eq(spg_lack_kind_from_name(NULL), -1);
	ck_assert_int_eq(spg_event_kind_from_name("none"), -1);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("kind");

	tcase_add_loop_test(
		tc, names, 0, sizeof(vocabularies) / sizeof(vocabularies[0]));
	tcase_add_test(tc, from_names);
	return spg_run_suite("kind", tc);
}
