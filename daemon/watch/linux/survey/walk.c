/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/files/listing.h"
#include "daemon/watch/linux/files/resolve.h"

#define FOREIGN_TIMEOUT_MS 1000
#define DEPTH_MAX          64

/* One directory while it is walked. */
struct folder {
	const char *path;      /* as the product names it */
	const char *real_path; /* without symbolic links */
	const struct spg_mount *mount;
	bool has_mounts; /* something is mounted below */
	int depth;
};

static int order_by_path(const void *a, const void *b)
{
	return strcmp((*(struct spg_linux_file *const *)a)->base.path,
		(*(struct spg_linux_file *const *)b)->base.path);
}

/* The walk's index of what is known: present files before replaced ones would
 * be nicer, but a path can only be reused if its identity still matches. */
static int index_known(struct spg_walk *walk)
{
	walk->by_path = calloc(walk->n_known + 1, sizeof(struct spg_linux_file *));
	if (!walk->by_path)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < walk->n_known; i++)
		walk->by_path[i] = spg_linux_file(walk->known[i]);
	qsort(walk->by_path, walk->n_known, sizeof(struct spg_linux_file *),
		order_by_path);
	return 0;
}

void spg_known_directories_finish(struct spg_known_directories *directories)
{
	for (size_t i = 0; i < directories->n; i++) {
		free(directories->marks[i].path);
		free(directories->marks[i].real_path);
	}
	for (size_t i = 0; i < directories->n_links; i++)
		free(directories->links[i].path);
	free(directories->marks);
	free(directories->links);
	*directories = (struct spg_known_directories)SPG_KNOWN_DIRECTORIES_NULL;
}

static int add_landmark(struct spg_walk *walk, const char *path, const char *real_path,
	const struct stat *st)
{
	struct spg_known_directories *to = walk->directories;
	struct spg_known_directory mark = {.path = strdup(path),
		.real_path = strdup(real_path),
		.id = spg_id_of(st),
		.changed = st->st_ctim,
		.is_link = !S_ISDIR(st->st_mode)};

	if (!mark.path || !mark.real_path ||
		spg_array_reserve(&to->marks, to->n, &to->size, sizeof(mark)) < 0) {
		free(mark.path);
		free(mark.real_path);
		return SPG_ERR_NOMEM;
	}
	to->marks[to->n++] = mark;
	return 0;
}

/* @st: of what the link at @path leads to; NULL: to nothing. */
static int add_link(struct spg_walk *walk, const char *path, const struct stat *st)
{
	struct spg_known_directories *to = walk->directories;
	struct spg_link link = {.path = strdup(path), .dangles = !st};

	if (st)
		link.id = spg_id_of(st);
	if (!link.path || spg_array_reserve(&to->links, to->n_links, &to->size_links,
				  sizeof(link)) < 0) {
		free(link.path);
		return SPG_ERR_NOMEM;
	}
	to->links[to->n_links++] = link;
	return 0;
}

/*
 * True when the directory was walked under another of its names: a link may lead
 * back up. Its files are the same inodes, unless something is mounted on one below
 * either name; and unless somebody asks about them by this name.
 */
static bool was_walked(
	const struct spg_walk *walk, const struct folder *folder, struct spg_file_id id)
{
	if (walk->extra && spg_name_set_any_below(walk->extra, folder->path))
		return false;
	for (size_t i = 0; i < walk->directories->n; i++) {
		const struct spg_known_directory *mark = &walk->directories->marks[i];

		if (mark->is_link || !spg_file_id_equal(mark->id, id))
			continue;
		if (strcmp(mark->real_path, folder->real_path) == 0 ||
			!(folder->has_mounts ||
				spg_mounts_any_below(walk->mounts, mark->real_path)))
			return true;
	}
	return false;
}

void spg_walk_finish(struct spg_walk *walk)
{
	free(walk->by_path);
	walk->by_path = NULL;
}

/* The record of this path with this identity, or else any of the path. */
static struct spg_linux_file *find_known(
	const struct spg_walk *walk, const char *path, struct spg_file_id id)
{
	struct spg_linux_file *any = NULL;
	size_t low = 0, high = walk->n_known;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(walk->by_path[middle]->base.path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < walk->n_known; low++) {
		struct spg_linux_file *file = walk->by_path[low];

		if (strcmp(file->base.path, path) != 0)
			break;
		any = file;
		if (spg_file_id_equal(file->base.id, id))
			break;
	}
	return any;
}

