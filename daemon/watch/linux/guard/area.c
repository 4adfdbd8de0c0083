/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/guard/area.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

#define DEPTH_MAX       64
#define DIRECTORIES_MAX 100000
/* Entries or marks between two breaths. */
#define BREATH          64

/* Attributes as they are known here: of a share nobody asks the server. */
static int look(int dir_fd, const char *name, int flags, struct statx *ret)
{
	return statx(dir_fd, name, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		STATX_TYPE | STATX_NLINK | STATX_INO | STATX_BTIME, ret);
}

static struct spg_guard_id id_of(const struct statx *st)
{
	return (struct spg_guard_id){.a = makedev(st->stx_dev_major, st->stx_dev_minor),
		.b = st->stx_ino,
		.c = st->stx_mask & STATX_BTIME
	                     ? (uint64_t)st->stx_btime.tv_sec * UINT64_C(1000000000) +
	                               st->stx_btime.tv_nsec
	                     : 0};
}

static bool link_of(int fd, char path[PATH_MAX])
{
	char link[48];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

static int add_path(struct spg_guard_area *area, const char *path)
{
	int r = spg_array_reserve(
		&area->paths, area->n_paths, &area->size_paths, sizeof(*area->paths));

	if (r == 0) {
		area->paths[area->n_paths] = strdup(path);
		r = area->paths[area->n_paths] ? 0 : SPG_ERR_NOMEM;
	}
	if (r == 0)
		area->n_paths++;
	return r;
}

/* A file with the product's name: @st of what the name leads to. */
static int note_file(struct spg_guard_area *area, const char *path, bool is_link,
	const struct statx *st)
{
	struct spg_guard_id id = id_of(st);
	int r = spg_guard_ids_add(&area->files, id);

	area->n_files++;
	if (r < 0 || (st->stx_nlink <= 1 && !is_link))
		return r < 0 ? r : 0;
	r = spg_guard_ids_add(&area->inodes, id);
	return r == 0 ? add_path(area, path) : r < 0 ? r : 0;
}

static int walk_into(struct spg_guard_area *area, const char *path, int depth);

static int note_entry(struct spg_guard_area *area, int dir_fd, const char *folder,
	const struct dirent *entry, int depth)
{
	bool may_be_folder = entry->d_type == DT_DIR || entry->d_type == DT_LNK ||
	                     entry->d_type == DT_UNKNOWN;
	bool named = spg_product_has_name(area->product, entry->d_name);
	char path[PATH_MAX];
	struct statx st;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		(!named && !(may_be_folder && area->product->recursive)))
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", strcmp(folder, "/") ? folder : "",
		    entry->d_name) >= (int)sizeof(path) ||
		look(dir_fd, entry->d_name, 0, &st) < 0)
		return 0; /* gone again, or a link to nowhere */
	if (S_ISREG(st.stx_mode) && named)
		return note_file(area, path, entry->d_type != DT_REG, &st);
	if (S_ISDIR(st.stx_mode) && area->product->recursive)
		return walk_into(area, path, depth + 1);
	return 0;
}

static int list(struct spg_guard_area *area, DIR *dir, const char *path, int depth)
{
	const struct dirent *entry;
	int r = 0;

	for (unsigned n = 0; r == 0 && (entry = readdir(dir)); n++) {
		if (n % BREATH == 0 && !area->breathe(area->user))
			return SPG_ERR_TIMEOUT;
		r = note_entry(area, dirfd(dir), path, entry, depth);
	}
	return r;
}

/* Returns 1 when there is no such directory, or it cannot be read. */
static int walk_into(struct spg_guard_area *area, const char *path, int depth)
{
	int fd, r;
	struct statx st;
	DIR *dir;

	if (depth > DEPTH_MAX)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return depth == 0 ? 1 : 0;
	dir = fdopendir(fd);
	if (!dir || look(fd, "", AT_EMPTY_PATH, &st) < 0) {
		if (dir)
			closedir(dir);
		else
			close(fd);
		return depth == 0 ? 1 : 0;
	}
	/* A link may lead back up. */
	r = spg_guard_ids_add(&area->seen, id_of(&st));
	if (r == 0 && area->seen.n > DIRECTORIES_MAX) {
		snprintf(area->why, sizeof(area->why),
			"it has more than %d directories", DIRECTORIES_MAX);
		r = SPG_ERR_LIMIT;
	}
	if (r == 0 && !spg_guard_ids_has(&area->directories, id_of(&st)))
		r = add_path(area, path);
	if (r == 0)
		r = list(area, dir, path, depth);
	closedir(dir);
	return r == 1 ? 0 : r;
}

