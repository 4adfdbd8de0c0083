/* SPDX-License-Identifier: MIT */
/*
 * Do the counts add up: as many distinct open files as the inode's counters say, and where only
 * processes that setup stops have them, as many references to each as the kernel counts.
 * What is missing has no process that shows it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/model/verdict.h"
#include "daemon/watch/linux/survey/counted.h"

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_by_file(const void *va, const void *vb)
{
	const struct spg_bpf_hit *a = va, *b = vb;
	int r = order(a->inode, b->inode);

	return r ? r : order(a->file, b->file);
}

/* By the file, then by what refers to it: a slot of a descriptor table, the first mapping
 * of an address space, an address space whose executable it is, or the file of an overlay
 * above. Equal ones are one reference, found more than once. */
static int order_by_reference(const void *va, const void *vb)
{
	const struct spg_bpf_hit *a = va, *b = vb;
	int r = order_by_file(a, b);

	if (r == 0)
		r = order(a->owner, b->owner);
	if (r != 0 || a->owner)
		return r;
	r = order(a->kind, b->kind);
	if (r == 0 && a->kind == SPG_HIT_FD)
		r = order(a->table, b->table);
	else if (r == 0)
		r = order(a->memory, b->memory);
	if (r == 0 && a->kind == SPG_HIT_FD)
		r = order((uint64_t)a->fd, (uint64_t)b->fd);
	else if (r == 0 && a->kind == SPG_HIT_MAPPING)
		r = order(a->start, b->start);
	return r;
}

static int order_by_memory(const void *va, const void *vb)
{
	const struct spg_bpf_hit *a = va, *b = vb;
	int order = (a->kind == SPG_HIT_EXE) - (b->kind == SPG_HIT_EXE);

	if (order == 0 && a->inode != b->inode)
		order = a->inode < b->inode ? -1 : 1;
	if (order == 0 && a->memory != b->memory)
		order = a->memory < b->memory ? -1 : 1;
	return order;
}

/* What the search found of one inode, in the terms of its counters. */
struct found {
	int32_t readers, writers, executing;
	int32_t ours; /* of the readers: guards, see proc/own_pids.h */
};

/* Count @inode's distinct open files among the hits, sorted by file. */
static struct found count_files(const struct spg_counted_files *c, uint64_t inode,
	struct spg_own_pids *own_pids)
{
	struct spg_bpf_hit key = {.inode = inode};
	struct found found = {0};
	size_t low = 0, high = c->n_hits;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order_by_file(&c->hits[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < c->n_hits && c->hits[i].inode == inode; i++) {
		if (i > low && c->hits[i].file == c->hits[i - 1].file)
			continue;
		if (c->hits[i].mode & 2)
			found.writers++;
		else if (c->hits[i].mode & 1)
			found.readers++;
		if ((c->hits[i].mode & 3) == 1 &&
			spg_own_pids_has(own_pids, c->hits[i].tgid))
			found.ours++;
	}
	return found;
}

static int32_t count_executing(const struct spg_bpf_hit *hits, size_t n, uint64_t inode)
{
	const struct spg_bpf_hit *last = NULL;
	int32_t executing = 0;

	for (size_t i = 0; i < n; i++) {
		if (hits[i].kind != SPG_HIT_EXE || hits[i].inode != inode ||
			(last && last->memory == hits[i].memory))
			continue;
		last = &hits[i];
		executing++;
	}
	return executing;
}

/* Who waits for a lock by which open file. */
struct waiters {
	struct waiter {
		uint64_t file;
		int32_t tgid;
	} * all;
	size_t n, size;
};

static int on_held(void *user, const struct spg_bpf_held *held)
{
	struct waiters *w = user;

	if (!held->waits)
		return 0;
	if (spg_array_reserve(&w->all, w->n, &w->size, sizeof(*w->all)) < 0)
		return SPG_ERR_NOMEM;
	w->all[w->n++] = (struct waiter){held->file, held->tgid};
	return 0;
}

/* True when whatever table @waiter has its open file from is shared with others. */
static bool has_shared_table(
	const struct spg_counted_files *c, const struct waiter *waiter)
{
	bool found = false;

	for (size_t i = 0; i < c->n_hits; i++) {
		const struct spg_bpf_hit *hit = &c->hits[i];

		if (hit->kind != SPG_HIT_FD || hit->file != waiter->file ||
			hit->tgid != waiter->tgid)
			continue;
		if (hit->n_sharing < 2)
			return false;
		found = true;
	}
	return found;
}

/* A system call at work on a descriptor has a reference of its own where others share
 * the table (fs/file.c, fdget()): so has each wait for a lock. Where that cannot be told,
 * the reference is left unexplained. */
static int64_t count_waits(
	const struct spg_counted_files *c, const struct waiters *w, uint64_t file)
{
	int64_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->all[i].file == file && has_shared_table(c, &w->all[i]);
	return n;
}

/* True when some open file of @inode has more references than were found. Other system
 * calls than waits have one for as long as they last: look again. (The least of what was
 * read: hits are read one after the other.) */
static bool is_shared(
	const struct spg_counted_files *c, uint64_t inode, const struct waiters *w)
{
	const struct spg_bpf_hit *file = NULL;
	int64_t found = 0, references = INT64_MAX;
	bool shared = false;

	for (size_t i = 0; i < c->n_hits; i++) {
		const struct spg_bpf_hit *hit = &c->hits[i];

		if (hit->inode != inode || spg_is_deleted(hit))
			continue;
		if (!file || hit->file != file->file) {
			shared = shared ||
			         (file && references > found + count_waits(c, w,
								       file->file));
			found = 0;
			references = INT64_MAX;
			file = NULL;
		}
		if (!file || order_by_reference(hit, file) != 0)
			found += hit->kind == SPG_HIT_MAPPING ? hit->n_mappings : 1;
		if (hit->references < references)
			references = hit->references;
		file = hit;
	}
	return shared || (file && references > found + count_waits(c, w, file->file));
}

/* Who waits for a lock on what is counted. */
static int find_waiters(struct spg_survey *s, struct waiters *w)
{
	const struct spg_counted_files *c = s->counted;
	uint64_t *inodes = calloc(c->n_inodes + 1, sizeof(*inodes));
	size_t n = 0;
	int r;

	if (!inodes)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < c->n_inodes; i++)
		if (c->inodes[i].flags & (SPG_INODE_POSIX | SPG_INODE_FLOCK))
			inodes[n++] = c->inodes[i].inode;
	r = n > 0 ? spg_look_locks(s->tools->look, inodes, n, on_held, w) : 0;
	free(inodes);
	return r;
}