static bool is_wanted(const struct spg_walk *walk, const char *path)
{
	const char *name = spg_path_base(path);

	return spg_product_has_name(walk->obs->product, name) ||
	       (walk->extra && spg_name_set_has_path(walk->extra, path));
}

/* The file of the link @path lies at @real: in no directory that is watched for the files of
 * its product? One in the link's own directory is. */
static bool is_away(struct spg_walk *walk, const char *path, const char *real)
{
	size_t n = (size_t)(spg_path_base(path) - path), n_real;
	char folder[PATH_MAX], real_folder[PATH_MAX];
	const struct spg_mount *mount;

	if (spg_product_covers(walk->obs->product, real))
		return false;
	snprintf(folder, sizeof(folder), "%.*s", (int)n, path);
	if (spg_resolve(walk->mounts, folder, real_folder, &mount) != 0)
		return true;
	n_real = strlen(real_folder);
	return strncmp(real, real_folder, n_real) != 0 || real[n_real] != '/' ||
	       strchr(real + n_real + 1, '/');
}

/* A file with a name in some directory that is not watched needs its own mark. @away: its
 * directory is none that is watched. */
static int mark_file(
	struct spg_walk *walk, const struct spg_linux_file *file, bool away)
{
	int fd, r;

	if (!walk->marks || (file->base.n_links <= 1 && !file->through_link) ||
		file->class == SPG_FS_FOREIGN)
		return 0;
	fd = open(file->base.path, O_PATH | O_CLOEXEC);
	if (fd < 0 && !spg_errno_is_shortage(errno))
		return 0;
	r = fd < 0 ? SPG_ERR_LIMIT
	           : spg_marks_add(walk->marks, fd, file->base.path,
			     SPG_MARK_FILE | (away ? SPG_MARK_LINKED : 0));
	if (fd >= 0)
		close(fd);
	if (r == SPG_ERR_NOMEM)
		return r;
	if (r < 0)
		return spg_observation_add_lack(walk->obs,
			&(struct spg_lack){.kind = SPG_LACK_LINKED_FILE_EVENTS,
				.file = SPG_NO_FILE,
				.path = file->base.path,
				.remedy = {"surveys still look at it; raise "
					   "fs.fanotify.max_user_marks if that is the "
					   "limit",
					NULL}},
			"%s cannot be marked: %s", file->base.path, spg_err_text(r));
	return 0;
}

/* What statx(2) says of @name, as stat(2) would, and the attributes besides. Returns 0, or
 * -1 with errno. */
static int look_at(int dir_fd, const char *name, int flags, struct spg_place *ret)
{
	struct statx stx;

	if (statx(dir_fd, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &stx) < 0)
		return -1;
	ret->st = (struct stat){.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_ino = stx.stx_ino,
		.st_mode = stx.stx_mode,
		.st_nlink = stx.stx_nlink,
		.st_uid = stx.stx_uid,
		.st_gid = stx.stx_gid,
		.st_size = (off_t)stx.stx_size,
		.st_mtim = {stx.stx_mtime.tv_sec, stx.stx_mtime.tv_nsec},
		.st_ctim = {stx.stx_ctime.tv_sec, stx.stx_ctime.tv_nsec}};
	ret->attributes = stx.stx_attributes;
	return 0;
}

static unsigned obstacles_of(uint64_t attributes)
{
	unsigned obstacles = 0;

	if (attributes & STATX_ATTR_IMMUTABLE)
		obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_IMMUTABLE);
	if (attributes & STATX_ATTR_APPEND)
		obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_APPEND_ONLY);
	if (attributes & STATX_ATTR_VERITY)
		obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_VERITY);
	return obstacles;
}

static int64_t ns_of(struct timespec time)
{
	return time.tv_sec * SPG_NS_PER_S + time.tv_nsec;
}

/* @real: where the file of a link lies; NULL: it is none. */
static int add_file(
	struct spg_walk *walk, const struct spg_place *place, const char *real)
{
	struct spg_file_id id = spg_id_of(&place->st);
	struct spg_linux_file *known = find_known(walk, place->path, id);
	struct spg_linux_file *file = spg_linux_file_make(place, walk->mounts, known);
	int r;

