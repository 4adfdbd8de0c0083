/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/keepers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/note.h"
#include "daemon/watch/linux/files/resolve.h"

/* Lower layers of one overlay; the kernel allows as many. */
#define LAYERS_MAX 500

/* One layer of one overlay, wherever that is mounted. */
struct spg_foreign_layer {
	uint64_t dev; /* the overlay's */
	struct spg_file_id id;
	size_t space; /* index: where the overlay was found */
	char *merged; /* its mount point there */
};

int spg_keepers_begin(struct spg_keepers *k, struct spg_survey *s)
{
	*k = (struct spg_keepers){.s = s};
	return spg_spaces_find(&k->spaces);
}

void spg_keepers_finish(struct spg_keepers *k)
{
	spg_process_unref(k->process);
	spg_spaces_finish(&k->spaces);
	for (size_t i = 0; i < k->n_layers; i++)
		free(k->layers[i].merged);
	free(k->layers);
	*k = (struct spg_keepers){0};
}

/* NULL without an error: it has gone. */
static int read_owner(struct spg_keepers *k, int32_t pid)
{
	int proc_fd, r;

	if (pid == k->owner)
		return 0;
	spg_process_unref(k->process);
	k->process = NULL;
	k->owner = pid;
	proc_fd = spg_proc_open(pid);
	if (proc_fd < 0)
		return 0;
	r = spg_proc_read(&k->s->tools->reader, proc_fd, pid, 0, &k->process);
	close(proc_fd);
	return r == SPG_ERR_NOMEM ? r : 0;
}

int spg_keepers_add(
	struct spg_keepers *k, const struct spg_seen_keeper *keeper, int32_t pid)
{
	struct spg_seen_keeper copy = *keeper;

	if (pid > 0) {
		int r = read_owner(k, pid);

		if (r < 0)
			return r;
		copy.process = k->process;
	}
	return spg_observation_add_keeper(k->s->obs, &copy);
}

int spg_keepers_put_process(struct spg_keepers *k, struct spg_buf *buf, int32_t pid)
{
	int r = read_owner(k, pid);

	if (r == 0 && k->process)
		spg_note_put_process(buf, k->process);
	else
		spg_buf_printf(buf, "pid %" PRId32, pid);
	return r < 0 || buf->failed ? SPG_ERR_NOMEM : 0;
}

int spg_keepers_add_mount(struct spg_keepers *k, size_t file, enum spg_keeper_kind kind,
	const struct spg_space *space, const char *path)
{
	const struct spg_seen_keeper keeper = {.file = file,
		.kind = kind,
		.place = (char *)(uintptr_t)path,
		.here = space && space->here};

	return spg_keepers_add(k, &keeper, space && !space->here ? space->pid : 0);
}

/* --- layers --------------------------------------------------------------------- */

/* Listing the layers of all overlays. */
struct layer_list {
	struct spg_keepers *k;
	uint64_t *seen; /* the devices of overlays that were looked at */
	size_t n_seen, size_seen;
	size_t space;
	int own_root_fd;
};

/* @dir as whoever mounted it named it: in the namespace that has it, or in ours. */
static bool find_layer(
	const struct layer_list *list, const char *dir, struct spg_file_id *ret)
{
	struct stat st;

	if (dir[0] != '/' ||
		(!spg_space_stat(
			 list->k->spaces.list[list->space].root_fd, dir, &st, NULL) &&
			!spg_space_stat(list->own_root_fd, dir, &st, NULL)))
		return false;
	*ret = spg_id_of(&st);
	return true;
}

static int add_layer(
	struct layer_list *list, const struct spg_mount *overlay, const char *dir)
{
	struct spg_keepers *k = list->k;
	struct spg_foreign_layer layer = {.dev = overlay->dev, .space = list->space};

	if (!find_layer(list, dir, &layer.id))
		return 0;
	layer.merged = strdup(overlay->path);
	if (!layer.merged || spg_array_reserve(&k->layers, k->n_layers, &k->size_layers,
				     sizeof(layer)) < 0) {
		free(layer.merged);
		return SPG_ERR_NOMEM;
	}
	k->layers[k->n_layers++] = layer;
	return 0;
}