/* Which files have a user that blocks. The caller frees. */
static bool *find_blocked(const struct spg_observation *obs)
{
	bool *blocked = calloc(obs->n_files + 1, sizeof(*blocked));

	for (size_t i = 0; blocked && i < obs->n_uses; i++)
		if (obs->uses[i].how &&
			spg_use_classify(obs->product, obs->uses[i].process) ==
				SPG_CLASS_BLOCKER)
			blocked[obs->uses[i].file] = true;
	return blocked;
}

/* Who shares an open file with a process that setup stops would be left when that has
 * gone. Of a file that is blocked all the same it matters only who else was not
 * searched. Returns 1 when there is somebody; @final: and mark the files. */
static int look_for_sharers(struct spg_survey *s, bool everybody, bool final)
{
	const struct spg_counted_files *c = s->counted;
	bool *blocked = find_blocked(s->obs);
	struct waiters waiters = {0};
	int r = blocked ? find_waiters(s, &waiters) : SPG_ERR_NOMEM, open_ends = 0;

	for (size_t i = 0; r == 0 && i < c->n_inodes; i++) {
		const struct spg_counted *inode = &c->inodes[i];

		if (!inode->used || (everybody && blocked[inode->file]) ||
			!is_shared(c, inode->inode, &waiters))
			continue;
		open_ends = 1;
		s->obs->files[inode->file].shared = final;
	}
	free(waiters.all);
	free(blocked);
	return r < 0 ? r : open_ends;
}

/* --- the second search ---------------------------------------------------------- */

/* Is @hit, of the second search, one of the first one's, sorted by reference? */
static bool was_found(
	const struct spg_bpf_hit *first, size_t n_first, const struct spg_bpf_hit *hit)
{
	size_t low = 0, high = n_first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order_by_reference(&first[middle], hit) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* Also by the same process: a table's address may be another one's by now. */
	for (; low < n_first && order_by_reference(&first[low], hit) == 0; low++)
		if (first[low].tgid == hit->tgid &&
			first[low].n_mappings == hit->n_mappings)
			return true;
	return false;
}

/* Does one process have the open file of @hits, sorted by reference, in two places? */
static bool is_twice_in_one(const struct spg_bpf_hit *hits, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (order_by_reference(&hits[i], &hits[i - 1]) != 0 &&
			hits[i].kind == hits[i - 1].kind &&
			hits[i].table == hits[i - 1].table &&
			hits[i].memory == hits[i - 1].memory)
			return true;
	return false;
}

