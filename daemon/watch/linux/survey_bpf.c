/* SPDX-License-Identifier: MIT */
/*
 * With BPF: the inode's own counters say how many users a file has, iterators
 * say who, and both have to agree.
 *
 * A file is asked about through O_PATH descriptors, which count for nothing.
 * Those of files in use stay open until the survey ends, so that the address of
 * the inode names it all that time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/watch/linux/hidden.h"
#include "daemon/watch/linux/survey_state.h"

/* Files asked about at once. */
#define BATCH      512
/* Looks at a crowd that moves while it is counted. */
#define TRIES_MAX  4
/* Files that lost their name, found one after the other. */
#define ROUNDS_MAX 8

/* A descriptor of ours that names a file. */
struct named {
	int fd;
	size_t file;
};

/* One inode behind one of them. */
struct counted {
	uint64_t inode;
	size_t file;
	int32_t readers, writers;
	uint32_t flags; /* SPG_INODE_* */
	bool used;
	uint64_t sdev;
};

struct spg_counted_files {
	struct named *names;
	size_t n_names, size_names;
	size_t *by_fd; /* index into names + 1, 0 none */
	size_t size_by_fd;
	struct counted *inodes; /* sorted by address once a census is complete */
	size_t n_inodes, size_inodes;
	size_t first_name; /* names before it are not asked about by this census */
	struct spg_bpf_hit *hits;
	size_t n_hits, size_hits;
	bool found_lost; /* the search found files that nobody knew */
	bool told_limit; /* a lack says that not all locks are told of */
	bool told_lost;  /* a lack says that not all of them could be seen */
};

static int name_file(struct spg_counted_files *c, size_t file, int fd)
{
	size_t size = c->size_by_fd ? c->size_by_fd : 256;
	int r = spg_array_reserve(
		&c->names, c->n_names, &c->size_names, sizeof(*c->names));

	while (size <= (size_t)fd)
		size *= 2;
	if (r == 0 && size > c->size_by_fd) {
		size_t *by_fd = realloc(c->by_fd, size * sizeof(*by_fd));

		if (!by_fd)
			return SPG_ERR_NOMEM;
		memset(by_fd + c->size_by_fd, 0,
			(size - c->size_by_fd) * sizeof(*by_fd));
		c->by_fd = by_fd;
		c->size_by_fd = size;
	}
	if (r < 0)
		return r;
	c->names[c->n_names++] = (struct named){.fd = fd, .file = file};
	c->by_fd[fd] = c->n_names;
	return 0;
}

/* Close the names from @first on of files that nobody uses. */
static void let_go_of_free(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	size_t n = first;

	for (size_t i = first; i < c->n_names; i++) {
		const struct spg_seen_file *seen = &s->obs->files[c->names[i].file];

		c->by_fd[c->names[i].fd] = 0;
		if (seen->census == SPG_CENSUS_FREE) {
			close(c->names[i].fd);
		} else {
			c->names[n++] = c->names[i];
			c->by_fd[c->names[n - 1].fd] = n;
		}
	}
	c->n_names = n;
}

static int on_inode(void *user, const struct spg_bpf_inode *inode)
{
	struct spg_survey *s = user;
	struct spg_counted_files *c = s->counted;
	struct spg_trace_files *trace_files = s->surveyor->trace_files;
	size_t name;
	int r;

	if (inode->fd < 0 || (size_t)inode->fd >= c->size_by_fd)
		return 0; /* another thread's */
	name = c->by_fd[inode->fd];
	if (name == 0 || name - 1 < c->first_name)
		return 0;
	r = spg_array_reserve(
		&c->inodes, c->n_inodes, &c->size_inodes, sizeof(*c->inodes));
	if (r < 0)
		return r;
	c->inodes[c->n_inodes++] = (struct counted){.inode = inode->inode,
		.file = c->names[name - 1].file,
		.readers = inode->readers,
		.writers = inode->writers,
		.flags = inode->flags,
		.used = spg_bpf_inode_is_used(inode),
		/* The kernel's own encoding (linux/kdev_t.h). */
		.sdev = makedev(inode->sdev >> 20, inode->sdev & 0xfffff)};
	/* Before its locks are read, so that none is missed in between. */
	if (!trace_files)
		return 0;
	r = spg_trace_files_add(trace_files, s->obs->product, inode,
		s->obs->files[c->names[name - 1].file].file);
	if (r == SPG_ERR_LIMIT && !c->told_limit) {
		c->told_limit = true;
		r = spg_observation_add_lack(s->obs, SPG_NO_FILE, false, "lock events",
			"watch fewer files",
			"of more than half a million files locks are only seen when "
			"somebody asks");
	}
	return r == SPG_ERR_LIMIT ? 0 : r;
}

