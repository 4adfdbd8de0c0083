/* SPDX-License-Identifier: MIT */
/*
 * Files that have lost their name, as BPF finds them: it knows of each that it has
 * none, /proc shows what it was called.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/proc/memory.h"
#include "daemon/watch/linux/survey/counted.h"

/* Looks that may find that a link led elsewhere on an overlay. */
#define MISTAKEN_MAX 3

/* The kernel's own encoding (linux/kdev_t.h). */
static uint64_t device_of(uint32_t dev)
{
	return makedev(dev >> 20, dev & 0xfffff);
}

static bool has_device(const struct spg_counted_files *c,
	const struct spg_known_directories *directories,
	const struct spg_mounts *mounts, uint64_t sdev)
{
	for (size_t i = 0; i < c->n_inodes; i++)
		if (c->inodes[i].sdev == sdev)
			return true;
	for (size_t i = 0; i < directories->n; i++) {
		const struct spg_mount *mount =
			spg_mounts_find(mounts, directories->marks[i].real_path);

		if (mount && mount->dev == sdev)
			return true;
	}
	return false;
}

#define NOT_SEEN "and does not let us see which"

static const struct spg_remedy look_into = {
	"let the daemon look into that process (CAP_SYS_PTRACE), or end it",
	SPG_COMMAND_EDIT_UNIT};

/* A nameless file in a process that shows nothing may be one of the product's. */
static int lack_lost(struct spg_survey *s, const struct spg_bpf_hit *hit,
	struct spg_remedy remedy, const char *why)
{
	if (s->counted->told_deleted || !has_device(s->counted, &s->directories,
						s->tools->mounts, device_of(hit->sdev)))
		return 0;
	s->counted->told_deleted = true;
	s->obs->search_failed = true;
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_DELETED_FILE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.remedy = remedy},
		"pid %" PRId32 " holds a file that was deleted, %s", hit->tgid, why);
}

/* True when @mark's directory, whose number is the parent's, is on its device. Below
 * one superblock of btrfs numbers repeat: stat(2) tells its subvolumes apart. */
static bool is_on_device(const struct spg_survey *s,
	const struct spg_known_directory *mark, const struct spg_bpf_hit *hit)
{
	const struct spg_mount *mount;

	if (hit->parent_dev != hit->parent_sdev)
		return mark->id.dev == device_of(hit->parent_dev);
	mount = spg_mounts_find(s->tools->mounts, mark->real_path);
	return mount && mount->dev == device_of(hit->parent_sdev);
}

/* Where a lost file was, from the directory on that the kernel remembers: its name, and
 * those of the directories that were removed as well. "": they are too long. */
static void path_of(const struct spg_bpf_hit *hit, char ret[SPG_BPF_NAME + 1])
{
	size_t at = SPG_BPF_NAME, n;

	ret[at] = '\0';
	for (size_t i = 0; i < SPG_BPF_NAME; i += n + 1) {
		n = strnlen(hit->name + i, SPG_BPF_NAME - i);
		if (n == 0 || n >= at)
			break;
		if (i > 0)
			ret[--at] = '/';
		at -= n;
		memcpy(ret + at, hit->name + i, n);
	}
	memmove(ret, ret + at, SPG_BPF_NAME + 1 - at);
}

/* The directory of the product's in which it lay, or which is the first above that has
 * not been removed; or NULL. */
static const struct spg_known_directory *find_parent(
	const struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	for (size_t i = 0; i < s->directories.n; i++) {
		const struct spg_known_directory *mark = &s->directories.marks[i];

		if (!mark->is_link && mark->id.ino == hit->parent_ino &&
			is_on_device(s, mark, hit))
			return mark;
	}
	return NULL;
}

/* A descriptor (O_PATH) of it, by the magic link below /proc/PID that leads to it; or a
 * negative spg_err, with errno unless it is SPG_ERR_TIMEOUT. */
