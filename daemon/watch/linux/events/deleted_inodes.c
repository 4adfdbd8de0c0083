/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/deleted_inodes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* Several times what the queue of events holds; 20 MB at most. */
#define DELETED_MAX  65536
/* So many stay when all products have asked, for those that a reload brings. */
#define DELETED_KEPT 1024

/* How far a product has asked. */
struct asker {
	struct spg_product *product; /* a reference */
	uint64_t number;
};

struct spg_deleted_inodes {
	pthread_mutex_t lock;
	struct spg_deleted_inode *list; /* from [first] on, in order */
	size_t first, n, size;
	uint64_t number; /* of the last that was added */
	uint64_t gone;   /* of the last that gave way */
	struct asker *askers;
	size_t n_askers, size_askers;
	size_t n_products;
};

struct spg_deleted_inodes *spg_deleted_inodes_create(void)
{
	struct spg_deleted_inodes *deleted_inodes = calloc(1, sizeof(*deleted_inodes));

	if (deleted_inodes)
		pthread_mutex_init(&deleted_inodes->lock, NULL);
	return deleted_inodes;
}

void spg_deleted_inodes_destroy(struct spg_deleted_inodes *deleted_inodes)
{
	if (!deleted_inodes)
		return;
	for (size_t i = deleted_inodes->first; i < deleted_inodes->n; i++)
		free(deleted_inodes->list[i].path);
	free(deleted_inodes->list);
	for (size_t i = 0; i < deleted_inodes->n_askers; i++)
		spg_product_unref(deleted_inodes->askers[i].product);
	free(deleted_inodes->askers);
	pthread_mutex_destroy(&deleted_inodes->lock);
	free(deleted_inodes);
}

static void drop_oldest(struct spg_deleted_inodes *deleted_inodes)
{
	free(deleted_inodes->list[deleted_inodes->first++].path);
	if (deleted_inodes->first < deleted_inodes->n / 2)
		return;
	deleted_inodes->n -= deleted_inodes->first;
	memmove(deleted_inodes->list, deleted_inodes->list + deleted_inodes->first,
		deleted_inodes->n * sizeof(*deleted_inodes->list));
	deleted_inodes->first = 0;
}

/* All products have asked about those up to this one. */
static uint64_t asked_by_all(const struct spg_deleted_inodes *deleted_inodes)
{
	uint64_t least = deleted_inodes->number;

	if (deleted_inodes->n_askers < deleted_inodes->n_products)
		return 0;
	for (size_t i = 0; i < deleted_inodes->n_askers; i++)
		if (deleted_inodes->askers[i].number < least)
			least = deleted_inodes->askers[i].number;
	return least;
}

static void drop_asked(struct spg_deleted_inodes *deleted_inodes)
{
	uint64_t asked = asked_by_all(deleted_inodes);

	while (deleted_inodes->n - deleted_inodes->first > DELETED_KEPT &&
		deleted_inodes->list[deleted_inodes->first].number <= asked)
		drop_oldest(deleted_inodes);
}

void spg_deleted_inodes_add(struct spg_deleted_inodes *deleted_inodes, const char *path,
	const struct spg_handle *handle)
{
	char *copy = strdup(path);

	pthread_mutex_lock(&deleted_inodes->lock);
	deleted_inodes->number++;
	if (deleted_inodes->n - deleted_inodes->first == DELETED_MAX) {
		deleted_inodes->gone =
			deleted_inodes->list[deleted_inodes->first].number;
		drop_oldest(deleted_inodes);
	}
	if (copy &&
		spg_array_reserve(&deleted_inodes->list, deleted_inodes->n,
			&deleted_inodes->size, sizeof(*deleted_inodes->list)) == 0) {
		deleted_inodes->list[deleted_inodes->n++] =
			(struct spg_deleted_inode){.path = copy,
				.handle = *handle,
				.number = deleted_inodes->number};
	} else {
		deleted_inodes->gone = deleted_inodes->number;
		free(copy);
	}
	pthread_mutex_unlock(&deleted_inodes->lock);
}

