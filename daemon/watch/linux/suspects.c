/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/suspects.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SUSPECTS_MAX 1024

struct spg_suspects {
	pthread_mutex_t lock;
	struct spg_suspect list[SUSPECTS_MAX];
	size_t n;
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
	pthread_mutex_destroy(&suspects->lock);
	free(suspects);
}

static void drop(struct spg_suspects *suspects, size_t index)
{
	suspects->n--;
	memmove(suspects->list + index, suspects->list + index + 1,
		(suspects->n - index) * sizeof(suspects->list[0]));
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
		drop(suspects, 0);
	}
	suspects->list[suspects->n++] =
		(struct spg_suspect){.path = copy, .handle = *handle};
	pthread_mutex_unlock(&suspects->lock);
}

bool spg_suspects_take(struct spg_suspects *suspects, const struct spg_product *product,
	struct spg_suspect *ret)
{
	bool found = false;

	pthread_mutex_lock(&suspects->lock);
	for (size_t i = 0; !found && i < suspects->n; i++) {
		if (!spg_product_has_path(product, suspects->list[i].path))
			continue;
		*ret = suspects->list[i];
		drop(suspects, i);
		found = true;
	}
	pthread_mutex_unlock(&suspects->lock);
	return found;
}