static int order_inodes(const void *va, const void *vb)
{
	const struct counted *a = va, *b = vb;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->file < b->file ? -1 : a->file > b->file;
}

/* Read the counters behind all names from @first on, and judge their files. */
static int take_census(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	int r;

	c->n_inodes = 0;
	c->first_name = first;
	if (first == c->n_names)
		return 0;
	r = spg_look_census(s->surveyor->look, on_inode, s);
	if (r < 0)
		return r;
	/* Free unless a counter says otherwise; unknown if none was told. */
	for (size_t i = first; i < c->n_names; i++)
		s->obs->files[c->names[i].file].census = SPG_CENSUS_UNKNOWN;
	for (size_t i = 0; i < c->n_inodes; i++) {
		struct spg_seen_file *seen = &s->obs->files[c->inodes[i].file];

		if (c->inodes[i].used)
			seen->census = SPG_CENSUS_BUSY;
		else if (seen->census == SPG_CENSUS_UNKNOWN)
			seen->census = SPG_CENSUS_FREE;
	}
	for (size_t i = 0; i < c->n_inodes; i++) {
		struct spg_seen_file *seen = &s->obs->files[c->inodes[i].file];

		if ((c->inodes[i].flags & SPG_INODE_CUT) &&
			seen->census == SPG_CENSUS_FREE)
			seen->census = SPG_CENSUS_UNKNOWN;
	}
	return 0;
}

/* Tell the observation what the census said of the names from @first on. @again:
 * what is not known has been told. */
static int take_over(struct spg_survey *s, size_t first, bool again)
{
	int r = 0;

	for (size_t i = first; r == 0 && i < s->counted->n_names; i++) {
		size_t file = s->counted->names[i].file;
		struct spg_census_result result = {
			.census = s->obs->files[file].census, .errnum = ENODATA};

		/* A file may have several names: the layers of an overlay. */
		if (again && result.census == SPG_CENSUS_UNKNOWN)
			continue;
		if (i == first || file != s->counted->names[i - 1].file)
			r = spg_survey_take_census(s, file, &result);
	}
	return r;
}

/* Open what names file @index. Returns 0, SPG_ERR_NOMEM, or 1 when that says it
 * all. */
