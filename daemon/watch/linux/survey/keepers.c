/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/keepers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/note.h"
#include "daemon/watch/linux/files/layer.h"
#include "daemon/watch/linux/files/resolve.h"

/* Lower layers of one overlay; the kernel allows as many. */
#define LAYERS_MAX 500

/* An overlay, wherever it is mounted. */
struct spg_foreign_overlay {
	uint64_t dev;
	size_t space;   /* index: where it was found */
	int32_t pid;    /* of that, below whose root ... */
	char *merged;   /* ... is its mount point ... */
	char *root;     /* ... with this part of it */
	bool is_open;   /* it can be looked into there */
	int fd;         /* by this, once it has been; or -1 */
	uint64_t mount; /* the number of that */
	/* See find_folders(). */
	char *folder;
	uint64_t folders;
	bool lacks; /* one of its layers was not found by its name */
};

/* What has the name of a layer of it. */
struct spg_foreign_layer {
	size_t overlay; /* index */
	struct spg_file_id id;
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
	for (size_t i = 0; i < k->n_overlays; i++) {
		free(k->overlays[i].merged);
		free(k->overlays[i].root);
		free(k->overlays[i].folder);
		if (k->overlays[i].fd >= 0)
			close(k->overlays[i].fd);
	}
	free(k->overlays);
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

/* Listing all overlays, and their layers. */
struct layer_list {
	struct spg_keepers *k;
	size_t space;
	struct spg_space_names names; /* below the root that is being read */
	int own_root_fd;
};

static const struct spg_space *space_of(const struct layer_list *list)
{
	return &list->k->spaces.list[list->space];
}

/* @dir as whoever mounted it named it: in the namespace that has it, or in ours. */
static bool find_layer(
	struct layer_list *list, const char *dir, struct spg_file_id *ret)
{
	const struct spg_mounts *mounts = list->k->s->tools->mounts;
	const struct spg_mount *mount;
	char real_path[PATH_MAX];
	struct stat st;

	if (list->names.pid != space_of(list)->pid)
		spg_space_names_finish(&list->names);
	list->names.root_fd = space_of(list)->root_fd;
	list->names.pid = space_of(list)->pid;
	if (dir[0] != '/')
		return false;
	if (!spg_space_names_stat(&list->names, dir, &st) &&
		!spg_space_stat(list->own_root_fd, dir, &st, NULL) &&
		!(spg_resolve(mounts, dir, real_path, &mount) == 0 &&
			stat(real_path, &st) == 0))
		return false;
	*ret = spg_id_of(&st);
	return true;
}

static int add_layer(struct layer_list *list, size_t overlay, const char *dir)
{
	struct spg_keepers *k = list->k;
	struct spg_foreign_layer layer = {.overlay = overlay};

	if (!find_layer(list, dir, &layer.id)) {
		k->overlays[overlay].lacks = true;
		return 0;
	}
	if (spg_array_reserve(&k->layers, k->n_layers, &k->size_layers, sizeof(layer)) <
		0)
		return SPG_ERR_NOMEM;
	k->layers[k->n_layers++] = layer;
	return 0;
}

static int add_layers(
	struct layer_list *list, size_t overlay, const struct spg_mount *mount)
{
	int r = 0;

