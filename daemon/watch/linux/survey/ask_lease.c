/* SPDX-License-Identifier: MIT */
/*
 * Without BPF: a write lease says whether anybody uses a file, /proc says who.
 * One bit against a list, so the check is coarse: a second holder that no process
 * shows can hide behind a visible one, and has to be ruled out where it matters.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/verdict.h"
#include "daemon/watch/linux/survey/hidden.h"
#include "daemon/watch/linux/survey/keepers.h"
#include "daemon/watch/linux/survey/locks.h"
#include "daemon/watch/linux/survey/state.h"

/* Files that are probed on one call: some milliseconds, or the disk is slow. */
#define TOGETHER_MAX    256
/* Probes of a file that a guard may be answering for, and the time between. */
#define GUARD_TRIES     20
#define GUARD_MOMENT_NS 200000

/* The directory of a file's path, as a length. */
static size_t folder_len(const struct spg_survey *s, size_t index)
{
	const char *path = s->obs->files[index].file->path;

	return (size_t)(spg_path_base(path) - path);
}

static bool shares_folder(const struct spg_survey *s, size_t a, size_t b)
{
	size_t len = folder_len(s, a);

	return len == folder_len(s, b) &&
	       memcmp(s->obs->files[a].file->path, s->obs->files[b].file->path, len) ==
	               0;
}

/* Is the file where it was? Else it is asked about by its handle. */
static bool is_in_place(const struct spg_survey *s, size_t index)
{
	const struct spg_seen_file *seen = &s->obs->files[index];

	return seen->presence == SPG_PRESENT &&
	       spg_linux_file(seen->file)->class != SPG_FS_FOREIGN;
}

/* Ask the kernel about the files [@first, @end), of one directory and in their places,
 * and take over the answers. */
static int probe_together(struct spg_survey *s, size_t first, size_t end)
{
	size_t n = end - first;
	struct spg_linux_file **files = calloc(n, sizeof(struct spg_linux_file *));
	struct spg_in_use_result *results = calloc(n, sizeof(*results));
	struct spg_buf dir = SPG_BUF_NULL;
	int r = files && results ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		files[i] = spg_linux_file(s->obs->files[first + i].file);
	if (r == 0) {
		spg_buf_add(
			&dir, s->obs->files[first].file->path, folder_len(s, first));
		r = dir.failed ? SPG_ERR_NOMEM
		               : spg_in_use_probe_in_time(
					 spg_buf_text(&dir), files, n, results);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = spg_survey_take_in_use(s, first + i, &results[i]);
	spg_buf_finish(&dir);
	free(results);
	free(files);
	return r;
}

/* Ask the kernel about one file, and take over the answer. */
static int probe(struct spg_survey *s, size_t index)
{
	struct spg_seen_file *seen = &s->obs->files[index];
	struct spg_linux_file *file = spg_linux_file(seen->file);
	struct spg_in_use_result result;

	if (file->class == SPG_FS_FOREIGN) {
		seen->in_use = SPG_IN_USE_UNKNOWN; /* the walk said why */
		return 0;
	}
	if (is_in_place(s, index))
		return probe_together(s, index, index + 1);
	/* An old version that is still shown somewhere has not gone. */
	seen->kept = seen->presence == SPG_REPLACED &&
	             spg_file_mounts_has(s->file_mounts, seen->file);
	result = spg_in_use_probe(
		file, seen->presence == SPG_REPLACED ? s->tools->mounts : NULL);
	if (seen->presence == SPG_REPLACED && !result.gone &&
		spg_file_mounts_hide(s->file_mounts))
		seen->kept = true; /* until it is looked for */
	return spg_survey_take_in_use(s, index, &result);
}

static int probe_all(struct spg_survey *s)
{
	int r = spg_file_mounts_find(s);

	for (size_t i = 0, end; r == 0 && i < s->obs->n_files; i = end) {
		end = i + 1;
		if (s->obs->files[i].presence == SPG_GONE)
			continue;
		while (is_in_place(s, i) && end < s->obs->n_files &&
			end - i < TOGETHER_MAX && is_in_place(s, end) &&
			shares_folder(s, i, end))
			end++;
		r = end - i > 1 ? probe_together(s, i, end) : probe(s, i);
		if (r == 0 && spg_survey_is_cancelled(s))
			r = SPG_ERR_TIMEOUT;
	}
	return r;
}

static int search(struct spg_survey *s)
{
	struct spg_user_search *a = &s->search;
	size_t n_before = s->obs->n_files;
	int r;

	spg_survey_drop_uses(s);
	spg_user_search_finish(a);
	*a = (struct spg_user_search){.obs = s->obs,
		.targets = s->targets,
		.reader = &s->tools->reader,
		.mounts = s->tools->mounts,
		.own_pids = s->tools->own_pids,
		.cancel = s->request->cancel,
		.find_deleted = spg_survey_must_find_deleted(s) ? &s->deleted : NULL};
	r = spg_find_users(a);
	for (size_t i = n_before; r == 0 && i < s->obs->n_files; i++)
		r = probe(s, i);
	return r;
}

/* True when a lack says why file @index could not be asked about, or when the
 * search itself was not complete: then nothing is known. */
static bool is_lacking(const struct spg_survey *s, size_t index)
{
	for (size_t i = 0; i < s->obs->n_lacks; i++)
		if (s->obs->lacks[i].file == index)
			return true;
	return s->search.n_failed > 0;
}

/* A guard has a file open for the moment in which it answers for it. */
static int probe_past_guards(struct spg_survey *s, size_t index)
{
	const struct timespec moment = {.tv_nsec = GUARD_MOMENT_NS};
	int r = probe(s, index);

	for (int i = 0; r == 0 && i < GUARD_TRIES &&
			s->obs->files[index].in_use == SPG_IN_USE_YES &&
			spg_own_pids_any(s->tools->own_pids);
		i++) {
		(void)nanosleep(&moment, NULL);
		r = probe(s, index);
	}
	return r;
}

/*
 * The counts, as far as one bit goes: a file that is busy has a holder, a file that
 * is free has none. Where they differ, things moved between in-use probe and search:
 * ask again. Returns 1 when a busy file is left without a holder.
 */
static int close_census(struct spg_survey *s, bool final)
{
	size_t *counts = spg_survey_count_uses(s);
	int r = 0, open_ends = 0;

	if (!counts)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];

		if (seen->presence == SPG_GONE) {
			spg_survey_forget_uses(s, i);
			continue;
		}
		if ((seen->in_use == SPG_IN_USE_YES && counts[i] == 0) ||
			(seen->in_use == SPG_IN_USE_NO && counts[i] > 0))
			r = probe_past_guards(s, i);
		if (seen->in_use == SPG_IN_USE_NO || seen->presence == SPG_GONE) {
			spg_survey_forget_uses(s, i);
		} else if (seen->in_use == SPG_IN_USE_YES && counts[i] == 0) {
			open_ends = 1;
			if (final && spg_own_pids_any(s->tools->own_pids))
				r = spg_survey_leave_to_guard(s, i);
			else
				seen->unattributed = final;
		} else if (final && seen->presence == SPG_REPLACED && counts[i] == 0 &&
			   seen->in_use == SPG_IN_USE_UNKNOWN && !seen->kept &&
			   !is_lacking(s, i)) {
			/* No handle to ask by, and nobody shows it. */
			seen->presence = SPG_GONE;
		} else if (seen->presence == SPG_REPLACED && counts[i] == 0 &&
			   seen->in_use == SPG_IN_USE_UNKNOWN) {
			open_ends = 1;
		}
	}
	free(counts);
	return r < 0 ? r : open_ends;
}

