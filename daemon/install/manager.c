/* SPDX-License-Identifier: MIT */
#include "daemon/install/manager.h"

#include <string.h>

/* From dpkg up to apt-get, what has started that, and so on. */
#define ANCESTORS_MAX 16

bool spg_is_package_manager(const struct spg_process *process)
{
	/* The kernel cuts a name after 15 bytes. */
	static const char *const names[] = {"apt", "apt-get", "aptitude",
		"aptitude-curses", "unattended-upgr", "unattended-upgrade", "dnf",
		"dnf5", "yum", "zypper", "rpm", "dpkg"};

	for (size_t i = 0; process->name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(process->name, names[i]) == 0)
			return true;
	return false;
}

struct spg_process *spg_package_manager_of(struct spg_watch *watch,
	struct spg_process *process, struct spg_process **ret_nearest)
{
	struct spg_process *at = spg_process_ref(process), *found = NULL;

	*ret_nearest = NULL;
	for (int i = 0; at && i < ANCESTORS_MAX; i++) {
		struct spg_process *parent = NULL;

		if (spg_is_package_manager(at)) {
			if (!found)
				*ret_nearest = spg_process_ref(at);
			spg_process_unref(found);
			found = spg_process_ref(at);
		}
		if (at->ppid > 1 && watch->ops->process)
			parent = watch->ops->process(watch, at->ppid);
		spg_process_unref(at);
		at = parent;
	}
	spg_process_unref(at);
	return found;
}
