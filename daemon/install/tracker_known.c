/* SPDX-License-Identifier: MIT */
/* What the tracker knows when it begins: what the database has, and which products there
 * are, also after a reload. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "daemon/install/baseline.h"
#include "daemon/install/track.h"
#include "daemon/install/tracker.h"

/* What only shows old versions is for the survey to see: it may end at any time. */
bool spg_track_is_to_be_mended(const struct spg_install *install)
{
	return install->outcome != SPG_INSTALL_CLEAN && install->shown.n == 0;
}

/* The daemon ended while it ran: what there is now is judged by itself. */
static void take_up(struct spg_track *s, struct spg_install *install)
{
	s->install = spg_install_ref(install);
	s->past_lost = true;
	s->n_events++;
	s->event_mono_ns = spg_clock_mono_ns();
	spg_track_go_on(s, (uint64_t)(s->tracker->host.quiet_ns / SPG_NS_PER_MS));
}

static bool is_acceptance(const struct spg_install *install)
{
	return install->reasons.n > 0 &&
	       install->reasons.items[0].kind == SPG_REASON_ACCEPTED;
}

/* One that has ended. */
static void take_ended(struct spg_track *s, struct spg_install *install)
{
	if (is_acceptance(install)) {
		spg_install_unref(s->accepted);
		s->accepted = spg_install_ref(install);
	} else if (install->n_files > 0) {
		spg_install_unref(s->last);
		s->last = spg_install_ref(install);
	}
	spg_track_set_unresolved(s,
		spg_track_is_to_be_mended(install) ? spg_install_ref(install) : NULL);
}

static int take_kept(struct spg_tracker *tracker, const struct spg_installed *kept)
{
	struct spg_track *s = spg_track_find(tracker, kept->product);

	if (!s)
		s = spg_track_add(tracker, kept->product);
	if (!s)
		return SPG_ERR_NOMEM;
	s->scope = strdup(kept->scope);
	s->kept = spg_baseline_set(kept);
	return s->scope && s->kept ? 0 : SPG_ERR_NOMEM;
}

static int take_expected(
	struct spg_tracker *tracker, const struct spg_store_expected *kept)
{
	struct spg_track *s = spg_track_find(tracker, kept->product);

	if (!s)
		s = spg_track_add(tracker, kept->product);
	return s ? spg_expected_copy(&kept->expected, &s->expected) : SPG_ERR_NOMEM;
}

/* What the latest installs of each product left, the oldest first, and what of it was
 * installed. */
int spg_tracker_take_records(
	struct spg_tracker *tracker, const struct spg_store_records *records)
{
	for (size_t i = 0; records && i < records->n_installed; i++)
		if (take_kept(tracker, records->installed[i]) < 0)
			return SPG_ERR_NOMEM;
	for (size_t i = 0; records && i < records->n_expected; i++)
		if (take_expected(tracker, &records->expected[i]) < 0)
			return SPG_ERR_NOMEM;
	for (size_t i = 0; records && i < records->n_installs; i++) {
		struct spg_install *install = records->installs[i];
		struct spg_track *s = spg_track_find(tracker, install->product);

		if (!s)
			s = spg_track_add(tracker, install->product);
		if (!s)
			return SPG_ERR_NOMEM;
		if (install->outcome == SPG_INSTALL_RUNNING)
			take_up(s, install);
		else
			take_ended(s, install);
	}
	return 0;
}

/* What is installed of a product that has gone from the configuration, or that means
 * other files now. */
static void forget_files(struct spg_track *s)
{
	spg_module_set_unref(s->installed);
	spg_module_set_unref(s->last_before);
	spg_module_set_unref(s->beside);
	spg_module_set_unref(s->sound);
	spg_module_set_unref(s->kept);
	s->installed = NULL;
	s->last_before = NULL;
	s->beside = NULL;
	s->sound = NULL;
	s->kept = NULL;
	s->from_before = false;
}

/* The last daemon knew what was installed; an install that was running when it ended began
 * with that. */
static void begin_with_kept(struct spg_track *s)
{
	s->from_before = true;
	if (s->phase == PHASE_IDLE)
		s->installed = spg_module_set_ref(s->kept);
	else if (!s->before)
		s->before = spg_module_set_ref(s->kept);
}

/* Another configuration sees other files: that some are there now, or not, is nobody's
 * doing. */
static void watch_product(struct spg_track *s, struct spg_product *product)
{
	char *scope = spg_baseline_scope(product);

	if (s->scope && scope && strcmp(s->scope, scope) != 0 &&
		(s->phase == PHASE_IDLE || !s->watched))
		forget_files(s);
	else if (!s->watched && s->kept)
		begin_with_kept(s);
	/* The database does not say in which order. */
	if (!s->watched)
		spg_expected_sort(&s->expected, product->ignore_case);
	free(s->scope);
	s->scope = scope;
	s->watched = true;
}

/* Should it come back, what has become of it meanwhile is nobody's doing. */
static void forget_product(struct spg_track *s)
{
	struct spg_installed *none =
		s->kept ? spg_installed_create(s->product, "", spg_clock_wall_ns())
			: NULL;

	if (none) {
		none->whole = true;
		spg_store_put_installed(
			s->tracker->host.store, none, spg_track_on_kept, NULL);
	}
	forget_files(s);
	spg_track_drop_expected(s);
	s->watched = false;
	free(s->scope);
	s->scope = NULL;
}

void spg_tracker_begin(struct spg_tracker *tracker)
{
	const struct spg_model *model = tracker->host.model;

	for (struct spg_track *s = tracker->first; s; s = s->next)
		if (spg_track_index(s) < 0 && s->phase == PHASE_IDLE)
			forget_product(s);
	spg_catalog_trim(tracker->host.catalog, model);

	for (size_t i = 0; i < spg_model_n_products(model); i++) {
		const char *name = spg_model_product(model, i)->name;
		struct spg_track *s = spg_track_find(tracker, name);

		if (!s)
			s = spg_track_add(tracker, name);
		if (!s) {
			spg_error("installs of %s go unseen: out of memory", name);
			continue;
		}
		watch_product(s, spg_model_product(model, i));
		spg_track_read_installed(s);
	}
}
