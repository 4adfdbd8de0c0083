/* SPDX-License-Identifier: MIT */
/*
 * Without BPF: what /proc, tracefs and bpf(2) show of everybody, in every survey.
 */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/survey/keepers.h"

/* What a mount's root is called when it has lost its name (fs/d_path.c). */
#define DELETED "//deleted"

/* A file that is mounted by itself; or what could not be looked at, and by its name may
 * be one. */
struct file_mount {
	uint64_t dev;
	struct spg_file_id id; /* {0, 0}: not known */
	char *root;            /* then that tells */
	size_t space;          /* index */
	int32_t pid;           /* of that, whose root @path is below */
	char *path;
};

/* What a mount's root is: most namespaces have copies of the same mounts. */
struct known_root {
	uint64_t dev;
	char *root;
	bool is_known, is_file;
	struct spg_file_id id;
};

struct spg_file_mounts {
	struct spg_keepers k;
	struct file_mount *list;
	size_t n, size;
	struct known_root *roots;
	size_t n_roots, size_roots;
	size_t space;   /* that is being read */
	size_t hiding;  /* one that does not show all that is mounted there ... */
	bool is_hiding; /* ... if there is any */
};

void spg_file_mounts_destroy(struct spg_file_mounts *mounts)
{
	if (!mounts)
		return;
	for (size_t i = 0; i < mounts->n; i++) {
		free(mounts->list[i].path);
		free(mounts->list[i].root);
	}
	for (size_t i = 0; i < mounts->n_roots; i++)
		free(mounts->roots[i].root);
	free(mounts->list);
	free(mounts->roots);
	spg_keepers_finish(&mounts->k);
	free(mounts);
}

static const struct spg_space *space_of(const struct spg_file_mounts *mounts)
{
	return &mounts->k.spaces.list[mounts->space];
}

/* Several old versions of a file may be called the same. */
static bool names_one(const char *root)
{
	size_t len = strlen(root), tail = sizeof(DELETED) - 1;

	return len <= tail || strcmp(root + len - tail, DELETED) != 0;
}

static const struct known_root *look_at_root(
	struct spg_file_mounts *mounts, const struct spg_mount *mount)
{
	struct known_root root = {.dev = mount->dev};
	struct stat st;
	int id;

	for (size_t i = 0; i < mounts->n_roots; i++)
		if (mounts->roots[i].dev == mount->dev && names_one(mount->root) &&
			strcmp(mounts->roots[i].root, mount->root) == 0)
			return &mounts->roots[i];
	if (spg_space_stat(space_of(mounts)->root_fd, mount->path, &st, &id) &&
		id == mount->id) {
		root.is_known = true;
		root.is_file = S_ISREG(st.st_mode);
		root.id = spg_id_of(&st);
	}
	root.root = strdup(mount->root);
	if (!root.root || spg_array_reserve(&mounts->roots, mounts->n_roots,
				  &mounts->size_roots, sizeof(root)) < 0) {
		free(root.root);
		return NULL;
	}
	mounts->roots[mounts->n_roots] = root;
	return &mounts->roots[mounts->n_roots++];
}

static int each_mount(void *user, const struct spg_mount *mount)
{
	struct spg_file_mounts *mounts = user;
	struct file_mount entry = {.space = mounts->space,
		.pid = space_of(mounts)->pid,
		.dev = mount->dev};
	const struct known_root *root;

	if (mount->class == SPG_FS_FOREIGN || strcmp(mount->root, "/") == 0)
		return 0;
	root = look_at_root(mounts, mount);
	if (!root)
		return SPG_ERR_NOMEM;
	if (root->is_known && !root->is_file)
		return 0;
	entry.id = root->id;
	entry.root = strdup(mount->root);
	entry.path = strdup(mount->path);
	if (!entry.path || !entry.root ||
		spg_array_reserve(
			&mounts->list, mounts->n, &mounts->size, sizeof(entry)) < 0) {
		free(entry.path);
		free(entry.root);
		return SPG_ERR_NOMEM;
	}
	mounts->list[mounts->n++] = entry;
	return 0;
}

int spg_file_mounts_find(struct spg_survey *s)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	int r;

	if (mounts)
		return 0;
	mounts = s->file_mounts = calloc(1, sizeof(*mounts));
	if (!mounts)
		return SPG_ERR_NOMEM;
	r = spg_keepers_begin(&mounts->k, s);
	for (size_t i = 0; r == 0 && i < mounts->k.spaces.n; i++) {
		mounts->space = i;
		r = spg_space_read(&mounts->k.spaces.list[i], each_mount, mounts);
		if (!mounts->is_hiding && mounts->k.spaces.list[i].hides) {
			mounts->is_hiding = true;
			mounts->hiding = i;
		}
		if (r == 0 && spg_survey_is_cancelled(s))
			r = SPG_ERR_TIMEOUT;
	}
	return r == 0 ? spg_keepers_list_layers(&mounts->k) : r;
}

/* @root: "/lib/x.so", or "/lib/x.so//deleted". */
static bool is_called(const char *root, const char *name)
{
	size_t len = strlen(root), n = strlen(name);

	if (!names_one(root))
		len -= sizeof(DELETED) - 1;
	return len > n && root[len - n - 1] == '/' &&
	       strncmp(root + len - n, name, n) == 0;
}

