/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/text.h"

struct spg_mounts {
	int fd; /* kept open: poll(2) tells of changes on it, each once */
	bool stale;
	bool is_theirs; /* of a process whose root may be another one */
	struct spg_mount *list;
	size_t n, size;
};

enum spg_fs_class spg_fs_classify(const char *type)
{
	/* "autofs" waits for whatever it would mount. */
	static const char *const foreign[] = {"nfs", "nfs4", "cifs", "smb3", "smbfs",
		"ncpfs", "9p", "afs", "ceph", "gfs2", "ocfs2", "lustre", "gpfs",
		"beegfs", "orangefs", "coda", "virtiofs", "vboxsf", "vmhgfs", "prl_fs",
		"autofs", "fuse", "fuseblk"};

	if (strcmp(type, "overlay") == 0)
		return SPG_FS_OVERLAY;
	if (strncmp(type, "fuse.", 5) == 0)
		return SPG_FS_FOREIGN;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strcmp(type, foreign[i]) == 0)
			return SPG_FS_FOREIGN;
	return SPG_FS_LOCAL;
}

void spg_mount_finish(struct spg_mount *mount)
{
	free(mount->path);
	free(mount->type);
	free(mount->options);
	free(mount->root);
	free(mount->source);
	*mount = (struct spg_mount){0};
}

static void drop_list(struct spg_mount *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spg_mount_finish(&list[i]);
	free(list);
}

void spg_mount_unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in;) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' &&
			in[2] <= '7' && in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 |
					(in[3] - '0'));
			in += 4;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

/* Append; takes over the texts, also on failure. */
static int add_mount(struct spg_mounts *to, struct spg_mount *mount)
{
	if (mount->root && mount->path && mount->type && mount->options &&
		mount->source &&
		spg_array_reserve(&to->list, to->n, &to->size, sizeof(*to->list)) ==
			0) {
		to->list[to->n++] = *mount;
		return 0;
	}
	spg_mount_finish(mount);
	return SPG_ERR_NOMEM;
}

/* The kernel begins every list of options with one or the other (show_mountinfo() in
 * fs/proc_namespace.c). */
static bool is_read_only(const char *options)
{
	return strncmp(options, "ro", 2) == 0 && (!options[2] || options[2] == ',');
}

/* 36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda rw,x */
int spg_mount_parse(char *line, struct spg_mount *ret)
{
	char *fields[6], *separator, *type, *source, *options, *save = NULL;
	unsigned major, minor;
	struct spg_mount mount = {0};
	size_t n = 0;

	separator = strstr(line, " - ");
	if (!separator)
		return SPG_ERR_INVALID;
	*separator = '\0';
	for (char *word = strtok_r(line, " ", &save); word && n < 6;
		word = strtok_r(NULL, " ", &save))
		fields[n++] = word;
	type = strtok_r(separator + 3, " ", &save);
	source = type ? strtok_r(NULL, " ", &save) : NULL;
	options = strtok_r(NULL, " ", &save);
	if (n < 5 || !type || sscanf(fields[0], "%d", &mount.id) != 1 ||
		sscanf(fields[1], "%d", &mount.parent) != 1 ||
		sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return SPG_ERR_INVALID;
	spg_mount_unescape(fields[3]);
	spg_mount_unescape(fields[4]);
	mount.dev = makedev(major, minor);
	mount.class = spg_fs_classify(type);
	mount.root = strdup(fields[3]);
	mount.path = strdup(fields[4]);
	mount.type = strdup(type);
	mount.options = strdup(options ? options : "");
	if (source)
		spg_mount_unescape(source);
	mount.source = strdup(source ? source : "");
	mount.read_only = n == 6 && is_read_only(fields[5]);
	mount.fs_read_only = is_read_only(mount.options ? mount.options : "");
	if (!mount.root || !mount.path || !mount.type || !mount.options ||
		!mount.source) {
		spg_mount_finish(&mount);
		return SPG_ERR_NOMEM;
	}
	*ret = mount;
	return 0;
}

/* A line of a form that nobody knows says nothing. */
static int add_line(struct spg_mounts *to, char *line)
{
	struct spg_mount mount;
	int r = spg_mount_parse(line, &mount);

	return r == 0 ? add_mount(to, &mount) : r == SPG_ERR_INVALID ? 0 : r;
}

static enum spg_fs_class classify_magic(uint64_t magic)
{
	/* linux/magic.h; those that spg_fs_classify() knows by name. */
	static const uint64_t foreign[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */,
		0xfe534d42 /* SMB2 */, 0x517b /* SMB */, 0x01021997 /* 9P */,
		0x5346414f /* AFS */, 0x00c36400 /* Ceph */, 0x65735546 /* FUSE */,
		0x73757245 /* Coda */, 0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */};

	if (magic == 0x794c7630)
		return SPG_FS_OVERLAY;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (magic == foreign[i])
			return SPG_FS_FOREIGN;
	return SPG_FS_LOCAL;
}

static bool has_root(const struct spg_mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (strcmp(mounts->list[i].path, "/") == 0)
			return true;
	return false;
}

/*
 * In a chroot whose directory is no mount point the table has no "/": it lists
 * what can be reached only. The daemon's own root answers, or it would not run.
 */
static int add_root(struct spg_mounts *to)
{
	struct spg_mount mount = {0};
	struct statfs fs;
	struct stat st;

	if (has_root(to))
		return 0;
	if (stat("/", &st) < 0 || statfs("/", &fs) < 0)
		return SPG_ERR_IO;
	/* The mounts in the chroot hang on one that is not in the table. */
	mount.id = to->n > 0 ? to->list[0].parent : 0;
	mount.parent = -1;
	mount.dev = st.st_dev;
	mount.class = classify_magic((uint64_t)fs.f_type);
	mount.path = strdup("/");
	mount.root = strdup("/");
	mount.type = strdup("root");
	mount.options = strdup("");
	mount.source = strdup("");
	return add_mount(to, &mount);
}

static int read_table(int fd, struct spg_buf *buf)
{
	char chunk[16384];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return SPG_ERR_IO;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SPG_ERR_IO;
		spg_buf_add(buf, chunk, (size_t)n);
	}
	return buf->failed ? SPG_ERR_NOMEM : 0;
}

