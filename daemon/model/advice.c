/* SPDX-License-Identifier: MIT */
#include "daemon/model/advice.h"

#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/model/commands.h"
#include "daemon/model/container.h"
#include "daemon/model/verdict.h"

/* Under Wine one process opens the files of all programs: its end is theirs. */
static bool is_wineserver(const struct spg_process *process)
{
	return process->name && strncmp(process->name, "wineserver", 10) == 0;
}

/* Whom an advice is about. */
struct subject {
	const struct spg_process *process;
	const struct spg_process_state *state;
	unsigned how; /* set of spg_use_how; 0 unknown */
};

/* "sleep, which is stopped": the name of the process, and @more. */
static int add_about(struct spg_notes *next, struct spg_note note,
	struct spg_buf *command, const struct subject *s, const char *more)
{
	struct spg_buf comment = SPG_BUF_NULL;
	int r;

	if (!s->process->name && !*more)
		return spg_notes_add_command(next, note, command, NULL);
	spg_buf_puts(&comment, s->process->name ? s->process->name : "a process");
	spg_buf_puts(&comment, more);
	if (comment.failed) {
		spg_buf_finish(command);
		r = SPG_ERR_NOMEM;
	} else {
		r = spg_notes_add_command(next, note, command, spg_buf_text(&comment));
	}
	spg_buf_finish(&comment);
	return r;
}

static int advise_restart(const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_RESTART_MACHINE, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf, " cannot be stopped by hand");
	if (process->unit) {
		spg_buf_puts(&buf, " (");
		spg_text_escape(&buf, process->unit, false);
		spg_buf_puts(&buf, ")");
	}
	spg_buf_puts(&buf, ": restart the machine, then check again");
	return spg_notes_add(next, &note, &buf);
}

/* It executes or maps a file of the product. To stop it would leave nobody who answers. */
static int advise_restart_daemon(
	const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_RESTART_DAEMON, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf,
		" is the daemon that answers you, and runs from that file: have setup "
		"replace it by renaming, and restart the daemon afterwards (");
	spg_buf_puts(&buf, spg_command_restart_daemon());
	spg_buf_puts(&buf, "); a setup that writes into the file needs the daemon "
			   "stopped");
	return spg_notes_add(next, &note, &buf);
}

static int advise_close(const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_CLOSE_PROGRAM, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, "close the Windows program that uses it: ");
	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf, " has it open for one");
	return spg_notes_add(next, &note, &buf);
}

static int advise_await_dump(const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_AWAIT_DUMP, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf,
		" writes a core dump and ends by itself: wait until it has, then "
		"check again");
	return spg_notes_add(next, &note, &buf);
}

/* --- managers and services --- */

/* systemd lets go of old versions of its own program and libraries so, and stops nothing
 * (systemctl(1), daemon-reexec). What it has open it takes along. */
static bool is_manager_to_reexecute(const struct subject *s)
{
	const unsigned left_behind = SPG_USE_MAPPED | SPG_USE_EXECUTING;

	return s->process->name && strcmp(s->process->name, "systemd") == 0 &&
	       (s->process->id.pid == 1 ||
		       (s->process->unit &&
			       strncmp(s->process->unit, "user@", 5) == 0)) &&
	       s->how && (s->how & ~left_behind) == 0;
}

static int advise_reexec(const struct subject *s, struct spg_notes *next)
{
	struct spg_buf command = SPG_BUF_NULL;

	spg_buf_puts(&command, "systemctl ");
	if (s->process->id.pid != 1 && s->process->user) {
		spg_buf_puts(&command, "--user --machine=");
		spg_text_shell_quote(&command, s->process->user);
		spg_buf_puts(&command, "@ ");
	}
	spg_buf_puts(&command, "daemon-reexec");
	return add_about(next, spg_note_about(SPG_STEP_REEXEC_MANAGER, s->process),
		&command, s, ", which goes on with the program that is there then");
}

