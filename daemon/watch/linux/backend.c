/* SPDX-License-Identifier: MIT */
/*
 * Linux: fanotify for events; BPF, or write leases and /proc, for the rest
 * (tier/select.h). Ties the parts of this folder to the contract of watch.h.
 *
 * The loop thread owns events, lock events, processes and the list of products;
 * the worker thread owns the mount table and what looks; marks and the files
 * that lock events are told of are shared and have a lock each.
 */
#include <cap-ng.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "daemon/host/linux/bounded.h"
#include "daemon/watch/linux/events/events.h"
#include "daemon/watch/linux/events/lock_events.h"
#include "daemon/watch/linux/events/mount_events.h"
#include "daemon/watch/linux/events/processes.h"
#include "daemon/watch/linux/guard/host.h"
#include "daemon/watch/linux/proc/proc.h"
#include "daemon/watch/linux/proc/read.h"
#include "daemon/watch/linux/survey/fast_path.h"
#include "daemon/watch/linux/survey/survey.h"
#include "daemon/watch/linux/tier/select.h"
#include "daemon/watch/watch.h"

#define ROWS_MAX      (1 + SPG_TIERS_ROWS)
#define BACKEND_LATER 1
#define RETRY_MS      10000

struct backend {
	struct spg_watch base;
	char *scratch_dir;
	struct spg_users *users;
	/* NULL, all four: no events on this system. */
	struct spg_groups *groups;
	struct spg_marks *marks;
	struct spg_deleted_inodes *deleted_inodes;
	struct spg_events *events;
	struct spg_processes *processes;
	struct spg_survey_tools tools;
	enum spg_tier wanted;
	struct spg_tiers tiers;
	struct spg_trace_files *trace_files; /* NULL, both: no lock events */
	struct spg_lock_events *lock_events;
	struct spg_mount_events *mount_events; /* or NULL */
	/* No events for want of something that others may give back: tried again by the
	 * next survey on the loop thread. What they are to be of is kept meanwhile. */
	uv_timer_t retry;
	bool retries, retry_is_due;
	bool told_trace; /* that its programs could not be loaded again */
	struct spg_product **products;
	size_t n_products;
	struct spg_guards guards;
	bool has_guards;
	struct spg_own_pids own_pids;
	struct spg_mechanism mechanisms[ROWS_MAX]; /* file events, then the tiers' */
	size_t n_mechanisms;
	pthread_mutex_t place_lock;
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

	pthread_mutex_lock(&b->place_lock);
	snprintf(b->place, sizeof(b->place), "%s", path);
	pthread_mutex_unlock(&b->place_lock);
}

static void survey_place(struct spg_watch *watch, char *ret, size_t size)
{
	struct backend *b = backend_of(watch);

	pthread_mutex_lock(&b->place_lock);
	snprintf(ret, size, "%s", b->place);
	pthread_mutex_unlock(&b->place_lock);
}

static void describe_events(struct backend *b, int err)
{
	struct spg_mechanism *row = &b->mechanisms[0];

	row->kind = SPG_MECHANISM_FILE_EVENTS;
	row->name = "file events";
	row->works = err == 0;
	row->command = err == SPG_ERR_DENIED || err == SPG_ERR_LIMIT
	                       ? SPG_COMMAND_EDIT_UNIT
	                       : NULL;
	snprintf(row->detail, sizeof(row->detail), "%s",
		err == 0 ? "fanotify by file id, no descriptor held"
			 : spg_err_text(err));
	snprintf(row->remedy, sizeof(row->remedy), "%s",
		err == 0 ? ""
		: err == SPG_ERR_DENIED
			? "run the daemon as root, or with CAP_SYS_ADMIN"
		: err == SPG_ERR_LIMIT
			? "others use up what there is; spguardd tries again by "
			  "itself: sysctl fs.fanotify.max_user_groups, and the limit "
			  "of open files (LimitNOFILE=)"
		: err == SPG_ERR_UNSUPPORTED ? "use a kernel from 5.17 on"
					     : "see the daemon's log");
}

/* Events are needed to prove that nothing happened during a survey. Returns
 * BACKEND_LATER when it may be possible later. */
