/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/trace_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* One name of an inode. */
struct name {
	struct spg_file *file;
	char *product;
	uint64_t seen; /* the survey that saw it last */
};

struct inode {
	struct spg_bpf_inode_key key;
	struct name *names;
	size_t n_names, size_names; /* none: the place is free */
	uint32_t next;              /* of its bucket + 1, or of the free list */
	uint32_t n_before;          /* how many inodes had the place */
	bool left; /* the kernel tells of it no more; what it told may be on its way */
};

#define BUCKETS    4096
/* The kernel's number: the place, of which there are no more than the table's half a
 * million and one, and above it as many bits of n_before as there is room for. A record
 * about the inode that had the place before may be on its way. */
#define PLACE_BITS 20

struct spg_trace_files {
	pthread_mutex_t lock;
	struct spg_trace *trace;
	struct inode *inodes; /* by slot */
	size_t n_inodes, size_inodes;
	uint32_t buckets[BUCKETS]; /* slot + 1 */
	uint32_t first_free;       /* slot + 1 */
	uint64_t survey;           /* counts them */
};

struct spg_trace_files *spg_trace_files_create(struct spg_trace *trace)
{
	struct spg_trace_files *files = calloc(1, sizeof(*files));

	if (!files)
		return NULL;
	pthread_mutex_init(&files->lock, NULL);
	files->trace = trace;
	return files;
}

static void drop_name(struct name *name)
{
	spg_file_unref(name->file);
	free(name->product);
}

void spg_trace_files_destroy(struct spg_trace_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->n_inodes; i++) {
		for (size_t k = 0; k < files->inodes[i].n_names; k++)
			drop_name(&files->inodes[i].names[k]);
		free(files->inodes[i].names);
	}
	free(files->inodes);
	pthread_mutex_destroy(&files->lock);
	free(files);
}

static uint32_t *bucket_of(
	struct spg_trace_files *files, const struct spg_bpf_inode_key *key)
{
	return &files->buckets[((key->ino ^ key->sdev ^ key->subvolume << 40) *
				       0x9e3779b97f4a7c15u) >>
			       52];
}

static struct inode *find(
	struct spg_trace_files *files, const struct spg_bpf_inode_key *key)
{
	uint32_t at = *bucket_of(files, key);

	while (at != 0) {
		struct inode *inode = &files->inodes[at - 1];

		if (memcmp(&inode->key, key, sizeof(*key)) == 0)
			return inode;
		at = inode->next;
	}
	return NULL;
}

static struct inode *put(
	struct spg_trace_files *files, const struct spg_bpf_inode_key *key)
{
	uint32_t *bucket = bucket_of(files, key);
	uint32_t at = files->first_free;
	struct inode *inode;

	if (at != 0) {
		files->first_free = files->inodes[at - 1].next;
	} else {
		if (spg_array_reserve(&files->inodes, files->n_inodes,
			    &files->size_inodes, sizeof(*files->inodes)) < 0)
			return NULL;
		at = (uint32_t)++files->n_inodes;
		files->inodes[at - 1] = (struct inode){0};
	}
	inode = &files->inodes[at - 1];
	inode->key = *key;
	inode->left = false;
	inode->next = *bucket;
	*bucket = at;
	return inode;
}

static uint32_t number_of(
	const struct spg_trace_files *files, const struct inode *inode)
{
	return (uint32_t)(inode - files->inodes) | inode->n_before << PLACE_BITS;
}

/* Take an inode without names out. */
static void take_out(struct spg_trace_files *files, struct inode *inode)
{
	uint32_t *link = bucket_of(files, &inode->key);
	uint32_t at = (uint32_t)(inode - files->inodes) + 1;

	while (*link != at)
		link = &files->inodes[*link - 1].next;
	*link = inode->next;
	spg_trace_unwatch(files->trace, &inode->key);
	inode->n_before++;
	inode->next = files->first_free;
	files->first_free = at;
}

void spg_trace_files_begin(struct spg_trace_files *files)
{
	pthread_mutex_lock(&files->lock);
	files->survey++;
	pthread_mutex_unlock(&files->lock);
}

static struct name *find_name(const struct inode *inode,
	const struct spg_product *product, const struct spg_file *file)
{
	for (size_t i = 0; i < inode->n_names; i++) {
		struct name *name = &inode->names[i];

		if ((name->file == file || strcmp(name->file->path, file->path) == 0) &&
			strcmp(name->product, product->name) == 0)
			return name;
	}
	return NULL;
}