/* Until it is thawed, nothing in the control group looks at a signal; in the old hierarchy
 * not at SIGKILL either (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst). */
static void put_thaw(struct spg_buf *buf, const struct spg_process_state *state)
{
	struct spg_buf path = SPG_BUF_NULL;

	spg_buf_printf(&path, "%s/%s", state->frozen_at,
		state->frozen_v1 ? "freezer.state" : "cgroup.freeze");
	spg_buf_puts(buf, state->frozen_v1 ? "echo THAWED >" : "echo 0 >");
	spg_text_shell_quote(buf, spg_buf_text(&path));
	spg_buf_puts(buf, " && ");
	buf->failed = buf->failed || path.failed;
	spg_buf_finish(&path);
}

/* Names with blanks between them, each for a shell. */
static void put_words(struct spg_buf *buf, const char *words)
{
	while (words && *words) {
		size_t len = strcspn(words, " ");
		struct spg_buf word = SPG_BUF_NULL;

		spg_buf_add(&word, words, len);
		spg_text_shell_quote(buf, spg_buf_text(&word));
		spg_buf_putc(buf, ' ');
		buf->failed = buf->failed || word.failed;
		spg_buf_finish(&word);
		words += len + (words[len] == ' ');
	}
}

/* What else to know of stopping the unit. D-Bus may start it again, and a mask would keep
 * it from that; but a unit that is masked while it runs is stopped without its ExecStop=
 * and its time to stop. */
static void put_caution(struct spg_buf *buf, const struct subject *s)
{
	const struct spg_process *process = s->process;

	if (s->state->stuck) {
		spg_buf_puts(buf, "may wait in vain: the process waits in the kernel");
	} else if (process->unit_on_bus) {
		spg_buf_puts(buf,
			"D-Bus starts it again when somebody asks for it; if that "
			"happens, stop it once more, then run: ");
		spg_command_put_service(
			buf, SPG_SERVICE_MASK, process->unit_user, NULL, process->unit);
		spg_buf_puts(buf, ", and unmask it after the service pack");
	}
}

static int advise_unit(const struct subject *s, struct spg_notes *next)
{
	const struct spg_process *process = s->process;
	const char *frozen = s->state->frozen_at;
	struct spg_buf command = SPG_BUF_NULL, caution = SPG_BUF_NULL,
		       triggers = SPG_BUF_NULL;
	int r;

	if (frozen && !s->state->frozen_v1 &&
		strcmp(spg_path_base(frozen), process->unit) == 0) {
		spg_command_put_service(&command, SPG_SERVICE_THAW, process->unit_user,
			NULL, process->unit);
		spg_buf_puts(&command, " && ");
	} else if (frozen) {
		put_thaw(&command, s->state);
	}
	/* In one call: else the socket starts what is about to stop. */
	put_words(&triggers, process->unit_triggers);
	spg_command_put_service(&command, SPG_SERVICE_STOP, process->unit_user,
		spg_buf_text(&triggers), process->unit);
	put_caution(&caution, s);
	command.failed = command.failed || caution.failed || triggers.failed;
	spg_buf_finish(&triggers);
	r = spg_notes_add_command(next, spg_note_about(SPG_STEP_STOP_UNIT, process),
		&command, caution.len ? spg_buf_text(&caution) : NULL);
	spg_buf_finish(&caution);
	return r;
}

int spg_advise_restart(
	const struct spg_process *process, const char *why, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_RESTART, process);
	struct spg_buf buf = SPG_BUF_NULL;

	if (process->unit) {
		spg_command_put_service(&buf, SPG_SERVICE_RESTART, process->unit_user,
			NULL, process->unit);
		return spg_notes_add_command(next, note, &buf, why);
	}
	spg_buf_puts(&buf, "restart ");
	spg_note_put_process(&buf, process);
	spg_buf_printf(&buf, ": %s", why);
	return spg_notes_add(next, &note, &buf);
}

