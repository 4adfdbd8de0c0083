/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/readings.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/windows/find_users.h"
#include "daemon/watch/windows/pairs.h"

#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000
/* The pause for each millisecond that a reading took. */
#define PAUSE_RATIO  9
#define EVENTS_MAX   10000

/* The files of one product. */
struct watched {
	struct spg_product *product;
	struct spg_pairs found; /* by the survey */
	struct watched *next;
};

struct spg_win_readings {
	const struct spg_win_tools *tools;
	struct spg_watch_listener listener;
	uv_async_t async;
	HANDLE thread, stop;
	atomic_bool cancel;
	/* The thread's own. */
	struct spg_win_handles *handles;
	struct spg_pairs before;
	SRWLOCK lock; /* what follows */
	struct watched *watched;
	struct spg_event_list events;
	bool dropped;
	void (*on_closed)(void *user);
	void *user;
};

/* --- what to look at ------------------------------------------------------------- */

static void free_watched(struct watched *watched)
{
	if (!watched)
		return;
	spg_pairs_finish(&watched->found);
	spg_product_unref(watched->product);
	free(watched);
}

static struct watched *make_watched(const struct spg_observation *obs)
{
	struct watched *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	if (spg_pairs_of_survey(&made->found, obs) < 0) {
		free(made);
		return NULL;
	}
	made->product = spg_product_ref(obs->product);
	return made;
}

int spg_win_readings_take(
	struct spg_win_readings *readings, const struct spg_observation *obs)
{
	struct watched *made = make_watched(obs), *old = NULL;

	if (!made)
		return SPG_ERR_NOMEM;
	AcquireSRWLockExclusive(&readings->lock);
	for (struct watched **at = &readings->watched; *at && !old; at = &(*at)->next)
		if (strcmp((*at)->product->name, made->product->name) == 0) {
			old = *at;
			*at = old->next;
			break;
		}
	made->next = readings->watched;
	readings->watched = made;
	ReleaseSRWLockExclusive(&readings->lock);
	free_watched(old);
	return 0;
}

void spg_win_readings_keep(struct spg_win_readings *readings,
	struct spg_product *const *products, size_t n)
{
	struct watched **at = &readings->watched;

	AcquireSRWLockExclusive(&readings->lock);
	while (*at) {
		struct watched *watched = *at;
		bool kept = false;

		for (size_t i = 0; i < n && !kept; i++)
			kept = strcmp(products[i]->name, watched->product->name) == 0;
		if (kept) {
			at = &watched->next;
		} else {
			*at = watched->next;
			free_watched(watched);
		}
	}
	ReleaseSRWLockExclusive(&readings->lock);
}

/* A file that is new is compared with what the survey found of it. */
static int list_files(struct spg_win_readings *readings, struct spg_observation *obs)
{
	int r = 0;

	AcquireSRWLockShared(&readings->lock);
	for (struct watched *w = readings->watched; w && r == 0; w = w->next) {
		r = spg_pairs_merge(&readings->before, &w->found);
		for (size_t i = 0; r == 0 && i < w->found.n_files; i++)
			r = spg_observation_add_file(obs, w->found.files[i],
				SPG_PRESENT, SPG_IN_USE_UNKNOWN);
	}
	ReleaseSRWLockShared(&readings->lock);
	return r;
}

/* --- one reading: its thread ------------------------------------------------------ */

/* With the lock. */
static void put(struct spg_win_readings *readings, enum spg_event_kind kind,
	const struct spg_pair *pair)
{
	struct spg_event *event;

	if (readings->events.n >= EVENTS_MAX) {
		readings->dropped = true;
		return;
	}
	event = spg_event_create(kind, spg_clock_wall_ns(), pair->file, pair->process);
	if (spg_event_list_add(&readings->events, event) < 0)
		readings->dropped = true;
}

struct telling {
	struct spg_win_readings *readings;
	size_t n;
};

static void on_difference(void *user, const struct spg_pair *pair, bool began)
{
	struct telling *telling = user;

	telling->n++;
	put(telling->readings, began ? SPG_EVENT_OPEN : SPG_EVENT_CLOSE, pair);
}

static void tell(struct spg_win_readings *readings, struct spg_pairs *now)
{
	struct telling telling = {.readings = readings};

	AcquireSRWLockExclusive(&readings->lock);
	spg_pairs_compare(&readings->before, now, on_difference, &telling);
	ReleaseSRWLockExclusive(&readings->lock);
	if (telling.n > 0)
		uv_async_send(&readings->async);
}