	if (!file)
		return SPG_ERR_NOMEM;
	r = mark_file(walk, file, real && is_away(walk, place->path, real));
	if (r == 0)
		r = spg_observation_add_file(
			walk->obs, &file->base, SPG_PRESENT, SPG_IN_USE_UNKNOWN);
	if (r == 0) {
		struct spg_seen_file *seen = &walk->obs->files[walk->obs->n_files - 1];

		seen->obstacles = obstacles_of(place->attributes);
		seen->bytes = (uint64_t)place->st.st_size;
		seen->mtime_ns = ns_of(place->st.st_mtim);
		seen->ctime_ns = ns_of(place->st.st_ctim);
	}
	spg_file_unref(&file->base);
	return r;
}

#define MAKE_READABLE "make it readable by the daemon"
#define ASK_THERE     "run spguardd where the files are served from, and ask there"
#define MEND_LINK     "mend the link, or take it away"
#define RAISE_LIMIT   "raise the limit of open files (LimitNOFILE=, ulimit -n)"
#define SHORTEN                                                                        \
	"shorten the names of the directories on the way to it, or take it out of "    \
	"the "                                                                         \
	"product (\"recursive\", \"files\")"

static int lack_file(
	struct spg_walk *walk, const char *path, const char *why, const char *remedy)
{
	walk->obs->unlisted = true;
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_LINK,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {remedy, NULL}},
		"%s: %s", path, why);
}

/* A path that could not be followed, with spg_resolve()'s @err. */
static int lack_link(struct spg_walk *walk, const char *path, int err)
{
	if (err == SPG_ERR_INVALID)
		return lack_file(walk, path, "the path is too long", SHORTEN);
	return lack_file(walk, path, spg_err_text(err),
		err == SPG_ERR_DENIED ? MAKE_READABLE : MEND_LINK);
}

/* A device or the like is mounted on what may be a file: /dev/null hides one so. */
static int lack_covered(struct spg_walk *walk, const char *path)
{
	struct spg_buf remedy = SPG_BUF_NULL;
	int r = SPG_ERR_NOMEM;

	spg_buf_puts(&remedy, "umount ");
	spg_text_shell_quote(&remedy, path);
	if (!remedy.failed)
		r = spg_observation_add_lack(walk->obs,
			&(struct spg_lack){.kind = SPG_LACK_FILE,
				.file = SPG_NO_FILE,
				.blinds = true,
				.path = path,
				.remedy = {spg_buf_text(&remedy), NULL}},
			"%s: what is no file is mounted on it", path);
	spg_buf_finish(&remedy);
	return r;
}

/* A link to nothing. What it led to may have been deleted, and be in use yet: nobody
 * but its users knows of it, by the path that it had. */
static int visit_dangling(struct spg_walk *walk, const char *path, const char *target)
{
	const struct stat file = {.st_mode = S_IFREG}, folder = {.st_mode = S_IFDIR};
	int r = add_link(walk, path, NULL);

	if (r == 0 && is_wanted(walk, path))
		r = add_landmark(walk, path, target, &file);
	if (r == 0 && walk->obs->product->recursive)
		r = add_landmark(walk, path, target, &folder);
	return r;
}

/* A name that is a symbolic link: the file is somewhere else. */
static int visit_link(struct spg_walk *walk, const char *path, bool *ret_is_dir)
{
	struct spg_place place = {.path = path, .through_link = true};
	char real_path[PATH_MAX];
	int r = spg_resolve(walk->mounts, path, real_path, &place.mount);

	if (r == SPG_ERR_NOT_FOUND)
		return visit_dangling(walk, path, real_path);
	if (r == SPG_RESOLVE_FOREIGN && !is_wanted(walk, path)) {
		*ret_is_dir = true; /* or it is one: the walk below will tell */
		return 0;
	}
	if (r == SPG_RESOLVE_FOREIGN)
		return lack_file(
			walk, path, "it leads to a foreign filesystem", ASK_THERE);
	/* Nobody can open that: it is no file. */
	if (r == SPG_RESOLVE_CIRCLE)
		return add_link(walk, path, NULL);
	if (r < 0)
		return lack_link(walk, path, r);
	if (look_at(AT_FDCWD, real_path, 0, &place) < 0)
		return errno == ENOENT
		               ? add_link(walk, path, NULL)
		               : lack_file(walk, path, strerror(errno), MAKE_READABLE);
	*ret_is_dir = S_ISDIR(place.st.st_mode);
	r = add_link(walk, path, &place.st);
	if (r < 0 || !S_ISREG(place.st.st_mode) || !is_wanted(walk, path))
		return r;
	place.real_path = real_path;
	r = add_landmark(walk, path, real_path, &place.st);
	return r == 0 ? add_file(walk, &place, real_path) : r;
}

