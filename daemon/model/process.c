/* SPDX-License-Identifier: MIT */
#include "daemon/model/process.h"

#include <stdlib.h>
#include <string.h>

static bool copy_text(char **ret, const char *text)
{
	if (!text)
		return true;
	*ret = strdup(text);
	return *ret != NULL;
}

struct spg_process *spg_process_create(const struct spg_process_info *info)
{
	struct spg_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_init(&p->refs, 1);
	p->id = info->id;
	p->started_ns = info->started_ns;
	p->ppid = info->ppid;
	p->uid = info->uid;
	p->key = info->key;
	p->engine = info->engine;
	p->is_daemon = info->is_daemon;
	p->unit_refuses_stop = info->unit_refuses_stop;
	p->unit_on_bus = info->unit_on_bus;
	if (!copy_text(&p->name, info->name) || !copy_text(&p->exe, info->exe) ||
		!copy_text(&p->cmdline, info->cmdline) ||
		!copy_text(&p->user, info->user) || !copy_text(&p->unit, info->unit) ||
		!copy_text(&p->unit_user, info->unit_user) ||
		!copy_text(&p->container, info->container) ||
		!copy_text(&p->unit_triggers, info->unit_triggers)) {
		spg_process_unref(p);
		return NULL;
	}
	return p;
}

struct spg_process *spg_process_with_cmdline(
	const struct spg_process *process, const char *cmdline)
{
	return spg_process_create(&(struct spg_process_info){.id = process->id,
		.started_ns = process->started_ns,
		.ppid = process->ppid,
		.uid = process->uid,
		.key = process->key,
		.name = process->name,
		.exe = process->exe,
		.cmdline = cmdline,
		.user = process->user,
		.unit = process->unit,
		.unit_user = process->unit_user,
		.container = process->container,
		.unit_triggers = process->unit_triggers,
		.engine = process->engine,
		.unit_refuses_stop = process->unit_refuses_stop,
		.unit_on_bus = process->unit_on_bus,
		.is_daemon = process->is_daemon});
}

struct spg_process *spg_process_ref(struct spg_process *process)
{
	if (process)
		atomic_fetch_add_explicit(&process->refs, 1, memory_order_relaxed);
	return process;
}

void spg_process_unref(struct spg_process *process)
{
	if (!process ||
		atomic_fetch_sub_explicit(&process->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(process->name);
	free(process->exe);
	free(process->cmdline);
	free(process->user);
	free(process->unit);
	free(process->unit_user);
	free(process->container);
	free(process->unit_triggers);
	free(process);
}
