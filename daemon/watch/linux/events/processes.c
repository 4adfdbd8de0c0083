/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/watch.h"

/* Direct-mapped by pid. A record may be this old before its name is read again:
 * the process may have executed another program. */
#define PIDFS_MAGIC 0x50494446 /* linux/magic.h, PID_FS_MAGIC */
#define SLOTS       1024
#define FRESH_NS    (100 * SPG_NS_PER_MS)
/* Descriptors are finite, and clients need some too: at most so many, and no more
 * than a part of them; beyond that, closes and surveys tell of an end. */
#define EXITS_MAX   2000

/* linux/pidfd.h since 6.13; older headers lack it. */
struct pidfd_info {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code; /* since 6.15, once it is reaped; spare before */
};
#define GET_INFO  _IOWR(0xFF, 11, struct pidfd_info)
#define INFO_EXIT (1U << 3)

/* Of how many who were watched it is remembered how they ended. */
#define ENDS_MAX  64

struct end {
	struct spg_proc_id id;
	struct spg_process_end how;
};

struct slot {
	struct spg_process *process;
	int64_t read_ns; /* monotonic */
};

struct exit_watch {
	struct spg_processes *processes;
	uv_poll_t poll;
	int pidfd;
	struct spg_proc_id id;
	void (*on_exit)(void *user, struct spg_proc_id id);
	void *user;
	bool closing;
	struct exit_watch *next;
};

struct spg_processes {
	uv_loop_t *loop;
	struct spg_proc_reader reader;
	const struct spg_trace *trace; /* NULL: the kernel keeps no table */
	bool has_pidfs;
	struct slot slots[SLOTS];
	struct exit_watch *exits; /* every handle that is not closed yet */
	size_t n_exits, exits_max;
	struct end ends[ENDS_MAX]; /* the latest, in a ring */
	size_t n_ends;
	void (*on_closed)(void *user);
	void *user;
	bool stopping;
};

/* True on Linux 6.9 and later. */
static bool find_pidfs(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct statfs fs;
	bool found;

	if (pidfd < 0)
		return false;
	found = fstatfs(pidfd, &fs) == 0 && fs.f_type == PIDFS_MAGIC;
	close(pidfd);
	return found;
}

static size_t count_exits_max(void)
{
	struct rlimit limit;
	size_t max;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return EXITS_MAX / 16;
	max = limit.rlim_cur > 256 ? limit.rlim_cur / 4 : limit.rlim_cur / 16;
	return max < EXITS_MAX ? max : EXITS_MAX;
}

struct spg_processes *spg_processes_create(
	uv_loop_t *loop, const struct spg_proc_reader *reader)
{
	struct spg_processes *processes = calloc(1, sizeof(*processes));

	if (!processes)
		return NULL;
	processes->loop = loop;
	processes->reader = *reader;
	processes->reader.may_block = false;
	processes->has_pidfs = find_pidfs();
	processes->exits_max = count_exits_max();
	return processes;
}

void spg_processes_use_table(
	struct spg_processes *processes, const struct spg_trace *trace)
{
	processes->trace = trace;
}

/* The pidfd's inode, where every process has its own; else 0: before pidfs all
 * pidfds share one anonymous inode. */