static int open_names(struct spg_survey *s, size_t index)
{
	struct spg_seen_file *seen = &s->obs->files[index];
	struct spg_linux_file *file = spg_linux_file(seen->file);
	bool replaced = seen->presence == SPG_REPLACED;
	struct spg_census_result result = {.census = SPG_CENSUS_UNKNOWN};
	size_t n_before = s->counted->n_names;
	int fd = -1, r = 0;

	/* An old version whose real file is not known cannot be named. */
	if (replaced && file->incomplete)
		result.errnum = ENODATA;
	/* The merged inode, which programs open. */
	if (file->class == SPG_FS_OVERLAY && !replaced) {
		fd = open(seen->file->path, SPG_OPEN_NAME);
		if (fd < 0)
			result.errnum = errno;
		else
			r = name_file(s->counted, index, fd);
	}
	for (size_t i = 0; r == 0 && result.errnum == 0 && i < file->n_layers; i++) {
		fd = spg_layer_open(
			file, i, replaced ? s->surveyor->mounts : NULL, SPG_OPEN_NAME);
		if (fd >= 0)
			r = name_file(s->counted, index, fd);
		else if (replaced && errno == ESTALE)
			result.census = SPG_CENSUS_FREE; /* no names, no users */
		else if (file->class != SPG_FS_OVERLAY)
			result.errnum = errno;
		/* Of an overlay the kernel tells them itself. */
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	if (result.errnum == 0 && s->counted->n_names > n_before)
		return 0;
	if (result.errnum == 0 && result.census == SPG_CENSUS_UNKNOWN)
		result.errnum = ENODATA;
	while (s->counted->n_names > n_before) {
		fd = s->counted->names[--s->counted->n_names].fd;
		s->counted->by_fd[fd] = 0;
		close(fd);
	}
	r = spg_survey_take_census(s, index, &result);
	return r < 0 ? r : 1;
}

static int ensure_counted(struct spg_survey *s)
{
	if (!s->counted)
		s->counted = calloc(1, sizeof(*s->counted));
	s->obs->counted = true;
	return s->counted ? 0 : SPG_ERR_NOMEM;
}

static int probe_all(struct spg_survey *s)
{
	int r = ensure_counted(s);

	for (size_t i = 0; r == 0 && i < s->obs->n_files;) {
		size_t first = s->counted->n_names;

		for (size_t end = i + BATCH; r >= 0 && i < end && i < s->obs->n_files;
			i++)
			r = open_names(s, i);
		if (r >= 0)
			r = take_census(s, first);
		if (r == 0)
			r = take_over(s, first, false);
		if (r == 0)
			let_go_of_free(s, first);
		if (r == 0 && spg_survey_is_cancelled(s))
			r = SPG_ERR_TIMEOUT;
	}
	return r;
}

static int probe(struct spg_survey *s, size_t index)
{
	size_t first;
	int r = ensure_counted(s);

	if (r < 0)
		return r;
	first = s->counted->n_names;
	r = open_names(s, index);
	if (r == 0)
		r = take_census(s, first);
	if (r == 0)
		r = take_over(s, first, false);
	if (r == 0)
		let_go_of_free(s, first);
	return r < 0 ? r : 0;
}

/* The first entry for @inode, or NULL; others of that inode follow it. */
static const struct counted *find_inode(
	const struct spg_counted_files *c, uint64_t inode)
{
	size_t low = 0, high = c->n_inodes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->inodes[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->n_inodes && c->inodes[low].inode == inode ? &c->inodes[low]
	                                                          : NULL;
}

static bool is_lost(const struct spg_bpf_hit *hit)
{
	return hit->kind == SPG_HIT_LOST_FD || hit->kind == SPG_HIT_LOST_MAP;
}

static int on_hit(void *user, const struct spg_bpf_hit *hit)
{
	struct spg_counted_files *c = user;
	int r = spg_array_reserve(&c->hits, c->n_hits, &c->size_hits, sizeof(*c->hits));

	if (r == 0)
		c->hits[c->n_hits++] = *hit;
	return r;
}

/* Search for the users of everything that the last census told of. */
static int search(struct spg_survey *s, bool thorough)
{
	struct spg_counted_files *c = s->counted;
	struct spg_look_search search = {.cancel = s->request->cancel,
		.find_lost = s->attribution.find_lost != NULL};
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
	if (search.find_lost || (thorough && search.mappings != SPG_LOOK_NO_MAPPINGS))
		search.mappings = SPG_LOOK_ALL_MEMORY;
	search.inodes = inodes;
	c->n_hits = 0;
	r = spg_look_search(s->surveyor->look, &search, on_hit, c);
	free(inodes);
	return r;
}

/* @fd: what names a file that nobody knew. It stays open with the others. */
static int on_lost(void *user, size_t index, int fd)
{
	struct spg_survey *s = user;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	s->counted->found_lost = true;
	if (copy < 0)
		return 0; /* it is asked about by its handle */
	r = name_file(s->counted, index, copy);
	if (r < 0)
		close(copy);
	return r;
}

static bool has_device(const struct spg_counted_files *c,
	const struct spg_landmarks *landmarks, const struct spg_mounts *mounts,
	uint64_t sdev)
{
	for (size_t i = 0; i < c->n_inodes; i++)
		if (c->inodes[i].sdev == sdev)
			return true;
	for (size_t i = 0; i < landmarks->n; i++) {
		const struct spg_mount *mount =
			spg_mounts_find(mounts, landmarks->marks[i].real_path);

		if (mount && mount->dev == sdev)
			return true;
	}
	return false;
}

/* A nameless file in a process that shows nothing may be one of the product's. */
static int lack_lost(struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	uint64_t sdev = makedev(hit->sdev >> 20, hit->sdev & 0xfffff);

	if (s->counted->told_lost ||
		!has_device(s->counted, &s->landmarks, s->surveyor->mounts, sdev))
		return 0;
	s->counted->told_lost = true;
	return spg_observation_add_lack(s->obs, SPG_NO_FILE, true, "a deleted file",
		"let the daemon look into that process (CAP_SYS_PTRACE), or end it",
		"pid %" PRId32 " holds a file that was deleted, and does not let us "
		"see which",
		hit->tgid);
}

/* See whether one that has lost its name was the product's. */
static int look_at_lost(struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	struct spg_attribution *a = &s->attribution;
	struct spg_mapping mapping = {.start = hit->start, .end = hit->end};
	size_t failed_before = a->n_opaque;
	char name[64], text[4096 + 16];
	int proc_fd, dir_fd = -1, r = 0;
	ssize_t n;

	proc_fd = spg_proc_open(hit->tgid);
	if (proc_fd < 0)
		return proc_fd == SPG_ERR_DENIED ? lack_lost(s, hit) : 0;
	if (hit->kind == SPG_HIT_LOST_FD) {
		snprintf(name, sizeof(name), "task/%" PRId32 "/fd", hit->tid);
		dir_fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir_fd < 0 && spg_attribution_failed(a, errno))
			a->n_opaque++;
		snprintf(name, sizeof(name), "%" PRId32, hit->fd);
		if (dir_fd >= 0)
			r = spg_lost_by_fd(a, proc_fd, dir_fd, name);
	} else {
		snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64,
			(uint64_t)hit->start, (uint64_t)hit->end);
		n = readlinkat(proc_fd, name, text, sizeof(text) - 1);
		if (n < 0 && spg_attribution_failed(a, errno))
			a->n_opaque++;
		if (n > 0) {
			text[n] = '\0';
			mapping.name = text;
			r = spg_lost_by_mapping(a, proc_fd, &mapping);
		}
	}
	if (dir_fd >= 0)
		close(dir_fd);
	close(proc_fd);
	if (r == 0 && a->n_opaque > failed_before)
		r = lack_lost(s, hit);
	return r;
}

