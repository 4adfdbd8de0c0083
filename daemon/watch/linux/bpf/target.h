/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * The inodes that a search looks for. Included by BPF programs only, after kernel.h.
 */
#include "daemon/watch/linux/bpf/record.h"

/* Addresses of the inodes that a search looks for; of each, the descriptor that tells its
 * locks, and one: several may lead to it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, __u64);
	__type(value, __u32);
} targets SEC(".maps");

/* SPG_BPF_FILTER_BIT() of every target. */
__u64 filter;
volatile __u64 address;

/*
 * The searches see every open file and every mapping of the machine. What is
 * nobody's business is left after a few loads: no call of a helper, and no look
 * into the table unless a bit says that it may be there.
 */
static __always_inline __u32 *find_target(struct inode *inode)
{
	__u64 key;

	/* The verifier lets nobody compute with a pointer; with a number it does.
	 * Searches run one at a time. */
	address = (__u64)inode;
	key = address;
	if (!(filter >> SPG_BPF_FILTER_BIT(key) & 1))
		return NULL;
	return bpf_map_lookup_elem(&targets, &key);
}

static __always_inline bool is_target(struct inode *inode)
{
	return find_target(inode) != NULL;
}
