/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/fast_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/obstacle.h"
#include "daemon/model/space.h"
#include "daemon/watch/linux/files/ext4.h"
#include "daemon/watch/linux/survey/counted.h"
#include "daemon/watch/linux/survey/process_states.h"

/* Every one has a descriptor for the moment; more are slower than a listing. */
#define FILES_MAX    256
/* A turn of the loop may take so long; who uses more than can be looked at in that time is
 * looked at on the worker thread. */
#define KNOWN_NS_MAX (4 * SPG_NS_PER_MS)

struct folder {
	char *path;      /* as the product names it: what has to lead there now */
	char *real_path; /* without symbolic links, when it was listed */
	struct spg_file_id id;
	struct timespec changed;
};

struct link {
	char *path;
	struct spg_file_id id;
	bool dangles;
};

struct plain_file {
	struct spg_file *file;
	const char *name; /* in its folder, or a whole path; within the file's paths */
	size_t folder;    /* SIZE_MAX: by its path, a link */
	uint64_t bytes;
	int64_t mtime_ns, ctime_ns;
};

/* An ext4 that turns read-only by an error says so nowhere but here: how many it has met. */
struct disk {
	int fd;
	long n_errors;
};

/* One product's files as they were. */
struct listing {
	struct spg_product *product;
	struct folder *folders;
	size_t n_folders;
	struct link *links;
	size_t n_links;
	struct plain_file *files;
	size_t n_files;
	struct disk *disks;
	size_t n_disks;
	int64_t known_ns; /* what a look at the users known took; 0: not enough */
};

struct spg_fast_path {
	pthread_mutex_t lock;
	struct listing *listings;
	size_t n, size;
};

struct spg_fast_path *spg_fast_path_create(void)
{
	struct spg_fast_path *fast_path = calloc(1, sizeof(*fast_path));

	if (fast_path)
		pthread_mutex_init(&fast_path->lock, NULL);
	return fast_path;
}

static void finish_listing(struct listing *listing)
{
	for (size_t i = 0; i < listing->n_folders; i++) {
		free(listing->folders[i].path);
		free(listing->folders[i].real_path);
	}
	for (size_t i = 0; i < listing->n_links; i++)
		free(listing->links[i].path);
	for (size_t i = 0; i < listing->n_files; i++)
		spg_file_unref(listing->files[i].file);
	free(listing->folders);
	free(listing->links);
	for (size_t i = 0; i < listing->n_disks; i++)
		close(listing->disks[i].fd);
	free(listing->disks);
	free(listing->files);
	spg_product_unref(listing->product);
}

void spg_fast_path_forget(struct spg_fast_path *fast_path)
{
	pthread_mutex_lock(&fast_path->lock);
	while (fast_path->n > 0)
		finish_listing(&fast_path->listings[--fast_path->n]);
	pthread_mutex_unlock(&fast_path->lock);
}

void spg_fast_path_destroy(struct spg_fast_path *fast_path)
{
	if (!fast_path)
		return;
	spg_fast_path_forget(fast_path);
	free(fast_path->listings);
	pthread_mutex_destroy(&fast_path->lock);
	free(fast_path);
}

static struct listing *find(struct spg_fast_path *fast_path, const char *name)
{
	for (size_t i = 0; i < fast_path->n; i++)
		if (strcmp(fast_path->listings[i].product->name, name) == 0)
			return &fast_path->listings[i];
	return NULL;
}

static void drop(struct spg_fast_path *fast_path, struct listing *listing)
{
	finish_listing(listing);
	*listing = fast_path->listings[--fast_path->n];
}

/* True when the product's files are plain. */
static bool is_plain(const struct spg_survey *s)
{
	const struct spg_observation *obs = s->obs;

	/* No event tells of permissions. */
	if (s->obs->product->install_as)
		return false;
	if (s->request->scope->depth != SPG_SURVEY_FULL || s->request->n_extra_names ||
		!obs->counted || obs->n_files == 0 || obs->n_files > FILES_MAX ||
		s->directories.n_links > FILES_MAX)
		return false;
	for (size_t i = 0; i < obs->n_lacks; i++)
		if (obs->lacks[i].blinds)
			return false;
	for (size_t i = 0; i < obs->n_files; i++)
		if (spg_obstacles_to_rename(obs, i) || spg_obstacles_of(obs, i))
			return false;
	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_linux_file *file = spg_linux_file(obs->files[i].file);

		if (obs->files[i].presence != SPG_PRESENT ||
			file->class != SPG_FS_LOCAL || file->n_layers != 1)
			return false;
	}
	return true;
}

