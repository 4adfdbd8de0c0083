/* SPDX-License-Identifier: MIT */
/* Files and processes of this machine: links, inodes, mappings, hostile names. */
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/files/layer.h"
#include "daemon/watch/linux/files/resolve.h"
#include "daemon/watch/linux/files/targets.h"
#include "daemon/watch/linux/proc/maps.h"
#include "daemon/watch/linux/proc/proc.h"
#include "tests/support/suite.h"

static char dir[PATH_MAX];

static int remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make_dir(void)
{
	char name[] = "/tmp/spg-files-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	/* /tmp may be a link. */
	ck_assert_ptr_nonnull(realpath(name, dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 16384), 0);
	close(fd);
}

/* --- resolve --------------------------------------------------------------- */

static const struct {
	const char *path; /* below the directory */
	int result;
	const char *expect; /* below it */
} paths[] = {
	{"", 0, ""},
	{"/", 0, ""},
	{"/real/deep/file", 0, "/real/deep/file"},
	{"//real/.//deep/./file", 0, "/real/deep/file"},
	{"/real/deep/..", 0, "/real"},
	{"/real/../real/deep", 0, "/real/deep"},
	{"/relative", 0, "/real"},
	{"/relative/deep/file", 0, "/real/deep/file"},
	{"/absolute/file", 0, "/real/deep/file"},
	{"/real/up/deep", 0, "/real/deep"},
	{"/real/deep/link", 0, "/real/deep/file"},
	/* ".." of where a link leads, not of where it lies. */
	{"/absolute/..", 0, "/real"},
	{"/chain0", 0, "/real/deep/file"},
	{"/none", SPG_ERR_NOT_FOUND, NULL},
	{"/dangling", SPG_ERR_NOT_FOUND, NULL},
	{"/none/../real", SPG_ERR_NOT_FOUND, NULL},
	{"/circle", SPG_RESOLVE_CIRCLE, NULL},
	{"/self/x", SPG_RESOLVE_CIRCLE, NULL},
	{"/long0", SPG_RESOLVE_CIRCLE, NULL},
	{"/growing/x", SPG_RESOLVE_CIRCLE, NULL},
	{"/real/deep/file/x", SPG_ERR_NOT_FOUND, NULL},
	{"/wordy", SPG_ERR_NOT_FOUND, NULL},
};

static void make_links(void)
{
	char absolute[PATH_MAX + 16], wordy[NAME_MAX + 2] = "";

	snprintf(absolute, sizeof(absolute), "%s/real/deep", dir);
	ck_assert_int_eq(mkdir("real", 0700), 0);
	ck_assert_int_eq(mkdir("real/deep", 0700), 0);
	make_file("real/deep/file");
	ck_assert_int_eq(symlink("real", "relative"), 0);
	ck_assert_int_eq(symlink(absolute, "absolute"), 0);
	ck_assert_int_eq(symlink("../real", "real/up"), 0);
	ck_assert_int_eq(symlink("./file", "real/deep/link"), 0);
	ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
	ck_assert_int_eq(symlink("circle2", "circle"), 0);
	ck_assert_int_eq(symlink("circle", "circle2"), 0);
	ck_assert_int_eq(symlink("self", "self"), 0);
	ck_assert_int_eq(symlink("growing/growing", "growing"), 0);
	memset(wordy, 'x', NAME_MAX + 1);
	ck_assert_int_eq(symlink(wordy, "wordy"), 0);
	for (int i = 0; i < 41; i++) {
		char from[16], to[32];

		snprintf(from, sizeof(from), "long%d", i);
		snprintf(to, sizeof(to), i < 40 ? "long%d" : "real", i + 1);
		ck_assert_int_eq(symlink(to, from), 0);
		snprintf(from, sizeof(from), "chain%d", i);
		snprintf(to, sizeof(to), i < 39 ? "chain%d" : "real/deep/file", i + 1);
		if (i < 40)
			ck_assert_int_eq(symlink(to, from), 0);
	}
}

