/* SPDX-License-Identifier: MIT */
#include "daemon/install/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "daemon/install/aside.h"
#include "daemon/install/baseline.h"
#include "daemon/install/track.h"
#include "daemon/install/unfinished.h"

/* After the last event, once everybody who took part has ended. */
#define HURRIED_NS SPG_NS_PER_S

struct spg_track *spg_track_find(const struct spg_tracker *tracker, const char *product)
{
	for (struct spg_track *s = tracker->first; s; s = s->next)
		if (strcmp(s->product, product) == 0)
			return s;
	return NULL;
}

void spg_track_tell(struct spg_track *s)
{
	s->tracker->host.on_standing(s->tracker->host.user, s->product);
}

static bool is_running(void *user, const char *product)
{
	const struct spg_tracker *tracker = user;

	for (const struct spg_track *s = tracker->first; s; s = s->next)
		if ((s->install || s->looking || s->reading_installed) &&
			(!product || strcmp(product, s->product) == 0))
			return true;
	return tracker->n_catching_up > 0;
}

int spg_track_index(const struct spg_track *s)
{
	return spg_model_find_product(s->tracker->host.model, s->product);
}

const struct spg_standing *spg_track_standing(const struct spg_track *s)
{
	return spg_model_standing(s->tracker->host.model, (size_t)spg_track_index(s));
}

static void on_timer(uv_timer_t *timer);

struct spg_track *spg_track_add(struct spg_tracker *tracker, const char *product)
{
	struct spg_track *s = calloc(1, sizeof(*s));

	if (s)
		s->product = strdup(product);
	if (!s || !s->product || uv_timer_init(tracker->host.loop, &s->timer) < 0) {
		if (s)
			free(s->product);
		free(s);
		return NULL;
	}
	s->timer.data = s;
	s->tracker = tracker;
	s->next = tracker->first;
	tracker->first = s;
	return s;
}

/* ---- events out, standing ---- */

void spg_track_record(struct spg_track *s, enum spg_event_kind kind)
{
	struct spg_event *event =
		spg_install_event(s->install, kind, spg_clock_wall_ns());

	if (event)
		s->tracker->host.record(s->tracker->host.record_user, event);
	spg_event_unref(event);
}

static void on_written(void *user, int err)
{
	(void)user;
	if (err < 0)
		spg_error("an install is not recorded: %s", spg_err_text(err));
}

void spg_track_put(struct spg_track *s, struct spg_install *install)
{
	spg_store_put_install(s->tracker->host.store, install, on_written, NULL);
}

/* It needs no restart any more. */
static void note_gone(struct spg_track *s, int32_t pid)
{
	const struct spg_notes *reasons =
		s->unresolved ? &s->unresolved->reasons : NULL;
	bool told = false;

	for (size_t i = 0; reasons && i < reasons->n; i++)
		told |= reasons->items[i].kind == SPG_REASON_CHANGED_IN_USE &&
		        reasons->items[i].pid == pid;
	if (!told || s->n_gone == SPG_TRACK_GONE_MAX)
		return;
	s->gone[s->n_gone++] = pid;
	spg_track_tell(s);
}

void spg_tracker_note_exit(struct spg_tracker *tracker, struct spg_proc_id id)
{
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		note_gone(s, id.pid);
		for (size_t i = 0; i < s->n_alive; i++) {
			if (!spg_proc_id_equal(s->alive[i], id))
				continue;
			s->alive[i] = s->alive[--s->n_alive];
			if (s->n_alive == 0 && s->phase == PHASE_RUNNING)
				on_timer(&s->timer);
			break;
		}
	}
}

/* ---- the beginning ---- */

static void note_known_use(
	void *user, struct spg_file *file, struct spg_process *process, unsigned how)
{
	struct spg_track *s = user;

	(void)spg_install_note_use(s->install, file, process, how);
}

static bool begin(struct spg_track *s, const struct spg_process *process, int64_t at_ns)
{
	struct spg_tracker *tracker = s->tracker;
	int index = spg_track_index(s);
	bool moved;

	spg_track_drop_old_movers(s);
	/* One folder, or link, in the place of another is done in one step. */
	moved = !process && s->n_movers > 0;
	if (moved)
		process = s->movers[0];
	if (index < 0)
		return false;
	s->install = spg_install_create(tracker->last_install + 1, s->product, at_ns);
	if (!s->install)
		return false;
	tracker->last_install++;
	s->phase = PHASE_RUNNING;
	s->n_alive = 0;
	s->managed = false;
	s->n_asked = 0;
	s->asked = (struct spg_proc_id){0, 0};
	s->hurried = false;
	s->past_lost = false;
	s->found_at_start = false;
	s->unseen = false;
	s->nearest = (struct spg_proc_id){0, 0};
	s->lineage.n_asked = 0;
	spg_package_place_finish(&s->place);
	spg_module_set_unref(s->before);
	spg_packages_unref(s->owned);
	if (!moved && spg_track_goes_on(s, process)) {
		s->before = spg_module_set_ref(s->last_before);
	} else {
		s->before = spg_module_set_ref(s->installed);
		spg_lineage_finish(&s->lineage);
	}
	s->owned = spg_packages_ref(spg_owners_known(tracker->host.owners, NULL));
	spg_model_each_use(tracker->host.model, (size_t)index, note_known_use, s);
	spg_track_take_movers(s);
	return true;
}