static int look_at_all_lost(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	size_t n_before = s->obs->n_files;
	uint64_t last = 0;
	int r = 0;

	s->counted->found_lost = false;
	for (size_t i = 0; r == 0 && i < c->n_hits; i++) {
		/* A library has several mappings, one beside the other. */
		if (!is_lost(&c->hits[i]) || c->hits[i].file == last)
			continue;
		last = c->hits[i].file;
		r = look_at_lost(s, &c->hits[i]);
	}
	for (size_t i = n_before; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].census == SPG_CENSUS_UNKNOWN)
			r = probe(s, i);
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
	case SPG_HIT_LOST_FD:
	case SPG_HIT_LOST_MAP:
	case SPG_HIT_MEMORY:
		break;
	}
	return 0;
}

/* Where a descriptor with locks is open, for reading them. */
static int add_spot(
	struct spg_attribution *a, size_t use, const struct spg_bpf_hit *hit)
{
	int r = spg_array_reserve(
		&a->spots, a->n_spots, &a->size_spots, sizeof(*a->spots));

	if (r == 0)
		a->spots[a->n_spots++] =
			(struct spg_spot){.file = a->obs->uses[use].file,
				.use = use,
				.pid = hit->tgid,
				.tid = hit->tid,
				.fd = hit->fd,
				.open_file = hit->file,
				.table = hit->table};
	return r;
}

static int add_use(struct spg_survey *s, struct spg_process *process,
	const struct counted *inode, const struct spg_bpf_hit *hit)
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
	if (r == 0 && hit->fd >= 0 &&
		(inode->flags & (SPG_INODE_FLOCK | SPG_INODE_POSIX | SPG_INODE_LEASE)))
		r = add_spot(&s->attribution, use, hit);
	return r;
}

