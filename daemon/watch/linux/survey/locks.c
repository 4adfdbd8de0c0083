/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/locks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"

bool spg_lock_line_parse(const char *line, struct spg_lock_line *ret)
{
	static const struct {
		const char *name;
		enum spg_lock_kind kind;
	} kinds[] = {
		{"FLOCK", SPG_LOCK_FLOCK},
		{"POSIX", SPG_LOCK_POSIX},
		{"ACCESS", SPG_LOCK_POSIX},
		{"OFDLCK", SPG_LOCK_OFD},
		{"LEASE", SPG_LOCK_LEASE},
		{"DELEG", SPG_LOCK_LEASE},
	};
	char kind[16], mode[16], start[24], end[24];
	unsigned major, minor;
	int at = 0, found = -1;

	*ret = (struct spg_lock_line){0};
	if (sscanf(line, " %*u: %n", &at) != 0 || at == 0)
		return false;
	line += at;
	if (strncmp(line, "->", 2) == 0) {
		ret->waiting = true;
		line += 2;
	}
	/* The second word is ADVISORY, or a lease's state. */
	if (sscanf(line, "%15s %*s %15s %" SCNd32 " %x:%x:%" SCNu64 " %23s %23s", kind,
		    mode, &ret->pid, &major, &minor, &ret->ino, start, end) != 8)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			found = (int)i;
	if (found < 0)
		return false;
	ret->kind = kinds[found].kind;
	ret->mode = strcmp(mode, "WRITE") == 0 ? SPG_LOCK_WRITE : SPG_LOCK_READ;
	ret->dev = makedev(major, minor);
	ret->start = strtoll(start, NULL, 10);
	ret->end = strcmp(end, "EOF") == 0 ? SPG_LOCK_EOF : strtoll(end, NULL, 10);
	return true;
}

/* A lock of the file in the observation, by whoever is known to hold it. */
static int add_lock(struct spg_user_search *a, const struct spg_lock_line *line,
	size_t file, struct spg_process *process)
{
	struct spg_seen_lock lock = {.file = file,
		.kind = line->kind,
		.mode = line->mode,
		.state = line->waiting ? SPG_LOCK_WAITING : SPG_LOCK_HELD,
		.start = line->start,
		.end = line->end,
		.process = process};

	return spg_observation_add_lock(a->obs, &lock);
}

static int order_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By what is locked, whoever does it. Somebody may hold very many locks. */
static int order_what(const void *va, const void *vb)
{
	const struct spg_seen_lock *a = va, *b = vb;
	int order = order_number(a->file, b->file);

	if (order == 0)
		order = (int)a->kind - (int)b->kind;
	if (order == 0)
		order = (int)a->mode - (int)b->mode;
	if (order == 0)
		order = (int)a->state - (int)b->state;
	if (order == 0)
		order = order_number((uint64_t)a->start, (uint64_t)b->start);
	return order ? order : order_number((uint64_t)a->end, (uint64_t)b->end);
}

static int order_locks(const void *va, const void *vb)
{
	const struct spg_seen_lock *a = va, *b = vb;
	int order = order_what(a, b);

	if (order == 0)
		order = order_number((uintptr_t)a->process, (uintptr_t)b->process);
	return order ? order : order_number(a->owner, b->owner);
}

void spg_locks_sort(struct spg_observation *obs)
{
	size_t n = 0;

	if (obs->n_locks == 0)
		return;
	qsort(obs->locks, obs->n_locks, sizeof(*obs->locks), order_locks);
	for (size_t i = 0; i < obs->n_locks; i++) {
		if (n > 0 && order_locks(&obs->locks[n - 1], &obs->locks[i]) == 0)
			spg_process_unref(obs->locks[i].process);
		else
			obs->locks[n++] = obs->locks[i];
	}
	obs->n_locks = n;
}

static bool is_cancelled(const struct spg_user_search *a)
{
	return a->cancel && atomic_load_explicit(a->cancel, memory_order_relaxed);
}

/* Read a whole file of procfs, in pieces of at most what the kernel gives. */
static int read_all(const char *path, struct spg_buf *buf)
{
	char chunk[16384];
	ssize_t n;
	int err = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return spg_err_from_errno(errno);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = SPG_ERR_IO;
			break;
		}
		spg_buf_add(buf, chunk, (size_t)n);
	}
	close(fd);
	return buf->failed ? SPG_ERR_NOMEM : err;
}

/* Nobody has the file open, so nobody has a lock on it: what is listed by its number
 * is its twin's in another subvolume of btrfs. */
static bool has_no_locks(const struct spg_observation *obs, size_t file)
{
	return obs->files[file].in_use == SPG_IN_USE_NO ||
	       obs->files[file].presence == SPG_GONE;
}

/* The locks that one descriptor shows. */
static int read_spot(struct spg_user_search *a, const struct spg_spot *spot)
{
	struct spg_seen_use *use = &a->obs->uses[spot->use];
	struct spg_buf buf = SPG_BUF_NULL;
	char path[80], *save = NULL;
	int r;

	if (has_no_locks(a->obs, spot->file))
		return 0;
	snprintf(path, sizeof(path),
		"/proc/%" PRId32 "/task/%" PRId32 "/fdinfo/%" PRId32, spot->pid,
		spot->tid, spot->fd);
	r = read_all(path, &buf);
	/* Gone meanwhile, or not ours to see: the list below has its locks. */
	if (r < 0 && r != SPG_ERR_NOMEM)
		r = 0;
	for (char *line = buf.len > 0 ? strtok_r(buf.data, "\n", &save) : NULL;
		r == 0 && line; line = strtok_r(NULL, "\n", &save)) {
		struct spg_lock_line lock;

		if (strncmp(line, "lock:", 5) != 0 ||
			!spg_lock_line_parse(line + 5, &lock))
			continue;
		use->how |= SPG_USE_LOCKED;
		r = add_lock(a, &lock, spot->file, use->process);
		if (r == 0 && is_cancelled(a))
			r = SPG_ERR_TIMEOUT;
	}
	spg_buf_finish(&buf);
	return r;
}

