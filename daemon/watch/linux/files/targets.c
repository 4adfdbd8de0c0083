/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/targets.h"

#include <stdlib.h>

#include "common/err.h"
#include "daemon/watch/linux/files/layer.h"

struct slot {
	uint64_t dev, ino;
	size_t file; /* SPG_NO_FILE: empty */
	enum spg_key_space space;
};

/* Open addressing with linear probing; never more than half full. */
struct spg_targets {
	struct slot *slots;
	size_t n, size; /* size: a power of two */
};

static size_t hash(enum spg_key_space space, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev << 32 ^ dev >> 16 ^ (uint64_t)space << 7) *
	             0x9e3779b97f4a7c15u;

	return (size_t)(h >> 20);
}

static void put(struct slot *slots, size_t size, const struct slot *slot)
{
	size_t i = hash(slot->space, slot->dev, slot->ino) & (size - 1);

	while (slots[i].file != SPG_NO_FILE)
		i = (i + 1) & (size - 1);
	slots[i] = *slot;
}

static int grow(struct spg_targets *targets, size_t size)
{
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < size; i++)
		slots[i].file = SPG_NO_FILE;
	for (size_t i = 0; i < targets->size; i++)
		if (targets->slots[i].file != SPG_NO_FILE)
			put(slots, size, &targets->slots[i]);
	free(targets->slots);
	targets->slots = slots;
	targets->size = size;
	return 0;
}

static int insert(struct spg_targets *targets, enum spg_key_space space, uint64_t dev,
	uint64_t ino, size_t file)
{
	struct slot slot = {.dev = dev, .ino = ino, .file = file, .space = space};
	size_t cursor = 0, found;

	/* Layers of one file often share a key. */
	while ((found = spg_targets_find(targets, space, dev, ino, &cursor)) !=
		SPG_NO_FILE)
		if (found == file)
			return 0;
	if (2 * (targets->n + 1) > targets->size &&
		grow(targets, targets->size * 2) < 0)
		return SPG_ERR_NOMEM;
	put(targets->slots, targets->size, &slot);
	targets->n++;
	return 0;
}

int spg_targets_add(
	struct spg_targets *targets, const struct spg_file *base, size_t index)
{
	const struct spg_linux_file *file = (const struct spg_linux_file *)base;
	int r;

	r = insert(targets, SPG_KEY_STAT, base->id.dev, base->id.ino, index);
	if (r == 0)
		r = insert(targets, SPG_KEY_SB, file->sdev, base->id.ino, index);
	for (size_t i = 0; r == 0 && i < file->n_layers; i++) {
		const struct spg_layer *layer = &file->layers[i];

		r = insert(targets, SPG_KEY_STAT, layer->id.dev, layer->id.ino, index);
		if (r == 0)
			r = insert(
				targets, SPG_KEY_SB, layer->sdev, layer->id.ino, index);
		/* An overlay's inode has its real one's number, unless told
		 * otherwise (fs/overlayfs/inode.c, ovl_map_ino). */
		if (r == 0)
			r = insert(
				targets, SPG_KEY_SB, file->sdev, layer->id.ino, index);
	}
	return r;
}

struct spg_targets *spg_targets_create(const struct spg_observation *obs)
{
	struct spg_targets *targets = calloc(1, sizeof(*targets));
	size_t size = 64;

	if (!targets)
		return NULL;
	while (size < 4 * obs->n_files)
		size *= 2;
	if (grow(targets, size) < 0)
		goto fail;
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE &&
			spg_targets_add(targets, obs->files[i].file, i) < 0)
			goto fail;
	return targets;
fail:
	spg_targets_destroy(targets);
	return NULL;
}

void spg_targets_destroy(struct spg_targets *targets)
{
	if (!targets)
		return;
	free(targets->slots);
	free(targets);
}

size_t spg_targets_find(const struct spg_targets *targets, enum spg_key_space space,
	uint64_t dev, uint64_t ino, size_t *cursor)
{
	size_t start = hash(space, dev, ino) & (targets->size - 1);

	for (size_t n = *cursor;; n++) {
		const struct slot *slot =
			&targets->slots[(start + n) & (targets->size - 1)];

		if (slot->file == SPG_NO_FILE)
			return SPG_NO_FILE;
		if (slot->ino == ino && slot->dev == dev && slot->space == space) {
			*cursor = n + 1;
			return slot->file;
		}
	}
}
