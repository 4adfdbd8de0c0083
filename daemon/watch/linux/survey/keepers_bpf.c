/* SPDX-License-Identifier: MIT */
/*
 * With BPF: the references to a file's names that its open files and we do not explain
 * are explained one by one, or taken for somebody who keeps it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/watch/linux/survey/counted.h"
#include "daemon/watch/linux/survey/keepers.h"

/* A walk along the path, or an open, holds a name for a moment: how often the counts
 * are read again before anything is looked for, and how often that is done. */
#define READS_MAX   8
#define LOOKS_MAX   8
#define MOMENT_NS   (2 * SPG_NS_PER_MS)
/* Looks in a row in which only names that somebody holds (O_PATH) explained what was
 * counted. They come and go without an event, and one that has come since the count may
 * stand for another reference. */
#define EXCUSES_MIN 8

/* Probes that are opened at a time. */
#define PROBES_MAX  64

struct found {
	struct spg_bpf_keeper keeper;
	char *event; /* of tracefs; or NULL */
};

/* One look. */
struct looking {
	struct spg_keepers k;
	struct found *found;
	size_t n_found, size_found;
	int64_t *left; /* references to each counted inode that nothing explains yet */
	int64_t *by_name; /* those that such a name has explained */
	bool *excused;    /* files of which nothing else explains them */
};

static void finish_looking(struct looking *l)
{
	spg_keepers_finish(&l->k);
	for (size_t i = 0; i < l->n_found; i++)
		free(l->found[i].event);
	free(l->found);
	free(l->left);
	free(l->by_name);
}

static bool is_any_kept(const struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].kept)
			return true;
	return false;
}

static int on_keeper(void *user, const struct spg_bpf_keeper *keeper)
{
	struct looking *l = user;

	for (size_t i = 0; i < l->n_found; i++)
		if (l->found[i].keeper.inode == keeper->inode &&
			l->found[i].keeper.object == keeper->object)
			return 0;
	if (spg_array_reserve(
		    &l->found, l->n_found, &l->size_found, sizeof(*l->found)) < 0)
		return SPG_ERR_NOMEM;
	l->found[l->n_found++] = (struct found){.keeper = *keeper};
	return 0;
}

/* --- probes that no process's descriptors lead to ------------------------------- */

/* Some, each open by a descriptor of ours: what that leads to the kernel tells. */
struct probe_batch {
	struct spg_survey *s;
	struct looking *l;
	const struct spg_look_search *search;
	size_t n;
	struct {
		int fd;
		char *event; /* or NULL: a link, which is pinned */
	} list[PROBES_MAX];
};

static int on_probe(void *user, const struct spg_bpf_keeper *keeper)
{
	struct probe_batch *batch = user;
	struct looking *l = batch->l;
	size_t n_before = l->n_found;
	int r;

	for (size_t i = 0; i < batch->n; i++) {
		if (batch->list[i].fd != keeper->id)
			continue;
		r = on_keeper(l, keeper);
		if (r < 0 || l->n_found == n_before || !batch->list[i].event)
			return r;
		l->found[n_before].event = strdup(batch->list[i].event);
		return l->found[n_before].event ? 0 : SPG_ERR_NOMEM;
	}
	return 0;
}

static int ask_batch(struct probe_batch *batch)
{
	int r = batch->n > 0 ? spg_look_probes(batch->s->tools->look, batch->search,
				       on_probe, batch)
	                     : 0;

	for (size_t i = 0; i < batch->n; i++) {
		close(batch->list[i].fd);
		free(batch->list[i].event);
	}
	batch->n = 0;
	return r == SPG_ERR_IO ? 0 : r;
}

static int each_probe(void *user, const struct spg_probe *probe)
{
	struct probe_batch *batch = user;
	int fd = probe->event
	                 ? spg_probes_open_event(batch->s->tools->probes, probe->event)
	                 : fcntl(probe->link_fd, F_DUPFD_CLOEXEC, 0);
	char *event = probe->event ? strdup(probe->event) : NULL;

	if (fd < 0 || (probe->event && !event)) {
		if (fd >= 0)
			close(fd);
		free(event);
		return fd < 0 ? 0 : SPG_ERR_NOMEM;
	}
	batch->list[batch->n].fd = fd;
	batch->list[batch->n++].event = event;
	return batch->n < PROBES_MAX ? 0 : ask_batch(batch);
}