START_TEST(resolve)
{
	struct spg_mounts *mounts = spg_mounts_create();
	const struct spg_mount *mount = NULL;
	char path[PATH_MAX + 64], expect[PATH_MAX + 64], found[PATH_MAX];
	char *kernel;

	ck_assert_ptr_nonnull(mounts);
	make_links();
	snprintf(path, sizeof(path), "%s%s", dir, paths[_i].path);
	ck_assert_int_eq(spg_resolve(mounts, path, found, &mount), paths[_i].result);
	/* The kernel's own answer. */
	kernel = realpath(path, NULL);
	ck_assert_int_eq(kernel != NULL, paths[_i].result == 0);
	if (paths[_i].result == 0) {
		snprintf(expect, sizeof(expect), "%s%s", dir, paths[_i].expect);
		ck_assert_str_eq(found, expect);
		ck_assert_str_eq(found, kernel);
		ck_assert_ptr_nonnull(mount);
	}
	free(kernel);
	spg_mounts_destroy(mounts);
}
END_TEST

START_TEST(resolve_edges)
{
	struct spg_mounts *mounts = spg_mounts_create();
	const struct spg_mount *mount = NULL;
	char path[PATH_MAX + 8], found[PATH_MAX];

	ck_assert_ptr_nonnull(mounts);
	ck_assert_int_eq(spg_resolve(mounts, "/", found, &mount), 0);
	ck_assert_str_eq(found, "/");
	ck_assert_str_eq(mount->path, "/");
	ck_assert_int_eq(spg_resolve(mounts, "/../..", found, &mount), 0);
	ck_assert_str_eq(found, "/");
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ck_assert_int_eq(spg_resolve(mounts, path, found, &mount), SPG_ERR_INVALID);
	spg_mounts_destroy(mounts);
}
END_TEST

/* --- targets --------------------------------------------------------------- */

#define N_FILES 3000

static void release(struct spg_file *file)
{
	free(spg_linux_file(file)->layers);
	free(file);
}

static struct spg_file *make_record(uint64_t dev, uint64_t sdev, uint64_t ino)
{
	struct spg_linux_file *file = calloc(1, sizeof(*file));
	struct spg_file_id id = {dev, ino};

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(spg_file_init(&file->base, "/srv/x", id, release), 0);
	file->sdev = sdev;
	file->layers = calloc(2, sizeof(*file->layers));
	ck_assert_ptr_nonnull(file->layers);
	file->n_layers = file->size_layers = 1;
	file->layers[0] = (struct spg_layer){.id = id, .sdev = sdev};
	return &file->base;
}

static void add(
	struct spg_observation *obs, struct spg_file *file, enum spg_presence presence)
{
	ck_assert_int_eq(
		spg_observation_add_file(obs, file, presence, SPG_IN_USE_NO), 0);
	spg_file_unref(file);
}

static size_t count(const struct spg_targets *targets, enum spg_key_space space,
	uint64_t dev, uint64_t ino, size_t want)
{
	size_t cursor = 0, n = 0, file;
	unsigned seen = 0;

	while ((file = spg_targets_find(targets, space, dev, ino, &cursor)) !=
		SPG_NO_FILE) {
		ck_assert_uint_eq(file % N_FILES, want);
		/* Each once. */
		ck_assert_uint_eq(seen & 1U << file / N_FILES, 0);
		seen |= 1U << file / N_FILES;
		n++;
	}
	return n;
}

