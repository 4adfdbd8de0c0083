/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/recheck.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"

/* Every one has a descriptor for the moment; more are slower than a listing. */
#define FILES_MAX 256

struct folder {
	char *path; /* without symbolic links */
	struct spg_file_id id;
	struct timespec changed;
};

struct plain_file {
	struct spg_file *file;
	const char *name; /* in its folder; within the file's path */
	size_t folder;
};

/* One product's files as they were. */
struct listing {
	struct spg_product *product;
	struct folder *folders;
	size_t n_folders;
	struct plain_file *files;
	size_t n_files;
};

struct spg_rechecks {
	pthread_mutex_t lock;
	struct listing *listings;
	size_t n, size;
};

struct spg_rechecks *spg_rechecks_create(void)
{
	struct spg_rechecks *rechecks = calloc(1, sizeof(*rechecks));

	if (rechecks)
		pthread_mutex_init(&rechecks->lock, NULL);
	return rechecks;
}

static void finish_listing(struct listing *listing)
{
	for (size_t i = 0; i < listing->n_folders; i++)
		free(listing->folders[i].path);
	for (size_t i = 0; i < listing->n_files; i++)
		spg_file_unref(listing->files[i].file);
	free(listing->folders);
	free(listing->files);
	spg_product_unref(listing->product);
}

void spg_rechecks_forget(struct spg_rechecks *rechecks)
{
	pthread_mutex_lock(&rechecks->lock);
	while (rechecks->n > 0)
		finish_listing(&rechecks->listings[--rechecks->n]);
	pthread_mutex_unlock(&rechecks->lock);
}

void spg_rechecks_destroy(struct spg_rechecks *rechecks)
{
	if (!rechecks)
		return;
	spg_rechecks_forget(rechecks);
	free(rechecks->listings);
	pthread_mutex_destroy(&rechecks->lock);
	free(rechecks);
}

static struct listing *find(struct spg_rechecks *rechecks, const char *name)
{
	for (size_t i = 0; i < rechecks->n; i++)
		if (strcmp(rechecks->listings[i].product->name, name) == 0)
			return &rechecks->listings[i];
	return NULL;
}

static void drop(struct spg_rechecks *rechecks, struct listing *listing)
{
	finish_listing(listing);
	*listing = rechecks->listings[--rechecks->n];
}

/* True when the product's files are plain and nobody used them. */
static bool is_plain(const struct spg_survey *s)
{
	const struct spg_observation *obs = s->obs;

	if (s->request->scope->depth != SPG_SURVEY_FULL || s->request->n_extra_names ||
		!obs->counted || obs->n_files == 0 || obs->n_files > FILES_MAX)
		return false;
	for (size_t i = 0; i < obs->n_lacks; i++)
		if (obs->lacks[i].blinds)
			return false;
	for (size_t i = 0; i < s->landmarks.n; i++)
		if (s->landmarks.marks[i].is_link)
			return false;
	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_linux_file *file = spg_linux_file(obs->files[i].file);

		if (obs->files[i].presence != SPG_PRESENT || file->through_link ||
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
		size_t n = strlen(listing->folders[i].path);

		if (len == n + (n > 1) &&
			strncmp(listing->folders[i].path, path, n) == 0)
			break;
	}
	return i;
}

static bool take_down(const struct spg_survey *s, struct listing *listing)
{
	const struct spg_observation *obs = s->obs;

	listing->folders = calloc(s->landmarks.n + 1, sizeof(*listing->folders));
	listing->files = calloc(obs->n_files, sizeof(*listing->files));
	if (!listing->folders || !listing->files)
		return false;
	for (size_t i = 0; i < s->landmarks.n; i++) {
		const struct spg_landmark *mark = &s->landmarks.marks[i];
		struct folder *folder = &listing->folders[listing->n_folders];

		*folder = (struct folder){.path = strdup(mark->real_path),
			.id = mark->id,
			.changed = mark->changed};
		if (!folder->path)
			return false;
		listing->n_folders++;
	}
	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_linux_file *file = spg_linux_file(obs->files[i].file);
		struct plain_file *plain = &listing->files[listing->n_files];

		plain->folder = folder_of(listing, file->layers[0].path);
		if (plain->folder == listing->n_folders)
			return false;
		plain->name = spg_path_base(file->layers[0].path);
		plain->file = spg_file_ref(obs->files[i].file);
		listing->n_files++;
	}
	return true;
}

