/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/events/deleted_inodes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* Several times what the queue of events holds; 20 MB at most. */
#define SUSPECTS_MAX  65536
/* So many stay when all products have asked, for those that a reload brings. */
#define SUSPECTS_KEPT 1024

/* How far a product has asked. */
struct asker {
	struct spg_product *product; /* a reference */
	uint64_t number;
};

struct spg_suspects {
	pthread_mutex_t lock;
	struct spg_suspect *list; /* from [first] on, in order */
	size_t first, n, size;
	uint64_t number; /* of the last that was added */
	uint64_t gone;   /* of the last that gave way */
	struct asker *askers;
	size_t n_askers, size_askers;
	size_t n_products;
};

struct spg_suspects *spg_suspects_create(void)
{
	struct spg_suspects *suspects = calloc(1, sizeof(*suspects));

	if (suspects)
		pthread_mutex_init(&suspects->lock, NULL);
	return suspects;
}

void spg_suspects_destroy(struct spg_suspects *suspects)
{
	if (!suspects)
		return;
	for (size_t i = suspects->first; i < suspects->n; i++)
		free(suspects->list[i].path);
	free(suspects->list);
	for (size_t i = 0; i < suspects->n_askers; i++)
		spg_product_unref(suspects->askers[i].product);
	free(suspects->askers);
	pthread_mutex_destroy(&suspects->lock);
	free(suspects);
}

static void drop_oldest(struct spg_suspects *suspects)
{
	free(suspects->list[suspects->first++].path);
	if (suspects->first < suspects->n / 2)
		return;
	suspects->n -= suspects->first;
	memmove(suspects->list, suspects->list + suspects->first,
		suspects->n * sizeof(*suspects->list));
	suspects->first = 0;
}

/* All products have asked about those up to this one. */
static uint64_t asked_by_all(const struct spg_suspects *suspects)
{
	uint64_t least = suspects->number;

	if (suspects->n_askers < suspects->n_products)
		return 0;
	for (size_t i = 0; i < suspects->n_askers; i++)
		if (suspects->askers[i].number < least)
			least = suspects->askers[i].number;
	return least;
}

static void drop_asked(struct spg_suspects *suspects)
{
	uint64_t asked = asked_by_all(suspects);

	while (suspects->n - suspects->first > SUSPECTS_KEPT &&
		suspects->list[suspects->first].number <= asked)
		drop_oldest(suspects);
}

void spg_suspects_add(struct spg_suspects *suspects, const char *path,
	const struct spg_handle *handle)
{
	char *copy = strdup(path);

	pthread_mutex_lock(&suspects->lock);
	suspects->number++;
	if (suspects->n - suspects->first == SUSPECTS_MAX) {
		suspects->gone = suspects->list[suspects->first].number;
		drop_oldest(suspects);
	}
	if (copy && spg_array_reserve(&suspects->list, suspects->n, &suspects->size,
			    sizeof(*suspects->list)) == 0) {
		suspects->list[suspects->n++] = (struct spg_suspect){
			.path = copy, .handle = *handle, .number = suspects->number};
	} else {
		suspects->gone = suspects->number;
		free(copy);
	}
	pthread_mutex_unlock(&suspects->lock);
}

void spg_suspects_add_unnamed(struct spg_suspects *suspects)
{
	pthread_mutex_lock(&suspects->lock);
	suspects->gone = ++suspects->number;
	pthread_mutex_unlock(&suspects->lock);
}

/* NULL: it has asked about none. */
static struct asker *find_asker(
	const struct spg_suspects *suspects, const struct spg_product *product)
{
	for (size_t i = 0; i < suspects->n_askers; i++)
		if (suspects->askers[i].product == product)
			return &suspects->askers[i];
	return NULL;
}

uint64_t spg_suspects_asked(
	struct spg_suspects *suspects, const struct spg_product *product)
{
	const struct asker *asker;
	uint64_t number;

	pthread_mutex_lock(&suspects->lock);
	asker = find_asker(suspects, product);
	number = asker ? asker->number : 0;
	pthread_mutex_unlock(&suspects->lock);
	return number;
}

bool spg_suspects_gave_way(struct spg_suspects *suspects, uint64_t after)
{
	bool gave_way;

	pthread_mutex_lock(&suspects->lock);
	gave_way = suspects->gone > after;
	pthread_mutex_unlock(&suspects->lock);
	return gave_way;
}

/* Where the first one after number @after is, or would be. */
static size_t find_after(const struct spg_suspects *suspects, uint64_t after)
{
	size_t low = suspects->first, high = suspects->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (suspects->list[middle].number <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int spg_suspects_next(struct spg_suspects *suspects, const struct spg_product *product,
	uint64_t after, struct spg_suspect *ret)
{
	int r = 0;

	pthread_mutex_lock(&suspects->lock);
	ret->number = suspects->number;
	for (size_t i = find_after(suspects, after); i < suspects->n; i++) {
		const struct spg_suspect *suspect = &suspects->list[i];

		if (!spg_product_has_path(product, suspect->path))
			continue;
		*ret = *suspect;
		ret->path = strdup(suspect->path);
		r = ret->path ? 1 : SPG_ERR_NOMEM;
		break;
	}
	pthread_mutex_unlock(&suspects->lock);
	return r;
}

void spg_suspects_set_asked(
	struct spg_suspects *suspects, struct spg_product *product, uint64_t number)
{
	struct asker *asker;

	pthread_mutex_lock(&suspects->lock);
	asker = find_asker(suspects, product);
	if (asker)
		asker->number = number;
	else if (spg_array_reserve(&suspects->askers, suspects->n_askers,
			 &suspects->size_askers, sizeof(*suspects->askers)) == 0)
		suspects->askers[suspects->n_askers++] = (struct asker){
			.product = spg_product_ref(product), .number = number};
	drop_asked(suspects);
	pthread_mutex_unlock(&suspects->lock);
}

static bool is_among(const struct spg_product *product,
	struct spg_product *const *products, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (products[i] == product)
			return true;
	return false;
}

void spg_suspects_set_products(
	struct spg_suspects *suspects, struct spg_product *const *products, size_t n)
{
	size_t n_left = 0;

	pthread_mutex_lock(&suspects->lock);
	for (size_t i = 0; i < suspects->n_askers; i++) {
		if (is_among(suspects->askers[i].product, products, n))
			suspects->askers[n_left++] = suspects->askers[i];
		else
			spg_product_unref(suspects->askers[i].product);
	}
	suspects->n_askers = n_left;
	suspects->n_products = n;
	pthread_mutex_unlock(&suspects->lock);
}
