/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/host/access.h"
#include "daemon/host/activation.h"
#include "daemon/host/control.h"
#include "daemon/host/descriptors.h"
#include "daemon/host/notify.h"
#include "daemon/host/places.h"
#include "daemon/host/reporter.h"
#include "daemon/host/subordinates.h"
#include "daemon/host/turns.h"
#include "daemon/install/hold/hold.h"
#include "daemon/install/installs.h"
#include "daemon/model/model.h"
#include "daemon/proof/prover.h"
#include "daemon/record/recorder.h"
#include "daemon/serve/http/http.h"
#include "daemon/serve/server.h"
#include "daemon/store/store.h"

#define STORE_STOP_MS     2000
/* Of the 65,536 events that may wait for the store: then lock events, of which
 * there may be very many, wait where they take less room. */
#define STORE_BEHIND_ROWS 20000

struct daemon {
	uv_loop_t loop;
	struct spg_config *config;
	enum spg_tier tier;
	struct spg_access access;
	struct spg_subordinates subordinates;
	struct spg_watch *watch;
	struct spg_store *store;
	struct spg_model *model;
	struct spg_prover *prover;
	struct spg_recorder *recorder;
	struct spg_reporter *reporter;
	struct spg_installs installs;
	struct spg_server *server;
	struct spg_holds *holds;
	struct spg_service service;
	struct spg_buf refused_for; /* the service's */
	struct spg_control *control;
	uv_timer_t watchdog;
	struct spg_turns turns;
	bool handles; /* the two above are initialised */
	bool ready;   /* the first look is done */
	bool stopping;
	bool lost;        /* another daemon has taken the place */
	bool watch_hangs; /* a survey never returned: leave what it works on */
};

/* --- from the watch backend ------------------------------------------------ */

static bool wants(void *user, const char *path)
{
	const struct daemon *d = user;

	return spg_model_wants(d->model, path);
}

static void on_event(void *user, struct spg_event *event)
{
	struct daemon *d = user;

	if (d->stopping || !spg_model_note(d->model, event))
		return;
	if (!event->unattributed) {
		spg_recorder_record(d->recorder, event);
		spg_installs_note(&d->installs, event);
		spg_holds_note_event(d->holds, event);
	}
	spg_prover_kick(d->prover, false);
}

static void record_all(struct daemon *d, struct spg_event_list *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		spg_recorder_record(d->recorder, changes->events[i]);
	spg_installs_note_changes(&d->installs, changes);
}

static void on_lock(void *user, const struct spg_lock_note *note)
{
	struct daemon *d = user;
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;

	if (d->stopping || !d->recorder)
		return;
	if (spg_model_note_lock(d->model, note, &changes))
		spg_prover_kick(d->prover, false);
	record_all(d, &changes);
	spg_event_list_finish(&changes);
}

static bool is_behind(void *user)
{
	const struct daemon *d = user;
	struct spg_store_status status;

	if (!d->store)
		return false;
	spg_store_status(d->store, &status);
	return status.queue_rows > STORE_BEHIND_ROWS;
}

static void on_gap(void *user, enum spg_gap_reason reason, int64_t since_ns,
	int64_t until_ns, uint64_t count, const char *detail)
{
	struct daemon *d = user;
	const struct spg_event_gap gap = {.reason = reason,
		.since_ns = since_ns,
		.until_ns = until_ns,
		.count = count};

	if (d->stopping || !d->recorder)
		return;
	spg_recorder_gap(d->recorder, &gap, detail);
	spg_model_distrust(d->model, SPG_NO_FILE);
	spg_installs_look(&d->installs, NULL);
	spg_prover_kick(d->prover, true);
}

static void on_layout(void *user, const struct spg_product *product)
{
	struct daemon *d = user;
	int index = product ? spg_model_find_product(d->model, product->name) : -1;

	if (d->stopping)
		return;
	if (d->watch->guards)
		d->watch->guards->walk(d->watch, product);
	spg_model_distrust(d->model, index >= 0 ? (size_t)index : SPG_NO_FILE);
	spg_installs_look(&d->installs, index >= 0 ? product : NULL);
	spg_prover_kick(d->prover, false);
}

static void on_moved(void *user, const char *path, struct spg_process *process)
{
	struct daemon *d = user;

	if (!d->stopping)
		spg_installs_note_moved(&d->installs, path, process);
}

static void on_mounts(void *user)
{
	struct daemon *d = user;

	if (d->stopping)
		return;
	for (size_t i = 0; i < spg_model_n_products(d->model); i++)
		spg_model_look_again(d->model, i);
	spg_prover_kick(d->prover, false);
}

