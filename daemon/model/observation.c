/* SPDX-License-Identifier: MIT */
#include "daemon/model/observation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

struct spg_observation *spg_observation_create(
	struct spg_product *product, enum spg_survey_depth depth)
{
	struct spg_observation *obs = calloc(1, sizeof(*obs));

	if (!obs)
		return NULL;
	obs->product = spg_product_ref(product);
	obs->depth = depth;
	return obs;
}

static void finish_keeper(struct spg_seen_keeper *keeper)
{
	spg_process_unref(keeper->process);
	free(keeper->place);
}

void spg_observation_drop_mounts_at(
	struct spg_observation *obs, size_t index, const char *place)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_keepers; i++) {
		struct spg_seen_keeper *keeper = &obs->keepers[i];

		if (keeper->file == index && keeper->kind == SPG_KEEPER_MOUNT &&
			keeper->here && keeper->place &&
			strcmp(keeper->place, place) == 0)
			finish_keeper(keeper);
		else
			obs->keepers[n++] = *keeper;
	}
	obs->n_keepers = n;
}

static int add_state(struct spg_observation *obs, struct spg_process *process)
{
	int r;

	/* The uses of one process mostly follow each other. */
	if (!process || (obs->n_states > 0 &&
				obs->states[obs->n_states - 1].process == process))
		return 0;
	r = spg_array_reserve(
		&obs->states, obs->n_states, &obs->size_states, sizeof(*obs->states));
	if (r < 0)
		return r;
	obs->states[obs->n_states++] =
		(struct spg_seen_state){.process = spg_process_ref(process)};
	return 0;
}

static int order_by_pid(const void *va, const void *vb)
{
	const struct spg_seen_state *a = va, *b = vb;
	int32_t pa = a->process->id.pid, pb = b->process->id.pid;

	return (pa > pb) - (pa < pb);
}

int spg_observation_list_states(struct spg_observation *obs)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_uses; i++)
		r = add_state(obs, obs->uses[i].process);
	for (size_t i = 0; r == 0 && i < obs->n_locks; i++)
		r = add_state(obs, obs->locks[i].process);
	for (size_t i = 0; r == 0 && i < obs->n_keepers; i++)
		r = add_state(obs, obs->keepers[i].process);
	if (r < 0 || obs->n_states == 0)
		return r;
	qsort(obs->states, obs->n_states, sizeof(*obs->states), order_by_pid);
	for (size_t i = 0; i < obs->n_states; i++) {
		if (n > 0 && order_by_pid(&obs->states[n - 1], &obs->states[i]) == 0)
			spg_process_unref(obs->states[i].process);
		else
			obs->states[n++] = obs->states[i];
	}
	obs->n_states = n;
	return 0;
}

static const struct spg_seen_state *find_state(
	const struct spg_observation *obs, int32_t pid)
{
	size_t first = 0, n = obs->n_states;

	while (n > 0) {
		size_t half = n / 2;
		int32_t here = obs->states[first + half].process->id.pid;

		if (here == pid)
			return &obs->states[first + half];
		if (here < pid) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return NULL;
}

const struct spg_process *spg_observation_process(
	const struct spg_observation *obs, int32_t pid)
{
	const struct spg_seen_state *found = find_state(obs, pid);

	return found ? found->process : NULL;
}

const struct spg_process_state *spg_observation_state(
	const struct spg_observation *obs, const struct spg_process *process)
{
	static const struct spg_process_state unknown = {.looked = false};
	const struct spg_seen_state *found = find_state(obs, process->id.pid);

	return found && spg_proc_id_equal(found->process->id, process->id)
	               ? &found->state
	               : &unknown;
}

void spg_observation_drop_keepers(struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_keepers; i++)
		finish_keeper(&obs->keepers[i]);
	obs->n_keepers = 0;
}

static void finish_mount(struct spg_seen_mount *mount)
{
	free(mount->place);
	free(mount->type);
	free(mount->device);
}