/* In the database, so that the next start knows of it should the daemon die. */
static void announce_begin(struct spg_track *s)
{
	struct spg_install *head = spg_install_copy_head(s->install);

	spg_track_record(s, SPG_EVENT_INSTALL_BEGIN);
	if (head)
		spg_store_put_install(s->tracker->host.store, head, on_written, NULL);
	spg_install_unref(head);
}

static void note(struct spg_track *s, const struct spg_event *event)
{
	int index = spg_track_index(s);
	bool first = s->phase == PHASE_IDLE;

	if (index < 0 || (first && !begin(s, event->process, event->at_ns)))
		return;
	spg_track_name_installer(s, event->process);
	if (spg_install_note(s->install,
		    spg_model_product(s->tracker->host.model, (size_t)index),
		    event) < 0)
		spg_error("a change in an install is not recorded: out of memory");
	s->n_events++;
	s->event_mono_ns = spg_clock_mono_ns();
	if (first)
		announce_begin(s);
	if (first || s->unseen)
		spg_track_tell(s);
	s->unseen = false;
	if (!uv_is_active((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_timer,
			(uint64_t)(s->tracker->host.quiet_ns / SPG_NS_PER_MS), 0);
}

static bool concerns(const struct spg_product *product, const struct spg_event *event)
{
	return spg_product_has_path(product, event->file->path) ||
	       (event->kind == SPG_EVENT_RENAME && event->detail &&
		       spg_product_has_path(product, event->detail));
}

void spg_tracker_note(struct spg_tracker *tracker, const struct spg_event *event)
{
	if (!(event->kinds & SPG_INSTALL_KINDS) || event->past || !event->file ||
		tracker->stopping)
		return;
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		int index = spg_track_index(s);

		if (index >= 0 &&
			concerns(spg_model_product(tracker->host.model, (size_t)index),
				event))
			note(s, event);
	}
}

static void look(struct spg_track *s);

/* Whoever has stopped using it may have written to it without an event. */
static bool may_have_written(const struct spg_track *s, const struct spg_event *event)
{
	const struct spg_module *module =
		spg_module_set_find(s->installed, event->file->path);

	return (event->how & SPG_USE_WRITE) || (module && module->written);
}

void spg_tracker_note_use(struct spg_tracker *tracker, const struct spg_event *event)
{
	unsigned how = event->how;

	if (event->kind == SPG_EVENT_LOCK)
		how = SPG_USE_LOCKED;
	else if (event->kind != SPG_EVENT_USE_BEGIN && event->kind != SPG_EVENT_USE_END)
		return;
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		if (!event->file)
			continue;
		if (event->product && strcmp(event->product, s->product) != 0)
			continue;
		if (s->phase == PHASE_IDLE) {
			if (event->kind == SPG_EVENT_USE_END &&
				may_have_written(s, event))
				look(s);
			continue;
		}
		if (event->kind == SPG_EVENT_USE_END && !(how & SPG_USE_WRITE))
			continue;
		(void)spg_install_note_use(
			s->install, event->file, event->process, how);
	}
}

/* ---- what is installed ---- */

void spg_track_on_kept(void *user, int err)
{
	(void)user;
	if (err < 0)
		spg_error("what is installed is not recorded: %s; the next start may "
			  "find an install that is known",
			spg_err_text(err));
}

/* For the next start, which compares it with what there is then. */
static void keep(struct spg_track *s)
{
	struct spg_installed *change = NULL;

	if (s->kept == s->installed)
		return;
	if (s->scope)
		change = spg_baseline_change(
			s->product, s->scope, s->kept, s->installed);
	if (!change) {
		spg_track_on_kept(NULL, SPG_ERR_NOMEM);
		return;
	}
	if (change->n > 0 || change->whole)
		spg_store_put_installed(
			s->tracker->host.store, change, spg_track_on_kept, NULL);
	else
		spg_installed_destroy(change);
	spg_module_set_unref(s->kept);
	s->kept = spg_module_set_ref(s->installed);
}

