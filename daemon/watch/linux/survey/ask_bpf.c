/* SPDX-License-Identifier: MIT */
/*
 * With BPF: the inode's own counters say how many users a file has, iterators
 * say who, and both have to agree.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/survey/counted.h"
#include "daemon/watch/linux/survey/hidden.h"
#include "daemon/watch/linux/survey/keepers.h"

/* Looks at a crowd that moves while it is counted. */
#define TRIES_MAX    5
#define MOMENT_NS    (8 * SPG_NS_PER_MS)
/* Files that lost their name, found one after the other. */
#define ROUNDS_MAX   8
/* Users that are looked at one by one; more of them are slower so than everybody at
 * once. */
#define KNOWN_MAX    32
/* Searches after the first where one reference may have been found in two places: each
 * time it would have to be met in both again, which happens every fourth time or less. */
#define SEARCHES_MAX 12

static int on_hit(void *user, const struct spg_bpf_hit *hit)
{
	struct spg_counted_files *c = user;
	int r;

	if (hit->kind == SPG_HIT_WHO) {
		r = spg_array_reserve(&c->who, c->n_who, &c->size_who, sizeof(*c->who));
		if (r == 0)
			c->who[c->n_who++] = hit->who;
		return r;
	}
	r = spg_array_reserve(&c->hits, c->n_hits, &c->size_hits, sizeof(*c->hits));

	if (r == 0)
		c->hits[c->n_hits++] = *hit;
	return r;
}

/* How a look goes about it. */
enum look_kind {
	LOOK_AT_KNOWN,   /* the users known: only if they account for everything */
	LOOK_AT_ALL,     /* everybody */
	LOOK_THOROUGHLY, /* everybody's memory too */
};

/* Search for the users of everything that the last in-use probe told of. */
static int search(
	struct spg_survey *s, enum look_kind kind, const int32_t *pids, size_t n_pids)
{
	struct spg_counted_files *c = s->counted;
	struct spg_look_search search = {.cancel = s->request->cancel,
		.find_deleted = s->search.find_deleted != NULL,
		.pids = pids,
		.n_pids = n_pids};
	uint64_t *inodes = calloc(c->n_inodes + 1, sizeof(*inodes));
	int r;

	if (!inodes)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < c->n_inodes; i++) {
		if (i > 0 && c->inodes[i].inode == c->inodes[i - 1].inode)
			continue;
		inodes[search.n_inodes++] = c->inodes[i].inode;
		if (c->inodes[i].flags & SPG_INODE_MAPPED)
			search.mappings = SPG_LOOK_TREES;
	}
	if (search.find_deleted ||
		(kind == LOOK_THOROUGHLY && search.mappings != SPG_LOOK_NO_MAPPINGS))
		search.mappings = SPG_LOOK_ALL_MEMORY;
	search.inodes = inodes;
	c->n_hits = c->n_who = 0;
	r = spg_look_search(s->tools->look, &search, on_hit, c);
	free(inodes);
	return r;
}

static bool is_named(const struct spg_counted_files *c, size_t index)
{
	for (size_t i = 0; i < c->n_names; i++)
		if (c->names[i].file == index)
			return true;
	return false;
}

/* @fd: what names a file that nobody knew, or an old version that could not be asked
 * about. It stays open with the others. */
static int on_deleted(void *user, size_t index, int fd)
{
	struct spg_survey *s = user;
	const struct spg_seen_file *seen = &s->obs->files[index];
	int copy, r;

	if (seen->presence != SPG_REPLACED || is_named(s->counted, index))
		return 0;
	s->counted->found_deleted = true;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return 0; /* it is asked about by its handle */
	r = spg_counted_name(s->counted, index, copy);
	if (r < 0)
		close(copy);
	return r;
}

/* Name file @index by the descriptor of somebody who has it open, if that is it. */
static int name_by_holder(
	struct spg_survey *s, size_t index, const struct spg_bpf_hit *hit)
{
	char link[64];
	struct stat st;
	int fd, r = 0;

	snprintf(link, sizeof(link), "/proc/%" PRId32 "/task/%" PRId32 "/fd/%" PRId32,
		hit->tgid, hit->tid, hit->fd);
	fd = open(link, SPG_OPEN_NAME);
	if (fd < 0) {
		(void)spg_user_search_failed(&s->search, errno);
		s->counted->unopened = true;
		return 0;
	}
	if (fstat(fd, &st) == 0 &&
		spg_file_id_equal(spg_id_of(&st), s->obs->files[index].file->id)) {
		r = spg_counted_name(s->counted, index, fd);
		if (r == 0) {
			s->counted->found_deleted = true;
			return 0;
		}
	}
	close(fd);
	return r;
}