/* A name that belongs to the product, or may be a subdirectory. */
static int visit_name(struct spg_walk *walk, const struct folder *folder, int dir_fd,
	const char *name, bool *ret_is_dir)
{
	char path[PATH_MAX], real_path[PATH_MAX];
	struct spg_place place = {.path = path, .real_path = real_path};

	*ret_is_dir = false;
	if (snprintf(path, sizeof(path), "%s/%s",
		    strcmp(folder->path, "/") == 0 ? "" : folder->path,
		    name) >= (int)sizeof(path) ||
		snprintf(real_path, sizeof(real_path), "%s/%s",
			strcmp(folder->real_path, "/") == 0 ? "" : folder->real_path,
			name) >= (int)sizeof(real_path))
		return lack_file(
			walk, folder->path, "a path below is too long", SHORTEN);
	/* A file or directory may itself be a mount point of anything. */
	place.mount = folder->has_mounts ? spg_mounts_find(walk->mounts, real_path)
	                                 : folder->mount;
	if (place.mount && place.mount->class == SPG_FS_FOREIGN &&
		place.mount != folder->mount) {
		if (!walk->obs->product->recursive && is_wanted(walk, path))
			return lack_file(walk, path,
				"a foreign filesystem is mounted there", ASK_THERE);
		*ret_is_dir = true; /* walked, or refused, as a folder of its own */
		return 0;
	}
	if (look_at(dir_fd, name, AT_SYMLINK_NOFOLLOW, &place) < 0)
		return errno == ENOENT || !is_wanted(walk, path)
		               ? 0
		               : lack_file(walk, path, strerror(errno), MAKE_READABLE);
	if (S_ISDIR(place.st.st_mode)) {
		*ret_is_dir = true;
		return 0;
	}
	if (S_ISLNK(place.st.st_mode) &&
		(walk->obs->product->recursive || is_wanted(walk, path)))
		return visit_link(walk, path, ret_is_dir);
	if (!is_wanted(walk, path))
		return 0;
	if (S_ISREG(place.st.st_mode))
		return add_file(walk, &place, NULL);
	return place.attributes & STATX_ATTR_MOUNT_ROOT ? lack_covered(walk, path) : 0;
}

static int walk_folder(struct spg_walk *walk, const char *path, int depth);

static int list_local(struct spg_walk *walk, const struct folder *folder, int fd)
{
	bool recursive = walk->obs->product->recursive;
	const struct dirent *entry;
	DIR *dir = fdopendir(fd);
	int r = 0;

	if (!dir) {
		close(fd);
		return SPG_ERR_NOMEM;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		char path[PATH_MAX];
		bool is_dir = false;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		/* Most names of a large directory are not ours: spare the stat. */
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN &&
			!(recursive && entry->d_type == DT_LNK) &&
			!spg_product_has_name(walk->obs->product, entry->d_name) &&
			!walk->extra)
			continue;
		if (entry->d_type == DT_DIR && !recursive)
			continue;
		r = visit_name(walk, folder, dirfd(dir), entry->d_name, &is_dir);
		if (r == 0 && is_dir && recursive &&
			snprintf(path, sizeof(path), "%s/%s",
				strcmp(folder->path, "/") == 0 ? "" : folder->path,
				entry->d_name) < (int)sizeof(path))
			r = walk_folder(walk, path, folder->depth + 1);
		if (walk->cancel && atomic_load(walk->cancel))
			r = SPG_ERR_TIMEOUT;
	}
	if (r == 0 && errno)
		r = lack_file(walk, folder->path, strerror(errno), MAKE_READABLE);
	closedir(dir);
	return r;
}