static uint64_t key_of(const struct spg_processes *processes, int pidfd)
{
	struct stat st;

	if (pidfd < 0 || !processes->has_pidfs || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

/*
 * What the kernel's table knows of a process that ended: it was filled when the
 * process started and when it executed, so it is the program that ran last.
 */
static bool recall(const struct spg_processes *processes, int32_t pid, uint64_t key,
	struct spg_bpf_process *ret)
{
	if (!processes->trace || !spg_trace_process(processes->trace, pid, ret))
		return false;
	return key == 0 || ret->key == 0 || ret->key == key;
}

/* All that is left of a process that ended: what the table has; without it its
 * number, perhaps its user. */
static struct spg_process *create_remains(
	const struct spg_processes *processes, int32_t pid, int pidfd, uint64_t key)
{
	struct pidfd_info pidfd_info = {.mask = 1};
	struct spg_process_info info = {
		.id.pid = pid, .uid = SPG_UID_UNKNOWN, .key = key};
	struct spg_bpf_process known;
	char user[64], name[SPG_PROC_NAME], exe[SPG_BPF_EXE_MAX + 1];

	if (recall(processes, pid, key, &known)) {
		info.key = known.key ? known.key : key;
		info.uid = known.uid;
		info.ppid = known.ppid;
		if (known.exe_whole && known.exe_at < SPG_BPF_EXE_MAX) {
			snprintf(exe, sizeof(exe), "%.*s",
				(int)(SPG_BPF_EXE_MAX - known.exe_at),
				known.exe + known.exe_at);
			info.exe = exe;
		}
		snprintf(name, sizeof(name), "%.*s", SPG_BPF_COMM, known.comm);
		spg_proc_complete_name(name, info.exe, NULL);
		info.name = name;
		spg_proc_started(
			known.start_boottime, &info.id.start, &info.started_ns);
	} else if (pidfd >= 0 && ioctl(pidfd, GET_INFO, &pidfd_info) == 0 &&
		   (pidfd_info.mask & 1)) {
		info.uid = pidfd_info.euid;
		info.ppid = (int32_t)pidfd_info.ppid;
	}
	if (info.uid != SPG_UID_UNKNOWN) {
		spg_users_name(
			processes->reader.users, info.uid, false, user, sizeof(user));
		info.user = user;
	}
	return spg_process_create(&info);
}

/* True when the table knows more of @process, which is ending, than /proc did. */
static bool is_recalled_better(
	const struct spg_processes *processes, const struct spg_process *process)
{
	struct spg_bpf_process known;

	return (!process->exe || process->uid == SPG_UID_UNKNOWN) &&
	       recall(processes, process->id.pid, process->key, &known) &&
	       known.exe_whole;
}

/* True when @pid is not the process with @key any more. */
static bool has_changed_hands(
	const struct spg_processes *processes, int32_t pid, uint64_t key)
{
	struct spg_bpf_process known;

	return key != 0 && processes->trace &&
	       spg_trace_process(processes->trace, pid, &known) && known.key != 0 &&
	       known.key != key;
}

static struct spg_process *read_process(
	const struct spg_processes *processes, int32_t pid, int pidfd, uint64_t key)
{
	struct spg_process *process = NULL;
	int proc_fd = spg_proc_open(pid);

	if (proc_fd >= 0) {
		int r = spg_proc_read(&processes->reader, proc_fd, pid, key, &process);

		close(proc_fd);
		if (r == SPG_ERR_NOMEM)
			return NULL;
		/* The pid may be somebody else's by now: the pidfd still answers
		 * only while its own process is there (pidfd_send_signal(2)). */
		if (r == 0 &&
			(pidfd < 0 ? !has_changed_hands(processes, pid, key)
				   : syscall(SYS_pidfd_send_signal, pidfd, 0, NULL,
					     0) == 0) &&
			!is_recalled_better(processes, process))
			return process;
		spg_process_unref(process);
	}
	return create_remains(processes, pid, pidfd, key);
}

/* @key: of the process, 0 unknown; @ended: no pidfd came, for it has ended. */
static struct spg_process *resolve(struct spg_processes *processes, int32_t pid,
	int pidfd, uint64_t key, bool executed, bool ended)
{
	struct slot *slot = &processes->slots[(uint32_t)pid % SLOTS];
	int64_t now = spg_clock_mono_ns();
	struct spg_process *fresh;
	bool known = slot->process && slot->process->id.pid == pid;
	struct spg_bpf_process recalled;

	/* Under this number it was seen last, unless the number went round once
	 * since: the table would tell. */
	if (known && ended &&
		(!processes->trace ||
			recall(processes, pid, slot->process->key, &recalled)))
		return spg_process_ref(slot->process);
	known = known && slot->process->key == key;
	/* Without a key the pid may have changed hands: be quick. */
	if (known && !executed && key != 0 && now - slot->read_ns < FRESH_NS)
		return spg_process_ref(slot->process);
	fresh = read_process(processes, pid, pidfd, key);
	if (!fresh)
		return NULL;
	/* Better what was known while it lived than nothing. */
	if (known && !fresh->name && key != 0) {
		spg_process_unref(fresh);
		return spg_process_ref(slot->process);
	}
	spg_process_unref(slot->process);
	slot->process = fresh;
	slot->read_ns = now;
	return spg_process_ref(fresh);
}

struct spg_process *spg_processes_resolve(
	struct spg_processes *processes, int32_t pid, int pidfd, bool executed)
{
	if (pid <= 0)
		return NULL;
	return resolve(
		processes, pid, pidfd, key_of(processes, pidfd), executed, pidfd < 0);
}

struct spg_process *spg_processes_by_key(
	struct spg_processes *processes, int32_t pid, uint64_t key)
{
	return pid > 0 ? resolve(processes, pid, -1, key, false, false) : NULL;
}

static void finish_stop(struct spg_processes *processes)
{
	void (*on_closed)(void *user) = processes->on_closed;
	void *user = processes->user;

	for (size_t i = 0; i < SLOTS; i++)
		spg_process_unref(processes->slots[i].process);
	free(processes);
	on_closed(user);
}

static void on_exit_closed(uv_handle_t *handle)
{
	struct exit_watch *watch = handle->data;
	struct spg_processes *processes = watch->processes;
	struct exit_watch **at = &processes->exits;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	processes->n_exits--;
	close(watch->pidfd);
	free(watch);
	if (processes->stopping && !processes->exits)
		finish_stop(processes);
}

static struct spg_process_end end_of(int wait_status)
{
	int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	int status = signal ? 0 : WEXITSTATUS(wait_status);
	/* As a shell, and Java, has it. */
	int told = status > 128 ? status - 128 : signal;

	return (struct spg_process_end){.status = status,
		.signal = signal,
		.asked = told == SIGTERM || told == SIGHUP || told == SIGINT};
}

/* Until its parent has asked, /proc tells how it ended; then the pidfd does. */
static bool find_end(const struct exit_watch *watch, struct spg_process_end *ret)
{
	struct pidfd_info info = {.mask = INFO_EXIT};
	int proc_fd = spg_proc_open(watch->id.pid), status;
	uint64_t start = 0;
	bool found = false;

	if (proc_fd >= 0) {
		found = spg_proc_wait_status(proc_fd, &start, &status) == 0 &&
		        start == watch->id.start;
		close(proc_fd);
	}
	if (!found && ioctl(watch->pidfd, GET_INFO, &info) == 0 &&
		(info.mask & INFO_EXIT)) {
		status = info.exit_code;
		found = true;
	}
	if (found)
		*ret = end_of(status);
	return found;
}

static void remember_end(struct exit_watch *watch)
{
	struct spg_processes *processes = watch->processes;
	struct end end = {.id = watch->id};

	if (find_end(watch, &end.how))
		processes->ends[processes->n_ends++ % ENDS_MAX] = end;
}

bool spg_processes_ended(const struct spg_processes *processes,
	const struct spg_process *process, struct spg_process_end *ret)
{
	struct spg_bpf_process known;
	uint64_t start;
	int64_t started_ns;

	for (size_t i = 0; i < ENDS_MAX && i < processes->n_ends; i++) {
		if (!spg_proc_id_equal(processes->ends[i].id, process->id))
			continue;
		*ret = processes->ends[i].how;
		return true;
	}
	if (!recall(processes, process->id.pid, process->key, &known) || !known.ended)
		return false;
	spg_proc_started(known.start_boottime, &start, &started_ns);
	if (start != process->id.start)
		return false;
	*ret = end_of((int)known.wait_status);
	return true;
}

static void on_pidfd_readable(uv_poll_t *poll, int status, int events)
{
	struct exit_watch *watch = poll->data;

	(void)status;
	(void)events;
	watch->closing = true;
	remember_end(watch);
	uv_close((uv_handle_t *)poll, on_exit_closed);
	watch->on_exit(watch->user, watch->id);
}

static bool is_watched(const struct spg_processes *processes, struct spg_proc_id id)
{
	for (const struct exit_watch *w = processes->exits; w; w = w->next)
		if (!w->closing && spg_proc_id_equal(w->id, id))
			return true;
	return false;
}

/* A pidfd of exactly this process: the pid may have changed hands. */
static int open_pidfd(struct spg_proc_id id)
{
	int pidfd = (int)syscall(SYS_pidfd_open, id.pid, 0);
	int proc_fd = pidfd >= 0 ? spg_proc_open(id.pid) : -1;
	uint64_t start = 0;

	if (proc_fd >= 0) {
		(void)spg_proc_stat(proc_fd, &start, NULL, NULL, NULL);
		close(proc_fd);
	}
	if (pidfd >= 0 && start == id.start)
		return pidfd;
	if (pidfd < 0)
		return errno == ESRCH ? SPG_ERR_NOT_FOUND : spg_err_from_errno(errno);
	close(pidfd);
	/* Somebody else's pid by now, or nobody's; or it could not be read. */
	return proc_fd >= 0 || proc_fd == SPG_ERR_NOT_FOUND ? SPG_ERR_NOT_FOUND
	                                                    : proc_fd;
}

int spg_processes_watch_exit(struct spg_processes *processes,
	struct spg_process *process, void (*on_exit)(void *user, struct spg_proc_id id),
	void *user)
{
	struct exit_watch *watch;
	int r;

	if (processes->stopping || is_watched(processes, process->id))
		return 0;
	if (processes->n_exits >= processes->exits_max)
		return SPG_ERR_LIMIT;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return SPG_ERR_NOMEM;
	watch->pidfd = open_pidfd(process->id);
	if (watch->pidfd < 0) {
		r = watch->pidfd == SPG_ERR_NOT_FOUND ? SPG_WATCH_GONE : watch->pidfd;
		free(watch);
		return r;
	}
	watch->processes = processes;
	watch->id = process->id;
	watch->on_exit = on_exit;
	watch->user = user;
	watch->poll.data = watch;
	r = uv_poll_init(processes->loop, &watch->poll, watch->pidfd);
	if (r < 0) {
		close(watch->pidfd);
		free(watch);
		return SPG_ERR_IO;
	}
	watch->next = processes->exits;
	processes->exits = watch;
	processes->n_exits++;
	uv_poll_start(&watch->poll, UV_READABLE, on_pidfd_readable);
	return 0;
}

void spg_processes_stop(
	struct spg_processes *processes, void (*on_closed)(void *user), void *user)
{
	processes->stopping = true;
	processes->on_closed = on_closed;
	processes->user = user;
	for (struct exit_watch *w = processes->exits; w; w = w->next) {
		if (w->closing)
			continue;
		w->closing = true;
		uv_close((uv_handle_t *)&w->poll, on_exit_closed);
	}
	if (!processes->exits)
		finish_stop(processes);
}
