/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/uses.h"

#include <stdlib.h>

#include "common/array.h"

int spg_win_users_add(
	struct spg_win_users *users, size_t file, int32_t pid, unsigned how)
{
	int r;

	for (size_t i = users->n_uses; i-- > 0;)
		if (users->uses[i].file == file && users->uses[i].pid == pid) {
			users->uses[i].how |= how;
			return 0;
		}
	r = spg_array_reserve(
		&users->uses, users->n_uses, &users->size_uses, sizeof(*users->uses));
	if (r == 0)
		users->uses[users->n_uses++] =
			(struct spg_win_use){.file = file, .pid = pid, .how = how};
	return r;
}

unsigned spg_win_users_how(const struct spg_win_users *users, size_t index)
{
	unsigned how = 0;

	for (size_t i = 0; i < users->n_uses; i++)
		if (users->uses[i].file == index)
			how |= users->uses[i].how;
	return how;
}

int32_t spg_win_users_only(const struct spg_win_users *users, size_t index)
{
	int32_t pid = 0;

	for (size_t i = 0; i < users->n_uses; i++) {
		const struct spg_win_use *use = &users->uses[i];

		if (use->file != index || !(use->how & (SPG_USE_OPEN | SPG_USE_WRITE)))
			continue;
		if (pid)
			return 0;
		pid = use->pid;
	}
	return pid;
}

bool spg_win_users_complete(
	const struct spg_win_tools *tools, const struct spg_win_users *users)
{
	return tools->proofs.handles && tools->proofs.images &&
	       tools->proofs.data_views && users->n_opaque == 0 && !users->cut &&
	       !users->restless && !users->unresolved;
}

void spg_win_users_finish(struct spg_win_users *users)
{
	free(users->uses);
	free(users->opaque);
	free(users->unresolved);
	spg_win_processes_finish(&users->processes);
	spg_win_services_finish(&users->services);
	*users = (struct spg_win_users){.uses = NULL};
}
