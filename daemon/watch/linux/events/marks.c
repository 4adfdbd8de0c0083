/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

#define DIRECTORY_MASK                                                                 \
	(FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE | FAN_MODIFY | \
		FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_DELETE_SELF |  \
		FAN_MOVE_SELF | FAN_EVENT_ON_CHILD | FAN_ONDIR)
#define ANCESTOR_MASK                                                                  \
	(FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_DELETE_SELF | FAN_MOVE_SELF |      \
		FAN_ONDIR)
#define FILE_MASK                                                                      \
	(FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE | FAN_MODIFY | \
		FAN_ATTRIB | FAN_DELETE_SELF)

struct object {
	struct spg_fid fid;
	unsigned marked; /* roles whose mark the kernel has */
	unsigned stale;  /* of those: it may have dropped them, see distrust */
	struct {
		char *path;
		unsigned role;
	} names[SPG_MARK_PATHS_MAX];
	size_t n_names;
	struct object *next; /* in its bucket */
};

/* To the directories of one product. */
struct ways {
	char *product;
	char **paths;
	size_t n;
};

struct spg_marks {
	struct spg_groups *groups;
	pthread_mutex_t lock;
	struct ways *ways;
	size_t n_ways, size_ways;
	struct object **buckets;
	size_t n, n_buckets; /* a power of two */
};

struct spg_marks *spg_marks_create(struct spg_groups *groups)
{
	struct spg_marks *marks = calloc(1, sizeof(*marks));

	if (!marks)
		return NULL;
	marks->n_buckets = 256;
	marks->buckets = calloc(marks->n_buckets, sizeof(struct object *));
	if (!marks->buckets) {
		free(marks);
		return NULL;
	}
	marks->groups = groups;
	pthread_mutex_init(&marks->lock, NULL);
	return marks;
}

static void finish_ways(struct ways *ways)
{
	for (size_t i = 0; i < ways->n; i++)
		free(ways->paths[i]);
	free(ways->paths);
	free(ways->product);
}

static void drop_all(struct spg_marks *marks)
{
	while (marks->n_ways > 0)
		finish_ways(&marks->ways[--marks->n_ways]);
	for (size_t b = 0; b < marks->n_buckets; b++) {
		while (marks->buckets[b]) {
			struct object *object = marks->buckets[b];

			marks->buckets[b] = object->next;
			for (size_t i = 0; i < object->n_names; i++)
				free(object->names[i].path);
			free(object);
		}
	}
	marks->n = 0;
}

void spg_marks_destroy(struct spg_marks *marks)
{
	if (!marks)
		return;
	drop_all(marks);
	pthread_mutex_destroy(&marks->lock);
	free(marks->buckets);
	free(marks->ways);
	free(marks);
}

static size_t hash_fid(const struct spg_fid *fid)
{
	uint64_t hash = fid->fsid * 0x9e3779b97f4a7c15u;

	for (unsigned i = 0; i < fid->handle.n_bytes; i++)
		hash = (hash ^ fid->handle.bytes[i]) * 0x100000001b3u;
	return (size_t)(hash ^ hash >> 29);
}

static bool fid_equal(const struct spg_fid *a, const struct spg_fid *b)
{
	return a->fsid == b->fsid && a->handle.type == b->handle.type &&
	       a->handle.n_bytes == b->handle.n_bytes &&
	       memcmp(a->handle.bytes, b->handle.bytes, a->handle.n_bytes) == 0;
}

struct spg_fid spg_fid_of_watch(int watch)
{
	struct spg_fid fid = {.handle = {.type = INT_MAX, .n_bytes = sizeof(watch)}};

	memcpy(fid.handle.bytes, &watch, sizeof(watch));
	return fid;
}

static struct object *find(const struct spg_marks *marks, const struct spg_fid *fid)
{
	struct object *object = marks->buckets[hash_fid(fid) & (marks->n_buckets - 1)];

	while (object && !fid_equal(&object->fid, fid))
		object = object->next;
	return object;
}

static void grow(struct spg_marks *marks)
{
	size_t n_buckets = marks->n_buckets * 4;
	struct object **buckets = calloc(n_buckets, sizeof(struct object *));

	if (!buckets)
		return; /* slower, not wrong */
	for (size_t b = 0; b < marks->n_buckets; b++) {
		while (marks->buckets[b]) {
			struct object *object = marks->buckets[b];
			size_t to = hash_fid(&object->fid) & (n_buckets - 1);

			marks->buckets[b] = object->next;
			object->next = buckets[to];
			buckets[to] = object;
		}
	}
	free(marks->buckets);
	marks->buckets = buckets;
	marks->n_buckets = n_buckets;
}

