/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/find_users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/proc/memory.h"
#include "daemon/watch/linux/survey/deleted_files.h"

/* Processes whose memory map is waited for to the end; the others have not so long. */
#define STUCK_PATIENTLY 2

/* The process that is being looked into. */
struct subject {
	struct spg_user_search *a;
	int32_t pid;
	int proc_fd;
	struct spg_process *process; /* read when the first use is found */
	bool gone;
	bool opaque;
};

void spg_user_search_finish(struct spg_user_search *a)
{
	free(a->spots);
	a->spots = NULL;
	a->n_spots = a->size_spots = 0;
}

bool spg_user_search_failed(struct spg_user_search *a, int errnum)
{
	if (errnum == EACCES || errnum == EPERM)
		return true;
	if (errnum != ENOENT && errnum != ESRCH) {
		a->n_failed++;
		a->failed_errnum = errnum;
	}
	return false;
}

/* Something of the subject could not be read. */
static void note_failure(struct subject *s, int errnum)
{
	if (spg_user_search_failed(s->a, errnum))
		s->opaque = true;
}

/* The use of file @file by the subject, new or found before; SPG_NO_FILE when
 * the process has gone or memory is short (*ret_err). */
static size_t use_of(struct subject *s, size_t file, unsigned how, int *ret_err)
{
	struct spg_observation *obs = s->a->obs;

	if (!s->process) {
		int r = spg_proc_read(s->a->reader, s->proc_fd, s->pid, 0, &s->process);

		if (r == SPG_ERR_NOMEM)
			*ret_err = r;
		if (r < 0) {
			s->gone = true;
			return SPG_NO_FILE;
		}
	}
	/* Uses of one process are the last ones appended. */
	for (size_t i = obs->n_uses; i-- > 0 && obs->uses[i].process == s->process;) {
		if (obs->uses[i].file == file) {
			obs->uses[i].how |= how;
			return i;
		}
	}
	*ret_err = spg_observation_add_use(obs, file, s->process, how);
	return *ret_err == 0 ? obs->n_uses - 1 : SPG_NO_FILE;
}

/* Note a use of every file that is this inode. */
static int note_uses(struct subject *s, enum spg_key_space space, uint64_t dev,
	uint64_t ino, unsigned how, int32_t tid, int32_t fd)
{
	size_t cursor = 0, file;
	int r = 0;

	while (!s->gone && r == 0 &&
		(file = spg_targets_find(s->a->targets, space, dev, ino, &cursor)) !=
			SPG_NO_FILE) {
		size_t use = use_of(s, file, how, &r);

		if (use == SPG_NO_FILE || fd < 0)
			continue;
		r = spg_array_reserve(&s->a->spots, s->a->n_spots, &s->a->size_spots,
			sizeof(*s->a->spots));
		if (r == 0)
			s->a->spots[s->a->n_spots++] = (struct spg_spot){.file = file,
				.use = use,
				.pid = s->pid,
				.tid = tid,
				.fd = fd};
	}
	return r;
}

/* How descriptor @name in @fd_dir is open; 0 for O_PATH, which holds nothing.
 * The link's own mode shows it (fs/proc/fd.c, tid_fd_revalidate). */
