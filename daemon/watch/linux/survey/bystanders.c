/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/bystanders.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/files/resolve.h"
#include "daemon/watch/linux/survey/binfmt.h"
#include "daemon/watch/linux/survey/exports.h"

/* Tables are read in that time, or the remark is left out. */
#define TABLES_MS 200
/* A question takes no longer, unless it waits. */
#define ASKING_S  10

/* A directory of the product, and who works in it. */
struct place {
	const struct spg_known_directory *directory;
	uint64_t dev; /* and where it is in that filesystem; NULL: not known */
	char *inside;
	unsigned n_workers;
	int32_t worker; /* the lowest pid */
};

struct search {
	struct spg_survey *s;
	struct place *places; /* by path */
	size_t n_places;
	struct spg_nfs_tables *tables; /* NULL: they could not be read */
	bool serves[SPG_N_NFS_SERVERS];
	const struct spg_nfs_server *server;
};

static void read_name(int32_t pid, char ret[32])
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/comm", pid);
	if (spg_proc_slurp(AT_FDCWD, path, ret, 32) <= 0)
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/* Whoever asks has gone when the answer is read; a client that has been there for longer
 * holds something, or waits. */
static bool is_asking(int32_t pid)
{
	const int64_t ticks = sysconf(_SC_CLK_TCK);
	int proc_fd = spg_proc_open(pid);
	char name[SPG_PROC_NAME];
	struct timespec now;
	uint64_t start;
	bool asking;

	if (proc_fd < 0)
		return false;
	clock_gettime(CLOCK_BOOTTIME, &now);
	asking = spg_proc_stat(proc_fd, &start, NULL, NULL, name) == 0 &&
	         (strcmp(name, "spguard") == 0 || strcmp(name, "check_spguard") == 0) &&
	         now.tv_sec - (int64_t)start / ticks < ASKING_S;
	close(proc_fd);
	return asking;
}

static int compare_places(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->directory->real_path,
		((const struct place *)b)->directory->real_path);
}

static int list_places(struct search *search)
{
	const struct spg_known_directories *known = &search->s->directories;

	search->places = calloc(known->n + 1, sizeof(*search->places));
	if (!search->places)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < known->n; i++)
		if (!known->marks[i].is_link)
			search->places[search->n_places++].directory = &known->marks[i];
	qsort(search->places, search->n_places, sizeof(*search->places),
		compare_places);
	return 0;
}

static struct place *find_place(const struct search *search, char *path)
{
	const struct spg_known_directory directory = {.real_path = path};
	const struct place key = {.directory = &directory};

	return bsearch(
		&key, search->places, search->n_places, sizeof(key), compare_places);
}

/* The text may be of another mount namespace, where it means another directory. Asks
 * what the kernel knows already, and no server. */
static bool is_this_directory(
	const char *link, const struct spg_known_directory *directory)
{
	struct statx st;

	return statx(AT_FDCWD, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_INO,
		       &st) == 0 &&
	       st.stx_ino == directory->id.ino &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == directory->id.dev;
}

static void look_at_cwd(struct search *search, int32_t pid)
{
	char link[32], path[PATH_MAX];
	struct place *place;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%" PRId32 "/cwd", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	place = find_place(search, path);
	if (!place || !is_this_directory(link, place->directory) || is_asking(pid))
		return;
	if (place->n_workers++ == 0 || pid < place->worker)
		place->worker = pid;
}

/* Servers in user space run where a process of their name does. */
static void look_at_name(struct search *search, int32_t pid)
{
	char name[32];

	read_name(pid, name);
	for (size_t i = 0; i < SPG_N_NFS_SERVERS; i++)
		if (!spg_nfs_servers[i].of_kernel &&
			strcmp(spg_nfs_servers[i].name, name) == 0)
			search->serves[i] = true;
}

/* Is there anything that a server in user space would export? */
static bool need_names(const struct spg_nfs_tables *tables)
{
	for (size_t i = 0; tables && i < SPG_N_NFS_SERVERS; i++)
		if (!spg_nfs_servers[i].of_kernel && tables->texts[i])
			return true;
	return false;
}

static int look_at_processes(struct search *search)
{
	bool names = need_names(search->tables);
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r = 0;

	while (r == 0 && proc && (entry = readdir(proc))) {
		int32_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid())
			continue;
		look_at_cwd(search, pid);
		if (names)
			look_at_name(search, pid);
		if (spg_survey_is_cancelled(search->s))
			r = SPG_ERR_TIMEOUT;
	}
	if (proc)
		closedir(proc);
	return r;
}

static int add_workers(struct search *search)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < search->n_places; i++) {
		const struct place *place = &search->places[i];
		char name[32];

		if (place->n_workers == 0)
			continue;
		read_name(place->worker, name);
		if (name[0]) /* else it has gone */
			r = spg_bystanders_add(&search->s->obs->bystanders,
				&(struct spg_bystander){.kind = SPG_BYSTANDER_WORKS_IN,
					.place = place->directory->path,
					.name = name,
					.pid = place->worker,
					.count = place->n_workers});
	}
	return r;
}

/* ---- exports ---- */

