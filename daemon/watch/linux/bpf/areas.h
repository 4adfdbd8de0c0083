/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once
/*
 * The mappings of an address space, without its lock: a process in a page fault on a
 * disk that does not answer keeps that lock for as long as it lasts, and whoever asks for
 * its mappings in the ordinary way waits as long.
 *
 * The kernel keeps them in a maple tree (lib/maple_tree.c, since 6.1) and itself walks it
 * without the lock (mm/mmap_lock.c, lock_vma_under_rcu()): nodes that are replaced keep
 * their contents until nobody can be reading them (RCU). So what stays mapped all the
 * time is found; what is mapped or unmapped meanwhile may be found or not, or its record
 * be somebody else's by then. Included by BPF programs only, after kernel.h.
 */

/* enum maple_type; a node's entry has it in bits 3 to 6, and its address above bit 8. */
#define MAPLE_LEAF      1
#define MAPLE_RANGE     2
#define MAPLE_ARANGE    3
#define MAPLE_SLOTS     16
#define MAPLE_NODE_MASK 255
/* Slots have addresses, or small numbers that mean something else. */
#define ADDRESS_MIN     0x10000

/* A node below which the walk is. More of them than a tree of 2^64 can be deep. (Not on
 * the stack: the verifier would follow every number they can be.) */
#define AREA_LEVELS     16
struct area_level {
	__u64 slots[MAPLE_SLOTS];
	__u32 next, last; /* slots */
	bool is_leaf;     /* they have mappings, not nodes */
};
static struct area_level area_levels[AREA_LEVELS];
static __u32 n_area_levels;

/* A node of a kind that is not known: what is below it has not been seen. */
bool unknown_node;

static __always_inline void enter_node(__u64 entry)
{
	__u64 node = entry & ~(__u64)MAPLE_NODE_MASK;
	struct maple_range_64 *range = (void *)node;
	struct maple_arange_64 *arange = (void *)node;
	__u32 type = entry >> 3 & 15, depth = n_area_levels;
	struct area_level *level = &area_levels[depth & (AREA_LEVELS - 1)];
	__u64 slots;

	if (depth >= AREA_LEVELS || type < MAPLE_LEAF || type > MAPLE_ARANGE) {
		unknown_node = true;
		return;
	}
	slots = node +
	        (type == MAPLE_ARANGE
				? bpf_core_field_offset(struct maple_arange_64, slot)
				: bpf_core_field_offset(struct maple_range_64, slot));
	bpf_probe_read_kernel(level->slots, sizeof(level->slots), (void *)slots);
	/* The last slot is one, or says where the others end; it is too small for an
	 * address then (ma_data_end()). */
	if (type == MAPLE_ARANGE)
		level->last = BPF_CORE_READ(arange, meta.end);
	else if (BPF_CORE_READ(range, pivot[14]))
		level->last = MAPLE_SLOTS - 1;
	else
		level->last = BPF_CORE_READ(range, meta.end);
	level->next = 0;
	level->is_leaf = type == MAPLE_LEAF;
	n_area_levels = depth + 1;
}

static __always_inline void enter_tree(struct maple_tree *tree)
{
	__u64 root = (__u64)BPF_CORE_READ(tree, ma_root);

	n_area_levels = 0;
	/* A root that is no node is the only entry, at address 0 (mas_root()). */
	if ((root & 3) == 2 && root >= ADDRESS_MIN)
		enter_node(root);
}

/* One step of the walk, in the order of addresses. Returns false at the end; *ret is the
 * next mapping, or NULL when the step led to none. */
static __always_inline bool next_area(struct vm_area_struct **ret)
{
	__u32 depth = n_area_levels;
	struct area_level *level = &area_levels[(depth - 1) & (AREA_LEVELS - 1)];
	__u64 entry;

	*ret = NULL;
	if (depth == 0)
		return false;
	if (level->next > level->last || level->next >= MAPLE_SLOTS) {
		n_area_levels = depth - 1;
		return true;
	}
	entry = level->slots[level->next++ & (MAPLE_SLOTS - 1)];
	if (entry < ADDRESS_MIN)
		return true;
	if (level->is_leaf)
		*ret = (void *)entry;
	else
		enter_node(entry);
	return true;
}