void spg_observation_destroy(struct spg_observation *obs)
{
	if (!obs)
		return;
	for (size_t i = 0; i < obs->n_files; i++)
		spg_file_unref(obs->files[i].file);
	for (size_t i = 0; i < obs->n_uses; i++)
		spg_process_unref(obs->uses[i].process);
	spg_observation_drop_keepers(obs);
	for (size_t i = 0; i < obs->n_kernel_users; i++)
		free(obs->kernel_users[i].place);
	for (size_t i = 0; i < obs->n_pasts; i++) {
		spg_file_unref(obs->pasts[i].file);
		spg_process_unref(obs->pasts[i].process);
		spg_process_unref(obs->pasts[i].starter);
	}
	spg_bystanders_finish(&obs->bystanders);
	for (size_t i = 0; i < obs->n_locks; i++)
		spg_process_unref(obs->locks[i].process);
	for (size_t i = 0; i < obs->n_mounts; i++)
		finish_mount(&obs->mounts[i]);
	for (size_t i = 0; i < obs->n_folders; i++) {
		free(obs->folders[i].path);
		free(obs->folders[i].bar);
	}
	for (size_t i = 0; i < obs->n_lacks; i++)
		spg_lack_finish(&obs->lacks[i]);
	for (size_t i = 0; i < obs->n_missing; i++)
		free(obs->missing[i]);
	free(obs->missing);
	free(obs->mounts);
	free(obs->folders);
	for (size_t i = 0; i < obs->n_states; i++) {
		spg_process_unref(obs->states[i].process);
		spg_process_state_finish(&obs->states[i].state);
	}
	free(obs->states);
	free(obs->files);
	free(obs->uses);
	free(obs->keepers);
	free(obs->kernel_users);
	free(obs->pasts);
	free(obs->locks);
	free(obs->lacks);
	free(obs->hidden_why);
	spg_product_unref(obs->product);
	free(obs);
}

int spg_observation_add_missing(struct spg_observation *obs, const char *place)
{
	int r = spg_array_reserve(&obs->missing, obs->n_missing, &obs->size_missing,
		sizeof(*obs->missing));
	char *copy = r < 0 ? NULL : strdup(place);

	if (!copy)
		return SPG_ERR_NOMEM;
	obs->missing[obs->n_missing++] = copy;
	return 0;
}

int spg_observation_add_file(struct spg_observation *obs, struct spg_file *file,
	enum spg_presence presence, enum spg_in_use in_use)
{
	int r = spg_array_reserve(
		&obs->files, obs->n_files, &obs->size_files, sizeof(*obs->files));

	if (r < 0)
		return r;
	obs->files[obs->n_files++] = (struct spg_seen_file){.file = spg_file_ref(file),
		.presence = presence,
		.in_use = in_use,
		.folder = SPG_NO_FILE};
	return 0;
}

int spg_observation_add_use(struct spg_observation *obs, size_t file,
	struct spg_process *process, unsigned how)
{
	int r = spg_array_reserve(
		&obs->uses, obs->n_uses, &obs->size_uses, sizeof(*obs->uses));

	if (r < 0)
		return r;
	obs->uses[obs->n_uses++] = (struct spg_seen_use){
		.file = file, .process = spg_process_ref(process), .how = how};
	return 0;
}

int spg_observation_add_lock(
	struct spg_observation *obs, const struct spg_seen_lock *lock)
{
	int r = spg_array_reserve(
		&obs->locks, obs->n_locks, &obs->size_locks, sizeof(*obs->locks));

	if (r < 0)
		return r;
	obs->locks[obs->n_locks] = *lock;
	spg_process_ref(lock->process);
	obs->n_locks++;
	return 0;
}

int spg_observation_add_kernel_user(
	struct spg_observation *obs, const struct spg_seen_kernel_user *user)
{
	int r = spg_array_reserve(&obs->kernel_users, obs->n_kernel_users,
		&obs->size_kernel_users, sizeof(*obs->kernel_users));
	char *place = r == 0 ? strdup(user->place) : NULL;

	if (!place)
		return SPG_ERR_NOMEM;
	obs->kernel_users[obs->n_kernel_users] = *user;
	obs->kernel_users[obs->n_kernel_users++].place = place;
	return 0;
}

int spg_observation_add_past(
	struct spg_observation *obs, const struct spg_seen_past *past)
{
	int r = spg_array_reserve(
		&obs->pasts, obs->n_pasts, &obs->size_pasts, sizeof(*obs->pasts));

	if (r < 0)
		return r;
	spg_file_ref(past->file);
	spg_process_ref(past->process);
	spg_process_ref(past->starter);
	obs->pasts[obs->n_pasts++] = *past;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_process(const struct spg_process *a, const struct spg_process *b)
{
	return a == b || (a && b && spg_proc_id_equal(a->id, b->id));
}

int spg_observation_add_keeper(
	struct spg_observation *obs, const struct spg_seen_keeper *keeper)
{
	struct spg_seen_keeper copy = *keeper;

