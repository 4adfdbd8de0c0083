/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/proc/proc.h"
#include "daemon/watch/linux/proc/supervisor.h"

#define TERM_BIT    (UINT64_C(1) << (SIGTERM - 1))
/* A program with more threads, or descriptors, is not looked into: it can hear. */
#define THREADS_MAX 64
#define FDS_MAX     4096
#define FIELD_MAX   64

/* The text of "status", proc_pid_status(5). The name in it was chosen by somebody else,
 * but a newline in it is escaped (fs/proc/array.c, proc_task_name()). */
struct status {
	char lines[4096];
};

static bool read_status(int dir_fd, const char *name, struct status *ret)
{
	return spg_proc_slurp(dir_fd, name, ret->lines, sizeof(ret->lines)) > 0;
}

/* What follows "\nKEY:" and blanks; "" when it is not there. */
static const char *value_of(const struct status *status, const char *key)
{
	char line[FIELD_MAX];
	const char *at;

	snprintf(line, sizeof(line), "\n%s:", key);
	at = strstr(status->lines, line);
	if (!at)
		return "";
	at += strlen(line);
	return at + strspn(at, "\t ");
}

static uint64_t set_of(const struct status *status, const char *key)
{
	return strtoull(value_of(status, key), NULL, 16);
}

static uint64_t turns_of(const struct status *status)
{
	return strtoull(value_of(status, "voluntary_ctxt_switches"), NULL, 10) +
	       strtoull(value_of(status, "nonvoluntary_ctxt_switches"), NULL, 10);
}

/* "NSpid: 4711 1": the first process of a pid namespace below ours. */
static bool is_first_of_namespace(const struct status *status)
{
	const char *value = value_of(status, "NSpid");
	size_t len = strcspn(value, "\n");

	return len > 2 && memcmp(value + len - 2, "\t1", 2) == 0;
}

/* --- signals ------------------------------------------------------------------- */

/* Does a descriptor for signals take SIGTERM (signalfd(2))? */
static bool has_signalfd(int proc_fd)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool found = false;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return true; /* not ours to see: it may */
	for (int n = 0; !found && (entry = readdir(dir)); n++) {
		char link[FIELD_MAX] = "", name[48];
		struct status info = {.lines = "\n"};

		if (n == FDS_MAX) {
			found = true;
			break;
		}
		if (readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1) < 0 ||
			strcmp(link, "anon_inode:[signalfd]") != 0)
			continue;
		snprintf(name, sizeof(name), "fdinfo/%.20s", entry->d_name);
		found = !read_status(proc_fd, name, &info) ||
		        (set_of(&info, "sigmask") & TERM_BIT);
	}
	closedir(dir);
	return found;
}

/* Can any thread take SIGTERM? While one waits for it by sigwait(3), the kernel has it
 * unblocked (kernel/signal.c, do_sigtimedwait()). */
static bool any_thread_hears(int proc_fd)
{
	int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool hears = false;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return true;
	for (int n = 0; !hears && (entry = readdir(dir)); n++) {
		char name[48];
		struct status status;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%.20s/status", entry->d_name);
		hears = n > THREADS_MAX ||
		        (read_status(dirfd(dir), name, &status) &&
				!(set_of(&status, "SigBlk") & TERM_BIT));
	}
	closedir(dir);
	return hears;
}

static bool is_deaf(int proc_fd, const struct status *status)
{
	if (set_of(status, "SigIgn") & TERM_BIT)
		return true;
	if (is_first_of_namespace(status) && !(set_of(status, "SigCgt") & TERM_BIT))
		return true; /* kill(2): it gets only what it handles */
	return (set_of(status, "SigBlk") & TERM_BIT) && !any_thread_hears(proc_fd) &&
	       !has_signalfd(proc_fd);
}

/* --- frozen control groups (cgroups(7), "freezer"; cgroup-v2, "cgroup.freeze") ------ */