/* The references to one open file that both searches have found. @file: its hits in the
 * second, sorted, without those that the first had not. */
static int64_t count_both(const struct spg_bpf_hit *file, size_t n)
{
	int64_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (i == 0 || order_by_reference(&file[i], &file[i - 1]) != 0)
			found += file[i].kind == SPG_HIT_MAPPING ? file[i].n_mappings
			                                         : 1;
	return found;
}

static size_t count_open_files(const struct spg_bpf_hit *hits, size_t n, uint64_t inode)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += hits[i].inode == inode &&
		         (i == 0 || hits[i].inode != hits[i - 1].inode ||
				 hits[i].file != hits[i - 1].file);
	return found;
}

/* The references that @file had when the second search first met it: all those that both
 * have found were there. @hits: in the order in which they were read. */
static int64_t references_then(
	const struct spg_bpf_hit *hits, size_t n, const struct spg_bpf_hit *file)
{
	for (size_t i = 0; i < n; i++)
		if (hits[i].file == file->file && !spg_is_deleted(&hits[i]))
			return hits[i].references;
	return INT64_MAX;
}

/* Nobody but who was found has @inode: at the moment of the counters, and of its files at
 * that of the second search. @both: what both have found, sorted by reference. Sets
 * *certain to false when a process has a file in two places: that may have been one, moved
 * to and fro. */
static bool is_nobody_else(const struct spg_counted_files *c,
	const struct spg_counted *inode, size_t n_files, const struct spg_bpf_hit *both,
	size_t n_both, const struct waiters *w, bool *certain)
{
	int64_t opens =
		(int64_t)inode->readers + (inode->writers > 0 ? inode->writers : 0);
	size_t n_found = count_open_files(both, n_both, inode->inode);

	if (n_found != n_files || opens > (int64_t)n_found)
		return false;
	for (size_t i = 0, end; i < n_both; i = end) {
		int64_t found;

		for (end = i; end < n_both && both[end].file == both[i].file; end++)
			;
		if (both[i].inode != inode->inode)
			continue;
		found = count_both(both + i, end - i);
		*certain = *certain && !is_twice_in_one(both + i, end - i);
		if (references_then(c->hits, c->n_hits, &both[i]) >
			found + count_waits(c, w, both[i].file))
			return false;
	}
	return true;
}

/* Replace what was found before by what was found again. Returns how many are left, each
 * once. */
static size_t keep_both(
	struct spg_bpf_hit *first, const struct spg_bpf_hit *both, size_t n_both)
{
	size_t n = 0;

	for (size_t i = 0; i < n_both; i++)
		if (n == 0 || order_by_reference(&both[i], &first[n - 1]) != 0)
			first[n++] = both[i];
	return n;
}

int spg_check_again(struct spg_survey *s, struct spg_bpf_hit *first, size_t *n_first,
	bool final, bool *certain)
{
	const struct spg_counted_files *c = s->counted;
	struct spg_bpf_hit *both = calloc(c->n_hits + 1, sizeof(*both));
	bool *blocked = find_blocked(s->obs);
	struct waiters waiters = {0};
	size_t n_both = 0;
	int r = both && blocked ? find_waiters(s, &waiters) : SPG_ERR_NOMEM;

	*certain = true;
	if (*n_first > 0)
		qsort(first, *n_first, sizeof(*first), order_by_reference);
	for (size_t i = 0; r == 0 && i < c->n_hits; i++)
		if (!spg_is_deleted(&c->hits[i]) &&
			was_found(first, *n_first, &c->hits[i]))
			both[n_both++] = c->hits[i];
	if (n_both > 0)
		qsort(both, n_both, sizeof(*both), order_by_reference);
	for (size_t i = 0; r >= 0 && i < c->n_inodes; i++) {
		const struct spg_counted *inode = &c->inodes[i];
		bool alone = !inode->used || blocked[inode->file] ||
		             is_nobody_else(c, inode,
				     count_open_files(first, *n_first, inode->inode),
				     both, n_both, &waiters, certain);

		if (alone)
			continue;
		r = 1;
		s->obs->files[inode->file].shared = final;
	}
	if (r == 0)
		*n_first = keep_both(first, both, n_both);
	free(waiters.all);
	free(blocked);
	free(both);
	return r;
}

bool spg_must_check_again(const struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	bool *blocked = find_blocked(s->obs), must = !blocked;

	for (size_t i = 0; !must && i < c->n_inodes; i++)
		must = c->inodes[i].used && !blocked[c->inodes[i].file];
	free(blocked);
	return must;
}