/*
 * An old version of an overlay's file is named by its real inodes. Its merged one,
 * where the locks are, has no path any more, but whoever has it open.
 */
static int name_merged(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;
	size_t n = c->n_hits;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct spg_counted *inode = spg_counted_find(c, c->hits[i].inode);
		const struct spg_seen_file *seen;

		if (!inode || c->hits[i].kind != SPG_HIT_FD)
			continue;
		seen = &s->obs->files[inode->file];
		if (seen->presence == SPG_REPLACED &&
			spg_linux_file(seen->file)->class == SPG_FS_OVERLAY &&
			!spg_counted_has_merged(c, inode->file))
			r = name_by_holder(s, inode->file, &c->hits[i]);
	}
	return r;
}

static unsigned how_of(const struct spg_bpf_hit *hit)
{
	switch ((enum spg_bpf_hit_kind)hit->kind) {
	case SPG_HIT_FD:
		return (hit->mode & 1 ? SPG_USE_OPEN : 0) |
		       (hit->mode & 2 ? SPG_USE_WRITE : 0);
	case SPG_HIT_MAPPING:
		return SPG_USE_MAPPED;
	case SPG_HIT_EXE:
		return SPG_USE_EXECUTING;
	case SPG_HIT_DELETED_FD:
	case SPG_HIT_DELETED_MAP:
	case SPG_HIT_DELETED_EXE:
	case SPG_HIT_MEMORY:
	case SPG_HIT_WHO:
		break;
	}
	return 0;
}

static int add_use(struct spg_survey *s, struct spg_process *process,
	const struct spg_counted *inode, const struct spg_bpf_hit *hit)
{
	struct spg_observation *obs = s->obs;
	unsigned how = how_of(hit);
	size_t use = obs->n_uses;
	int r = 0;

	if (how == 0)
		return 0;
	/* Those of one process are the last ones appended. */
	for (size_t i = obs->n_uses; i-- > 0 && obs->uses[i].process == process;)
		if (obs->uses[i].file == inode->file)
			use = i;
	if (use == obs->n_uses)
		r = spg_observation_add_use(obs, inode->file, process, how);
	else
		obs->uses[use].how |= how;
	return r;
}

static const struct spg_bpf_who *find_who(
	const struct spg_counted_files *c, int32_t pid)
{
	for (size_t i = 0; i < c->n_who; i++)
		if (c->who[i].tgid == pid)
			return &c->who[i];
	return NULL;
}

/* The record of process @pid. Returns 1 when it has gone, or cannot be had now. */
static int read_process(struct spg_survey *s, int32_t pid, struct spg_process **ret)
{
	struct spg_process_cache *cache = s->tools->processes;
	const struct spg_bpf_who *who = cache ? find_who(s->counted, pid) : NULL;
	int proc_fd, r;

	*ret = who ? spg_process_cache_get(cache, who) : NULL;
	if (*ret)
		return 0;
	if (s->instant)
		return 1; /* to read a command line may take its time */
	proc_fd = spg_proc_open(pid);
	if (proc_fd < 0)
		return 1;
	r = spg_proc_read(&s->tools->reader, proc_fd, pid, 0, ret);
	close(proc_fd);
	if (r < 0)
		return r == SPG_ERR_NOMEM ? r : 1;
	if (who)
		spg_process_cache_put(cache, *ret, who);
	return 0;
}

/* The uses by one process: hits [@first, @end). Returns 1 when it has gone. */
static int add_process(struct spg_survey *s, size_t first, size_t end)
{
	struct spg_counted_files *c = s->counted;
	int32_t pid = c->hits[first].tgid;
	struct spg_process *process = NULL;
	int r;

	/* A guard answers for the file: counted, but no use. */
	if (spg_own_pids_has(s->tools->own_pids, pid))
		return 0;
	r = read_process(s, pid, &process);
	if (r != 0)
		return r;
	for (size_t i = first; r == 0 && i < end; i++) {
		const struct spg_counted *inode = spg_counted_find(c, c->hits[i].inode);

		for (; r == 0 && inode && inode < c->inodes + c->n_inodes &&
			inode->inode == c->hits[i].inode;
			inode++)
			r = add_use(s, process, inode, &c->hits[i]);
	}
	spg_process_unref(process);
	return r;
}

