/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Holders that no process shows: where the kernel says that somebody holds a file and
 * nobody is visible, a cause is better than none. Looks for what can hold one without
 * a descriptor or mapping in any process, as far as that shows anywhere:
 *
 *   a descriptor in flight in a Unix socket's queue   "scm_fds" in fdinfo
 *   a file registered with io_uring                   "UserFiles" in fdinfo
 *   a loop device, a swap file                        /sys/block, /proc/swaps
 *   the kernel's NFS server                           /proc/fs/nfsd/threads
 *   a process that may not be looked into
 *
 * Worker  thread; reads fdinfo of every socket of every process, so it is
 * called only when the answer depends on it.
 */
#include "daemon/model/observation.h"
#include "daemon/watch/linux/survey/find_users.h"

/**
 * Returns 0 and sets obs->hidden_why, to NULL when nothing was found, which does not
 * mean that there is nothing; or SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when cancelled.
 */
int spg_hidden_search(struct spg_user_search *a);
