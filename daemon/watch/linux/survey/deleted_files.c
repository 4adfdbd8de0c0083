/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/deleted_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/files/layer.h"
#include "daemon/watch/linux/proc/memory.h"

static const char mark[] = " (deleted)";

static bool is_marked(const char *path)
{
	size_t len = strlen(path), n = sizeof(mark) - 1;

	return len > n && strcmp(path + len - n, mark) == 0;
}

/* The text of the magic link @name. False: there is none. */
static bool read_path(int dir_fd, const char *name, char path[PATH_MAX])
{
	ssize_t n = readlinkat(dir_fd, name, path, PATH_MAX - 1);

	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

static bool is_wanted(const struct spg_user_search *a, const char *name)
{
	const struct spg_name_set *extra = a->find_deleted->extra;

	return spg_product_has_name(a->obs->product, name) ||
	       (extra && spg_name_set_has_path(extra, name));
}

/* Where a lost file was: as the product names it, and really. */
struct spot {
	char path[PATH_MAX], real_path[PATH_MAX];
};

/* @rest: its path from @folder on, through directories that are no more. */
static bool put_into(const struct spg_user_search *a,
	const struct spg_known_directory *folder, const char *rest, struct spot *ret)
{
	if (strchr(rest, '/') && !a->obs->product->recursive)
		return false;
	return snprintf(ret->path, PATH_MAX, "%s/%s", folder->path, rest) < PATH_MAX &&
	       snprintf(ret->real_path, PATH_MAX, "%s/%s", folder->real_path, rest) <
	               PATH_MAX;
}

static const struct spg_known_directory *find_directory(
	const struct spg_user_search *a, struct spg_file_id id)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;

	for (size_t i = 0; i < directories->n; i++)
		if (!directories->marks[i].is_link &&
			spg_file_id_equal(directories->marks[i].id, id))
			return &directories->marks[i];
	return NULL;
}

/* A file that has lost its name, while it is judged. */
struct lost {
	int proc_fd;         /* of its holder */
	char path[PATH_MAX]; /* as /proc shows it */
	uint64_t dev, mount; /* of the open file; @mount: its number, if @has_mount */
	bool has_mount;
	bool guess; /* by name and device, when its path leads nowhere */
};

/* What is left of its way. */
struct way {
	struct spg_file_id id; /* of the last directory on it that is there */
	const char *rest;      /* from there on */
	/* That is on the mount that the file was opened through, and has a name itself: so
	 * it is on the way. Else there may just be something of that name. */
	bool certain;
};

/* Go down from @root (below @dir_fd) on the way to @path as far as there are directories.
 * A link is none: /proc shows paths without links, so it came later. */
static bool go_down(const struct lost *lost, int dir_fd, const char *root,
	const char *path, struct way *ret)
{
	char part[PATH_MAX + 16];
	size_t n_root = strlen(root);
	const char *rest = path;

	ret->rest = NULL;
	for (;;) {
		const char *slash = strchr(rest, '/');
		struct statx stx;

		if (snprintf(part, sizeof(part), "%s%.*s.", root, (int)(rest - path),
			    path) >= (int)sizeof(part))
			return ret->rest;
		/* "/." would lead through a link. */
		if (rest > path)
			part[n_root + (size_t)(rest - path) - 1] = '\0';
		if (statx(dir_fd, part,
			    AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW,
			    STATX_TYPE | STATX_NLINK | STATX_INO | STATX_MNT_ID,
			    &stx) < 0 ||
			!S_ISDIR(stx.stx_mode))
			return ret->rest;
		*ret = (struct way){
			.id = {.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
				.ino = stx.stx_ino},
			.rest = rest,
			.certain = lost->has_mount && (stx.stx_mask & STATX_MNT_ID) &&
		                   stx.stx_mnt_id == lost->mount && stx.stx_nlink > 0};
		if (!slash)
			return true;
		rest = slash + 1;
	}
}

static bool has_root(const struct lost *lost)
{
	char root[PATH_MAX];

	return read_path(lost->proc_fd, "root", root);
}

/* Is nothing left of the holder but its number? An end gives back the root directory after
 * all files (kernel/exit.c, do_exit()); of a process whose first thread has ended alone there
 * are others. */