/* True when one of the first @n locks, which are sorted and have owners, is the
 * one that @line lists. */
static bool is_attributed(const struct spg_observation *obs, size_t n, size_t file,
	const struct spg_lock_line *line)
{
	const struct spg_seen_lock key = {.file = file,
		.kind = line->kind,
		.mode = line->mode,
		.state = SPG_LOCK_HELD,
		.start = line->start,
		.end = line->end};

	return n > 0 && bsearch(&key, obs->locks, n, sizeof(key), order_what);
}

/*
 * Who waits for an OFD lock: the list says -1, but a thread that waits sits in
 * fcntl(fd, F_OFD_SETLKW), and /proc/PID/task/TID/syscall shows that
 * (proc_pid_syscall(5)).
 */
static bool waits_in_fcntl(const char *syscall_text, int32_t fd)
{
	uint64_t argument, command;
	long number;

	return sscanf(syscall_text, "%ld 0x%" SCNx64 " 0x%" SCNx64, &number, &argument,
		       &command) == 3 &&
	       number == SYS_fcntl && (int32_t)argument == fd &&
	       command == F_OFD_SETLKW;
}

/* True when descriptor @fd of thread @tid leads to @name. Its number may be another
 * file's in the table of another thread. */
static bool has_name(DIR *tasks, const char *tid, int32_t fd, const char *name)
{
	char path[80], found[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/fd/%" PRId32, tid, fd);
	n = readlinkat(dirfd(tasks), path, found, sizeof(found) - 1);
	if (n < 0)
		return false;
	found[n] = '\0';
	return strcmp(found, name) == 0;
}

/* Any thread that shares the descriptor may be the one that waits. */
static bool has_waiting_thread(const struct spg_spot *spot)
{
	char path[80], text[256], name[PATH_MAX];
	const struct dirent *entry;
	bool waits = false;
	DIR *tasks;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/task/%" PRId32 "/fd/%" PRId32,
		spot->pid, spot->tid, spot->fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = '\0';

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/task", spot->pid);
	tasks = opendir(path);
	while (tasks && !waits && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "%.20s/syscall", entry->d_name);
		waits = entry->d_name[0] != '.' &&
		        spg_proc_slurp(dirfd(tasks), path, text, sizeof(text)) > 0 &&
		        waits_in_fcntl(text, spot->fd) &&
		        has_name(tasks, entry->d_name, spot->fd, name);
	}
	if (tasks)
		closedir(tasks);
	return waits;
}

static size_t find_ofd_waiter(const struct spg_user_search *a, size_t file)
{
	for (size_t i = 0; i < a->n_spots; i++)
		if (a->spots[i].file == file && has_waiting_thread(&a->spots[i]))
			return a->spots[i].use;
	return SPG_NO_FILE;
}

size_t spg_locks_find_use(const struct spg_observation *obs, size_t file, int32_t pid)
{
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].file == file && obs->uses[i].how &&
			obs->uses[i].process->id.pid == pid)
			return i;
	return SPG_NO_FILE;
}

/* A line of /proc/locks about @file that no descriptor explained. */
static int add_listed(struct spg_user_search *a, size_t n_attributed,
	const struct spg_lock_line *line, size_t file)
{
	struct spg_observation *obs = a->obs;
	size_t use = SPG_NO_FILE;

	if (has_no_locks(obs, file))
		return 0;
	if (!line->waiting && is_attributed(obs, n_attributed, file, line))
		return 0;
	if (line->pid > 0)
		use = spg_locks_find_use(obs, file, line->pid);
	else if (line->waiting && line->kind == SPG_LOCK_OFD)
		use = find_ofd_waiter(a, file);
	if (use == SPG_NO_FILE)
		return add_lock(a, line, file, NULL);
	obs->uses[use].how |= line->waiting ? SPG_USE_WAITING : SPG_USE_LOCKED;
	return add_lock(a, line, file, obs->uses[use].process);
}

static int read_listed(struct spg_user_search *a)
{
	size_t n_attributed = a->obs->n_locks;
	struct spg_buf buf = SPG_BUF_NULL;
	char *save = NULL;
	int r = read_all("/proc/locks", &buf);

	for (char *text = r == 0 && buf.len > 0 ? strtok_r(buf.data, "\n", &save)
	                                        : NULL;
		r == 0 && text; text = strtok_r(NULL, "\n", &save)) {
		struct spg_lock_line line;
		size_t cursor = 0, file;

		if (!spg_lock_line_parse(text, &line))
			continue;
		while (r == 0 && (file = spg_targets_find(a->targets, SPG_KEY_SB,
					  line.dev, line.ino, &cursor)) != SPG_NO_FILE)
			r = add_listed(a, n_attributed, &line, file);
		if (r == 0 && is_cancelled(a))
			r = SPG_ERR_TIMEOUT;
	}
	spg_buf_finish(&buf);
	return r;
}

int spg_locks_read(struct spg_user_search *a)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_spots; i++)
		r = read_spot(a, &a->spots[i]);
	if (r < 0)
		return r;
	spg_locks_sort(a->obs);
	r = read_listed(a);
	spg_locks_sort(a->obs);
	return r;
}