static int each_overlay(void *user, const struct spg_mount *mount)
{
	struct layer_list *list = user;
	int r = 0;

	if (mount->class != SPG_FS_OVERLAY)
		return 0;
	for (size_t i = 0; i < list->n_seen; i++)
		if (list->seen[i] == mount->dev)
			return 0;
	if (spg_array_reserve(&list->seen, list->n_seen, &list->size_seen,
		    sizeof(*list->seen)) < 0)
		return SPG_ERR_NOMEM;
	list->seen[list->n_seen++] = mount->dev;
	for (size_t i = 0; r == 0 && i < 1 + LAYERS_MAX; i++) {
		char *dir = i == 0 ? spg_mount_layer(mount, "upperdir", 0)
		                   : spg_mount_layer(mount, "lowerdir", i - 1);

		if (!dir && i > 0)
			break;
		r = dir ? add_layer(list, mount, dir) : 0;
		free(dir);
	}
	return r;
}

int spg_keepers_list_layers(struct spg_keepers *k)
{
	struct layer_list list = {
		.k = k, .own_root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->spaces.n; i++) {
		list.space = i;
		r = spg_space_read(&k->spaces.list[i], each_overlay, &list);
	}
	if (list.own_root_fd >= 0)
		close(list.own_root_fd);
	free(list.seen);
	return r;
}

/* Something dead may have been mounted over it. */
static bool can_be_asked(const struct spg_keepers *k, const char *path)
{
	const struct spg_mount *mount = spg_mounts_find(k->s->tools->mounts, path);

	return mount && mount->class != SPG_FS_FOREIGN;
}

/* The directories above @path, the nearest first. Those of the last file are mostly those
 * of the next. */
static void climb(struct spg_keepers *k, const char *path)
{
	size_t len = (size_t)(spg_path_base(path) - path);
	struct stat st;

	if (len >= sizeof(k->folder) ||
		(k->folder[len] == '\0' && strncmp(k->folder, path, len) == 0))
		return;
	memcpy(k->folder, path, len);
	k->folder[len] = '\0';
	k->n_above = 0;
	for (size_t at = len; at > 0 && k->n_above < SPG_KEEPERS_DEPTH;) {
		char cut;

		if (at > 1)
			at--; /* the slash */
		cut = k->folder[at];
		k->folder[at] = '\0';
		if (can_be_asked(k, k->folder) && stat(k->folder, &st) == 0)
			k->above[k->n_above++] = spg_id_of(&st);
		k->folder[at] = cut;
		if (at == 1)
			break;
		while (at > 0 && k->folder[at - 1] != '/')
			at--;
	}
}

static bool is_below(
	struct spg_keepers *k, const char *path, const struct spg_foreign_layer *layer)
{
	climb(k, path);
	for (size_t n = 0; n < k->n_above; n++)
		if (spg_file_id_equal(k->above[n], layer->id))
			return true;
	return false;
}

static bool lies_in(struct spg_keepers *k, const struct spg_linux_file *file,
	const struct spg_foreign_layer *layer)
{
	if (file->class == SPG_FS_FOREIGN ||
		(file->class == SPG_FS_OVERLAY && file->sdev == layer->dev))
		return false;
	/* An overlay may be a layer itself: then of what it shows. */
	if (file->class == SPG_FS_OVERLAY && is_below(k, file->merged_path, layer))
		return true;
	for (size_t i = 0; i < file->n_layers; i++)
		if (is_below(k, file->layers[i].path, layer))
			return true;
	return false;
}

bool spg_keepers_is_layered(struct spg_keepers *k, struct spg_file *file)
{
	for (size_t i = 0; i < k->n_layers; i++)
		if (lies_in(k, spg_linux_file(file), &k->layers[i]))
			return true;
	return false;
}