static int add_name(struct spg_trace_files *files, struct inode *inode,
	const struct spg_product *product, struct spg_file *file)
{
	struct name name = {.product = strdup(product->name), .seen = files->survey};

	if (!name.product || spg_array_reserve(&inode->names, inode->n_names,
				     &inode->size_names, sizeof(name)) < 0) {
		free(name.product);
		return SPG_ERR_NOMEM;
	}
	name.file = spg_file_ref(file);
	inode->names[inode->n_names++] = name;
	return 0;
}

int spg_trace_files_add(struct spg_trace_files *files,
	const struct spg_product *product, const struct spg_bpf_inode *told,
	struct spg_file *file)
{
	struct inode *inode;
	struct name *name;
	int r = 0;

	pthread_mutex_lock(&files->lock);
	inode = find(files, &told->key);
	name = inode ? find_name(inode, product, file) : NULL;
	if (inode && inode->left) {
		r = spg_trace_watch(files->trace, &told->key, number_of(files, inode));
		inode->left = r < 0;
	}
	if (name) {
		name->seen = files->survey;
		if (name->file != file) {
			spg_file_unref(name->file);
			name->file = spg_file_ref(file);
		}
		goto out;
	}
	if (!inode)
		inode = put(files, &told->key);
	if (r == 0)
		r = inode ? add_name(files, inode, product, file) : SPG_ERR_NOMEM;
	if (r == 0 && inode->n_names == 1) {
		r = spg_trace_watch(files->trace, &told->key, number_of(files, inode));
		if (r < 0)
			drop_name(&inode->names[--inode->n_names]);
	}
	if (inode && inode->n_names == 0)
		take_out(files, inode);
out:
	pthread_mutex_unlock(&files->lock);
	return r;
}

/* True when the file still is, though its inode could not be named this time. */
static bool is_there(const struct spg_observation *obs, const struct spg_file *file)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE &&
			spg_file_id_equal(obs->files[i].file->id, file->id) &&
			strcmp(obs->files[i].file->path, file->path) == 0)
			return true;
	return false;
}

static int order_pointers(const void *va, const void *vb)
{
	const struct spg_file *const *a = va, *const *b = vb;

	return (uintptr_t)*a < (uintptr_t)*b ? -1 : (uintptr_t)*a > (uintptr_t)*b;
}

/* The files that the survey looked at and found gone, sorted. None when memory is short:
 * the next survey does not look at them. */
static const struct spg_file **find_gone(
	const struct spg_observation *obs, size_t *ret_n)
{
	const struct spg_file **gone = calloc(obs->n_files + 1, sizeof(*gone));

	*ret_n = 0;
	for (size_t i = 0; gone && i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_GONE)
			gone[(*ret_n)++] = obs->files[i].file;
	if (*ret_n > 0)
		qsort(gone, *ret_n, sizeof(*gone), order_pointers);
	return gone;
}

static bool is_among(
	const struct spg_file *const *gone, size_t n, const struct spg_file *file)
{
	return n > 0 && bsearch(&file, gone, n, sizeof(*gone), order_pointers);
}

void spg_trace_files_end(
	struct spg_trace_files *files, const struct spg_observation *obs)
{
	size_t n_gone;
	const struct spg_file **gone = find_gone(obs, &n_gone);

	pthread_mutex_lock(&files->lock);
	for (size_t i = 0; i < files->n_inodes; i++) {
		struct inode *inode = &files->inodes[i];
		size_t n = 0, n_there = 0;

		if (inode->n_names == 0)
			continue;
		for (size_t k = 0; k < inode->n_names; k++) {
			struct name *name = &inode->names[k];
			bool other = strcmp(name->product, obs->product->name) != 0 ||
			             is_there(obs, name->file);

			if (!other && name->seen != files->survey) {
				drop_name(name);
				continue;
			}
			n_there += other || !is_among(gone, n_gone, name->file);
			inode->names[n++] = *name;
		}
		inode->n_names = n;
		if (n == 0) {
			take_out(files, inode);
		} else if (n_there == 0) {
			spg_trace_unwatch(files->trace, &inode->key);
			inode->left = true;
		}
	}
	pthread_mutex_unlock(&files->lock);
	free(gone);
}

struct spg_file *spg_trace_files_find(
	struct spg_trace_files *files, uint32_t slot, size_t *cursor)
{
	uint32_t place = slot & ((1u << PLACE_BITS) - 1);
	const struct inode *inode;
	struct spg_file *file = NULL;

	pthread_mutex_lock(&files->lock);
	inode = place < files->n_inodes ? &files->inodes[place] : NULL;
	if (inode && number_of(files, inode) == slot && *cursor < inode->n_names)
		file = spg_file_ref(inode->names[(*cursor)++].file);
	pthread_mutex_unlock(&files->lock);
	return file;
}