START_TEST(targets)
{
	struct spg_product *product = spg_product_create("a");
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	struct spg_targets *index;
	struct spg_file *late;

	/* On btrfs the devices differ; every file has a hard link as well. */
	for (int twice = 0; twice < 2; twice++)
		for (uint64_t i = 0; i < N_FILES; i++)
			add(obs, make_record(50 + i % 3, 40, 1000 + i), SPG_PRESENT);
	add(obs, make_record(60, 61, 7), SPG_GONE);
	index = spg_targets_create(obs);
	ck_assert_ptr_nonnull(index);
	for (uint64_t i = 0; i < N_FILES; i++) {
		ck_assert_uint_eq(
			count(index, SPG_KEY_STAT, 50 + i % 3, 1000 + i, i), 2);
		ck_assert_uint_eq(count(index, SPG_KEY_SB, 40, 1000 + i, i), 2);
		/* Neither by the other's device, nor by a near number. */
		ck_assert_uint_eq(
			count(index, SPG_KEY_STAT, 50 + (i + 1) % 3, 1000 + i, i), 0);
		ck_assert_uint_eq(count(index, SPG_KEY_SB, 50 + i % 3, 1000 + i, i), 0);
	}
	ck_assert_uint_eq(count(index, SPG_KEY_STAT, 50, 999, 0), 0);
	/* What is gone is not looked for: its number may be another file's. */
	ck_assert_uint_eq(count(index, SPG_KEY_STAT, 60, 7, 0), 0);
	/* Added since, far beyond the first size. */
	for (size_t i = 0; i < N_FILES; i++) {
		late = make_record(70, 71, i);
		ck_assert_int_eq(spg_targets_add(index, late, i), 0);
		ck_assert_int_eq(spg_targets_add(index, late, i), 0);
		spg_file_unref(late);
	}
	for (size_t i = 0; i < N_FILES; i++)
		ck_assert_uint_eq(count(index, SPG_KEY_SB, 71, i, i), 1);
	spg_targets_destroy(index);
	spg_targets_destroy(NULL);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* An overlay's file is looked for by each of its inodes. */
START_TEST(targets_of_layers)
{
	struct spg_product *product = spg_product_create("a");
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	struct spg_file *base = make_record(30, 31, 5);
	struct spg_linux_file *file = spg_linux_file(base);
	struct spg_targets *index;

	file->n_layers = file->size_layers = 2;
	file->layers[0] = (struct spg_layer){.id = {8, 100}, .sdev = 9};
	file->layers[1] = (struct spg_layer){.id = {8, 200}, .sdev = 9};
	add(obs, base, SPG_PRESENT);
	index = spg_targets_create(obs);
	ck_assert_ptr_nonnull(index);
	ck_assert_uint_eq(count(index, SPG_KEY_STAT, 30, 5, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_SB, 31, 5, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_STAT, 8, 100, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_STAT, 8, 200, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_SB, 9, 200, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_SB, 31, 100, 0), 1);
	ck_assert_uint_eq(count(index, SPG_KEY_SB, 8, 100, 0), 0);
	spg_targets_destroy(index);
	spg_observation_destroy(obs);
	spg_product_unref(product);
}
END_TEST

/* --- mappings -------------------------------------------------------------- */

#define MAPPINGS_MAX 1000

struct mappings {
	struct spg_mapping list[MAPPINGS_MAX];
	char *names[MAPPINGS_MAX];
	size_t n, stop_at;
};

static int visit(void *user, const struct spg_mapping *mapping)
{
	struct mappings *m = user;

	ck_assert_uint_lt(m->n, MAPPINGS_MAX);
	m->list[m->n] = *mapping;
	m->names[m->n] = mapping->name ? strdup(mapping->name) : NULL;
	m->n++;
	return m->n == m->stop_at;
}

static void forget(struct mappings *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->names[i]);
	m->n = 0;
}

static size_t count_mappings(const struct mappings *m, const struct stat *st)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->list[i].ino == st->st_ino;
	return n;
}