static int lack_foreign(struct spg_walk *walk, const struct folder *folder, int err)
{
	const char *type = folder->mount ? folder->mount->type : "unknown";

	/* Nobody goes into the directories below. */
	if (err < 0 || walk->obs->product->recursive)
		walk->obs->unlisted = true;
	if (err == SPG_ERR_TIMEOUT)
		return spg_observation_add_lack(walk->obs,
			&(struct spg_lack){.kind = SPG_LACK_DIRECTORY_SILENT,
				.file = SPG_NO_FILE,
				.blinds = true,
				.path = folder->path,
				.remedy = {"see whether its server is there: mount, df",
					NULL}},
			"%s (%s) does not answer", folder->path, type);
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_USERS_ELSEWHERE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = folder->path,
			.remedy = {"run spguardd where the files are served from, and "
				   "ask there",
				NULL}},
		"%s is on a %s filesystem: only this machine's users are seen",
		folder->path, type);
}

/* Holders on this machine can be found; others cannot, so it is never safe. */
static int list_foreign(struct spg_walk *walk, const struct folder *folder)
{
	struct spg_listing *listing = NULL;
	int r = spg_list_bounded(folder->real_path, FOREIGN_TIMEOUT_MS, &listing);

	if (r == SPG_ERR_NOMEM)
		return r;
	if (r < 0)
		return lack_foreign(walk, folder, r);
	if (listing->errnum)
		r = lack_file(
			walk, folder->path, strerror(listing->errnum), MAKE_READABLE);
	for (size_t i = 0; r == 0 && i < listing->n; i++) {
		char path[PATH_MAX], real_path[PATH_MAX];
		struct spg_place place = {.path = path,
			.real_path = real_path,
			.st = listing->files[i].st,
			.mount = folder->mount};

		if (snprintf(path, sizeof(path), "%s/%s", folder->path,
			    listing->files[i].name) >= (int)sizeof(path) ||
			snprintf(real_path, sizeof(real_path), "%s/%s",
				folder->real_path,
				listing->files[i].name) >= (int)sizeof(real_path))
			continue;
		if (is_wanted(walk, path))
			r = add_file(walk, &place, NULL);
	}
	spg_listing_destroy(listing);
	return r == 0 ? lack_foreign(walk, folder, 0) : r;
}

/* Watch the real directories below an overlay under the merged one's name. */
static int mark_layers(struct spg_walk *walk, const struct folder *folder)
{
	const char *below = strcmp(folder->mount->path, "/") == 0
	                            ? folder->real_path
	                            : folder->real_path + strlen(folder->mount->path);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 500; i++) {
		char *layer = spg_mount_layer(
			folder->mount, i == 0 ? "upperdir" : "lowerdir", i ? i - 1 : 0);
		char path[PATH_MAX];
		int fd;

		if (!layer && i > 0)
			break;
		if (!layer || layer[0] != '/') {
			free(layer);
			continue;
		}
		snprintf(path, sizeof(path), "%s%s%s", layer,
			strcmp(folder->mount->root, "/") == 0 ? ""
							      : folder->mount->root,
			below);
		free(layer);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && spg_errno_is_shortage(errno))
			return SPG_ERR_LIMIT;
		if (fd < 0)
			continue;
		r = spg_marks_add(walk->marks, fd, folder->path, SPG_MARK_DIRECTORY);
		close(fd);
	}
	return r == SPG_ERR_NOMEM || r == SPG_ERR_LIMIT ? r : 0;
}

/* Without events a proof cannot tell that nothing happened meanwhile. */
static int lack_events(struct spg_walk *walk, const char *path, int err)
{
	struct spg_lack lack = {.kind = SPG_LACK_DIRECTORY_EVENTS,
		.file = SPG_NO_FILE,
		.blinds = true,
		.path = path,
		.remedy = {"see \"file events\" in: spguard doctor", NULL}};

	if (err == SPG_ERR_LIMIT)
		lack.remedy = (struct spg_remedy){
			"raise fs.fanotify.max_user_groups and max_user_marks, "
			"fs.inotify.max_user_watches and max_user_instances (sysctl), "
			"and the limit of open files (LimitNOFILE=)",
			SPG_COMMAND_EDIT_UNIT};
	else if (err == SPG_ERR_UNSUPPORTED)
		lack.remedy.text =
			"use the tier \"bpf\", or a newer kernel: from 6.8 on for a "
			"subvolume of btrfs, from 6.6 on for an overlay";
	return spg_observation_add_lack(
		walk->obs, &lack, "%s cannot be watched: %s", path, spg_err_text(err));
}