static int advise_container(
	const struct subject *s, struct spg_buf *command, struct spg_notes *next)
{
	const char *caution = spg_container_caution(s->process->engine);

	return spg_notes_add_command(next,
		spg_note_about(SPG_STEP_STOP_CONTAINER, s->process), command,
		caution ? caution : s->process->name);
}

/* --- processes by themselves --- */

/* A tracer is asked before each signal but SIGKILL (ptrace(2)). */
static void put_end(struct spg_buf *buf, const struct subject *s)
{
	int32_t pid = s->process->id.pid;

	if (s->state->deaf || s->state->tracer || s->state->stuck)
		spg_command_put_end(buf, pid, true);
	else if (s->state->stopped || s->state->frozen_at)
		/* The one waits until the other has it go on. What is frozen may be
		 * stopped as well, and /proc does not show it. */
		spg_buf_printf(buf, "kill %d && kill -CONT %d", pid, pid);
	else
		spg_command_put_end(buf, pid, false);
}

static int advise_stuck(const struct subject *s, struct spg_notes *next)
{
	struct spg_buf command = SPG_BUF_NULL, more = SPG_BUF_NULL;
	int r;

	put_end(&command, s);
	spg_buf_puts(&more, ", which waits in the kernel");
	if (s->state->waits_in[0])
		spg_buf_printf(&more, " (%s)", s->state->waits_in);
	spg_buf_puts(&more,
		": if it stays, no signal ends it: give it what it waits for (a "
		"disk, a server, a FUSE mount), or restart the machine");
	r = add_about(next, spg_note_about(SPG_STEP_KILL_STUCK, s->process), &command,
		s, spg_buf_text(&more));
	spg_buf_finish(&more);
	return r;
}

static int advise_traced(const struct subject *s, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_KILL_TRACED, s->process);
	struct spg_buf command = SPG_BUF_NULL, more = SPG_BUF_NULL;
	int r;

	note.tracer = s->state->tracer;
	put_end(&command, s);
	spg_buf_printf(&more,
		", which %s (pid %d) traces: to let it end in order, detach that",
		s->state->tracer_name[0] ? s->state->tracer_name : "a process",
		s->state->tracer);
	r = add_about(next, note, &command, s, spg_buf_text(&more));
	spg_buf_finish(&more);
	return r;
}

static int advise_process(const struct subject *s, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_STOP_PROCESS, s->process);
	const char *more = "";
	struct spg_buf command = SPG_BUF_NULL;

	if (s->state->stuck)
		return advise_stuck(s, next);
	if (s->state->frozen_at) {
		note.kind = SPG_STEP_THAW_PROCESS;
		note.place = s->state->frozen_at;
		put_thaw(&command, s->state);
		more = ", in a control group that is frozen";
	} else if (s->state->tracer) {
		return advise_traced(s, next);
	} else if (s->state->deaf) {
		note.kind = SPG_STEP_KILL_PROCESS;
		more = ", which takes no SIGTERM";
	} else if (s->state->stopped) {
		note.kind = SPG_STEP_RESUME_PROCESS;
		more = ", which is stopped";
	}
	put_end(&command, s);
	return add_about(next, note, &command, s, more);
}

/* --- who is started again --- */

static const struct {
	enum spg_supervisor supervisor;
	const char *stop, *name, *find;
} supervisors[] = {
	{SPG_SUPERVISOR_RUNIT, "sv down ", "runit", NULL},
	{SPG_SUPERVISOR_DAEMONTOOLS, "svc -d ", "daemontools", NULL},
	{SPG_SUPERVISOR_S6, "s6-svc -d ", "s6", NULL},
	{SPG_SUPERVISOR_SUPERVISORD, "supervisorctl stop ", "supervisord",
		"supervisorctl status"},
};