void spg_rechecks_remember(struct spg_rechecks *rechecks, const struct spg_survey *s)
{
	struct listing *old, listing = {0};

	pthread_mutex_lock(&rechecks->lock);
	old = find(rechecks, s->obs->product->name);
	if (old)
		drop(rechecks, old);
	if (is_plain(s)) {
		listing.product = spg_product_ref(s->obs->product);
		if (take_down(s, &listing) &&
			spg_array_reserve(&rechecks->listings, rechecks->n,
				&rechecks->size, sizeof(listing)) == 0)
			rechecks->listings[rechecks->n++] = listing;
		else
			finish_listing(&listing); /* slower, not wrong */
	}
	pthread_mutex_unlock(&rechecks->lock);
}

/* --- the look ------------------------------------------------------------------ */

struct look {
	const struct listing *listing;
	int fds[FILES_MAX]; /* of the files; -1: not open */
	bool free[FILES_MAX];
	size_t n_free;
};

static int open_cached(int dir_fd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_CACHED};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* Open every file of folder @index, if that is as it was. */
static bool open_folder(struct look *look, size_t index)
{
	const struct folder *folder = &look->listing->folders[index];
	int fd = open_cached(AT_FDCWD, folder->path, O_DIRECTORY | O_NOFOLLOW);
	struct stat st;
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &st) == 0 && spg_file_id_equal(spg_id_of(&st), folder->id) &&
	       st.st_ctim.tv_sec == folder->changed.tv_sec &&
	       st.st_ctim.tv_nsec == folder->changed.tv_nsec;
	for (size_t i = 0; same && i < look->listing->n_files; i++) {
		const struct plain_file *file = &look->listing->files[i];

		if (file->folder != index)
			continue;
		look->fds[i] = open_cached(fd, file->name, O_NOFOLLOW);
		same = look->fds[i] >= 0;
	}
	close(fd);
	return same;
}

static int on_inode(void *user, const struct spg_bpf_inode *inode)
{
	struct look *look = user;

	for (size_t i = 0; i < look->listing->n_files; i++) {
		const struct spg_linux_file *file =
			spg_linux_file(look->listing->files[i].file);

		if (look->fds[i] != inode->fd || look->free[i])
			continue;
		if (inode->key.ino != file->base.id.ino ||
			inode->n_links != file->base.n_links ||
			spg_bpf_inode_is_used(inode) ||
			(inode->flags & SPG_INODE_OVERLAY))
			return SPG_WATCH_LATER;
		look->free[i] = true;
		look->n_free++;
		return 0;
	}
	return 0;
}

static int report(const struct listing *listing,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct spg_observation *obs =
		spg_observation_create(request->product, SPG_SURVEY_FULL);
	int r = obs ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < listing->n_files; i++)
		r = spg_observation_add_file(
			obs, listing->files[i].file, SPG_PRESENT, SPG_CENSUS_FREE);
	if (r < 0) {
		spg_observation_destroy(obs);
		return r;
	}
	obs->counted = true;
	*ret = obs;
	return 0;
}

static int look_again(struct spg_look *bpf, const struct listing *listing,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	struct look look = {.listing = listing};
	bool same = true;
	int r = SPG_WATCH_LATER;

	for (size_t i = 0; i < listing->n_files; i++)
		look.fds[i] = -1;
	for (size_t i = 0; same && i < listing->n_folders; i++)
		same = open_folder(&look, i);
	if (same)
		r = spg_look_census(bpf, on_inode, &look);
	for (size_t i = 0; i < listing->n_files; i++)
		if (look.fds[i] >= 0)
			close(look.fds[i]);
	if (r == 0 && look.n_free == listing->n_files)
		return report(listing, request, ret);
	return r == SPG_ERR_NOMEM ? r : SPG_WATCH_LATER;
}

int spg_recheck(struct spg_rechecks *rechecks, struct spg_look *look,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	int64_t began_ns = spg_clock_mono_ns(), wall_ns = spg_clock_wall_ns();
	const struct listing *listing;
	int r = SPG_WATCH_LATER;

	/* A directory's time is too coarse to tell two changes apart on some
	 * filesystems; the events of the second one are not. */
	if (!request->scope->clean || request->attribute || request->scope->attribute ||
		request->n_extra_names)
		return r;
	pthread_mutex_lock(&rechecks->lock);
	listing = find(rechecks, request->product->name);
	/* Known besides are old versions that somebody may still use. */
	if (listing && listing->product == request->product &&
		listing->n_files == request->scope->n_known)
		r = look_again(look, listing, request, ret);
	pthread_mutex_unlock(&rechecks->lock);
	if (r == 0) {
		(*ret)->began_ns = wall_ns;
		(*ret)->ended_ns = spg_clock_wall_ns();
		(*ret)->took_ns = spg_clock_mono_ns() - began_ns;
	}
	return r;
}
