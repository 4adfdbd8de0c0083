/* SPDX-License-Identifier: MIT */
/*
 * Who does an install: the process that is named, the package manager or the script behind
 * it, its command; whether it goes on with the last one; and who moved directories.
 */
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "daemon/install/command.h"
#include "daemon/install/manager.h"
#include "daemon/install/track.h"
#include "daemon/install/tracker.h"

/* Who has run for so long before an install began is no job that does it. */
#define SERVICE_NS        (60 * SPG_NS_PER_S)
/* Processes of an install of which is found out whether a package manager is behind. */
#define MANAGER_ASKED_MAX 16
/* Command lines that are asked for at one time, of all products. */
#define COMMANDS_MAX      16

/* An install by the same process or its kin goes on with the last one for so many
 * times `quiet_ns`: setup had paused. */
#define PAUSES_MAX        10

static void watch_one(struct spg_track *s, struct spg_process *process)
{
	const struct spg_watch_ops *ops = s->tracker->host.watch->ops;

	if (!process || s->n_alive == SPG_INSTALL_ALIVE_MAX)
		return;
	for (size_t i = 0; i < s->n_alive; i++)
		if (spg_proc_id_equal(s->alive[i], process->id))
			return;
	if (ops->watch_exit(s->tracker->host.watch, process) == 0)
		s->alive[s->n_alive++] = process->id;
}

/* The package manager may keep its packages elsewhere. Only what root started is believed:
 * files there are read. */
static void take_place(
	struct spg_track *s, const struct spg_process *process, const char *cmdline)
{
	struct spg_package_place place = SPG_PACKAGE_PLACE_NULL;

	if (process->uid != 0 || !s->nearest.pid || s->place.root ||
		!spg_proc_id_equal(s->nearest, process->id) ||
		spg_package_place_parse(cmdline, &place) != 1)
		return;
	s->place = place;
	spg_packages_unref(s->owned);
	s->owned = spg_packages_ref(spg_owners_known(s->tracker->host.owners, &place));
}

/* The command line of @process was read. */
static void take_command(
	struct spg_track *s, struct spg_process *process, const char *cmdline)
{
	struct spg_process *by = s->install ? s->install->by : NULL;

	if (s->install)
		take_place(s, process, cmdline);
	if (!by || by->cmdline || !spg_proc_id_equal(by->id, process->id))
		return;
	by = spg_process_with_cmdline(by, cmdline);
	if (!by)
		return;
	spg_process_unref(s->install->by);
	s->install->by = by;
}

static void on_command(void *user, struct spg_process *process, const char *cmdline)
{
	struct spg_tracker *tracker = user;

	tracker->n_commands--;
	for (struct spg_track *s = tracker->first; s && cmdline; s = s->next)
		take_command(s, process, cmdline);
	if (tracker->stopping)
		spg_track_closed(tracker);
}

static void ask_command(struct spg_track *s, struct spg_process *process)
{
	struct spg_tracker *tracker = s->tracker;

	if (process->cmdline)
		take_command(s, process, process->cmdline);
	if (process->cmdline || tracker->stopping ||
		tracker->n_commands == COMMANDS_MAX)
		return;
	if (spg_command_ask(tracker->host.loop, tracker->host.watch, process,
		    on_command, tracker) == 0)
		tracker->n_commands++;
}

/* Takes over @process. */
static void name(struct spg_track *s, struct spg_process *process)
{
	spg_process_unref(s->install->by);
	s->install->by = process;
	ask_command(s, process);
}

/* True: a package manager is behind it, and is named. */
static bool name_manager(struct spg_track *s, struct spg_process *process)
{
	struct spg_process *manager, *nearest;

	if (s->managed || s->n_asked == MANAGER_ASKED_MAX ||
		spg_proc_id_equal(s->asked, process->id))
		return s->managed;
	s->n_asked++;
	s->asked = process->id;
	manager = spg_package_manager_of(s->tracker->host.watch, process, &nearest);
	if (!manager)
		return false;
	/* Its end is not waited for: it may go on with other packages. */
	s->nearest = nearest->id;
	s->managed = true;
	name(s, manager);
	if (!spg_proc_id_equal(nearest->id, manager->id))
		ask_command(s, nearest);
	spg_process_unref(nearest);
	return true;
}

