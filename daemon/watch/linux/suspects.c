/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/suspects.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

#define SUSPECTS_MAX 1024

/* How far a product has asked. */
struct asker {
	struct spg_product *product; /* a reference */
	uint64_t number;
};

struct spg_suspects {
	pthread_mutex_t lock;
	struct spg_suspect list[SUSPECTS_MAX];
	size_t n;
	uint64_t number; /* of the last that was added */
	struct asker *askers;
	size_t n_askers, size_askers;
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
	for (size_t i = 0; i < suspects->n; i++)
		free(suspects->list[i].path);
	for (size_t i = 0; i < suspects->n_askers; i++)
		spg_product_unref(suspects->askers[i].product);
	free(suspects->askers);
	pthread_mutex_destroy(&suspects->lock);
	free(suspects);
}

void spg_suspects_add(struct spg_suspects *suspects, const char *path,
	const struct spg_handle *handle)
{
	char *copy = strdup(path);

	if (!copy)
		return;
	pthread_mutex_lock(&suspects->lock);
	if (suspects->n == SUSPECTS_MAX) {
		free(suspects->list[0].path);
		suspects->n--;
		memmove(suspects->list, suspects->list + 1,
			suspects->n * sizeof(suspects->list[0]));
	}
	suspects->list[suspects->n++] = (struct spg_suspect){
		.path = copy, .handle = *handle, .number = ++suspects->number};
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

int spg_suspects_next(struct spg_suspects *suspects, const struct spg_product *product,
	uint64_t after, struct spg_suspect *ret)
{
	size_t i = 0;
	int r = 0;

	pthread_mutex_lock(&suspects->lock);
	ret->number = suspects->number;
	if (after == suspects->number)
		i = suspects->n;
	for (; i < suspects->n; i++) {
		const struct spg_suspect *suspect = &suspects->list[i];

		if (suspect->number <= after ||
			!spg_product_has_path(product, suspect->path))
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
	pthread_mutex_unlock(&suspects->lock);
}