/* The folder that has the file really at @path; the number of folders: none. */
static size_t folder_of(const struct listing *listing, const char *path)
{
	size_t len = (size_t)(spg_path_base(path) - path), i;

	for (i = 0; i < listing->n_folders; i++) {
		size_t n = strlen(listing->folders[i].real_path);

		if (len == n + (n > 1) &&
			strncmp(listing->folders[i].real_path, path, n) == 0)
			break;
	}
	return i;
}

static bool take_down_folders(
	const struct spg_known_directories *directories, struct listing *listing)
{
	for (size_t i = 0; i < directories->n; i++) {
		const struct spg_known_directory *mark = &directories->marks[i];
		struct folder *folder = &listing->folders[listing->n_folders];

		if (mark->is_link)
			continue; /* the links tell */
		*folder = (struct folder){.path = strdup(mark->path),
			.real_path = strdup(mark->real_path),
			.id = mark->id,
			.changed = mark->changed};
		listing->n_folders++;
		if (!folder->path || !folder->real_path)
			return false;
	}
	for (size_t i = 0; i < directories->n_links; i++) {
		const struct spg_link *link = &directories->links[i];

		listing->links[i] = (struct link){.path = strdup(link->path),
			.id = link->id,
			.dangles = link->dangles};
		listing->n_links++;
		if (!listing->links[i].path)
			return false;
	}
	return true;
}

static bool take_down_disks(const struct spg_observation *obs, struct listing *listing)
{
	listing->disks = calloc(obs->n_mounts + 1, sizeof(*listing->disks));
	for (size_t i = 0; listing->disks && i < obs->n_mounts; i++) {
		struct disk disk;

		if (!spg_ext4_is(obs->mounts[i].type))
			continue;
		disk.fd = spg_ext4_open(obs->mounts[i].dev, "errors_count");
		if (disk.fd < 0)
			return false;
		disk.n_errors = spg_ext4_read_at(disk.fd);
		listing->disks[listing->n_disks++] = disk;
		/* Since the survey looked: then the next one has to. */
		if (disk.n_errors != obs->mounts[i].n_errors)
			return false;
	}
	return listing->disks;
}

static bool take_down(const struct spg_survey *s, struct listing *listing)
{
	const struct spg_observation *obs = s->obs;

	listing->folders = calloc(s->directories.n + 1, sizeof(*listing->folders));
	listing->links = calloc(s->directories.n_links + 1, sizeof(*listing->links));
	listing->files = calloc(obs->n_files, sizeof(*listing->files));
	if (!listing->folders || !listing->links || !listing->files ||
		!take_down_folders(&s->directories, listing) ||
		!take_down_disks(obs, listing))
		return false;
	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_linux_file *file = spg_linux_file(obs->files[i].file);
		const char *path = file->layers[0].path;
		struct plain_file *plain = &listing->files[listing->n_files];

		plain->folder = SIZE_MAX;
		plain->name = file->base.path;
		if (!file->through_link) {
			plain->folder = folder_of(listing, path);
			plain->name = spg_path_base(path);
			/* A mount point, or renamed away meanwhile. */
			if (plain->folder == listing->n_folders ||
				listing->folders[plain->folder].id.dev !=
					file->base.id.dev)
				return false;
		}
		plain->file = spg_file_ref(obs->files[i].file);
		plain->bytes = obs->files[i].bytes;
		plain->mtime_ns = obs->files[i].mtime_ns;
		plain->ctime_ns = obs->files[i].ctime_ns;
		listing->n_files++;
	}
	return true;
}

void spg_fast_path_remember(struct spg_fast_path *fast_path, const struct spg_survey *s)
{
	struct listing *old, listing = {0};

	pthread_mutex_lock(&fast_path->lock);
	old = find(fast_path, s->obs->product->name);
	if (old)
		drop(fast_path, old);
	if (is_plain(s)) {
		listing.product = spg_product_ref(s->obs->product);
		listing.known_ns = s->known_ns;
		if (take_down(s, &listing) &&
			spg_array_reserve(&fast_path->listings, fast_path->n,
				&fast_path->size, sizeof(listing)) == 0)
			fast_path->listings[fast_path->n++] = listing;
		else
			finish_listing(&listing); /* slower, not wrong */
	}
	pthread_mutex_unlock(&fast_path->lock);
}

/* --- the look ------------------------------------------------------------------ */

struct look {
	struct listing *listing;
	int fds[FILES_MAX]; /* of the files; -1: not open */
	bool told[FILES_MAX], used[FILES_MAX];
	size_t n_told, n_used;
	uint64_t inodes[FILES_MAX]; /* their addresses */
	int32_t n_names[FILES_MAX]; /* the references to their names */
};

static int open_cached(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS | resolve};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* Which inode is behind @fd, by what the kernel has of it: the names may lead to a
 * server by now (statx(2), AT_STATX_DONT_SYNC). */
