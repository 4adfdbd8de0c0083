/* SPDX-License-Identifier: MIT */
/* What steps aside that the journal has mean for verdicts, from the first one on. */
#include "daemon/install/sidestep/sidestep.h"

#include <check.h>

#include "daemon/model/install_status.h"
#include "tests/support/suite.h"

static const struct {
	enum spg_sidestep_state state;
	bool missing, unsure;
} rows[] = {
	{SPG_SIDESTEP_PLANNED, false, true},
	{SPG_SIDESTEP_RENAMED, true, false},
	{SPG_SIDESTEP_FINISHED, false, false},
};

/* Nothing has been put right yet. */
START_TEST(counts_from_the_start)
{
	struct spg_sidestep record = {.id = 7,
		.product = "app",
		.path = "/srv/bin/a.dll",
		.old_path = "/srv/bin/a.old",
		.file = {.dev = 1, .ino = 2},
		.state = rows[_i].state};
	struct spg_store_records records = {.sidesteps = &record, .n_sidesteps = 1};
	struct spg_model *model = spg_model_create(0);
	struct spg_sidesteps_host host = {.model = model, .records = &records};
	struct spg_sidesteps *sidesteps = spg_sidesteps_create(&host);
	struct spg_standing standing = SPG_STANDING_NULL;

	ck_assert_ptr_nonnull(sidesteps);
	ck_assert_int_eq(spg_sidesteps_add_standing(sidesteps, "other", &standing), 0);
	ck_assert_uint_eq(standing.n_aside, 0);
	ck_assert_int_eq(spg_sidesteps_add_standing(sidesteps, "app", &standing), 0);
	ck_assert_uint_eq(standing.n_aside, 1);
	ck_assert_int_eq(standing.aside[0].number, 7);
	ck_assert_str_eq(standing.aside[0].path, record.path);
	ck_assert_int_eq(standing.aside[0].missing, rows[_i].missing);
	ck_assert_int_eq(standing.aside[0].unsure, rows[_i].unsure);
	spg_standing_finish(&standing);
	spg_sidesteps_destroy(sidesteps);
	spg_model_destroy(model);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sidestep-standing");

	spg_add_rows(tc, counts_from_the_start, rows);
	return spg_run_suite("sidestep-standing", tc);
}