/* The first one. Where the last install goes on, it is one more of those. */
static void name_first(struct spg_track *s, struct spg_process *process)
{
	struct spg_watch *watch = s->tracker->host.watch;
	struct spg_lineage *lineage = &s->lineage;
	size_t at = spg_lineage_find(lineage, watch, process);

	if (lineage->n == 0)
		spg_lineage_begin(lineage, watch, process);
	else if (at < lineage->n && at > lineage->named)
		lineage->named = at;
	if (lineage->n > 1)
		watch_one(s, lineage->at[1]);
	s->install->by = spg_process_ref(lineage->at[lineage->named]);
	watch_one(s, s->install->by);
	if (!name_manager(s, process))
		ask_command(s, s->install->by);
}

/* True: it and those before it have a forebear in common that is not named yet. */
static bool find_forebear(struct spg_track *s, const struct spg_process *process)
{
	struct spg_lineage *lineage = &s->lineage;
	size_t at = spg_lineage_find(lineage, s->tracker->host.watch, process);

	if (at >= lineage->n || at <= lineage->named)
		return false;
	lineage->named = at;
	return true;
}

/* One who did it alone is named; of several, their nearest common forebear; and whatever a
 * package manager has others do, that. */
void spg_track_name_installer(struct spg_track *s, struct spg_process *process)
{
	struct spg_install *install = s->install;

	if (!process)
		return;
	if (!install->by) {
		name_first(s, process);
	} else if (name_manager(s, process)) {
		/* It stays, whoever else comes. */
	} else if (!install->by->name && process->name) {
		/* The first had ended before anybody could see its name. */
		spg_lineage_begin(&s->lineage, s->tracker->host.watch, process);
		name(s, spg_process_ref(process));
	} else if (find_forebear(s, process)) {
		name(s, spg_process_ref(s->lineage.at[s->lineage.named]));
		watch_one(s, install->by);
	}
	watch_one(s, process);
}

/* ---- how it ended ---- */

/* A service that has run for some time, and is stopped, has done its work. */
static bool is_stopped_service(const struct spg_track *s,
	const struct spg_process *process, const struct spg_process_end *end)
{
	const char *dot = process->unit ? strrchr(process->unit, '.') : NULL;

	return end->asked && dot && strcmp(dot, ".service") == 0 &&
	       process->started_ns > 0 &&
	       s->install->began_ns - process->started_ns > SERVICE_NS;
}

/* One of the product's own programs, at its work. */
static bool is_of_the_product(
	const struct spg_track *s, const struct spg_process *process)
{
	const struct spg_install *install = s->install;

	for (size_t i = 0; i < install->n_held; i++)
		if (spg_proc_id_equal(install->held[i].process->id, process->id) &&
			(install->held[i].how & (SPG_USE_MAPPED | SPG_USE_EXECUTING)))
			return true;
	return false;
}

/* Of helpers only that they were ended tells: cmp(1) says 1 of what differs. */
static bool has_failed(const struct spg_track *s, const struct spg_process *process,
	bool is_helper, const struct spg_process_end *end)
{
	if (is_stopped_service(s, process, end) || is_of_the_product(s, process))
		return false;
	return end->signal != 0 || (end->status != 0 && !is_helper);
}

const struct spg_process *spg_track_starter(const struct spg_track *s)
{
	const struct spg_lineage *lineage = &s->lineage;
	size_t at = lineage->named + 1;

	return at < lineage->n ? lineage->at[at] : NULL;
}

/* Adds @process, or NULL, to the @n that are in @ret, if it has failed. Returns how many
 * are there then. */
static size_t add_failure(const struct spg_track *s, const struct spg_process *process,
	bool is_helper, struct spg_outcome_failure *ret, size_t n)
{
	struct spg_watch *watch = s->tracker->host.watch;
	struct spg_process_end end;

	for (size_t i = 0; process && i < n; i++)
		if (spg_proc_id_equal(ret[i].process->id, process->id))
			return n;
	if (!process || n == SPG_TRACK_FAILURES_MAX || !watch->ops->ended ||
		!watch->ops->ended(watch, process, &end) ||
		!has_failed(s, process, is_helper, &end))
		return n;
	ret[n] = (struct spg_outcome_failure){process, end};
	return n + 1;
}

size_t spg_track_find_failures(
	const struct spg_track *s, struct spg_outcome_failure *ret)
{
	const struct spg_install *install = s->install;
	size_t n = add_failure(s, install->by, false, ret, 0);

	if (install->by)
		n = add_failure(s, spg_track_starter(s), false, ret, n);
	for (size_t i = 0; i < install->n_actors; i++)
		n = add_failure(s, install->actors[i],
			!spg_proc_id_equal(install->actors[i]->id, s->nearest), ret, n);
	return n;
}

