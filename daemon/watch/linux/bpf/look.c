/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/bpf/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/watch/linux/bpf/look.skel.h"
#include "daemon/watch/linux/bpf/types.h"

/* Records at a time; the kernel hands out at most eight pages. */
#define BUFFER_BYTES 32768

struct spg_look {
	struct look *programs;
	struct bpf_link *in_use, *trees, *locks, *mounts,
		*probes;                          /* of this process only */
	struct bpf_link *files, *tasks, *keepers; /* of everybody */
	unsigned types; /* that were known when they were loaded */
	char buffer[BUFFER_BYTES];
};

void spg_look_destroy(struct spg_look *look)
{
	if (!look)
		return;
	bpf_link__destroy(look->in_use);
	bpf_link__destroy(look->trees);
	bpf_link__destroy(look->locks);
	bpf_link__destroy(look->mounts);
	bpf_link__destroy(look->probes);
	bpf_link__destroy(look->files);
	bpf_link__destroy(look->tasks);
	bpf_link__destroy(look->keepers);
	look__destroy(look->programs);
	free(look);
}

/* @tid, @pid: only this thread, or this process; 0: everybody. NULL with errno. */
static struct bpf_link *attach(
	const struct bpf_program *program, uint32_t tid, uint32_t pid)
{
	union bpf_iter_link_info info = {.task = {.tid = tid, .pid = pid}};
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, options);

	if (tid != 0 || pid != 0) {
		options.link_info = &info;
		options.link_info_len = sizeof(info);
	}
	return bpf_program__attach_iter(program, &options);
}

static int attach_all(struct spg_look *look)
{
	/* All threads of the daemon have one descriptor table. */
	const uint32_t self = (uint32_t)getpid();

	look->in_use = attach(look->programs->progs.in_use, self, 0);
	if (look->in_use)
		look->trees = attach(look->programs->progs.search_trees, self, 0);
	if (look->trees)
		look->locks = attach(look->programs->progs.read_locks, self, 0);
	if (look->locks)
		look->mounts = attach(look->programs->progs.search_mounts, self, 0);
	if (look->mounts)
		look->probes = attach(look->programs->progs.search_probes, self, 0);
	if (look->probes)
		look->files = attach(look->programs->progs.search_files, 0, 0);
	if (look->files)
		look->tasks = attach(look->programs->progs.search_tasks, 0, 0);
	if (look->tasks)
		look->keepers = attach(look->programs->progs.search_keepers, 0, 0);
	return look->keepers ? 0 : -1;
}

/* A link keeps its program: the descriptors of those that are not attached again, to
 * some processes, can be spared. */
static void close_programs(struct spg_look *look)
{
	bpf_program__unload(look->programs->progs.in_use);
	bpf_program__unload(look->programs->progs.search_trees);
	bpf_program__unload(look->programs->progs.read_locks);
	bpf_program__unload(look->programs->progs.search_mounts);
	bpf_program__unload(look->programs->progs.search_probes);
	bpf_program__unload(look->programs->progs.search_keepers);
}

int spg_look_create(struct spg_look **ret, struct spg_bpf_reason *reason)
{
	int r = spg_bpf_preconditions(reason);
	struct spg_look *look;

	if (r < 0)
		return r;
	look = calloc(1, sizeof(*look));
	if (!look)
		return SPG_ERR_NOMEM;
	look->types = spg_bpf_types();
	look->programs = look__open_and_load();
	if (!look->programs)
		r = spg_bpf_explain(reason, "loading the iterators", errno);
	else if (attach_all(look) < 0)
		r = spg_bpf_explain(reason, "attaching the iterators", errno);
	if (r < 0) {
		spg_look_destroy(look);
		return r;
	}
	close_programs(look);
	*ret = look;
	return 0;
}

int spg_look_refresh(struct spg_look *look, struct spg_bpf_reason *reason)
{
	struct spg_look *anew, old;
	int r;

	if (spg_bpf_types() == look->types)
		return 0;
	r = spg_look_create(&anew, reason);
	if (r < 0)
		return r;
	old = *look;
	*look = *anew;
	*anew = old;
	spg_look_destroy(anew);
	return 1;
}

/* Run an iterator to its end; its records, each of @size bytes, go to @each. */
static int run(struct spg_look *look, struct bpf_link *link, size_t size,
	const atomic_bool *cancel, int (*each)(void *user, const void *record),
	void *user)
{
	size_t have = 0;
	int r = 0, fd = bpf_iter_create(bpf_link__fd(link));

	if (fd < 0)
		return SPG_ERR_IO;
	while (r == 0) {
		ssize_t n = read(fd, look->buffer + have, sizeof(look->buffer) - have);
		size_t used = 0;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			r = SPG_ERR_IO;
		if (n <= 0)
			break;
		have += (size_t)n;
		for (; r == 0 && have - used >= size; used += size)
			r = each(user, look->buffer + used);
		/* A read may end within a record. */
		memmove(look->buffer, look->buffer + used, have - used);
		have -= used;
		if (r == 0 && cancel &&
			atomic_load_explicit(cancel, memory_order_relaxed))
			r = SPG_ERR_TIMEOUT;
	}
	close(fd);
	return r;
}

