/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/mount_namespaces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"

/* Walks along a path, until it is taken for one that is not in memory. */
#define WALKS_MAX 50

void spg_spaces_finish(struct spg_spaces *spaces)
{
	free(spaces->list);
	*spaces = (struct spg_spaces)SPG_SPACES_NULL;
}

struct spg_space *spg_spaces_get(const struct spg_spaces *spaces, uint32_t number)
{
	for (size_t i = 0; i < spaces->n; i++)
		if (spaces->list[i].number == number)
			return &spaces->list[i];
	return NULL;
}

static int add_space(struct spg_spaces *spaces, int dir_fd, const char *name, bool here)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%.32s/ns/mnt", name);
	if (fstatat(dir_fd, path, &st, 0) < 0)
		return 0; /* it has gone, or is not ours to see */
	if (spg_spaces_get(spaces, (uint32_t)st.st_ino))
		return 0;
	if (spg_array_reserve(
		    &spaces->list, spaces->n, &spaces->size, sizeof(*spaces->list)) < 0)
		return SPG_ERR_NOMEM;
	spaces->list[spaces->n++] = (struct spg_space){.number = (uint32_t)st.st_ino,
		.pid = here ? (int32_t)getpid() : atoi(name),
		.here = here};
	return 0;
}

int spg_spaces_find(struct spg_spaces *spaces)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r;

	if (!proc)
		return SPG_ERR_IO;
	r = add_space(spaces, dirfd(proc), "self", true);
	while (r == 0 && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			r = add_space(spaces, dirfd(proc), entry->d_name, false);
	closedir(proc);
	return r;
}

/* The process has gone; another one may live there. */
static bool find_successor(struct spg_space *space)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool found = false;

	while (proc && !found && (entry = readdir(proc))) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), "%.32s/ns/mnt", entry->d_name);
		found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		        fstatat(dirfd(proc), path, &st, 0) == 0 &&
		        (uint32_t)st.st_ino == space->number &&
		        atoi(entry->d_name) != space->pid;
		if (found)
			space->pid = atoi(entry->d_name);
	}
	if (proc)
		closedir(proc);
	return found;
}

static int read_all(int fd, struct spg_buf *buf)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		spg_buf_add(buf, chunk, (size_t)n);
	}
	return buf->failed ? SPG_ERR_NOMEM : 0;
}

static int read_table(struct spg_space *space, struct spg_buf *buf)
{
	int r = 0;

	do {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%" PRId32 "/mountinfo", space->pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			r = read_all(fd, buf);
			close(fd);
		}
	} while (r == 0 && buf->len == 0 && find_successor(space));
	return r;
}

int spg_space_read(struct spg_space *space,
	int (*each)(void *user, const struct spg_mount *mount), void *user)
{
	struct spg_buf buf = SPG_BUF_NULL;
	char *save = NULL;
	int r = read_table(space, &buf);

	for (char *line = r == 0 && buf.len > 0 ? strtok_r(buf.data, "\n", &save)
	                                        : NULL;
		line && r == 0; line = strtok_r(NULL, "\n", &save)) {
		struct spg_mount mount;

		r = spg_mount_parse(line, &mount);
		if (r == SPG_ERR_INVALID)
			r = 0;
		else if (r == 0) {
			r = each(user, &mount);
			spg_mount_finish(&mount);
		}
	}
	spg_buf_finish(&buf);
	return r;
}

int spg_space_root(const struct spg_space *space)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/root", space->pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool look_at(int fd, struct stat *ret, int *ret_mount)
{
	struct statx stx;

	if (fstat(fd, ret) < 0)
		return false;
	if (!ret_mount)
		return true;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0 ||
		!(stx.stx_mask & STATX_MNT_ID))
		return false;
	*ret_mount = (int)stx.stx_mnt_id;
	return true;
}

bool spg_space_stat(int root_fd, const char *path, struct stat *ret, int *ret_mount)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_CACHED | RESOLVE_IN_ROOT};
	int fd = -1;
	bool found;

	/* A mount or a rename anywhere interrupts a walk that must not wait. */
	for (int i = 0; i < WALKS_MAX && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}

	if (fd < 0)
		return false;
	found = look_at(fd, ret, ret_mount);
	close(fd);
	return found;
}
