/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The kernel's own answer to "does anyone use this inode, and who?", asked by
 * BPF iterators (look.bpf.c). Loaded at start, and when a filesystem comes whose
 * types were not known then; a question costs a read(2) and needs no privilege.
 *
 * In a build without BPF every call but spg_look_destroy() is refused; callers
 * need no #ifdef. One question at a time, on whichever thread surveys.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/linux/bpf/reason.h"
#include "daemon/watch/linux/bpf/record.h"

struct spg_look;

/**
 * Load and attach the iterators. Needs CAP_BPF and CAP_PERFMON (or
 * CAP_SYS_ADMIN), a kernel from 6.1 on with BTF, the first pid namespace.
 * Returns 0; or SPG_ERR_UNSUPPORTED, SPG_ERR_DENIED, SPG_ERR_NOMEM, and then
 * *reason says why and what would mend it.
 */
int spg_look_create(struct spg_look **ret, struct spg_bpf_reason *reason);

void spg_look_destroy(struct spg_look *look); /* takes NULL */

/** Load everything anew when the kernel knows types that it did not know (types.h).
 * Before each survey. Returns 0, 1 when that was done, or as spg_look_create(): then
 * what was loaded stays. */
int spg_look_refresh(struct spg_look *look, struct spg_bpf_reason *reason);

/**
 * Tell the state of the inode behind every O_PATH descriptor that this process
 * has: others' than the caller's too. Of an overlay the merged inode comes
 * first, then the real ones, all with the same fd. No effect on the files, no
 * event, no counter moves. Exact: counters are read as they are.
 *
 * @on_inode  returns 0, or anything else to end the in-use probe, which is returned
 *
 * Returns 0, what @on_inode returned, or SPG_ERR_IO.
 */
int spg_look_in_use(struct spg_look *look,
	int (*on_inode)(void *user, const struct spg_bpf_inode *inode), void *user);

/** True when somebody has the inode open, mapped, executing or locked. */
static inline bool spg_bpf_inode_is_used(const struct spg_bpf_inode *inode)
{
	return inode->readers != 0 || inode->writers != 0 ||
	       (inode->flags & (SPG_INODE_MAPPED | SPG_INODE_FLOCK | SPG_INODE_POSIX |
				       SPG_INODE_LEASE)) != 0;
}

/**
 * Tell the locks on @inodes (addresses, as in a search), and who waits for them.
 * The lists are read without their locks: what changes meanwhile may be told
 * wrongly.
 *
 * Returns 0, @on_held's error, SPG_ERR_IO or SPG_ERR_NOMEM.
 */
int spg_look_locks(struct spg_look *look, const uint64_t *inodes, size_t n_inodes,
	int (*on_held)(void *user, const struct spg_bpf_held *held), void *user);

struct spg_look_search {
	/* Addresses of inodes, from an in-use probe whose descriptors are still open:
	 * only that keeps them from being used for something else. */
	const uint64_t *inodes;
	size_t n_inodes;
	/* Look for mappings too: all through every address space; or through the
	 * kernel's trees of the inodes' mappings, which is much faster, and not
	 * possible while they change. Neither waits for an address space's lock, which
	 * a stuck process may hold. */
	enum { SPG_LOOK_NO_MAPPINGS, SPG_LOOK_TREES, SPG_LOOK_ALL_MEMORY } mappings;
	bool find_deleted; /* report what has lost its name as well */
	/* Look only at these processes, and tell who each is that lives and has not left
	 * all to its threads (SPG_HIT_WHO); none: at everybody. */
	const int32_t *pids;
	size_t n_pids;
	const atomic_bool *cancel;
};

/**
 * Everybody who has one of the inodes: in all threads, of all namespaces,
 * processes whose leader has exited, and those that /proc does not let us look
 * into. A process that appears, or passes a file on, while this runs may be
 * missed: compare with the counters.
 *
 * Returns 0; SPG_LOOK_UNSURE when it has to be done again, with all memory (also when a
 * type has become known meanwhile, and the programs were loaded anew);
 * @on_hit's error, SPG_ERR_IO, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when cancelled.
 */
#define SPG_LOOK_UNSURE 1
int spg_look_search(struct spg_look *look, const struct spg_look_search *search,
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit), void *user);

/**
 * Tell what keeps @inodes (addresses, as in a search) without having them open, as far
 * as mounts and everybody's descriptors show it; the same may be told more than once.
 * Lists are read without their locks: compare with the references that an in-use probe
 * counts.
 *
 * Returns 0, @on_keeper's error, SPG_ERR_IO, SPG_ERR_NOMEM, or SPG_ERR_TIMEOUT when
 * cancelled.
 */
int spg_look_keepers(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user);

/**
 * Tell which of @inodes have a uprobe that one of our own descriptors leads to: of a BPF
 * link, or of an event's "enable" in tracefs. keeper->id is that descriptor. Returns as
 * spg_look_keepers().
 */
int spg_look_probes(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user);
