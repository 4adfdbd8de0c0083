/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static int order_ids(struct spg_proc_id a, struct spg_proc_id b)
{
	if (a.pid != b.pid)
		return a.pid < b.pid ? -1 : 1;
	return (a.start > b.start) - (a.start < b.start);
}

static int order(const void *a, const void *b)
{
	const struct spg_pair *x = a, *y = b;
	int by_process = order_ids(x->process->id, y->process->id);

	return by_process ? by_process : strcmp(x->file->path, y->file->path);
}

static int order_files(const void *a, const void *b)
{
	return strcmp((*(struct spg_file *const *)a)->path,
		(*(struct spg_file *const *)b)->path);
}

void spg_pairs_finish(struct spg_pairs *pairs)
{
	while (pairs->n > 0) {
		pairs->n--;
		spg_file_unref(pairs->items[pairs->n].file);
		spg_process_unref(pairs->items[pairs->n].process);
	}
	while (pairs->n_files > 0)
		spg_file_unref(pairs->files[--pairs->n_files]);
	free(pairs->items);
	free(pairs->files);
	*pairs = (struct spg_pairs)SPG_PAIRS_NULL;
}

/* A record that is there already, with a reference; or NULL. */
static struct spg_process *find_record(
	const struct spg_pairs *pairs, struct spg_proc_id id)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (spg_proc_id_equal(pairs->items[i].process->id, id))
			return spg_process_ref(pairs->items[i].process);
	return NULL;
}

/* Of one that has ended meanwhile nothing is taken. */
static int add(struct spg_pairs *pairs, struct spg_file *file, int32_t pid,
	const struct spg_win_users *users, const struct spg_pairs *before)
{
	const struct spg_win_process *process =
		spg_win_processes_find(&users->processes, pid);
	struct spg_process *record;

	if (!process)
		return 0;
	record = find_record(pairs, process->id);
	if (!record)
		record = find_record(before, process->id);
	if (!record)
		record = spg_win_process_describe(process, &users->services);
	if (!record)
		return SPG_ERR_NOMEM;
	pairs->items[pairs->n++] =
		(struct spg_pair){.file = spg_file_ref(file), .process = record};
	return 0;
}

static void sort(struct spg_pairs *pairs)
{
	qsort(pairs->items, pairs->n, sizeof(*pairs->items), order);
	qsort(pairs->files, pairs->n_files, sizeof(struct spg_file *), order_files);
}

static bool has_file(const struct spg_pairs *pairs, struct spg_file *file)
{
	return bsearch(&file, pairs->files, pairs->n_files, sizeof(struct spg_file *),
		       order_files) != NULL;
}

/* Room for so many, where there is none yet. */
static int reserve(struct spg_pairs *pairs, size_t n, size_t n_files)
{
	*pairs = (struct spg_pairs)SPG_PAIRS_NULL;
	pairs->items = calloc(n + 1, sizeof(*pairs->items));
	pairs->files = calloc(n_files + 1, sizeof(struct spg_file *));
	if (pairs->items && pairs->files)
		return 0;
	spg_pairs_finish(pairs);
	return SPG_ERR_NOMEM;
}

static void put(
	struct spg_pairs *pairs, struct spg_file *file, struct spg_process *process)
{
	pairs->items[pairs->n++] = (struct spg_pair){
		.file = spg_file_ref(file), .process = spg_process_ref(process)};
}

int spg_pairs_of_survey(struct spg_pairs *pairs, const struct spg_observation *obs)
{
	int r = reserve(pairs, obs->n_uses, obs->n_files);

	if (r < 0)
		return r;
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE)
			pairs->files[pairs->n_files++] =
				spg_file_ref(obs->files[i].file);
	for (size_t i = 0; i < obs->n_uses; i++)
		put(pairs, obs->files[obs->uses[i].file].file, obs->uses[i].process);
	sort(pairs);
	return 0;
}

static void copy(struct spg_pairs *to, const struct spg_pairs *from,
	const struct spg_pairs *unless)
{
	for (size_t i = 0; i < from->n; i++)
		if (!unless || !has_file(unless, from->items[i].file))
			put(to, from->items[i].file, from->items[i].process);
	for (size_t i = 0; i < from->n_files; i++)
		if (!unless || !has_file(unless, from->files[i]))
			to->files[to->n_files++] = spg_file_ref(from->files[i]);
}

int spg_pairs_merge(struct spg_pairs *pairs, const struct spg_pairs *more)
{
	struct spg_pairs both;
	int r = reserve(&both, pairs->n + more->n, pairs->n_files + more->n_files);

	if (r < 0)
		return r;
	copy(&both, pairs, NULL);
	copy(&both, more, pairs->files ? pairs : NULL);
	sort(&both);
	spg_pairs_finish(pairs);
	*pairs = both;
	return 0;
}

int spg_pairs_make(struct spg_pairs *pairs, const struct spg_observation *obs,
	const struct spg_win_users *users, const struct spg_pairs *before)
{
	int r = reserve(pairs, users->n_uses, obs->n_files);

	for (size_t i = 0; r == 0 && i < obs->n_files; i++)
		pairs->files[pairs->n_files++] = spg_file_ref(obs->files[i].file);
	for (size_t i = 0; r == 0 && i < users->n_uses; i++)
		r = add(pairs, obs->files[users->uses[i].file].file, users->uses[i].pid,
			users, before);
	if (r < 0) {
		spg_pairs_finish(pairs);
		return r;
	}
	sort(pairs);
	return 0;
}

void spg_pairs_compare(const struct spg_pairs *before, const struct spg_pairs *after,
	void (*each)(void *user, const struct spg_pair *pair, bool began), void *user)
{
	size_t i = 0, k = 0;

	while (i < before->n || k < after->n) {
		int which = i == before->n ? 1
		            : k == after->n
		                    ? -1
		                    : order(&before->items[i], &after->items[k]);

		if (which < 0 && has_file(after, before->items[i].file))
			each(user, &before->items[i], false);
		if (which > 0 && has_file(before, after->items[k].file))
			each(user, &after->items[k], true);
		i += which <= 0;
		k += which >= 0;
	}
}