static bool is_inode(int fd, struct spg_file_id id, struct statx *ret)
{
	const unsigned wanted = STATX_INO | STATX_CTIME;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, ret) == 0 &&
	       (ret->stx_mask & wanted) == wanted && ret->stx_ino == id.ino &&
	       makedev(ret->stx_dev_major, ret->stx_dev_minor) == id.dev;
}

/* Nothing has come in the way of who installs there: neither these attributes nor a
 * remount nor a full disk is an event. */
static bool is_writable(int fd, const struct statx *stx)
{
	struct statfs fs;

	return !(stx->stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) &&
	       fstatfs(fd, &fs) == 0 && !(fs.f_flags & ST_RDONLY) &&
	       !(fs.f_blocks > 0 &&
		       fs.f_bavail * (uint64_t)fs.f_bsize < SPG_SPACE_FULL_BYTES) &&
	       !(fs.f_files > 0 && fs.f_ffree == 0);
}

/* What is written or changed has another time of change. */
static bool is_unchanged(const struct plain_file *file, int fd)
{
	struct statx stx;

	return is_inode(fd, file->file->id, &stx) &&
	       stx.stx_ctime.tv_sec * SPG_NS_PER_S + stx.stx_ctime.tv_nsec ==
	               file->ctime_ns;
}

/* Does the link lead where it led? */
static bool leads_there(const struct link *link)
{
	int fd = open_cached(AT_FDCWD, link->path, 0, 0);
	struct statx stx;
	bool same;

	if (fd < 0)
		return link->dangles &&
		       (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
			       errno == ENAMETOOLONG);
	same = !link->dangles && is_inode(fd, link->id, &stx);
	close(fd);
	return same;
}

/* Open every file of folder @index, if the product's name for that leads to it yet,
 * and it is as it was. */
static bool open_folder(struct look *look, size_t index)
{
	const struct folder *folder = &look->listing->folders[index];
	int fd = open_cached(AT_FDCWD, folder->path, O_DIRECTORY, 0);
	struct statx stx;
	bool same;

	if (fd < 0)
		return false;
	same = is_inode(fd, folder->id, &stx) && is_writable(fd, &stx) &&
	       stx.stx_ctime.tv_sec == folder->changed.tv_sec &&
	       stx.stx_ctime.tv_nsec == folder->changed.tv_nsec;
	for (size_t i = 0; same && i < look->listing->n_files; i++) {
		const struct plain_file *file = &look->listing->files[i];

		if (file->folder != index)
			continue;
		/* Of the folder itself: nothing is mounted there. */
		look->fds[i] = open_cached(fd, file->name, O_NOFOLLOW, RESOLVE_NO_XDEV);
		same = look->fds[i] >= 0 && is_unchanged(file, look->fds[i]);
	}
	close(fd);
	return same;
}

/* Open everything by the product's names. False: something is not as it was. */
static bool open_all(struct look *look)
{
	const struct listing *listing = look->listing;
	bool same = true;

	for (size_t i = 0; same && i < listing->n_disks; i++)
		same = spg_ext4_read_at(listing->disks[i].fd) ==
		       listing->disks[i].n_errors;
	for (size_t i = 0; same && i < listing->n_links; i++)
		same = leads_there(&listing->links[i]);
	for (size_t i = 0; same && i < listing->n_folders; i++)
		same = open_folder(look, i);
	for (size_t i = 0; same && i < listing->n_files; i++) {
		const struct plain_file *file = &listing->files[i];

		if (file->folder != SIZE_MAX)
			continue;
		look->fds[i] = open_cached(AT_FDCWD, file->name, 0, 0);
		same = look->fds[i] >= 0 && is_unchanged(file, look->fds[i]);
	}
	return same;
}

static int on_inode(void *user, const struct spg_bpf_inode *inode)
{
	struct look *look = user;

	for (size_t i = 0; i < look->listing->n_files; i++) {
		const struct spg_linux_file *file =
			spg_linux_file(look->listing->files[i].file);

		if (look->fds[i] != inode->fd || look->told[i])
			continue;
		if (inode->key.ino != file->base.id.ino ||
			inode->n_links != file->base.n_links ||
			inode->names == SPG_BPF_UNCOUNTED ||
			(inode->flags & (SPG_INODE_OVERLAY | SPG_INODE_SEALED)))
			return SPG_WATCH_LATER;
		look->inodes[i] = inode->inode;
		look->n_names[i] = inode->names;
		look->told[i] = true;
		look->n_told++;
		look->used[i] = spg_bpf_inode_is_used(inode);
		look->n_used += look->used[i];
		return 0;
	}
	return 0;
}

/* Are there more references to a free file's name than our own? Files may be one inode.
 * (Of the others, users have some.) */
