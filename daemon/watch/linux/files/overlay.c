/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/text.h"

/* The head of the xattr "origin" (fs/overlayfs/overlayfs.h, struct ovl_fb), which has the
 * lower file's handle behind it. */
struct origin_head {
	uint8_t version, magic, len, flags, type, uuid[16];
};
#define ORIGIN_MAGIC 0xfb

/* What the search found out. */
struct found {
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
	bool is_upper, struct found *found)
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

int spg_overlay_find(struct spg_linux_file *file, const struct spg_mounts *mounts,
	const struct spg_place *place)
{
	struct found found = {0};
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