static int ask_for_probes(
	struct spg_survey *s, struct looking *l, const struct spg_look_search *search)
{
	struct probe_batch batch = {.s = s, .l = l, .search = search};
	int r = 0, r2;

	if (s->tools->probes)
		r = spg_probes_read(s->tools->probes, each_probe, &batch);
	r2 = ask_batch(&batch);
	return r < 0 ? r : r2;
}

static int ask_kernel(struct spg_survey *s, struct looking *l)
{
	const struct spg_counted_files *c = s->counted;
	struct spg_look_search search = {.cancel = s->request->cancel};
	uint64_t *inodes = calloc(c->n_inodes + 1, sizeof(*inodes));
	int r;

	if (!inodes)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < c->n_inodes; i++)
		if (s->obs->files[c->inodes[i].file].kept &&
			(search.n_inodes == 0 ||
				inodes[search.n_inodes - 1] != c->inodes[i].inode))
			inodes[search.n_inodes++] = c->inodes[i].inode;
	search.inodes = inodes;
	/* More than fit: what is not told explains nothing. */
	r = spg_look_keepers(s->tools->look, &search, on_keeper, l);
	if (r == 0 || r == SPG_ERR_IO)
		r = ask_for_probes(s, l, &search);
	free(inodes);
	return r;
}

/* --- mounts, by the namespaces that have them ----------------------------------- */

struct mount_name {
	int32_t id;
	char *path;
};

static int each_mount(void *user, const struct spg_mount *mount)
{
	struct mount_name *name = user;

	if (mount->id != name->id)
		return 0;
	name->path = strdup(mount->path);
	return name->path ? 1 : SPG_ERR_NOMEM;
}

/* Whoever has a descriptor that was opened through @mount, which is in no namespace. */
static int32_t owner_of(const struct looking *l, const struct spg_bpf_keeper *mount)
{
	for (size_t i = 0; i < l->n_found; i++)
		if (l->found[i].keeper.kind == SPG_BPF_KEEP_NAME &&
			l->found[i].keeper.mount == mount->object)
			return l->found[i].keeper.tgid;
	return 0;
}

static int add_mount(struct looking *l, size_t file, const struct spg_bpf_keeper *mount)
{
	struct spg_space *space = spg_spaces_get(&l->k.spaces, mount->space);
	struct mount_name name = {.id = mount->id};
	int r = 0;

	if (mount->space == 0)
		return spg_keepers_add(&l->k,
			&(struct spg_seen_keeper){
				.file = file, .kind = SPG_KEEPER_DETACHED},
			owner_of(l, mount));
	if (space)
		r = spg_space_read(space, each_mount, &name);
	if (r >= 0)
		r = spg_keepers_add_mount(
			&l->k, file, SPG_KEEPER_MOUNT, space, name.path);
	free(name.path);
	return r;
}

/* --- one inode ------------------------------------------------------------------ */

/* Take off what was found of inode @index; of every kind but layers, which keep it only
 * if something is left. */
static int explain_inode(struct spg_survey *s, struct looking *l, size_t index)
{
	const struct spg_counted *inode = &s->counted->inodes[index];
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_found; i++) {
		const struct spg_bpf_keeper *keeper = &l->found[i].keeper;

		if (keeper->inode != inode->inode)
			continue;
		switch ((enum spg_bpf_keeper_kind)keeper->kind) {
		case SPG_BPF_KEEP_MOUNT:
			l->left[index]--;
			r = add_mount(l, inode->file, keeper);
			break;
		case SPG_BPF_KEEP_NAME:
			if (keeper->tgid == getpid())
				break;
			l->left[index]--;
			l->by_name[index]++;
			break;
		case SPG_BPF_KEEP_PROBE:
			l->left[index]--;
			r = spg_keepers_add(&l->k,
				&(struct spg_seen_keeper){.file = inode->file,
					.kind = SPG_KEEPER_PROBE,
					.place = l->found[i].event},
				keeper->link ? spg_probe_owner(keeper->link)
					     : keeper->tgid);
			break;
		case SPG_BPF_KEEP_LAYER:
			break;
		}
	}
	return r;
}