static void on_exit_of_process(void *user, struct spg_proc_id id)
{
	struct daemon *d = user;

	if (d->stopping)
		return;
	spg_model_note_exit(d->model, id);
	spg_installs_note_exit(&d->installs, id);
	spg_prover_kick(d->prover, true);
}

/* --- from the recorder ------------------------------------------------------ */

static void on_recorded(void *user, const struct spg_event *event)
{
	const struct daemon *d = user;

	spg_reporter_note(d->reporter, event);
}

static void on_announced(void *user, const struct spg_event *event)
{
	const struct daemon *d = user;

	if (d->server)
		spg_server_publish(d->server, event);
}

/* --- from the prover ------------------------------------------------------- */

static void on_changes(void *user, struct spg_event_list *changes)
{
	struct daemon *d = user;

	record_all(d, changes);
}

static void on_surveyed(void *user, const struct spg_observation *obs)
{
	struct daemon *d = user;

	if (!d->stopping)
		spg_installs_note_survey(&d->installs, obs);
}

/* --- reload ---------------------------------------------------------------- */

static struct spg_prover_config prover_config(const struct spg_config *config)
{
	return (struct spg_prover_config){
		.debounce_ms = (unsigned)(config->debounce_ns / SPG_NS_PER_MS),
		.lock_poll_ms = (unsigned)(config->lock_poll_ns / SPG_NS_PER_MS),
		.deadline_ms = (unsigned)(config->survey_deadline_ns / SPG_NS_PER_MS)};
}

static int set_products(struct daemon *d)
{
	struct spg_event_list changes = SPG_EVENT_LIST_NULL;
	int r;

	r = spg_model_set_products(d->model, d->config->products, d->config->n_products,
		spg_clock_wall_ns(), &changes);
	if (r == 0)
		r = d->watch->ops->set_products(
			d->watch, d->config->products, d->config->n_products);
	on_changes(d, &changes);
	spg_event_list_finish(&changes);
	if (r == 0)
		spg_installs_set_products(&d->installs);
	return r;
}

static bool same_addresses(const struct spg_config *old, const struct spg_config *new)
{
	bool same = old->n_http == new->n_http;

	for (size_t i = 0; same && i < old->n_http; i++)
		same = strcmp(old->http[i].text, new->http[i].text) == 0;
	return same;
}

/* What a running daemon cannot change. */
static void warn_of_fixed(const struct spg_config *old, const struct spg_config *new,
	struct spg_buf *notes)
{
	const char *const pairs[][3] = {{"socket", old->socket, new->socket},
		{"database", old->database, new->database},
		{"group", old->group, new->group},
		{"[http] group", spg_config_http_group(old),
			spg_config_http_group(new)}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (strcmp(pairs[i][1], pairs[i][2]) == 0)
			continue;
		spg_warning("%s = %s takes effect at the next start", pairs[i][0],
			pairs[i][2]);
		spg_buf_printf(notes, "%s = %s takes effect at the next start\n",
			pairs[i][0], pairs[i][2]);
	}
	if (!same_addresses(old, new)) {
		spg_warning("[http] listen takes effect at the next start");
		spg_buf_puts(notes, "[http] listen takes effect at the next start\n");
	}
}

/* The products of a new configuration have been looked at. */
static void on_new_products(void *user, int err)
{
	struct daemon *d = user;

	if (err == 0 && !d->stopping)
		spg_installs_begin(&d->installs);
}

/* Put @config into force. */
static int switch_to(struct daemon *d, struct spg_config *config,
	const struct spg_access *access, struct spg_buf *notes)
{
	struct spg_prover_config prover = prover_config(config);
	struct spg_config *old = d->config;
	int r;

	warn_of_fixed(old, config, notes);
	d->config = config;
	r = set_products(d);
	if (r < 0) {
		d->config = old;
		return r;
	}
	spg_access_finish(&d->access);
	d->access = *access;
	spg_prover_configure(d->prover, &prover);
	spg_installs_configure(&d->installs, config);
	spg_store_set_retention(d->store, config->retain_ns, config->retain_bytes);
	spg_log_init("spguardd", config->log_level);
	spg_server_show_processes(d->server, config->http_shows_processes);
	/* What others borrowed from the old one stays theirs. */
	spg_config_move_fixed(old, config);
	spg_config_destroy(old);
	spg_prover_kick(d->prover, true);
	if (d->ready)
		(void)spg_prover_sync(d->prover, on_new_products, d);
	return 0;
}

static void note_refusal(struct daemon *d, const char *problems)
{
	spg_buf_clear(&d->refused_for);
	spg_buf_puts(&d->refused_for, problems);
	d->service.refused_ns = spg_clock_wall_ns();
	d->service.refused_for = spg_buf_text(&d->refused_for);
}