static int order_by_process(const void *va, const void *vb)
{
	const struct spg_bpf_hit *a = va, *b = vb;

	if (a->tgid != b->tgid)
		return a->tgid < b->tgid ? -1 : 1;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

/* Turn hits into uses. Those of a process that has gone, or cannot be read, explain
 * nothing: they are dropped, and the check of the counts will miss them. Returns 1 then. */
static int add_uses(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;
	size_t n_kept = 0;
	int r = 0, moved = 0;

	if (c->n_hits > 0)
		qsort(c->hits, c->n_hits, sizeof(*c->hits), order_by_process);
	for (size_t i = 0, end; r >= 0 && i < c->n_hits; i = end) {
		bool wanted = false;

		for (end = i; end < c->n_hits && c->hits[end].tgid == c->hits[i].tgid;
			end++)
			wanted = wanted || !spg_is_deleted(&c->hits[end]);
		r = wanted ? add_process(s, i, end) : 0;
		if (r == 1) {
			moved = 1;
			continue;
		}
		for (size_t k = i; k < end; k++)
			c->hits[n_kept++] = c->hits[k];
	}
	c->n_hits = n_kept;
	return r < 0 ? r : moved;
}

/* The processes that are known to use something, each once. Returns how many; 0 when
 * everybody has to be looked at: there are none, too many, or what has lost its name is
 * to be found. */
static size_t known_users(const struct spg_survey *s, int32_t pids[KNOWN_MAX])
{
	const struct spg_survey_scope *scope = s->request->scope;
	size_t n = 0;

	if (spg_survey_must_find_deleted(s))
		return 0;
	for (size_t i = 0; i < scope->n_holders; i++) {
		int32_t pid = scope->holders[i]->id.pid;
		size_t k = 0;

		while (k < n && pids[k] != pid)
			k++;
		if (k < n)
			continue;
		if (n == KNOWN_MAX)
			return 0;
		pids[n++] = pid;
	}
	return n;
}

/* The same search again, where it matters: see spg_check_again(). */
static int look_again(struct spg_survey *s, enum look_kind kind, const int32_t *pids,
	size_t n_pids, bool final)
{
	struct spg_counted_files *c = s->counted;
	struct spg_bpf_hit *first = c->hits;
	size_t n_first = c->n_hits, size_first = c->size_hits;
	bool certain = false;
	int r = 0;

	if (!spg_must_check_again(s))
		return 0;
	c->hits = NULL;
	c->n_hits = c->size_hits = 0;
	for (int i = 0; r == 0 && !certain && i < SEARCHES_MAX; i++) {
		if (i > 0)
			r = spg_counted_read(s, 0);
		if (r == 0)
			r = search(s, kind, pids, n_pids);
		if (r == 0)
			r = spg_check_again(s, first, &n_first, final, &certain);
	}
	free(c->hits);
	c->hits = first;
	c->n_hits = n_first;
	c->size_hits = size_first;
	return r;
}

/* One look: who uses what, and does it add up? Returns 1 when it does not, or
 * when files turned up that nobody knew. @final: if not, mark what does not. */
static int look(struct spg_survey *s, enum look_kind kind, bool final)
{
	struct spg_counted_files *c = s->counted;
	int32_t pids[KNOWN_MAX];
	size_t n_pids = kind == LOOK_AT_KNOWN ? known_users(s, pids) : 0;
	int r, moved;

	if (kind == LOOK_AT_KNOWN && n_pids == 0)
		return 1;

	spg_survey_drop_uses(s);
	spg_user_search_finish(&s->search);
	s->search.obs = s->obs;
	s->search.targets = s->targets;
	s->search.reader = &s->tools->reader;
	s->search.mounts = s->tools->mounts;
	s->search.own_pids = s->tools->own_pids;
	s->search.cancel = s->request->cancel;
	s->search.find_deleted = spg_survey_must_find_deleted(s) ? &s->deleted : NULL;
	s->search.on_deleted = on_deleted;
	s->search.n_stuck = 0;
	s->search.stuck[0] = '\0';
	s->search.user = s;
	c->found_deleted = c->mistaken = c->unopened = c->unanswered = false;
	c->n_looks++;
	r = spg_counted_probe_from(s, 0);
	if (r == 0)
		r = search(s, kind, pids, n_pids);
	if (r == 0 && s->search.find_deleted)
		r = spg_look_at_deleted(s);
	if (r == 0)
		r = name_merged(s);
	if (r != 0 || c->found_deleted)
		return r < 0 ? r : 1;
	moved = add_uses(s);
	if (moved < 0)
		return moved;
	r = spg_check_counts(s, kind != LOOK_AT_KNOWN, final);
	if (r == 0 || (r == 1 && final)) {
		int again = look_again(s, kind, pids, n_pids, final);

		r = again < 0 ? again : r | again;
	}
	return r < 0 ? r : r | moved | c->mistaken | c->unanswered;
}

/* What was closed may be open for some milliseconds still: the kernel lets go of it
 * when it finds the time (fs/file_table.c, delayed_fput()). */
static void pause_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};

	(void)nanosleep(&moment, NULL);
}

