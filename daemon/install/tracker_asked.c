/* SPDX-License-Identifier: MIT */
/* What the tracker is asked about installs, and what it is told of them. */
#include "common/err.h"
#include "common/log.h"
#include "daemon/install/places.h"
#include "daemon/install/resolution.h"
#include "daemon/install/track.h"
#include "daemon/install/tracker.h"

const struct spg_install *spg_tracker_running(
	const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s ? s->install : NULL;
}

const struct spg_install *spg_tracker_unresolved(
	const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s ? s->unresolved : NULL;
}

const struct spg_install *spg_tracker_accepted(
	const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s ? s->accepted : NULL;
}

struct spg_module_set *spg_tracker_installed(
	const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s ? s->installed : NULL;
}

uint64_t spg_tracker_count(const struct spg_tracker *tracker, const char *product,
	enum spg_install_outcome outcome)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s ? s->counts[outcome] : 0;
}

static void on_expected_kept(void *user, int err)
{
	(void)user;
	if (err < 0)
		spg_error("what an install should bring is not recorded: %s; the next "
			  "start may not know what it leaves out",
			spg_err_text(err));
}

/* An administrator who has named a service pack does not know that the daemon is started
 * again. */
static void keep_expected(struct spg_track *s)
{
	spg_store_put_expected(s->tracker->host.store, s->product, &s->expected,
		on_expected_kept, NULL);
}

void spg_tracker_expect(
	struct spg_tracker *tracker, const char *product, struct spg_expected *expected)
{
	struct spg_track *s = spg_track_find(tracker, product);

	/* Before the first look. */
	if (!s && !tracker->stopping &&
		spg_model_find_product(tracker->host.model, product) >= 0)
		s = spg_track_add(tracker, product);
	if (!s) {
		spg_expected_finish(expected);
		return;
	}
	if (spg_expected_equal(&s->expected, expected)) {
		spg_expected_finish(expected);
		return;
	}
	spg_expected_finish(&s->expected);
	s->expected = *expected;
	*expected = (struct spg_expected)SPG_EXPECTED_NULL;
	keep_expected(s);
}

void spg_track_drop_expected(struct spg_track *s)
{
	if (s->expected.n == 0)
		return;
	spg_expected_finish(&s->expected);
	keep_expected(s);
}

const struct spg_expected *spg_tracker_expected(
	const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s && s->expected.n > 0 ? &s->expected : NULL;
}

/* @record (NULL: out of memory) is the last word about the product now. */
static int resolve(struct spg_track *s, struct spg_install *record)
{
	if (!record)
		return SPG_ERR_NOMEM;
	s->tracker->last_install = record->id;
	spg_track_put(s, record);
	spg_notice("install %lld of %s: %s; %s", (long long)record->id, s->product,
		spg_install_outcome_name(record->outcome),
		record->reasons.n > 0 ? record->reasons.items[0].text : "");
	spg_track_set_unresolved(
		s, record->outcome == SPG_INSTALL_CLEAN ? NULL : record);
	/* What was mended or accepted is no measure of the next install, and no part of
	 * it. */
	if (!s->unresolved) {
		spg_track_drop_expected(s);
		spg_module_set_unref(s->last_before);
		s->last_before = NULL;
	}
	if (!s->unresolved)
		spg_install_unref(record);
	spg_track_tell(s);
	return 0;
}

/* Is the service pack that @v was compared with the one of this product? */
static bool is_of_the_product(const struct spg_verification *v)
{
	return 2 * v->fit.n_missing <= v->fit.n_payload;
}

/* Does @v say something of the product? Of a service pack that nobody has begun to
 * install, every file is another one. */
static bool is_about_the_product(const struct spg_track *s,
	const struct spg_verification *v, const struct spg_expected_places *places,
	bool applied)
{
	if (applied || !places)
		return true;
	return s->unresolved ||
	       (s->last && is_of_the_product(v) &&
		       spg_resolution_is_payload(s->last, places, v->set));
}

static int take_verified(struct spg_track *s, const struct spg_verification *v,
	const struct spg_expected_places *places, bool applied)
{
	const struct spg_tracker *tracker = s->tracker;
	int64_t id = tracker->last_install + 1;

	if (v->verdict == SPG_VERIFY_MIXED) {
		if (spg_track_lacks_directory(s) ||
			!is_about_the_product(s, v, places, applied) ||
			spg_resolution_knows(s->unresolved, v))
			return 0;
		return resolve(
			s, spg_resolution_found(id,
				   spg_model_product(tracker->host.model,
					   (size_t)spg_track_index(s)),
				   v, places, s->unresolved, spg_track_standing(s)));
	}
	/* What could not be read at its end takes a service pack to be known. */
	if (v->verdict == SPG_VERIFY_FITS && s->unresolved &&
		(places || s->unresolved->outcome == SPG_INSTALL_MIXED) &&
		spg_resolution_covers(
			s->unresolved, places, v->set, spg_track_standing(s)))
		return resolve(
			s, spg_resolution_mended(id, s->unresolved, places != NULL));
	return 0;
}