	list->k->overlays[overlay].lacks = false;
	for (size_t i = 0; r == 0 && i < 1 + LAYERS_MAX; i++) {
		char *dir = i == 0 ? spg_mount_layer(mount, "upperdir", 0)
		                   : spg_mount_layer(mount, "lowerdir", i - 1);

		if (!dir && i > 0)
			break;
		r = dir ? add_layer(list, overlay, dir) : 0;
		free(dir);
	}
	return r;
}

/* Take @mount for where @overlay is looked into. */
static int set_place(struct layer_list *list, struct spg_foreign_overlay *overlay,
	const struct spg_mount *mount)
{
	char *merged = strdup(mount->path), *root = strdup(mount->root);

	if (!merged || !root) {
		free(merged);
		free(root);
		return SPG_ERR_NOMEM;
	}
	free(overlay->merged);
	free(overlay->root);
	overlay->merged = merged;
	overlay->root = root;
	overlay->space = list->space;
	overlay->pid = space_of(list)->pid;
	return 0;
}

/* Another mount may cover it. */
static bool can_look_into(const struct layer_list *list, const struct spg_mount *mount)
{
	struct stat st;
	int id;

	return spg_space_stat(space_of(list)->root_fd, mount->path, &st, &id) &&
	       id == mount->id && S_ISDIR(st.st_mode);
}

/* Every mount of it, until it has been looked into as a whole, and all its layers have
 * been found: the names are those of one namespace, which is not always the first. */
static int each_overlay(void *user, const struct spg_mount *mount)
{
	struct layer_list *list = user;
	struct spg_keepers *k = list->k;
	struct spg_foreign_overlay *overlay;
	bool is_new, can_look;
	size_t i = 0;
	int r = 0;

	if (mount->class != SPG_FS_OVERLAY)
		return 0;
	while (i < k->n_overlays && k->overlays[i].dev != mount->dev)
		i++;
	is_new = i == k->n_overlays;
	if (is_new) {
		if (spg_array_reserve(&k->overlays, k->n_overlays, &k->size_overlays,
			    sizeof(*k->overlays)) < 0)
			return SPG_ERR_NOMEM;
		k->overlays[k->n_overlays++] =
			(struct spg_foreign_overlay){.dev = mount->dev, .fd = -1};
	}
	overlay = &k->overlays[i];
	if (is_new)
		r = set_place(list, overlay, mount);
	if (r == 0 && (is_new || overlay->lacks))
		r = add_layers(list, i, mount);
	/* Only then: a look into it keeps it from being unmounted for that moment. */
	can_look = r == 0 && overlay->lacks &&
	           (!overlay->is_open || (strcmp(overlay->root, "/") != 0 &&
						 strcmp(mount->root, "/") == 0)) &&
	           can_look_into(list, mount);
	if (can_look)
		r = set_place(list, overlay, mount);
	overlay->is_open = overlay->is_open || can_look;
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
		spg_space_names_finish(&list.names);
	}
	if (list.own_root_fd >= 0)
		close(list.own_root_fd);
	return r;
}

const char *spg_keepers_dark_overlay(const struct spg_keepers *k, int32_t *ret_pid)
{
	for (size_t i = 0; i < k->n_overlays; i++) {
		if (!k->overlays[i].lacks || k->overlays[i].is_open)
			continue;
		*ret_pid = k->overlays[i].pid;
		return k->overlays[i].merged;
	}
	return NULL;
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
	/* An overlay may be a layer itself: then of what it shows. */
	if (file->class == SPG_FS_OVERLAY && is_below(k, file->merged_path, layer))
		return true;
	for (size_t i = 0; i < file->n_layers; i++)
		if (is_below(k, file->layers[i].path, layer))
			return true;
	return false;
}

/* --- what an overlay shows ------------------------------------------------------- */

/*
 * The names by which an overlay was mounted may lead nowhere by now: its directory was
 * renamed, a link on the way is gone, they are relative, or of a namespace that has gone.
 * Then it is asked for the file: below its layer the file has the name that it has below the
 * overlay, and an overlay passes on the inode number of the real one
 * (Documentation/filesystems/overlayfs.rst, "Inode properties"), and the time at which that
 * was made. (A name that leads to another directory by now is taken for the layer.)
 *
 * Only what is in memory matters, and no more may be asked for: an overlay that has not
 * looked the file up, or has forgotten it, looks for it anew and gets the new one; and one
 * that was made to look would keep it. That is why no overlay has to be taken for one that
 * shows a file merely because its layers were not found.
 */

/* Above these bits the overlay may put the number of the layer ("xino"). */
#define INO_BITS 48

