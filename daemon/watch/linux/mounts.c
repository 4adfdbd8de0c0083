/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/mounts.h"

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
	int fd; /* kept open: poll(2) tells of changes on it */
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

static void drop_list(struct spg_mount *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].path);
		free(list[i].type);
		free(list[i].options);
		free(list[i].root);
	}
	free(list);
}

/* Blanks, tabs, line breaks and backslashes stand as \ooo, in place. */
static void unescape_octal(char *text)
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
static int add_mount(struct spg_mounts *to, const struct spg_mount *mount)
{
	if (mount->root && mount->path && mount->type && mount->options &&
		spg_array_reserve(&to->list, to->n, &to->size, sizeof(*to->list)) ==
			0) {
		to->list[to->n++] = *mount;
		return 0;
	}
	free(mount->root);
	free(mount->path);
	free(mount->type);
	free(mount->options);
	return SPG_ERR_NOMEM;
}

/* 36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda rw,x */
static int parse_line(struct spg_mounts *to, char *line)
{
	char *fields[6], *separator, *type, *options, *save = NULL;
	unsigned major, minor;
	struct spg_mount mount = {0};
	size_t n = 0;

	separator = strstr(line, " - ");
	if (!separator)
		return 0;
	*separator = '\0';
	for (char *word = strtok_r(line, " ", &save); word && n < 6;
		word = strtok_r(NULL, " ", &save))
		fields[n++] = word;
	type = strtok_r(separator + 3, " ", &save);
	if (type)
		(void)strtok_r(NULL, " ", &save); /* the source */
	options = strtok_r(NULL, " ", &save);
	if (n < 5 || !type || sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return 0;
	unescape_octal(fields[3]);
	unescape_octal(fields[4]);
	if (options)
		unescape_octal(options);
	mount.dev = makedev(major, minor);
	mount.class = spg_fs_classify(type);
	mount.root = strdup(fields[3]);
	mount.path = strdup(fields[4]);
	mount.type = strdup(type);
	mount.options = strdup(options ? options : "");
	return add_mount(to, &mount);
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

/*
 * In a chroot whose directory is no mount point the table has no "/": it lists
 * what can be reached only. The daemon's own root answers, or it would not run.
 */
static int add_root(struct spg_mounts *to)
{
	struct spg_mount mount = {0};
	struct statfs fs;
	struct stat st;

	for (size_t i = 0; i < to->n; i++)
		if (strcmp(to->list[i].path, "/") == 0)
			return 0;
	if (stat("/", &st) < 0 || statfs("/", &fs) < 0)
		return SPG_ERR_IO;
	mount.dev = st.st_dev;
	mount.class = classify_magic((uint64_t)fs.f_type);
	mount.path = strdup("/");
	mount.root = strdup("/");
	mount.type = strdup("root");
	mount.options = strdup("");
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
	struct spg_mounts fresh = {.fd = mounts->fd};
	struct spg_buf buf = SPG_BUF_NULL;
	char *save = NULL;
	int r = read_table(mounts->fd, &buf);

	if (r == 0 && buf.len > 0)
		for (char *line = strtok_r(buf.data, "\n", &save); line && r == 0;
			line = strtok_r(NULL, "\n", &save))
			r = parse_line(&fresh, line);
	spg_buf_finish(&buf);
	if (r == 0)
		r = add_root(&fresh);
	if (r < 0) {
		drop_list(fresh.list, fresh.n);
		return r;
	}
	drop_list(mounts->list, mounts->n);
	*mounts = fresh;
	return 0;
}

struct spg_mounts *spg_mounts_create(void)
{
	struct spg_mounts *mounts = calloc(1, sizeof(*mounts));
	int r;

	if (!mounts)
		return NULL;
	mounts->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	r = mounts->fd < 0 ? spg_err_from_errno(errno) : load(mounts);
	if (r < 0) {
		spg_error("cannot read /proc/self/mountinfo: %s; is /proc mounted?",
			spg_err_text(r));
		spg_mounts_destroy(mounts);
		return NULL;
	}
	return mounts;
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

int spg_mounts_refresh(struct spg_mounts *mounts)
{
	struct pollfd pfd = {.fd = mounts->fd, .events = POLLPRI};
	int r;

	if (poll(&pfd, 1, 0) <= 0 || !(pfd.revents & (POLLPRI | POLLERR)))
		return 0;
	r = load(mounts);
	return r == 0 ? SPG_MOUNTS_CHANGED : r;
}

const struct spg_mount *spg_mounts_find(
	const struct spg_mounts *mounts, const char *path)
{
	const struct spg_mount *best = NULL;
	size_t best_len = 0;

	/* Later lines cover earlier ones of the same place. */
	for (size_t i = 0; i < mounts->n; i++) {
		size_t len = strlen(mounts->list[i].path);

		if (len >= best_len &&
			spg_path_below(path, mounts->list[i].path, true)) {
			best = &mounts->list[i];
			best_len = len;
		}
	}
	return best;
}

/* The text behind the @nth "@option=", or NULL. */
static const char *find_option(const char *options, const char *option, size_t nth)
{
	size_t len = strlen(option);

	/* Options are separated by commas; a comma in a value is escaped. */
	for (const char *at = options; at; at++) {
		if (strncmp(at, option, len) == 0 && at[len] == '=' && nth-- == 0)
			return at + len + 1;
		do
			at = strchr(at, ',');
		while (at && at > options && at[-1] == '\\' && at++);
		if (!at)
			break;
	}
	return NULL;
}

char *spg_mount_layer(const struct spg_mount *mount, const char *option, size_t index)
{
	struct spg_buf buf = SPG_BUF_NULL;
	bool list = strcmp(option, "lowerdir") == 0;
	const char *at = find_option(mount->options, option, 0);

	if (!at && list) {
		/* The newer mount interface adds layers one by one. */
		at = find_option(mount->options, "lowerdir+", index);
		index = 0;
	}
	if (!at)
		return NULL;
	for (; *at && *at != ','; at++) {
		if (*at == '\\' && at[1]) {
			at++;
		} else if (list && *at == ':') {
			/* "::" begins the data-only layers, which hold no names. */
			if (at[1] == ':' || index == 0)
				break;
			index--;
			continue;
		}
		if (!list || index == 0)
			spg_buf_putc(&buf, *at);
	}
	if (list && index > 0) {
		spg_buf_finish(&buf);
		return NULL;
	}
	return spg_buf_take(&buf);
}
