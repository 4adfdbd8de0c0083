/* SPDX-License-Identifier: MIT */
/* The end of an install: once all is quiet, what is there is read, and of which packages it
 * is; then it is judged. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/log.h"
#include "daemon/install/aside.h"
#include "daemon/install/outcome.h"
#include "daemon/install/resolution.h"
#include "daemon/install/track.h"
#include "daemon/install/transaction.h"

/* A disk that does not answer: try again. */
#define TRY_AGAIN_MS 5000

void spg_track_set_unresolved(struct spg_track *s, struct spg_install *install)
{
	spg_install_unref(s->unresolved);
	s->unresolved = install;
	s->n_gone = 0;
	if (install)
		return;
	spg_module_set_unref(s->sound);
	s->sound = NULL;
}

static bool has_lost_execution(
	const struct spg_module_set *before, const struct spg_module_set *after)
{
	for (size_t i = 0; i < after->n; i++) {
		const struct spg_module *now = after->modules[i];
		const struct spg_module *then = spg_module_set_find(before, now->path);

		if (then && spg_module_has_lost_execution(then, now))
			return true;
	}
	return false;
}

/* What is amiss began with an install, and every file is again what it was before it. */
static bool is_undone(const struct spg_track *s, const struct spg_module_set *set)
{
	return s->unresolved && s->sound && spg_module_set_is_whole(s->sound) &&
	       spg_module_set_is_whole(set) && !spg_module_set_differs(s->sound, set) &&
	       !has_lost_execution(s->sound, set);
}

static void end_install(struct spg_track *s)
{
	struct spg_install *install = s->install;
	struct spg_tracker *tracker = s->tracker;
	bool mixed = install->outcome == SPG_INSTALL_MIXED;
	const struct spg_log_about about = {
		.id = mixed ? SPG_LOG_ID_INSTALL_MIXED : SPG_LOG_ID_INSTALL_ENDED,
		.product = s->product,
		.outcome = spg_install_outcome_name(install->outcome)};

	s->counts[install->outcome]++;
	spg_log_about(mixed ? SPG_LOG_WARNING : SPG_LOG_NOTICE, &about,
		"install %lld of %s: %s%s%s", (long long)install->id, s->product,
		spg_install_outcome_name(install->outcome),
		install->reasons.n > 0 ? "; " : "",
		install->reasons.n > 0 ? install->reasons.items[0].text : "");
	spg_track_put(s, install);
	spg_track_record(s, SPG_EVENT_INSTALL_END);
	if (!s->unresolved)
		s->sound = spg_module_set_ref(s->before);
	spg_track_set_unresolved(s,
		spg_track_is_to_be_mended(install) ? spg_install_ref(install) : NULL);
	/* Another change is no answer to it. */
	if (install->outcome == SPG_INSTALL_CLEAN && s->by_payload)
		spg_track_drop_expected(s);
	s->by_payload = false;
	s->unseen = false;
	s->doubted = false;
	s->last_by = install->by ? install->by->id : (struct spg_proc_id){0, 0};
	spg_install_unref(s->last);
	s->last = install;
	s->install = NULL;
	spg_module_set_unref(s->last_before);
	s->last_before = s->before;
	s->before = NULL;
	spg_packages_unref(s->owned);
	s->owned = NULL;
	s->phase = PHASE_IDLE;
	uv_timer_stop(&s->timer);
	spg_track_tell(s);
	spg_waiters_wake(&tracker->waiters);
}

/* The payload that a client described is the one only when its files came. */
static bool is_of_the_payload(
	const struct spg_track *s, const struct spg_module_set *after)
{
	size_t n;

	for (size_t i = 0; s->expected.n > 0 && i < s->install->n_files; i++)
		if (spg_expected_find(&s->expected, s->install->files[i].path, &n))
			return true;
	/* What came without an event is no file of the install yet. */
	for (size_t i = 0; s->expected.n > 0 && s->before && i < after->n; i++) {
		const struct spg_module *now = after->modules[i];
		const struct spg_module *then =
			spg_module_set_find(s->before, now->path);

		if ((!then || strcmp(then->sha256, now->sha256) != 0) &&
			spg_expected_find(&s->expected, now->path, &n))
			return true;
	}
	return false;
}

struct users {
	struct spg_install_held *items;
	size_t n, size;
	bool failed;
};

static void note_user(
	void *user, struct spg_file *file, struct spg_process *process, unsigned how)
{
	struct users *users = user;

	if (spg_array_reserve(
		    &users->items, users->n, &users->size, sizeof(*users->items)) < 0) {
		users->failed = true;
		return;
	}
	/* All of it belongs to the model, which does not change meanwhile. */
	users->items[users->n++] = (struct spg_install_held){
		.path = file->path, .process = process, .how = how};
}

