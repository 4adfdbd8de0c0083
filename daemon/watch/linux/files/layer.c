/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

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

/* --- the real inodes below a file of an overlay -------------------------------
 *
 * The mount table names the layers by the paths they were mounted with; those may lead
 * elsewhere by now, and a file may lie in a layer under another name (redirect_dir,
 * metacopy). So what is found by path is only believed if it fits the merged file;
 * otherwise the record is incomplete and no probe can call it free.
 *
 * (Documentation/filesystems/overlayfs.rst: "Non-standard behavior", "redirect_dir",
 * "Metadata only copy up". The merged inode shows size, times and owner of the
 * real one; its file handle ends with that of the lower file it came from.)
 */

/* The head of the xattr "origin" (fs/overlayfs/overlayfs.h, struct ovl_fb), which has the
 * lower file's handle behind it. */
struct origin_head {
	uint8_t version, magic, len, flags, type, uuid[16];
};
#define ORIGIN_MAGIC 0xfb

/* What the search found out. */
struct overlay_found {
	bool data;       /* a layer that is the merged file as it is now */
	bool origin;     /* a layer that the merged file's handle ends with */
	bool upper;      /* the merged file is the upper one ... */
	bool copied_up;  /* ... and came from a lower one */
	bool unreadable; /* a layer that cannot be looked into from here */
};

/* The part of @path below the mount, as the layers name it: "" or "/...". */
static const char *below_mount(const char *path, const struct spg_mount *mount)
{
	return strcmp(mount->path, "/") == 0 ? path : path + strlen(mount->path);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* True when the merged file is this real one: the overlay passes on what stat(2)
 * says of it, and no two changes of status have the same time. */
static bool is_shown(const struct stat *merged, const struct stat *real)
{
	return merged->st_size == real->st_size && merged->st_mode == real->st_mode &&
	       merged->st_uid == real->st_uid && merged->st_gid == real->st_gid &&
	       same_time(merged->st_mtim, real->st_mtim) &&
	       same_time(merged->st_ctim, real->st_ctim);
}

static bool has_xattr(const char *path, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "trusted.overlay.%s", name);
	if (lgetxattr(path, full, NULL, 0) >= 0)
		return true;
	snprintf(full, sizeof(full), "user.overlay.%s", name);
	return lgetxattr(path, full, NULL, 0) >= 0;
}

static bool ends_with(const struct spg_handle *handle, const struct spg_handle *end)
{
	return end->n_bytes > 0 && handle->n_bytes >= end->n_bytes &&
	       memcmp(handle->bytes + handle->n_bytes - end->n_bytes, end->bytes,
		       end->n_bytes) == 0;
}

/* The handle of the file from which the one at @path was copied up, in @ret; n_bytes 0
 * when it does not say. */
static void origin_of(const char *path, struct spg_handle *ret)
{
	char buffer[sizeof(struct origin_head) + SPG_HANDLE_MAX];
	struct origin_head head;
	ssize_t len = lgetxattr(path, "trusted.overlay.origin", buffer, sizeof(buffer));

	ret->n_bytes = 0;
	if (len < 0)
		len = lgetxattr(path, "user.overlay.origin", buffer, sizeof(buffer));
	if (len <= (ssize_t)sizeof(head))
		return;
	memcpy(&head, buffer, sizeof(head));
	if (head.version != 0 || head.magic != ORIGIN_MAGIC || head.len != len)
		return;
	ret->type = head.type;
	ret->n_bytes = (unsigned)len - sizeof(head);
	memcpy(ret->bytes, buffer + sizeof(head), ret->n_bytes);
}

/* Look for the file in the layer at @dir, and append it if it is there. */
static int look_into(struct spg_linux_file *file, const struct spg_mounts *mounts,
	const struct spg_place *place, struct spg_handle *merged, const char *dir,
	bool is_upper, struct overlay_found *found)
{
	const struct spg_mount *real;
	struct spg_layer *layer;
	struct stat st;
	char *path;

	/* Relative to whoever mounted it. */
	if (dir[0] != '/') {
		found->unreadable = true;
		return 0;
	}
	if (asprintf(&path, "%s%s%s", dir,
		    strcmp(place->mount->root, "/") == 0 ? "" : place->mount->root,
		    below_mount(place->real_path, place->mount)) < 0)
		return -1;
	real = spg_mounts_find(mounts, path);
	/* Dead, or an overlay itself, whose own real file would be the truth. */
	if (!real || real->class != SPG_FS_LOCAL) {
		found->unreadable = true;
		free(path);
		return 0;
	}
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		found->unreadable =
			found->unreadable || (errno != ENOENT && errno != ENOTDIR);
		free(path);
		return 0;
	}
	if (spg_linux_file_add_layer(file, path, real, spg_id_of(&st)) < 0)
		return -1;
	layer = &file->layers[file->n_layers - 1];
	spg_handle_of(AT_FDCWD, layer->path, 0, &layer->handle);
	/* Only metadata was copied up: the data has users in a layer of its own. */
	if (has_xattr(layer->path, "metacopy"))
		found->unreadable = true;
	if (is_upper) {
		found->upper = is_shown(&place->st, &st);
		found->copied_up = has_xattr(layer->path, "origin");
		/* Before 6.6 the merged file has no handle, which would end with it. */
		if (merged->n_bytes == 0 && found->upper)
			origin_of(layer->path, merged);
	}
	found->data = found->data || is_shown(&place->st, &st);
	found->origin = found->origin || ends_with(merged, &layer->handle);
	return 0;
}

static int find_overlay_layers(struct spg_linux_file *file,
	const struct spg_mounts *mounts, const struct spg_place *place)
{
	struct overlay_found found = {0};
	struct spg_handle merged;
	char *dir = spg_mount_layer(place->mount, "upperdir", 0);
	bool made_anew, has_handle;
	int r = 0;

	spg_handle_of(AT_FDCWD, place->real_path, AT_SYMLINK_FOLLOW, &merged);
	has_handle = merged.n_bytes > 0;
	if (dir)
		r = look_into(file, mounts, place, &merged, dir, true, &found);
	free(dir);
	for (size_t i = 0; r == 0 && i < 500; i++) {
		dir = spg_mount_layer(place->mount, "lowerdir", i);
		if (!dir)
			break;
		r = look_into(file, mounts, place, &merged, dir, false, &found);
		free(dir);
	}
	/* Layers that hold data only have no names to find a file by. */
	if (strstr(place->mount->options, "::") ||
		strstr(place->mount->options, "datadir+="))
		found.unreadable = true;
	/* A file made anew in the upper layer has nothing below it, though a lower
	 * layer may have another file of that name, which was deleted here. */
	made_anew = found.upper && !found.copied_up;
	while (made_anew && file->n_layers > 1)
		spg_linux_file_drop_layer(file);
	file->incomplete =
		found.unreadable || !found.data ||
		(!made_anew && !found.origin &&
			(found.copied_up || (file->n_layers > 1 && has_handle)));
	return r;
}

/* --- files as programs see them -------------------------------------------------- */

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
		r = find_overlay_layers(file, mounts, place);
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