struct inode_reader {
	int (*on_inode)(void *user, const struct spg_bpf_inode *inode);
	void *user;
};

static int read_inode(void *user, const void *record)
{
	const struct inode_reader *reader = user;
	struct spg_bpf_inode inode;

	memcpy(&inode, record, sizeof(inode));
	return reader->on_inode(reader->user, &inode);
}

int spg_look_in_use(struct spg_look *look,
	int (*on_inode)(void *user, const struct spg_bpf_inode *inode), void *user)
{
	struct inode_reader reader = {on_inode, user};

	return run(look, look->in_use, sizeof(struct spg_bpf_inode), NULL, read_inode,
		&reader);
}

struct hit_reader {
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit);
	void *user;
	/* What the trees told: mappings without a process. */
	struct spg_bpf_hit *mappings;
	size_t n, size;
};

static int read_hit(void *user, const void *record)
{
	struct hit_reader *reader = user;
	struct spg_bpf_hit hit;
	int r = 0;

	memcpy(&hit, record, sizeof(hit));
	if (hit.kind != SPG_HIT_MEMORY)
		return reader->on_hit(reader->user, &hit);
	/* Somebody has that memory: the mappings in it are his. */
	for (size_t i = 0; r == 0 && i < reader->n; i++) {
		struct spg_bpf_hit mapping = reader->mappings[i];

		if (mapping.memory != hit.memory)
			continue;
		mapping.table = hit.table;
		mapping.tgid = hit.tgid;
		mapping.tid = hit.tid;
		r = reader->on_hit(reader->user, &mapping);
	}
	return r;
}

static int read_mapping(void *user, const void *record)
{
	struct hit_reader *reader = user;
	int r = spg_array_reserve(
		&reader->mappings, reader->n, &reader->size, sizeof(*reader->mappings));

	if (r == 0)
		memcpy(&reader->mappings[reader->n++], record,
			sizeof(*reader->mappings));
	return r;
}

/* Run an iterator until all mappings have been told, as many at a time as fit into the
 * kernel's buffer. */
static int run_in_pages(struct spg_look *look, struct bpf_link *link,
	const atomic_bool *cancel, int (*each)(void *user, const void *record),
	void *user)
{
	int r;

	look->programs->bss->first_mapping = 0;
	do {
		look->programs->bss->more_mappings = false;
		r = run(look, link, sizeof(struct spg_bpf_hit), cancel, each, user);
		look->programs->bss->first_mapping += SPG_BPF_MAPPINGS_MAX;
	} while (r == 0 && look->programs->bss->more_mappings);
	look->programs->bss->first_mapping = 0;
	return r;
}

static int read_trees(struct spg_look *look, struct hit_reader *reader)
{
	return run_in_pages(look, look->trees, NULL, read_mapping, reader);
}

/* Collect the mappings in the trees, and have the tasks' memory compared. */
static int search_trees(struct spg_look *look, struct hit_reader *reader)
{
	int memories = bpf_map__fd(look->programs->maps.memories);
	const uint8_t one = 1;
	int r = read_trees(look, reader);

	for (size_t i = 0; r == 0 && i < reader->n; i++) {
		uint64_t memory = reader->mappings[i].memory;

		if (bpf_map_update_elem(memories, &memory, &one, BPF_ANY) < 0)
			r = SPG_LOOK_UNSURE;
	}
	look->programs->bss->any_memory = reader->n > 0;
	return r;
}

/*
 * The trees are read without their locks, and a reading that meets a change may
 * miss a branch. No counter would show it: a mapping has no open file of its own.
 * So they are read again; what is the same twice was not changing.
 */
static int confirm_trees(struct spg_look *look, const struct hit_reader *reader)
{
	struct hit_reader again = {0};
	int r = read_trees(look, &again);

	if (r == 0 && (again.n != reader->n ||
			      (again.n > 0 &&
				      memcmp(again.mappings, reader->mappings,
					      again.n * sizeof(*again.mappings)) != 0)))
		r = SPG_LOOK_UNSURE;
	free(again.mappings);
	return r;
}

static void forget_memories(struct spg_look *look, const struct hit_reader *reader)
{
	int memories = bpf_map__fd(look->programs->maps.memories);

	for (size_t i = 0; i < reader->n; i++) {
		uint64_t memory = reader->mappings[i].memory;

		(void)bpf_map_delete_elem(memories, &memory);
	}
	look->programs->bss->any_memory = false;
}

/* Run @link, or if only some processes are to be looked at, @program over each. */
static int run_search(struct spg_look *look, struct bpf_link *link,
	const struct bpf_program *program, const struct spg_look_search *search,
	struct hit_reader *reader)
{
	int r = 0;

	if (search->n_pids == 0)
		return run_in_pages(look, link, search->cancel, read_hit, reader);
	for (size_t i = 0; r == 0 && i < search->n_pids; i++) {
		struct bpf_link *one = attach(program, 0, (uint32_t)search->pids[i]);

		/* It may have ended. */
		if (one)
			r = run_in_pages(look, one, search->cancel, read_hit, reader);
		bpf_link__destroy(one);
	}
	return r;
}