static struct object *find_or_add(struct spg_marks *marks, const struct spg_fid *fid)
{
	struct object *object = find(marks, fid);
	size_t b;

	if (object)
		return object;
	object = calloc(1, sizeof(*object));
	if (!object)
		return NULL;
	if (marks->n > 2 * marks->n_buckets)
		grow(marks);
	b = hash_fid(fid) & (marks->n_buckets - 1);
	object->fid = *fid;
	object->next = marks->buckets[b];
	marks->buckets[b] = object;
	marks->n++;
	return object;
}

/* Record one more name; the oldest gives way when there are too many. */
static int name_object(struct object *object, const char *path, unsigned role)
{
	char *copy;

	for (size_t i = 0; i < object->n_names; i++) {
		if (strcmp(object->names[i].path, path) == 0) {
			object->names[i].role |= role;
			return 0;
		}
	}
	copy = strdup(path);
	if (!copy)
		return SPG_ERR_NOMEM;
	if (object->n_names == SPG_MARK_PATHS_MAX) {
		free(object->names[0].path);
		memmove(object->names, object->names + 1,
			(SPG_MARK_PATHS_MAX - 1) * sizeof(object->names[0]));
		object->n_names--;
	}
	object->names[object->n_names].path = copy;
	object->names[object->n_names++].role = role;
	return 0;
}

static int fid_of(int fd, struct spg_fid *ret)
{
	struct statfs fs;

	memset(ret, 0, sizeof(*ret));
	if (fstatfs(fd, &fs) < 0)
		return spg_err_from_errno(errno);
	memcpy(&ret->fsid, &fs.f_fsid, sizeof(ret->fsid));
	spg_handle_of(fd, "", AT_EMPTY_PATH, &ret->handle);
	return ret->handle.n_bytes > 0 ? 0 : SPG_ERR_UNSUPPORTED;
}

static uint64_t mask_of(unsigned role)
{
	uint64_t mask = 0;

	if (role & SPG_MARK_ANCESTOR)
		mask |= ANCESTOR_MASK;
	if (role & SPG_MARK_DIRECTORY)
		mask |= DIRECTORY_MASK;
	if (role & SPG_MARK_FILE)
		mask |= FILE_MASK;
	return mask;
}