static bool is_number_of(const struct spg_linux_file *file, uint64_t ino)
{
	const uint64_t mask = (UINT64_C(1) << INO_BITS) - 1;

	if (((file->base.id.ino ^ ino) & mask) == 0)
		return true;
	for (size_t i = 0; i < file->n_layers; i++)
		if (((file->layers[i].id.ino ^ ino) & mask) == 0)
			return true;
	return false;
}

/* When the inode of layer @index was made. False: its filesystem does not keep that. */
static bool find_birth(const struct spg_keepers *k, const struct spg_linux_file *file,
	size_t index, struct statx_timestamp *ret)
{
	struct statx stx;
	int fd = spg_layer_open(file, index, k->s->tools->mounts, SPG_OPEN_NAME);
	bool found;

	if (fd < 0)
		fd = spg_layer_open(file, index, NULL, SPG_OPEN_NAME);
	if (fd < 0)
		return false;
	found = statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			STATX_INO | STATX_BTIME, &stx) == 0 &&
	        (stx.stx_mask & STATX_BTIME) &&
	        stx.stx_ino == file->layers[index].id.ino;
	close(fd);
	*ret = stx.stx_btime;
	return found;
}

/* Files of several filesystems may have one number; an overlay passes on the time of birth
 * as well, which nothing changes. */
static bool was_born_then(const struct spg_keepers *k,
	const struct spg_linux_file *file, const struct statx *shown)
{
	bool is_known = false;

	for (size_t i = 0; (shown->stx_mask & STATX_BTIME) && i < file->n_layers; i++) {
		struct statx_timestamp birth;

		if (!find_birth(k, file, i, &birth))
			continue;
		is_known = true;
		if (birth.tv_sec == shown->stx_btime.tv_sec &&
			birth.tv_nsec == shown->stx_btime.tv_nsec)
			return true;
	}
	return !is_known;
}

/* Is it at @name below the overlay, and not on another mount there? */
static bool shows_at(const struct spg_keepers *k, struct spg_foreign_overlay *overlay,
	const char *name, const struct spg_linux_file *file)
{
	int fd = spg_space_open(overlay->fd, name);
	struct statx stx;
	bool found;

	if (fd < 0)
		return false;
	found = statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			STATX_TYPE | STATX_INO | STATX_BTIME | STATX_MNT_ID,
			&stx) == 0 &&
	        S_ISREG(stx.stx_mode) && is_number_of(file, stx.stx_ino) &&
	        (stx.stx_mask & STATX_MNT_ID) && stx.stx_mnt_id == overlay->mount &&
	        was_born_then(k, file, &stx);
	close(fd);
	return found;
}

/* The bits say from which slashes of @folder on, which ends in one, a directory is there
 * below the overlay. The files of one directory follow each other. */
static uint64_t find_folders(
	struct spg_foreign_overlay *overlay, const char *folder, size_t len)
{
	char part[PATH_MAX];
	struct stat st;
	uint64_t found = 0;
	int n = 0;

	if (overlay->folder && strlen(overlay->folder) == len &&
		memcmp(overlay->folder, folder, len) == 0)
		return overlay->folders;
	snprintf(part, sizeof(part), "%.*s", (int)len, folder);
	for (const char *at = part; n < 64; at = strchr(at + 1, '/'), n++) {
		if (!at)
			break;
		if (at[1] == '\0' || spg_space_stat(overlay->fd, at, &st, NULL))
			found |= UINT64_C(1) << n;
	}
	free(overlay->folder);
	overlay->folder = strndup(folder, len);
	overlay->folders = found;
	return found;
}

/* @path has the file's name below the layer at its end, from whichever slash on. */
static bool shows_path(const struct spg_keepers *k, struct spg_foreign_overlay *overlay,
	const struct spg_linux_file *file, const char *path)
{
	const char *root = strcmp(overlay->root, "/") == 0 ? "" : overlay->root;
	size_t len = strlen(root);
	uint64_t folders;

	if (!path || path[0] != '/')
		return false;
	/* Where a part of the overlay is mounted, the names there are shorter. */
	if (len > 0) {
		for (const char *at = path; at; at = strchr(at + 1, '/'))
			if (strncmp(at, root, len) == 0 && at[len] == '/' &&
				shows_at(k, overlay, at + len, file))
				return true;
		return false;
	}
	folders = find_folders(overlay, path, (size_t)(spg_path_base(path) - path));
	for (const char *at = path; at && folders;
		at = strchr(at + 1, '/'), folders >>= 1)
		if ((folders & 1) && shows_at(k, overlay, at, file))
			return true;
	return false;
}

