/* SPDX-License-Identifier: MIT */
/*
 * Windows: ReadDirectoryChangesW for events; the table of handles and the address spaces of
 * all processes for the rest. Ties the parts of this folder to the contract of watch.h.
 *
 * The loop thread owns events, exits and the list of products; the worker thread owns what
 * looks. Nothing refuses opens here: that would need a driver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/err.h"
#include "common/log.h"
#include "daemon/watch/watch.h"
#include "daemon/watch/windows/events.h"
#include "daemon/watch/windows/exits.h"
#include "daemon/watch/windows/process.h"
#include "daemon/watch/windows/readings.h"
#include "daemon/watch/windows/selftest.h"
#include "daemon/watch/windows/survey.h"

struct backend {
	struct spg_watch base;
	enum spg_tier tier; /* that was asked for */
	char *scratch_dir;
	struct spg_win_events *events; /* NULL: no events on this system */
	struct spg_win_exits *exits;
	struct spg_win_readings *readings;
	struct spg_win_tools tools;
	struct spg_mechanism mechanisms[SPG_WIN_ROWS];
	size_t n_mechanisms;
	SRWLOCK place_lock;
	char place[256];
	/* For directories(): one row each, rebuilt at every call. */
	struct spg_watched_directory *rows;
	void (*on_stopped)(void *user);
	void *user;
};

static struct backend *backend_of(struct spg_watch *watch)
{
	return (struct backend *)watch;
}

static void note_place(void *user, const char *path)
{
	struct backend *b = user;

	AcquireSRWLockExclusive(&b->place_lock);
	snprintf(b->place, sizeof(b->place), "%s", path);
	ReleaseSRWLockExclusive(&b->place_lock);
}

static void survey_place(struct spg_watch *watch, char *ret, size_t size)
{
	struct backend *b = backend_of(watch);

	AcquireSRWLockExclusive(&b->place_lock);
	snprintf(ret, size, "%s", b->place);
	ReleaseSRWLockExclusive(&b->place_lock);
}

/* Debug: to look into other accounts' processes. Backup: to list and open, for attributes
 * alone, what the service may not read. A service has both and has to switch them on. */
static void take_privileges(void)
{
	static const wchar_t *const names[] = {
		L"SeDebugPrivilege", L"SeBackupPrivilege"};
	HANDLE token;

	if (!OpenProcessToken(
		    GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1};

		wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
		if (LookupPrivilegeValueW(NULL, names[i], &wanted.Privileges[0].Luid))
			AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL);
	}
	CloseHandle(token);
}

static int start(struct spg_watch *watch)
{
	struct backend *b = backend_of(watch);
	int r;

	if (b->tier != SPG_TIER_AUTO) {
		spg_error("the tiers bpf and procfs are of Linux: leave --tier out");
		return SPG_ERR_UNSUPPORTED;
	}
	take_privileges();
	b->tools.handles = spg_win_handles_create();
	if (!b->tools.handles)
		return SPG_ERR_NOMEM;
	b->tools.progress = note_place;
	b->tools.user = b;
	b->n_mechanisms =
		spg_win_selftest_run(&b->tools, b->scratch_dir, b->mechanisms);
	r = spg_win_exits_start(&b->exits, watch->loop, &watch->listener);
	if (r == 0)
		r = spg_win_events_start(&b->events, watch->loop, &watch->listener);
	b->tools.events = b->events;
	if (r == 0)
		r = spg_win_readings_start(
			&b->readings, watch->loop, &b->tools, &watch->listener);
	for (size_t i = 0; i < b->n_mechanisms; i++)
		if (!b->mechanisms[i].works)
			spg_warning("%s: %s; %s", b->mechanisms[i].name,
				b->mechanisms[i].detail, b->mechanisms[i].remedy);
	return r;
}

static int set_products(
	struct spg_watch *watch, struct spg_product *const *products, size_t n)
{
	struct backend *b = backend_of(watch);

	spg_win_readings_keep(b->readings, products, n);
	return spg_win_events_set_products(b->events, products, n);
}

static int drain(struct spg_watch *watch, bool begin)
{
	return spg_win_events_drain(backend_of(watch)->events, begin);
}

/* A mechanism that failed its test blinds every survey, unless another one does its
 * work. */
static int add_lacks(const struct backend *b, struct spg_observation *obs)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->n_mechanisms; i++) {
		const struct spg_mechanism *m = &b->mechanisms[i];

		if (!m->works)
			r = spg_observation_add_lack(obs,
				&(struct spg_lack){.kind = SPG_LACK_MECHANISM,
					.file = SPG_NO_FILE,
					.blinds = !m->spared,
					.what = m->name,
					.remedy = {m->remedy, m->command}},
				"%s", m->detail);
	}
	return r;
}