static int reload(void *user, struct spg_buf *problems)
{
	struct daemon *d = user;
	struct spg_config *config = NULL;
	struct spg_access access = {.has_admin_group = false};
	int r;

	spg_reporter_reloading(d->reporter);
	r = spg_config_read(&config, d->config->path, problems, NULL);
	if (r == 0)
		r = spg_access_resolve(config, &access, problems);
	if (r == 0)
		r = switch_to(d, config, &access, problems);
	if (r < 0) {
		spg_access_finish(&access);
		spg_config_destroy(config);
		note_refusal(d, spg_buf_text(problems));
		spg_reporter_refused(d->reporter, problems);
	} else {
		d->service.refused_ns = 0;
		spg_reporter_reloaded(d->reporter);
	}
	return r == 0 || r == SPG_ERR_NOMEM ? r : SPG_ERR_INVALID;
}

static bool is_admin(void *user, uint32_t uid, uint32_t gid, int32_t pid)
{
	const struct daemon *d = user;

	(void)pid;
	return spg_access_is_admin(&d->access, uid, gid);
}

static uint32_t account_of(void *user, uint32_t uid)
{
	struct daemon *d = user;

	return spg_subordinates_account(&d->subordinates, uid);
}

/* --- stop, the mirror of start --------------------------------------------- */

static void on_store_closed(void *user)
{
	struct daemon *d = user;

	d->store = NULL;
}

static void on_watch_stopped(void *user)
{
	struct daemon *d = user;

	if (!d->watch_hangs)
		d->watch->ops->destroy(d->watch);
	d->watch = NULL;
	spg_recorder_stop(d->recorder);
	spg_store_stop(d->store, STORE_STOP_MS, on_store_closed, d);
}

static void on_installs_stopped(void *user)
{
	struct daemon *d = user;

	d->watch->ops->stop(d->watch, on_watch_stopped, d);
}

static void on_prover_stopped(void *user, bool hangs)
{
	struct daemon *d = user;

	d->watch_hangs = hangs;
	if (hangs)
		spg_warning("a survey still hangs on a disk; stopping without it");
	spg_installs_stop(&d->installs, hangs, on_installs_stopped, d);
}

static void on_server_closed(void *user)
{
	struct daemon *d = user;

	d->server = NULL;
	if (d->prover)
		spg_prover_stop(d->prover, on_prover_stopped, d);
	else
		on_prover_stopped(d, false);
}

static void stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	spg_reporter_stop(d->reporter);
	spg_control_stop(d->control);
	uv_close((uv_handle_t *)&d->watchdog, NULL);
	spg_turns_stop(&d->turns);
	/* With its sessions the server ends their holds; the watch waits for them. */
	spg_holds_stop(d->holds);
	spg_server_stop(d->server, on_server_closed, d);
}

/* --- control, watchdog ------------------------------------------------------ */

static void on_stop(void *user)
{
	spg_notice("stopping");
	stop(user);
}

static void on_reload(void *user)
{
	struct spg_buf problems = SPG_BUF_NULL;

	(void)reload(user, &problems); /* logged there */
	spg_buf_finish(&problems);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	spg_notify("WATCHDOG=1");
}