static int open_lost(int proc_fd, const struct spg_bpf_hit *hit)
{
	char link[64];
	int fd;

	if (hit->kind == SPG_HIT_DELETED_MAP)
		return spg_memory_open_mapped(proc_fd, hit->start, hit->end);
	if (hit->kind == SPG_HIT_DELETED_FD)
		snprintf(link, sizeof(link), "task/%" PRId32 "/fd/%" PRId32, hit->tid,
			hit->fd);
	else
		snprintf(link, sizeof(link), "task/%" PRId32 "/exe", hit->tid);
	fd = openat(proc_fd, link, O_PATH | O_CLOEXEC);
	return fd >= 0 ? fd : spg_err_from_errno(errno);
}

/* Where only the directory itself is looked into, nothing below it counts; though a link
 * may yet lead there. */
static bool may_be_below(const struct spg_survey *s, const char *path)
{
	return s->obs->product->recursive || !strchr(path, '/');
}

static bool is_parent(const char *path, size_t len, const struct spg_bpf_hit *hit)
{
	char folder[PATH_MAX];
	struct statx stx;

	snprintf(folder, sizeof(folder), "%.*s", len > 0 ? (int)len : 1, path);
	return statx(AT_FDCWD, folder,
		       AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW,
		       STATX_INO, &stx) == 0 &&
	       stx.stx_ino == hit->parent_ino &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) ==
	               device_of(hit->parent_dev);
}

/* A directory of the product's that was made anew, where @path, from the directory on that
 * the kernel remembers, goes through the one before it. *path: from there on. */
static const struct spg_known_directory *find_made_anew(
	const struct spg_survey *s, const struct spg_bpf_hit *hit, const char **path)
{
	for (size_t i = 0; i < s->directories.n; i++) {
		const struct spg_known_directory *mark = &s->directories.marks[i];
		size_t len = strlen(mark->real_path), at = len;

		while (!mark->is_link && at > 0) {
			size_t n = len - at; /* what is behind the slash at @at */

			if (mark->real_path[at - 1] == '/' && n > 0 &&
				strncmp(mark->real_path + at, *path, n) == 0 &&
				(*path)[n] == '/' && may_be_below(s, *path + n + 1) &&
				is_parent(mark->real_path, at - 1, hit)) {
				*path += n + 1;
				return mark;
			}
			at--;
		}
	}
	return NULL;
}

/* Does the kernel's memory of its directory not tell all? The numbers of an overlay's
 * inodes are others than those of stat(2). */
static bool must_guess(
	const struct spg_survey *s, const struct spg_bpf_hit *hit, const char *path)
{
	if (!path[0])
		return true;
	for (size_t i = 0; i < s->directories.n; i++) {
		const struct spg_mount *mount = spg_mounts_find(
			s->tools->mounts, s->directories.marks[i].real_path);

		if (mount && mount->class == SPG_FS_OVERLAY &&
			mount->dev == device_of(hit->sdev))
			return true;
	}
	return false;
}

static bool is_wanted(const struct spg_survey *s, const char *name)
{
	return spg_product_has_name(s->obs->product, name) ||
	       (s->deleted.extra && spg_name_set_has_path(s->deleted.extra, name));
}

/* The memory map of its user does not answer. Could it be the product's, by what the
 * kernel remembers? Not when it lay in a directory that is there and another one. */
static bool may_be_ours(const struct spg_survey *s, const struct spg_bpf_hit *hit,
	const struct spg_known_directory *parent)
{
	const char *name = hit->name; /* the first of several */

	if (parent)
		return is_wanted(s, name);
	for (size_t i = 0; i < s->directories.n; i++) {
		const struct spg_known_directory *mark = &s->directories.marks[i];

		if (mark->is_link && strcmp(spg_path_base(mark->real_path), name) == 0)
			return true;
	}
	return !name[0] || (hit->parent_gone && is_wanted(s, name));
}

static int lack_stuck(struct spg_survey *s, const struct spg_bpf_hit *hit, int proc_fd,
	const struct spg_known_directory *parent)
{
	struct spg_user_search *a = &s->search;

	if (!may_be_ours(s, hit, parent))
		return 0;
	/* It may have been ending, and an end takes its time: the next look, which always
	 * follows the first, finds it without its memory map, or finds it no more. */
	if (s->counted->n_looks <= 1) {
		s->counted->unanswered = true;
		return 0;
	}
	spg_user_search_stuck(a, proc_fd, hit->tgid);
	return lack_lost(s, hit,
		(struct spg_remedy){"end the process, or see what it waits for: "
				    "/proc/PID/task/*/stack",
			NULL},
		"its memory map does not answer");
}