static const struct freezer {
	const char *mounted;        /* where systemd and everybody else mounts it */
	const char *state, *frozen; /* the file that says it, and how */
	const char *own;            /* what the group itself is asked for: "1" */
	bool v1;
} freezers[] = {
	{"/sys/fs/cgroup", "cgroup.events", "frozen 1", "cgroup.freeze", false},
	{"/sys/fs/cgroup/unified", "cgroup.events", "frozen 1", "cgroup.freeze", false},
	{"/sys/fs/cgroup/freezer", "freezer.state", "F", "freezer.self_freezing", true},
};

/* The path of the process in the hierarchy of @freezer, within @cgroup. */
static bool path_in(
	const char *cgroup, const struct freezer *freezer, char *ret, size_t size)
{
	for (const char *line = cgroup; *line;) {
		size_t len = strcspn(line, "\n");
		const char *of = strchr(line, ':'),
			   *path = of ? strchr(of + 1, ':') : NULL;

		if (path && path < line + len) {
			size_t n = (size_t)(path - of - 1);

			if (freezer->v1 ? n == 7 && memcmp(of + 1, "freezer", 7) == 0
					: n == 0) {
				snprintf(ret, size, "%.*s",
					(int)(len - (size_t)(path + 1 - line)),
					path + 1);
				return strlen(ret) > 1 && strncmp(ret, "/..", 3) != 0;
			}
		}
		line += len;
		line += *line == '\n';
	}
	return false;
}

