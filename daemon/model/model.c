/* SPDX-License-Identifier: MIT */
#include "daemon/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/old_versions.h"
#include "daemon/model/tracked.h"
#include "daemon/model/verdict_text.h"
#include "daemon/model/visits.h"

/* More dirty files than this, or a product no larger than that: look at all,
 * which costs little more and proves a verdict at the same time. */
#define DIRTY_MAX     64
#define SMALL_PRODUCT 500

/* Kinds after which a file that was free may have a user, or be another file.
 * A close alone can only set free. */
#define DISTURBING                                                                     \
	(SPG_EVENT_BIT(SPG_EVENT_OPEN) | SPG_EVENT_BIT(SPG_EVENT_EXEC) |               \
		SPG_EVENT_BIT(SPG_EVENT_MODIFY) | SPG_EVENT_BIT(SPG_EVENT_CREATE) |    \
		SPG_EVENT_BIT(SPG_EVENT_DELETE) | SPG_EVENT_BIT(SPG_EVENT_RENAME))

/* No event tells of bystanders: what was found of them is believed for so long. */
#define LOOK_AROUND_NS SPG_NS_PER_S

#define REPLACING      (SPG_EVENT_BIT(SPG_EVENT_DELETE) | SPG_EVENT_BIT(SPG_EVENT_RENAME))

struct entry {
	struct spg_product *product;
	int64_t looked_ns; /* when a full survey last looked, UTC */
	uint64_t generation;
	int64_t disturbed_ns, unsafe_ns; /* monotonic */
	int64_t looked_around_ns;        /* monotonic; 0: has to be done */
	struct spg_bystanders bystanders;
	bool dirty_all;
	bool find_users;
	char *dirty[DIRTY_MAX];
	size_t n_dirty;
	struct spg_file **known;
	size_t n_known, size_known;
	struct spg_tracked tracked;
	struct spg_visits visits;
	struct spg_old_versions old_versions;
	uint64_t n_lock_notes, n_lock_notes_before; /* now, and at the last survey */
	struct spg_lack *lacks; /* copied from the last full survey */
	size_t n_lacks;
	struct spg_notes shown; /* who shows old versions */
	bool judged;
	unsigned n_disturbed; /* surveys in a row that proved nothing */
	enum spg_verdict_kind verdict;
	struct spg_standing standing;
	struct spg_verdict_counts counts;
	int64_t verdict_ns, verdict_since_ns;
};

struct spg_model {
	struct entry **entries;
	size_t n;
	struct spg_hints hints;
	bool has_lock_events;
	int64_t last_interval;
};

struct spg_model *spg_model_create(int64_t last_interval)
{
	struct spg_model *model = calloc(1, sizeof(*model));

	if (model)
		model->last_interval = last_interval;
	return model;
}

static void drop_dirty_paths(struct entry *entry)
{
	for (size_t i = 0; i < entry->n_dirty; i++)
		free(entry->dirty[i]);
	entry->n_dirty = 0;
}

static void clear_dirty(struct entry *entry)
{
	drop_dirty_paths(entry);
	entry->dirty_all = false;
	entry->find_users = false;
}

static void drop_lacks(struct spg_lack *lacks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spg_lack_finish(&lacks[i]);
	free(lacks);
}

static void drop_files(struct spg_file **files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spg_file_unref(files[i]);
	free(files);
}

static void destroy_entry(struct entry *entry)
{
	if (!entry)
		return;
	clear_dirty(entry);
	drop_files(entry->known, entry->n_known);
	drop_lacks(entry->lacks, entry->n_lacks);
	spg_notes_finish(&entry->shown);
	spg_tracked_finish(&entry->tracked);
	spg_visits_finish(&entry->visits);
	spg_old_versions_finish(&entry->old_versions);
	spg_bystanders_finish(&entry->bystanders);
	spg_standing_finish(&entry->standing);
	spg_product_unref(entry->product);
	free(entry);
}

void spg_model_destroy(struct spg_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->n; i++)
		destroy_entry(model->entries[i]);
	free(model->entries);
	free(model);
}

