/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/bpf/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/err.h"
#include "daemon/watch/linux/bpf/look.skel.h"

/* Records at a time; the kernel hands out at most eight pages. */
#define BUFFER_BYTES 32768

struct spg_look {
	struct look *programs;
	struct bpf_link *census; /* of this process only */
	/* Of everybody. */
	struct bpf_link *files, *mappings, *executables;
	char buffer[BUFFER_BYTES];
};

void spg_look_destroy(struct spg_look *look)
{
	if (!look)
		return;
	bpf_link__destroy(look->census);
	bpf_link__destroy(look->files);
	bpf_link__destroy(look->mappings);
	bpf_link__destroy(look->executables);
	look__destroy(look->programs);
	free(look);
}

/* @tid: only this thread; 0: everybody. NULL with errno. */
static struct bpf_link *attach(const struct bpf_program *program, uint32_t tid)
{
	union bpf_iter_link_info info = {.task.tid = tid};
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, options);

	if (tid != 0) {
		options.link_info = &info;
		options.link_info_len = sizeof(info);
	}
	return bpf_program__attach_iter(program, &options);
}

static int attach_all(struct spg_look *look)
{
	/* All threads of the daemon have one descriptor table. */
	look->census = attach(look->programs->progs.census, (uint32_t)getpid());
	if (look->census)
		look->files = attach(look->programs->progs.search_files, 0);
	if (look->files)
		look->mappings = attach(look->programs->progs.search_mappings, 0);
	if (look->mappings)
		look->executables = attach(look->programs->progs.search_executables, 0);
	return look->executables ? 0 : -1;
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
	look->programs = look__open_and_load();
	if (!look->programs)
		r = spg_bpf_explain(reason, "loading the iterators", errno);
	else if (attach_all(look) < 0)
		r = spg_bpf_explain(reason, "attaching the iterators", errno);
	if (r < 0) {
		spg_look_destroy(look);
		return r;
	}
	*ret = look;
	return 0;
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

int spg_look_census(struct spg_look *look,
	int (*on_inode)(void *user, const struct spg_bpf_inode *inode), void *user)
{
	struct inode_reader reader = {on_inode, user};

	return run(look, look->census, sizeof(struct spg_bpf_inode), NULL, read_inode,
		&reader);
}

struct hit_reader {
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit);
	void *user;
};

static int read_hit(void *user, const void *record)
{
	const struct hit_reader *reader = user;
	struct spg_bpf_hit hit;

	memcpy(&hit, record, sizeof(hit));
	return reader->on_hit(reader->user, &hit);
}

int spg_look_search(struct spg_look *look, const struct spg_look_search *search,
	int (*on_hit)(void *user, const struct spg_bpf_hit *hit), void *user)
{
	struct hit_reader reader = {on_hit, user};
	const uint8_t one = 1;
	int targets = bpf_map__fd(look->programs->maps.targets);
	size_t n = 0;
	int r = 0;

	for (; r == 0 && n < search->n_inodes; n++)
		if (bpf_map_update_elem(targets, &search->inodes[n], &one, BPF_ANY) < 0)
			r = SPG_ERR_NOMEM;
	look->programs->bss->find_lost = search->find_lost;
	if (r == 0)
		r = run(look, look->files, sizeof(struct spg_bpf_hit), search->cancel,
			read_hit, &reader);
	if (r == 0)
		r = run(look, look->executables, sizeof(struct spg_bpf_hit),
			search->cancel, read_hit, &reader);
	if (r == 0 && search->mappings)
		r = run(look, look->mappings, sizeof(struct spg_bpf_hit),
			search->cancel, read_hit, &reader);
	while (n-- > 0)
		(void)bpf_map_delete_elem(targets, &search->inodes[n]);
	return r;
}
