/* SPDX-License-Identifier: MIT */
/*
 * What takes the place of the BPF programs in a build without them.
 */
#include <stdio.h>

#include "common/err.h"
#include "daemon/watch/linux/bpf/look.h"
#include "daemon/watch/linux/bpf/trace.h"

static int refuse(struct spg_bpf_reason *reason)
{
	snprintf(reason->why, sizeof(reason->why),
		"this spguardd was built without BPF programs");
	snprintf(reason->remedy, sizeof(reason->remedy),
		"build it where clang, bpftool and libbpf are installed");
	return SPG_ERR_UNSUPPORTED;
}

void spg_bpf_log(void)
{
}

int spg_look_create(struct spg_look **ret, struct spg_bpf_reason *reason)
{
	(void)ret;
	return refuse(reason);
}

void spg_look_destroy(struct spg_look *look)
{
	(void)look;
}

int spg_look_refresh(struct spg_look *look, struct spg_bpf_reason *reason)
{
	(void)look;
	return refuse(reason);
}

int spg_look_in_use(struct spg_look *look,
	int (*on_inode)(void *user, const struct spg_bpf_inode *inode), void *user)
{
	(void)look;
	(void)on_inode;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

int spg_look_locks(struct spg_look *look, const uint64_t *inodes, size_t n_inodes,
	int (*on_held)(void *user, const struct spg_bpf_held *held), void *user)
{
	(void)look;
	(void)inodes;
	(void)n_inodes;
	(void)on_held;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

int spg_look_keepers(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user)
{
	(void)look;
	(void)search;
	(void)on_keeper;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

int spg_look_probes(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user)
{
	(void)look;
	(void)search;
	(void)on_keeper;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

int spg_look_search(struct spg_look *look, const struct spg_look_search *search,
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit), void *user)
{
	(void)look;
	(void)search;
	(void)on_hit;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

int spg_trace_create(struct spg_trace **ret, struct spg_bpf_reason *reason)
{
	(void)ret;
	return refuse(reason);
}

void spg_trace_destroy(struct spg_trace *trace)
{
	(void)trace;
}

int spg_trace_refresh(struct spg_trace *trace, struct spg_bpf_reason *reason)
{
	(void)trace;
	return refuse(reason);
}

int spg_trace_watch(
	struct spg_trace *trace, const struct spg_bpf_inode_key *key, uint32_t slot)
{
	(void)trace;
	(void)key;
	(void)slot;
	return SPG_ERR_UNSUPPORTED;
}

void spg_trace_unwatch(struct spg_trace *trace, const struct spg_bpf_inode_key *key)
{
	(void)trace;
	(void)key;
}

int spg_trace_poll_fd(const struct spg_trace *trace)
{
	(void)trace;
	return -1;
}

void spg_trace_set_awake(struct spg_trace *trace, bool awake)
{
	(void)trace;
	(void)awake;
}

int spg_trace_read(struct spg_trace *trace,
	int (*on_lock)(void *user, const struct spg_bpf_lock *lock), void *user)
{
	(void)trace;
	(void)on_lock;
	(void)user;
	return SPG_ERR_UNSUPPORTED;
}

uint64_t spg_trace_dropped(const struct spg_trace *trace)
{
	(void)trace;
	return 0;
}

bool spg_trace_process(
	const struct spg_trace *trace, int32_t tgid, struct spg_bpf_process *ret)
{
	(void)trace;
	(void)tgid;
	(void)ret;
	return false;
}
