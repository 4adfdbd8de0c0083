/* SPDX-License-Identifier: MIT */
#include "daemon/host/linux/dpkg.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"

#define UPDATES_MAX 2000

/* A list, and what it has of what is asked about. */
struct list {
	char *name;
	struct stat st;
	bool read;
	size_t *hits, n_hits, size_hits;
};

struct lists {
	struct list *items; /* by name */
	size_t n, size;
	uint64_t key; /* asked->key */
	struct stat diversions;
};

struct spg_dpkg {
	char *admin;
	struct spg_asked *asked;
	struct spg_dpkg_status status;
	struct spg_dpkg_diversions diversions;
	struct lists lists, old;
	bool begun;
	size_t at, at_old; /* the next of each */
	struct spg_buf text;
};

static void lists_finish(struct lists *lists)
{
	for (size_t i = 0; i < lists->n; i++) {
		free(lists->items[i].name);
		free(lists->items[i].hits);
	}
	free(lists->items);
	*lists = (struct lists){.n = 0};
}

struct spg_dpkg *spg_dpkg_create(const char *admin)
{
	struct spg_dpkg *dpkg = calloc(1, sizeof(*dpkg));

	if (dpkg)
		dpkg->admin = strdup(admin);
	if (dpkg && dpkg->admin)
		return dpkg;
	free(dpkg);
	return NULL;
}

void spg_dpkg_destroy(struct spg_dpkg *dpkg)
{
	if (!dpkg)
		return;
	spg_dpkg_status_finish(&dpkg->status);
	spg_dpkg_diversions_finish(&dpkg->diversions);
	lists_finish(&dpkg->lists);
	lists_finish(&dpkg->old);
	spg_buf_finish(&dpkg->text);
	free(dpkg->admin);
	free(dpkg);
}

void spg_dpkg_begin(struct spg_dpkg *dpkg, struct spg_asked *asked)
{
	spg_dpkg_status_finish(&dpkg->status);
	spg_dpkg_diversions_finish(&dpkg->diversions);
	/* What was given up in the middle is still good as far as it came. */
	if (dpkg->lists.n) {
		lists_finish(&dpkg->old);
		dpkg->old = dpkg->lists;
		dpkg->lists = (struct lists){.n = 0};
	}
	dpkg->begun = false;
	dpkg->at = dpkg->at_old = 0;
	dpkg->asked = asked;
}

/* ---- files ---- */

/* What is at @fd, of so many bytes at most, into @text. */
static int read_fd(int fd, struct spg_buf *text)
{
	char block[65536];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			spg_buf_add(text, block, (size_t)n);
		if (text->failed)
			return SPG_ERR_NOMEM;
		if (text->len > SPG_DPKG_FILE_MAX)
			return SPG_ERR_LIMIT;
	}
	return n < 0 ? spg_err_from_errno(errno) : 0;
}

/* Into dpkg->text; a file that is not there is empty, and @ret_st all zero. */
static int read_file(struct spg_dpkg *dpkg, const char *name, struct stat *ret_st)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, r;

	spg_buf_clear(&dpkg->text);
	memset(ret_st, 0, sizeof(*ret_st));
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dpkg->admin, name) >=
		sizeof(path))
		return SPG_ERR_LIMIT;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0
		                                           : spg_err_from_errno(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = SPG_ERR_INVALID;
	else
		r = read_fd(fd, &dpkg->text);
	close(fd);
	if (r == 0)
		*ret_st = st;
	return r;
}

static bool is_as_it_was(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* ---- the first step ---- */

static int compare_lists(const void *a, const void *b)
{
	return strcmp(((const struct list *)a)->name, ((const struct list *)b)->name);
}

static int add_list(struct lists *lists, const char *name, size_t max)
{
	if (lists->n == max)
		return SPG_ERR_LIMIT;
	if (spg_array_reserve(
		    &lists->items, lists->n, &lists->size, sizeof(struct list)) < 0)
		return SPG_ERR_NOMEM;
	lists->items[lists->n] = (struct list){.name = strdup(name)};
	return lists->items[lists->n].name && ++lists->n ? 0 : SPG_ERR_NOMEM;
}

static bool is_list(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".list") == 0;
}