/* The uses by one process: hits [@first, @end). Returns 1 when it has gone. */
static int add_process(struct spg_survey *s, size_t first, size_t end)
{
	struct spg_counted_files *c = s->counted;
	int32_t pid = c->hits[first].tgid;
	struct spg_process *process = NULL;
	int proc_fd = spg_proc_open(pid), r;

	if (proc_fd < 0)
		return 1;
	r = spg_proc_read(&s->surveyor->reader, proc_fd, pid, 0, &process);
	close(proc_fd);
	if (r < 0)
		return r == SPG_ERR_NOMEM ? r : 1;
	for (size_t i = first; r == 0 && i < end; i++) {
		const struct counted *inode = find_inode(c, c->hits[i].inode);

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

/* Turn hits into uses. Returns 1 when a process had gone meanwhile. */
static int add_uses(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;
	int r = 0, moved = 0;

	if (c->n_hits > 0)
		qsort(c->hits, c->n_hits, sizeof(*c->hits), order_by_process);
	for (size_t i = 0, end; r >= 0 && i < c->n_hits; i = end) {
		bool wanted = false;

		for (end = i; end < c->n_hits && c->hits[end].tgid == c->hits[i].tgid;
			end++)
			wanted = wanted || !is_lost(&c->hits[end]);
		if (!wanted)
			continue;
		r = add_process(s, i, end);
		moved |= r == 1;
	}
	return r < 0 ? r : moved;
}

static int order_by_file(const void *va, const void *vb)
{
	const struct spg_bpf_hit *a = va, *b = vb;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->file < b->file ? -1 : a->file > b->file;
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
};

/* Count @inode's distinct open files among the hits, sorted by file. */
static struct found count_files(const struct spg_counted_files *c, uint64_t inode)
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

enum balance { EVEN, HIDDEN, STALE };

/*
 * Readers are the open files that only read (i_readcount), writers those that
 * also write; below zero, each address space that executes it denies writing
 * once (include/linux/fs.h). A mark that is asked before the content is read
 * makes the kernel not deny it: so fewer of those are no contradiction.
 */
static enum balance weigh(const struct counted *inode, const struct found *found)
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

/*
 * Compare what was found with what the counters say now. Returns 1 when they
 * differ; @final: mark the files that somebody else must be using.
 */
static int close_census(struct spg_survey *s, bool final)
{
	struct spg_counted_files *c = s->counted;
	struct spg_bpf_hit *executing = calloc(c->n_hits + 1, sizeof(*executing));
	int r, open_ends = 0;

	if (!executing)
		return SPG_ERR_NOMEM;
	if (c->n_hits > 0) {
		memcpy(executing, c->hits, c->n_hits * sizeof(*executing));
		qsort(executing, c->n_hits, sizeof(*executing), order_by_memory);
		qsort(c->hits, c->n_hits, sizeof(*c->hits), order_by_file);
	}
	r = take_census(s, 0);
	for (size_t i = 0; r == 0 && i < c->n_inodes; i++) {
		const struct counted *inode = &c->inodes[i];
		struct found found = count_files(c, inode->inode);
		enum balance balance;

		found.executing = inode->writers < 0 ? count_executing(executing,
							       c->n_hits, inode->inode)
		                                     : 0;
		balance = weigh(inode, &found);
		if (balance != EVEN)
			open_ends = 1;
		if (final && balance == HIDDEN)
			s->obs->files[inode->file].unattributed = true;
	}
	free(executing);
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].census == SPG_CENSUS_FREE ||
			s->obs->files[i].presence == SPG_GONE)
			spg_survey_forget_uses(s, i);
	if (r == 0)
		r = take_over(s, 0, true);
	return r < 0 ? r : open_ends;
}

/* One look: who uses what, and does it add up? Returns 1 when it does not, or
 * when files turned up that nobody knew. @try: how many looks did not add up. */
static int look(struct spg_survey *s, unsigned try)
{
	struct spg_counted_files *c = s->counted;
	int r, moved;

	spg_survey_drop_uses(s);
	spg_attribution_finish(&s->attribution);
	s->attribution.obs = s->obs;
	s->attribution.targets = s->targets;
	s->attribution.reader = &s->surveyor->reader;
	s->attribution.cancel = s->request->cancel;
	s->attribution.find_lost = spg_survey_must_find_lost(s) ? &s->lost : NULL;
	s->attribution.on_lost = on_lost;
	s->attribution.user = s;
	c->found_lost = false;
	r = take_census(s, 0);
	if (c->n_inodes > 0)
		qsort(c->inodes, c->n_inodes, sizeof(*c->inodes), order_inodes);
	if (r == 0)
		r = search(s, try > 0);
	if (r == 0 && s->attribution.find_lost)
		r = look_at_all_lost(s);
	if (r != 0 || c->found_lost)
		return r < 0 ? r : 1;
	moved = add_uses(s);
	if (moved < 0)
		return moved;
	r = close_census(s, try + 1 >= TRIES_MAX);
	return r < 0 ? r : r | moved;
}

static int attribute(struct spg_survey *s)
{
	int r = ensure_counted(s);
	unsigned tries = 0;

	for (unsigned round = 0; r >= 0 && round < ROUNDS_MAX + TRIES_MAX; round++) {
		r = look(s, tries);
		if (r == 0)
			break;
		if (r == 1 && !s->counted->found_lost && ++tries >= TRIES_MAX)
			break;
	}
	return r < 0 ? r : 0;
}

/* The counters say for which files there is one; only its cause is looked for. */
static int find_hidden(struct spg_survey *s)
{
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].unattributed)
			return spg_hidden_search(&s->attribution);
	return 0;
}

static void finish(struct spg_survey *s)
{
	struct spg_counted_files *c = s->counted;

	if (!c)
		return;
	for (size_t i = 0; i < c->n_names; i++)
		close(c->names[i].fd);
	free(c->names);
	free(c->by_fd);
	free(c->inodes);
	free(c->hits);
	free(c);
	s->counted = NULL;
}

const struct spg_survey_way spg_survey_by_bpf = {
	.probe_all = probe_all,
	.probe = probe,
	.attribute = attribute,
	.find_hidden = find_hidden,
	.finish = finish,
};
