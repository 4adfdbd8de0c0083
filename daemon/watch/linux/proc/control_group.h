/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the control groups of a process say: which unit of systemd, or which container,
 * it belongs to. Pure: text in, names out.
 *
 * systemd puts the processes of a unit into a group that is named after it, below the
 * groups of slices (systemd.unit(5); docs "Control Group APIs and Delegation"):
 * "0::/system.slice/a.service" in the unified hierarchy, "1:name=systemd:/..." in the
 * old one. All that lies below such a group belongs to whoever runs in it, and may have
 * any name. So a name counts only as far as the manager of the machine gave it: the
 * outermost group below slices, whose names lie within each other as systemd nests them;
 * below "user@UID.service" the same again for the manager of that user. A group below a
 * container's own is never looked at.
 */
#include <stdint.h>

#include "common/identity.h"
#include "common/kind.h"
#include "daemon/model/process.h"

struct spg_control_group {
	char unit[256]; /* "perfmon.service"; "" none */
	/* Whose service manager runs the unit, or whose container it is; SPG_UID_UNKNOWN:
	 * the machine's. */
	uint32_t manager_uid;
	enum spg_container_engine engine;
	char container[256]; /* as its engine names it; "" none */
};

/** Take @text of /proc/PID/cgroup apart. A container in any hierarchy hides the unit. */
void spg_control_group_parse(const char *text, struct spg_control_group *ret);