static unsigned how_open(int fd_dir, const char *name)
{
	struct stat st;
	unsigned how = 0;

	if (fstatat(fd_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (st.st_mode & S_IRUSR)
		how |= SPG_USE_OPEN;
	if (st.st_mode & S_IWUSR)
		how |= SPG_USE_WRITE;
	return how;
}

static int look_at_fd(struct subject *s, int fd_dir, const char *name, int32_t tid)
{
	struct statx stx;
	unsigned how;
	int r = 0;

	/* The file behind it may be on a dead share: take what is cached. */
	if (statx(fd_dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		    STATX_TYPE | STATX_INO, &stx) < 0) {
		note_failure(s, errno);
		return 0;
	}
	if (!S_ISREG(stx.stx_mode))
		return 0;
	if (s->a->find_deleted)
		r = spg_deleted_by_fd(s->a, s->proc_fd, fd_dir, name);
	if (r < 0)
		return r;
	if (spg_targets_find(s->a->targets, SPG_KEY_STAT,
		    makedev(stx.stx_dev_major, stx.stx_dev_minor), stx.stx_ino,
		    &(size_t){0}) == SPG_NO_FILE)
		return 0;
	how = how_open(fd_dir, name);
	if (how == 0)
		return 0;
	return note_uses(s, SPG_KEY_STAT, makedev(stx.stx_dev_major, stx.stx_dev_minor),
		stx.stx_ino, how, tid, atoi(name));
}

static DIR *open_dir_at(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

static int look_at_fds(struct subject *s, int32_t tid)
{
	char name[48];
	const struct dirent *entry;
	DIR *dir;
	int r = 0;

	snprintf(name, sizeof(name), "task/%" PRId32 "/fd", tid);
	dir = open_dir_at(s->proc_fd, name);
	if (!dir) {
		note_failure(s, errno);
		return 0;
	}
	while (r == 0 && !s->gone && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = look_at_fd(s, dirfd(dir), entry->d_name, tid);
	closedir(dir);
	return r;
}

/*
 * A mapping whose superblock and inode number fit. On btrfs and overlayfs other
 * files may have the same pair, so ask stat(2) through the mapping itself; where
 * that is not possible, better one holder too many.
 */
static int note_mapping(struct subject *s, const struct spg_mapping *mapping)
{
	int fd = spg_memory_open_mapped(s->proc_fd, mapping->start, mapping->end);
	struct statx stx;
	bool known;

	known = fd >= 0 &&
	        statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stx) == 0;
	if (fd >= 0)
		close(fd);
	if (known)
		return note_uses(s, SPG_KEY_STAT,
			makedev(stx.stx_dev_major, stx.stx_dev_minor), stx.stx_ino,
			SPG_USE_MAPPED, 0, -1);
	return note_uses(
		s, SPG_KEY_SB, mapping->dev, mapping->ino, SPG_USE_MAPPED, 0, -1);
}

static int look_at_mapping(struct subject *s, const struct spg_mapping *mapping)
{
	int r = 0;

	if (s->a->find_deleted && mapping->name)
		r = spg_deleted_by_mapping(s->a, s->proc_fd, mapping);
	if (r == 0 && spg_targets_find(s->a->targets, SPG_KEY_SB, mapping->dev,
			      mapping->ino, &(size_t){0}) != SPG_NO_FILE)
		r = note_mapping(s, mapping);
	return r;
}

static int look_at_maps(struct subject *s, int32_t tid)
{
	struct spg_memory_maps maps = {0};
	unsigned patience_ms = s->a->n_stuck < STUCK_PATIENTLY ? SPG_MEMORY_PATIENCE_MS
	                                                       : SPG_MEMORY_HURRY_MS;
	int r = spg_memory_read_maps(
		s->proc_fd, tid, s->a->find_deleted != NULL, patience_ms, &maps);

	if (r == SPG_ERR_NOMEM)
		return r;
	if (r == SPG_ERR_TIMEOUT)
		spg_user_search_stuck(s->a, s->proc_fd, s->pid);
	else if (r < 0)
		note_failure(s, errno);
	r = 0;
	for (size_t i = 0; r == 0 && !s->gone && i < maps.n; i++)
		r = look_at_mapping(s, &maps.maps[i]);
	spg_memory_maps_finish(&maps);
	return r;
}

/* By thread: a leader that has exited shows none. */
static int look_at_exe(struct subject *s, int32_t tid)
{
	char name[48];
	struct statx stx;

	snprintf(name, sizeof(name), "task/%" PRId32 "/exe", tid);
	if (statx(s->proc_fd, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		    STATX_TYPE | STATX_INO, &stx) < 0) {
		note_failure(s, errno);
		return 0;
	}
	return note_uses(s, SPG_KEY_STAT, makedev(stx.stx_dev_major, stx.stx_dev_minor),
		stx.stx_ino, SPG_USE_EXECUTING, 0, -1);
}

/* True when both threads share what @type names; then one look is enough. */
static bool shares(int32_t a, int32_t b, int type)
{
	return syscall(SYS_kcmp, a, b, type, 0, 0) == 0;
}

/* Look at every thread that shows something the ones before did not. */
static int look_at_threads(struct subject *s)
{
	const struct dirent *entry;
	int32_t files_seen = 0, memory_seen = 0;
	DIR *dir = open_dir_at(s->proc_fd, "task");
	int r = 0;

	if (!dir) {
		note_failure(s, errno);
		return 0;
	}
	while (r == 0 && !s->gone && (entry = readdir(dir))) {
		int32_t tid = atoi(entry->d_name);

		if (tid <= 0)
			continue;
		/* What this process has open is for its own looking. */
		if (s->pid != getpid() &&
			(!files_seen || !shares(files_seen, tid, KCMP_FILES))) {
			r = look_at_fds(s, tid);
			files_seen = tid;
		}
		if (r == 0 && (!memory_seen || !shares(memory_seen, tid, KCMP_VM))) {
			r = look_at_exe(s, tid);
			if (r == 0)
				r = look_at_maps(s, tid);
			memory_seen = tid;
		}
	}
	closedir(dir);
	return r;
}

/* Append "pid N (name)" to a list, of which @n are there, unless it has enough. */
static void name_process(char *list, size_t size, size_t n, int proc_fd, int32_t pid)
{
	char name[SPG_PROC_NAME] = "?";
	size_t used = strlen(list);

	if (n >= 3)
		return;
	(void)spg_proc_stat(proc_fd, NULL, NULL, NULL, name);
	snprintf(list + used, size - used, "%spid %" PRId32 " (%s)", used ? ", " : "",
		pid, name);
}

void spg_user_search_stuck(struct spg_user_search *a, int proc_fd, int32_t pid)
{
	name_process(a->stuck, sizeof(a->stuck), a->n_stuck++, proc_fd, pid);
}

static int look_into(struct spg_user_search *a, int32_t pid)
{
	struct subject s = {.a = a, .pid = pid};
	int r;

	s.proc_fd = spg_proc_open(pid);
	if (s.proc_fd < 0) {
		/* With hidepid= a process may exist and not be ours to see. */
		if (spg_user_search_failed(a, errno))
			a->n_opaque++;
		return 0;
	}
	r = look_at_threads(&s);
	if (r == 0 && s.opaque && !s.gone)
		name_process(
			a->opaque, sizeof(a->opaque), a->n_opaque++, s.proc_fd, pid);
	spg_process_unref(s.process);
	close(s.proc_fd);
	return r;
}

int spg_find_users(struct spg_user_search *a)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r = 0;

	if (!proc)
		return SPG_ERR_IO;
	while (r == 0 && (entry = readdir(proc))) {
		int32_t pid = atoi(entry->d_name);

		if (pid <= 0 || spg_own_pids_has(a->own_pids, pid))
			continue;
		r = look_into(a, pid);
		if (a->cancel && atomic_load_explicit(a->cancel, memory_order_relaxed))
			r = SPG_ERR_TIMEOUT;
	}
	closedir(proc);
	return r;
}

int spg_find_users_among(
	struct spg_user_search *a, struct spg_process *const *processes, size_t n)
{
	int32_t last = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (processes[i]->id.pid == last)
			continue;
		last = processes[i]->id.pid;
		r = look_into(a, last);
	}
	return r;
}