static int init_handles(struct daemon *d)
{
	const struct spg_control_listener listener = {
		.on_stop = on_stop, .on_reload = on_reload, .user = d};
	uint64_t watchdog_ms = spg_notify_watchdog_ms();
	int r;

	uv_timer_init(&d->loop, &d->watchdog);
	spg_turns_start(&d->turns, &d->loop);
	d->handles = true;
	r = spg_control_start(&d->control, &d->loop, &listener);
	if (r < 0)
		return r;
	if (watchdog_ms > 0)
		uv_timer_start(&d->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
	return 0;
}

/* --- start ----------------------------------------------------------------- */

static int start_watch(struct daemon *d)
{
	const struct spg_watch_listener listener = {.wants = wants,
		.on_event = on_event,
		.on_lock = on_lock,
		.is_behind = is_behind,
		.on_gap = on_gap,
		.on_layout = on_layout,
		.on_moved = on_moved,
		.on_mounts = on_mounts,
		.on_exit = on_exit_of_process,
		.user = d};
	char *scratch = strdup(d->config->database);
	int r = SPG_ERR_NOMEM;

	if (scratch) {
		char *slash = strrchr(scratch, '/');

		slash[slash == scratch] = '\0';
		d->watch = spg_watch_create(&d->loop, &listener, d->tier, scratch);
	}
	if (d->watch)
		r = d->watch->ops->start(d->watch);
	free(scratch);
	return r;
}

static void on_stored_gap(void *user, struct spg_event *gap)
{
	const struct daemon *d = user;

	if (d->recorder)
		spg_recorder_announce_stored(d->recorder, gap);
}

static int start_store(struct daemon *d, struct spg_store_origin *ret)
{
	const struct spg_store_config config = {.path = d->config->database,
		.retain_ns = d->config->retain_ns,
		.retain_bytes = d->config->retain_bytes,
		.on_gap = on_stored_gap,
		.user = d};

	return spg_store_start(&d->store, &d->loop, &config, ret);
}

static void on_lost(void *user)
{
	struct daemon *d = user;

	if (d->stopping)
		return;
	spg_error("another daemon has taken the place of this one: stopping");
	d->lost = true;
	stop(d);
}

/* Listens; nobody is served before the loop runs, when the rest is there too. */
static int start_server(struct daemon *d)
{
	int local = spg_activation_take(SPG_ACTIVATION_LOCAL);
	int http = spg_activation_take(SPG_ACTIVATION_HTTP);
	struct spg_server_config config = {.socket_path = d->config->socket,
		.fd = local,
		.gid = d->access.gid,
		.http = {.addresses = d->config->http,
			.n_addresses = d->config->n_http,
			.fd = http > 0 ? http : 0,
			.gid = d->access.http_gid,
			.shows_processes = d->config->http_shows_processes}};

	if (local >= 0)
		spg_activation_expect(local, d->config->socket);
	d->service = (struct spg_service){.loop = &d->loop,
		.watch = d->watch,
		.socket_path = d->config->socket,
		.database_path = d->config->database,
		.config_path = d->config->path,
		.started_ns = spg_clock_wall_ns(),
		.reload = reload,
		.is_admin = is_admin,
		.account_of = account_of,
		.on_lost = on_lost,
		.user = d};
	return spg_server_start(&d->server, &d->service, &config);
}

static void record(void *user, struct spg_event *event)
{
	struct daemon *d = user;

	spg_recorder_record(d->recorder, event);
}

static int start_prover(struct daemon *d, const struct spg_store_origin *origin)
{
	const struct spg_prover_config config = prover_config(d->config);
	struct spg_installs_host host = {.loop = &d->loop,
		.model = d->model,
		.store = d->store,
		.watch = d->watch,
		.record = record,
		.user = d};
	int r = spg_prover_start(
		&d->prover, &d->loop, &config, d->model, d->watch, on_changes, d);

	if (r < 0)
		return r;
	host.prover = d->prover;
	r = spg_installs_init(&d->installs, &host, origin, d->config);
	if (r < 0)
		return r;
	spg_prover_listen(d->prover, on_surveyed, d);
	d->service.model = d->model;
	d->service.prover = d->prover;
	d->service.store = d->store;
	d->service.catalog = d->installs.catalog;
	d->service.owners = d->installs.owners;
	d->service.tracker = d->installs.tracker;
	d->service.sidesteps = d->installs.sidesteps;
	d->service.holds = d->holds;
	d->service.counters = spg_recorder_counters(d->recorder);
	d->service.turns = &d->turns.durations;
	return 0;
}

static void on_first_census(void *user, int err)
{
	struct daemon *d = user;

	if (err < 0 && err != SPG_ERR_TIMEOUT)
		return; /* stopping already */
	/* With a survey that hangs: answers are "unknown", and it is there. */
	d->ready = true;
	spg_installs_begin(&d->installs);
	spg_reporter_ready(d->reporter);
}

/* What was not seen while nobody looked. */
static void record_downtime(struct daemon *d, const struct spg_store_origin *origin)
{
	const struct spg_event_gap gap = {.reason = SPG_GAP_DOWNTIME,
		.since_ns = origin->last_alive_ns,
		.until_ns = spg_clock_wall_ns()};

	if (origin->is_new || origin->began_anew || origin->last_alive_ns == 0)
		return;
	spg_recorder_gap(d->recorder, &gap,
		origin->clean_stop ? "spguardd was stopped"
				   : "spguardd ended without a clean stop");
}

static void record_of_hold(void *user, struct spg_event *event)
{
	const struct daemon *d = user;

	spg_recorder_record(d->recorder, event);
}

static int make_holds(struct daemon *d)
{
	const struct spg_hold_host host = {
		.watch = d->watch, .record = record_of_hold, .user = d};

	d->holds = spg_holds_create(&host);
	return d->holds ? 0 : SPG_ERR_NOMEM;
}

/*
 * In this order: what needs privileges first, with one thread only, since the
 * self-test forks and privileges are given up by a thread for itself and those
 * that it starts.
 */
static int start(struct daemon *d)
{
	const struct spg_recorder_listener listener = {
		.on_recorded = on_recorded, .on_announced = on_announced, .user = d};
	struct spg_store_origin origin = {.records = NULL};
	int r;

	spg_descriptors_raise_limit();
	d->reporter = spg_reporter_create(&d->loop);
	if (!d->reporter)
		return SPG_ERR_NOMEM;
	r = start_watch(d);
	if (r == 0)
		r = start_server(d);
	spg_activation_end();
	if (r < 0)
		return r;
	(void)d->watch->ops->confine(d->watch);
	r = start_store(d, &origin);
	if (r < 0)
		return r;
	d->model = spg_model_create(origin.last_interval);
	d->recorder = spg_recorder_create(
		&d->loop, d->store, origin.last_event_id, &listener);
	if (!d->model || !d->recorder)
		return SPG_ERR_NOMEM;
	if (d->watch->lock_events)
		spg_model_expect_lock_events(d->model);
	r = make_holds(d);
	if (r == 0)
		r = start_prover(d, &origin);
	spg_store_records_destroy(origin.records);
	if (r == 0)
		r = init_handles(d);
	if (r < 0)
		return r;
	record_downtime(d, &origin);
	r = set_products(d);
	if (r < 0)
		return r;
	spg_reporter_started(d->reporter, d->model, d->watch->tier);
	return spg_prover_sync(d->prover, on_first_census, d);
}

/* A start that failed has not run the loop: close what there is. */
static void undo_start(struct daemon *d)
{
	if (d->handles) {
		stop(d);
		return;
	}
	d->stopping = true;
	spg_reporter_stop(d->reporter);
	if (d->server)
		spg_server_stop(d->server, on_server_closed, d);
	else if (d->watch)
		d->watch->ops->stop(d->watch, on_watch_stopped, d);
}

int spg_daemon_check(const struct spg_config *config, struct spg_access *ret,
	struct spg_buf *problems, struct spg_buf *notes)
{
	const struct spg_places_given given = {
		.local = spg_activation_has(SPG_ACTIVATION_LOCAL),
		.http = spg_activation_has(SPG_ACTIVATION_HTTP)};
	struct spg_access access = {.has_admin_group = false};
	int r = spg_places_check(config, &given, &access, problems, notes);

	if (r == 0 && (given.http || config->n_http > 0) && !spg_http_is_built()) {
		spg_buf_printf(problems,
			"%s: [http] listen: this spguardd was built without "
			"libmicrohttpd; take the section out, or build it with "
			"-Dhttp=enabled\n",
			config->path);
		r = SPG_ERR_UNSUPPORTED;
	}
	if (r == 0 && ret)
		*ret = access;
	else
		spg_access_finish(&access);
	return r;
}

int spg_daemon_run(struct spg_config *config, enum spg_tier tier)
{
	struct daemon d = {
		.config = config, .tier = tier, .subordinates.path = "/etc/subuid"};
	struct spg_buf problems = SPG_BUF_NULL;
	int r;

	r = spg_daemon_check(config, &d.access, &problems, NULL);
	if (r < 0)
		spg_log_lines(SPG_LOG_ERROR, spg_buf_text(&problems));
	spg_buf_finish(&problems);
	if (r == 0 && uv_loop_init(&d.loop) < 0)
		r = SPG_ERR_NOMEM;
	if (r < 0) {
		spg_access_finish(&d.access);
		spg_config_destroy(config);
		return r;
	}
	r = start(&d);
	if (r < 0)
		undo_start(&d);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	/* Every handle is closed, or one of ours was forgotten. */
	if (uv_loop_close(&d.loop) < 0)
		spg_error("the loop still had handles at the end: a bug of spguard");
	spg_installs_finish(&d.installs);
	spg_prover_destroy(d.prover);
	spg_holds_destroy(d.holds);
	spg_recorder_destroy(d.recorder);
	spg_reporter_destroy(d.reporter);
	spg_model_destroy(d.model);
	spg_access_finish(&d.access);
	spg_subordinates_finish(&d.subordinates);
	spg_buf_finish(&d.refused_for);
	spg_config_destroy(d.config);
	if (r == 0 && d.lost)
		r = SPG_ERR_BUSY;
	if (d.watch_hangs)
		spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_STOPPED,
			"stopped, with a survey left behind");
	else if (r == 0)
		spg_log_as(SPG_LOG_NOTICE, SPG_LOG_ID_STOPPED, "stopped");
	return r;
}