static struct spg_tracking tracking_of(struct spg_model *model,
	const struct entry *entry, int64_t now_ns, struct spg_event_list *changes)
{
	return (struct spg_tracking){.product = entry->product->name,
		.hints = &model->hints,
		.last_interval = &model->last_interval,
		.now_ns = now_ns,
		.looked_ns = entry->looked_ns,
		.changes = changes,
		.lock_events = model->has_lock_events,
		.keep_locks = entry->n_lock_notes != entry->n_lock_notes_before};
}

int spg_model_set_products(struct spg_model *model, struct spg_product *const *products,
	size_t n, int64_t now_ns, struct spg_event_list *changes)
{
	struct entry **entries = calloc(n + 1, sizeof(struct entry *));
	int r = entries ? 0 : SPG_ERR_NOMEM;

	/* First everything that can fail, then the switch. */
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (spg_model_find_product(model, products[i]->name) >= 0)
			continue;
		entries[i] = calloc(1, sizeof(struct entry));
		if (!entries[i])
			r = SPG_ERR_NOMEM;
		else
			entries[i]->product = spg_product_ref(products[i]);
	}
	if (r < 0) {
		for (size_t i = 0; entries && i < n; i++)
			destroy_entry(entries[i]);
		free(entries);
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		int was = spg_model_find_product(model, products[i]->name);

		if (was >= 0) {
			entries[i] = model->entries[was];
			model->entries[was] = model->entries[--model->n];
			spg_product_unref(entries[i]->product);
			entries[i]->product = spg_product_ref(products[i]);
		}
		entries[i]->generation++;
		entries[i]->disturbed_ns = spg_clock_mono_ns();
		entries[i]->dirty_all = true;
		entries[i]->find_users = true;
		entries[i]->looked_around_ns = 0;
	}
	for (size_t i = 0; i < model->n; i++) {
		struct spg_tracking t =
			tracking_of(model, model->entries[i], now_ns, changes);

		/* Without memory the ends are missing from the history; the
		 * next start closes the intervals. */
		(void)spg_tracked_end_all(&model->entries[i]->tracked, &t);
		destroy_entry(model->entries[i]);
	}
	free(model->entries);
	model->entries = entries;
	model->n = n;
	return 0;
}

size_t spg_model_n_products(const struct spg_model *model)
{
	return model->n;
}

struct spg_product *spg_model_product(const struct spg_model *model, size_t index)
{
	return model->entries[index]->product;
}

int spg_model_find_product(const struct spg_model *model, const char *name)
{
	for (size_t i = 0; i < model->n; i++)
		if (strcmp(model->entries[i]->product->name, name) == 0)
			return (int)i;
	return -1;
}

uint64_t spg_model_generation(const struct spg_model *model, size_t index)
{
	return model->entries[index]->generation;
}

static void mark_dirty(struct entry *entry, const char *path)
{
	if (entry->dirty_all)
		return;
	/* Backwards: a storm repeats the latest. */
	for (size_t i = entry->n_dirty; i-- > 0;)
		if (strcmp(entry->dirty[i], path) == 0)
			return;
	if (entry->n_dirty < DIRTY_MAX) {
		entry->dirty[entry->n_dirty] = strdup(path);
		if (entry->dirty[entry->n_dirty]) {
			entry->n_dirty++;
			return;
		}
	}
	/* Not that something was deleted: an old version may run on. */
	drop_dirty_paths(entry);
	entry->dirty_all = true;
}

int64_t spg_model_disturbed_ns(const struct spg_model *model, size_t index)
{
	return model->entries[index]->disturbed_ns;
}

int64_t spg_model_unsafe_ns(const struct spg_model *model, size_t index)
{
	return model->entries[index]->unsafe_ns;
}

int64_t spg_model_away_ns(const struct spg_model *model, size_t index)
{
	return spg_visits_away_ns(&model->entries[index]->visits, spg_clock_mono_ns());
}

/* The event as one product sees it. Returns whether it concerns the product. */
static bool note(struct entry *entry, const struct spg_event *event)
{
	const char *paths[2] = {event->file->path, NULL};
	bool concerns = false;

	if (event->kind == SPG_EVENT_RENAME)
		paths[1] = event->detail;
	for (int i = 0; i < 2; i++) {
		if (!paths[i] || !spg_product_has_path(entry->product, paths[i]))
			continue;
		concerns = true;
		mark_dirty(entry, paths[i]);
	}
	if (concerns && (event->kinds & DISTURBING)) {
		entry->generation++;
		if (!event->process || spg_use_classify(entry->product,
					       event->process) == SPG_CLASS_BLOCKER)
			entry->disturbed_ns = spg_clock_mono_ns();
	}
	if (concerns)
		spg_visits_note(&entry->visits, event, spg_clock_mono_ns());
	if (concerns && (event->kinds & REPLACING))
		entry->find_users = true;
	return concerns;
}