/* See whether one that has lost its name was the product's: by the directory that
 * the kernel remembers, else by what its holder sees. *ret_seen: it was there. */
static int look_at_lost(
	struct spg_survey *s, const struct spg_bpf_hit *hit, bool *ret_seen)
{
	struct spg_user_search *a = &s->search;
	const struct spg_known_directory *parent = NULL;
	int proc_fd = spg_proc_open(hit->tgid), fd, r = 0;
	char way[SPG_BPF_NAME + 1];
	const char *path = way;

	if (proc_fd == SPG_ERR_NOT_FOUND)
		return 0;
	if (proc_fd < 0)
		return lack_lost(s, hit, look_into, NOT_SEEN);
	path_of(hit, way);
	if (path[0] && may_be_below(s, path))
		parent = find_parent(s, hit);
	if (!parent)
		parent = find_made_anew(s, hit, &path);
	fd = open_lost(proc_fd, hit);
	*ret_seen = fd >= 0;
	if (fd >= 0 && parent)
		r = spg_deleted_by_parent(a, fd, parent, path);
	else if (fd >= 0)
		r = spg_deleted_by_open(a, proc_fd, fd, must_guess(s, hit, path));
	else if (fd == SPG_ERR_TIMEOUT)
		r = lack_stuck(s, hit, proc_fd, parent);
	else if (fd == SPG_ERR_NOMEM)
		r = fd;
	else if (spg_user_search_failed(a, errno))
		/* It is there, and does not let us see it. */
		r = lack_lost(s, hit, look_into, NOT_SEEN);
	close(proc_fd);
	return r;
}

static bool is_on_overlay(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/*
 * Between the search and the opening of its link a process may have closed the file,
 * unmapped it or executed another one; then the link leads to a file that has never
 * been the product's. So an in-use probe of the names from @first on says what they are, and
 * the survey looks again, as after everything that moved. Of an overlay the in-use probe may
 * not tell every layer: there, what goes on to differ counts as an old version.
 */
static int drop_mistaken(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	size_t n = first;
	int r;

	if (c->n_names == first)
		return 0;
	r = spg_counted_probe_from(s, first);
	for (size_t i = first; r == 0 && i < c->n_names; i++) {
		struct spg_named *named = &c->names[i];

		c->mistaken = c->mistaken || named->expected != 0;
		c->by_fd[named->fd] = 0;
		if (named->expected &&
			(c->n_mistaken < MISTAKEN_MAX || !is_on_overlay(named->fd))) {
			s->obs->files[named->file].presence = SPG_GONE;
			close(named->fd);
			continue;
		}
		named->expected = 0;
		c->names[n++] = *named;
		c->by_fd[named->fd] = n;
	}
	if (r < 0 || !c->mistaken)
		return r;
	c->n_mistaken++;
	c->n_names = n;
	if (n > first)
		return 0;
	c->found_deleted = false;
	return spg_counted_probe_from(s, 0);
}

int spg_look_at_deleted(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;
	size_t n_before = s->obs->n_files, first = c->n_names;
	const struct spg_bpf_hit *last = NULL;
	bool seen = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_hits; i++) {
		const struct spg_bpf_hit *hit = &c->hits[i];
		size_t n_files = s->obs->n_files, n_names = c->n_names;

		/* A library has several mappings, one beside the other; each is enough,
		 * if it is still there. */
		if (!spg_is_deleted(hit) ||
			(seen && hit->file == last->file &&
				hit->parent_ino == last->parent_ino &&
				memcmp(hit->name, last->name, SPG_BPF_NAME) == 0 &&
				hit->tgid == last->tgid))
			continue;
		last = hit;
		seen = false;
		r = look_at_lost(s, hit, &seen);
		for (size_t k = n_names; k < c->n_names; k++)
			if (c->names[k].file >= n_files)
				c->names[k].expected = hit->inode;
	}
	if (r == 0)
		r = drop_mistaken(s, first);
	for (size_t i = n_before; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].in_use == SPG_IN_USE_UNKNOWN)
			r = spg_counted_probe(s, i);
	return r;
}