static void judge(
	struct spg_track *s, struct spg_module_set *set, struct spg_packages *owned)
{
	const struct spg_model *model = s->tracker->host.model;
	size_t index = (size_t)spg_track_index(s);
	struct users users = {NULL, 0, 0, false};
	struct spg_outcome_failure failures[SPG_TRACK_FAILURES_MAX];
	struct spg_outcome_facts facts = {.product = spg_model_product(model, index),
		.before = s->before,
		.after = set,
		.beside = s->beside,
		.packages = owned,
		.past_lost = s->past_lost,
		.unwatched = s->from_before,
		.found_at_start = s->found_at_start,
		.expected = is_of_the_payload(s, set) ? &s->expected : NULL,
		.previous = s->unresolved,
		.undone = is_undone(s, set),
		.accepted = s->accepted,
		.shown = spg_model_shown(model, index),
		.standing = spg_track_standing(s)};

	facts.failures = failures;
	facts.n_failures = spg_track_find_failures(s, failures);
	facts.starter = spg_track_starter(s);
	s->by_payload = facts.expected != NULL;
	spg_model_each_use(model, index, note_user, &users);
	facts.users = users.items;
	facts.n_users = users.n;
	s->install->ended_ns = s->install->last_ns;
	if (users.failed || spg_outcome_judge(s->install, &facts) < 0) {
		spg_error("an install could not be judged: out of memory");
		s->install->outcome = SPG_INSTALL_UNKNOWN;
	}
	if (owned &&
		spg_transaction_note(s->install, facts.product, s->owned, owned) < 0)
		spg_error(
			"which packages an install brought may be lost: out of memory");
	free(users.items);
	spg_module_set_unref(s->beside);
	s->beside = spg_module_set_ref(set->beside);
	end_install(s);
}

/* What is there, and of which packages it is, is known now. */
static void on_named(void *user, struct spg_packages *packages)
{
	struct spg_track *s = user;
	struct spg_module_set *set = s->found, *whole;

	if (s->tracker->stopping || s->phase != PHASE_NAMING)
		return;
	s->found = NULL;
	if (spg_track_index(s) < 0 || s->n_events != s->n_events_settled) {
		spg_module_set_unref(set);
		spg_track_go_on(s, 0); /* it was a pause, not the end */
		return;
	}
	judge(s, set, packages);
	/* What has stepped aside may come back: that is no install. */
	whole = spg_aside_put_back(set, spg_track_standing(s), s->installed);
	spg_track_take_installed(s, whole ? whole : spg_module_set_ref(set));
	spg_module_set_unref(set);
}

void spg_track_name_packages(struct spg_track *s, struct spg_module_set *set)
{
	const struct spg_package_place *place = s->place.root ? &s->place : NULL;

	s->found = set;
	s->n_events_settled = s->n_events;
	s->phase = PHASE_NAMING;
	if (spg_owners_read(s->tracker->host.owners, place, on_named, s) < 0)
		on_named(s, NULL);
}

static void on_read(void *user, int err, struct spg_module_set *set)
{
	struct spg_track *s = user;

	if (s->tracker->stopping || s->phase != PHASE_READING)
		return;
	if (err < 0 || spg_track_index(s) < 0) {
		spg_track_go_on(s, err < 0 ? TRY_AGAIN_MS : 0);
		return;
	}
	if (s->n_events != s->n_events_settled) {
		spg_track_go_on(s, 0); /* it was a pause, not the end */
		return;
	}
	set = spg_aside_leave_out(set, spg_track_standing(s));
	if (!set) {
		spg_track_go_on(s, TRY_AGAIN_MS);
		return;
	}
	spg_track_name_packages(s, set);
}

/* The product has gone from the configuration: nobody looks at its files. */
static void give_up(struct spg_track *s)
{
	s->install->ended_ns = s->install->last_ns;
	s->install->outcome = SPG_INSTALL_UNKNOWN;
	(void)spg_notes_add_copy(&s->install->reasons,
		&(struct spg_note){.kind = SPG_REASON_PRODUCT_GONE,
			.text = "the product was taken out of the configuration while "
				"it ran"});
	if (spg_resolution_carry_over(s->install, s->unresolved) < 0)
		spg_error("what an install had left of %s may be forgotten: out of "
			  "memory",
			s->product);
	end_install(s);
}

static void on_settled(void *user, int err)
{
	struct spg_track *s = user;
	int index = spg_track_index(s);

	if (s->tracker->stopping || s->phase != PHASE_SETTLING)
		return;
	if (index < 0) {
		give_up(s);
		return;
	}
	if (err == SPG_ERR_BUSY) {
		spg_track_go_on(s, TRY_AGAIN_MS);
		return;
	}
	s->phase = PHASE_READING;
	if (spg_catalog_read_product(s->tracker->host.catalog, s->tracker->host.model,
		    (size_t)index, s->installed, on_read, s) < 0)
		spg_track_go_on(s, TRY_AGAIN_MS);
}

void spg_track_end(struct spg_track *s)
{
	s->phase = PHASE_SETTLING;
	s->n_events_settled = s->n_events;
	if (spg_prover_sync(s->tracker->host.prover, on_settled, s) < 0)
		spg_track_go_on(s, TRY_AGAIN_MS);
}