void spg_track_take_installed(struct spg_track *s, struct spg_module_set *set)
{
	spg_module_set_unref(s->installed);
	s->installed = set;
	s->from_before = false;
	keep(s);
}

/* ---- its time ---- */

void spg_track_go_on(struct spg_track *s, uint64_t delay_ms)
{
	s->phase = PHASE_RUNNING;
	uv_timer_start(&s->timer, on_timer, delay_ms, 0);
}

/* How long it still has to be quiet. */
static int64_t left_ns(const struct spg_track *s)
{
	int64_t quiet_ns = s->tracker->host.quiet_ns;

	if ((s->n_alive == 0 || s->hurried) && quiet_ns > HURRIED_NS)
		quiet_ns = HURRIED_NS;
	return s->event_mono_ns + quiet_ns - spg_clock_mono_ns();
}

static void on_timer(uv_timer_t *timer)
{
	struct spg_track *s = timer->data;
	int64_t wait_ns = left_ns(s);

	if (s->phase != PHASE_RUNNING || s->tracker->stopping)
		return;
	if (wait_ns > 0) {
		spg_track_go_on(s, (uint64_t)(wait_ns / SPG_NS_PER_MS) + 1);
		return;
	}
	spg_track_end(s);
}

void spg_tracker_hurry(struct spg_tracker *tracker, const char *product)
{
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		if (product && strcmp(product, s->product) != 0)
			continue;
		s->hurried = true;
		if (s->phase == PHASE_RUNNING)
			on_timer(&s->timer);
	}
}

/* ---- what is known at the start ---- */

bool spg_track_lacks_directory(const struct spg_track *s)
{
	size_t n;
	const struct spg_lack *lacks =
		spg_model_lacks(s->tracker->host.model, (size_t)spg_track_index(s), &n);

	for (size_t i = 0; i < n; i++)
		if (lacks[i].kind == SPG_LACK_DIRECTORY_MISSING)
			return true;
	return false;
}

/* At the start, what is there may still be on its way. */
static bool is_comparable(const struct spg_track *s, const struct spg_module_set *set)
{
	return !s->from_before ||
	       spg_baseline_is_comparable(spg_model_product(s->tracker->host.model,
						  (size_t)spg_track_index(s)),
		       s->installed, set);
}

/* An install that no event told, found by its result. Takes over @set. */
static void note_unseen(struct spg_track *s, struct spg_module_set *set)
{
	if (spg_track_index(s) < 0 || !begin(s, NULL, spg_clock_wall_ns())) {
		spg_track_take_installed(s, set);
		return;
	}
	s->found_at_start = s->from_before;
	s->unseen = true;
	(void)spg_notes_add_copy(&s->install->reasons,
		&(struct spg_note){.kind = SPG_REASON_EVENTS_LOST,
			.text = s->from_before
	                                ? "found at the start: it happened while "
	                                  "spguardd was not running"
	                                : "found by what is there: no event told of "
	                                  "it, or events were lost"});
	announce_begin(s);
	spg_track_name_packages(s, set);
}

/* Directories were moved by somebody who is known, and may not be at the end of it. */
static bool note_moved(struct spg_track *s)
{
	spg_track_drop_old_movers(s);
	if (s->from_before || s->n_movers == 0 || !begin(s, NULL, spg_clock_wall_ns()))
		return false;
	s->n_events++;
	s->event_mono_ns = s->moved_mono_ns;
	announce_begin(s);
	spg_track_tell(s);
	spg_track_go_on(s, 0);
	return true;
}

static void take_read(struct spg_track *s, int err, struct spg_module_set *set)
{
	/* Read while an install ran, it is neither what was nor what will be. */
	if (err < 0 || s->phase != PHASE_IDLE || s->tracker->stopping)
		return;
	if (s->read_again) {
		spg_track_read_installed(s);
		return;
	}
	if (spg_track_index(s) < 0 || spg_track_lacks_directory(s))
		return;
	set = spg_aside_put_back(set, spg_track_standing(s), s->installed);
	if (!set) {
		spg_error("what is installed of %s is not known: out of memory",
			s->product);
		return;
	}
	if (s->installed && !is_comparable(s, set)) {
		spg_module_set_unref(set);
		return;
	}
	if (s->installed && spg_module_set_differs(s->installed, set)) {
		if (note_moved(s)) {
			spg_module_set_unref(set);
			return;
		}
		note_unseen(s, set);
		return;
	}
	/* What was known of a file that cannot be read now is still the last word, if this
	 * daemon has read it. */
	if (s->installed && !s->from_before && !spg_module_set_is_whole(set)) {
		spg_module_set_unref(set);
		return;
	}
	spg_track_drop_movers(s);
	if (!s->beside && set->beside)
		s->beside = spg_unfinished_old(set->beside, spg_clock_wall_ns());
	spg_track_take_installed(s, set);
}

