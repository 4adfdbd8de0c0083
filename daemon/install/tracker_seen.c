/* SPDX-License-Identifier: MIT */
/* What surveys and others see to be otherwise than the tracker has read it: no event told
 * of that, so it gives reason to look. */
#include <string.h>

#include "common/text.h"
#include "daemon/install/aside.h"
#include "daemon/install/track.h"
#include "daemon/install/tracker.h"

/* FNV-1a, 64 bits */
#define FOLD_BEGIN UINT64_C(0xcbf29ce484222325)
#define FOLD_PRIME UINT64_C(0x100000001b3)

static uint64_t fold(uint64_t to, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < n; i++)
		to = (to ^ at[i]) * FOLD_PRIME;
	return to;
}

/* What says that a file is another one, or has been written. */
struct stamp {
	uint64_t dev, ino, bytes;
	int64_t mtime_ns, ctime_ns;
};

static struct stamp stamp_of(const struct spg_seen_file *seen)
{
	return (struct stamp){seen->file->id.dev, seen->file->id.ino, seen->bytes,
		seen->mtime_ns, seen->ctime_ns};
}

static bool is_as_read(const struct spg_module *module, const struct stamp *stamp)
{
	/* Of what could not be opened, nothing was read that may have changed. */
	return module->ctime_ns == 0 ||
	       (module->id.dev == stamp->dev && module->id.ino == stamp->ino &&
		       module->size == stamp->bytes &&
		       module->mtime_ns == stamp->mtime_ns &&
		       module->ctime_ns == stamp->ctime_ns);
}

/* Whoever could write to it when it was read, and still can, may do so for years: a
 * database that is mapped. */
static bool is_still_written(const struct spg_observation *obs, size_t index)
{
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].file == index &&
			(obs->uses[i].how & (SPG_USE_WRITE | SPG_USE_MAPPED)))
			return true;
	return false;
}

/* What was written after it was read, while somebody could, no time tells. */
static bool is_known(const struct spg_module *module, const struct stamp *stamp,
	const struct spg_observation *obs, size_t index)
{
	return module->written ? is_still_written(obs, index)
	                       : is_as_read(module, stamp);
}

/* Those that are not as they were read, as a number; 0: all are. */
static uint64_t what_differs(
	const struct spg_track *s, const struct spg_observation *obs)
{
	uint64_t all = FOLD_BEGIN;

	for (size_t i = 0; i < obs->n_files; i++) {
		const struct spg_seen_file *seen = &obs->files[i];
		const char *path = seen->file->path;
		struct stamp stamp = stamp_of(seen);
		const struct spg_module *module;

		/* Without times nobody has looked at what is there; what is mounted over
		 * a file is not the file. */
		if (seen->presence != SPG_PRESENT || seen->ctime_ns == 0 ||
			(seen->obstacles & SPG_OBSTACLE_BIT(SPG_OBSTACLE_MOUNT_POINT)))
			continue;
		module = spg_module_set_find(s->installed, path);
		if (module ? is_known(module, &stamp, obs, i)
			   : !spg_product_has_path(obs->product, path))
			continue;
		all = fold(fold(all, path, strlen(path) + 1), &stamp, sizeof(stamp));
	}
	return all == FOLD_BEGIN ? 0 : all;
}

/* While an install runs, its end finds out; before the first look nothing is known. */
static bool can_compare(const struct spg_track *s)
{
	return s && s->phase == PHASE_IDLE && s->installed && !s->from_before &&
	       !s->tracker->stopping && spg_track_index(s) >= 0;
}

/* What it is has been found out. */
static void end_doubt(struct spg_track *s)
{
	s->noticed = 0;
	if (!s->doubted)
		return;
	s->doubted = false;
	spg_track_tell(s);
}

void spg_tracker_note_survey(
	struct spg_tracker *tracker, const struct spg_observation *obs)
{
	struct spg_track *s = spg_track_find(tracker, obs->product->name);
	bool looks = s && (s->looking || s->reading_installed);
	uint64_t differs;

	if (!can_compare(s))
		return;
	differs = what_differs(s, obs);
	if (differs == 0 && !looks && obs->depth == SPG_SURVEY_FULL)
		end_doubt(s);
	if (differs == 0 || differs == s->settled || (looks && differs == s->noticed))
		return;
	s->noticed = differs;
	spg_tracker_look(tracker, s->product);
}

bool spg_tracker_compare(
	struct spg_tracker *tracker, const char *product, struct spg_module_set *set)
{
	struct spg_track *s = spg_track_find(tracker, product);
	struct spg_module_set *now;
	bool differs;

	if (s && s->install && s->unseen)
		return true;
	if (!can_compare(s) || spg_track_lacks_directory(s))
		return false;
	now = spg_aside_put_back(set, spg_track_standing(s), s->installed);
	differs = now && spg_module_set_differs(s->installed, now);
	spg_module_set_unref(now);
	if (differs)
		spg_tracker_look(tracker, product);
	return differs;
}

bool spg_tracker_is_behind(const struct spg_tracker *tracker, const char *product)
{
	const struct spg_track *s = spg_track_find(tracker, product);

	return s && (s->install ? s->unseen : s->noticed != 0);
}

void spg_tracker_doubt(struct spg_tracker *tracker, const char *product)
{
	struct spg_track *s = spg_track_find(tracker, product);

	if (!s || !spg_tracker_is_behind(tracker, product) || s->doubted)
		return;
	s->doubted = true;
	spg_track_tell(s);
}

void spg_track_looked(struct spg_track *s)
{
	if (s->reading_installed || s->looking || s->noticed == 0)
		return;
	s->settled = s->noticed;
	end_doubt(s);
}