/* As dpkg numbers them; others are not its. */
static bool is_update(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!isdigit((unsigned char)*c))
			return false;
	return *name != '\0';
}

static int list_directory(struct spg_dpkg *dpkg, const char *name,
	bool (*wanted)(const char *name), size_t max, struct lists *ret)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	int r = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dpkg->admin, name) >=
		sizeof(path))
		return SPG_ERR_LIMIT;
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT || errno == ENOTDIR ? 0
		                                           : spg_err_from_errno(errno);
	while (r == 0 && (entry = readdir(directory)))
		if (wanted(entry->d_name))
			r = add_list(ret, entry->d_name, max);
	closedir(directory);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(struct list), compare_lists);
	return r;
}

/* What has changed since status was written. */
static int read_updates(struct spg_dpkg *dpkg)
{
	struct lists updates = {.n = 0};
	int r = list_directory(dpkg, "updates", is_update, UPDATES_MAX, &updates);
	struct stat st;
	char name[PATH_MAX];

	for (size_t i = 0; r == 0 && i < updates.n; i++) {
		snprintf(name, sizeof(name), "updates/%s", updates.items[i].name);
		r = read_file(dpkg, name, &st);
		if (r == 0)
			r = spg_dpkg_status_parse(&dpkg->status,
				spg_buf_text(&dpkg->text), dpkg->text.len);
	}
	lists_finish(&updates);
	return r;
}

/* dpkg's own tells which architecture is the system's. */
static int find_arch(struct spg_dpkg *dpkg)
{
	struct spg_dpkg_package *own = spg_dpkg_status_of(&dpkg->status, "dpkg.list");
	struct stat st;
	int r;

	if (own) {
		dpkg->status.arch = strdup(own->arch);
		return dpkg->status.arch ? 0 : SPG_ERR_NOMEM;
	}
	r = read_file(dpkg, "arch", &st);
	if (r == 0 && dpkg->text.len) {
		dpkg->status.arch =
			strndup(dpkg->text.data, strcspn(dpkg->text.data, "\n"));
		r = dpkg->status.arch ? 0 : SPG_ERR_NOMEM;
	}
	return r;
}

static int add_package(const struct spg_dpkg *dpkg, struct spg_dpkg_package *package,
	struct spg_packages *ret)
{
	const char *own = dpkg->status.arch;
	struct spg_buf name = SPG_BUF_NULL;

	spg_buf_puts(&name, package->name);
	if (own && *package->arch && strcmp(package->arch, "all") != 0 &&
		strcmp(package->arch, own) != 0)
		spg_buf_printf(&name, ":%s", package->arch);
	package->index = name.failed ? SPG_PACKAGE_NONE
	                             : spg_packages_add(ret, spg_buf_text(&name),
					       package->version);
	spg_buf_finish(&name);
	if (package->index == SPG_PACKAGE_NONE)
		return SPG_ERR_NOMEM;
	ret->items[package->index].unfinished = package->half;
	return 0;
}

static int read_status(struct spg_dpkg *dpkg, struct spg_packages *ret)
{
	struct stat st;
	int r = read_file(dpkg, "status", &st);

	if (r < 0 || st.st_ino == 0)
		return r;
	r = spg_dpkg_status_parse(
		&dpkg->status, spg_buf_text(&dpkg->text), dpkg->text.len);
	if (r == 0)
		r = read_updates(dpkg);
	spg_dpkg_status_sort(&dpkg->status);
	if (r == 0)
		r = find_arch(dpkg);
	if (r == 0)
		r = read_file(dpkg, "diversions", &dpkg->lists.diversions);
	if (r == 0)
		r = spg_dpkg_diversions_parse(
			&dpkg->diversions, spg_buf_text(&dpkg->text), dpkg->text.len);
	for (size_t i = 0; r == 0 && i < dpkg->status.n; i++)
		if (dpkg->status.items[i].installed)
			r = add_package(dpkg, &dpkg->status.items[i], ret);
	return r == 0 ? list_directory(
				dpkg, "info", is_list, SPG_DPKG_LISTS_MAX, &dpkg->lists)
	              : r;
}