static bool has_ended(const struct lost *lost)
{
	int fd = openat(lost->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t n = 0;

	if (fd >= 0 && !tasks)
		close(fd);
	while (tasks && (entry = readdir(tasks)))
		n += entry->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return n < 2;
}

/* The same as its holder sees it. /proc/PID/root leads to that one's root, and /proc
 * shows paths of its mount namespace from the top: after chroot(2) they differ. */
static bool go_down_there(const struct lost *lost, struct way *ret)
{
	char root[PATH_MAX];

	if (!read_path(lost->proc_fd, "root", root) ||
		!spg_path_below(lost->path, root, false))
		return false;
	return go_down(lost, lost->proc_fd, "root/",
		lost->path + strlen(root) + (root[1] != '\0'), ret);
}

/* Can a file of device @dev be in @m? An overlay and btrfs have several devices, of their
 * own making. */
static bool may_be_in(const struct spg_user_search *a,
	const struct spg_known_directory *m, uint64_t dev)
{
	const struct spg_mount *mount;

	if (m->is_link)
		return false;
	if (m->id.dev == dev)
		return true;
	if (m->id.ino != 0 && (major(m->id.dev) != 0 || major(dev) != 0))
		return false;
	mount = spg_mounts_find(a->find_deleted->mounts, m->real_path);
	return mount &&
	       (mount->dev == dev ||
		       (major(dev) == 0 && (mount->class == SPG_FS_OVERLAY ||
						   strcmp(mount->type, "btrfs") == 0)));
}

static bool may_be_anywhere(const struct spg_user_search *a, uint64_t dev)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;

	for (size_t i = 0; i < directories->n; i++)
		if (may_be_in(a, &directories->marks[i], dev))
			return true;
	return false;
}

/* Nothing but its name and its device tells where it was: where such a file is now, or
 * another one on that device. */
static bool guess_place(
	const struct spg_user_search *a, const struct lost *lost, struct spot *ret)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;
	const char *name = spg_path_base(lost->path);
	const struct spg_known_directory *guess = NULL;

	for (size_t i = 0; i < directories->n; i++) {
		const struct spg_known_directory *m = &directories->marks[i];
		bool fits = !m->is_link && m->id.dev == lost->dev;

		if (m->is_link)
			continue;
		for (size_t k = 0; k < a->obs->n_files; k++) {
			const struct spg_file *file = a->obs->files[k].file;

			if (file->id.dev != lost->dev ||
				!spg_path_directly_in(file->path, m->path))
				continue;
			fits = true;
			if (strcmp(spg_path_base(file->path), name) == 0)
				return put_into(a, m, name, ret);
		}
		if (fits && !guess)
			guess = m;
	}
	return guess && put_into(a, guess, name, ret);
}

/*
 * By the directory that it lay in, or the last one above that which has not been removed;
 * as we see it, or its holder. Where neither is on the file's mount (that was unmounted
 * while in use, or is one of a process that has gone, or out of the holder's root),
 * nobody can tell, and so it counts as ours.
 */
static bool place_by_identity(
	const struct spg_user_search *a, const struct lost *lost, struct spot *ret)
{
	struct way ways[2];
	bool found[2];

	if (!may_be_anywhere(a, lost->dev))
		return false;
	for (int i = 0; i < 2; i++) {
		const struct spg_known_directory *folder;

		found[i] =
			i == 0 ? go_down(lost, AT_FDCWD, "/", lost->path + 1, &ways[i])
			       : go_down_there(lost, &ways[i]);
		if (!found[i] || !ways[i].certain)
			continue;
		folder = find_directory(a, ways[i].id);
		return folder && put_into(a, folder, ways[i].rest, ret);
	}
	if (!found[1] && !has_root(lost) && has_ended(lost))
		return false;
	for (int i = 0; i < 2; i++) {
		const struct spg_known_directory *folder =
			found[i] ? find_directory(a, ways[i].id) : NULL;

		if (folder && put_into(a, folder, ways[i].rest, ret))
			return true;
	}
	return lost->guess && guess_place(a, lost, ret);
}

/* A link that leads to nothing leads to what has been removed: nobody knows its
 * inode. */
static bool is_removed(const struct spg_known_directory *m)
{
	return !m->is_link && m->id.ino == 0;
}

/* May the file at @path have been the product's, by its name or a link that led
 * there? */
static bool has_our_name(const struct spg_user_search *a, const char *path)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;

	if (is_wanted(a, spg_path_base(path)))
		return true;
	for (size_t i = 0; i < directories->n; i++)
		if (directories->marks[i].is_link &&
			strcmp(directories->marks[i].real_path, path) == 0)
			return true;
	return false;
}

/* Where it belonged in the product; false: nowhere. */
static bool place_of(
	const struct spg_user_search *a, const struct lost *lost, struct spot *ret)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;
	const char *path = lost->path;
	size_t folder_len = (size_t)(spg_path_base(path) - path);

	for (size_t i = 0; i < directories->n; i++) {
		const struct spg_known_directory *m = &directories->marks[i];
		size_t len = strlen(m->real_path);

		if (m->is_link && strcmp(m->real_path, path) == 0)
			return snprintf(ret->path, PATH_MAX, "%s", m->path) <
			               PATH_MAX &&
			       snprintf(ret->real_path, PATH_MAX, "%s", path) <
			               PATH_MAX;
		if (m->is_link || !spg_path_below(path, m->real_path, false))
			continue;
		/* The folder's text ends in a slash, a directory's does not. */
		len += len > 1;
		if (folder_len == len || is_removed(m))
			return is_wanted(a, spg_path_base(path)) &&
			       put_into(a, m, path + len, ret);
	}
	return is_wanted(a, spg_path_base(path)) && place_by_identity(a, lost, ret);
}

