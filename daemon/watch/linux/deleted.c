/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/deleted.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/layer.h"

/* Cut " (deleted)" off; false when it is not there. */
static bool cut_mark(char *path)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(path);

	if (len <= sizeof(mark) - 1 ||
		strcmp(path + len - (sizeof(mark) - 1), mark) != 0)
		return false;
	path[len - (sizeof(mark) - 1)] = '\0';
	return true;
}

/* @link: a magic link of procfs that leads to the inode itself. */
static int adopt(struct spg_attribution *a, int dir_fd, const char *link, char *path)
{
	struct spg_observation *obs = a->obs;
	struct spg_linux_file *file;
	struct stat st;
	int fd, r;

	if (!cut_mark(path) || !spg_product_has_path(obs->product, path))
		return 0;
	fd = openat(dir_fd, link, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* A name may end in " (deleted)" of itself. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0 ||
		spg_targets_find(a->targets, SPG_KEY_STAT, st.st_dev, st.st_ino,
			&(size_t){0}) != SPG_NO_FILE) {
		close(fd);
		return 0;
	}
	file = spg_linux_file_orphan(path, fd, spg_mounts_find(a->find_deleted, path));
	close(fd);
	if (!file)
		return SPG_ERR_NOMEM;
	r = spg_observation_add_file(obs, &file->base, SPG_REPLACED, SPG_CENSUS_BUSY);
	if (r == 0)
		r = spg_targets_add(a->targets, &file->base, obs->n_files - 1);
	spg_file_unref(&file->base);
	return r;
}

int spg_deleted_by_fd(struct spg_attribution *a, int fd_dir, const char *name)
{
	char path[PATH_MAX + 16];
	ssize_t n = readlinkat(fd_dir, name, path, sizeof(path) - 1);

	if (n <= 0)
		return 0;
	path[n] = '\0';
	return adopt(a, fd_dir, name, path);
}

int spg_deleted_by_mapping(
	struct spg_attribution *a, int proc_fd, const struct spg_mapping *mapping)
{
	char path[PATH_MAX + 16], link[64];

	snprintf(path, sizeof(path), "%s", mapping->name);
	snprintf(link, sizeof(link), "map_files/%" PRIx64 "-%" PRIx64, mapping->start,
		mapping->end);
	return adopt(a, proc_fd, link, path);
}