static int open_events(struct backend *b)
{
	int r = spg_groups_create(&b->groups, b->tiers.look != NULL);

	describe_events(b, r);
	if (r == SPG_ERR_NOMEM)
		return r;
	if (r < 0) {
		if (!b->retries)
			spg_log_as(SPG_LOG_WARNING, SPG_LOG_ID_WATCH_LOST,
				"no file events (%s): no verdict can be safe; %s",
				spg_err_text(r), b->mechanisms[0].remedy);
		return r == SPG_ERR_LIMIT ? BACKEND_LATER : 0;
	}
	b->marks = spg_marks_create(b->groups);
	b->deleted_inodes = spg_deleted_inodes_create();
	if (!b->marks || !b->deleted_inodes)
		return SPG_ERR_NOMEM;
	return spg_events_start(&b->events, b->base.loop, b->groups, b->marks,
		b->deleted_inodes, b->processes, &b->base.listener);
}

static int open_lock_events(struct backend *b)
{
	int r;

	if (!b->tiers.trace)
		return 0;
	b->trace_files = spg_trace_files_create(b->tiers.trace);
	if (!b->trace_files)
		return SPG_ERR_NOMEM;
	r = spg_lock_events_start(&b->lock_events, b->base.loop, b->tiers.trace,
		b->trace_files, b->processes, &b->base.listener);
	if (r == 0) {
		b->tools.trace_files = b->trace_files;
		b->base.lock_events = true;
	}
	return r;
}

/* For the worker thread, when it does not run. */
static int use_events(struct backend *b)
{
	b->tools.marks = b->marks;
	b->tools.deleted_inodes = b->deleted_inodes;
	/* Without events nothing would tell that a file was moved out and back. */
	if (b->tiers.look && b->events) {
		b->tools.fast_path = spg_fast_path_create();
		b->tools.processes = spg_process_cache_create();
		if (!b->tools.fast_path || !b->tools.processes)
			return SPG_ERR_NOMEM;
	}
	return 0;
}

static void on_retry(uv_timer_t *timer)
{
	struct backend *b = timer->data;

	/* Surveys come of this, and the first one tries. */
	b->retry_is_due = true;
	b->base.listener.on_mounts(b->base.listener.user);
}

static void begin_retries(struct backend *b)
{
	uv_timer_init(b->base.loop, &b->retry);
	b->retry.data = b;
	b->retries = true;
	uv_timer_start(&b->retry, on_retry, RETRY_MS, RETRY_MS);
}

static void forget_products(struct backend *b)
{
	while (b->n_products > 0)
		spg_product_unref(b->products[--b->n_products]);
	free(b->products);
	b->products = NULL;
}

static int keep_products(
	struct backend *b, struct spg_product *const *products, size_t n)
{
	forget_products(b);
	b->products = calloc(n + 1, sizeof(struct spg_product *));
	if (!b->products)
		return SPG_ERR_NOMEM;
	for (; b->n_products < n; b->n_products++)
		b->products[b->n_products] = spg_product_ref(products[b->n_products]);
	return 0;
}

/* Loop thread, and no survey runs. */
static void try_events_again(struct backend *b)
{
	int r = open_events(b);

	b->retry_is_due = false;
	if (r == BACKEND_LATER)
		return;
	uv_timer_stop(&b->retry);
	if (r == 0 && b->events)
		r = use_events(b);
	if (r == 0 && b->events) {
		spg_deleted_inodes_set_products(
			b->deleted_inodes, b->products, b->n_products);
		r = spg_events_set_layout(b->events, b->products, b->n_products);
	}
	if (r < 0)
		spg_error("file events: %s", spg_err_text(r));
	else if (b->events)
		spg_notice("file events work now");
	forget_products(b);
}

/* A filesystem's module may have been loaded. */
static void refresh_trace(struct backend *b)
{
	struct spg_bpf_reason reason;
	int64_t now_ns = spg_clock_wall_ns();
	int r = b->tiers.trace ? spg_trace_refresh(b->tiers.trace, &reason) : 0;

	if (r < 0 && !b->told_trace)
		spg_warning("no lock events of some files: %s; %s", reason.why,
			reason.remedy);
	if (r == 0 || (r < 0 && b->told_trace))
		return;
	b->told_trace = r < 0;
	b->base.listener.on_gap(b->base.listener.user, SPG_GAP_WATCH, now_ns,
		spg_clock_wall_ns(), 0,
		"a filesystem came: the programs that see locks were loaded anew");
}

