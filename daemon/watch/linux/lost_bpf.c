/* SPDX-License-Identifier: MIT */
/*
 * Files that have lost their name, as BPF finds them: it knows of each that it has
 * none, /proc shows what it was called.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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

/* See whether one that has lost its name was the product's. */
static int look_at_lost(struct spg_survey *s, const struct spg_bpf_hit *hit)
{
	struct spg_attribution *a = &s->attribution;
	struct spg_mapping mapping = {.start = hit->start, .end = hit->end};
	size_t failed_before = a->n_opaque;
	char name[64], text[4096 + 16];
	int proc_fd, dir_fd = -1, r = 0;
	ssize_t n;

	proc_fd = spg_proc_open(hit->tgid);
	if (proc_fd < 0)
		return proc_fd == SPG_ERR_DENIED ? lack_lost(s, hit) : 0;
	if (hit->kind == SPG_HIT_LOST_FD) {
		snprintf(name, sizeof(name), "task/%" PRId32 "/fd", hit->tid);
		dir_fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir_fd < 0 && spg_attribution_failed(a, errno))
			a->n_opaque++;
		snprintf(name, sizeof(name), "%" PRId32, hit->fd);
		if (dir_fd >= 0)
			r = spg_lost_by_fd(a, proc_fd, dir_fd, name);
	} else {
		snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64,
			(uint64_t)hit->start, (uint64_t)hit->end);
		n = readlinkat(proc_fd, name, text, sizeof(text) - 1);
		if (n < 0 && spg_attribution_failed(a, errno))
			a->n_opaque++;
		if (n > 0) {
			text[n] = '\0';
			mapping.name = text;
			r = spg_lost_by_mapping(a, proc_fd, &mapping);
		}
	}
	if (dir_fd >= 0)
		close(dir_fd);
	close(proc_fd);
	if (r == 0 && a->n_opaque > failed_before)
		r = lack_lost(s, hit);
	return r;
}

int spg_look_at_lost(struct spg_survey *s)
{
	const struct spg_counted_files *c = s->counted;
	size_t n_before = s->obs->n_files;
	uint64_t last = 0;
	int r = 0;

	s->counted->found_lost = false;
	for (size_t i = 0; r == 0 && i < c->n_hits; i++) {
		/* A library has several mappings, one beside the other. */
		if (!spg_is_lost(&c->hits[i]) || c->hits[i].file == last)
			continue;
		last = c->hits[i].file;
		r = look_at_lost(s, &c->hits[i]);
	}
	for (size_t i = n_before; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].census == SPG_CENSUS_UNKNOWN)
			r = spg_counted_probe(s, i);
	return r;
}
