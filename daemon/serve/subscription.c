/* SPDX-License-Identifier: MIT */
#include "daemon/serve/subscription.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

int spg_subscriber_add(struct spg_subscriber *subscriber, int64_t number,
	const char *product, uint32_t kinds)
{
	struct spg_subscription *subscription = calloc(1, sizeof(*subscription));

	if (!subscription)
		return SPG_ERR_NOMEM;
	if (product) {
		subscription->product = strdup(product);
		if (!subscription->product) {
			free(subscription);
			return SPG_ERR_NOMEM;
		}
	}
	subscription->number = number;
	subscription->kinds = kinds;
	subscription->next = subscriber->first;
	subscriber->first = subscription;
	subscriber->n++;
	return 0;
}

static void destroy(struct spg_subscription *subscription)
{
	free(subscription->product);
	free(subscription);
}

bool spg_subscriber_remove(struct spg_subscriber *subscriber, int64_t number)
{
	struct spg_subscription **at;

	for (at = &subscriber->first; *at; at = &(*at)->next) {
		struct spg_subscription *subscription = *at;

		if (subscription->number != number)
			continue;
		*at = subscription->next;
		subscriber->n--;
		destroy(subscription);
		return true;
	}
	return false;
}

static bool concerns_product(
	const struct spg_model *model, const struct spg_event *event, const char *name)
{
	int index;

	if (event->product)
		return strcmp(event->product, name) == 0;
	if (!event->file)
		return true;
	/* A file of several products carries no name. */
	index = spg_model_find_product(model, name);
	return index >= 0 &&
	       spg_product_has_path(
		       spg_model_product(model, (size_t)index), event->file->path);
}

bool spg_subscriber_wants(const struct spg_subscriber *subscriber,
	const struct spg_model *model, const struct spg_event *event)
{
	const struct spg_subscription *at;

	for (at = subscriber->first; at; at = at->next) {
		if (at->kinds && !(at->kinds & event->kinds))
			continue;
		if (!at->product || concerns_product(model, event, at->product))
			return true;
	}
	return false;
}

void spg_subscriber_finish(struct spg_subscriber *subscriber)
{
	while (subscriber->first) {
		struct spg_subscription *subscription = subscriber->first;

		subscriber->first = subscription->next;
		destroy(subscription);
	}
	subscriber->n = 0;
}