bool spg_model_wants(const struct spg_model *model, const char *path)
{
	for (size_t i = 0; i < model->n; i++)
		if (spg_product_has_path(model->entries[i]->product, path))
			return true;
	return false;
}

bool spg_model_note(struct spg_model *model, struct spg_event *event)
{
	const struct entry *only = NULL;
	size_t n = 0;

	if (!event->file)
		return false;
	for (size_t i = 0; i < model->n; i++) {
		if (note(model->entries[i], event)) {
			only = model->entries[i];
			n++;
		}
	}
	if (n == 0)
		return false;
	if (n == 1 && !event->product)
		event->product = strdup(only->product->name);
	if (event->process)
		spg_hints_add(&model->hints, event->file->path, event->process->id.pid,
			event->kinds, event->at_ns);
	if (event->process && event->kind == SPG_EVENT_RENAME && event->detail)
		spg_hints_add(&model->hints, event->detail, event->process->id.pid,
			event->kinds, event->at_ns);
	return true;
}

bool spg_model_note_lock(struct spg_model *model, const struct spg_lock_note *note,
	struct spg_event_list *changes)
{
	bool look = false;

	for (size_t i = 0; i < model->n; i++) {
		struct entry *entry = model->entries[i];
		struct spg_tracking t;
		size_t n_before;
		int r;

		if (!spg_product_has_path(entry->product, note->file->path))
			continue;
		t = tracking_of(model, entry, note->at_ns, changes);
		n_before = changes->n;
		r = spg_ledger_note(&entry->tracked, note, &t);
		/* Most closes release what was not held. */
		if (changes->n > n_before)
			entry->n_lock_notes++;
		if (r == 0)
			continue;
		mark_dirty(entry, note->file->path);
		look = true;
		if (r < 0)
			spg_model_distrust(model, i);
	}
	return look;
}

void spg_model_expect_lock_events(struct spg_model *model)
{
	model->has_lock_events = true;
}

void spg_model_note_exit(struct spg_model *model, struct spg_proc_id id)
{
	for (size_t i = 0; i < model->n; i++) {
		struct entry *entry = model->entries[i];

		for (size_t u = 0; u < entry->tracked.n_uses; u++) {
			const struct spg_tracked_use *use = &entry->tracked.uses[u];

			if (spg_proc_id_equal(use->process->id, id))
				mark_dirty(entry, use->file->path);
		}
	}
}

void spg_model_distrust(struct spg_model *model, size_t index)
{
	for (size_t i = 0; i < model->n; i++) {
		struct entry *entry = model->entries[i];

		if (index != SPG_NO_FILE && index != i)
			continue;
		entry->generation++;
		entry->disturbed_ns = spg_clock_mono_ns();
		clear_dirty(entry);
		entry->dirty_all = true;
		entry->find_users = true;
	}
}

bool spg_model_is_dirty(const struct spg_model *model, size_t index)
{
	const struct entry *entry = model->entries[index];

	return entry->dirty_all || entry->n_dirty > 0;
}

bool spg_model_has_uses(const struct spg_model *model, size_t index)
{
	const struct spg_tracked *tracked = &model->entries[index]->tracked;

	return tracked->n_uses > 0 || tracked->n_locks > 0;
}

void spg_model_look_again(struct spg_model *model, size_t index)
{
	model->entries[index]->dirty_all = true;
}

bool spg_model_needs_polling(const struct spg_model *model, size_t index)
{
	const struct spg_tracked *tracked = &model->entries[index]->tracked;

	if (!model->has_lock_events)
		return spg_model_has_uses(model, index);
	for (size_t i = 0; i < tracked->n_locks; i++)
		if (tracked->locks[i].state == SPG_LOCK_WAITING ||
			tracked->locks[i].lock.kind == SPG_LOCK_LEASE)
			return true;
	return false;
}