/* True when the inode @st is at @marked after all: its name just ends so. */
static bool has_that_name(int proc_fd, const char *marked, const struct stat *st)
{
	char path[PATH_MAX + 32];
	struct stat there;

	snprintf(path, sizeof(path), "%s%s", proc_fd < 0 ? "" : "root/", marked);
	return fstatat(proc_fd < 0 ? AT_FDCWD : proc_fd, path, &there,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       spg_file_id_equal(spg_id_of(&there), spg_id_of(st));
}

static int append(struct spg_user_search *a, const struct spot *spot, int fd)
{
	const struct spg_place place = {.path = spot->path,
		.real_path = spot->real_path,
		.mount = spg_mounts_find(a->find_deleted->mounts, spot->real_path)};
	struct spg_observation *obs = a->obs;
	struct spg_linux_file *file = spg_linux_file_orphan(&place, fd);
	int r;

	if (!file)
		return SPG_ERR_NOMEM;
	r = spg_observation_add_file(obs, &file->base, SPG_REPLACED, SPG_IN_USE_YES);
	if (r == 0)
		r = spg_targets_add(a->targets, &file->base, obs->n_files - 1);
	if (r == 0 && a->on_deleted)
		r = a->on_deleted(a->user, obs->n_files - 1, fd);
	spg_file_unref(&file->base);
	return r;
}

/* True when what we have opened has lost its name: the holder may have closed it, and
 * something else be in its place by now. */
static bool is_lost(int fd)
{
	char link[64], path[PATH_MAX + 16];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 0)
		path[n] = '\0';
	return n > 0 && is_marked(path);
}

/* Take in the file behind @fd, which is closed, or -1 with errno; if nobody knows it and
 * nothing is at @there: a path as @proc_fd's process (-1: we) sees it. */
static int take_in(struct spg_user_search *a, int proc_fd, int fd, const char *there,
	const struct spot *spot)
{
	struct stat st;
	size_t known;
	int r = 0;

	if (fd < 0) {
		(void)spg_user_search_failed(a, errno);
		return 0;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(proc_fd < 0 || is_lost(fd)) && !has_that_name(proc_fd, there, &st)) {
		known = spg_targets_find(
			a->targets, SPG_KEY_STAT, st.st_dev, st.st_ino, &(size_t){0});
		if (known == SPG_NO_FILE)
			r = append(a, spot, fd);
		else if (a->on_deleted)
			r = a->on_deleted(a->user, known, fd);
	}
	close(fd);
	return r;
}

/* Could the file that is shown as @marked have been the product's? Then where that
 * was. */
static bool may_be_ours(
	const struct spg_user_search *a, const char *marked, char ret[PATH_MAX])
{
	if (marked[0] != '/' || !is_marked(marked))
		return false;
	snprintf(ret, PATH_MAX, "%.*s", (int)(strlen(marked) - (sizeof(mark) - 1)),
		marked);
	return has_our_name(a, ret);
}

int spg_deleted_by_parent(struct spg_user_search *a, int fd,
	const struct spg_known_directory *folder, const char *path)
{
	struct spot spot;

	if (is_wanted(a, spg_path_base(path)) && put_into(a, folder, path, &spot))
		return take_in(a, -1, fd, spot.real_path, &spot);
	if (fd >= 0)
		close(fd);
	return 0;
}

int spg_deleted_by_open(struct spg_user_search *a, int proc_fd, int fd, bool guess)
{
	struct lost lost = {.proc_fd = proc_fd, .guess = guess};
	char link[48], path[PATH_MAX];
	struct statx stx;
	struct spot spot;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (read_path(AT_FDCWD, link, path) && may_be_ours(a, path, lost.path) &&
		statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			STATX_INO | STATX_MNT_ID, &stx) == 0) {
		lost.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
		lost.mount = stx.stx_mnt_id;
		lost.has_mount = stx.stx_mask & STATX_MNT_ID;
		if (place_of(a, &lost, &spot))
			return take_in(a, proc_fd, fd, path, &spot);
	}
	close(fd);
	return 0;
}

/* What @fd leads to now, or -1 with errno; it was shown as what may be ours. */
static int judge(struct spg_user_search *a, int proc_fd, int fd)
{
	if (fd >= 0)
		return spg_deleted_by_open(a, proc_fd, fd, true);
	(void)spg_user_search_failed(a, errno);
	return 0;
}

int spg_deleted_by_fd(
	struct spg_user_search *a, int proc_fd, int fd_dir, const char *name)
{
	char path[PATH_MAX], lost[PATH_MAX];

	if (!read_path(fd_dir, name, path) || !may_be_ours(a, path, lost))
		return 0;
	return judge(a, proc_fd, openat(fd_dir, name, O_PATH | O_CLOEXEC));
}

int spg_deleted_by_mapping(
	struct spg_user_search *a, int proc_fd, const struct spg_mapping *mapping)
{
	char lost[PATH_MAX];

	if (!may_be_ours(a, mapping->name, lost))
		return 0;
	return judge(a, proc_fd,
		spg_memory_open_mapped(proc_fd, mapping->start, mapping->end));
}
