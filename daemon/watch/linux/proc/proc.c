/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/proc/memory.h"

int spg_proc_stat(int proc_fd, uint64_t *ret_start, int32_t *ret_ppid, char *ret_state,
	char *name)
{
	char text[1024];
	char *open_paren, *close_paren, state;
	int32_t ppid;
	uint64_t start;

	if (spg_proc_slurp(proc_fd, "stat", text, sizeof(text)) <= 0)
		return SPG_ERR_NOT_FOUND;
	/* The name may contain anything, parentheses too: the last one counts. */
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return SPG_ERR_NOT_FOUND;
	if (sscanf(close_paren + 1,
		    " %c %" SCNd32
		    " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
		    " %*d %*d %*d %*d %" SCNu64,
		    &state, &ppid, &start) != 3)
		return SPG_ERR_NOT_FOUND;
	*close_paren = '\0';
	if (name)
		snprintf(name, SPG_PROC_NAME, "%s", open_paren + 1);
	if (ret_start)
		*ret_start = start;
	if (ret_ppid)
		*ret_ppid = ppid;
	if (ret_state)
		*ret_state = state;
	return 0;
}

int spg_proc_wait_status(int proc_fd, uint64_t *ret_start, int *ret)
{
	char text[1024], state;
	const char *close_paren, *last;
	uint64_t start;

	if (spg_proc_slurp(proc_fd, "stat", text, sizeof(text)) <= 0)
		return SPG_ERR_NOT_FOUND;
	close_paren = strrchr(text, ')');
	last = strrchr(text, ' ');
	if (!close_paren || !last || last < close_paren ||
		sscanf(close_paren + 1,
			" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
			" %*d %*d %*d %*d %" SCNu64,
			&state, &start) != 2 ||
		state != 'Z' || sscanf(last, " %d", ret) != 1)
		return SPG_ERR_NOT_FOUND;
	*ret_start = start;
	return 0;
}

/* Effective user of the process; the second number of "Uid:". */
static uint32_t read_uid(int proc_fd)
{
	char text[2048];
	const char *line;
	uint32_t uid;

	if (spg_proc_slurp(proc_fd, "status", text, sizeof(text)) <= 0)
		return SPG_UID_UNKNOWN;
	line = strstr(text, "\nUid:");
	if (!line || sscanf(line + 5, "%*u %" SCNu32, &uid) != 1)
		return SPG_UID_UNKNOWN;
	return uid;
}

static bool read_link(int dir_fd, const char *name, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlinkat(dir_fd, name, buf, size - 1);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	if ((size_t)n > sizeof(deleted) &&
		strcmp(buf + n - (sizeof(deleted) - 1), deleted) == 0)
		buf[n - (ssize_t)(sizeof(deleted) - 1)] = '\0';
	return true;
}

/* A leader that has exited has no executable any more; its threads have. */
bool spg_proc_exe(int proc_fd, char *buf, size_t size)
{
	bool found = read_link(proc_fd, "exe", buf, size);
	const struct dirent *entry;
	DIR *tasks = NULL;
	int fd = -1;

	if (!found && errno == ENOENT)
		fd = openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		tasks = fdopendir(fd);
	if (fd >= 0 && !tasks)
		close(fd);
	while (tasks && !found && (entry = readdir(tasks))) {
		char name[48];

		snprintf(name, sizeof(name), "%.20s/exe", entry->d_name);
		found = entry->d_name[0] != '.' &&
		        read_link(dirfd(tasks), name, buf, size);
	}
	if (tasks)
		closedir(tasks);
	return found;
}

/* Stands where a command line was too long. */
#define CUT "..."

