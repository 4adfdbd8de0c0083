/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Files of a service pack that are not installed although the rest of their folder is.
 * Pure.
 *
 * Meant are files such as the product has there, by the ending of their names: a pack's
 * setup programs, cabinets and notes belong to nobody's folder. A pack of which a part is
 * installed on purpose (components that nobody chose) leaves out more than one of four. A
 * folder whose name does not tell its place ("" or "i386") may hold files for elsewhere,
 * such as a system's directory: all that is there has to be in one place then, and no more
 * than one of eight may be absent.
 */
#include "common/buf.h"
#include "daemon/install/fit/placement.h"

struct spg_absent {
	size_t offered; /* index of the pack's file */
	size_t n_present,
		n; /* of the files of its folder such as the product has there */
};

/**
 * List them.
 *
 * @placement  of @question
 * @foreign    for each of the pack's: the product does not look at files of that name,
 *             or another product has one
 * @ret        to be freed; on failure unchanged
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_absent_find(const struct spg_placement *placement,
	const struct spg_placement_question *question, const bool *foreign,
	struct spg_absent **ret, size_t *ret_n);

/** Where @absent would be, as a new text. NULL: out of memory. */
char *spg_absent_path(const struct spg_placement *placement,
	const struct spg_placement_question *question, const struct spg_absent *absent);

/** Append in words what is amiss, escaped. */
void spg_absent_tell(struct spg_buf *out, const struct spg_placement_question *question,
	const struct spg_absent *absent);
