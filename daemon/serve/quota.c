/* SPDX-License-Identifier: MIT */
#include "daemon/serve/quota.h"

#include <stdlib.h>

/* An element of a list or an object: its copies, the answer about it, and that one's
 * text. */
#define ELEMENT_COST 256
#define SMALL_COST   4096

size_t spg_request_cost(const char *line, size_t n)
{
	size_t n_elements = 0;

	for (size_t i = 0; i < n; i++)
		n_elements += line[i] == ',' || line[i] == '[' || line[i] == '{';
	return n + n_elements * ELEMENT_COST;
}

bool spg_quota_has_room(
	const struct spg_quota *quota, const struct spg_limits *limits, size_t cost)
{
	return cost <= SMALL_COST || quota->n_work == 0 ||
	       quota->n_work + cost <= limits->uid_work;
}

struct spg_quota *spg_quota_get(struct spg_quotas *quotas, uint32_t uid)
{
	struct spg_quota *quota;

	for (quota = quotas->first; quota; quota = quota->next) {
		if (quota->uid == uid)
			return spg_quota_ref(quota);
	}
	quota = calloc(1, sizeof(*quota));
	if (!quota)
		return NULL;
	quota->refs = 1;
	quota->uid = uid;
	quota->all = quotas;
	quota->next = quotas->first;
	if (quota->next)
		quota->next->prev = quota;
	quotas->first = quota;
	return quota;
}

struct spg_quota *spg_quota_ref(struct spg_quota *quota)
{
	quota->refs++;
	return quota;
}

static void tell_of_room(const struct spg_quota *quota)
{
	if (quota->all && quota->all->on_room)
		quota->all->on_room(quota->all->user);
}

void spg_quota_begin_work(struct spg_quota *quota, size_t cost)
{
	quota->n_calls++;
	quota->n_work += cost;
}

void spg_quota_end_work(struct spg_quota *quota, size_t cost)
{
	quota->n_calls--;
	quota->n_work -= cost;
	tell_of_room(quota);
}

void spg_quota_set_output(struct spg_quota *quota, size_t before, size_t after)
{
	quota->n_output = quota->n_output - before + after;
	if (after < before)
		tell_of_room(quota);
}

static void unlink_quota(struct spg_quota *quota)
{
	if (!quota->all)
		return;
	if (quota->prev)
		quota->prev->next = quota->next;
	else
		quota->all->first = quota->next;
	if (quota->next)
		quota->next->prev = quota->prev;
	quota->all = NULL;
	quota->prev = quota->next = NULL;
}

void spg_quota_unref(struct spg_quota *quota)
{
	if (!quota || --quota->refs)
		return;
	unlink_quota(quota);
	free(quota);
}

void spg_quota_orphan(struct spg_quotas *quotas)
{
	while (quotas->first)
		unlink_quota(quotas->first);
}