static bool is_any_kept(const struct look *look)
{
	for (size_t i = 0; i < look->listing->n_files; i++) {
		int32_t own = 1;

		for (size_t k = 0; look->n_names[i] > own && k < look->listing->n_files;
			k++)
			own += k != i && look->inodes[k] == look->inodes[i];
		if (!look->used[i] && look->n_names[i] > own)
			return true;
	}
	return false;
}

static int report(const struct listing *listing,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct spg_observation *obs =
		spg_observation_create(request->product, SPG_SURVEY_FULL);
	int r = obs ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < listing->n_files; i++) {
		const struct plain_file *file = &listing->files[i];

		r = spg_observation_add_file(
			obs, file->file, SPG_PRESENT, SPG_IN_USE_NO);
		if (r < 0)
			break;
		obs->files[i].bytes = file->bytes;
		obs->files[i].mtime_ns = file->mtime_ns;
		obs->files[i].ctime_ns = file->ctime_ns;
	}
	if (r < 0) {
		spg_observation_destroy(obs);
		return r;
	}
	obs->counted = true;
	*ret = obs;
	return 0;
}

static void close_files(struct look *look, bool used)
{
	for (size_t i = 0; i < look->listing->n_files; i++) {
		if (look->fds[i] < 0 || (look->used[i] && !used))
			continue;
		close(look->fds[i]);
		look->fds[i] = -1;
	}
}

/* Some are used: by those who are known to, and nobody else? */
static int look_at_users(struct spg_survey_tools *tools, struct look *look,
	const struct spg_survey_request *request, struct spg_observation *obs)
{
	struct spg_survey s = {.tools = tools,
		.way = &spg_survey_by_bpf,
		.request = request,
		.obs = obs,
		.instant = true};
	int r = spg_counted_ensure(&s);

	close_files(look, false);
	for (size_t i = 0; r == 0 && i < look->listing->n_files; i++) {
		if (!look->used[i])
			continue;
		r = spg_counted_name(s.counted, i, look->fds[i]);
		if (r == 0)
			look->fds[i] = -1; /* the survey's */
	}
	if (r == 0)
		r = spg_survey_known(&s);
	if (r == 0)
		r = spg_survey_look_at_states(&s);
	look->listing->known_ns = s.known_ns;
	s.way->finish(&s);
	spg_user_search_finish(&s.search);
	return r;
}

static int answer(struct spg_survey_tools *tools, struct look *look,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct spg_observation *obs;
	int r = report(look->listing, request, &obs);

	if (r == 0 && look->n_used > 0) {
		r = look_at_users(tools, look, request, obs);
		if (r != 0)
			spg_observation_destroy(obs);
	}
	if (r == 0)
		*ret = obs;
	return r;
}

/* Is it worth the while to look? */
static bool may_be_told(const struct spg_survey_tools *tools,
	const struct listing *listing, const struct spg_survey_request *request)
{
	return request->scope->n_holders == 0 ||
	       (tools->processes && listing->known_ns > 0 &&
		       listing->known_ns < KNOWN_NS_MAX);
}

static int look_again(struct spg_survey_tools *tools, struct listing *listing,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct look look = {.listing = listing};
	int r = SPG_WATCH_LATER;

	for (size_t i = 0; i < listing->n_files; i++)
		look.fds[i] = -1;
	if (open_all(&look))
		r = spg_look_in_use(tools->look, on_inode, &look);
	if (r == 0 && look.n_told == listing->n_files && !is_any_kept(&look) &&
		(look.n_used == 0 || request->scope->n_holders > 0))
		r = answer(tools, &look, request, ret);
	else
		r = SPG_WATCH_LATER;
	close_files(&look, true);
	return r == 0 || r == SPG_ERR_NOMEM ? r : SPG_WATCH_LATER;
}

int spg_fast_path_look(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct spg_fast_path *fast_path = tools->fast_path;
	int64_t began_ns = spg_clock_mono_ns(), wall_ns = spg_clock_wall_ns();
	struct listing *listing;
	int r = SPG_WATCH_LATER;

	/* A directory's time is too coarse to tell two changes apart on some
	 * filesystems; the events of the second one are not. */
	if (!request->scope->clean || request->find_users ||
		request->scope->find_users || request->n_extra_names)
		return r;
	pthread_mutex_lock(&fast_path->lock);
	listing = find(fast_path, request->product->name);
	/* Known besides are old versions that somebody may still use. */
	if (listing && listing->product == request->product &&
		listing->n_files == request->scope->n_known &&
		may_be_told(tools, listing, request))
		r = look_again(tools, listing, request, ret);
	pthread_mutex_unlock(&fast_path->lock);
	if (r == 0) {
		(*ret)->began_ns = wall_ns;
		(*ret)->ended_ns = spg_clock_wall_ns();
		(*ret)->took_ns = spg_clock_mono_ns() - began_ns;
	}
	return r;
}