static void on_mounts(void *user)
{
	struct backend *b = user;

	refresh_trace(b);
	b->base.listener.on_mounts(b->base.listener.user);
}

static int start(struct spg_watch *watch)
{
	struct backend *b = backend_of(watch);
	int r;

	/* Breaking our lease, or a broken pipe, must not end the daemon. */
	signal(SIGIO, SIG_IGN);
	b->users = spg_users_create();
	if (!b->users)
		return SPG_ERR_NOMEM;
	b->guards = (struct spg_guards){
		.loop = watch->loop, .users = b->users, .own_pids = &b->own_pids};
	r = spg_guards_init(&b->guards);
	if (r < 0)
		return r;
	b->has_guards = true;
	b->tools.own_pids = &b->own_pids;
	b->tools.mounts = spg_mounts_create();
	if (!b->tools.mounts)
		return SPG_ERR_UNSUPPORTED;
	r = spg_mounts_create_of_parent(&b->tools.their_mounts);
	if (r == SPG_ERR_NOMEM)
		return r;
	b->tools.their_mounts_unknown = r < 0;
	b->tools.reader =
		(struct spg_proc_reader){.users = b->users, .may_block = true};
	b->tools.progress = note_place;
	b->tools.user = b;
	b->tools.probes = spg_probes_create();
	if (!b->tools.probes)
		return SPG_ERR_NOMEM;
	r = spg_tiers_select(&b->tiers, b->wanted, &b->tools, b->scratch_dir);
	if (r < 0)
		return r;
	watch->tier = b->tiers.tier;
	memcpy(b->mechanisms + 1, b->tiers.rows,
		b->tiers.n_rows * sizeof(b->tiers.rows[0]));
	b->n_mechanisms = 1 + b->tiers.n_rows;
	b->processes = spg_processes_create(watch->loop, &b->tools.reader);
	if (!b->processes)
		return SPG_ERR_NOMEM;
	spg_processes_use_table(b->processes, b->tiers.trace);
	r = open_events(b);
	if (r == BACKEND_LATER)
		begin_retries(b);
	else if (r == 0)
		r = use_events(b);
	if (r >= 0)
		r = open_lock_events(b);
	if (r < 0)
		return r;
	b->mount_events = spg_mount_events_start(watch->loop, on_mounts, b);
	for (size_t i = 1; i < b->n_mechanisms; i++)
		if (!b->mechanisms[i].works)
			spg_warning("%s: %s; %s", b->mechanisms[i].name,
				b->mechanisms[i].detail, b->mechanisms[i].remedy);
	return 0;
}

static int set_products(
	struct spg_watch *watch, struct spg_product *const *products, size_t n)
{
	struct backend *b = backend_of(watch);

	if (!b->events)
		return keep_products(b, products, n);
	spg_deleted_inodes_set_products(b->deleted_inodes, products, n);
	/* Marks can only be removed all at once. The next survey, which is due
	 * now, arms what is still wanted; in between, events may be missed. */
	if (!spg_events_layout_stays(b->events, products, n)) {
		int64_t now_ns = spg_clock_wall_ns();

		spg_marks_flush(b->marks);
		watch->listener.on_gap(watch->listener.user, SPG_GAP_WATCH, now_ns,
			now_ns, 0,
			"directories left the configuration: all are marked anew");
	}
	return spg_events_set_layout(b->events, products, n);
}

static int drain(struct spg_watch *watch, bool begin)
{
	struct backend *b = backend_of(watch);

	if (b->lock_events)
		spg_lock_events_drain(b->lock_events);
	return b->events ? spg_events_drain(b->events, begin) : 0;
}

static void backlog(struct spg_watch *watch, uint64_t *taken, uint64_t *delivered)
{
	spg_lock_events_backlog(backend_of(watch)->lock_events, taken, delivered);
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

	if (request->instant && b->retry_is_due)
		try_events_again(b);
	if (request->instant) {
		r = spg_survey_instant(&b->tools, request, &obs);
	} else {
		r = spg_survey_run(&b->tools, request, &obs);
		note_place(b, "");
	}
	if (r == 0)
		r = add_lacks(b, obs);
	if (r != 0) {
		spg_observation_destroy(obs);
		return r;
	}
	*ret = obs;
	return 0;
}

