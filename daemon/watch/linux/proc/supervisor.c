/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/proc/memory.h"
#include "daemon/watch/linux/proc/proc.h"

/* From a process up to its supervisor: a service mostly is the child itself. */
#define GENERATIONS_MAX 4

static const struct {
	const char *name;
	enum spg_supervisor supervisor;
} supervisors[] = {
	{"runsv", SPG_SUPERVISOR_RUNIT},
	{"supervise", SPG_SUPERVISOR_DAEMONTOOLS},
	{"s6-supervise", SPG_SUPERVISOR_S6},
	{"supervisord", SPG_SUPERVISOR_SUPERVISORD},
};

enum spg_supervisor spg_supervisor_find(
	const struct spg_process *process, int32_t *ret_pid, bool *ret_is_parent)
{
	int32_t pid = process->ppid;

	for (int i = 0; i < GENERATIONS_MAX && pid > 1; i++) {
		int fd = spg_proc_open(pid);
		char name[SPG_PROC_NAME];
		int32_t parent = 0;
		int r = fd >= 0 ? spg_proc_stat(fd, NULL, &parent, NULL, name) : fd;

		if (fd >= 0)
			close(fd);
		if (r < 0)
			break;
		for (size_t k = 0; k < sizeof(supervisors) / sizeof(supervisors[0]);
			k++) {
			if (strcmp(supervisors[k].name, name) != 0)
				continue;
			*ret_pid = pid;
			*ret_is_parent = i == 0;
			return supervisors[k].supervisor;
		}
		pid = parent;
	}
	return SPG_SUPERVISOR_NONE;
}

/* supervisord is a script: what runs it is Python. */
static bool is_program(int proc_fd, enum spg_supervisor supervisor)
{
	char exe[PATH_MAX];

	if (!spg_proc_exe(proc_fd, exe, sizeof(exe)))
		return false;
	if (supervisor == SPG_SUPERVISOR_SUPERVISORD)
		return strncmp(spg_path_base(exe), "python", 6) == 0 ||
		       strcmp(spg_path_base(exe), "supervisord") == 0;
	for (size_t k = 0; k < sizeof(supervisors) / sizeof(supervisors[0]); k++)
		if (supervisors[k].supervisor == supervisor)
			return strcmp(spg_path_base(exe), supervisors[k].name) == 0;
	return false;
}

static bool is_of_root(int proc_fd)
{
	struct stat st;

	return fstatat(proc_fd, "stat", &st, 0) == 0 && st.st_uid == 0;
}

/* In a unit a supervisor counts where the unit is its own: to stop that would stop all that
 * it runs. */
static bool shares_unit(int proc_fd, const struct spg_process *process)
{
	struct spg_control_group group;
	char text[4096];

	if (!process->unit)
		return true;
	if (spg_proc_slurp(proc_fd, "cgroup", text, sizeof(text)) <= 0)
		return false;
	spg_control_group_parse(text, &group);
	return strcmp(group.unit, process->unit) == 0;
}

static bool read_cwd(int proc_fd, char *buf, size_t size)
{
	ssize_t n = readlinkat(proc_fd, "cwd", buf, size - 1);

	if (n <= 0 || (size_t)n >= size - 1)
		return false;
	buf[n] = '\0';
	return buf[0] == '/';
}

/* Whose the directory is that the supervisor keeps its state in: its own user's. */
static bool is_of_supervisor(int proc_fd, const char *dir)
{
	struct stat st, own;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/supervise", dir);
	return fstatat(proc_fd, "stat", &own, 0) == 0 && stat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode) && st.st_uid == own.st_uid;
}

/* runsv runs the service and its logger, each with a number in a file. */
static bool is_logger(const char *dir, int32_t pid)
{
	char path[PATH_MAX + 32], text[32];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/log/supervise/pid", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 && atoi(text) == pid;
}

static int take_directory(
	const struct spg_process *process, int proc_fd, struct spg_process_state *state)
{
	char dir[PATH_MAX];
	struct spg_buf buf = SPG_BUF_NULL;

	if (!read_cwd(proc_fd, dir, sizeof(dir)) || !is_of_supervisor(proc_fd, dir))
		return 0;
	spg_buf_puts(&buf, dir);
	if (state->supervisor == SPG_SUPERVISOR_RUNIT &&
		is_logger(dir, process->id.pid))
		spg_buf_puts(&buf, "/log");
	state->service = spg_buf_take(&buf);
	return state->service ? 0 : SPG_ERR_NOMEM;
}

/* What supervisord tells each of its children in their environment. */
static int take_name(const struct spg_process *process, struct spg_process_state *state)
{
	static const char group_key[] = "SUPERVISOR_GROUP_NAME=";
	static const char name_key[] = "SUPERVISOR_PROCESS_NAME=";
	char text[8192];
	const char *group = NULL, *name = NULL;
	struct spg_buf buf = SPG_BUF_NULL;
	int fd = spg_proc_open(process->id.pid);
	int64_t n = fd >= 0 ? spg_memory_read_environ(fd, text, sizeof(text)) : -1;

	if (fd >= 0)
		close(fd);
	for (int64_t at = 0; at < n; at += (int64_t)strlen(text + at) + 1) {
		if (strncmp(text + at, group_key, sizeof(group_key) - 1) == 0)
			group = text + at + sizeof(group_key) - 1;
		if (strncmp(text + at, name_key, sizeof(name_key) - 1) == 0)
			name = text + at + sizeof(name_key) - 1;
	}
	if (!name || !*name || *name == '-')
		return 0;
	if (group && *group && *group != '-' && strcmp(group, name) != 0)
		spg_buf_printf(&buf, "%s:", group);
	spg_buf_puts(&buf, name);
	state->service = spg_buf_take(&buf);
	return state->service ? 0 : SPG_ERR_NOMEM;
}

int spg_supervisor_look(
	const struct spg_process *process, struct spg_process_state *state)
{
	int32_t pid;
	bool is_parent;
	enum spg_supervisor found = spg_supervisor_find(process, &pid, &is_parent);
	int fd = found != SPG_SUPERVISOR_NONE ? spg_proc_open(pid) : -1;
	int r = 0;

	if (fd < 0)
		return 0;
	/* That of somebody else is what he says it is, and root would be told to run his
	 * service's name. */
	if (is_of_root(fd) && shares_unit(fd, process) && is_program(fd, found)) {
		state->supervisor = found;
		state->supervised_itself = is_parent;
		r = found == SPG_SUPERVISOR_SUPERVISORD
		            ? take_name(process, state)
		            : take_directory(process, fd, state);
		/* A directory that is not its own: then it is none. */
		if (r == 0 && !state->service && found != SPG_SUPERVISOR_SUPERVISORD)
			state->supervisor = SPG_SUPERVISOR_NONE;
	}
	close(fd);
	return r;
}