/* The kernel's own mounts above inode @index: an overlay's, one for each layer. */
static int64_t count_layers(
	const struct spg_survey *s, const struct looking *l, size_t index)
{
	int64_t n = 0;

	for (size_t i = 0; i < l->n_found; i++)
		n += l->found[i].keeper.kind == SPG_BPF_KEEP_LAYER &&
		     l->found[i].keeper.inode == s->counted->inodes[index].inode;
	return n;
}

/* An old version on an overlay is named by its real files alone, and the overlay that it
 * lay on may keep those a while. */
static bool may_be_its_own(const struct spg_survey *s, size_t file)
{
	const struct spg_seen_file *seen = &s->obs->files[file];

	return seen->presence == SPG_REPLACED &&
	       spg_linux_file(seen->file)->class == SPG_FS_OVERLAY;
}

/* The mounts of an old version on an overlay are of the merged file, which keeps the real
 * one: no descriptor of ours leads to it any more, but /proc shows what is mounted. */
static int find_merged_mounts(struct spg_survey *s, const struct looking *l)
{
	const struct spg_counted_files *c = s->counted;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_inodes; i++) {
		if (l->left[i] <= 0 || !may_be_its_own(s, c->inodes[i].file))
			continue;
		r = spg_file_mounts_find(s);
		if (r == 0)
			r = spg_file_mounts_add(s, c->inodes[i].file);
	}
	spg_file_mounts_destroy(s->file_mounts);
	s->file_mounts = NULL;
	return r;
}

/* Of each layer's mount one reference: an overlay has looked the file up there. Where it
 * may have more than one, all that is left may be its. */
static int explain_layers(struct spg_survey *s, struct looking *l)
{
	const struct spg_counted_files *c = s->counted;
	bool listed = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_inodes; i++) {
		int64_t n_layers = l->left[i] > 0 ? count_layers(s, l, i) : 0;
		size_t n_before = s->obs->n_keepers;

		if (n_layers == 0)
			continue;
		l->left[i] -=
			c->inodes[i].flags & SPG_INODE_FAKED ? l->left[i] : n_layers;
		if (!listed)
			r = spg_keepers_list_layers(&l->k);
		listed = true;
		if (r == 0)
			r = spg_keepers_add_layers(&l->k, c->inodes[i].file);
		/* Named by a relative path, or mounted where no process is. */
		if (r == 0 && s->obs->n_keepers == n_before &&
			!may_be_its_own(s, c->inodes[i].file))
			r = spg_keepers_add(&l->k,
				&(struct spg_seen_keeper){.file = c->inodes[i].file,
					.kind = SPG_KEEPER_LAYER},
				0);
	}
	return r;
}

static int explain_all(struct spg_survey *s, struct looking *l)
{
	const struct spg_counted_files *c = s->counted;
	int r = 0;

	for (size_t i = 0, end; r == 0 && i < c->n_inodes; i = end) {
		int64_t left = spg_counted_unexplained(c, i, &end);

		/* Hard links: each file has its keepers. */
		for (; r == 0 && i < end; i++) {
			l->left[i] = left;
			if (left > 0)
				r = explain_inode(s, l, i);
		}
	}
	if (r == 0)
		r = find_merged_mounts(s, l);
	for (size_t i = 0; i < c->n_inodes; i++)
		l->excused[c->inodes[i].file] |=
			l->left[i] <= 0 && l->left[i] + l->by_name[i] > 0;
	return r == 0 ? explain_layers(s, l) : r;
}