static int find_users(struct spg_survey *s)
{
	int r = search(s);

	if (r == 0)
		r = close_census(s, false);
	if (r == 1) {
		r = search(s);
		if (r == 0)
			r = close_census(s, true);
	}
	return r < 0 ? r : 0;
}

/* True when a verdict depends on whether there are holders nobody shows: a busy
 * file has none that blocks. */
static bool must_rule_out(const struct spg_observation *obs)
{
	bool *blocked = calloc(obs->n_files + 1, sizeof(*blocked));
	bool must = false;

	if (!blocked)
		return true;
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].how &&
			spg_use_classify(obs->product, obs->uses[i].process) ==
				SPG_CLASS_BLOCKER)
			blocked[obs->uses[i].file] = true;
	for (size_t i = 0; i < obs->n_files; i++)
		must = must ||
		       (obs->files[i].in_use == SPG_IN_USE_YES &&
			       obs->files[i].presence != SPG_GONE && !blocked[i]);
	free(blocked);
	return must;
}

static int read_locks(struct spg_survey *s)
{
	int r = spg_locks_read(&s->search);

	if (r == SPG_ERR_DENIED || r == SPG_ERR_IO || r == SPG_ERR_NOT_FOUND)
		return spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_LOCKS,
				.file = SPG_NO_FILE,
				.blinds = true,
				.remedy = {"let the daemon read /proc/locks (no "
					   "ProcSubset=pid)",
					NULL}},
			"/proc/locks cannot be read: %s", spg_err_text(r));
	return r;
}

/* Of those who are known to use the files. */
static int read_locks_only(struct spg_survey *s)
{
	const struct spg_survey_scope *scope = s->request->scope;
	int r;

	s->search = (struct spg_user_search){.obs = s->obs,
		.targets = s->targets,
		.reader = &s->tools->reader,
		.mounts = s->tools->mounts,
		.cancel = s->request->cancel};
	r = spg_find_users_among(&s->search, scope->holders, scope->n_holders);
	return r == 0 ? read_locks(s) : r;
}

static int find_hidden(struct spg_survey *s)
{
	return must_rule_out(s->obs) ? spg_hidden_search(&s->search) : 0;
}

static void finish(struct spg_survey *s)
{
	spg_file_mounts_destroy(s->file_mounts);
	s->file_mounts = NULL;
}

const struct spg_survey_way spg_survey_by_lease = {
	.probe_all = probe_all,
	.probe = probe,
	.find_users = find_users,
	.read_locks = read_locks,
	.read_locks_only = read_locks_only,
	.find_hidden = find_hidden,
	.find_keepers = spg_keepers_find_lease,
	.finish = finish,
};
