/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the kernel itself holds open (struct spg_seen_kernel_user) in words. Part of a
 * verdict; pure.
 */
#include "daemon/model/verdict.h"

/** Append to @verdict what the kernel does with the file @seen of @obs, and the commands
 * that end it, in the order in which they work. *@ret_found: there is something. Returns 0
 * or SPG_ERR_NOMEM. */
int spg_kernel_use_explain(const struct spg_observation *obs, size_t seen,
	struct spg_verdict *verdict, bool *ret_found);
