/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/files/overlay.h"

/* A handle for comparing only; overlayfs gives no other kind (linux/fcntl.h). */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

void spg_linux_file_drop_layer(struct spg_linux_file *file)
{
	struct spg_layer *layer = &file->layers[--file->n_layers];

	free(layer->path);
	free(layer->mount_path);
}

static void release(struct spg_file *base)
{
	struct spg_linux_file *file = spg_linux_file(base);

	while (file->n_layers > 0)
		spg_linux_file_drop_layer(file);
	free(file->layers);
	free(file->merged_path);
	free(file);
}

void spg_handle_of(int dir_fd, const char *path, int flags, struct spg_handle *ret)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + SPG_HANDLE_MAX];
	} u;
	int mount_id;

	*ret = (struct spg_handle){0};
	u.handle.handle_bytes = SPG_HANDLE_MAX;
	if (name_to_handle_at(dir_fd, path, &u.handle, &mount_id, flags) < 0) {
		u.handle.handle_bytes = SPG_HANDLE_MAX;
		if (name_to_handle_at(dir_fd, path, &u.handle, &mount_id,
			    flags | AT_HANDLE_FID) < 0)
			return;
		ret->only_compares = true;
	}
	ret->type = u.handle.handle_type;
	ret->n_bytes = u.handle.handle_bytes;
	memcpy(ret->bytes, u.handle.f_handle, ret->n_bytes);
}

static struct spg_linux_file *create(
	const struct spg_place *place, struct spg_file_id id)
{
	struct spg_linux_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	if (spg_file_init(&file->base, place->path, id, release) < 0) {
		free(file);
		return NULL;
	}
	file->class = place->mount ? place->mount->class : SPG_FS_FOREIGN;
	file->sdev = place->mount ? place->mount->dev : id.dev;
	if (file->class != SPG_FS_OVERLAY)
		return file;
	file->merged_path = strdup(place->real_path);
	if (!file->merged_path) {
		spg_file_unref(&file->base);
		return NULL;
	}
	return file;
}

/* Append a layer; takes over @path, also on failure. */
int spg_linux_file_add_layer(struct spg_linux_file *file, char *path,
	const struct spg_mount *mount, struct spg_file_id id)
{
	struct spg_layer layer = {.path = path, .id = id};

	layer.mount_path = path ? strdup(mount ? mount->path : "/") : NULL;
	if (!layer.mount_path || spg_array_reserve(&file->layers, file->n_layers,
					 &file->size_layers, sizeof(layer)) < 0) {
		free(layer.mount_path);
		free(path);
		return -1;
	}
	layer.sdev = mount ? mount->dev : id.dev;
	file->layers[file->n_layers++] = layer;
	return 0;
}

static bool same(const struct spg_linux_file *a, const struct spg_linux_file *b)
{
	if (a->n_layers != b->n_layers || a->incomplete != b->incomplete ||
		a->sdev != b->sdev || a->base.n_links != b->base.n_links ||
		!spg_file_id_equal(a->base.id, b->base.id) ||
		a->through_link != b->through_link ||
		strcmp(a->base.path, b->base.path) != 0 ||
		(a->merged_path && b->merged_path &&
			strcmp(a->merged_path, b->merged_path) != 0))
		return false;
	for (size_t i = 0; i < a->n_layers; i++)
		if (!spg_file_id_equal(a->layers[i].id, b->layers[i].id) ||
			strcmp(a->layers[i].path, b->layers[i].path) != 0)
			return false;
	return true;
}

/* A plain file needs no look at its layers to be recognised. */
static bool unchanged(const struct spg_linux_file *known, const struct spg_place *place)
{
	return known && place->mount && known->class == SPG_FS_LOCAL &&
	       place->mount->class == SPG_FS_LOCAL &&
	       known->sdev == place->mount->dev &&
	       known->base.n_links == place->st.st_nlink &&
	       known->through_link == place->through_link && known->n_layers == 1 &&
	       strcmp(known->layers[0].path, place->real_path) == 0 &&
	       spg_file_id_equal(known->base.id, spg_id_of(&place->st));
}

