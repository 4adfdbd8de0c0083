/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/counted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"

/* Files asked about at once, each by a descriptor: at most so many, and no more than
 * an eighth of what there are. */
#define BATCH_MAX 512
#define BATCH_MIN 16

static size_t choose_batch(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 8 < BATCH_MIN)
		return BATCH_MIN;
	return limit.rlim_cur / 8 < BATCH_MAX ? limit.rlim_cur / 8 : BATCH_MAX;
}

int spg_counted_name(struct spg_counted_files *c, size_t file, int fd)
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
	c->names[c->n_names++] = (struct spg_named){.fd = fd, .file = file};
	c->by_fd[fd] = c->n_names;
	return 0;
}

/* Close the names from @first on of files that nobody uses or keeps. */
static void let_go_of_free(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	size_t n = first;

	for (size_t i = first; i < c->n_names; i++) {
		const struct spg_seen_file *seen = &s->obs->files[c->names[i].file];

		c->by_fd[c->names[i].fd] = 0;
		if (seen->in_use == SPG_IN_USE_NO && !seen->kept) {
			close(c->names[i].fd);
		} else {
			c->names[n++] = c->names[i];
			c->by_fd[c->names[n - 1].fd] = n;
		}
	}
	c->n_names = n;
}

/* Fill in which inode the descriptor of the last entry names, and whose that is. The
 * entries of one descriptor follow each other; the first is what it names. */
static void note_merged(const struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	struct spg_counted *entry = &c->inodes[c->n_inodes - 1];
	const struct spg_counted *last = c->n_inodes > 1 ? entry - 1 : NULL;
	const struct spg_linux_file *file =
		spg_linux_file(s->obs->files[entry->file].file);

	if (last && last->fd == entry->fd) {
		entry->merged = last->merged ? last->merged : last->inode;
		entry->foreign = last->foreign;
	} else {
		entry->foreign =
			(entry->flags & SPG_INODE_OVERLAY) &&
			(file->class != SPG_FS_OVERLAY || entry->sdev != file->sdev);
	}
}

static int on_inode(void *user, const struct spg_bpf_inode *inode)
{
	struct spg_survey *s = user;
	struct spg_counted_files *c = s->counted;
	struct spg_trace_files *trace_files = s->tools->trace_files;
	struct spg_named *named;
	size_t name;
	int r;

	if (inode->fd < 0 || (size_t)inode->fd >= c->size_by_fd)
		return 0; /* another thread's */
	name = c->by_fd[inode->fd];
	if (name == 0 || name - 1 < c->first_name)
		return 0;
	named = &c->names[name - 1];
	r = spg_array_reserve(
		&c->inodes, c->n_inodes, &c->size_inodes, sizeof(*c->inodes));
	if (r < 0)
		return r;
	c->inodes[c->n_inodes++] = (struct spg_counted){.inode = inode->inode,
		.file = named->file,
		.readers = inode->readers,
		.writers = inode->writers,
		.flags = inode->flags,
		.used = spg_bpf_inode_is_used(inode),
		.names = inode->names,
		.held = inode->held,
		.fd = inode->fd,
		/* The kernel's own encoding (linux/kdev_t.h). */
		.sdev = makedev(inode->key.sdev >> 20, inode->key.sdev & 0xfffff)};
	note_merged(s);
	if (named->expected) {
		if (named->expected == inode->inode)
			named->expected = 0;
		return 0;
	}
	/* Before its locks are read, so that none is missed in between. */
	if (!trace_files || s->instant)
		return 0;
	r = spg_trace_files_add(
		trace_files, s->obs->product, inode, s->obs->files[named->file].file);
	if (r == SPG_ERR_LIMIT && !c->told_limit) {
		c->told_limit = true;
		r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_LOCK_EVENTS,
				.file = SPG_NO_FILE,
				.remedy = {"watch fewer files", NULL}},
			"of more than half a million files locks are only seen when "
			"somebody asks");
	}
	return r == SPG_ERR_LIMIT ? 0 : r;
}

static int order_inodes(const void *va, const void *vb)
{
	const struct spg_counted *a = va, *b = vb;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->file < b->file ? -1 : a->file > b->file;
}

static int64_t opens_of(const struct spg_counted *inode)
{
	return (int64_t)inode->readers + (inode->writers > 0 ? inode->writers : 0);
}

/* Open files of an overlay's layer that bear the merged name, at most: it is held by who
 * has the merged file open, and by these. */