static int load(struct spg_mounts *mounts)
{
	struct spg_mounts fresh = {.fd = mounts->fd, .is_theirs = mounts->is_theirs};
	struct spg_buf buf = SPG_BUF_NULL;
	char *save = NULL;
	int r = read_table(mounts->fd, &buf);

	if (r == 0 && buf.len > 0)
		for (char *line = strtok_r(buf.data, "\n", &save); line && r == 0;
			line = strtok_r(NULL, "\n", &save))
			r = add_line(&fresh, line);
	spg_buf_finish(&buf);
	if (r == 0 && mounts->is_theirs)
		r = has_root(&fresh) ? 0 : SPG_ERR_UNSUPPORTED;
	else if (r == 0)
		r = add_root(&fresh);
	if (r < 0) {
		drop_list(fresh.list, fresh.n);
		return r;
	}
	drop_list(mounts->list, mounts->n);
	*mounts = fresh;
	return 0;
}

/* Keeps the descriptor, also of a process that ends: it is of the namespace. */
static int open_table(const char *path, bool is_theirs, struct spg_mounts **ret)
{
	struct spg_mounts *mounts = calloc(1, sizeof(*mounts));
	int r;

	if (!mounts)
		return SPG_ERR_NOMEM;
	mounts->is_theirs = is_theirs;
	mounts->fd = open(path, O_RDONLY | O_CLOEXEC);
	r = mounts->fd < 0 ? spg_err_from_errno(errno) : load(mounts);
	if (r < 0)
		spg_mounts_destroy(mounts);
	else
		*ret = mounts;
	return r;
}

struct spg_mounts *spg_mounts_create(void)
{
	struct spg_mounts *mounts = NULL;
	int r = open_table("/proc/self/mountinfo", false, &mounts);

	if (r < 0)
		spg_error("cannot read /proc/self/mountinfo: %s; is /proc mounted?",
			spg_err_text(r));
	return mounts;
}

int spg_mounts_create_of_parent(struct spg_mounts **ret)
{
	char path[64];
	struct stat own, parents;
	int pid = (int)getppid();

	*ret = NULL;
	/* Begun from outside of its pid namespace: nobody is above it. */
	if (pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat("/proc/self/ns/mnt", &own) < 0 || stat(path, &parents) < 0)
		return SPG_ERR_DENIED;
	if (own.st_ino == parents.st_ino)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	return open_table(path, false, ret);
}

int spg_mounts_create_of(int pid, struct spg_mounts **ret)
{
	char path[64];

	*ret = NULL;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	return open_table(path, true, ret);
}