static int set_mark(struct spg_groups *groups, uint64_t fsid, int fd, unsigned role)
{
	char path[32];

	if (role & (SPG_MARK_ANCESTOR | SPG_MARK_DIRECTORY))
		return spg_groups_mark(groups, fsid, mask_of(role), fd, NULL);
	/* A file is opened with O_PATH only, which the call takes as a starting
	 * directory but not as the object: go through its link. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return spg_groups_mark(groups, fsid, mask_of(role), -1, path);
}

/* With the lock: the number, which is the key, comes with the watch, and no event may be
 * looked up in between. Asked for again, an inode that is watched has the same one. */
static int add_watch(struct spg_marks *marks, int fd, const char *path, unsigned role)
{
	struct object *object;
	struct spg_fid fid;
	int watch, r;

	pthread_mutex_lock(&marks->lock);
	r = spg_groups_watch(marks->groups, mask_of(role), fd, &watch);
	if (r == 0) {
		fid = spg_fid_of_watch(watch);
		object = find_or_add(marks, &fid);
		r = object ? name_object(object, path, role) : SPG_ERR_NOMEM;
	}
	if (r == 0) {
		object->marked |= role;
		object->stale &= ~role;
	}
	pthread_mutex_unlock(&marks->lock);
	return r;
}

static int add_mark(struct spg_marks *marks, int fd, const char *path, unsigned role)
{
	struct spg_fid fid;
	struct object *object;
	bool marked;
	int r = fid_of(fd, &fid);

	if (r < 0)
		return r;
	if (!spg_groups_can_mark(marks->groups, fid.fsid))
		return SPG_ERR_UNSUPPORTED;
	/* The name first, so that no event finds the mark without it. */
	pthread_mutex_lock(&marks->lock);
	object = find_or_add(marks, &fid);
	marked = object && (object->marked & ~object->stale & role) == role;
	r = object ? name_object(object, path, role) : SPG_ERR_NOMEM;
	pthread_mutex_unlock(&marks->lock);
	if (r < 0 || marked)
		return r;
	r = set_mark(marks->groups, fid.fsid, fd, role);
	if (r < 0)
		return r;
	pthread_mutex_lock(&marks->lock);
	object = find(marks, &fid);
	if (object) {
		object->marked |= role;
		object->stale &= ~role;
	}
	pthread_mutex_unlock(&marks->lock);
	return 0;
}

int spg_marks_add(struct spg_marks *marks, int fd, const char *path, unsigned role)
{
	int r = add_mark(marks, fd, path, role);

	return r == SPG_ERR_UNSUPPORTED ? add_watch(marks, fd, path, role) : r;
}

/* With the lock. NULL: out of memory. */
static struct ways *find_or_add_ways(struct spg_marks *marks, const char *product)
{
	struct ways ways = {0};

	for (size_t i = 0; i < marks->n_ways; i++)
		if (strcmp(marks->ways[i].product, product) == 0)
			return &marks->ways[i];
	ways.product = strdup(product);
	if (!ways.product || spg_array_reserve(&marks->ways, marks->n_ways,
				     &marks->size_ways, sizeof(ways)) < 0) {
		free(ways.product);
		return NULL;
	}
	marks->ways[marks->n_ways] = ways;
	return &marks->ways[marks->n_ways++];
}

int spg_marks_set_ways(
	struct spg_marks *marks, const char *product, char *const *paths, size_t n)
{
	struct ways copy = {.paths = calloc(n + 1, sizeof(*copy.paths))};
	struct ways *ways = NULL;

	while (copy.paths && copy.n < n) {
		copy.paths[copy.n] = strdup(paths[copy.n]);
		if (!copy.paths[copy.n])
			break;
		copy.n++;
	}
	pthread_mutex_lock(&marks->lock);
	if (copy.paths && copy.n == n)
		ways = find_or_add_ways(marks, product);
	if (ways) {
		struct ways old = *ways;

		ways->paths = copy.paths;
		ways->n = copy.n;
		copy = (struct ways){.paths = old.paths, .n = old.n};
	}
	pthread_mutex_unlock(&marks->lock);
	finish_ways(&copy);
	return ways ? 0 : SPG_ERR_NOMEM;
}

bool spg_marks_is_way(struct spg_marks *marks, const char *path)
{
	bool found = false;

	pthread_mutex_lock(&marks->lock);
	for (size_t i = 0; !found && i < marks->n_ways; i++)
		for (size_t k = 0; !found && k < marks->ways[i].n; k++)
			found = spg_path_below(marks->ways[i].paths[k], path, true);
	pthread_mutex_unlock(&marks->lock);
	return found;
}

/* Drop the names at or below @path. Returns whether any is left. */
static bool forget_names(struct object *object, const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < object->n_names; i++) {
		if (spg_path_below(object->names[i].path, path, true))
			free(object->names[i].path);
		else
			object->names[kept++] = object->names[i];
	}
	object->n_names = kept;
	return kept > 0;
}

void spg_marks_forget(struct spg_marks *marks, const char *path)
{
	pthread_mutex_lock(&marks->lock);
	for (size_t b = 0; b < marks->n_buckets; b++) {
		struct object **at = &marks->buckets[b];

		while (*at) {
			struct object *object = *at;

			if (forget_names(object, path)) {
				at = &object->next;
				continue;
			}
			/* If it is found again, its mark is set again, which
			 * changes nothing (fanotify_mark(2), FAN_MARK_ADD). */
			*at = object->next;
			free(object);
			marks->n--;
		}
	}
	pthread_mutex_unlock(&marks->lock);
}

void spg_marks_lost(struct spg_marks *marks, const struct spg_fid *fid)
{
	struct object **at;

	pthread_mutex_lock(&marks->lock);
	at = &marks->buckets[hash_fid(fid) & (marks->n_buckets - 1)];
	while (*at && !fid_equal(&(*at)->fid, fid))
		at = &(*at)->next;
	if (*at) {
		struct object *object = *at;

		*at = object->next;
		for (size_t i = 0; i < object->n_names; i++)
			free(object->names[i].path);
		free(object);
		marks->n--;
	}
	pthread_mutex_unlock(&marks->lock);
}

void spg_marks_distrust(struct spg_marks *marks)
{
	pthread_mutex_lock(&marks->lock);
	for (size_t b = 0; b < marks->n_buckets; b++)
		for (struct object *o = marks->buckets[b]; o; o = o->next)
			o->stale = o->marked;
	pthread_mutex_unlock(&marks->lock);
}

