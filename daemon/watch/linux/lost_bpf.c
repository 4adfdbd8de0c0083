/* SPDX-License-Identifier: MIT */
/*
 * Files that have lost their name, as BPF finds them: it knows of each that it has
 * none, /proc shows what it was called.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/watch/linux/counted.h"

static bool has_device(const struct spg_counted_files *c,
	const struct spg_landmarks *landmarks, const struct spg_mounts *mounts,
	uint64_t sdev)
{
	for (size_t i = 0; i < c->n_inodes; i++)
		if (c->inodes[i].sdev == sdev)
			return true;
	for (size_t i = 0; i < landmarks->n; i++) {
		const struct spg_mount *mount =
			spg_mounts_find(mounts, landmarks->marks[i].real_path);

		if (mount && mount->dev == sdev)
			return true;
	}
	return false;
}

/* A nameless file in a process that shows nothing may be one of the product's. */
static int lack_lost(struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	uint64_t sdev = makedev(hit->sdev >> 20, hit->sdev & 0xfffff);

	if (s->counted->told_lost ||
		!has_device(s->counted, &s->landmarks, s->surveyor->mounts, sdev))
		return 0;
	s->counted->told_lost = true;
	return spg_observation_add_lack(s->obs, SPG_NO_FILE, true, "a deleted file",
		"let the daemon look into that process (CAP_SYS_PTRACE), or end it",
		"pid %" PRId32 " holds a file that was deleted, and does not let us "
		"see which",
		hit->tgid);
}

/* The directory of the product's in which it lay, or NULL. */
static const struct spg_landmark *find_parent(
	const struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	uint64_t sdev = makedev(hit->parent_sdev >> 20, hit->parent_sdev & 0xfffff);

	for (size_t i = 0; i < s->landmarks.n; i++) {
		const struct spg_landmark *mark = &s->landmarks.marks[i];
		const struct spg_mount *mount;

		if (mark->is_link || mark->id.ino != hit->parent_ino)
			continue;
		mount = spg_mounts_find(s->surveyor->mounts, mark->real_path);
		if (mount && mount->dev == sdev)
			return mark;
	}
	return NULL;
}

/* The magic link, below /proc/PID, that leads to it. */
static void put_link(const struct spg_bpf_hit *hit, char *link, size_t size)
{
	if (hit->kind == SPG_HIT_LOST_FD)
		snprintf(link, size, "task/%" PRId32 "/fd/%" PRId32, hit->tid, hit->fd);
	else if (hit->kind == SPG_HIT_LOST_EXE)
		snprintf(link, size, "task/%" PRId32 "/exe", hit->tid);
	else
		snprintf(link, size, "map_files/%" PRIx64 "-%" PRIx64,
			(uint64_t)hit->start, (uint64_t)hit->end);
}

/* See whether one that has lost its name was the product's: by the directory that
 * the kernel remembers, else by what its holder sees. */
static int look_at_lost(
	struct spg_survey *s, const struct spg_bpf_hit *hit, bool *ret_seen)
{
	struct spg_attribution *a = &s->attribution;
	const struct spg_landmark *parent = hit->name[0] ? find_parent(s, hit) : NULL;
	char link[64], name[SPG_BPF_NAME + 1];
	size_t failed_before = a->n_failed;
	int proc_fd = spg_proc_open(hit->tgid), r;
	struct stat st;

	if (proc_fd == SPG_ERR_NOT_FOUND)
		return 0;
	if (proc_fd < 0)
		return lack_lost(s, hit);
	put_link(hit, link, sizeof(link));
	snprintf(name, sizeof(name), "%.*s", SPG_BPF_NAME, hit->name);
	r = parent ? spg_lost_by_parent(a, proc_fd, link, parent, name)
	           : spg_lost_by_fd(a, proc_fd, proc_fd, link);
	*ret_seen = fstatat(proc_fd, link, &st, 0) == 0;
	/* It is there, and does not let us see it. */
	if (r == 0 && (a->n_failed > failed_before ||
			      (!*ret_seen && (errno == EACCES || errno == EPERM))))
		r = lack_lost(s, hit);
	close(proc_fd);
	return r;
}

int spg_look_at_lost(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	size_t n_before = s->obs->n_files;
	const struct spg_bpf_hit *last = NULL;
	bool seen = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_hits; i++) {
		const struct spg_bpf_hit *hit = &c->hits[i];

		/* A library has several mappings, one beside the other; each is enough,
		 * if it is still there. */
		if (!spg_is_lost(hit) || (seen && hit->file == last->file &&
						 hit->parent_ino == last->parent_ino &&
						 hit->tgid == last->tgid))
			continue;
		last = hit;
		seen = false;
		r = look_at_lost(s, hit, &seen);
	}
	for (size_t i = n_before; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].census == SPG_CENSUS_UNKNOWN)
			r = spg_counted_probe(s, i);
	return r;
}