static int begin(struct spg_dpkg *dpkg, struct spg_packages *ret)
{
	int r = read_status(dpkg, ret);

	dpkg->begun = true;
	dpkg->lists.key = dpkg->asked->key;
	/* Where other files are asked about, what was found of the old ones is no use. */
	if (dpkg->old.key != dpkg->lists.key ||
		!is_as_it_was(&dpkg->old.diversions, &dpkg->lists.diversions))
		lists_finish(&dpkg->old);
	return r;
}

/* ---- list by list ---- */

static int note_hit(void *user, size_t file)
{
	struct list *list = user;

	if (spg_array_reserve(&list->hits, list->n_hits, &list->size_hits,
		    sizeof(*list->hits)) < 0)
		return SPG_ERR_NOMEM;
	list->hits[list->n_hits++] = file;
	return 0;
}

/* The same list as it was last time; NULL: it was not read, or has changed. */
static struct list *find_old(struct spg_dpkg *dpkg, const struct list *list)
{
	while (dpkg->at_old < dpkg->old.n &&
		strcmp(dpkg->old.items[dpkg->at_old].name, list->name) < 0)
		dpkg->at_old++;
	if (dpkg->at_old < dpkg->old.n) {
		struct list *old = &dpkg->old.items[dpkg->at_old];

		if (old->read && strcmp(old->name, list->name) == 0 &&
			is_as_it_was(&old->st, &list->st))
			return old;
	}
	return NULL;
}

static int read_list(struct spg_dpkg *dpkg, struct list *list, const char *package)
{
	char name[PATH_MAX];
	struct list *old;
	int r;

	if ((size_t)snprintf(name, sizeof(name), "%s/info/%s", dpkg->admin,
		    list->name) >= sizeof(name) ||
		stat(name, &list->st) < 0)
		return 0;
	old = find_old(dpkg, list);
	if (old) {
		list->hits = old->hits;
		list->n_hits = old->n_hits;
		list->size_hits = old->size_hits;
		old->hits = NULL;
		old->read = false;
		list->read = true;
		return 0;
	}
	r = read_file(dpkg, name + strlen(dpkg->admin) + 1, &list->st);
	if (r < 0)
		return r == SPG_ERR_NOMEM ? r : 0;
	r = spg_dpkg_list_find(spg_buf_text(&dpkg->text), dpkg->text.len, package,
		&dpkg->diversions, dpkg->asked, note_hit, list);
	list->read = r == 0;
	return r;
}

static int take_list(struct spg_dpkg *dpkg, struct list *list, struct spg_packages *ret)
{
	struct spg_dpkg_package *package =
		spg_dpkg_status_of(&dpkg->status, list->name);
	int r;

	if (!package)
		return 0;
	r = read_list(dpkg, list, package->name);
	for (size_t i = 0; r == 0 && i < list->n_hits; i++)
		r = spg_packages_own(
			ret, dpkg->asked->files[list->hits[i]].path, package->index);
	return r;
}

int spg_dpkg_step(struct spg_dpkg *dpkg, struct spg_packages *ret, int64_t until_ns,
	const char **ret_why)
{
	int r = dpkg->begun ? 0 : begin(dpkg, ret);

	if (r < 0) {
		*ret_why = "dpkg's database cannot be read";
		return r;
	}
	while (r == 0 && dpkg->at < dpkg->lists.n) {
		r = take_list(dpkg, &dpkg->lists.items[dpkg->at++], ret);
		if (r == 0 && dpkg->at < dpkg->lists.n &&
			spg_clock_mono_ns() >= until_ns)
			return 1;
	}
	spg_buf_finish(&dpkg->text);
	spg_dpkg_status_finish(&dpkg->status);
	spg_dpkg_diversions_finish(&dpkg->diversions);
	lists_finish(&dpkg->old);
	*ret_why = "out of memory";
	return r;
}