bool spg_model_any_needs_polling(const struct spg_model *model)
{
	for (size_t i = 0; i < model->n; i++)
		if (spg_model_needs_polling(model, i))
			return true;
	return false;
}

void spg_survey_scope_finish(struct spg_survey_scope *scope)
{
	drop_files(scope->known, scope->n_known);
	for (size_t i = 0; i < scope->n_paths; i++)
		free(scope->paths[i]);
	free(scope->paths);
	for (size_t i = 0; i < scope->n_holders; i++)
		spg_process_unref(scope->holders[i]);
	free(scope->holders);
	*scope = (struct spg_survey_scope)SPG_SURVEY_SCOPE_NULL;
}

static int scope_holders(const struct entry *entry, struct spg_survey_scope *scope)
{
	const struct spg_tracked *tracked = &entry->tracked;

	scope->holders = calloc(tracked->n_uses + 1, sizeof(struct spg_process *));
	if (!scope->holders)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < tracked->n_uses; i++)
		scope->holders[scope->n_holders++] =
			spg_process_ref(tracked->uses[i].process);
	return 0;
}

/* Only files in use matter for a reading of the locks. */
static int scope_locks(const struct entry *entry, struct spg_survey_scope *scope)
{
	const struct spg_tracked *tracked = &entry->tracked;

	scope->known = calloc(tracked->n_uses + 1, sizeof(struct spg_file *));
	if (!scope->known)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < tracked->n_uses; i++) {
		const struct spg_tracked_use *use = &tracked->uses[i];

		/* Sorted by file, so equal ones are neighbours. */
		if (scope->n_known == 0 ||
			scope->known[scope->n_known - 1] != use->file)
			scope->known[scope->n_known++] = spg_file_ref(use->file);
	}
	return 0;
}

static int scope_files(const struct entry *entry, struct spg_survey_scope *scope)
{
	scope->known = calloc(entry->n_known + 1, sizeof(struct spg_file *));
	scope->paths = calloc(entry->n_dirty + 1, sizeof(char *));
	if (!scope->known || !scope->paths)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < entry->n_known; i++)
		scope->known[scope->n_known++] = spg_file_ref(entry->known[i]);
	if (scope->depth != SPG_SURVEY_FILES)
		return 0;
	for (size_t i = 0; i < entry->n_dirty; i++) {
		scope->paths[i] = strdup(entry->dirty[i]);
		if (!scope->paths[i])
			return SPG_ERR_NOMEM;
		scope->n_paths++;
	}
	return 0;
}

int spg_model_begin_survey(struct spg_model *model, size_t index,
	enum spg_survey_depth depth, struct spg_survey_scope *ret)
{
	struct entry *entry = model->entries[index];
	struct spg_survey_scope scope = {.depth = depth,
		.find_users = entry->find_users,
		.clean = !entry->dirty_all && entry->n_dirty == 0};
	int r;

	/* What lost its place is found only where all places are known. */
	if (depth == SPG_SURVEY_FILES && (entry->dirty_all || entry->find_users ||
						 entry->n_known <= SMALL_PRODUCT))
		scope.depth = SPG_SURVEY_FULL;
	r = scope_holders(entry, &scope);
	scope.looks_around = scope.depth == SPG_SURVEY_FULL &&
	                     (entry->looked_around_ns == 0 ||
				     spg_clock_mono_ns() - entry->looked_around_ns >=
					     LOOK_AROUND_NS);
	if (r == 0)
		r = depth == SPG_SURVEY_LOCKS ? scope_locks(entry, &scope)
		                              : scope_files(entry, &scope);
	if (r < 0) {
		spg_survey_scope_finish(&scope);
		return r;
	}
	entry->n_lock_notes_before = entry->n_lock_notes;
	if (depth != SPG_SURVEY_LOCKS)
		clear_dirty(entry);
	*ret = scope;
	return 0;
}

/* A full survey listed every file; what it did not find has gone. */
static int take_over_files(struct entry *entry, const struct spg_observation *obs)
{
	struct spg_file **known = calloc(obs->n_files + 1, sizeof(struct spg_file *));
	size_t n = 0;

	if (!known)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE)
			known[n++] = spg_file_ref(obs->files[i].file);
	drop_files(entry->known, entry->n_known);
	entry->known = known;
	entry->n_known = n;
	return 0;
}