static bool is_mounted(const struct file_mount *mount, struct spg_file *base)
{
	const struct spg_linux_file *file = spg_linux_file(base);

	/* Deeper than the kernel could follow without waiting: covered by another
	 * mount, or its process has gone. */
	if (mount->id.ino == 0)
		return file->n_layers > 0 && mount->dev == file->layers[0].sdev &&
		       is_called(mount->root, spg_path_base(base->path));
	if (spg_file_id_equal(mount->id, base->id))
		return true;
	for (size_t i = 0; i < file->n_layers; i++)
		if (spg_file_id_equal(mount->id, file->layers[i].id))
			return true;
	return false;
}

bool spg_file_mounts_has(struct spg_file_mounts *mounts, struct spg_file *file)
{
	for (size_t i = 0; mounts && i < mounts->n; i++)
		if (is_mounted(&mounts->list[i], file))
			return true;
	return mounts && spg_keepers_is_layered(&mounts->k, file);
}

int spg_file_mounts_add(struct spg_survey *s, size_t index)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < mounts->n; i++) {
		struct spg_space space = mounts->k.spaces.list[mounts->list[i].space];

		space.pid = mounts->list[i].pid;
		if (is_mounted(&mounts->list[i], s->obs->files[index].file))
			r = spg_keepers_add_mount(&mounts->k, index, SPG_KEEPER_MOUNT,
				&space, mounts->list[i].path);
	}
	return r;
}

bool spg_file_mounts_hide(const struct spg_file_mounts *mounts)
{
	int32_t pid;

	return mounts && spg_keepers_dark_overlay(&mounts->k, &pid);
}

/* Would it matter who shows an old version? */
static bool do_mounts_matter(const struct spg_observation *obs)
{
	const struct spg_seen_keeper mount = {.kind = SPG_KEEPER_MOUNT};
	struct spg_seen_keeper keeper = mount;

	for (; keeper.file < obs->n_files; keeper.file++)
		if (obs->files[keeper.file].presence != SPG_GONE &&
			spg_keeper_matters(obs, &keeper))
			return true;
	return false;
}

/* Something may be mounted where nobody shows it. Many a service is alone in a namespace
 * and in a chroot, and hardly ever has a file of the product there: so that is said, and
 * makes nothing unknown. */
static int lack_chroots(struct spg_survey *s, struct spg_buf *who)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	const struct spg_lack lack = {.kind = SPG_LACK_MOUNTS,
		.file = SPG_NO_FILE,
		.remedy = {
			"end those processes, or let the daemon use BPF: spguardd(8), "
			"TIERS",
			NULL}};
	int r = spg_keepers_put_process(
		&mounts->k, who, mounts->k.spaces.list[mounts->hiding].pid);

	if (r == 0)
		r = spg_observation_add_lack(s->obs, &lack,
			"what is mounted in the mount namespace of %s cannot be seen: "
			"all "
			"its processes are in a chroot",
			spg_buf_text(who));
	return r;
}

/* An overlay that cannot be looked into may show what has been replaced. */
static int lack_overlay(struct spg_survey *s, struct spg_buf *who)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	struct spg_lack lack = {
		.kind = SPG_LACK_MOUNTS, .file = SPG_NO_FILE, .blinds = true};
	int32_t pid = 0;
	int r;

	lack.path = spg_keepers_dark_overlay(&mounts->k, &pid);
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].presence == SPG_REPLACED &&
			s->obs->files[i].in_use == SPG_IN_USE_NO)
			s->obs->files[i].in_use = SPG_IN_USE_UNKNOWN;
	r = spg_keepers_put_process(&mounts->k, who, pid);
	lack.remedy.text = "unmount it, or what covers it";
	if (r == 0)
		r = spg_observation_add_lack(s->obs, &lack,
			"the overlay at %s in the mount namespace of %s cannot be "
			"looked "
			"into, and its layers are not where they were",
			lack.path, spg_buf_text(who));
	return r;
}

static int lack_hidden(struct spg_survey *s)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	struct spg_buf who = SPG_BUF_NULL;
	int r = 0;

	if (!do_mounts_matter(s->obs))
		return 0;
	if (spg_file_mounts_hide(mounts))
		r = lack_overlay(s, &who);
	else if (mounts->is_hiding)
		r = lack_chroots(s, &who);
	spg_buf_finish(&who);
	return r;
}

int spg_keepers_find_lease(struct spg_survey *s)
{
	struct spg_file_mounts *mounts = s->file_mounts;
	struct spg_observation *obs = s->obs;
	int r = mounts ? 0 : spg_file_mounts_find(s);

	mounts = s->file_mounts;
	for (size_t i = 0; i < obs->n_files; i++)
		obs->files[i].kept = false;
	if (r == 0)
		r = lack_hidden(s);
	for (size_t i = 0; r == 0 && i < obs->n_files; i++) {
		if (obs->files[i].presence == SPG_GONE)
			continue;
		r = spg_file_mounts_add(s, i);
		if (r == 0)
			r = spg_keepers_add_layers(&mounts->k, i);
	}
	if (r == 0)
		r = spg_keepers_find_probes(&mounts->k);
	return r;
}
