/* SPDX-License-Identifier: MIT */
#include "daemon/host/linux/asked.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

/* FNV-1a. */
static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- directories ---- */

/* Where @path is remembered, or would be. */
static struct spg_asked_directory *slot_of(
	const struct spg_asked_directory *slots, size_t n_slots, const char *path)
{
	size_t at = hash(HASH_BEGIN, path, strlen(path)) & (n_slots - 1);

	while (slots[at].path && strcmp(slots[at].path, path) != 0)
		at = (at + 1) & (n_slots - 1);
	return (struct spg_asked_directory *)&slots[at];
}

static int grow(struct spg_asked *asked)
{
	size_t n_slots = asked->n_slots ? asked->n_slots * 2 : 256;
	struct spg_asked_directory *slots;

	if (asked->n_directories < asked->n_slots / 2)
		return 0;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < asked->n_slots; i++)
		if (asked->directories[i].path)
			*slot_of(slots, n_slots, asked->directories[i].path) =
				asked->directories[i];
	free(asked->directories);
	asked->directories = slots;
	asked->n_slots = n_slots;
	return 0;
}

/* *ret: where the directory @path is, NULL: nowhere; until the next call at least. */
static int resolve(struct spg_asked *asked, const char *path, const char **ret)
{
	struct spg_asked_directory *slot;
	int r = grow(asked);

	if (r < 0)
		return r;
	slot = slot_of(asked->directories, asked->n_slots, path);
	if (slot->path) {
		*ret = slot->real;
		return 0;
	}
	if (asked->n_directories == SPG_ASKED_DIRECTORIES_MAX) {
		free(asked->last);
		asked->last = realpath(path, NULL);
		*ret = asked->last;
		return 0;
	}
	slot->path = strdup(path);
	if (!slot->path)
		return SPG_ERR_NOMEM;
	slot->real = realpath(path, NULL);
	asked->n_directories++;
	*ret = slot->real;
	return 0;
}

/* ---- files ---- */

static size_t bit_of(const struct spg_asked *asked, const char *base, size_t n)
{
	return hash(HASH_BEGIN, base, n) & (asked->n_bits - 1);
}

static size_t bucket_of(
	const struct spg_asked *asked, const char *parent, const char *base, size_t n)
{
	uint64_t h = hash(HASH_BEGIN, parent, strlen(parent) + 1);

	return hash(h, base, n) & (asked->n_buckets - 1);
}

static void link_file(struct spg_asked *asked, struct spg_asked_file *file)
{
	size_t n = strlen(file->base);
	size_t bit = bit_of(asked, file->base, n);
	size_t bucket = bucket_of(asked, file->parent, file->base, n);

	asked->bases[bit / 8] |= (unsigned char)(1U << bit % 8);
	file->next = asked->buckets[bucket];
	asked->buckets[bucket] = (size_t)(file - asked->files);
}

static int look(struct spg_asked *asked, struct spg_asked_file *file)
{
	char dir[PATH_MAX];
	size_t n = (size_t)(file->base - file->path);
	int r;

	if (n == 0 || n >= sizeof(dir))
		return 0;
	memcpy(dir, file->path, n);
	dir[n > 1 ? n - 1 : n] = '\0';
	r = resolve(asked, dir, &file->parent);
	if (file->parent == asked->last)
		file->parent = NULL; /* too many to be remembered */
	asked->key = hash(asked->key, file->path, strlen(file->path) + 1);
	if (r < 0 || !file->parent)
		return r;
	asked->key = hash(asked->key, file->parent, strlen(file->parent) + 1);
	link_file(asked, file);
	return 0;
}

int spg_asked_init(
	struct spg_asked *asked, const char *root, const char *const *paths, size_t n)
{
	*asked = (struct spg_asked){.key = HASH_BEGIN, .n_buckets = 64};
	while (asked->n_buckets < n && asked->n_buckets < (size_t)1 << 20)
		asked->n_buckets *= 2;
	asked->n_bits = asked->n_buckets * 16;
	asked->bases = calloc(asked->n_bits / 8, 1);
	asked->root = strdup(root);
	asked->files = calloc(n + 1, sizeof(*asked->files));
	asked->buckets = calloc(asked->n_buckets, sizeof(*asked->buckets));
	if (!asked->root || !asked->files || !asked->buckets || !asked->bases)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < asked->n_buckets; i++)
		asked->buckets[i] = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		struct spg_asked_file *file = &asked->files[i];

		file->path = strdup(paths[i]);
		if (!file->path)
			return SPG_ERR_NOMEM;
		file->base = spg_path_base(file->path);
		asked->n++;
	}
	return 0;
}

int spg_asked_look(struct spg_asked *asked)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < asked->n; i++)
		r = look(asked, &asked->files[i]);
	return r;
}

void spg_asked_finish(struct spg_asked *asked)
{
	for (size_t i = 0; i < asked->n; i++)
		free(asked->files[i].path);
	for (size_t i = 0; i < asked->n_slots; i++) {
		free(asked->directories[i].path);
		free(asked->directories[i].real);
	}
	free(asked->directories);
	free(asked->files);
	free(asked->buckets);
	free(asked->bases);
	free(asked->root);
	free(asked->last);
	*asked = (struct spg_asked)SPG_ASKED_NULL;
}

static bool is_file(const struct spg_asked_file *file, const char *parent,
	const char *base, size_t n)
{
	return strlen(file->base) == n && memcmp(file->base, base, n) == 0 &&
	       strcmp(file->parent, parent) == 0;
}

/* The path of a directory in the database, here. */
static bool make_path(const struct spg_asked *asked, const char *dir, size_t n_dir,
	char *ret, size_t size)
{
	size_t n_root = strlen(asked->root), n = n_root + n_dir;

	if (n_dir == 0 || dir[0] != '/' || n >= size || memchr(dir, '\0', n_dir))
		return false;
	memcpy(ret, asked->root, n_root);
	memcpy(ret + n_root, dir, n_dir);
	while (n > 1 && ret[n - 1] == '/')
		n--;
	ret[n] = '\0';
	return true;
}

int spg_asked_find(struct spg_asked *asked, const char *dir, size_t n_dir,
	const char *base, size_t n_base, int (*hit)(void *user, size_t file),
	void *user)
{
	size_t bit = bit_of(asked, base, n_base), at;
	const char *parent;
	char path[PATH_MAX];
	int r;

	if (!(asked->bases[bit / 8] & 1U << bit % 8) || n_base == 0 ||
		!make_path(asked, dir, n_dir, path, sizeof(path)))
		return 0;
	r = resolve(asked, path, &parent);
	if (r < 0 || !parent)
		return r;
	for (at = asked->buckets[bucket_of(asked, parent, base, n_base)];
		r == 0 && at != SIZE_MAX; at = asked->files[at].next)
		if (is_file(&asked->files[at], parent, base, n_base))
			r = hit(user, at);
	return r;
}