/* False: it cannot be looked into. */
static bool open_overlay(
	const struct spg_keepers *k, struct spg_foreign_overlay *overlay)
{
	struct spg_space space = k->spaces.list[overlay->space];
	struct statx stx;
	int root_fd;

	if (!overlay->is_open || overlay->fd >= 0)
		return overlay->fd >= 0;
	space.pid = overlay->pid;
	root_fd = spg_space_root(&space);
	if (root_fd < 0)
		return false;
	overlay->fd = spg_space_open(root_fd, overlay->merged);
	close(root_fd);
	if (overlay->fd < 0)
		return false;
	if (statx(overlay->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		    &stx) == 0)
		overlay->mount = stx.stx_mnt_id;
	return true;
}

static bool shows(const struct spg_keepers *k, struct spg_foreign_overlay *overlay,
	const struct spg_linux_file *file)
{
	bool found;

	if (!open_overlay(k, overlay))
		return false;
	found = shows_path(k, overlay, file, file->merged_path) ||
	        shows_path(k, overlay, file, file->base.path);
	for (size_t i = 0; !found && i < file->n_layers; i++)
		found = shows_path(k, overlay, file, file->layers[i].path);
	return found;
}

static bool has_file(
	struct spg_keepers *k, size_t index, const struct spg_linux_file *file)
{
	struct spg_foreign_overlay *overlay = &k->overlays[index];

	if (file->class == SPG_FS_FOREIGN ||
		(file->class == SPG_FS_OVERLAY && file->sdev == overlay->dev))
		return false;
	for (size_t i = 0; i < k->n_layers; i++)
		if (k->layers[i].overlay == index && lies_in(k, file, &k->layers[i]))
			return true;
	return overlay->lacks && shows(k, overlay, file);
}

bool spg_keepers_is_layered(struct spg_keepers *k, struct spg_file *file)
{
	for (size_t i = 0; i < k->n_overlays; i++)
		if (has_file(k, i, spg_linux_file(file)))
			return true;
	return false;
}

int spg_keepers_add_layers(struct spg_keepers *k, size_t index)
{
	struct spg_file *file = k->s->obs->files[index].file;
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n_overlays; i++) {
		struct spg_space space = k->spaces.list[k->overlays[i].space];

		space.pid = k->overlays[i].pid;
		if (has_file(k, i, spg_linux_file(file)))
			r = spg_keepers_add_mount(k, index, SPG_KEEPER_LAYER, &space,
				k->overlays[i].merged);
	}
	return r;
}

/* --- probes --------------------------------------------------------------------- */

struct probe_search {
	struct spg_keepers *k;
	struct spg_file_id *ids;       /* room for one in each namespace */
	struct spg_space_names *names; /* in them */
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
		bool found =
			search->k->spaces.list[i].here
				? stat_here(search->k->s->tools->mounts, path, &st)
				: spg_space_names_stat(&search->names[i], path, &st);

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
	search.names = calloc(k->spaces.n, sizeof(*search.names));
	if (search.ids && search.names) {
		for (size_t i = 0; i < k->spaces.n; i++)
			search.names[i] = (struct spg_space_names){
				.root_fd = spg_space_root(&k->spaces.list[i]),
				.pid = k->spaces.list[i].pid};
		r = spg_probes_read(k->s->tools->probes, each_probe, &search);
		for (size_t i = 0; i < k->spaces.n; i++) {
			if (search.names[i].root_fd >= 0)
				close(search.names[i].root_fd);
			spg_space_names_finish(&search.names[i]);
		}
	}
	free(search.ids);
	free(search.names);
	return r;
}