int spg_tracker_verified(struct spg_tracker *tracker, const char *product,
	const struct spg_verification *v, const struct spg_expected *expected,
	bool applied)
{
	struct spg_track *s = spg_track_find(tracker, product);
	struct spg_expected_places places = SPG_EXPECTED_PLACES_NULL;
	int r = 0;

	if (!s || s->install || tracker->stopping || spg_track_index(s) < 0)
		return 0;
	if (expected)
		r = spg_places_make(&places,
			spg_model_product(
				tracker->host.model, (size_t)spg_track_index(s)),
			expected, v->set);
	if (r == 0)
		r = take_verified(s, v, expected ? &places : NULL, applied);
	spg_expected_places_finish(&places);
	return r;
}

int spg_tracker_accept(struct spg_tracker *tracker, int64_t id, const char *who)
{
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		struct spg_install *record;

		if (!s->unresolved || s->unresolved->id != id)
			continue;
		if (s->install)
			return SPG_ERR_BUSY;
		record = spg_resolution_accepted(
			tracker->last_install + 1, s->unresolved, s->accepted, who);
		if (!record)
			return SPG_ERR_NOMEM;
		spg_install_unref(s->accepted);
		s->accepted = spg_install_ref(record);
		return resolve(s, record);
	}
	return SPG_ERR_NOT_FOUND;
}

static void on_caught_up(void *user, int err)
{
	struct spg_tracker *tracker = user;

	(void)err; /* what is not known is not waited for */
	tracker->n_catching_up--;
	spg_waiters_wake(&tracker->waiters);
}

int spg_tracker_wait(struct spg_tracker *tracker, const char *product, int64_t wait_ns,
	void (*done)(void *user, bool running), void *user)
{
	if (!tracker->stopping &&
		spg_prover_sync(tracker->host.prover, on_caught_up, tracker) == 0)
		tracker->n_catching_up++;
	return spg_waiters_add(&tracker->waiters, product, wait_ns, done, user);
}

void spg_tracker_forget(struct spg_tracker *tracker, const void *user)
{
	spg_waiters_forget(&tracker->waiters, user);
}

/* About somebody who ran what was written over, and has ended since. */
static bool is_over(const struct spg_track *s, const struct spg_note *note)
{
	if (note->kind != SPG_REASON_CHANGED_IN_USE && note->kind != SPG_STEP_RESTART)
		return false;
	for (size_t i = 0; i < s->n_gone; i++)
		if (s->gone[i] == note->pid)
			return true;
	return false;
}

int spg_tracker_add_standing(const struct spg_tracker *tracker, const char *product,
	struct spg_standing *standing)
{
	const struct spg_track *s = spg_track_find(tracker, product);
	int r = 0;

	if (s && s->install)
		r = spg_install_note_running(s->install, &standing->installing);
	if (r == 0 && s && s->doubted)
		r = spg_notes_add_copy(&standing->unread,
			&(struct spg_note){.kind = SPG_REASON_CHANGED_UNREAD,
				.text = "files have changed, no event told of it, and "
					"spguardd still reads them: check again"});
	if (r < 0 || !s || !s->unresolved)
		return r;
	for (size_t i = 0; r == 0 && i < s->unresolved->reasons.n; i++)
		if (!is_over(s, &s->unresolved->reasons.items[i]))
			r = spg_notes_add_copy(
				&standing->mixed, &s->unresolved->reasons.items[i]);
	for (size_t i = 0; r == 0 && i < s->unresolved->next.n; i++) {
		const struct spg_note *step = &s->unresolved->next.items[i];

		if (is_over(s, step))
			continue;
		r = spg_notes_add_copy(step->kind == SPG_STEP_SIDESTEP
					       ? &standing->held
					       : &standing->next,
			step);
	}
	/* Judged without words, for want of memory. */
	if (r == 0 && standing->mixed.n == 0)
		r = spg_notes_add_copy(&standing->mixed,
			&(struct spg_note){.kind = SPG_REASON_UNVERIFIED,
				.text = "the last install could not be verified"});
	return r;
}

void spg_tracker_configure(struct spg_tracker *tracker, int64_t quiet_ns)
{
	tracker->host.quiet_ns = quiet_ns;
}
