/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/obstacles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/files/ext4.h"
#include "daemon/watch/linux/survey/installer.h"

static unsigned of_directory(uint64_t attributes)
{
	unsigned obstacles = 0;

	if (attributes & STATX_ATTR_IMMUTABLE)
		obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_IMMUTABLE);
	if (attributes & STATX_ATTR_APPEND)
		obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_APPEND_ONLY);
	return obstacles;
}

/* ---- mounts ---- */

/* The number that a file of sysfs has; 0: there is none. */
static long read_number(const char *path)
{
	char text[32] = "";
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10);
}

/* Free for root: ext4 keeps some that not even root gets, and counts it as free
 * (fs/ext4/super.c, ext4_statfs()). */
static uint64_t free_blocks(const struct spg_mount *mount, const struct statfs *fs)
{
	long kept = spg_ext4_is(mount->type)
	                    ? spg_ext4_read(mount->dev, "reserved_clusters")
	                    : 0;

	/* btrfs says that it has no room for metadata by this alone (btrfs_statfs()). */
	if (strcmp(mount->type, "btrfs") == 0)
		return fs->f_bavail;
	if (kept < 0)
		return fs->f_bfree;
	return fs->f_bfree > (uint64_t)kept ? fs->f_bfree - (uint64_t)kept : 0;
}

static bool is_device_protected(const struct spg_mount *mount)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/ro", major(mount->dev),
		minor(mount->dev));
	return read_number(path) > 0;
}

static bool is_bare(const struct spg_mount *mount)
{
	static const char *const types[] = {
		"squashfs", "erofs", "iso9660", "cramfs", "romfs"};
	char *upper;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(mount->type, types[i]) == 0)
			return true;
	if (mount->class != SPG_FS_OVERLAY)
		return false;
	upper = spg_mount_layer(mount, "upperdir", 0);
	free(upper);
	return !upper;
}

static long count_errors(const struct spg_mount *mount)
{
	return spg_ext4_is(mount->type) ? spg_ext4_read(mount->dev, "errors_count") : 0;
}

static bool has_option(const char *options, const char *wanted)
{
	size_t len = strlen(wanted);

	for (const char *at = options; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, wanted, len) == 0 && (!at[len] || at[len] == ','))
			return true;
	}
	return false;
}

/*
 * Is the filesystem read-only, wherever it is mounted? Two times statfs(2) does not say it,
 * and the table does if it is read now, for no change of it was reported:
 *   - where this daemon's own mount is read-only, the filesystem may be so besides, by a
 *     remount in another namespace;
 *   - since 6.15 ext4 that has met an error refuses to be written to, and calls it by an
 *     option of its own (fs/ext4/super.c, "emergency_ro").
 */
static bool is_fs_read_only(
	const struct spg_mount *own, const char *real_path, bool barred, long n_errors)
{
	const struct spg_mount *now;
	struct spg_mounts *fresh;
	bool read_only = true;

	if (barred ? !own->read_only : n_errors <= 0)
		return barred;
	fresh = spg_mounts_create();
	now = fresh ? spg_mounts_find(fresh, real_path) : NULL;
	if (now && now->dev == own->dev)
		read_only =
			now->fs_read_only || has_option(now->options, "emergency_ro");
	spg_mounts_destroy(fresh);
	return read_only;
}

static int lack_mounts(struct spg_survey *s, const char *path)
{
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_MOUNTS,
			.file = SPG_NO_FILE,
			.path = path,
			.remedy = {"see that who installs can write there; give the "
				   "daemon CAP_SYS_PTRACE",
				SPG_COMMAND_EDIT_UNIT}},
		"%s is mounted read-only for spguardd, and whether it is so for others "
		"cannot be told",
		path);
}

/* A directory's mount: in this namespace, and in that of those who will install. */
struct views {
	const struct spg_mount *own, *theirs;
};

static struct views view(const struct spg_survey_tools *tools, const char *real_path)
{
	struct views views = {spg_mounts_find(tools->mounts, real_path), NULL};

	if (tools->their_mounts)
		views.theirs = spg_mounts_find(tools->their_mounts, real_path);
	/* Something else is mounted there for them, or nothing: then the files that
	 * are looked at here are not theirs, and only this view of them is left. */
	if (!views.theirs || (views.own && views.theirs->dev != views.own->dev))
		views.theirs = views.own;
	return views;
}

static int add_mount(struct spg_survey *s, struct views views, const char *real_path,
	const struct statfs *fs)
{
	const struct spg_mount *theirs = views.theirs;
	bool barred = fs->f_flags & ST_RDONLY;
	struct spg_seen_mount mount = {.place = theirs->path,
		.type = theirs->type,
		.barred_here = barred,
		.dev = theirs->dev,
		.block_bytes = (uint64_t)(fs->f_frsize ? fs->f_frsize : fs->f_bsize),
		.n_blocks = fs->f_blocks,
		.free_blocks = s->obs->product->install_as ? fs->f_bavail
	                                                   : free_blocks(theirs, fs),
		.n_inodes = fs->f_files,
		.free_inodes = fs->f_ffree,
		.n_errors = count_errors(theirs)};

	if (is_fs_read_only(views.own, real_path, barred, mount.n_errors)) {
		mount.obstacles = SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_FILESYSTEM);
		mount.bare = is_bare(theirs);
		mount.failed = mount.n_errors > 0;
		mount.on_loop = major(theirs->dev) == LOOP_MAJOR;
		if (is_device_protected(theirs))
			mount.device = theirs->source;
	} else if (theirs->read_only && s->tools->their_mounts_unknown) {
		int r = lack_mounts(s, real_path);

		if (r < 0)
			return r;
	} else if (theirs->read_only) {
		mount.obstacles = SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_MOUNT);
	}
	return spg_observation_add_mount(s->obs, &mount);
}

