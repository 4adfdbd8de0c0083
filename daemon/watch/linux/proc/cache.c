/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/cache.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/proc/proc.h"

/* Each process has one place, which it may lose to another one. */
#define PLACES 512

struct entry {
	struct spg_process *process; /* NULL: free */
	struct spg_bpf_who who;
	uint32_t manager_uid; /* of its unit */
	int64_t read_ns;      /* monotonic */
};

struct spg_process_cache {
	struct entry entries[PLACES];
};

struct spg_process_cache *spg_process_cache_create(void)
{
	return calloc(1, sizeof(struct spg_process_cache));
}

void spg_process_cache_destroy(struct spg_process_cache *cache)
{
	for (size_t i = 0; cache && i < PLACES; i++)
		spg_process_unref(cache->entries[i].process);
	free(cache);
}

static struct entry *place_of(struct spg_process_cache *cache, int32_t pid)
{
	return &cache->entries[(uint32_t)pid % PLACES];
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What is outside of the process itself. */
static bool read_surroundings(
	const struct spg_process *process, struct spg_control_group *group)
{
	char exe[PATH_MAX], cgroup[4096];
	int proc_fd = spg_proc_open(process->id.pid);
	bool same;

	*group = (struct spg_control_group){.manager_uid = SPG_UID_UNKNOWN};
	if (proc_fd < 0)
		return false;
	same = is_same_text(
		spg_proc_exe(proc_fd, exe, sizeof(exe)) ? exe : NULL, process->exe);
	if (same && spg_proc_slurp(proc_fd, "cgroup", cgroup, sizeof(cgroup)) > 0)
		spg_control_group_parse(cgroup, group);
	close(proc_fd);
	return same && is_same_text(group->unit, process->unit) &&
	       group->engine == process->engine &&
	       is_same_text(group->container, process->container);
}

/* Is the record about what was told? The name may have been completed (proc.h). */
static bool is_about(const struct spg_process *process, const struct spg_bpf_who *who)
{
	size_t len = strnlen(who->comm, sizeof(who->comm));
	uint64_t start;

	spg_proc_started(who->start_boottime, &start, &(int64_t){0});
	return process->id.pid == who->tgid && process->id.start == start &&
	       process->uid == who->uid && process->ppid == who->ppid &&
	       process->name && strncmp(process->name, who->comm, len) == 0 &&
	       (len == SPG_BPF_COMM - 1 || process->name[len] == '\0');
}

void spg_process_cache_put(struct spg_process_cache *cache, struct spg_process *process,
	const struct spg_bpf_who *who)
{
	struct entry *entry = place_of(cache, who->tgid);
	struct spg_control_group group;

	if (!is_about(process, who) || !read_surroundings(process, &group))
		return;
	spg_process_unref(entry->process);
	*entry = (struct entry){.process = spg_process_ref(process),
		.who = *who,
		.manager_uid = group.manager_uid,
		.read_ns = spg_clock_mono_ns()};
}

struct spg_process *spg_process_cache_get(
	struct spg_process_cache *cache, const struct spg_bpf_who *who)
{
	const struct entry *entry = place_of(cache, who->tgid);
	struct spg_control_group group;

	if (!entry->process || memcmp(&entry->who, who, sizeof(*who)) != 0 ||
		spg_clock_mono_ns() - entry->read_ns > SPG_PROCESS_CACHE_NS ||
		!read_surroundings(entry->process, &group) ||
		group.manager_uid != entry->manager_uid)
		return NULL;
	return spg_process_ref(entry->process);
}