static void judge(struct spg_survey *s, const struct looking *l)
{
	const struct spg_counted_files *c = s->counted;

	for (size_t i = 0; i < s->obs->n_files; i++)
		s->obs->files[i].kept = false;
	for (size_t i = 0; i < c->n_inodes; i++)
		if (l->left[i] > 0 && c->inodes[i].names != SPG_BPF_UNCOUNTED &&
			!may_be_its_own(s, c->inodes[i].file))
			s->obs->files[c->inodes[i].file].kept = true;
}

/* @excused: a flag for each file, all false. */
static int look(struct spg_survey *s, bool *excused)
{
	const struct spg_counted_files *c = s->counted;
	struct looking l = {
		.left = calloc(c->n_inodes + 1, sizeof(*l.left)),
		.by_name = calloc(c->n_inodes + 1, sizeof(*l.by_name)),
		.excused = excused,
	};
	int r = SPG_ERR_NOMEM;

	spg_observation_drop_keepers(s->obs);
	if (l.left && l.by_name)
		r = spg_keepers_begin(&l.k, s);
	if (r == 0)
		r = ask_kernel(s, &l);
	if (r == 0)
		r = explain_all(s, &l);
	if (r == 0)
		judge(s, &l);
	finish_looking(&l);
	return r;
}

/* Each open that waits for a guard holds a name as long. */
static int leave_to_guards(struct spg_survey *s)
{
	int r = 0;

	if (!spg_own_pids_any(s->tools->own_pids))
		return 0;
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++) {
		if (!s->obs->files[i].kept)
			continue;
		s->obs->files[i].kept = false;
		r = spg_survey_leave_to_guard(s, i);
	}
	return r;
}

static bool has_keeper(const struct spg_observation *obs, size_t file)
{
	for (size_t i = 0; i < obs->n_keepers; i++)
		if (obs->keepers[i].file == file)
			return true;
	return false;
}

/* How often in a row each file has been excused: starts anew when a look finds somebody.
 * Returns true when one has to be looked at again. */
static bool count_excuses(
	const struct spg_observation *obs, const bool *excused, unsigned *in_a_row)
{
	bool more = false;

	for (size_t i = 0; i < obs->n_files; i++) {
		if (excused[i])
			in_a_row[i]++;
		else if (obs->files[i].kept || has_keeper(obs, i))
			in_a_row[i] = 0;
		more = more || (excused[i] && in_a_row[i] < EXCUSES_MIN);
	}
	return more;
}

/* Until it is certain whether anybody keeps anything. */
static int look_often_enough(struct spg_survey *s)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};
	struct spg_observation *obs = s->obs;
	unsigned *in_a_row = calloc(obs->n_files + 1, sizeof(*in_a_row));
	bool *excused = calloc(obs->n_files + 1, sizeof(*excused));
	bool more = true;
	int r = in_a_row && excused ? 0 : SPG_ERR_NOMEM;

	for (int i = 0; r == 0 && more && i < 2 * EXCUSES_MIN; i++) {
		if (i > 0) {
			(void)nanosleep(&moment, NULL);
			r = spg_counted_read(s, 0);
		}
		if (r == 0) {
			memset(excused, 0, obs->n_files * sizeof(*excused));
			r = look(s, excused);
		}
		if (r == 0 && spg_survey_is_cancelled(s))
			r = SPG_ERR_TIMEOUT;
		if (r == 0)
			more = count_excuses(obs, excused, in_a_row) ||
			       (is_any_kept(obs) && i + 1 < LOOKS_MAX);
	}
	for (size_t i = 0; r == 0 && i < obs->n_files; i++)
		if (excused[i] && in_a_row[i] < EXCUSES_MIN && !has_keeper(obs, i))
			obs->files[i].kept = true;
	free(in_a_row);
	free(excused);
	return r;
}

int spg_keepers_find_bpf(struct spg_survey *s)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};
	int r = 0;

	spg_counted_mark_kept(s);
	for (int i = 0; r == 0 && i < READS_MAX && is_any_kept(s->obs); i++) {
		if (i > 1)
			(void)nanosleep(&moment, NULL);
		r = spg_counted_read(s, 0);
	}
	if (r == 0 && is_any_kept(s->obs))
		r = look_often_enough(s);
	return r == 0 ? leave_to_guards(s) : r;
}