/* What a survey of some files did not look at stays. */
static int take_over_shown(struct entry *entry, const struct spg_observation *obs)
{
	if (obs->depth == SPG_SURVEY_LOCKS)
		return 0;
	if (obs->depth == SPG_SURVEY_FULL)
		spg_notes_finish(&entry->shown);
	return spg_verdict_tell_shown(obs, &entry->shown);
}

static int take_over_bystanders(struct entry *entry, struct spg_observation *obs)
{
	if (!obs->looked_around)
		return spg_bystanders_add_all(&obs->bystanders, &entry->bystanders);
	spg_bystanders_finish(&entry->bystanders);
	entry->looked_around_ns = spg_clock_mono_ns();
	return spg_bystanders_add_all(&entry->bystanders, &obs->bystanders);
}

static int take_over_lacks(struct entry *entry, const struct spg_observation *obs)
{
	struct spg_lack *lacks = calloc(obs->n_lacks + 1, sizeof(*lacks));

	if (!lacks)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_lacks; i++) {
		if (spg_lack_copy(&obs->lacks[i], &lacks[i]) < 0) {
			drop_lacks(lacks, i);
			return SPG_ERR_NOMEM;
		}
		lacks[i].file = SPG_NO_FILE;
	}
	drop_lacks(entry->lacks, entry->n_lacks);
	entry->lacks = lacks;
	entry->n_lacks = obs->n_lacks;
	return 0;
}

/* A use that began or ended, of somebody who is in the way. */
static bool is_of_blocker(
	const struct spg_product *product, const struct spg_event *event)
{
	return (event->kind == SPG_EVENT_USE_BEGIN ||
		       event->kind == SPG_EVENT_USE_END) &&
	       (!event->process ||
		       spg_use_classify(product, event->process) == SPG_CLASS_BLOCKER);
}

static int remember(struct entry *entry, struct spg_observation *obs,
	const struct spg_event_list *changes, size_t n_before)
{
	int64_t now_ns = spg_clock_mono_ns();

	if (obs->depth == SPG_SURVEY_LOCKS)
		return 0;
	for (size_t i = n_before; i < changes->n; i++)
		if (is_of_blocker(entry->product, changes->events[i]))
			entry->disturbed_ns = now_ns;
	if (changes->n > n_before)
		spg_visits_note_changes(&entry->visits, changes->events + n_before,
			changes->n - n_before, now_ns);
	return spg_visits_tell(&entry->visits, obs, now_ns);
}

int spg_model_apply(struct spg_model *model, struct spg_observation *obs,
	struct spg_event_list *changes)
{
	int index = spg_model_find_product(model, obs->product->name);
	struct entry *entry;
	struct spg_tracking t;
	size_t n_before = changes->n;
	int r;

	/* Another product by now, or the same with other directories: the next
	 * survey, of the new one, is due already. */
	if (index < 0 || model->entries[index]->product != obs->product)
		return 0;
	entry = model->entries[index];
	t = tracking_of(model, entry, obs->ended_ns, changes);
	r = spg_tracked_update(&entry->tracked, obs, &t);
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		r = spg_old_versions_note(&entry->old_versions, entry->known,
			entry->n_known, obs, &model->hints, entry->looked_ns);
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		entry->looked_ns = obs->looked_ns;
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		r = take_over_bystanders(entry, obs);
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		r = take_over_files(entry, obs);
	if (r == 0 && obs->depth != SPG_SURVEY_LOCKS)
		r = spg_old_versions_name(&entry->old_versions, obs);
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		r = take_over_lacks(entry, obs);
	if (r == 0)
		r = take_over_shown(entry, obs);
	if (r == 0)
		r = remember(entry, obs, changes, n_before);
	if (r < 0) {
		while (changes->n > n_before)
			spg_event_unref(changes->events[--changes->n]);
		spg_model_distrust(model, (size_t)index);
		return r;
	}
	if (obs->search_failed)
		entry->find_users = true;
	if (t.lock_events && t.keep_locks) {
		/* What it says of locks is stale already: look again. */
		entry->dirty_all = true;
	} else if (obs->depth == SPG_SURVEY_FILES && changes->n > n_before) {
		/* The verdict is about all files: prove it again. What this survey
		 * was told to search for, the next one has to find again. */
		entry->dirty_all = true;
		entry->find_users = true;
	}
	return r;
}