static bool says(const char *dir, const char *file, const char *what)
{
	char path[PATH_MAX], text[128];

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return false;
	return spg_proc_slurp(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	       strstr(text, what) != NULL;
}

/* The outermost group above @dir that was asked to freeze. Cuts @dir. */
static void find_outermost(const struct freezer *freezer, char *dir)
{
	size_t keep = strlen(dir);
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s", dir);
	for (char *end; strlen(dir) > strlen(freezer->mounted);) {
		if (says(dir, freezer->own, "1"))
			keep = strlen(dir);
		end = strrchr(dir, '/');
		*end = '\0';
	}
	snprintf(dir, PATH_MAX, "%.*s", (int)keep, whole);
}

static int find_freezer(int proc_fd, struct spg_process_state *state)
{
	char cgroup[4096], dir[PATH_MAX], path[PATH_MAX];

	if (spg_proc_slurp(proc_fd, "cgroup", cgroup, sizeof(cgroup)) <= 0)
		return 0;
	for (size_t i = 0; i < sizeof(freezers) / sizeof(freezers[0]); i++) {
		if (!path_in(cgroup, &freezers[i], path, sizeof(path)) ||
			snprintf(dir, sizeof(dir), "%s%s", freezers[i].mounted, path) >=
				(int)sizeof(dir) ||
			!says(dir, freezers[i].state, freezers[i].frozen))
			continue;
		find_outermost(&freezers[i], dir);
		state->frozen_at = strdup(dir);
		state->frozen_v1 = freezers[i].v1;
		return state->frozen_at ? 0 : SPG_ERR_NOMEM;
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------- */

/* The process that the record is about, not one that got its number since. */
static int open_process(const struct spg_process *process)
{
	int fd = spg_proc_open(process->id.pid);
	uint64_t start;

	if (fd >= 0 && (spg_proc_stat(fd, &start, NULL, NULL, NULL) < 0 ||
			       start != process->id.start)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What one reading of "status" tells. */
static void take_status(const struct status *status, struct spg_process_state *state)
{
	char letter = value_of(status, "State")[0];

	state->stopped = letter == 'T';
	state->dumping = value_of(status, "CoreDumping")[0] == '1';
	state->tracer = (int32_t)strtol(value_of(status, "TracerPid"), NULL, 10);
	state->handles_term = (set_of(status, "SigCgt") & TERM_BIT) != 0;
}

static void note_waiting(
	const struct status *status, int32_t tid, struct spg_state_look *look)
{
	if (value_of(status, "State")[0] != 'D')
		return;
	look->tid = tid;
	look->n_turns = turns_of(status);
}

static void name_tracer(struct spg_process_state *state)
{
	int fd = state->tracer > 0 ? spg_proc_open(state->tracer) : -1;

	if (fd < 0)
		return;
	(void)spg_proc_stat(fd, NULL, NULL, NULL, state->tracer_name);
	close(fd);
}

static void read_wait(int dir_fd, const char *name, char *buf, size_t size)
{
	if (spg_proc_slurp(dir_fd, name, buf, size) < 0 || strcmp(buf, "0") == 0)
		buf[0] = '\0';
}

/* The leader if it waits, or another thread that does. */
static void find_waiting(
	int proc_fd, const struct spg_process *process, struct spg_state_look *ret)
{
	int fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir && fd >= 0)
		close(fd);
	for (int n = 0;
		dir && ret->tid == 0 && n < THREADS_MAX && (entry = readdir(dir));
		n++) {
		char name[48];
		struct status status;
		int tid = atoi(entry->d_name);

		snprintf(name, sizeof(name), "%d/status", tid);
		if (tid > 0 && tid != process->id.pid &&
			read_status(dirfd(dir), name, &status))
			note_waiting(&status, tid, ret);
	}
	if (dir)
		closedir(dir);
}

int spg_state_look(const struct spg_process *process, bool threads,
	struct spg_process_state *ret, struct spg_state_look *ret_look)
{
	struct spg_process_state state = {.looked = false};
	struct spg_state_look look = {.tid = 0};
	struct status status;
	int fd = open_process(process), r = 0;

	*ret = state;
	*ret_look = look;
	if (fd < 0)
		return 0;
	if (read_status(fd, "status", &status)) {
		state.looked = true;
		take_status(&status, &state);
		name_tracer(&state);
		state.deaf = is_deaf(fd, &status);
		r = find_freezer(fd, &state);
		if (!state.frozen_at && !state.dumping) {
			note_waiting(&status, process->id.pid, &look);
			if (threads && look.tid == 0)
				find_waiting(fd, process, &look);
		}
	}
	close(fd);
	if (r == 0 && process->engine == SPG_CONTAINER_NONE)
		r = spg_supervisor_look(process, &state);
	if (r < 0) {
		spg_process_state_finish(&state);
		return r;
	}
	*ret = state;
	*ret_look = look;
	return 0;
}

void spg_state_look_again(const struct spg_process *process,
	const struct spg_state_look *before, struct spg_process_state *state)
{
	struct spg_state_look now = {.tid = 0};
	struct status status;
	char name[48];
	int fd = open_process(process);

	if (fd < 0)
		return;
	snprintf(name, sizeof(name), "task/%" PRId32 "/status", before->tid);
	if (read_status(fd, name, &status))
		note_waiting(&status, before->tid, &now);
	if (now.tid != 0 && now.n_turns == before->n_turns) {
		state->stuck = true;
		snprintf(name, sizeof(name), "task/%" PRId32 "/wchan", before->tid);
		read_wait(fd, name, state->waits_in, sizeof(state->waits_in));
	}
	close(fd);
}

bool spg_state_is_ordinary(const struct spg_process *process, bool *ret_handles_term)
{
	struct spg_process_state state = {.looked = false};
	struct status status;
	int fd = open_process(process);
	bool ordinary = false;
	char letter;

	if (fd < 0)
		return false;
	if (read_status(fd, "status", &status) && find_freezer(fd, &state) == 0) {
		letter = value_of(&status, "State")[0];
		take_status(&status, &state);
		ordinary = letter != 'D' &&
		           !((set_of(&status, "SigBlk") | set_of(&status, "SigIgn")) &
				   TERM_BIT) &&
		           !is_first_of_namespace(&status) &&
		           spg_process_state_is_plain(&state);
		*ret_handles_term = state.handles_term;
	}
	close(fd);
	spg_process_state_finish(&state);
	return ordinary && (process->engine != SPG_CONTAINER_NONE ||
				   spg_supervisor_find(process, &(int32_t){0},
					   &(bool){false}) == SPG_SUPERVISOR_NONE);
}
