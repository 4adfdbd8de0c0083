/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/hidden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/linux/survey/kernel_users.h"

/* Told of each kind; more are counted. */
#define CLUES_MAX  2
/* Looks at a ring that others look at too. */
#define RING_TRIES 20
/* /dev/fuse (Documentation/admin-guide/devices.txt). */
#define FUSE_MAJOR 10
#define FUSE_MINOR 229

/* What may hold a file, the likeliest first. */
enum clue_kind {
	CLUE_RING, /* of io_uring */
	CLUE_SOCKET,
	CLUE_OTHER,
	CLUE_KINDS
};

struct clues {
	struct {
		struct spg_buf text;
		size_t n;
	} kinds[CLUE_KINDS];
};

static void add_clue(struct clues *clues, enum clue_kind kind, const char *clue)
{
	struct spg_buf *text = &clues->kinds[kind].text;

	if (clues->kinds[kind].n++ >= CLUES_MAX)
		return;
	if (text->len > 0)
		spg_buf_puts(text, ", ");
	spg_text_escape(text, clue, false);
}

/* All of them as one text; "" none. Releases them. NULL: out of memory. */
static char *join_clues(struct clues *clues)
{
	struct spg_buf all = SPG_BUF_NULL;

	for (int i = 0; i < CLUE_KINDS; i++) {
		struct spg_buf *text = &clues->kinds[i].text;
		size_t n = clues->kinds[i].n;

		if (n > 0 && all.len > 0)
			spg_buf_puts(&all, ", ");
		if (n > 0)
			spg_buf_puts(&all, spg_buf_text(text));
		if (n > CLUES_MAX)
			spg_buf_printf(&all, ", and %zu more like that", n - CLUES_MAX);
		all.failed = all.failed || text->failed;
		spg_buf_finish(text);
	}
	return spg_buf_take(&all);
}

/* The number behind @key in a fdinfo text, 0 without it. */
static unsigned long number_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

/*
 * What a ring has registered. The kernel leaves all of it out of fdinfo while somebody
 * else has the ring's lock, be it another reader (io_uring/fdinfo.c).
 */
static void look_at_ring(struct clues *clues, int fdinfo, const char *name, int32_t pid)
{
	char text[4096], clue[120];

	for (int i = 0; i < RING_TRIES; i++) {
		if (spg_proc_slurp(fdinfo, name, text, sizeof(text)) <= 0)
			return;
		if (!strstr(text, "UserFiles:"))
			continue;
		if (number_of(text, "UserFiles:") == 0)
			return;
		snprintf(clue, sizeof(clue),
			"pid %" PRId32 " has files registered with io_uring", pid);
		add_clue(clues, CLUE_RING, clue);
		return;
	}
	snprintf(clue, sizeof(clue),
		"pid %" PRId32 " has an io_uring, and what is registered with it does "
		"not show",
		pid);
	add_clue(clues, CLUE_RING, clue);
}

/* @fdinfo: an open directory /proc/PID/task/TID/fdinfo. */
static void look_at_fd(
	struct clues *clues, int fd_dir, int fdinfo, const char *name, int32_t pid)
{
	char text[4096], clue[120], link[64];
	struct statx stx;
	ssize_t n;

	/* The file behind it may be on a dead share: take what is cached. */
	if (statx(fd_dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
		    &stx) < 0)
		return;
	if (S_ISSOCK(stx.stx_mode)) {
		if (spg_proc_slurp(fdinfo, name, text, sizeof(text)) > 0 &&
			number_of(text, "\nscm_fds:") > 0) {
			snprintf(clue, sizeof(clue),
				"a descriptor is in flight in a socket of pid %" PRId32,
				pid);
			add_clue(clues, CLUE_SOCKET, clue);
		}
		return;
	}
	/* It may have files of its filesystem passed through to others (FUSE passthrough,
	 * Linux 6.9): the kernel keeps those open, whoever opened them. */
	if (S_ISCHR(stx.stx_mode)) {
		if (stx.stx_rdev_major == FUSE_MAJOR &&
			stx.stx_rdev_minor == FUSE_MINOR) {
			snprintf(clue, sizeof(clue),
				"pid %" PRId32 " serves a FUSE filesystem", pid);
			add_clue(clues, CLUE_OTHER, clue);
		}
		return;
	}
	/* Anonymous inodes have no type. */
	if ((stx.stx_mode & S_IFMT) != 0)
		return;
	n = readlinkat(fd_dir, name, link, sizeof(link) - 1);
	if (n <= 0)
		return;
	link[n] = '\0';
	if (strcmp(link, "anon_inode:[io_uring]") == 0)
		look_at_ring(clues, fdinfo, name, pid);
}

static void look_at_thread(struct clues *clues, int32_t pid, const char *tid)
{
	char path[64];
	const struct dirent *entry;
	int fdinfo;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/task/%.16s/fd", pid, tid);
	dir = opendir(path);
	if (!dir)
		return; /* the search has counted it as opaque */
	snprintf(path, sizeof(path), "/proc/%" PRId32 "/task/%.16s/fdinfo", pid, tid);
	fdinfo = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fdinfo >= 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look_at_fd(clues, dirfd(dir), fdinfo, entry->d_name, pid);
	if (fdinfo >= 0)
		close(fdinfo);
	closedir(dir);
}

static int look_at_processes(struct clues *clues, const atomic_bool *cancel)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int r = 0;

	if (!proc)
		return SPG_ERR_IO;
	while (r == 0 && (entry = readdir(proc))) {
		int32_t pid = atoi(entry->d_name);
		const struct dirent *task;
		char path[32];
		DIR *tasks;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%" PRId32 "/task", pid);
		tasks = opendir(path);
		while (tasks && (task = readdir(tasks)))
			if (task->d_name[0] != '.')
				look_at_thread(clues, pid, task->d_name);
		if (tasks)
			closedir(tasks);
		if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
			r = SPG_ERR_TIMEOUT;
	}
	closedir(proc);
	return r;
}

static void look_at_nfsd(struct clues *clues)
{
	char text[32];

	if (spg_proc_slurp(AT_FDCWD, "/proc/fs/nfsd/threads", text, sizeof(text)) > 0 &&
		strtol(text, NULL, 10) > 0)
		add_clue(clues, CLUE_OTHER, "the kernel's NFS server is running");
}

int spg_hidden_search(struct spg_user_search *a)
{
	struct clues clues = {0};
	char *text;
	char clue[320];
	int r;

	if (a->n_opaque > 0) {
		snprintf(clue, sizeof(clue),
			"%zu process%s cannot be looked into: %s%s", a->n_opaque,
			a->n_opaque == 1 ? "" : "es", a->opaque,
			a->n_opaque > 3 ? ", ..." : "");
		add_clue(&clues, CLUE_OTHER, clue);
	}
	if (a->n_stuck > 0) {
		snprintf(clue, sizeof(clue),
			"%zu process%s cannot be looked into: %s%s: the memory map "
			"does "
			"not answer",
			a->n_stuck, a->n_stuck == 1 ? "" : "es", a->stuck,
			a->n_stuck > 3 ? ", ..." : "");
		add_clue(&clues, CLUE_OTHER, clue);
	}
	look_at_nfsd(&clues);
	r = look_at_processes(&clues, a->cancel);
	if (r == 0)
		r = spg_kernel_users_find(a);
	free(a->obs->hidden_why);
	a->obs->hidden_why = NULL;
	text = join_clues(&clues);
	if (!text && r == 0)
		r = SPG_ERR_NOMEM;
	if (r == 0 && text[0])
		a->obs->hidden_why = text;
	else
		free(text);
	return r;
}
