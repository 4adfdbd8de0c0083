/* SPDX-License-Identifier: MIT */
#include "daemon/model/hints.h"

/* FNV-1a; a collision only dates a use a little wrong. */
static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash;
}

void spg_hints_add(struct spg_hints *hints, const char *path, int32_t pid,
	uint32_t kinds, int64_t at_ns)
{
	hints->ring[hints->next++ % SPG_HINTS] =
		(struct spg_hint){.path_hash = hash_path(path),
			.at_ns = at_ns,
			.pid = pid,
			.kinds = kinds};
}

int64_t spg_hints_last(const struct spg_hints *hints, const char *path, int32_t pid,
	uint32_t kinds, int64_t after_ns, int64_t otherwise)
{
	uint64_t hash = hash_path(path);
	int64_t last = 0;

	for (unsigned i = 0; i < SPG_HINTS; i++) {
		const struct spg_hint *hint = &hints->ring[i];

		if ((hint->pid == pid || pid == SPG_ANY_PID) &&
			hint->path_hash == hash && (hint->kinds & kinds) &&
			hint->at_ns >= after_ns && hint->at_ns > last)
			last = hint->at_ns;
	}
	return last ? last : otherwise;
}