int spg_keepers_add_layers(struct spg_keepers *k, size_t index)
{
	struct spg_file *file = k->s->obs->files[index].file;
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n_layers; i++)
		if (lies_in(k, spg_linux_file(file), &k->layers[i]))
			r = spg_keepers_add_mount(k, index, SPG_KEEPER_LAYER,
				&k->spaces.list[k->layers[i].space],
				k->layers[i].merged);
	return r;
}

/* --- probes --------------------------------------------------------------------- */

struct probe_search {
	struct spg_keepers *k;
	struct spg_file_id *ids; /* room for one in each namespace */
	int *root_fds;           /* of the namespaces; -1: cannot be looked into */
};

static int take_probe(
	struct probe_search *search, size_t file, const struct spg_probe *probe)
{
	const struct spg_seen_keeper keeper = {.file = file,
		.kind = SPG_KEEPER_PROBE,
		.place = (char *)(uintptr_t)probe->event};
	int32_t owner = probe->link ? spg_probe_owner(probe->link) : 0;

	return spg_keepers_add(search->k, &keeper, owner);
}

/* One file's two or three inodes: of an overlay, the real ones too. */
static bool has_id(const struct spg_linux_file *file, struct spg_file_id id)
{
	if (spg_file_id_equal(file->base.id, id))
		return true;
	for (size_t i = 0; i < file->n_layers; i++)
		if (spg_file_id_equal(file->layers[i].id, id))
			return true;
	return false;
}

/* In our own namespace links may have to be read from a disk, which can be waited for. */
static bool stat_here(
	const struct spg_mounts *mounts, const char *path, struct stat *ret)
{
	const struct spg_mount *mount;
	char real_path[PATH_MAX];

	return spg_resolve(mounts, path, real_path, &mount) == 0 &&
	       stat(real_path, ret) == 0;
}

/* Where @path leads in each namespace: whoever named the file may live in any. Returns
 * how many there are in @ids, which has room for all. */
static size_t find_ids(
	struct probe_search *search, const char *path, struct spg_file_id *ids)
{
	size_t n = 0;
	struct stat st;

	for (size_t i = 0; path[0] == '/' && i < search->k->spaces.n; i++) {
		bool found = search->k->spaces.list[i].here
		                     ? stat_here(search->k->s->tools->mounts, path, &st)
		                     : search->root_fds[i] >= 0 &&
		                               spg_space_stat(search->root_fds[i], path,
						       &st, NULL);

		if (found && (n == 0 || !spg_file_id_equal(ids[n - 1], spg_id_of(&st))))
			ids[n++] = spg_id_of(&st);
	}
	return n;
}

static int each_probe(void *user, const struct spg_probe *probe)
{
	struct probe_search *search = user;
	const struct spg_observation *obs = search->k->s->obs;
	size_t n = find_ids(search, probe->path, search->ids);
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_files; i++) {
		const struct spg_linux_file *file = spg_linux_file(obs->files[i].file);
		bool is = false;

		if (obs->files[i].presence == SPG_GONE)
			continue;
		for (size_t k = 0; k < n; k++)
			is = is || has_id(file, search->ids[k]);
		/* Relative to who knows what. */
		if (probe->path[0] != '/')
			is = strcmp(spg_path_base(file->base.path),
				     spg_path_base(probe->path)) == 0;
		if (is)
			r = take_probe(search, i, probe);
	}
	return r;
}

int spg_keepers_find_probes(struct spg_keepers *k)
{
	struct probe_search search = {.k = k};
	int r = SPG_ERR_NOMEM;

	if (!k->s->tools->probes || k->spaces.n == 0)
		return 0;
	search.ids = calloc(k->spaces.n, sizeof(*search.ids));
	search.root_fds = calloc(k->spaces.n, sizeof(*search.root_fds));
	if (search.ids && search.root_fds) {
		for (size_t i = 0; i < k->spaces.n; i++)
			search.root_fds[i] = spg_space_root(&k->spaces.list[i]);
		r = spg_probes_read(k->s->tools->probes, each_probe, &search);
		for (size_t i = 0; i < k->spaces.n; i++)
			if (search.root_fds[i] >= 0)
				close(search.root_fds[i]);
	}
	free(search.ids);
	free(search.root_fds);
	return r;
}