/* --- the counters --------------------------------------------------------------- */

enum balance { EVEN, HIDDEN, STALE };

/*
 * Readers are the open files that only read (i_readcount), writers those that
 * also write; below zero, each address space that executes it denies writing
 * once (include/linux/fs.h). A mark that is asked before the content is read
 * makes the kernel not deny it: so fewer of those are no contradiction.
 */
static enum balance weigh(const struct spg_counted *inode, const struct found *found)
{
	int32_t denied = inode->writers < 0 ? -inode->writers : 0;
	int32_t writers = inode->writers > 0 ? inode->writers : 0;

	if (inode->readers > found->readers || writers > found->writers ||
		denied > found->executing)
		return HIDDEN;
	if (inode->readers < found->readers || writers < found->writers)
		return STALE;
	return EVEN;
}

/* Nobody but a guard uses it, and that for a moment. */
static bool is_ours_alone(const struct spg_counted *inode, const struct found *found)
{
	const uint32_t others = SPG_INODE_MAPPED | SPG_INODE_FLOCK | SPG_INODE_POSIX |
	                        SPG_INODE_LEASE | SPG_INODE_CUT;

	return inode->used && found->ours > 0 && found->ours == found->readers &&
	       inode->writers == 0 && !(inode->flags & others);
}

/* Files are free that are used by guards alone. */
static void free_what_is_ours(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;

	for (size_t i = 0; i < c->n_inodes; i++) {
		bool used = false;

		for (size_t k = 0; k < c->n_inodes; k++)
			used = used || (c->inodes[k].file == c->inodes[i].file &&
					       c->inodes[k].used);
		if (!used && s->obs->files[c->inodes[i].file].in_use == SPG_IN_USE_YES)
			s->obs->files[c->inodes[i].file].in_use = SPG_IN_USE_NO;
	}
}

/* Do the counters change under a guard's hands? */
static void note_churn(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;
	int64_t readers = 0;

	if (!spg_own_pids_any(s->tools->own_pids))
		return;
	for (size_t i = 0; i < c->n_inodes; i++)
		readers += c->inodes[i].readers;
	c->churns = c->churns || (c->probes++ > 0 && readers != c->readers);
	c->readers = readers;
}

/* It did not add up, and that for the last time. */
static int give_up_on(struct spg_survey *s, size_t index, enum balance balance)
{
	struct spg_seen_file *seen = &s->obs->files[index];

	if (!s->counted->churns) {
		seen->unattributed = seen->unattributed || balance == HIDDEN;
		return 0;
	}
	return spg_survey_leave_to_guard(s, index);
}

int spg_check_counts(struct spg_survey *s, bool everybody, bool final)
{
	struct spg_counted_files *c = s->counted;
	struct spg_bpf_hit *executing = calloc(c->n_hits + 1, sizeof(*executing));
	int r, open_ends = 0;
	bool ours = false;

	if (!executing)
		return SPG_ERR_NOMEM;
	if (c->n_hits > 0) {
		memcpy(executing, c->hits, c->n_hits * sizeof(*executing));
		qsort(executing, c->n_hits, sizeof(*executing), order_by_memory);
		qsort(c->hits, c->n_hits, sizeof(*c->hits), order_by_reference);
	}
	note_churn(s);
	r = spg_counted_probe_from(s, 0);
	note_churn(s);
	for (size_t i = 0; r == 0 && i < c->n_inodes; i++) {
		struct spg_counted *inode = &c->inodes[i];
		struct found found = count_files(c, inode->inode, s->tools->own_pids);
		enum balance balance;

		found.executing = inode->writers < 0 ? count_executing(executing,
							       c->n_hits, inode->inode)
		                                     : 0;
		c->churns = c->churns || found.ours > 0;
		balance = weigh(inode, &found);
		if (balance != EVEN)
			open_ends = 1;
		else if (is_ours_alone(inode, &found)) {
			inode->used = false;
			ours = true;
		}
		if (final && balance != EVEN)
			r = give_up_on(s, inode->file, balance);
	}
	free(executing);
	if (r == 0 && ours)
		free_what_is_ours(s);
	/* What does not add up of one file says nothing of who shares the others. */
	if (r == 0 && (open_ends == 0 || final))
		r = look_for_sharers(s, everybody, final);
	if (r == 1) {
		open_ends = 1;
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].in_use == SPG_IN_USE_NO ||
			s->obs->files[i].presence == SPG_GONE)
			spg_survey_forget_uses(s, i);
	if (r == 0)
		r = spg_counted_take_over(s, 0, true);
	return r < 0 ? r : open_ends;
}