static int64_t faked_opens_of(
	const struct spg_counted_files *c, const struct spg_counted *layer)
{
	for (size_t i = 0; i < c->n_inodes; i++) {
		const struct spg_counted *merged = &c->inodes[i];

		if (merged->inode == layer->merged)
			return merged->names - merged->held - opens_of(merged);
	}
	return opens_of(layer);
}

/* Those that hold a name of the inode itself; where that cannot be told, too few. */
static int64_t named_opens_of(
	const struct spg_counted_files *c, const struct spg_counted *inode)
{
	int64_t n = opens_of(inode), faked = 0;

	if (inode->merged && (inode->flags & SPG_INODE_FAKED))
		faked = faked_opens_of(c, inode);
	if (faked > 0)
		n -= faked;
	return n > 0 ? n : 0;
}

/* Open files of a layer's inode that no file of the overlay has: somebody went below. As far
 * as the last search has found any. */
static int64_t direct_opens_of(
	const struct spg_counted_files *c, const struct spg_counted *layer)
{
	int64_t n = 0;

	for (size_t i = 0; i < c->n_hits; i++) {
		const struct spg_bpf_hit *hit = &c->hits[i];
		bool known = hit->inode != layer->inode || hit->backing;

		for (size_t k = 0; k < i && !known; k++)
			known = c->hits[k].file == hit->file;
		n += !known;
	}
	return n;
}

/* An open file of an overlay, and a mapping too, has the real one open, which holds the
 * merged name besides its own (struct backing_file, user_path). */
static int64_t opens_below(
	const struct spg_counted_files *c, const struct spg_counted *overlay)
{
	uint64_t merged = overlay->merged ? overlay->merged : overlay->inode;
	int64_t n = 0;

	for (size_t i = 0; i < c->n_inodes; i++) {
		bool known = c->inodes[i].merged != merged ||
		             c->inodes[i].inode == overlay->inode;

		/* Entries of one inode follow each other, in whatever order. */
		for (size_t k = i;
			!known && k > 0 && c->inodes[k - 1].inode == c->inodes[i].inode;
			k--)
			known = c->inodes[k - 1].merged == merged;
		if (!known)
			n += opens_of(&c->inodes[i]) -
			     direct_opens_of(c, &c->inodes[i]);
	}
	return n;
}

int64_t spg_counted_unexplained(
	const struct spg_counted_files *c, size_t first, size_t *end)
{
	const struct spg_counted *inode = &c->inodes[first];
	int64_t left = inode->names - named_opens_of(c, inode);
	size_t i;

	for (i = first; i < c->n_inodes && c->inodes[i].inode == inode->inode; i++) {
		/* Somebody else's overlay is a keeper. */
		bool known = c->inodes[i].merged && c->inodes[i].foreign;

		/* An overlay keeps each of its layers' files once. */
		for (size_t k = first; k < i && c->inodes[i].merged; k++)
			known = known || c->inodes[k].merged == c->inodes[i].merged;
		left -= known ? 0 : c->inodes[i].held;
	}
	*end = i;
	/* All that is mounted on one name has one reference (struct mountpoint), and shows
	 * nobody the file. Of several such names no more than one is excused. */
	if (inode->flags & SPG_INODE_COVERED)
		left--;
	if (left > 0 && (inode->flags & SPG_INODE_OVERLAY))
		left -= opens_below(c, inode);
	return inode->names == SPG_BPF_UNCOUNTED ? 1 : left;
}

void spg_counted_mark_kept(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;

	for (size_t i = 0; i < c->n_inodes; i++)
		s->obs->files[c->inodes[i].file].kept = false;
	for (size_t i = 0, end; i < c->n_inodes; i = end)
		if (spg_counted_unexplained(c, i, &end) > 0)
			for (size_t k = i; k < end; k++)
				s->obs->files[c->inodes[k].file].kept = true;
}

int spg_counted_read(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	int r;

	c->n_inodes = 0;
	c->first_name = first;
	if (first == c->n_names)
		return 0;
	r = spg_look_in_use(s->tools->look, on_inode, s);
	if (r < 0)
		return r;
	if (c->n_inodes > 0)
		qsort(c->inodes, c->n_inodes, sizeof(*c->inodes), order_inodes);
	spg_counted_mark_kept(s);
	return 0;
}