/* Bits that are not there to begin with are not asked for: as an ordinary user
 * the daemon sees less and says so. */
static int confine(struct spg_watch *watch)
{
	static const unsigned needed[] = {
		CAP_SYS_ADMIN,          /* fanotify marks with pidfds */
		CAP_SYS_PTRACE,         /* descriptors and mappings of everybody */
		CAP_CHECKPOINT_RESTORE, /* /proc/PID/map_files */
		CAP_DAC_READ_SEARCH,    /* directories, and files by handle */
		CAP_LEASE,              /* leases on other people's files */
		CAP_DAC_OVERRIDE,       /* steps aside in other people's directories */
		CAP_FOWNER,             /* the same, where they are sticky */
		CAP_CHOWN,              /* the group of a socket that is made again */
	};

	bool may_bound;

	(void)watch;
	spg_bounded_retire();
	capng_get_caps_process();
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			keep = keep || needed[i] == cap;
		if (!keep)
			(void)capng_update(CAPNG_DROP,
				CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
					CAPNG_BOUNDING_SET,
				cap);
	}
	/* The bounding set needs CAP_SETPCAP, which a service may not have; the library
	 * would tell the journal of it. */
	if (((!may_bound || capng_apply(CAPNG_SELECT_BOTH) != 0) &&
		    capng_apply(CAPNG_SELECT_CAPS) != 0) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		spg_warning("capabilities could not be given up: %s", strerror(errno));
		return SPG_ERR_DENIED;
	}
	return 0;
}

static int watch_exit(struct spg_watch *watch, struct spg_process *process)
{
	struct backend *b = backend_of(watch);

	return spg_processes_watch_exit(
		b->processes, process, watch->listener.on_exit, watch->listener.user);
}

static struct spg_process *process(struct spg_watch *watch, int32_t pid)
{
	struct spg_processes *processes = backend_of(watch)->processes;
	struct spg_process *found;
	int pidfd = processes ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (!processes || (pidfd < 0 && errno != ESRCH))
		return NULL;
	found = spg_processes_resolve(processes, pid, pidfd, false);
	if (pidfd >= 0)
		close(pidfd);
	/* It has ended, and nothing but its number is left. */
	if (found && pidfd < 0 && !found->name) {
		spg_process_unref(found);
		return NULL;
	}
	return found;
}

static bool command(
	struct spg_watch *watch, const struct spg_process *of, char *ret, size_t size)
{
	int proc_fd = spg_proc_open(of->id.pid);
	uint64_t start = 0;
	bool found;

	(void)watch;
	if (proc_fd < 0)
		return false;
	found = spg_proc_cmdline(proc_fd, ret, size) &&
	        spg_proc_stat(proc_fd, &start, NULL, NULL, NULL) == 0 &&
	        start == of->id.start;
	close(proc_fd);
	return found;
}

static bool ended(struct spg_watch *watch, const struct spg_process *process,
	struct spg_process_end *ret)
{
	return spg_processes_ended(backend_of(watch)->processes, process, ret);
}

static size_t mechanisms(struct spg_watch *watch, const struct spg_mechanism **ret)
{
	struct backend *b = backend_of(watch);
	struct spg_mechanism *events = &b->mechanisms[0];

	if (events->works && b->groups)
		snprintf(events->detail, sizeof(events->detail), "%s",
			spg_groups_watches(b->groups)
				? "fanotify by file id, no descriptor held; inotify "
				  "where this kernel has no file ids: opens there are "
				  "not in the history"
				: "fanotify by file id, no descriptor held");
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
		row->why = "";
		row->n_marks = b->marks ? spg_marks_count(b->marks, row->path) : 0;
		row->state = row->n_marks > 0 ? SPG_DIRECTORY_WATCHED
		             : b->marks       ? SPG_DIRECTORY_MISSING
		                              : SPG_DIRECTORY_BLIND;
		if (row->state == SPG_DIRECTORY_BLIND)
			row->why = b->mechanisms[0].detail;
		else if (row->state == SPG_DIRECTORY_MISSING)
			row->why = "not there, or not watchable; see the coverage";
	}
	*ret = b->rows;
	return product->n_directories;
}