/* The kernel's two ways to tell of mappings agree, names and all. */
START_TEST(maps_both_ways)
{
	static struct mappings by_query, by_text;
	int proc = spg_proc_open(getpid()), fd;
	struct stat st, st_deleted;
	void *at[2];

	make_file("plain name");
	make_file("gone");
	ck_assert_int_eq(stat("plain name", &st), 0);
	ck_assert_int_eq(stat("gone", &st_deleted), 0);
	fd = open("plain name", O_RDONLY);
	at[0] = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	fd = open("gone", O_RDONLY);
	at[1] = mmap(NULL, 8192, PROT_NONE, MAP_SHARED, fd, 4096);
	close(fd);
	ck_assert(at[0] != MAP_FAILED && at[1] != MAP_FAILED);
	ck_assert_int_eq(unlink("gone"), 0);

	spg_maps_force_text(false);
	ck_assert_int_eq(spg_maps_walk(proc, getpid(), true, visit, &by_query), 0);
	spg_maps_force_text(true);
	ck_assert_int_eq(spg_maps_walk(proc, getpid(), true, visit, &by_text), 0);
	ck_assert_uint_eq(by_query.n, by_text.n);
	ck_assert_uint_gt(by_query.n, 2);
	for (size_t i = 0; i < by_query.n; i++) {
		ck_assert_uint_eq(by_query.list[i].start, by_text.list[i].start);
		ck_assert_uint_eq(by_query.list[i].end, by_text.list[i].end);
		ck_assert_uint_eq(by_query.list[i].dev, by_text.list[i].dev);
		ck_assert_uint_eq(by_query.list[i].ino, by_text.list[i].ino);
		ck_assert_pstr_eq(by_query.names[i], by_text.names[i]);
	}
	ck_assert_uint_eq(count_mappings(&by_text, &st), 1);
	ck_assert_uint_eq(count_mappings(&by_text, &st_deleted), 1);
	forget(&by_query);
	forget(&by_text);
	/* Whoever has seen enough says so. */
	for (int text = 0; text < 2; text++) {
		spg_maps_force_text(text);
		by_query.stop_at = 2;
		ck_assert_int_eq(
			spg_maps_walk(proc, getpid(), false, visit, &by_query), 0);
		ck_assert_uint_eq(by_query.n, 2);
		forget(&by_query);
		/* Of a thread that does not exist there is nothing to tell. */
		ck_assert_int_eq(
			spg_maps_walk(proc, 1 << 30, false, visit, &by_query), 0);
		ck_assert_uint_eq(by_query.n, 0);
	}
	munmap(at[0], 8192);
	munmap(at[1], 8192);
	close(proc);
}
END_TEST

/* --- processes ------------------------------------------------------------- */

static const char *const hostile[] = {
	"plain",
	"a) S 1 (b",
	")",
	"(((((",
	") Z 99999 0 0",
	"a b\tc",
	"line\nbreak",
	"\x1b[31m\xff",
	"",
	"fifteen bytes!!",
};

START_TEST(stat_of_hostile_name)
{
	int proc = spg_proc_open(getpid());
	char name[SPG_PROC_NAME], state;
	uint64_t start, again;
	int32_t ppid;

	ck_assert_int_ge(proc, 0);
	ck_assert_int_eq(spg_proc_stat(proc, &start, NULL, NULL, NULL), 0);
	ck_assert_int_eq(prctl(PR_SET_NAME, hostile[_i]), 0);
	ck_assert_int_eq(spg_proc_stat(proc, &again, &ppid, &state, name), 0);
	ck_assert_str_eq(name, hostile[_i]);
	ck_assert_int_eq(ppid, getppid());
	ck_assert_int_eq(state, 'R');
	ck_assert_uint_eq(again, start);
	ck_assert_uint_gt(start, 0);
	close(proc);
}
END_TEST

START_TEST(read_self)
{
	struct spg_proc_reader reader = {
		.users = spg_users_create(), .may_block = true};
	struct spg_process *process = NULL;
	int proc = spg_proc_open(getpid());
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	ck_assert(reader.users && proc >= 0 && n > 0);
	exe[n] = '\0';
	ck_assert_int_eq(spg_proc_read(&reader, proc, getpid(), 42, &process), 0);
	ck_assert_int_eq(process->id.pid, getpid());
	ck_assert_str_eq(process->exe, exe);
	ck_assert_uint_eq(process->uid, geteuid());
	ck_assert_uint_eq(process->key, 42);
	/* The whole name, of which the kernel keeps 15 bytes. */
	ck_assert_str_eq(process->name, "test-linux-files");
	spg_process_unref(process);
	close(proc);
	spg_users_destroy(reader.users);
}
END_TEST

START_TEST(no_process)
{
	ck_assert_int_eq(spg_proc_open(1 << 30), SPG_ERR_NOT_FOUND);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("linux-files");

	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	spg_add_rows(tc, resolve, paths);
	tcase_add_test(tc, resolve_edges);
	tcase_add_test(tc, targets);
	tcase_add_test(tc, targets_of_layers);
	tcase_add_test(tc, maps_both_ways);
	spg_add_rows(tc, stat_of_hostile_name, hostile);
	tcase_add_test(tc, read_self);
	tcase_add_test(tc, no_process);
	return spg_run_suite("linux-files", tc);
}
