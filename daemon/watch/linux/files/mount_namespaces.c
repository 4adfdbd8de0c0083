/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/mount_namespaces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "daemon/watch/linux/files/resolve.h"

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

/* A process has gone while its namespace was read: how often to begin anew. Whoever is
 * replaced faster is not waited for. */
#define READS_MAX 4

/* Does that process, or the link of it, exist no more? */
static bool has_gone(int errnum)
{
	return errnum == ENOENT || errnum == ESRCH || errnum == EINVAL;
}

/* The root directory of process @name in @dir_fd. That may be on a dead share: take what
 * is cached. False: it has gone. */
static bool look_at_process(int dir_fd, const char *name, struct spg_space_root *ret)
{
	struct statx stx;
	char path[64], target[2];

	snprintf(path, sizeof(path), "%.32s/root", name);
	*ret = (struct spg_space_root){0};
	if (statx(dir_fd, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		    STATX_INO | STATX_MNT_ID, &stx) < 0)
		return !has_gone(errno);
	ret->dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	ret->ino = stx.stx_ino;
	ret->mount = stx.stx_mnt_id;
	/* The text is relative to nothing but the namespace's root (d_path() in
	 * fs/d_path.c). */
	ret->is_whole = readlinkat(dir_fd, path, target, sizeof(target)) == 1 &&
	                target[0] == '/';
	return true;
}

static bool is_same_root(const struct spg_space_root *a, const struct spg_space_root *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mount == b->mount;
}

/* Those that are whole come first. There may be no room: then some is missing only of a
 * namespace that does not show as a whole anyway, or has so many roots on top of each
 * other. */
static void note_root(struct spg_space *space, const struct spg_space_root *root)
{
	size_t at = space->n_roots;

	for (size_t i = 0; i < space->n_roots; i++)
		if (is_same_root(&space->roots[i], root))
			return;
	if (at == SPG_SPACE_ROOTS && (!root->is_whole || space->roots[at - 1].is_whole))
		return;
	if (at == SPG_SPACE_ROOTS)
		at--;
	else
		space->n_roots++;
	for (; root->is_whole && at > 0 && !space->roots[at - 1].is_whole; at--)
		space->roots[at] = space->roots[at - 1];
	space->roots[at] = *root;
	space->pid = space->roots[0].pid;
}

static int add_process(
	struct spg_spaces *spaces, int dir_fd, const char *name, bool here)
{
	struct spg_space_root root;
	struct spg_space *space;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%.32s/ns/mnt", name);
	if (fstatat(dir_fd, path, &st, 0) < 0 || !look_at_process(dir_fd, name, &root))
		return 0; /* it has gone, or is not ours to see */
	root.pid = here ? (int32_t)getpid() : atoi(name);
	space = spg_spaces_get(spaces, (uint32_t)st.st_ino);
	if (!space) {
		if (spg_array_reserve(&spaces->list, spaces->n, &spaces->size,
			    sizeof(*spaces->list)) < 0)
			return SPG_ERR_NOMEM;
		space = &spaces->list[spaces->n++];
		*space = (struct spg_space){
			.number = (uint32_t)st.st_ino, .here = here, .root_fd = -1};
	}
	note_root(space, &root);
	return 0;
}

int spg_spaces_find(struct spg_spaces *spaces)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r;

	if (!proc)
		return SPG_ERR_IO;
	r = add_process(spaces, dirfd(proc), "self", true);
	while (r == 0 && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			r = add_process(spaces, dirfd(proc), entry->d_name, false);
	closedir(proc);
	return r;
}

/* Some process has gone; others may live there. */
static void find_again(struct spg_space *space)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	space->n_roots = 0;
	while (proc && (entry = readdir(proc))) {
		struct spg_space_root root;
		char path[64];
		struct stat st;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%.32s/ns/mnt", entry->d_name);
		if (fstatat(dirfd(proc), path, &st, 0) < 0 ||
			(uint32_t)st.st_ino != space->number ||
			!look_at_process(dirfd(proc), entry->d_name, &root))
			continue;
		root.pid = atoi(entry->d_name);
		note_root(space, &root);
	}
	if (proc)
		closedir(proc);
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

/* What is mounted below one root. */
struct view {
	int32_t pid;
	int root_fd;
	struct spg_buf table;
};

struct views {
	struct view list[SPG_SPACE_ROOTS];
	size_t n;
	int32_t *ids; /* of the mounts that were shown */
	size_t n_ids, size_ids;
};

static void drop_views(struct views *views)
{
	for (size_t i = 0; i < views->n; i++) {
		if (views->list[i].root_fd >= 0)
			close(views->list[i].root_fd);
		spg_buf_finish(&views->list[i].table);
	}
	views->n = 0;
}

/* Is "/" listed: "36 35 98:0 /root / ..."? Not for a root directory that is no mount point,
 * nor for one that was unmounted. */
static bool has_root(const struct spg_buf *table)
{
	const char *line = table->len > 0 ? table->data : NULL;

	for (; line && *line;
		line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *field = line;

		for (int i = 0; field && i < 4; i++) {
			field = strchr(field, ' ');
			field = field ? field + 1 : NULL;
		}
		if (field && strncmp(field, "/ ", 2) == 0)
			return true;
	}
	return false;
}

/* Read below @root. Returns 0; 1 when its process has gone, or is another one; or
 * SPG_ERR_NOMEM. */
static int read_view(const struct spg_space *space, const struct spg_space_root *root,
	struct view *view)
{
	struct spg_space_root now;
	struct stat st;
	char path[64];
	int proc_fd, fd = -1, r = 1;

