/* SPDX-License-Identifier: MIT */
/*
 * Random surveys: whatever a backend says, "safe" means what it must mean. The
 * seed is printed; SPG_TEST_SEED repeats a run.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "daemon/model/judge.h"
#include "daemon/model/verdict.h"
#include "tests/support/suite.h"
#include "tests/unit/model_help.h"

#define ROUNDS 5000

static uint64_t seed;

/* xorshift64*: the same numbers on every machine. */
static unsigned draw(uint64_t *state, unsigned below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (unsigned)((*state * 0x2545f4914f6cdd1du) >> 33) % below;
}

static const char *const names[] = {
	"a.dll", "B.dll", "b.DLL", "Mdbperf.dll", "readme.txt", "/srv/system32/a.dll"};
static const char *const whom[] = {"perfmon", "store", "dsamain", "evil", "init"};

/* One in @n. */
static bool rarely(uint64_t *state, unsigned n)
{
	return draw(state, n) == 0;
}

static struct spg_observation *make_survey(struct spg_product *product, uint64_t *state)
{
	static const char *const census[] = {
		"free", "free", "free", "free", "busy", "unknown"};
	static const char *const presence[] = {"", "", "", "replaced", "gone"};
	struct spg_buf script = SPG_BUF_NULL;
	struct spg_observation *obs;
	unsigned n_files = draw(state, 5);

	for (unsigned i = 0; i < n_files; i++)
		spg_buf_printf(&script, "file %s %s %s %s %s %s;",
			names[draw(state, 6)], census[draw(state, 6)],
			presence[draw(state, 5)],
			rarely(state, 8) ? "unattributed" : "",
			rarely(state, 8) ? "shared" : "",
			rarely(state, 2) ? "asked-otherwise" : "");
	if (rarely(state, 4))
		spg_buf_puts(&script, "hidden dark;");
	if (rarely(state, 4))
		spg_buf_puts(&script, "uncounted;");
	if (rarely(state, 6))
		spg_buf_printf(&script, "lack * %s x;",
			rarely(state, 2) ? "blinds" : "harmless");
	obs = help_observe(product, SPG_SURVEY_FULL, 100, spg_buf_text(&script));
	spg_buf_finish(&script);
	/* By index: names repeat. */
	for (size_t i = 0; i < obs->n_files; i++) {
		struct spg_process *process = help_process(whom[draw(state, 5)]);
		struct spg_seen_lock lock = {.file = i,
			.state = rarely(state, 2) ? SPG_LOCK_HELD : SPG_LOCK_WAITING,
			.process = rarely(state, 3) ? NULL : process};

		if (rarely(state, 3))
			spg_observation_add_use(obs, i, process, 1 + draw(state, 63));
		if (rarely(state, 8))
			spg_observation_add_lock(obs, &lock);
		if (rarely(state, 10))
			spg_observation_add_lack(obs,
				&(struct spg_lack){.kind = SPG_LACK_FILE,
					.file = i,
					.blinds = rarely(state, 2),
					.remedy = {"z", NULL}},
				"why");
		spg_process_unref(process);
	}
	return obs;
}

static bool is_selected(const struct spg_selection *selection, const char *path)
{
	if (!selection)
		return spg_name_match("*.dll", spg_path_base(path), true);
	for (size_t i = 0; i < selection->n_names; i++)
		if (spg_name_equal(selection->names[i], path, true) ||
			spg_name_equal(selection->names[i], spg_path_base(path), true))
			return true;
	return false;
}

/* Old versions by their name, where the survey says that it is their directory. */
static bool is_judged(
	const struct spg_selection *selection, const struct spg_seen_file *seen)
{
	const char *name = spg_path_base(seen->file->path);

	for (size_t i = 0; selection && i < selection->n_names; i++)
		if (seen->presence == SPG_REPLACED && seen->asked_otherwise &&
			selection->names[i][0] == '/' &&
			spg_name_equal(spg_path_base(selection->names[i]), name, true))
			return true;
	return is_selected(selection, seen->file->path);
}

static bool is_stopped_by_setup(const struct spg_process *process)
{
	return process && (spg_proc_id_equal(process->id, help_id("store")) ||
				  spg_proc_id_equal(process->id, help_id("dsamain")));
}

