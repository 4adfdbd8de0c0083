/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/deleted_files.h"

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

/* What is left of a lost file's way. */
struct way {
	struct spg_file_id id; /* of the last directory on it that is there */
	const char *rest;      /* from there on */
};

/* Go down from @root (below @dir_fd) on the way to @lost as far as there are directories.
 * A link is none: /proc shows paths without links, so it came later. */
static bool go_down(int dir_fd, const char *root, const char *lost, struct way *ret)
{
	char path[PATH_MAX + 16];
	size_t n_root = strlen(root);
	const char *rest = lost;

	ret->rest = NULL;
	for (;;) {
		const char *slash = strchr(rest, '/');
		struct statx stx;

		if (snprintf(path, sizeof(path), "%s%.*s.", root, (int)(rest - lost),
			    lost) >= (int)sizeof(path))
			return ret->rest;
		/* "/." would lead through a link. */
		if (rest > lost)
			path[n_root + (size_t)(rest - lost) - 1] = '\0';
		if (statx(dir_fd, path,
			    AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW,
			    STATX_TYPE | STATX_INO, &stx) < 0 ||
			!S_ISDIR(stx.stx_mode))
			return ret->rest;
		*ret = (struct way){
			.id = {.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
				.ino = stx.stx_ino},
			.rest = rest};
		if (!slash)
			return true;
		rest = slash + 1;
	}
}

/* By the directory that it lay in, as the holder sees it, or the last one above that
 * which has not been removed. */
static bool place_by_identity(const struct spg_user_search *a, int proc_fd,
	const char *lost, struct spot *ret)
{
	const struct spg_known_directory *folder = NULL;
	struct way way;

	if (go_down(proc_fd, "root/", lost + 1, &way))
		folder = find_directory(a, way.id);
	return folder && put_into(a, folder, way.rest, ret);
}

/* A link that leads to nothing leads to what has been removed: nobody knows its
 * inode. */
static bool is_removed(const struct spg_known_directory *m)
{
	return !m->is_link && m->id.ino == 0;
}

/* Where the file at @lost belonged in the product; false: nowhere. */
static bool place_of(const struct spg_user_search *a, int proc_fd, const char *lost,
	struct spot *ret)
{
	const struct spg_known_directories *directories = a->find_deleted->directories;
	size_t folder_len = (size_t)(spg_path_base(lost) - lost);

	for (size_t i = 0; i < directories->n; i++) {
		const struct spg_known_directory *m = &directories->marks[i];
		size_t len = strlen(m->real_path);

		if (m->is_link && strcmp(m->real_path, lost) == 0)
			return snprintf(ret->path, PATH_MAX, "%s", m->path) <
			               PATH_MAX &&
			       snprintf(ret->real_path, PATH_MAX, "%s", lost) <
			               PATH_MAX;
		if (m->is_link || !spg_path_below(lost, m->real_path, false))
			continue;
		/* The folder's text ends in a slash, a directory's does not. */
		len += len > 1;
		if (folder_len == len || is_removed(m))
			return is_wanted(a, spg_path_base(lost)) &&
			       put_into(a, m, lost + len, ret);
	}
	return is_wanted(a, spg_path_base(lost)) &&
	       place_by_identity(a, proc_fd, lost, ret);
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

/* Was the file that is shown as @marked one of the product's? */
static bool was_ours(const struct spg_user_search *a, int proc_fd, const char *marked,
	struct spot *ret)
{
	char lost[PATH_MAX];

	if (marked[0] != '/' || !is_marked(marked))
		return false;
	snprintf(lost, sizeof(lost), "%.*s", (int)(strlen(marked) - (sizeof(mark) - 1)),
		marked);
	return place_of(a, proc_fd, lost, ret);
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

/* The text of the magic link @name. False: there is none. */
static bool read_path(int dir_fd, const char *name, char path[PATH_MAX])
{
	ssize_t n = readlinkat(dir_fd, name, path, PATH_MAX - 1);

	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

int spg_deleted_by_open(struct spg_user_search *a, int proc_fd, int fd)
{
	char link[48], path[PATH_MAX];
	struct spot spot;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (read_path(AT_FDCWD, link, path) && was_ours(a, proc_fd, path, &spot))
		return take_in(a, proc_fd, fd, path, &spot);
	close(fd);
	return 0;
}

int spg_deleted_by_fd(
	struct spg_user_search *a, int proc_fd, int fd_dir, const char *name)
{
	char path[PATH_MAX];
	struct spot spot;
	int fd;

	if (!read_path(fd_dir, name, path) || !was_ours(a, proc_fd, path, &spot))
		return 0;
	fd = openat(fd_dir, name, O_PATH | O_CLOEXEC);
	return take_in(a, proc_fd, fd, path, &spot);
}

int spg_deleted_by_mapping(
	struct spg_user_search *a, int proc_fd, const struct spg_mapping *mapping)
{
	struct spot spot;
	int fd;

	if (!was_ours(a, proc_fd, mapping->name, &spot))
		return 0;
	fd = spg_memory_open_mapped(proc_fd, mapping->start, mapping->end);
	return take_in(a, proc_fd, fd, mapping->name, &spot);
}