/* Under which path /proc shows the directory's files. */
static int note_alias(struct spg_guard_area *area, const char *named)
{
	int fd = open(named, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spg_guard_alias alias = {NULL, NULL};
	char real[PATH_MAX];
	int r = 0;

	if (fd < 0)
		return 0;
	if (link_of(fd, real) && strcmp(real, named) != 0) {
		alias = (struct spg_guard_alias){strdup(real), strdup(named)};
		r = alias.real && alias.named
		            ? spg_array_reserve(&area->aliases, area->n_aliases,
				      &area->size_aliases, sizeof(alias))
		            : SPG_ERR_NOMEM;
		if (r == 0) {
			area->aliases[area->n_aliases++] = alias;
		} else {
			free(alias.real);
			free(alias.named);
		}
	}
	close(fd);
	return r;
}

static void drop_aliases(struct spg_guard_area *area)
{
	while (area->n_aliases > 0) {
		area->n_aliases--;
		free(area->aliases[area->n_aliases].real);
		free(area->aliases[area->n_aliases].named);
	}
}

static void drop_paths(struct spg_guard_area *area)
{
	while (area->n_paths > 0)
		free(area->paths[--area->n_paths]);
}

static int collect(struct spg_guard_area *area)
{
	const struct spg_product *product = area->product;
	size_t n_found = 0;
	int r = 0;

	drop_aliases(area);
	area->n_files = 0;
	for (size_t i = 0; r >= 0 && i < product->n_directories; i++) {
		r = walk_into(area, product->directories[i].path, 0);
		if (r == 0) {
			n_found++;
			r = note_alias(area, product->directories[i].path);
		}
	}
	if (r < 0)
		return r;
	if (n_found == 0) {
		snprintf(area->why, sizeof(area->why),
			"none of its directories is there");
		return SPG_ERR_NOT_FOUND;
	}
	return 0;
}

static int mark_one(struct spg_guard_area *area, const char *path)
{
	uint64_t mask = FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM;
	struct statx st;
	int r;

	if (look(AT_FDCWD, path, 0, &st) < 0)
		return 0; /* gone again */
	if (S_ISDIR(st.stx_mode))
		mask |= FAN_EVENT_ON_CHILD;
	if (fanotify_mark(area->group, FAN_MARK_ADD, mask, AT_FDCWD, path) < 0) {
		r = errno;
		if (r == ENOENT || r == ENOTDIR)
			return 0;
		snprintf(area->why, sizeof(area->why), "%s: %s", path, strerror(r));
		return r == ENOSPC                      ? SPG_ERR_LIMIT
		       : r == EOPNOTSUPP || r == EINVAL ? SPG_ERR_UNSUPPORTED
		                                        : SPG_ERR_IO;
	}
	r = 0;
	if (S_ISDIR(st.stx_mode))
		r = spg_guard_ids_add(&area->directories, id_of(&st));
	return r < 0 ? r : 0;
}

int spg_guard_area_walk(struct spg_guard_area *area)
{
	int r;

	area->why[0] = '\0';
	r = collect(area);
	for (size_t i = 0; r == 0 && i < area->n_paths; i++) {
		r = mark_one(area, area->paths[i]);
		if (r == 0 && i % BREATH == 0 && !area->breathe(area->user))
			r = SPG_ERR_TIMEOUT;
	}
	drop_paths(area);
	spg_guard_ids_finish(&area->seen);
	if (r < 0 && !area->why[0])
		snprintf(area->why, sizeof(area->why), "%s", spg_err_text(r));
	return r;
}

/* /proc says so behind the last path of a file without a name. */
static void cut_deleted(char *path)
{
	static const char end[] = " (deleted)";
	size_t n = strlen(path), n_end = sizeof(end) - 1;

	if (n > n_end && strcmp(path + n - n_end, end) == 0)
		path[n - n_end] = '\0';
}

/* The product's own name for @path. */
static void rename_back(const struct spg_guard_area *area, char path[PATH_MAX])
{
	const struct spg_guard_alias *best = NULL;
	char named[PATH_MAX];

	for (size_t i = 0; i < area->n_aliases; i++)
		if (spg_path_below(path, area->aliases[i].real, false) &&
			(!best || strlen(area->aliases[i].real) > strlen(best->real)))
			best = &area->aliases[i];
	if (!best)
		return;
	if (snprintf(named, sizeof(named), "%s%s", best->named,
		    path + strlen(best->real)) < (int)sizeof(named))
		memcpy(path, named, sizeof(named));
}

bool spg_guard_area_has(const struct spg_guard_area *area, int fd, char path[PATH_MAX],
	struct spg_guard_id *ret_id)
{
	struct statx st;
	bool has_path = link_of(fd, path), named = false;

	*ret_id = (struct spg_guard_id){.a = 0};
	if (look(fd, "", AT_EMPTY_PATH, &st) == 0)
		*ret_id = id_of(&st);
	if (has_path) {
		named = spg_product_has_name(area->product, spg_path_base(path));
		cut_deleted(path);
		named = named ||
		        spg_product_has_name(area->product, spg_path_base(path));
		rename_back(area, path);
	} else {
		path[0] = '\0';
	}
	return named || spg_guard_ids_has(&area->files, *ret_id);
}

void spg_guard_area_finish(struct spg_guard_area *area)
{
	drop_aliases(area);
	drop_paths(area);
	free(area->aliases);
	free(area->paths);
	area->aliases = NULL;
	area->paths = NULL;
	area->size_aliases = area->size_paths = 0;
	spg_guard_ids_finish(&area->files);
	spg_guard_ids_finish(&area->directories);
	spg_guard_ids_finish(&area->inodes);
	spg_guard_ids_finish(&area->seen);
}