static int survey(struct spg_watch *watch, const struct spg_survey_request *request,
	struct spg_observation **ret)
{
	struct backend *b = backend_of(watch);
	struct spg_observation *obs = NULL;
	int r;

	/* Everything here may wait for a disk. */
	if (request->instant)
		return SPG_WATCH_LATER;
	r = spg_win_survey_run(&b->tools, request, &obs);
	note_place(b, "");
	if (r == 0)
		r = add_lacks(b, obs);
	if (r == 0 && obs->depth == SPG_SURVEY_FULL)
		r = spg_win_readings_take(b->readings, obs);
	if (r != 0) {
		spg_observation_destroy(obs);
		return r;
	}
	*ret = obs;
	return 0;
}

/* The account and its rights are the service's own: what it needs it needs all the time. */
static int confine(struct spg_watch *watch)
{
	(void)watch;
	return 0;
}

static int watch_exit(struct spg_watch *watch, struct spg_process *process)
{
	return spg_win_exits_watch(backend_of(watch)->exits, process->id);
}

static struct spg_process *process(struct spg_watch *watch, int32_t pid)
{
	struct spg_win_processes processes = {NULL, 0};
	struct spg_win_services services = {NULL, 0};
	const struct spg_win_process *found;
	struct spg_process *made = NULL;

	(void)watch;
	if (spg_win_processes_read(&processes) < 0)
		return NULL;
	found = spg_win_processes_find(&processes, pid);
	if (found) {
		(void)spg_win_services_read(&services);
		made = spg_win_process_describe(found, &services);
	}
	spg_win_services_finish(&services);
	spg_win_processes_finish(&processes);
	return made;
}

static size_t mechanisms(struct spg_watch *watch, const struct spg_mechanism **ret)
{
	struct backend *b = backend_of(watch);

	*ret = b->mechanisms;
	return b->n_mechanisms;
}

static size_t directories(struct spg_watch *watch, const struct spg_product *product,
	const struct spg_watched_directory **ret)
{
	struct backend *b = backend_of(watch);

	free(b->rows);
	b->rows = calloc(product->n_directories + 1, sizeof(*b->rows));
	if (!b->rows)
		return 0;
	for (size_t i = 0; i < product->n_directories; i++) {
		struct spg_watched_directory *row = &b->rows[i];

		row->path = product->directories[i].path;
		row->n_marks = spg_win_events_count(b->events, row->path);
		row->state = row->n_marks > 0 ? SPG_DIRECTORY_WATCHED
		                              : SPG_DIRECTORY_MISSING;
		row->why = row->n_marks > 0
		                   ? ""
		                   : "not there, or not watchable; see the coverage";
	}
	*ret = b->rows;
	return product->n_directories;
}

static void on_events_closed(void *user)
{
	struct backend *b = user;

	b->events = b->tools.events = NULL;
	b->on_stopped(b->user);
}

static void on_readings_closed(void *user)
{
	struct backend *b = user;

	b->readings = NULL;
	spg_win_events_stop(b->events, on_events_closed, b);
}

static void on_exits_closed(void *user)
{
	struct backend *b = user;

	b->exits = NULL;
	spg_win_readings_stop(b->readings, on_readings_closed, b);
}

static void stop(struct spg_watch *watch, void (*on_stopped)(void *user), void *user)
{
	struct backend *b = backend_of(watch);

	b->on_stopped = on_stopped;
	b->user = user;
	spg_win_exits_stop(b->exits, on_exits_closed, b);
}

static void destroy(struct spg_watch *watch)
{
	struct backend *b = backend_of(watch);

	spg_win_handles_destroy(b->tools.handles);
	free(b->rows);
	free(b->scratch_dir);
	free(b);
}

static const struct spg_watch_ops ops = {
	.start = start,
	.set_products = set_products,
	.drain = drain,
	.survey = survey,
	.confine = confine,
	.survey_place = survey_place,
	.watch_exit = watch_exit,
	.process = process,
	.mechanisms = mechanisms,
	.directories = directories,
	.stop = stop,
	.destroy = destroy,
};

struct spg_watch *spg_watch_create(uv_loop_t *loop,
	const struct spg_watch_listener *listener, enum spg_tier tier,
	const char *scratch_dir)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->tier = tier;
	b->base = (struct spg_watch){
		.ops = &ops, .tier = "windows", .listener = *listener, .loop = loop};
	b->place_lock = (SRWLOCK)SRWLOCK_INIT;
	b->scratch_dir = strdup(scratch_dir);
	if (!b->scratch_dir) {
		destroy(&b->base);
		return NULL;
	}
	return &b->base;
}