/* The reasons as one text, for the history. */
static char *join_reasons(const struct spg_verdict *verdict)
{
	struct spg_buf buf = SPG_BUF_NULL;

	for (size_t i = 0; i < verdict->reasons.n; i++) {
		if (i > 0)
			spg_buf_puts(&buf, "; ");
		spg_buf_puts(&buf, verdict->reasons.items[i].text);
	}
	return spg_buf_take(&buf);
}

unsigned spg_model_count_disturbed(struct spg_model *model, size_t index)
{
	return ++model->entries[index]->n_disturbed;
}

int spg_model_conclude(struct spg_model *model, size_t index,
	const struct spg_verdict *verdict, int64_t at_ns,
	struct spg_event_list *changes)
{
	struct entry *entry = model->entries[index];
	struct spg_event *event;
	int r;

	if (!entry->judged || entry->verdict != verdict->kind) {
		event = spg_event_create(SPG_EVENT_VERDICT, at_ns, NULL, NULL);
		if (event) {
			event->verdict = verdict->kind;
			event->durable = true;
			event->product = strdup(entry->product->name);
			event->detail = join_reasons(verdict);
			r = spg_notes_add_all(&event->reasons, &verdict->reasons);
			if (!event->product || !event->detail || r < 0) {
				spg_event_unref(event);
				event = NULL;
			}
		}
		r = spg_event_list_add(changes, event);
		if (r < 0)
			return r;
		entry->verdict_since_ns = at_ns;
	}
	/* It has been unsafe until now, also when it is safe from now on. */
	if (!entry->judged || entry->verdict != SPG_VERDICT_SAFE ||
		verdict->kind != SPG_VERDICT_SAFE)
		entry->unsafe_ns = spg_clock_mono_ns();
	entry->n_disturbed = 0;
	entry->judged = true;
	entry->verdict = verdict->kind;
	entry->counts = verdict->counts;
	entry->verdict_ns = at_ns;
	return 0;
}

void spg_model_summarise(
	const struct spg_model *model, size_t index, struct spg_model_summary *ret)
{
	const struct entry *entry = model->entries[index];

	*ret = (struct spg_model_summary){
		.verdict = entry->judged ? entry->verdict : SPG_VERDICT_UNKNOWN,
		.verdict_ns = entry->verdict_ns,
		.verdict_since_ns = entry->verdict_since_ns,
		.generation = entry->generation,
		.counts = entry->counts,
		.n_files = entry->n_known,
		.n_uses = entry->tracked.n_uses,
		.n_locks = entry->tracked.n_locks,
	};
}

const struct spg_notes *spg_model_shown(const struct spg_model *model, size_t index)
{
	return &model->entries[index]->shown;
}

const struct spg_lack *spg_model_lacks(
	const struct spg_model *model, size_t index, size_t *ret_n)
{
	*ret_n = model->entries[index]->n_lacks;
	return model->entries[index]->lacks;
}

void spg_model_set_standing(
	struct spg_model *model, size_t index, struct spg_standing *standing)
{
	struct entry *entry = model->entries[index];

	spg_standing_finish(&entry->standing);
	entry->standing = *standing;
	*standing = (struct spg_standing)SPG_STANDING_NULL;
}

const struct spg_standing *spg_model_standing(
	const struct spg_model *model, size_t index)
{
	return &model->entries[index]->standing;
}

void spg_model_each_use(const struct spg_model *model, size_t index,
	void (*each)(void *user, struct spg_file *file, struct spg_process *process,
		unsigned how),
	void *user)
{
	const struct spg_tracked *tracked = &model->entries[index]->tracked;

	for (size_t i = 0; i < tracked->n_uses; i++)
		each(user, tracked->uses[i].file, tracked->uses[i].process,
			tracked->uses[i].how);
}

struct spg_file *const *spg_model_files(
	const struct spg_model *model, size_t index, size_t *ret_n)
{
	*ret_n = model->entries[index]->n_known;
	return model->entries[index]->known;
}
