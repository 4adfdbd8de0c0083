/* SPDX-License-Identifier: MIT */
#include "daemon/serve/quota.h"

#include <stdlib.h>

struct spg_quota *spg_quota_get(struct spg_quota **list, uint32_t uid)
{
	struct spg_quota *quota;

	for (quota = *list; quota; quota = quota->next) {
		if (quota->uid == uid)
			return spg_quota_ref(quota);
	}
	quota = calloc(1, sizeof(*quota));
	if (!quota)
		return NULL;
	quota->refs = 1;
	quota->uid = uid;
	quota->list = list;
	quota->next = *list;
	if (*list)
		(*list)->prev = quota;
	*list = quota;
	return quota;
}

struct spg_quota *spg_quota_ref(struct spg_quota *quota)
{
	quota->refs++;
	return quota;
}

static void unlink_quota(struct spg_quota *quota)
{
	if (!quota->list)
		return;
	if (quota->prev)
		quota->prev->next = quota->next;
	else
		*quota->list = quota->next;
	if (quota->next)
		quota->next->prev = quota->prev;
	quota->list = NULL;
	quota->prev = quota->next = NULL;
}

void spg_quota_unref(struct spg_quota *quota)
{
	if (!quota || --quota->refs)
		return;
	unlink_quota(quota);
	free(quota);
}

void spg_quota_orphan(struct spg_quota **list)
{
	while (*list)
		unlink_quota(*list);
}