static int advise_supervised(const struct subject *s, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_STOP_SUPERVISED, s->process);
	struct spg_buf command = SPG_BUF_NULL, more = SPG_BUF_NULL;
	size_t i = 0;
	int r;

	while (supervisors[i].supervisor != s->state->supervisor)
		i++;
	note.place = s->state->service;
	spg_buf_printf(&more, ", which %s starts again", supervisors[i].name);
	if (!s->state->service) {
		spg_buf_printf(&command, "%s", supervisors[i].find);
		spg_buf_printf(
			&more, ": find its name, then %sNAME", supervisors[i].stop);
	} else {
		if (s->state->frozen_at)
			put_thaw(&command, s->state);
		spg_buf_puts(&command, supervisors[i].stop);
		spg_text_shell_quote(&command, s->state->service);
		/* It sends SIGTERM and SIGCONT, to its own child alone. */
		if (!s->state->supervised_itself || s->state->deaf ||
			s->state->tracer || s->state->stuck) {
			spg_buf_puts(&command, " && ");
			put_end(&command, s);
		}
	}
	r = add_about(next, note, &command, s, spg_buf_text(&more));
	spg_buf_finish(&more);
	return r;
}

/* --- families ------------------------------------------------------------------- */

/* Numbers in one command. */
#define FAMILY_MAX      30
#define GENERATIONS_MAX 16

/* Would a mere SIGTERM be the advice? */
static bool is_plain(
	const struct spg_observation *obs, const struct spg_process *process)
{
	return process->id.pid > 1 && !process->is_daemon && !process->unit &&
	       !process->container && !is_wineserver(process) &&
	       spg_process_state_is_plain(spg_observation_state(obs, process));
}

static bool is_blocker(
	const struct spg_observation *obs, const struct spg_process *process)
{
	return spg_use_classify(obs->product, process) == SPG_CLASS_BLOCKER;
}

/* The oldest ancestor of @process that is in the way itself, with all between them. */
static const struct spg_process *head_of(
	const struct spg_observation *obs, const struct spg_process *process)
{
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		const struct spg_process *parent =
			spg_observation_process(obs, process->ppid);

		if (!parent || !is_plain(obs, parent) || !is_blocker(obs, parent))
			break;
		process = parent;
	}
	return process;
}

/* Whoever is to be ended already, alone or as a head. */
static bool is_advised(const struct spg_notes *next, int32_t pid)
{
	for (size_t i = 0; i < next->n; i++)
		if (next->items[i].pid == pid &&
			(next->items[i].kind == SPG_STEP_STOP_FAMILY ||
				next->items[i].kind == SPG_STEP_STOP_PROCESS))
			return true;
	return false;
}

/* Append the numbers of the others in the family of @head, as many as fit into a command,
 * and return how many there are. */
static size_t put_family(struct spg_buf *numbers, const struct spg_observation *obs,
	const struct spg_process *head)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_states; i++) {
		const struct spg_process *process = obs->states[i].process;

		if (process->id.pid == head->id.pid || !is_plain(obs, process) ||
			!is_blocker(obs, process) ||
			head_of(obs, process)->id.pid != head->id.pid)
			continue;
		if (n++ < FAMILY_MAX)
			spg_buf_printf(numbers, " %d", process->id.pid);
	}
	return n;
}

/* The head with a handler of its own for SIGTERM ends its children, if it has that as
 * servers do; without one it would only leave them behind. */
static int advise_family(const struct spg_observation *obs,
	const struct spg_process *head, struct spg_notes *next)
{
	const struct subject s = {head, spg_observation_state(obs, head), 0};
	struct spg_note note = spg_note_about(SPG_STEP_STOP_FAMILY, head);
	struct spg_buf numbers = SPG_BUF_NULL, command = SPG_BUF_NULL,
		       more = SPG_BUF_NULL;
	/* Beyond those that are kept the steps are only counted. */
	size_t n = next->n < SPG_NOTES_MAX ? put_family(&numbers, obs, head) : 0;
	int r;

	if (n == 0) {
		spg_buf_finish(&numbers);
		return advise_process(&s, next);
	}
	note.count = (int64_t)n + 1;
	spg_command_put_end(&command, head->id.pid, false);
	if (!s.state->handles_term)
		spg_buf_puts(&command, spg_buf_text(&numbers));
	command.failed = command.failed || numbers.failed;
	spg_buf_printf(
		&more, " and %zu process%s that it started", n, n == 1 ? "" : "es");
	if (s.state->handles_term || n > FAMILY_MAX)
		spg_buf_puts(&more, "; the next answer has those that are left");
	note.family = spg_buf_text(&numbers);
	r = add_about(next, note, &command, &s, spg_buf_text(&more));
	spg_buf_finish(&numbers);
	spg_buf_finish(&more);
	return r;
}