/* ---- does it go on? ---- */

/* By its name, which a script has of its own, unless somebody has a shell read it. */
static bool is_shell(const struct spg_process *process)
{
	static const char *const names[] = {
		"sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"};

	for (size_t i = 0; process->name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(process->name, names[i]) == 0)
			return true;
	return false;
}

/* One that who is named for the last one has started, too, or the script that started that.
 * What a shell starts next is another install, where that itself has not been named: at a
 * terminal two commands are two. */
static bool is_kin(struct spg_track *s, const struct spg_process *process)
{
	size_t at = spg_lineage_find(&s->lineage, s->tracker->host.watch, process);

	return at < s->lineage.n &&
	       (at <= s->lineage.named || (at == 1 && !is_shell(s->lineage.at[1])));
}

bool spg_track_goes_on(struct spg_track *s, const struct spg_process *process)
{
	int64_t since_ns = spg_clock_mono_ns() - s->event_mono_ns;

	if (!s->last_before || since_ns >= PAUSES_MAX * s->tracker->host.quiet_ns)
		return false;
	/* Where nothing tells who changes files, it may be the same one. */
	if (!process || !s->last_by.pid)
		return !process && !s->last_by.pid;
	return spg_proc_id_equal(process->id, s->last_by) ||
	       process->ppid == s->last_by.pid || is_kin(s, process);
}

void spg_track_drop_movers(struct spg_track *s)
{
	while (s->n_movers > 0)
		spg_process_unref(s->movers[--s->n_movers]);
}

/* Whoever moved directories so long ago has nothing to do with what happens now. */
void spg_track_drop_old_movers(struct spg_track *s)
{
	if (spg_clock_mono_ns() - s->moved_mono_ns >=
		PAUSES_MAX * s->tracker->host.quiet_ns)
		spg_track_drop_movers(s);
}

/* Who uses the product's files and makes a directory is a service at its work. */
static bool is_user(const struct spg_track *s, const struct spg_process *process)
{
	for (size_t i = 0; i < s->install->n_held; i++)
		if (spg_proc_id_equal(s->install->held[i].process->id, process->id))
			return true;
	return false;
}

void spg_track_take_movers(struct spg_track *s)
{
	for (size_t i = 0; i < s->n_movers; i++) {
		if (is_user(s, s->movers[i]))
			continue;
		spg_track_name_installer(s, s->movers[i]);
		spg_install_note_actor(s->install, s->movers[i]);
	}
	spg_track_drop_movers(s);
}

/* ---- directories that move ---- */

/* Does @path lead to a directory of @product, or lie in one? */
static bool leads_to(const struct spg_product *product, const char *path)
{
	for (size_t i = 0; i < product->n_directories; i++) {
		const char *directory = product->directories[i].path;

		if (spg_path_below(directory, path, true) ||
			(product->recursive && spg_path_below(path, directory, false)))
			return true;
	}
	return false;
}

static bool leads_to_product(const struct spg_track *s, const char *path)
{
	int index = spg_track_index(s);

	return index >= 0 &&
	       leads_to(spg_model_product(s->tracker->host.model, (size_t)index), path);
}

static void remember_mover(struct spg_track *s, struct spg_process *process)
{
	spg_track_drop_old_movers(s);
	s->moved_mono_ns = spg_clock_mono_ns();
	for (size_t i = 0; i < s->n_movers; i++)
		if (spg_proc_id_equal(s->movers[i]->id, process->id))
			return;
	if (s->n_movers < SPG_TRACK_MOVERS_MAX)
		s->movers[s->n_movers++] = spg_process_ref(process);
}

void spg_tracker_note_moved(
	struct spg_tracker *tracker, const char *path, struct spg_process *process)
{
	bool known = false;

	if (tracker->stopping)
		return;
	for (struct spg_track *s = tracker->first; s; s = s->next)
		known |= leads_to_product(s, path);
	for (struct spg_track *s = tracker->first; s; s = s->next) {
		bool leads = leads_to_product(s, path);

		if (s->phase == PHASE_IDLE && (leads || !known)) {
			/* A link somewhere may be on the way of any. */
			remember_mover(s, process);
		} else if (s->install && leads && !is_user(s, process)) {
			/* Whether files came or went with it, the end of the install
			 * sees: anybody may make directories there, for ever. */
			spg_track_name_installer(s, process);
		}
	}
}