void spg_deleted_inodes_add_unnamed(struct spg_deleted_inodes *deleted_inodes)
{
	pthread_mutex_lock(&deleted_inodes->lock);
	deleted_inodes->gone = ++deleted_inodes->number;
	pthread_mutex_unlock(&deleted_inodes->lock);
}

/* NULL: it has asked about none. */
static struct asker *find_asker(const struct spg_deleted_inodes *deleted_inodes,
	const struct spg_product *product)
{
	for (size_t i = 0; i < deleted_inodes->n_askers; i++)
		if (deleted_inodes->askers[i].product == product)
			return &deleted_inodes->askers[i];
	return NULL;
}

uint64_t spg_deleted_inodes_asked(
	struct spg_deleted_inodes *deleted_inodes, const struct spg_product *product)
{
	const struct asker *asker;
	uint64_t number;

	pthread_mutex_lock(&deleted_inodes->lock);
	asker = find_asker(deleted_inodes, product);
	number = asker ? asker->number : 0;
	pthread_mutex_unlock(&deleted_inodes->lock);
	return number;
}

bool spg_deleted_inodes_gave_way(
	struct spg_deleted_inodes *deleted_inodes, uint64_t after)
{
	bool gave_way;

	pthread_mutex_lock(&deleted_inodes->lock);
	gave_way = deleted_inodes->gone > after;
	pthread_mutex_unlock(&deleted_inodes->lock);
	return gave_way;
}

/* Where the first one after number @after is, or would be. */
static size_t find_after(
	const struct spg_deleted_inodes *deleted_inodes, uint64_t after)
{
	size_t low = deleted_inodes->first, high = deleted_inodes->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (deleted_inodes->list[middle].number <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int spg_deleted_inodes_next(struct spg_deleted_inodes *deleted_inodes,
	const struct spg_product *product, uint64_t after,
	struct spg_deleted_inode *ret)
{
	int r = 0;

	pthread_mutex_lock(&deleted_inodes->lock);
	ret->number = deleted_inodes->number;
	for (size_t i = find_after(deleted_inodes, after); i < deleted_inodes->n; i++) {
		const struct spg_deleted_inode *deleted = &deleted_inodes->list[i];

		if (!spg_product_has_path(product, deleted->path))
			continue;
		*ret = *deleted;
		ret->path = strdup(deleted->path);
		r = ret->path ? 1 : SPG_ERR_NOMEM;
		break;
	}
	pthread_mutex_unlock(&deleted_inodes->lock);
	return r;
}

void spg_deleted_inodes_set_asked(struct spg_deleted_inodes *deleted_inodes,
	struct spg_product *product, uint64_t number)
{
	struct asker *asker;

	pthread_mutex_lock(&deleted_inodes->lock);
	asker = find_asker(deleted_inodes, product);
	if (asker)
		asker->number = number;
	else if (spg_array_reserve(&deleted_inodes->askers, deleted_inodes->n_askers,
			 &deleted_inodes->size_askers,
			 sizeof(*deleted_inodes->askers)) == 0)
		deleted_inodes->askers[deleted_inodes->n_askers++] = (struct asker){
			.product = spg_product_ref(product), .number = number};
	drop_asked(deleted_inodes);
	pthread_mutex_unlock(&deleted_inodes->lock);
}

static bool is_among(const struct spg_product *product,
	struct spg_product *const *products, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (products[i] == product)
			return true;
	return false;
}

void spg_deleted_inodes_set_products(struct spg_deleted_inodes *deleted_inodes,
	struct spg_product *const *products, size_t n)
{
	size_t n_left = 0;

	pthread_mutex_lock(&deleted_inodes->lock);
	for (size_t i = 0; i < deleted_inodes->n_askers; i++) {
		if (is_among(deleted_inodes->askers[i].product, products, n))
			deleted_inodes->askers[n_left++] = deleted_inodes->askers[i];
		else
			spg_product_unref(deleted_inodes->askers[i].product);
	}
	deleted_inodes->n_askers = n_left;
	deleted_inodes->n_products = n;
	pthread_mutex_unlock(&deleted_inodes->lock);
}
