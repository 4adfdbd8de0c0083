/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/kernel_users.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/files/mount_namespaces.h"
#include "daemon/watch/linux/survey/binfmt.h"

/* The file in question, by its index; else SPG_NO_FILE. */
static size_t find_target(const struct spg_user_search *a, uint64_t dev, uint64_t ino)
{
	return spg_targets_find(a->targets, SPG_KEY_STAT, dev, ino, &(size_t){0});
}

static size_t find_path(const struct spg_user_search *a, const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0
	               ? find_target(a, st.st_dev, st.st_ino)
	               : SPG_NO_FILE;
}

static int add(struct spg_user_search *a, size_t file, enum spg_kernel_use kind,
	const char *place, int32_t pid)
{
	return spg_observation_add_kernel_user(
		a->obs, &(struct spg_seen_kernel_user){.file = file,
				.kind = kind,
				.place = (char *)place,
				.pid = pid});
}

/* ---- loop devices, and what is mounted from them or from a file ---- */

struct loop {
	char name[32]; /* "loop0" */
	uint64_t dev;
	size_t file;
};

struct mounted {
	struct spg_user_search *search;
	const struct spg_space *space;
	const struct loop *loops;
	size_t n_loops;
};

/* Filesystems that are mounted from a file itself: the source of others is any word. */
static bool has_image(const char *type)
{
	return strcmp(type, "erofs") == 0;
}

/* What a mount is made from, where that is a file in question; else SPG_NO_FILE: by its
 * device, a loop's, or where that has no number of its own (btrfs) by its source. */
static size_t source_of(const struct mounted *m, const struct spg_mount *mount)
{
	struct stat st;

	for (size_t i = 0; i < m->n_loops; i++)
		if (mount->dev == m->loops[i].dev ||
			(strncmp(mount->source, "/dev/", 5) == 0 &&
				strcmp(mount->source + 5, m->loops[i].name) == 0))
			return m->loops[i].file;
	if (mount->source[0] != '/' || !has_image(mount->type) ||
		!spg_space_stat(m->space->root_fd, mount->source, &st, NULL) ||
		!S_ISREG(st.st_mode))
		return SPG_NO_FILE;
	return find_target(m->search, st.st_dev, st.st_ino);
}

static int take_mount(void *user, const struct spg_mount *mount)
{
	const struct mounted *m = user;
	size_t file = source_of(m, mount);

	return file == SPG_NO_FILE ? 0
	                           : add(m->search, file, SPG_KERNEL_MOUNT, mount->path,
					     m->space->here ? 0 : m->space->pid);
}

static int find_mounts(
	struct spg_user_search *a, const struct loop *loops, size_t n_loops)
{
	struct spg_spaces spaces = SPG_SPACES_NULL;
	int r = spg_spaces_find(&spaces);

	for (size_t i = 0; r == 0 && i < spaces.n; i++) {
		struct mounted m = {a, &spaces.list[i], loops, n_loops};

		r = spg_space_read(&spaces.list[i], take_mount, &m);
	}
	spg_spaces_finish(&spaces);
	/* Without /proc/PID/mountinfo there is nothing to tell. */
	return r == SPG_ERR_IO ? 0 : r;
}

/* True when the loop device @name stands on a file in question: by identity, since its
 * path may lead elsewhere by now, or in another namespace (LOOP_GET_STATUS64; devices are
 * encoded as in stat(2)). */
static bool read_loop(const struct spg_user_search *a, const char *name,
	struct loop *ret, bool *ret_clears)
{
	struct loop_info64 info;
	struct stat st;
	char path[64];
	int fd;
	bool known;

	snprintf(path, sizeof(path), "/dev/%.20s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	known = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && fstat(fd, &st) == 0;
	close(fd);
	if (!known)
		return false;
	ret->file = find_target(a, info.lo_device, info.lo_inode);
	ret->dev = st.st_rdev;
	snprintf(ret->name, sizeof(ret->name), "%.20s", name);
	*ret_clears = info.lo_flags & LO_FLAGS_AUTOCLEAR;
	return ret->file != SPG_NO_FILE;
}

/* Looks at devices that stand on something only: opening others would make them. */
static bool is_bound(int sys_block, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%.20s/loop/backing_file", name);
	return faccessat(sys_block, path, F_OK, 0) == 0;
}

#define LOOPS_MAX 64

static int find_loops(struct spg_user_search *a)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *entry;
	struct loop loops[LOOPS_MAX];
	size_t n = 0;
	int r = 0;

	while (r == 0 && n < LOOPS_MAX && dir && (entry = readdir(dir))) {
		char place[40];
		bool clears;

		if (strncmp(entry->d_name, "loop", 4) != 0 ||
			!is_bound(dirfd(dir), entry->d_name) ||
			!read_loop(a, entry->d_name, &loops[n], &clears))
			continue;
		snprintf(place, sizeof(place), "/dev/%s", loops[n].name);
		r = add(a, loops[n++].file,
			clears ? SPG_KERNEL_LOOP_AUTOCLEAR : SPG_KERNEL_LOOP, place, 0);
	}
	if (dir)
		closedir(dir);
	return r == 0 ? find_mounts(a, loops, n) : r;
}

/* ---- swap files ---- */

/* The kernel escapes blanks, tabs, newlines and backslashes as in mountinfo, and appends
 * "\040(deleted)" (swap_show() in mm/swapfile.c). */
static int find_swaps(struct spg_user_search *a)
{
	char text[8192], *save = NULL;
	int r = 0;

	if (spg_proc_slurp(AT_FDCWD, "/proc/swaps", text, sizeof(text)) <= 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
		line = strtok_r(NULL, "\n", &save)) {
		size_t file;

		line[strcspn(line, " \t")] = '\0';
		spg_mount_unescape(line);
		file = find_path(a, line);
		if (file != SPG_NO_FILE)
			r = add(a, file, SPG_KERNEL_SWAP, line, 0);
	}
	return r;
}

/* ---- interpreters ---- */

static int take_interpreter(void *user, const struct spg_binfmt *binfmt)
{
	struct spg_user_search *a = user;
	size_t file =
		binfmt->keeps_open ? find_path(a, binfmt->interpreter) : SPG_NO_FILE;

	return file == SPG_NO_FILE ? 0
	                           : add(a, file, SPG_KERNEL_BINFMT, binfmt->name, 0);
}

int spg_kernel_users_find(struct spg_user_search *a)
{
	int r = find_loops(a);

	if (r == 0)
		r = find_swaps(a);
	return r == 0 ? spg_binfmt_each(a->mounts, take_interpreter, a) : r;
}