/* Of the processor: whoever else has it does not count. */
static int64_t thread_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * SPG_NS_PER_S + now.tv_nsec;
}

/* At the cost of the holders, not of the machine. Returns as look(). */
static int look_at_known(struct spg_survey *s)
{
	int64_t began_ns = thread_ns();
	int r = look(s, LOOK_AT_KNOWN, false);

	s->known_ns = r == 0 ? thread_ns() - began_ns + 1 : 0;
	return r;
}

static bool is_all_told(const struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_PRESENT || obs->files[i].kept ||
			obs->files[i].in_use == SPG_IN_USE_UNKNOWN)
			return false;
	return true;
}

int spg_survey_known(struct spg_survey *s)
{
	int r;

	/* Those that a guard is about to refuse look like users. */
	if (spg_own_pids_any(s->tools->own_pids))
		return 1;
	s->obs->attributed = true;
	r = look_at_known(s);
	s->obs->looked_ns = spg_clock_wall_ns();
	if (r == 0)
		r = spg_read_locks_bpf(s);
	if (r == 0)
		spg_counted_mark_kept(s);
	if (r == 0 && !is_all_told(s->obs))
		r = 1;
	spg_survey_compact_uses(s->obs);
	return r;
}

/* Files turned up in every look: none was the last one, which marks what is open. */
static void leave_open(struct spg_survey *s)
{
	for (size_t i = 0; i < s->obs->n_files; i++)
		s->obs->files[i].shared = s->obs->files[i].shared ||
		                          s->obs->files[i].in_use == SPG_IN_USE_YES;
}

static int find_users(struct spg_survey *s)
{
	int r = spg_counted_ensure(s);
	unsigned tries = 0;

	if (r == 0)
		r = look_at_known(s);
	if (r <= 0)
		return r;
	for (unsigned round = 0; r >= 0 && round < ROUNDS_MAX + TRIES_MAX; round++) {
		r = look(s, tries > 0 ? LOOK_THOROUGHLY : LOOK_AT_ALL,
			tries + 1 >= TRIES_MAX);
		if (r == 0)
			break;
		if (r == 1 && !s->counted->found_deleted && ++tries >= TRIES_MAX)
			break;
		if (tries >= 2)
			pause_a_moment();
	}
	if (r == 1 && tries < TRIES_MAX)
		leave_open(s);
	return r < 0 ? r : 0;
}

static int read_locks_only(struct spg_survey *s)
{
	int r = spg_counted_ensure(s);

	/* They are where they were, or under their handle: an old version. */
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];
		struct stat st;

		if (spg_linux_file(seen->file)->class != SPG_FS_FOREIGN &&
			(stat(seen->file->path, &st) < 0 ||
				!spg_file_id_equal(spg_id_of(&st), seen->file->id)))
			seen->presence = SPG_REPLACED;
	}
	if (r == 0)
		r = spg_counted_probe_all(s);
	if (r == 0)
		r = find_users(s);
	return r == 0 ? spg_read_locks_bpf(s) : r;
}

/* The counters say for which files there is one; only its cause is looked for. */
static int find_hidden(struct spg_survey *s)
{
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].unattributed || s->obs->files[i].shared)
			return spg_hidden_search(&s->search);
	return 0;
}

const struct spg_survey_way spg_survey_by_bpf = {
	.probe_all = spg_counted_probe_all,
	.probe = spg_counted_probe,
	.find_users = find_users,
	.read_locks = spg_read_locks_bpf,
	.read_locks_only = read_locks_only,
	.find_hidden = find_hidden,
	.find_keepers = spg_keepers_find_bpf,
	.finish = spg_counted_finish,
};
