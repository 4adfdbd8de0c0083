/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/bounded.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/err.h"

/* Shared by caller and thread; whoever lets go last frees it. */
struct job {
	char *dir;
	struct spg_listing *listing;
	bool done, abandoned;
	pthread_cond_t changed;
	struct job *next_late;
};

/* The threads that are late, by place. A process-wide list, since they may
 * outlive whoever started them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *late;

void spg_listing_destroy(struct spg_listing *listing)
{
	if (!listing)
		return;
	for (size_t i = 0; i < listing->n; i++)
		free(listing->files[i].name);
	free(listing->files);
	free(listing);
}

static void destroy_job(struct job *job)
{
	spg_listing_destroy(job->listing);
	pthread_cond_destroy(&job->changed);
	free(job->dir);
	free(job);
}

static void list(struct spg_listing *to, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir) {
		to->errnum = errno;
		return;
	}
	while ((entry = readdir(dir))) {
		struct spg_listed_file file;

		if (fstatat(dirfd(dir), entry->d_name, &file.st, 0) < 0 ||
			!S_ISREG(file.st.st_mode))
			continue;
		file.name = strdup(entry->d_name);
		if (!file.name || spg_array_reserve(&to->files, to->n, &to->size,
					  sizeof(*to->files)) < 0) {
			free(file.name);
			to->errnum = ENOMEM;
			break;
		}
		to->files[to->n++] = file;
	}
	closedir(dir);
}

static void *run(void *arg)
{
	struct job *job = arg;
	bool abandoned;

	list(job->listing, job->dir);
	pthread_mutex_lock(&lock);
	job->done = true;
	abandoned = job->abandoned;
	if (abandoned) {
		struct job **at = &late;

		while (*at != job)
			at = &(*at)->next_late;
		*at = job->next_late;
	}
	pthread_cond_signal(&job->changed);
	pthread_mutex_unlock(&lock);
	if (abandoned)
		destroy_job(job);
	return NULL;
}

static bool is_late(const char *dir)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (const struct job *job = late; job; job = job->next_late)
		found = found || strcmp(job->dir, dir) == 0;
	pthread_mutex_unlock(&lock);
	return found;
}

static struct job *create_job(const char *dir)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_condattr_t attr;

	if (!job)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&job->changed, &attr);
	pthread_condattr_destroy(&attr);
	job->dir = strdup(dir);
	job->listing = calloc(1, sizeof(*job->listing));
	if (!job->dir || !job->listing) {
		destroy_job(job);
		return NULL;
	}
	return job;
}

static int start_thread(struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	err = pthread_create(&thread, &attr, run, job);
	pthread_attr_destroy(&attr);
	return err ? SPG_ERR_NOMEM : 0;
}

int spg_list_bounded(const char *dir, unsigned timeout_ms, struct spg_listing **ret)
{
	int64_t until = spg_clock_mono_ns() + timeout_ms * SPG_NS_PER_MS;
	struct timespec at = {
		.tv_sec = until / SPG_NS_PER_S, .tv_nsec = until % SPG_NS_PER_S};
	struct job *job;
	bool done;

	if (is_late(dir))
		return SPG_ERR_TIMEOUT;
	job = create_job(dir);
	if (!job)
		return SPG_ERR_NOMEM;
	if (start_thread(job) < 0) {
		destroy_job(job);
		return SPG_ERR_NOMEM;
	}
	pthread_mutex_lock(&lock);
	while (!job->done && pthread_cond_timedwait(&job->changed, &lock, &at) == 0)
		;
	done = job->done;
	if (!done) {
		job->abandoned = true;
		job->next_late = late;
		late = job;
	}
	pthread_mutex_unlock(&lock);
	if (!done)
		return SPG_ERR_TIMEOUT;
	*ret = job->listing;
	job->listing = NULL;
	destroy_job(job);
	return 0;
}