/* Where @path, without links, is in its filesystem. The caller frees; NULL: not known. */
static char *find_inside(
	const struct spg_mounts *mounts, const char *path, uint64_t *ret_dev)
{
	const struct spg_mount *mount = spg_mounts_find(mounts, path);
	const char *root, *below;
	char *inside;

	if (!mount)
		return NULL;
	*ret_dev = mount->dev;
	root = strcmp(mount->root, "/") == 0 ? "" : mount->root;
	below = path + (strcmp(mount->path, "/") == 0 ? 0 : strlen(mount->path));
	if (strcmp(below, "/") == 0)
		below = "";
	if (asprintf(&inside, "%s%s", root, below) < 0)
		return NULL;
	if (inside[0] == '\0') {
		free(inside);
		inside = strdup("/");
	}
	return inside;
}

/* Has who mounts @export one of the directories, by whatever mount it is exported? */
static bool is_any_exported(const struct search *search, const char *path, bool crosses)
{
	uint64_t dev = 0;
	char *inside = find_inside(search->s->tools->mounts, path, &dev);
	bool found = false;

	for (size_t i = 0; i < search->n_places && !found; i++) {
		const struct place *place = &search->places[i];

		found = (crosses && spg_path_below(
					    place->directory->real_path, path, true)) ||
		        (inside && place->inside && place->dev == dev &&
				spg_path_below(place->inside, inside, true));
	}
	free(inside);
	return found;
}

static bool is_added(const struct search *search, const char *path)
{
	const struct spg_observation *obs = search->s->obs;

	for (size_t i = 0; i < obs->bystanders.n; i++)
		if (obs->bystanders.items[i].kind == SPG_BYSTANDER_EXPORTS &&
			strcmp(obs->bystanders.items[i].place, path) == 0 &&
			strcmp(obs->bystanders.items[i].name, search->server->name) ==
				0)
			return true;
	return false;
}

static int take_export(void *user, const struct spg_export *export)
{
	const struct search *search = user;
	const struct spg_mount *mount;
	char path[PATH_MAX], real[PATH_MAX];

	if (spg_survey_is_cancelled(search->s))
		return SPG_ERR_TIMEOUT;
	if (snprintf(path, sizeof(path), "%s", export->path) >= (int)sizeof(path))
		return 0;
	spg_path_normalise(path);
	if (is_added(search, path) ||
		!is_any_exported(search,
			spg_resolve(search->s->tools->mounts, path, real, &mount) == 0
				? real
				: path,
			export->crosses))
		return 0;
	return spg_bystanders_add(&search->s->obs->bystanders,
		&(struct spg_bystander){.kind = SPG_BYSTANDER_EXPORTS,
			.place = path,
			.name = (char *)search->server->name});
}

static int find_exports(struct search *search)
{
	int r = 0;

	for (size_t i = 0; search->tables && i < search->n_places; i++)
		search->places[i].inside = find_inside(search->s->tools->mounts,
			search->places[i].directory->real_path, &search->places[i].dev);
	for (size_t i = 0; r == 0 && search->tables && i < SPG_N_NFS_SERVERS; i++) {
		search->server = &spg_nfs_servers[i];
		if (search->tables->texts[i] &&
			(search->server->of_kernel ? search->tables->kernel_runs
						   : search->serves[i]))
			r = spg_exports_parse(search->tables->texts[i],
				search->server->format, take_export, search);
	}
	return r;
}

/* ---- interpreters that are opened when they are needed ---- */

/* Which file @path leads to; one on a server is not asked about. */
static size_t find_file(const struct spg_survey *s, const char *path)
{
	const struct spg_mount *mount;
	char real[PATH_MAX];
	struct stat st;

	if (path[0] != '/' || spg_resolve(s->tools->mounts, path, real, &mount) != 0 ||
		stat(real, &st) < 0)
		return SPG_NO_FILE;
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].presence == SPG_PRESENT &&
			spg_file_id_equal(s->obs->files[i].file->id, spg_id_of(&st)))
			return i;
	return SPG_NO_FILE;
}

static int take_interpreter(void *user, const struct spg_binfmt *binfmt)
{
	const struct spg_survey *s = user;
	size_t file = binfmt->enabled && !binfmt->keeps_open
	                      ? find_file(s, binfmt->interpreter)
	                      : SPG_NO_FILE;

	return file == SPG_NO_FILE ? 0
	                           : spg_bystanders_add(&s->obs->bystanders,
					     &(struct spg_bystander){
						     .kind = SPG_BYSTANDER_INTERPRETS,
						     .file = s->obs->files[file].file,
						     .place = (char *)binfmt->name});
}

int spg_bystanders_find(struct spg_survey *s)
{
	struct search search = {.s = s};
	int r;

	if (!s->request->scope->looks_around)
		return 0;
	s->obs->looked_around = true;
	/* Without them, for want of a thread even, there is a remark less. */
	(void)spg_nfs_tables_read(TABLES_MS, &search.tables);
	r = list_places(&search);
	if (r == 0)
		r = look_at_processes(&search);
	if (r == 0)
		r = add_workers(&search);
	if (r == 0)
		r = find_exports(&search);
	if (r == 0)
		r = spg_binfmt_each(s->tools->mounts, take_interpreter, s);
	for (size_t i = 0; i < search.n_places; i++)
		free(search.places[i].inside);
	free(search.places);
	spg_nfs_tables_destroy(search.tables);
	return r;
}