	*view = (struct view){.pid = root->pid, .root_fd = -1, .table = SPG_BUF_NULL};
	snprintf(path, sizeof(path), "/proc/%" PRId32, root->pid);
	proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd >= 0)
		fd = openat(proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstatat(proc_fd, "ns/mnt", &st, 0) == 0 &&
		(uint32_t)st.st_ino == space->number &&
		look_at_process(proc_fd, ".", &now) && is_same_root(&now, root)) {
		view->root_fd =
			openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = read_all(fd, &view->table);
	}
	if (fd >= 0)
		close(fd);
	if (proc_fd >= 0)
		close(proc_fd);
	return r;
}

/* Read below each root; if one shows the whole namespace, only below such. Returns 0; 1
 * when a process has gone; or SPG_ERR_NOMEM. */
static int read_views(struct spg_space *space, struct views *views)
{
	bool shows_all = false, has_moved = false;

	for (size_t i = 0; i < space->n_roots; i++) {
		const struct spg_space_root *root = &space->roots[i];
		int r;

		if (shows_all && !root->is_whole)
			break;
		r = read_view(space, root, &views->list[views->n++]);
		if (r < 0)
			return r;
		has_moved = has_moved || r == 1;
		shows_all = shows_all ||
		            (root->is_whole && has_root(&views->list[i].table));
	}
	space->hides = space->n_roots > 0 && !shows_all;
	return has_moved;
}

static bool was_shown(const struct views *views, size_t n, int32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (views->ids[i] == id)
			return true;
	return false;
}

/* What has been shown below another root is not shown again. */
static int show(struct views *views, size_t n_before, const struct spg_mount *mount,
	int (*each)(void *user, const struct spg_mount *mount), void *user)
{
	if (was_shown(views, n_before, mount->id))
		return 0;
	if (views->n > 1) {
		if (spg_array_reserve(&views->ids, views->n_ids, &views->size_ids,
			    sizeof(*views->ids)) < 0)
			return SPG_ERR_NOMEM;
		views->ids[views->n_ids++] = mount->id;
	}
	return each(user, mount);
}

static int show_view(struct views *views, size_t index,
	int (*each)(void *user, const struct spg_mount *mount), void *user)
{
	struct spg_buf *table = &views->list[index].table;
	size_t n_before = views->n_ids;
	char *save = NULL;
	int r = 0;

	for (char *line = table->len > 0 ? strtok_r(table->data, "\n", &save) : NULL;
		line && r == 0; line = strtok_r(NULL, "\n", &save)) {
		struct spg_mount mount;

		r = spg_mount_parse(line, &mount);
		if (r == SPG_ERR_INVALID)
			r = 0;
		else if (r == 0) {
			r = show(views, n_before, &mount, each, user);
			spg_mount_finish(&mount);
		}
	}
	return r;
}

int spg_space_read(struct spg_space *space,
	int (*each)(void *user, const struct spg_mount *mount), void *user)
{
	struct views views = {.n = 0};
	int r = read_views(space, &views);

	for (int i = 1; r == 1 && i < READS_MAX; i++) {
		drop_views(&views);
		find_again(space);
		r = read_views(space, &views);
	}
	/* Also of those who come and go, what has been read is there. */
	space->hides = space->hides || r == 1;
	if (r == 1)
		r = 0;
	for (size_t i = 0; r == 0 && i < views.n; i++) {
		space->pid = views.list[i].pid;
		space->root_fd = views.list[i].root_fd;
		r = show_view(&views, i, each, user);
	}
	space->root_fd = -1;
	drop_views(&views);
	free(views.ids);
	return r;
}

int spg_space_root(const struct spg_space *space)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/root", space->pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* It may be on a dead share: take what is cached. */
static bool look_at(int fd, struct stat *ret, int *ret_mount)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_MODE | STATX_INO | STATX_MNT_ID, &stx) < 0 ||
		(ret_mount && !(stx.stx_mask & STATX_MNT_ID)))
		return false;
	*ret = (struct stat){.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_ino = stx.stx_ino,
		.st_mode = stx.stx_mode};
	if (ret_mount)
		*ret_mount = (int)stx.stx_mnt_id;
	return true;
}

int spg_space_open(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_CACHED | RESOLVE_IN_ROOT};
	int fd = -1;

	/* A mount or a rename anywhere interrupts a walk that must not wait. */
	for (int i = 0; i < WALKS_MAX && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd;
}

bool spg_space_stat(int root_fd, const char *path, struct stat *ret, int *ret_mount)
{
	int fd = spg_space_open(root_fd, path);
	bool found;

	if (fd < 0)
		return false;
	found = look_at(fd, ret, ret_mount);
	close(fd);
	if (!found)
		errno = ENOENT;
	return found;
}

bool spg_space_names_stat(
	struct spg_space_names *names, const char *path, struct stat *ret)
{
	const struct spg_mount *mount;
	char real_path[PATH_MAX];

	if (names->root_fd < 0)
		return false;
	if (spg_space_stat(names->root_fd, path, ret, NULL))
		return true;
	if (errno != EAGAIN)
		return false;
	if (!names->mounts && !names->has_tried)
		(void)spg_mounts_create_of(names->pid, &names->mounts);
	names->has_tried = true;
	return names->mounts &&
	       spg_resolve_below(
		       names->root_fd, names->mounts, path, real_path, &mount) == 0 &&
	       fstatat(names->root_fd, real_path[1] ? real_path + 1 : ".", ret,
		       AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

void spg_space_names_finish(struct spg_space_names *names)
{
	spg_mounts_destroy(names->mounts);
	names->mounts = NULL;
	names->has_tried = false;
}