int spg_counted_probe_from(struct spg_survey *s, size_t first)
{
	struct spg_counted_files *c = s->counted;
	int r = spg_counted_read(s, first);

	if (r < 0 || first == c->n_names)
		return r;
	/* Free unless a counter says otherwise; unknown if none was told. */
	for (size_t i = first; i < c->n_names; i++)
		s->obs->files[c->names[i].file].in_use = SPG_IN_USE_UNKNOWN;
	for (size_t i = 0; i < c->n_inodes; i++) {
		struct spg_seen_file *seen = &s->obs->files[c->inodes[i].file];

		if (c->inodes[i].used)
			seen->in_use = SPG_IN_USE_YES;
		else if (seen->in_use == SPG_IN_USE_UNKNOWN)
			seen->in_use = SPG_IN_USE_NO;
	}
	for (size_t i = 0; i < c->n_inodes; i++) {
		struct spg_seen_file *seen = &s->obs->files[c->inodes[i].file];

		if ((c->inodes[i].flags & SPG_INODE_CUT) &&
			seen->in_use == SPG_IN_USE_NO)
			seen->in_use = SPG_IN_USE_UNKNOWN;
	}
	return 0;
}

int spg_counted_take_over(struct spg_survey *s, size_t first, bool again)
{
	int r = 0;

	for (size_t i = first; r == 0 && i < s->counted->n_names; i++) {
		size_t file = s->counted->names[i].file;
		struct spg_in_use_result result = {
			.in_use = s->obs->files[file].in_use, .errnum = ENODATA};

		/* A file may have several names: the layers of an overlay. */
		if (again && result.in_use == SPG_IN_USE_UNKNOWN)
			continue;
		if (i == first || file != s->counted->names[i - 1].file)
			r = spg_survey_take_in_use(s, file, &result);
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
	struct spg_in_use_result result = {.in_use = SPG_IN_USE_UNKNOWN};
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
			r = spg_counted_name(s->counted, index, fd);
	}
	for (size_t i = 0; r == 0 && result.errnum == 0 && i < file->n_layers; i++) {
		fd = spg_layer_open(
			file, i, replaced ? s->tools->mounts : NULL, SPG_OPEN_NAME);
		if (fd >= 0)
			r = spg_counted_name(s->counted, index, fd);
		else if (replaced && errno == ESTALE)
			result.in_use = SPG_IN_USE_NO; /* no names, no users */
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
	if (result.errnum == 0 && result.in_use == SPG_IN_USE_UNKNOWN)
		result.errnum = ENODATA;
	while (s->counted->n_names > n_before) {
		fd = s->counted->names[--s->counted->n_names].fd;
		s->counted->by_fd[fd] = 0;
		close(fd);
	}
	r = spg_survey_take_in_use(s, index, &result);
	return r < 0 ? r : 1;
}

int spg_counted_ensure(struct spg_survey *s)
{
	if (!s->counted)
		s->counted = calloc(1, sizeof(*s->counted));
	s->obs->counted = true;
	return s->counted ? 0 : SPG_ERR_NOMEM;
}

int spg_counted_probe_all(struct spg_survey *s)
{
	size_t batch = choose_batch();
	int r = spg_counted_ensure(s);

	for (size_t i = 0; r == 0 && i < s->obs->n_files;) {
		size_t first = s->counted->n_names;

		for (size_t end = i + batch; r >= 0 && i < end && i < s->obs->n_files;
			i++)
			r = open_names(s, i);
		if (r >= 0)
			r = spg_counted_probe_from(s, first);
		if (r == 0)
			r = spg_counted_take_over(s, first, false);
		if (r == 0)
			let_go_of_free(s, first);
		if (r == 0 && spg_survey_is_cancelled(s))
			r = SPG_ERR_TIMEOUT;
	}
	return r;
}

int spg_counted_probe(struct spg_survey *s, size_t index)
{
	size_t first;
	int r = spg_counted_ensure(s);

	if (r < 0)
		return r;
	first = s->counted->n_names;
	r = open_names(s, index);
	if (r == 0)
		r = spg_counted_probe_from(s, first);
	if (r == 0)
		r = spg_counted_take_over(s, first, false);
	if (r == 0)
		let_go_of_free(s, first);
	return r < 0 ? r : 0;
}

const struct spg_counted *spg_counted_find(
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

bool spg_counted_has_merged(const struct spg_counted_files *c, size_t index)
{
	for (size_t i = 0; i < c->n_inodes; i++)
		if (c->inodes[i].file == index &&
			(c->inodes[i].flags & SPG_INODE_OVERLAY))
			return true;
	return false;
}

void spg_counted_finish(struct spg_survey *s)
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
	free(c->who);
	free(c);
	s->counted = NULL;
}