/* Name @inodes to the programs. Returns 0 or SPG_ERR_NOMEM; forget_targets() takes
 * them out again. */
static int set_targets(struct spg_look *look, const uint64_t *inodes, size_t n)
{
	int targets = bpf_map__fd(look->programs->maps.targets);
	const uint32_t untold = 0;
	uint64_t filter = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		filter |= UINT64_C(1) << SPG_BPF_FILTER_BIT(inodes[i]);
		if (bpf_map_update_elem(targets, &inodes[i], &untold, BPF_ANY) < 0)
			r = SPG_ERR_NOMEM;
	}
	look->programs->bss->filter = filter;
	return r;
}

static void forget_targets(struct spg_look *look, const uint64_t *inodes, size_t n)
{
	int targets = bpf_map__fd(look->programs->maps.targets);

	for (size_t i = 0; i < n; i++)
		(void)bpf_map_delete_elem(targets, &inodes[i]);
}

struct held_reader {
	int (*on_held)(void *user, const struct spg_bpf_held *held);
	void *user;
	size_t n;
};

static int read_held(void *user, const void *record)
{
	struct held_reader *reader = user;
	struct spg_bpf_held held;

	memcpy(&held, record, sizeof(held));
	reader->n++;
	return reader->on_held(reader->user, &held);
}

int spg_look_locks(struct spg_look *look, const uint64_t *inodes, size_t n_inodes,
	int (*on_held)(void *user, const struct spg_bpf_held *held), void *user)
{
	struct held_reader reader = {.on_held = on_held, .user = user};
	int r = set_targets(look, inodes, n_inodes);

	/* So many of each inode at a time as fit into the kernel's buffer. */
	for (uint32_t first = 0; r == 0; first += SPG_BPF_HELD_MAX) {
		size_t before = reader.n;

		look->programs->bss->first_lock = first;
		r = run(look, look->locks, sizeof(struct spg_bpf_held), NULL, read_held,
			&reader);
		if (reader.n == before)
			break;
	}
	forget_targets(look, inodes, n_inodes);
	return r;
}

int spg_look_search(struct spg_look *look, const struct spg_look_search *search,
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit), void *user)
{
	struct hit_reader reader = {.on_hit = on_hit, .user = user};
	int r = set_targets(look, search->inodes, search->n_inodes);
	struct spg_bpf_reason reason;
	bool unknown_type;

	look->programs->bss->unknown_type = false;
	look->programs->bss->find_deleted = search->find_deleted;
	look->programs->bss->walk_memory = search->mappings == SPG_LOOK_ALL_MEMORY;
	look->programs->bss->unknown_node = false;
	look->programs->bss->tell_who = search->n_pids > 0;
	if (r == 0)
		r = run_search(look, look->files, look->programs->progs.search_files,
			search, &reader);
	if (r == 0 && search->mappings == SPG_LOOK_TREES)
		r = search_trees(look, &reader);
	if (r == 0)
		r = run_search(look, look->tasks, look->programs->progs.search_tasks,
			search, &reader);
	if (r == 0 && search->mappings == SPG_LOOK_TREES)
		r = confirm_trees(look, &reader);
	if (r == 0 && look->programs->bss->unknown_node)
		r = SPG_ERR_UNSUPPORTED;
	unknown_type = r == 0 && look->programs->bss->unknown_type;
	forget_memories(look, &reader);
	free(reader.mappings);
	forget_targets(look, search->inodes, search->n_inodes);
	/* The module came while this ran. */
	if (unknown_type && spg_look_refresh(look, &reason) == 1)
		r = SPG_LOOK_UNSURE;
	return r;
}

struct keeper_reader {
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper);
	void *user;
};

static int read_keeper(void *user, const void *record)
{
	struct keeper_reader *reader = user;
	struct spg_bpf_keeper keeper;

	memcpy(&keeper, record, sizeof(keeper));
	return reader->on_keeper(reader->user, &keeper);
}

int spg_look_keepers(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user)
{
	struct keeper_reader reader = {.on_keeper = on_keeper, .user = user};
	int r = set_targets(look, search->inodes, search->n_inodes);

	if (r == 0)
		r = run(look, look->mounts, sizeof(struct spg_bpf_keeper),
			search->cancel, read_keeper, &reader);
	if (r == 0)
		r = run(look, look->keepers, sizeof(struct spg_bpf_keeper),
			search->cancel, read_keeper, &reader);
	forget_targets(look, search->inodes, search->n_inodes);
	return r;
}

int spg_look_probes(struct spg_look *look, const struct spg_look_search *search,
	int (*on_keeper)(void *user, const struct spg_bpf_keeper *keeper), void *user)
{
	struct keeper_reader reader = {.on_keeper = on_keeper, .user = user};
	int r = set_targets(look, search->inodes, search->n_inodes);

	if (r == 0)
		r = run(look, look->probes, sizeof(struct spg_bpf_keeper),
			search->cancel, read_keeper, &reader);
	forget_targets(look, search->inodes, search->n_inodes);
	return r;
}
