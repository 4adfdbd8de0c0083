/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/host/linux/bounded.h"
#include "daemon/watch/linux/proc/read.h"

#define TEXT_MAX 16384

/* One call; owns everything in it. */
struct job {
	int proc_fd; /* a copy */
	int32_t tid;
	bool names;
	char link[64];
	struct spg_memory_maps maps;
	char text[TEXT_MAX];
	int64_t result;
	int errnum;
	int fd; /* -1: none */
};

void spg_memory_maps_finish(struct spg_memory_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		free((char *)maps->maps[i].name);
	free(maps->maps);
	*maps = (struct spg_memory_maps){0};
}

static void destroy(void *arg)
{
	struct job *job = arg;

	spg_memory_maps_finish(&job->maps);
	if (job->fd >= 0)
		close(job->fd);
	close(job->proc_fd);
	free(job);
}

static struct job *create(int proc_fd)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->fd = -1;
	job->proc_fd = fcntl(proc_fd, F_DUPFD_CLOEXEC, 0);
	if (job->proc_fd < 0) {
		free(job);
		return NULL;
	}
	return job;
}

/* Returns 0 when it was done; else an error, and the job has gone. */
static int call(struct job *job, unsigned timeout_ms, void (*run)(void *arg))
{
	char place[48];
	struct stat st = {0};
	int r;

	/* The late call's copy keeps that inode from being another's. */
	(void)fstat(job->proc_fd, &st);
	snprintf(place, sizeof(place), "process:%ju", (uintmax_t)st.st_ino);
	r = spg_bounded_call(place, timeout_ms, run, destroy, job);
	if (r < 0 && r != SPG_ERR_TIMEOUT)
		destroy(job);
	return r;
}

static int keep_mapping(void *user, const struct spg_mapping *mapping)
{
	struct job *job = user;
	struct spg_mapping copy = *mapping;

	if (mapping->name)
		copy.name = strdup(mapping->name);
	if ((mapping->name && !copy.name) ||
		spg_array_reserve(&job->maps.maps, job->maps.n, &job->maps.size,
			sizeof(copy)) < 0) {
		free((char *)copy.name);
		job->result = SPG_ERR_NOMEM;
		return 1;
	}
	job->maps.maps[job->maps.n++] = copy;
	return 0;
}

static void read_maps(void *arg)
{
	struct job *job = arg;
	int r = spg_maps_walk(job->proc_fd, job->tid, job->names, keep_mapping, job);

	if (job->result == 0)
		job->result = r;
	job->errnum = errno;
}

int spg_memory_read_maps(int proc_fd, int32_t tid, bool names, unsigned timeout_ms,
	struct spg_memory_maps *ret)
{
	struct job *job = create(proc_fd);
	int r;

	if (!job)
		return spg_err_from_errno(errno);
	job->tid = tid;
	job->names = names;
	r = call(job, timeout_ms, read_maps);
	if (r < 0)
		return r;
	r = (int)job->result;
	if (r == 0) {
		*ret = job->maps;
		job->maps = (struct spg_memory_maps){0};
	}
	errno = job->errnum;
	destroy(job);
	return r;
}

static void open_link(void *arg)
{
	struct job *job = arg;

	job->fd = openat(job->proc_fd, job->link, O_PATH | O_CLOEXEC);
	job->errnum = errno;
}

int spg_memory_open_mapped(int proc_fd, uint64_t start, uint64_t end)
{
	struct job *job = create(proc_fd);
	int fd, r;

	if (!job)
		return spg_err_from_errno(errno);
	snprintf(job->link, sizeof(job->link), "map_files/%" PRIx64 "-%" PRIx64, start,
		end);
	r = call(job, SPG_MEMORY_PATIENCE_MS, open_link);
	if (r < 0)
		return r;
	fd = job->fd;
	job->fd = -1;
	errno = job->errnum;
	destroy(job);
	return fd >= 0 ? fd : spg_err_from_errno(errno);
}

static void read_text(void *arg)
{
	struct job *job = arg;

	job->result =
		spg_proc_slurp(job->proc_fd, job->link, job->text, sizeof(job->text));
}

static int64_t read_file(int proc_fd, const char *name, char *buf, size_t size)
{
	struct job *job = create(proc_fd);
	int64_t n;
	int r;

	if (!job)
		return spg_err_from_errno(errno);
	snprintf(job->link, sizeof(job->link), "%s", name);
	r = call(job, SPG_MEMORY_PATIENCE_MS, read_text);
	if (r < 0)
		return r;
	n = job->result;
	if (n > (int64_t)size - 1)
		n = (int64_t)size - 1;
	if (n >= 0) {
		memcpy(buf, job->text, (size_t)n);
		buf[n] = '\0';
	}
	destroy(job);
	return n;
}

int64_t spg_memory_read_cmdline(int proc_fd, char *buf, size_t size)
{
	return read_file(proc_fd, "cmdline", buf, size);
}

int64_t spg_memory_read_environ(int proc_fd, char *buf, size_t size)
{
	return read_file(proc_fd, "environ", buf, size);
}
