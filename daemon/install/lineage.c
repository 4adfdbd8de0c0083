/* SPDX-License-Identifier: MIT */
#include "daemon/install/lineage.h"

#include <stdbool.h>
#include <string.h>

/* Each costs a few looks into /proc. */
#define ASKED_MAX 256

/* Who only opens sessions has done nothing of what is done in them. */
static bool opens_sessions(const struct spg_process *process)
{
	static const char *const names[] = {"sshd", "login", "cron", "crond", "atd",
		"systemd", "screen", "tmux: server", "containerd-shim"};

	for (size_t i = 0; process->name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(process->name, names[i]) == 0)
			return true;
	return false;
}

static struct spg_process *parent_of(
	struct spg_watch *watch, const struct spg_process *process)
{
	struct spg_process *parent;

	if (process->ppid <= 1 || !watch->ops->process)
		return NULL;
	parent = watch->ops->process(watch, process->ppid);
	if (!parent || !opens_sessions(parent))
		return parent;
	spg_process_unref(parent);
	return NULL;
}

void spg_lineage_begin(struct spg_lineage *lineage, struct spg_watch *watch,
	struct spg_process *process)
{
	struct spg_process *at = spg_process_ref(process);

	spg_lineage_finish(lineage);
	while (at && lineage->n < SPG_LINEAGE_MAX) {
		lineage->at[lineage->n++] = at;
		at = lineage->n < SPG_LINEAGE_MAX ? parent_of(watch, at) : NULL;
	}
}

/* Where @process or its parent is, which takes no look at anything. */
static size_t find_near(
	const struct spg_lineage *lineage, const struct spg_process *process)
{
	for (size_t i = 0; i < lineage->n; i++)
		if (spg_proc_id_equal(lineage->at[i]->id, process->id))
			return i;
	for (size_t i = 0; i < lineage->n; i++)
		if (process->ppid > 1 && lineage->at[i]->id.pid == process->ppid)
			return i;
	return lineage->n;
}

size_t spg_lineage_find(struct spg_lineage *lineage, struct spg_watch *watch,
	const struct spg_process *process)
{
	size_t found = find_near(lineage, process);
	struct spg_process *at = NULL;

	for (int i = 0; found == lineage->n && i < SPG_LINEAGE_MAX; i++) {
		struct spg_process *parent;

		if (lineage->n_asked == ASKED_MAX)
			break;
		lineage->n_asked++;
		parent = parent_of(watch, at ? at : process);
		spg_process_unref(at);
		at = parent;
		if (!at)
			break;
		found = find_near(lineage, at);
	}
	spg_process_unref(at);
	return found;
}

void spg_lineage_finish(struct spg_lineage *lineage)
{
	for (size_t i = 0; i < lineage->n; i++)
		spg_process_unref(lineage->at[i]);
	*lineage = (struct spg_lineage)SPG_LINEAGE_NULL;
}
