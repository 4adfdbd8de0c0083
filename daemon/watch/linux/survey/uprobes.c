/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/uprobes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/proc/proc.h"

/* fsopen(2) and bpf(2), of headers that may be older than the kernel. */
#define FSCONFIG_CREATE      6
#define LINK_GET_FD_BY_ID    30
#define LINK_GET_NEXT_ID     31
#define OBJ_GET_INFO_BY_FD   15
#define LINK_PERF_EVENT      7
#define LINK_UPROBE_MULTI    12
#define PERF_EVENT_UPROBE    1
#define PERF_EVENT_URETPROBE 2

/* Longer than a look at a link lasts. */
#define MOMENT_NS            (5 * SPG_NS_PER_MS)

struct spg_probes {
	int tracefs; /* the directory; -1 none */
};

/* A mount that nobody else sees. */
static int open_detached(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", 1 /* FSOPEN_CLOEXEC */);
	int fd = -1;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	close(fs);
	return fd;
}

static bool has_events(int dir)
{
	return dir >= 0 && faccessat(dir, "uprobe_events", R_OK, AT_EACCESS) == 0;
}

static int open_tracefs(void)
{
	static const char *const places[] = {
		"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	int fd;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (has_events(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	fd = open_detached();
	if (fd >= 0 && !has_events(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

struct spg_probes *spg_probes_create(void)
{
	struct spg_probes *probes = calloc(1, sizeof(*probes));

	if (probes)
		probes->tracefs = open_tracefs();
	return probes;
}

void spg_probes_destroy(struct spg_probes *probes)
{
	if (!probes)
		return;
	if (probes->tracefs >= 0)
		close(probes->tracefs);
	free(probes);
}

/* Neither an event's name nor a path has a blank in it: definitions are split there
 * (kernel/trace/trace_uprobe.c). */
bool spg_probe_parse(char *line, struct spg_probe *ret)
{
	char *save = NULL, *event, *path, *offset;

	if (line[0] != 'p' && line[0] != 'r')
		return false;
	event = strtok_r(line, " ", &save);
	path = strtok_r(NULL, " ", &save);
	event = event ? strchr(event, ':') : NULL;
	offset = path ? strrchr(path, ':') : NULL;
	if (!event || !event[1] || !strchr(event, '/') || !offset || offset == path ||
		strncmp(offset, ":0x", 3) != 0)
		return false;
	*offset = '\0';
	*ret = (struct spg_probe){.path = path, .event = event + 1, .link_fd = -1};
	return true;
}

static int read_events(struct spg_probes *probes,
	int (*each)(void *user, const struct spg_probe *probe), void *user)
{
	int fd = openat(probes->tracefs, "uprobe_events", O_RDONLY | O_CLOEXEC);
	struct spg_buf buf = SPG_BUF_NULL;
	char chunk[4096], *save = NULL;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return 0;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			spg_buf_add(&buf, chunk, (size_t)n);
	close(fd);
	if (buf.failed)
		r = SPG_ERR_NOMEM;
	for (char *line = r == 0 && buf.len > 0 ? strtok_r(buf.data, "\n", &save)
	                                        : NULL;
		line && r == 0; line = strtok_r(NULL, "\n", &save)) {
		struct spg_probe probe;

		if (spg_probe_parse(line, &probe))
			r = each(user, &probe);
	}
	spg_buf_finish(&buf);
	return r;
}

/* struct bpf_link_info (linux/bpf.h), as far as it is about uprobes. */
struct link_info {
	uint32_t type, id, prog_id, reserved;
	union {
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t path_size, count, flags, pid;
		} uprobe_multi;
		struct {
			uint32_t type, reserved;
			uint64_t file_name;
			uint32_t name_len, offset;
			uint64_t cookie, ref_ctr_offset;
		} perf_event;
	} u;
};

static long bpf(int command, void *attr, size_t size)
{
	return syscall(SYS_bpf, command, attr, size);
}

static bool get_info(int fd, struct link_info *info)
{
	struct {
		uint32_t fd, len;
		uint64_t info;
	} attr = {(uint32_t)fd, sizeof(*info), (uintptr_t)info};

	return bpf(OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) == 0;
}

/* The file that the link behind @fd has uprobes in. */
static bool read_link(int fd, char path[PATH_MAX])
{
	struct link_info info = {0}, again = {0};

	path[0] = '\0';
	if (!get_info(fd, &info))
		return false;
	if (info.type == LINK_UPROBE_MULTI) {
		again.u.uprobe_multi.path = (uintptr_t)path;
		again.u.uprobe_multi.path_size = PATH_MAX;
	} else if (info.type == LINK_PERF_EVENT &&
		   (info.u.perf_event.type == PERF_EVENT_UPROBE ||
			   info.u.perf_event.type == PERF_EVENT_URETPROBE)) {
		again.u.perf_event.file_name = (uintptr_t)path;
		again.u.perf_event.name_len = PATH_MAX;
	} else {
		return false;
	}
	path[PATH_MAX - 1] = '\0';
	return get_info(fd, &again);
}

static int read_links(
	int (*each)(void *user, const struct spg_probe *probe), void *user)
{
	uint32_t id = 0;
	int r = 0;

	while (r == 0) {
		struct {
			uint32_t id, next, flags;
		} attr = {.id = id};
		char path[PATH_MAX];
		int fd;

		if (bpf(LINK_GET_NEXT_ID, &attr, sizeof(attr)) != 0)
			return 0;
		id = attr.id = attr.next;
		attr.next = 0;
		fd = (int)bpf(LINK_GET_FD_BY_ID, &attr, sizeof(attr));
		if (fd < 0)
			continue;
		if (read_link(fd, path))
			r = each(
				user, &(struct spg_probe){
					      .path = path, .link = id, .link_fd = fd});
		close(fd);
	}
	return r;
}

int spg_probes_read(struct spg_probes *probes,
	int (*each)(void *user, const struct spg_probe *probe), void *user)
{
	int r = probes->tracefs >= 0 ? read_events(probes, each, user) : 0;

	return r == 0 ? read_links(each, user) : r;
}

int spg_probes_open_event(struct spg_probes *probes, const char *event)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "events/%s/enable", event);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	return openat(probes->tracefs, path, O_RDONLY | O_CLOEXEC);
}

/* @tid: a process or a thread, which may have left the descriptor table. */
static bool has_link(int32_t tid, uint32_t link)
{
	char path[64], text[4096];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		char target[32];
		ssize_t n = readlinkat(
			dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		const char *number;

		target[n > 0 ? n : 0] = '\0';
		/* "anon_inode:bpf_link" or "anon_inode:bpf-link": of the kernel. */
		if (strncmp(target, "anon_inode:", 11) != 0 || !strstr(target, "link"))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", tid,
			entry->d_name);
		if (spg_proc_slurp(AT_FDCWD, path, text, sizeof(text)) <= 0)
			continue;
		number = strstr(text, "link_id:");
		found = number && strtoul(number + 8, NULL, 10) == link;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Whoever lists the machine's links, as we do, has a descriptor of each for a moment. */
static bool keeps_link(int32_t tid, uint32_t link)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};

	if (!has_link(tid, link))
		return false;
	(void)nanosleep(&moment, NULL);
	return has_link(tid, link);
}

/* Of process @pid, or of those of its threads that have a number of their own. */
static bool is_owner(int32_t pid, bool threads, uint32_t link)
{
	const struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *tasks;

	if (!threads)
		return keeps_link(pid, link);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && !found && (entry = readdir(tasks))) {
		int32_t tid = atoi(entry->d_name);

		found = tid > 0 && tid != pid && keeps_link(tid, link);
	}
	if (tasks)
		closedir(tasks);
	return found;
}

static int32_t find_owner(uint32_t link, bool threads)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int32_t owner = 0;

	while (proc && owner == 0 && (entry = readdir(proc))) {
		int32_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid() && is_owner(pid, threads, link))
			owner = pid;
	}
	if (proc)
		closedir(proc);
	return owner;
}

int32_t spg_probe_owner(uint32_t link)
{
	int32_t owner = find_owner(link, false);

	/* Threads may have left the descriptor table, or outlive the first one. */
	return owner ? owner : find_owner(link, true);
}