/* What cannot be looked into is no difference: surveys say so. */
static int look(struct spg_win_readings *readings, struct spg_observation *obs)
{
	struct spg_win_tools tools = {.proofs = readings->tools->proofs,
		.handles = readings->handles,
		.once = true};
	struct spg_survey_scope scope = {.depth = SPG_SURVEY_FILES};
	struct spg_survey_request request = {
		.product = obs->product, .scope = &scope, .cancel = &readings->cancel};
	struct spg_win_users users = {.uses = NULL};
	struct spg_pairs now = SPG_PAIRS_NULL;
	int r = spg_win_users_find(&tools, &request, obs, &users);

	if (r == 0)
		r = spg_pairs_make(&now, obs, &users, &readings->before);
	spg_win_users_finish(&users);
	if (r < 0)
		return r;
	tell(readings, &now);
	spg_pairs_finish(&readings->before);
	readings->before = now;
	return 0;
}

static void read_once(struct spg_win_readings *readings)
{
	/* Of no product's names: old versions are for surveys. */
	struct spg_product *product = spg_product_create("readings");
	struct spg_observation *obs =
		product ? spg_observation_create(product, SPG_SURVEY_FILES) : NULL;

	if (obs && list_files(readings, obs) == 0 && obs->n_files > 0)
		(void)look(readings, obs);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}

static DWORD WINAPI run(void *arg)
{
	struct spg_win_readings *readings = arg;
	DWORD pause_ms = PAUSE_MIN_MS;

	while (WaitForSingleObject(readings->stop, pause_ms) == WAIT_TIMEOUT) {
		ULONGLONG began = GetTickCount64(), pause;

		read_once(readings);
		pause = (GetTickCount64() - began) * PAUSE_RATIO;
		pause_ms = pause < PAUSE_MIN_MS   ? PAUSE_MIN_MS
		           : pause > PAUSE_MAX_MS ? PAUSE_MAX_MS
		                                  : (DWORD)pause;
	}
	return 0;
}

/* --- loop thread ------------------------------------------------------------------ */

static void on_async(uv_async_t *async)
{
	struct spg_win_readings *readings = async->data;
	const struct spg_watch_listener *to = &readings->listener;
	struct spg_event_list events;
	bool dropped;

	AcquireSRWLockExclusive(&readings->lock);
	events = readings->events;
	dropped = readings->dropped;
	readings->events = (struct spg_event_list)SPG_EVENT_LIST_NULL;
	readings->dropped = false;
	ReleaseSRWLockExclusive(&readings->lock);
	for (size_t i = 0; i < events.n && !readings->on_closed; i++)
		if (to->wants(to->user, events.events[i]->file->path))
			to->on_event(to->user, events.events[i]);
	if (dropped && !readings->on_closed)
		to->on_gap(to->user, SPG_GAP_DROPPED, spg_clock_wall_ns(),
			spg_clock_wall_ns(), 0, "more opens and closes than are kept");
	spg_event_list_finish(&events);
}

int spg_win_readings_start(struct spg_win_readings **ret, uv_loop_t *loop,
	const struct spg_win_tools *tools, const struct spg_watch_listener *listener)
{
	struct spg_win_readings *readings = calloc(1, sizeof(*readings));

	if (!readings)
		return SPG_ERR_NOMEM;
	readings->tools = tools;
	readings->listener = *listener;
	readings->lock = (SRWLOCK)SRWLOCK_INIT;
	readings->events = (struct spg_event_list)SPG_EVENT_LIST_NULL;
	atomic_init(&readings->cancel, false);
	if (uv_async_init(loop, &readings->async, on_async) < 0) {
		free(readings);
		return SPG_ERR_IO;
	}
	readings->async.data = readings;
	/* From here on stopping has a handle to close, whatever fails. */
	*ret = readings;
	readings->handles = spg_win_handles_create();
	readings->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!readings->handles || !readings->stop)
		return SPG_ERR_NOMEM;
	readings->thread = CreateThread(NULL, 0, run, readings, 0, NULL);
	if (!readings->thread)
		return SPG_ERR_NOMEM;
	SetThreadPriority(readings->thread, THREAD_PRIORITY_BELOW_NORMAL);
	return 0;
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_win_readings *readings = handle->data;
	void (*on_closed)(void *user) = readings->on_closed;
	void *user = readings->user;

	while (readings->watched) {
		struct watched *next = readings->watched->next;

		free_watched(readings->watched);
		readings->watched = next;
	}
	spg_event_list_finish(&readings->events);
	spg_pairs_finish(&readings->before);
	spg_win_handles_destroy(readings->handles);
	free(readings);
	on_closed(user);
}

void spg_win_readings_stop(
	struct spg_win_readings *readings, void (*on_closed)(void *user), void *user)
{
	if (!readings) {
		on_closed(user);
		return;
	}
	readings->on_closed = on_closed;
	readings->user = user;
	atomic_store(&readings->cancel, true);
	if (readings->thread) {
		SetEvent(readings->stop);
		WaitForSingleObject(readings->thread, INFINITE);
		CloseHandle(readings->thread);
	}
	if (readings->stop)
		CloseHandle(readings->stop);
	uv_close((uv_handle_t *)&readings->async, on_async_closed);
}