static int lack_unreadable(struct spg_walk *walk, const char *path, int errnum)
{
	struct spg_lack lack = {.kind = SPG_LACK_DIRECTORY_UNREADABLE,
		.file = SPG_NO_FILE,
		.blinds = true,
		.path = path,
		.remedy = {"let the daemon read it: it needs CAP_DAC_READ_SEARCH",
			SPG_COMMAND_EDIT_UNIT}};

	if (errnum == ENOTDIR)
		lack.remedy = (struct spg_remedy){"name its directory instead", NULL};
	return spg_observation_add_lack(
		walk->obs, &lack, "%s cannot be opened: %s", path, strerror(errnum));
}

static int mark_folder(struct spg_walk *walk, const struct folder *folder, int fd)
{
	int r;

	if (!walk->marks)
		return 0;
	r = spg_marks_add(walk->marks, fd, folder->path, SPG_MARK_DIRECTORY);
	if (r == 0 && folder->mount && folder->mount->class == SPG_FS_OVERLAY)
		r = mark_layers(walk, folder);
	return r == SPG_ERR_NOMEM || r == 0 ? r : lack_events(walk, folder->path, r);
}

static int walk_local(struct spg_walk *walk, const struct folder *folder)
{
	int fd = open(
		folder->real_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r;

	if (fd < 0) {
		/* A subdirectory that vanished is no lack; its event has come. */
		if (errno == ENOENT && folder->depth > 0)
			return 0;
		walk->obs->unlisted = true;
		return lack_unreadable(walk, folder->path, errno);
	}
	if (fstat(fd, &st) < 0 ||
		(folder->depth > 0 && was_walked(walk, folder, spg_id_of(&st)))) {
		close(fd);
		return 0;
	}
	r = add_landmark(walk, folder->path, folder->real_path, &st);
	if (r == 0)
		r = mark_folder(walk, folder, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return list_local(walk, folder, fd);
}

/* @place: where it would have to be, without links. */
static int lack_missing(struct spg_walk *walk, const char *path, const char *place)
{
	const struct spg_product *product = walk->obs->product;
	const char *origin = "the configuration";

	for (size_t i = 0; i < product->n_directories; i++)
		if (strcmp(product->directories[i].path, path) == 0)
			origin = product->directories[i].origin;
	if (spg_observation_add_missing(walk->obs, place) < 0 ||
		spg_observation_add_missing(walk->obs, path) < 0)
		return SPG_ERR_NOMEM;
	return spg_observation_add_lack(walk->obs,
		&(struct spg_lack){.kind = SPG_LACK_DIRECTORY_MISSING,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = path,
			.remedy = {"create it, or take it out of the product, or the "
				   "product out of the configuration, then: spguard "
				   "reload",
				SPG_COMMAND_RELOAD}},
		"%s does not exist (%s)", path, origin);
}

static int walk_folder(struct spg_walk *walk, const char *path, int depth)
{
	struct folder folder = {.path = path, .depth = depth};
	char real_path[PATH_MAX];
	int r;

	if (walk->progress)
		walk->progress(walk->user, path);
	if (depth > DEPTH_MAX)
		return lack_file(
			walk, path, "directories are nested too deep", SHORTEN);
	r = spg_resolve(walk->mounts, path, real_path, &folder.mount);
	if (r == SPG_ERR_NOT_FOUND)
		return depth == 0 ? lack_missing(walk, path, real_path) : 0;
	if (r == SPG_ERR_NOMEM)
		return r;
	if (r == SPG_RESOLVE_CIRCLE)
		return depth > 0 ? 0
		                 : lack_file(walk, path, "symbolic links in a circle",
					   MEND_LINK);
	if (r < 0)
		return lack_link(walk, path, r);
	if (r == SPG_RESOLVE_FOREIGN) {
		folder.real_path = path;
		return list_foreign(walk, &folder);
	}
	folder.real_path = real_path;
	folder.has_mounts = spg_mounts_any_below(walk->mounts, real_path);
	return walk_local(walk, &folder);
}

/*
 * Watch every directory above @path, so that a part of the path that appears,
 * vanishes or is replaced is an event; those that are there.
 */
static int mark_ancestors(struct spg_walk *walk, const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return 0;
	memcpy(part, path, len + 1);
	for (;;) {
		const struct spg_mount *mount;
		char *slash = strrchr(part, '/');
		int fd, r;

		if (!slash || part[1] == '\0')
			return 0;
		slash[slash == part] = '\0';
		mount = spg_mounts_find(walk->mounts, part);
		if (mount && mount->class == SPG_FS_FOREIGN)
			continue;
		fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && spg_errno_is_shortage(errno))
			return lack_events(walk, part, SPG_ERR_LIMIT);
		if (fd < 0)
			continue;
		r = spg_marks_add(walk->marks, fd, part, SPG_MARK_ANCESTOR);
		close(fd);
		if (r == SPG_ERR_LIMIT)
			return lack_events(walk, part, r);
		if (r == SPG_ERR_NOMEM)
			return r;
	}
}

/* The ways to a product's directories, while they are found. */
struct ways {
	char **paths;
	size_t n, size;
};

static int add_way(void *user, const char *path)
{
	struct ways *ways = user;
	char *copy = strdup(path);

	if (!copy || spg_array_reserve(&ways->paths, ways->n, &ways->size,
			     sizeof(*ways->paths)) < 0) {
		free(copy);
		return SPG_ERR_NOMEM;
	}
	ways->paths[ways->n++] = copy;
	return 0;
}

/* Watch what is above the product's directories, and above every link that leads to
 * one: where it leads may change far from both. */
static int mark_ways(struct spg_walk *walk)
{
	const struct spg_product *product = walk->obs->product;
	struct ways ways = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < product->n_directories; i++) {
		const char *path = product->directories[i].path;
		const struct spg_mount *mount;
		char real_path[PATH_MAX];

		r = mark_ancestors(walk, path);
		if (r == 0)
			r = spg_resolve_by_links(
				walk->mounts, path, real_path, &mount, add_way, &ways);
		/* Where nothing is, something may come. */
		if (r == 0 || r == SPG_ERR_NOT_FOUND)
			r = add_way(&ways, real_path);
		else if (r != SPG_ERR_NOMEM)
			r = 0; /* the walk tells why */
	}
	for (size_t i = 0; r == 0 && i < ways.n; i++)
		r = mark_ancestors(walk, ways.paths[i]);
	if (r == 0)
		r = spg_marks_set_ways(walk->marks, product->name, ways.paths, ways.n);
	for (size_t i = 0; i < ways.n; i++)
		free(ways.paths[i]);
	free(ways.paths);
	return r;
}