void spg_mounts_destroy(struct spg_mounts *mounts)
{
	if (!mounts)
		return;
	if (mounts->fd >= 0)
		close(mounts->fd);
	drop_list(mounts->list, mounts->n);
	free(mounts);
}

bool spg_mounts_are_stale(struct spg_mounts *mounts)
{
	struct pollfd pfd = {.fd = mounts->fd, .events = POLLPRI};

	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLPRI | POLLERR)))
		mounts->stale = true;
	return mounts->stale;
}

int spg_mounts_refresh(struct spg_mounts *mounts)
{
	int r;

	if (!spg_mounts_are_stale(mounts))
		return 0;
	r = load(mounts);
	if (r < 0)
		return r; /* and it stays stale */
	mounts->stale = false;
	return SPG_MOUNTS_CHANGED;
}

static bool is_child(const struct spg_mount *mount, const struct spg_mount *parent)
{
	return mount->parent == parent->id && mount != parent;
}

/* The mount of the root directory: the one whose parent is not in the table, or
 * is what covers that. */
static const struct spg_mount *find_root(const struct spg_mounts *mounts)
{
	const struct spg_mount *root = NULL;

	for (size_t i = 0; i < mounts->n; i++) {
		const struct spg_mount *mount = &mounts->list[i];

		if (strcmp(mount->path, "/") == 0 &&
			(!root || is_child(mount, root) || !is_child(root, mount)))
			root = mount;
	}
	return root;
}

const struct spg_mount *spg_mounts_find(
	const struct spg_mounts *mounts, const char *path)
{
	const struct spg_mount *at = find_root(mounts), *next;

	for (; at; at = next) {
		size_t next_len = SIZE_MAX;

		next = NULL;
		for (size_t i = 0; i < mounts->n; i++) {
			const struct spg_mount *mount = &mounts->list[i];
			size_t len = strlen(mount->path);

			/* The first one on the way down. */
			if (len < next_len && is_child(mount, at) &&
				spg_path_below(path, mount->path, true)) {
				next = mount;
				next_len = len;
			}
		}
		if (!next)
			break;
	}
	return at;
}

const struct spg_mount *spg_mounts_get(const struct spg_mounts *mounts, size_t index)
{
	return index < mounts->n ? &mounts->list[index] : NULL;
}

bool spg_mounts_any_below(const struct spg_mounts *mounts, const char *dir)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (spg_path_below(mounts->list[i].path, dir, false))
			return true;
	return false;
}

/* The text behind the @nth "@option=", or NULL. A comma in a value is escaped. */
static const char *find_option(const char *options, const char *option, size_t nth)
{
	size_t len = strlen(option);
	const char *at = options;

	for (;;) {
		if (strncmp(at, option, len) == 0 && at[len] == '=' && nth-- == 0)
			return at + len + 1;
		at = strchr(at, ',');
		if (!at)
			return NULL;
		at++;
	}
}

/* One of the layers in @text, which are separated by colons if it is a @list,
 * and in which a backslash escapes. NULL when there are fewer. */
static char *pick_layer(const char *text, bool list, size_t index)
{
	struct spg_buf buf = SPG_BUF_NULL;

	for (const char *at = text; *at; at++) {
		if (*at == '\\' && at[1]) {
			at++;
		} else if (list && *at == ':') {
			/* "::" begins the data-only layers, which hold no names. */
			if (at[1] == ':' || index == 0)
				break;
			index--;
			continue;
		}
		if (index == 0)
			spg_buf_putc(&buf, *at);
	}
	if (index > 0) {
		spg_buf_finish(&buf);
		return NULL;
	}
	return spg_buf_take(&buf);
}

char *spg_mount_layer(const struct spg_mount *mount, const char *option, size_t index)
{
	bool list = strcmp(option, "lowerdir") == 0;
	const char *at = find_option(mount->options, option, 0);
	bool one_by_one = !at && list;
	char *value, *layer;

	/* The newer mount interface adds layers one by one, as they are. */
	if (one_by_one)
		at = find_option(mount->options, "lowerdir+", index);
	if (!at)
		return NULL;
	value = strndup(at, strcspn(at, ","));
	if (!value)
		return NULL;
	spg_mount_unescape(value);
	if (one_by_one)
		return value;
	layer = pick_layer(value, list, list ? index : 0);
	free(value);
	return layer;
}