static int guard_begin(struct spg_watch *watch, const struct spg_guard_request *request,
	const struct spg_guard_listener *listener, struct spg_guard **ret)
{
	return spg_guards_begin(&backend_of(watch)->guards, request, listener, ret);
}

static void guard_walk(struct spg_watch *watch, const struct spg_product *product)
{
	spg_guards_walk(&backend_of(watch)->guards, product);
}

static void on_processes_closed(void *user)
{
	struct backend *b = user;

	b->processes = NULL;
	b->on_stopped(b->user);
}

static void on_lock_events_closed(void *user)
{
	struct backend *b = user;

	b->lock_events = NULL;
	if (b->processes)
		spg_processes_stop(b->processes, on_processes_closed, b);
	else
		on_processes_closed(b);
}

static void on_events_closed(void *user)
{
	struct backend *b = user;

	b->events = NULL;
	spg_lock_events_stop(b->lock_events, on_lock_events_closed, b);
}

static void on_guards_stopped(void *user)
{
	struct backend *b = user;

	spg_events_stop(b->events, on_events_closed, b);
}

static void on_mount_events_closed(void *user)
{
	struct backend *b = user;

	b->mount_events = NULL;
	spg_guards_stop(&b->guards, on_guards_stopped, b);
}

static void stop_mount_events(struct backend *b)
{
	spg_mount_events_stop(b->mount_events, on_mount_events_closed, b);
}

static void on_retry_closed(uv_handle_t *handle)
{
	stop_mount_events(handle->data);
}

static void stop(struct spg_watch *watch, void (*on_stopped)(void *user), void *user)
{
	struct backend *b = backend_of(watch);

	b->on_stopped = on_stopped;
	b->user = user;
	if (b->retries)
		uv_close((uv_handle_t *)&b->retry, on_retry_closed);
	else
		stop_mount_events(b);
}

static void destroy(struct spg_watch *watch)
{
	struct backend *b = backend_of(watch);

	forget_products(b);
	if (b->has_guards)
		spg_guards_finish(&b->guards);
	spg_trace_files_destroy(b->trace_files);
	spg_fast_path_destroy(b->tools.fast_path);
	spg_process_cache_destroy(b->tools.processes);
	spg_tiers_finish(&b->tiers);
	spg_marks_destroy(b->marks);
	spg_deleted_inodes_destroy(b->deleted_inodes);
	spg_groups_destroy(b->groups);
	spg_probes_destroy(b->tools.probes);
	spg_mounts_destroy(b->tools.mounts);
	spg_mounts_destroy(b->tools.their_mounts);
	spg_users_destroy(b->users);
	pthread_mutex_destroy(&b->place_lock);
	free(b->rows);
	free(b->scratch_dir);
	free(b);
}

static const struct spg_watch_ops ops = {
	.start = start,
	.set_products = set_products,
	.drain = drain,
	.backlog = backlog,
	.survey = survey,
	.confine = confine,
	.survey_place = survey_place,
	.watch_exit = watch_exit,
	.process = process,
	.command = command,
	.ended = ended,
	.mechanisms = mechanisms,
	.directories = directories,
	.stop = stop,
	.destroy = destroy,
};

static const struct spg_guard_ops guard_ops = {
	.begin = guard_begin,
	.renew = spg_guard_renew,
	.end = spg_guard_end,
	.knows = spg_guard_knows,
	.walk = guard_walk,
};

struct spg_watch *spg_watch_create(uv_loop_t *loop,
	const struct spg_watch_listener *listener, enum spg_tier tier,
	const char *scratch_dir)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->wanted = tier;
	b->base = (struct spg_watch){.ops = &ops,
		.guards = &guard_ops,
		.tier = "procfs",
		.listener = *listener,
		.loop = loop};
	pthread_mutex_init(&b->place_lock, NULL);
	b->scratch_dir = strdup(scratch_dir);
	if (!b->scratch_dir) {
		destroy(&b->base);
		return NULL;
	}
	return &b->base;
}