/* What each row of the observation's mounts stands for. */
struct known_mounts {
	struct views *rows;
	size_t n, size;
};

static int find_mount(struct spg_survey *s, struct known_mounts *known,
	const char *real_path, const struct statfs *fs, size_t *ret)
{
	struct views views = view(s->tools, real_path);
	int r;

	for (*ret = 0; *ret < known->n; (*ret)++)
		if (known->rows[*ret].own == views.own &&
			known->rows[*ret].theirs == views.theirs)
			return 0;
	if (!views.own)
		return SPG_ERR_NOT_FOUND;
	if (spg_array_reserve(&known->rows, known->n, &known->size, sizeof(views)) < 0)
		return SPG_ERR_NOMEM;
	r = add_mount(s, views, real_path, fs);
	if (r == 0)
		known->rows[known->n++] = views;
	return r;
}

/* ---- directories ---- */

/* What has gone since, or leads nowhere, has no files; its event has come. */
static int lack_folder(struct spg_survey *s, const char *path, int errnum)
{
	if (!spg_errno_is_shortage(errnum) && errnum != EIO)
		return 0;
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_DIRECTORY_UNREADABLE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy =
				{"check again; when it stays, see the daemon's limits "
				 "(LimitNOFILE=)",
					NULL}},
		"whether files can be replaced in %s cannot be told: %s", path,
		strerror(errnum));
}

static int add_folder(struct spg_survey *s, struct known_mounts *known,
	const struct spg_known_directory *directory)
{
	struct spg_seen_folder folder = {.path = directory->path};
	struct statx stx;
	struct statfs fs;
	int fd = open(directory->real_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int errnum, r;
	bool seen;

	if (fd < 0)
		return lack_folder(s, directory->path, errno);
	seen = statx(fd, "", AT_EMPTY_PATH, STATX_INO, &stx) == 0 &&
	       fstatfs(fd, &fs) == 0;
	errnum = errno;
	close(fd);
	if (!seen)
		return lack_folder(s, directory->path, errnum);
	r = find_mount(s, known, directory->real_path, &fs, &folder.mount);
	folder.obstacles = of_directory(stx.stx_attributes);
	if (r == 0)
		r = spg_observation_add_folder(s->obs, &folder);
	return r == SPG_ERR_NOT_FOUND ? 0 : r;
}

/* Files of one directory come one after the other, but for those of directories in it. */
static void find_folders(struct spg_observation *obs)
{
	size_t last = 0;

	for (size_t i = 0; i < obs->n_files; i++) {
		const char *path = obs->files[i].file->path;

		if (obs->files[i].presence != SPG_PRESENT)
			continue;
		for (size_t k = 0; k < obs->n_folders; k++) {
			size_t at = (last + k) % obs->n_folders;

			if (!spg_path_directly_in(path, obs->folders[at].path))
				continue;
			obs->files[i].folder = last = at;
			break;
		}
	}
}

/* ---- files ---- */

static const char *real_path_of(const struct spg_seen_file *seen)
{
	const struct spg_linux_file *file = spg_linux_file(seen->file);

	if (file->merged_path)
		return file->merged_path;
	return file->n_layers > 0 ? file->layers[0].path : seen->file->path;
}

/* Something is mounted at @path: on which file? What keeps the file that is mounted is
 * this mount itself. */
static void note_mount_point(struct spg_observation *obs, const char *path)
{
	for (size_t i = 0; i < obs->n_files; i++) {
		struct spg_seen_file *seen = &obs->files[i];

		if (seen->presence != SPG_PRESENT ||
			spg_linux_file(seen->file)->through_link ||
			strcmp(real_path_of(seen), path) != 0)
			continue;
		seen->obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_MOUNT_POINT);
		spg_observation_drop_mounts_at(obs, i, path);
	}
}

static bool is_in_a_directory(const struct spg_survey *s, const char *path)
{
	size_t len = (size_t)(spg_path_base(path) - path);

	for (size_t i = 0; i < s->directories.n; i++) {
		size_t n = strlen(s->directories.marks[i].real_path);

		if (len == n + (n > 1) &&
			strncmp(s->directories.marks[i].real_path, path, n) == 0)
			return true;
	}
	return false;
}

static void find_mount_points(struct spg_survey *s)
{
	const struct spg_mounts *mounts =
		s->tools->their_mounts ? s->tools->their_mounts : s->tools->mounts;
	const struct spg_mount *mount;

	for (size_t i = 0; (mount = spg_mounts_get(mounts, i)); i++)
		if (is_in_a_directory(s, mount->path) &&
			spg_mounts_find(mounts, mount->path) == mount)
			note_mount_point(s->obs, mount->path);
}

/* A new file takes the place of the link, and not of what it leads to. */
static void leave_targets_out(struct spg_observation *obs)
{
	if (obs->product->replacement != SPG_REPLACE_BY_RENAME)
		return;
	for (size_t i = 0; i < obs->n_files; i++)
		if (spg_linux_file(obs->files[i].file)->through_link)
			obs->files[i].obstacles = 0;
}

int spg_obstacles_find(struct spg_survey *s)
{
	struct known_mounts known = {NULL, 0, 0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->directories.n; i++)
		if (!s->directories.marks[i].is_link)
			r = add_folder(s, &known, &s->directories.marks[i]);
	free(known.rows);
	if (r < 0)
		return r;
	leave_targets_out(s->obs);
	find_folders(s->obs);
	find_mount_points(s);
	return spg_installer_judge(s->obs);
}