int spg_advise_stop(const struct spg_observation *obs,
	const struct spg_process *process, unsigned how, struct spg_notes *next)
{
	const struct subject s = {process, spg_observation_state(obs, process), how};
	struct spg_buf command = SPG_BUF_NULL;

	if (process->is_daemon)
		return advise_restart_daemon(process, next);
	if (s.state->dumping)
		return advise_await_dump(process, next);
	if (spg_container_put_stop(&command, process, s.state->frozen_at != NULL))
		return advise_container(&s, &command, next);
	if (is_manager_to_reexecute(&s))
		return advise_reexec(&s, next);
	if (process->id.pid == 1)
		return advise_restart(process, next);
	if (s.state->supervisor != SPG_SUPERVISOR_NONE)
		return advise_supervised(&s, next);
	if (process->unit && process->unit_refuses_stop)
		return advise_restart(process, next);
	if (process->unit)
		return advise_unit(&s, next);
	if (is_wineserver(process))
		return advise_close(process, next);
	if (is_plain(obs, process) && is_blocker(obs, process)) {
		const struct spg_process *head = head_of(obs, process);

		return is_advised(next, head->id.pid) ? 0
		                                      : advise_family(obs, head, next);
	}
	return advise_process(&s, next);
}

int spg_advise_keeper(const struct spg_observation *obs,
	const struct spg_seen_keeper *keeper, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_UNMOUNT, keeper->process);
	struct spg_buf command = SPG_BUF_NULL;

	note.place = keeper->place;
	if (keeper->kind == SPG_KEEPER_PROBE && keeper->place) {
		note.kind = SPG_STEP_REMOVE_PROBE;
		spg_buf_puts(&command, "cd /sys/kernel/tracing && echo 0 >events/");
		spg_text_shell_quote(&command, keeper->place);
		spg_buf_puts(&command, "/enable && echo -:");
		spg_text_shell_quote(&command, keeper->place);
		spg_buf_puts(&command, " >>uprobe_events");
		return spg_notes_add_command(next, note, &command, NULL);
	}
	if (keeper->process &&
		(keeper->kind == SPG_KEEPER_PROBE ||
			keeper->kind == SPG_KEEPER_DETACHED || keeper->process->unit ||
			keeper->process->container || !keeper->place))
		return spg_advise_stop(obs, keeper->process, 0, next);
	if (keeper->place && (keeper->process || keeper->here)) {
		if (!keeper->here)
			spg_buf_printf(
				&command, "nsenter -t %d -m ", keeper->process->id.pid);
		spg_buf_puts(&command, "umount ");
		spg_text_shell_quote(&command, keeper->place);
		return spg_notes_add_command(next, note, &command, NULL);
	}
	if (keeper->kind == SPG_KEEPER_PROBE)
		return spg_notes_add_copy(
			next, &(struct spg_note){.kind = SPG_STEP_FIND_PIN,
				      .text = "find who pinned it: bpftool link; "
					      "take the pin away (rm), "
					      "then check again"});
	return spg_notes_add_copy(
		next, &(struct spg_note){.kind = SPG_STEP_FIND_MOUNT,
			      .text = "find who keeps that namespace or mount: "
				      "lsns -t mnt, or restart the "
				      "machine; then check again"});
}