	for (size_t i = 0; i < obs->n_keepers; i++) {
		const struct spg_seen_keeper *known = &obs->keepers[i];

		if (known->file == keeper->file && known->kind == keeper->kind &&
			known->here == keeper->here &&
			same_process(known->process, keeper->process) &&
			same_text(known->place, keeper->place))
			return 0;
	}
	if (spg_array_reserve(&obs->keepers, obs->n_keepers, &obs->size_keepers,
		    sizeof(*obs->keepers)) < 0)
		return SPG_ERR_NOMEM;
	copy.place = keeper->place ? strdup(keeper->place) : NULL;
	if (keeper->place && !copy.place)
		return SPG_ERR_NOMEM;
	spg_process_ref(copy.process);
	obs->keepers[obs->n_keepers++] = copy;
	return 0;
}

int spg_observation_add_mount(
	struct spg_observation *obs, const struct spg_seen_mount *mount)
{
	struct spg_seen_mount copy = *mount;

	copy.place = strdup(mount->place);
	copy.type = strdup(mount->type);
	copy.device = mount->device ? strdup(mount->device) : NULL;
	if (!copy.place || !copy.type || (mount->device && !copy.device) ||
		spg_array_reserve(&obs->mounts, obs->n_mounts, &obs->size_mounts,
			sizeof(*obs->mounts)) < 0) {
		finish_mount(&copy);
		return SPG_ERR_NOMEM;
	}
	obs->mounts[obs->n_mounts++] = copy;
	return 0;
}

int spg_observation_add_folder(
	struct spg_observation *obs, const struct spg_seen_folder *folder)
{
	struct spg_seen_folder copy = *folder;

	copy.path = strdup(folder->path);
	copy.bar = folder->bar ? strdup(folder->bar) : NULL;
	if (!copy.path || (folder->bar && !copy.bar) ||
		spg_array_reserve(&obs->folders, obs->n_folders, &obs->size_folders,
			sizeof(*obs->folders)) < 0) {
		free(copy.path);
		free(copy.bar);
		return SPG_ERR_NOMEM;
	}
	obs->folders[obs->n_folders++] = copy;
	return 0;
}

bool spg_keeper_matters(
	const struct spg_observation *obs, const struct spg_seen_keeper *keeper)
{
	bool old = obs->files[keeper->file].presence == SPG_REPLACED;
	enum spg_replacement replacement = obs->product->replacement;

	/* What is written from now on goes into another file. */
	if (keeper->kind == SPG_KEEPER_PROBE)
		return !old && replacement != SPG_REPLACE_BY_RENAME;
	return old || replacement != SPG_REPLACE_IN_PLACE;
}

enum spg_use_how spg_keeper_how(enum spg_keeper_kind kind)
{
	switch (kind) {
	case SPG_KEEPER_PROBE:
		return SPG_USE_PROBED;
	case SPG_KEEPER_MOUNT:
	case SPG_KEEPER_DETACHED:
		return SPG_USE_MOUNTED;
	case SPG_KEEPER_LAYER:
		break;
	}
	return SPG_USE_LAYER;
}

void spg_lack_finish(struct spg_lack *lack)
{
	free((char *)lack->path);
	free((char *)lack->what);
	free((char *)lack->why);
	free((char *)lack->remedy.text);
}

int spg_lack_copy(const struct spg_lack *lack, struct spg_lack *ret)
{
	struct spg_lack copy = *lack;

	copy.path = lack->path ? strdup(lack->path) : NULL;
	copy.what = strdup(lack->what ? lack->what : spg_lack_kind_what(lack->kind));
	copy.why = strdup(lack->why);
	copy.remedy.text = strdup(lack->remedy.text);
	if ((lack->path && !copy.path) || !copy.what || !copy.why ||
		!copy.remedy.text) {
		spg_lack_finish(&copy);
		return SPG_ERR_NOMEM;
	}
	*ret = copy;
	return 0;
}

int spg_observation_add_lack(
	struct spg_observation *obs, const struct spg_lack *lack, const char *why, ...)
{
	struct spg_lack with = *lack;
	char *words = NULL;
	va_list args;
	int n, r;

	r = spg_array_reserve(
		&obs->lacks, obs->n_lacks, &obs->size_lacks, sizeof(*obs->lacks));
	if (r < 0)
		return r;
	va_start(args, why);
	n = vasprintf(&words, why, args);
	va_end(args);
	if (n < 0)
		return SPG_ERR_NOMEM;
	with.why = words;
	if (lack->file != SPG_NO_FILE)
		with.path = obs->files[lack->file].file->path;
	r = spg_lack_copy(&with, &obs->lacks[obs->n_lacks]);
	obs->n_lacks += r == 0;
	free(words);
	return r;
}

bool spg_observation_is_complete(const struct spg_observation *obs)
{
	for (size_t i = 0; i < obs->n_lacks; i++)
		if (obs->lacks[i].blinds)
			return false;
	return true;
}