/* What is installed comes first: of an install that begins before that is known nobody can
 * tell what it has left out. */
static void read_packages(const struct spg_tracker *tracker)
{
	for (const struct spg_track *s = tracker->first; s; s = s->next)
		if (s->reading_installed || s->looking)
			return;
	(void)spg_owners_read(tracker->host.owners, NULL, NULL, NULL);
}

static void on_installed(void *user, int err, struct spg_module_set *set)
{
	struct spg_track *s = user;

	s->reading_installed = false;
	take_read(s, err, set);
	if (err == 0)
		spg_track_looked(s);
	read_packages(s->tracker);
	spg_waiters_wake(&s->tracker->waiters);
}

void spg_track_read_installed(struct spg_track *s)
{
	int index = spg_track_index(s);

	s->read_again = s->reading_installed;
	if (index < 0 || s->reading_installed || s->phase != PHASE_IDLE)
		return;
	if (spg_catalog_read_product(s->tracker->host.catalog, s->tracker->host.model,
		    (size_t)index, s->installed, on_installed, s) == 0)
		s->reading_installed = true;
}

static void on_looked(void *user, int err)
{
	struct spg_track *s = user;

	s->looking = false;
	if (err != SPG_ERR_BUSY && !s->tracker->stopping)
		spg_track_read_installed(s);
	spg_waiters_wake(&s->tracker->waiters);
}

/* When the model knows which files there are. */
static void look(struct spg_track *s)
{
	if (s->looking || s->phase != PHASE_IDLE || s->tracker->stopping)
		return;
	s->looking = spg_prover_sync(s->tracker->host.prover, on_looked, s) == 0;
}

void spg_tracker_look(struct spg_tracker *tracker, const char *product)
{
	for (struct spg_track *s = tracker->first; s; s = s->next)
		if (!product || strcmp(product, s->product) == 0)
			look(s);
}

/* ---- life ---- */

struct spg_tracker *spg_tracker_create(const struct spg_tracker_host *host)
{
	struct spg_tracker *tracker = calloc(1, sizeof(*tracker));

	if (!tracker)
		return NULL;
	tracker->host = *host;
	tracker->last_install = host->last_install;
	tracker->waiters.is_running = is_running;
	tracker->waiters.user = tracker;
	if (spg_waiters_init(&tracker->waiters, host->loop) < 0) {
		free(tracker);
		return NULL;
	}
	if (spg_tracker_take_records(tracker, host->records) < 0)
		spg_error("what the last installs left is not known: out of memory");
	tracker->host.records = NULL;
	return tracker;
}

void spg_track_closed(struct spg_tracker *tracker)
{
	if (--tracker->n_closing == 0)
		tracker->on_stopped(tracker->stop_user);
}

static void on_timer_closed(uv_handle_t *handle)
{
	spg_track_closed(((struct spg_track *)handle->data)->tracker);
}

static void on_waiters_closed(uv_handle_t *handle)
{
	struct spg_waiters *waiters = handle->data;

	spg_track_closed(waiters->user);
}

void spg_tracker_stop(
	struct spg_tracker *tracker, void (*on_stopped)(void *user), void *user)
{
	if (!tracker) {
		on_stopped(user);
		return;
	}
	tracker->stopping = true;
	tracker->on_stopped = on_stopped;
	tracker->stop_user = user;
	tracker->n_closing = 1 + tracker->n_commands;
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		tracker->n_closing++;
		uv_close((uv_handle_t *)&s->timer, on_timer_closed);
	}
	spg_waiters_close(&tracker->waiters, on_waiters_closed);
}

static void destroy(struct spg_track *s)
{
	spg_install_unref(s->install);
	spg_install_unref(s->unresolved);
	spg_install_unref(s->last);
	spg_install_unref(s->accepted);
	spg_lineage_finish(&s->lineage);
	spg_track_drop_movers(s);
	spg_module_set_unref(s->installed);
	spg_module_set_unref(s->before);
	spg_module_set_unref(s->last_before);
	spg_expected_finish(&s->expected);
	spg_module_set_unref(s->beside);
	spg_module_set_unref(s->sound);
	spg_module_set_unref(s->kept);
	spg_module_set_unref(s->found);
	spg_packages_unref(s->owned);
	spg_package_place_finish(&s->place);
	free(s->scope);
	free(s->product);
	free(s);
}

void spg_tracker_destroy(struct spg_tracker *tracker)
{
	struct spg_track *next;

	for (struct spg_track *s = tracker ? tracker->first : NULL; s; s = next) {
		next = s->next;
		destroy(s);
	}
	free(tracker);
}