/* Nothing here knows how verdict.c comes to its answer. */
static bool may_be_safe(
	const struct spg_observation *obs, const struct spg_selection *selection)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_seen_file *seen = &obs->files[i];
		bool held = false;

		if (seen->presence == SPG_GONE || !is_judged(selection, seen))
			continue;
		n++;
		for (size_t u = 0; u < obs->n_uses; u++) {
			if (obs->uses[u].file != i)
				continue;
			held = true;
			if (!is_stopped_by_setup(obs->uses[u].process))
				return false;
		}
		for (size_t l = 0; l < obs->n_locks; l++) {
			const struct spg_seen_lock *lock = &obs->locks[l];

			if (lock->file != i)
				continue;
			if (lock->process && !is_stopped_by_setup(lock->process))
				return false;
			if (!lock->process && lock->state == SPG_LOCK_HELD)
				return false;
			held = held || lock->process;
		}
		if (seen->unattributed || seen->in_use == SPG_IN_USE_UNKNOWN)
			return false;
		if (seen->in_use == SPG_IN_USE_YES && !held)
			return false;
		if (held && (!obs->counted || seen->shared))
			return false;
	}
	for (size_t i = 0; i < obs->n_lacks; i++) {
		size_t file = obs->lacks[i].file;

		if (obs->lacks[i].blinds &&
			(file == SPG_NO_FILE ||
				is_selected(selection, obs->files[file].file->path)))
			return false;
	}
	return n > 0;
}

static void check_one(struct spg_product *product, uint64_t *state, unsigned counts[])
{
	char *asked[3];
	struct spg_selection selection = {.names = asked, .n_names = draw(state, 4)};
	const struct spg_selection *selects = rarely(state, 2) ? &selection : NULL;
	struct spg_verdict verdict = SPG_VERDICT_NULL;
	struct spg_observation *obs = make_survey(product, state);
	size_t n_blocked = 0, n_judged = 0;

	for (size_t i = 0; i < selection.n_names; i++) {
		asked[i] = strdup(names[draw(state, 6)]);
		ck_assert_ptr_nonnull(asked[i]);
	}
	ck_assert_int_eq(spg_verdict_judge(obs, selects, NULL, &verdict), 0);
	counts[verdict.kind]++;
	/* Both ways: never safe without reason, and no needless alarm. */
	ck_assert_msg((verdict.kind == SPG_VERDICT_SAFE) == may_be_safe(obs, selects),
		"seed %" PRIu64 ": judged %s", seed, spg_verdict_name(verdict.kind));
	for (size_t i = 0; i < verdict.n_files; i++) {
		n_blocked += verdict.files[i].state == SPG_FILE_BLOCKED;
		n_judged += verdict.files[i].state != SPG_FILE_MISSING;
	}
	ck_assert_uint_eq(verdict.counts.blocked, n_blocked);
	ck_assert_uint_eq(verdict.counts.files, n_judged);
	ck_assert_int_eq(verdict.kind == SPG_VERDICT_BLOCKED, n_blocked > 0);
	ck_assert_uint_le(verdict.counts.unattributed, n_blocked);
	/* Whoever is told "blocked" is told why and what to do. */
	if (n_blocked > 0)
		ck_assert(verdict.reasons.n > 0 && verdict.next.n > 0);
	if (verdict.kind == SPG_VERDICT_SAFE)
		ck_assert_uint_eq(verdict.reasons.n, 0);
	spg_verdict_finish(&verdict);
	spg_observation_destroy(obs);
	for (size_t i = 0; i < selection.n_names; i++)
		free(asked[i]);
}

START_TEST(never_safe_without_reason)
{
	struct spg_product *product = help_product();
	unsigned counts[SPG_VERDICT_KINDS] = {0};
	uint64_t state = seed;

	for (int i = 0; i < ROUNDS; i++)
		check_one(product, &state, counts);
	/* The drawing reaches each answer. */
	ck_assert_uint_gt(counts[SPG_VERDICT_SAFE], ROUNDS / 20);
	ck_assert_uint_gt(counts[SPG_VERDICT_BLOCKED], ROUNDS / 20);
	ck_assert_uint_gt(counts[SPG_VERDICT_UNKNOWN], ROUNDS / 20);
	spg_product_unref(product);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("verdict-random");
	const char *given = getenv("SPG_TEST_SEED");

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)spg_clock_wall_ns();
	if (seed == 0)
		seed = 1;
	printf("# seed %" PRIu64 "\n", seed);
	fflush(stdout);
	tcase_add_test(tc, never_safe_without_reason);
	return spg_run_suite("verdict-random", tc);
}
