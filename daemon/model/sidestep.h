/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One step aside as the journal has it: a held file renamed so that setup can write
 * a new one under its name. Plain data; texts belong to the record.
 */
#include <stdint.h>

#include "common/identity.h"
#include "common/kind.h"
#include "daemon/model/event.h"

struct spg_sidestep {
	int64_t id; /* ascending, from 1 */
	char *product;
	char *path;     /* the name that setup needs */
	char *old_path; /* where the file is meanwhile; in the same directory */
	struct spg_file_id file;
	enum spg_sidestep_state state;
	int64_t at_ns, changed_ns; /* UTC: asked for; the latest change of state */
	uint32_t uid;              /* who asked */
	char *detail;              /* why it failed or was refused; else NULL */
	unsigned obstacles; /* that it was refused for: a set of SPG_OBSTACLE_BIT();
	                       not stored */
};

/** Release what it owns; idempotent. */
void spg_sidestep_finish(struct spg_sidestep *sidestep);

/** The event that its state has become what it is: durable, with a reference for the
 * caller. NULL: out of memory. */
struct spg_event *spg_sidestep_event(
	const struct spg_sidestep *sidestep, int64_t at_ns);

/** Copy @from into @to, which is empty. Returns 0 or SPG_ERR_NOMEM. */
int spg_sidestep_copy(const struct spg_sidestep *from, struct spg_sidestep *to);
