/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the kernel itself holds open, without any process that shows it, where there is a
 * list of it: loop devices (loop(4)), swap files (proc_swaps(5)), filesystems mounted from
 * a file (erofs since Linux 6.12), and interpreters of binfmt_misc with the flag F
 * (Documentation/admin-guide/binfmt-misc.rst). Worker  thread.
 */
#include "daemon/watch/linux/survey/user_search.h"

/** Append to the observation those that hold a file in question. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_kernel_users_find(struct spg_user_search *a);