void spg_marks_end_walk(struct spg_marks *marks, const char *path)
{
	pthread_mutex_lock(&marks->lock);
	for (size_t b = 0; b < marks->n_buckets; b++) {
		for (struct object *o = marks->buckets[b]; o; o = o->next) {
			bool walked = false;

			for (size_t i = 0; i < o->n_names; i++)
				walked = walked ||
				         spg_path_below(o->names[i].path, path, true);
			if (walked) {
				o->marked &= ~o->stale;
				o->stale = 0;
			}
		}
	}
	pthread_mutex_unlock(&marks->lock);
}

static int order_paths(const void *va, const void *vb)
{
	const struct spg_seen_file *const *a = va, *const *b = vb;

	return strcmp((*a)->file->path, (*b)->file->path);
}

static bool has_handle(struct spg_file *file, const struct spg_handle *handle)
{
	const struct spg_linux_file *linux_file = spg_linux_file(file);

	for (size_t i = 0; i < linux_file->n_layers; i++) {
		const struct spg_handle *layer = &linux_file->layers[i].handle;

		if (layer->n_bytes > 0 && layer->type == handle->type &&
			layer->n_bytes == handle->n_bytes &&
			memcmp(layer->bytes, handle->bytes, handle->n_bytes) == 0)
			return true;
	}
	return false;
}

/* Of the files of a survey, sorted by path: is that with @handle gone from @path? */
static bool is_gone(const struct spg_seen_file *const *sorted, size_t n,
	const char *path, const struct spg_handle *handle)
{
	size_t low = 0, high = n;
	bool gone = false;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(sorted[middle]->file->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && strcmp(sorted[low]->file->path, path) == 0; low++) {
		if (!has_handle(sorted[low]->file, handle))
			continue;
		if (sorted[low]->presence != SPG_GONE)
			return false;
		gone = true;
	}
	return gone;
}

static void forget_gone(
	struct object *object, const struct spg_seen_file *const *sorted, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < object->n_names; i++) {
		if ((object->names[i].role & ~SPG_MARK_LINKED) == SPG_MARK_FILE &&
			is_gone(sorted, n, object->names[i].path, &object->fid.handle))
			free(object->names[i].path);
		else
			object->names[kept++] = object->names[i];
	}
	object->n_names = kept;
}

void spg_marks_end_survey(struct spg_marks *marks, const struct spg_observation *obs)
{
	const struct spg_seen_file **sorted;
	size_t n_gone = 0;

	for (size_t i = 0; i < obs->n_files; i++)
		n_gone += obs->files[i].presence == SPG_GONE;
	sorted = n_gone > 0 ? calloc(obs->n_files, sizeof(*sorted)) : NULL;
	if (!sorted)
		return;
	for (size_t i = 0; i < obs->n_files; i++)
		sorted[i] = &obs->files[i];
	qsort(sorted, obs->n_files, sizeof(*sorted), order_paths);
	pthread_mutex_lock(&marks->lock);
	for (size_t b = 0; b < marks->n_buckets; b++)
		for (struct object *o = marks->buckets[b]; o; o = o->next)
			forget_gone(o, sorted, obs->n_files);
	pthread_mutex_unlock(&marks->lock);
	free(sorted);
}

void spg_marks_flush(struct spg_marks *marks)
{
	pthread_mutex_lock(&marks->lock);
	spg_groups_flush(marks->groups);
	drop_all(marks);
	pthread_mutex_unlock(&marks->lock);
}

size_t spg_marks_lookup(struct spg_marks *marks, const struct spg_fid *fid,
	void (*visit)(void *user, const char *path, unsigned role), void *user)
{
	const struct object *object;
	size_t n = 0;

	pthread_mutex_lock(&marks->lock);
	object = find(marks, fid);
	for (; object && n < object->n_names; n++)
		visit(user, object->names[n].path, object->names[n].role);
	pthread_mutex_unlock(&marks->lock);
	return n;
}

size_t spg_marks_count(struct spg_marks *marks, const char *path)
{
	size_t n = 0;

	pthread_mutex_lock(&marks->lock);
	for (size_t b = 0; b < marks->n_buckets; b++)
		for (const struct object *o = marks->buckets[b]; o; o = o->next)
			for (size_t i = 0; i < o->n_names; i++)
				n += (o->names[i].role & SPG_MARK_DIRECTORY) &&
				     (o->marked & SPG_MARK_DIRECTORY) &&
				     spg_path_below(o->names[i].path, path, true);
	pthread_mutex_unlock(&marks->lock);
	return n;
}