int spg_walk_all(struct spg_walk *walk)
{
	const struct spg_product *product = walk->obs->product;
	int r = index_known(walk);

	if (r == 0 && walk->marks)
		r = mark_ways(walk);
	for (size_t i = 0; r == 0 && i < product->n_directories; i++) {
		r = walk_folder(walk, product->directories[i].path, 0);
		if (r == 0 && walk->marks)
			spg_marks_end_walk(walk->marks, product->directories[i].path);
	}
	return r;
}

int spg_walk_some(struct spg_walk *walk, char *const *paths, size_t n)
{
	int r = index_known(walk);

	for (size_t i = 0; r == 0 && i < n; i++) {
		char folder_path[PATH_MAX], real_path[PATH_MAX];
		struct folder folder = {.path = folder_path, .real_path = real_path};
		const char *name = spg_path_base(paths[i]);
		bool is_dir;
		int fd;

		snprintf(folder_path, sizeof(folder_path), "%.*s",
			(int)(name - paths[i] > 1 ? name - paths[i] - 1 : 1), paths[i]);
		if (spg_resolve(walk->mounts, folder_path, real_path, &folder.mount) !=
			0)
			continue; /* gone, or foreign: a full survey tells */
		fd = open(real_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && spg_errno_is_shortage(errno))
			r = lack_file(walk, paths[i], strerror(errno), RAISE_LIMIT);
		if (fd < 0)
			continue;
		folder.has_mounts = true;
		r = visit_name(walk, &folder, fd, name, &is_dir);
		close(fd);
	}
	return r;
}