struct spg_linux_file *spg_linux_file_make(const struct spg_place *place,
	const struct spg_mounts *mounts, struct spg_linux_file *known)
{
	struct spg_linux_file *file;
	int r;

	if (unchanged(known, place)) {
		spg_file_ref(&known->base);
		return known;
	}
	file = create(place, spg_id_of(&place->st));
	if (!file)
		return NULL;
	file->base.n_links = (uint32_t)place->st.st_nlink;
	file->through_link = place->through_link;
	if (file->class == SPG_FS_OVERLAY) {
		r = spg_overlay_find(file, mounts, place);
	} else {
		r = spg_linux_file_add_layer(
			file, strdup(place->real_path), place->mount, file->base.id);
		if (r == 0 && file->class == SPG_FS_LOCAL)
			spg_handle_of(AT_FDCWD, place->real_path, AT_SYMLINK_FOLLOW,
				&file->layers[0].handle);
	}
	if (r < 0) {
		spg_file_unref(&file->base);
		return NULL;
	}
	if (known && same(known, file)) {
		spg_file_unref(&file->base);
		spg_file_ref(&known->base);
		return known;
	}
	return file;
}

struct spg_linux_file *spg_linux_file_orphan(const struct spg_place *place, int fd)
{
	struct spg_linux_file *file;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	file = create(place, spg_id_of(&st));
	if (!file)
		return NULL;
	file->base.n_links = (uint32_t)st.st_nlink;
	/* The real inode of a deleted file of an overlay has no path to find it
	 * by; its users are found through the merged one. */
	file->incomplete = file->class == SPG_FS_OVERLAY;
	if (file->incomplete)
		return file;
	if (spg_linux_file_add_layer(
		    file, strdup(place->real_path), place->mount, file->base.id) < 0) {
		spg_file_unref(&file->base);
		return NULL;
	}
	spg_handle_of(fd, "", AT_EMPTY_PATH, &file->layers[0].handle);
	return file;
}

/*
 * A descriptor on the layer's filesystem, for open_by_handle_at(2), which takes
 * no O_PATH. On another filesystem (unmounted, or mounted over) the handle
 * would look stale, and a held file free: so compare devices.
 */
static int open_filesystem(
	const struct spg_layer *layer, const struct spg_mounts *mounts)
{
	const char *places[2] = {layer->path, layer->mount_path};
	char folder[PATH_MAX];
	struct stat st;

	snprintf(folder, sizeof(folder), "%s", layer->path);
	folder[spg_path_base(layer->path) - layer->path] = '\0';
	spg_path_normalise(folder);
	places[0] = folder;
	for (int i = 0; i < 2; i++) {
		const struct spg_mount *mount = spg_mounts_find(mounts, places[i]);
		int fd;

		/* By the text first: something dead may be mounted over it. */
		if (!mount || mount->dev != layer->sdev)
			continue;
		fd = open(places[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd < 0 && spg_errno_is_shortage(errno))
			return -1;
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_dev == layer->id.dev)
			return fd;
		close(fd);
	}
	errno = ENODEV;
	return -1;
}

int spg_handle_open(int folder_fd, const struct spg_handle *handle, int flags)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + SPG_HANDLE_MAX];
	} u;

	if (handle->n_bytes == 0 || handle->only_compares) {
		errno = EOPNOTSUPP;
		return -1;
	}
	u.handle.handle_type = handle->type;
	u.handle.handle_bytes = handle->n_bytes;
	memcpy(u.handle.f_handle, handle->bytes, handle->n_bytes);
	return open_by_handle_at(folder_fd, &u.handle, flags);
}

static int open_handle(
	const struct spg_layer *layer, const struct spg_mounts *mounts, int flags)
{
	int fs_fd = open_filesystem(layer, mounts);
	int fd, saved_errno;

	if (fs_fd < 0)
		return -1;
	fd = spg_handle_open(fs_fd, &layer->handle, flags);
	saved_errno = errno;
	close(fs_fd);
	errno = saved_errno;
	return fd;
}

int spg_layer_open(const struct spg_linux_file *file, size_t index,
	const struct spg_mounts *by_handle, int flags)
{
	const struct spg_layer *layer = &file->layers[index];

	if (by_handle)
		return open_handle(layer, by_handle, flags);
	return open(layer->path, flags);
}