bool spg_proc_cmdline(int proc_fd, char *buf, size_t size)
{
	int64_t n = spg_memory_read_cmdline(proc_fd, buf, size);

	if (n <= 0)
		return false;
	if (n == (int64_t)size - 1 && size > sizeof(CUT))
		memcpy(buf + size - sizeof(CUT), CUT, sizeof(CUT));
	while (n > 0 && buf[n - 1] == '\0')
		n--;
	for (int64_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	buf[n] = '\0';
	return n > 0;
}

/*
 * The kernel cuts names to 15 characters; the executable's or the first
 * argument's may have the rest. Under Wine that argument is a DOS path.
 */
void spg_proc_complete_name(char *name, const char *exe, const char *cmdline)
{
	char first[256];
	const char *base;

	if (strlen(name) != 15)
		return;
	base = exe ? spg_path_base(exe) : "";
	if (strncmp(base, name, 15) == 0 && strlen(base) < SPG_PROC_NAME) {
		snprintf(name, SPG_PROC_NAME, "%s", base);
		return;
	}
	if (!cmdline)
		return;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(cmdline, " "), cmdline);
	base = spg_path_base(first);
	if (strrchr(base, '\\'))
		base = strrchr(base, '\\') + 1;
	if (strncmp(base, name, 15) == 0 && strlen(base) < SPG_PROC_NAME)
		snprintf(name, SPG_PROC_NAME, "%s", base);
}

/* Nanoseconds since boot as UTC: the clocks' difference is read at the same
 * moment. */
static int64_t boottime_to_wall_ns(int64_t boot_ns)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return spg_clock_wall_ns() -
	       ((int64_t)boot.tv_sec * SPG_NS_PER_S + boot.tv_nsec) + boot_ns;
}

void spg_proc_started(
	uint64_t start_boottime, uint64_t *ret_start, int64_t *ret_started_ns)
{
	uint64_t tick_ns = SPG_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	*ret_start = start_boottime / tick_ns;
	*ret_started_ns = boottime_to_wall_ns((int64_t)(*ret_start * tick_ns));
}

int spg_proc_read(const struct spg_proc_reader *reader, int proc_fd, int32_t pid,
	uint64_t key, struct spg_process **ret)
{
	char name[SPG_PROC_NAME], exe[PATH_MAX], cmdline[1024], cgroup[4096];
	struct spg_unit_facts unit;
	char user[64], manager[64];
	struct spg_process_info info = {
		.id.pid = pid, .key = key, .is_daemon = pid == getpid()};
	struct spg_control_group group = {.manager_uid = SPG_UID_UNKNOWN};
	int r;

	r = spg_proc_stat(proc_fd, &info.id.start, &info.ppid, NULL, name);
	if (r < 0)
		return r;
	info.started_ns = boottime_to_wall_ns(
		(int64_t)info.id.start * (SPG_NS_PER_S / sysconf(_SC_CLK_TCK)));
	info.uid = read_uid(proc_fd);
	if (spg_proc_exe(proc_fd, exe, sizeof(exe)))
		info.exe = exe;
	if (reader->may_block && spg_proc_cmdline(proc_fd, cmdline, sizeof(cmdline)))
		info.cmdline = cmdline;
	spg_proc_complete_name(name, info.exe, info.cmdline);
	info.name = name;
	if (info.uid != SPG_UID_UNKNOWN) {
		spg_users_name(
			reader->users, info.uid, reader->may_block, user, sizeof(user));
		info.user = user;
	}
	if (spg_proc_slurp(proc_fd, "cgroup", cgroup, sizeof(cgroup)) > 0)
		spg_control_group_parse(cgroup, &group);
	if (group.unit[0])
		info.unit = group.unit;
	if (group.engine != SPG_CONTAINER_NONE)
		info.container = group.container;
	info.engine = group.engine;
	if (group.manager_uid != SPG_UID_UNKNOWN) {
		spg_users_name(reader->users, group.manager_uid, reader->may_block,
			manager, sizeof(manager));
		info.unit_user = manager;
	}
	if (info.unit && reader->may_block) {
		spg_unit_read(info.unit_user ? SPG_UNIT_OF_USER : SPG_UNIT_OF_SYSTEM,
			info.unit, &unit);
		info.unit_refuses_stop = unit.refuses_stop;
		info.unit_triggers = unit.triggers;
		info.unit_on_bus = unit.on_bus;
	}
	*ret = spg_process_create(&info);
	return *ret ? 0 : SPG_ERR_NOMEM;
}
