/* SPDX-License-Identifier: MIT */
#include "daemon/serve/quota.h"

#include <stdlib.h>

struct spg_account *spg_account_get(struct spg_account **list, uint32_t uid)
{
	struct spg_account *account;

	for (account = *list; account; account = account->next) {
		if (account->uid == uid)
			return spg_account_ref(account);
	}
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	account->refs = 1;
	account->uid = uid;
	account->list = list;
	account->next = *list;
	if (*list)
		(*list)->prev = account;
	*list = account;
	return account;
}

struct spg_account *spg_account_ref(struct spg_account *account)
{
	account->refs++;
	return account;
}

static void unlink_account(struct spg_account *account)
{
	if (!account->list)
		return;
	if (account->prev)
		account->prev->next = account->next;
	else
		*account->list = account->next;
	if (account->next)
		account->next->prev = account->prev;
	account->list = NULL;
	account->prev = account->next = NULL;
}

void spg_account_unref(struct spg_account *account)
{
	if (!account || --account->refs)
		return;
	unlink_account(account);
	free(account);
}

void spg_account_orphan(struct spg_account **list)
{
	while (*list)
		unlink_account(*list);
}
