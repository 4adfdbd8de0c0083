/* SPDX-License-Identifier: MIT */
#include "daemon/install/elf/outside.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"

static int64_t ns_of(struct timespec time)
{
	return time.tv_sec * SPG_NS_PER_S + time.tv_nsec;
}

static size_t bytes_of(const struct spg_module *module)
{
	return sizeof(*module) + strlen(module->path) +
	       (module->binary ? module->binary->bytes : 0);
}

/* Where @path is or would be. */
static size_t position(const struct spg_outside *outside, const char *path)
{
	size_t low = 0, high = outside->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(outside->known[middle]->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct spg_module *spg_outside_find(
	const struct spg_outside *outside, const char *path, const struct stat *st)
{
	size_t at = position(outside, path);
	struct spg_module *module = at < outside->n ? outside->known[at] : NULL;

	return module && strcmp(module->path, path) == 0 &&
	                       module->id.dev == st->st_dev &&
	                       module->id.ino == st->st_ino &&
	                       module->size == (uint64_t)st->st_size &&
	                       module->mtime_ns == ns_of(st->st_mtim) &&
	                       module->ctime_ns == ns_of(st->st_ctim)
	               ? module
	               : NULL;
}

static void forget(struct spg_outside *outside, size_t at)
{
	outside->bytes -= bytes_of(outside->known[at]);
	spg_module_unref(outside->known[at]);
	outside->n--;
	memmove(outside->known + at, outside->known + at + 1,
		(outside->n - at) * sizeof(struct spg_module *));
}

void spg_outside_keep(
	struct spg_outside *outside, struct spg_module *module, const struct stat *st)
{
	size_t at = position(outside, module->path), bytes;

	module->size = (uint64_t)st->st_size;
	module->mtime_ns = ns_of(st->st_mtim);
	module->ctime_ns = ns_of(st->st_ctim);
	if (at < outside->n && strcmp(outside->known[at]->path, module->path) == 0)
		forget(outside, at);
	bytes = bytes_of(module);
	if (outside->bytes + bytes > SPG_OUTSIDE_BYTES_MAX ||
		spg_array_reserve(&outside->known, outside->n, &outside->size,
			sizeof(struct spg_module *)) < 0)
		return;
	memmove(outside->known + at + 1, outside->known + at,
		(outside->n - at) * sizeof(struct spg_module *));
	outside->known[at] = spg_module_ref(module);
	outside->n++;
	outside->bytes += bytes;
}

void spg_outside_finish(struct spg_outside *outside)
{
	for (size_t i = 0; i < outside->n; i++)
		spg_module_unref(outside->known[i]);
	free(outside->known);
	*outside = (struct spg_outside){0};
}
