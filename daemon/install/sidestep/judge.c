/* SPDX-License-Identifier: MIT */
#include "daemon/install/sidestep/judge.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/install/places.h"
#include "daemon/model/commands.h"
#include "daemon/model/obstacle.h"

static size_t find_present(const struct spg_observation *obs, const char *path)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_PRESENT &&
			strcmp(obs->files[i].file->path, path) == 0)
			return i;
	return SPG_NO_FILE;
}

static size_t find_id(const struct spg_observation *obs, struct spg_file_id id)
{
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence != SPG_GONE &&
			spg_file_id_equal(obs->files[i].file->id, id))
			return i;
	return SPG_NO_FILE;
}

static const struct spg_seen_use *find_use(
	const struct spg_observation *obs, size_t file, unsigned how)
{
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].file == file && (obs->uses[i].how & how))
			return &obs->uses[i];
	return NULL;
}

/* A service manager starts the program again by its name. Until setup has written
 * a new one, that would fail. */
static const struct spg_process *find_service(
	const struct spg_observation *obs, size_t file)
{
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].file == file &&
			(obs->uses[i].how & SPG_USE_EXECUTING) &&
			obs->uses[i].process->unit)
			return obs->uses[i].process;
	return NULL;
}

static bool is_held(const struct spg_observation *obs, size_t file)
{
	const struct spg_seen_file *seen = &obs->files[file];

	return seen->in_use != SPG_IN_USE_NO || seen->unattributed ||
	       find_use(obs, file, ~0U);
}

static bool has_several_names(const struct spg_observation *obs, size_t file)
{
	return obs->files[file].file->n_links > 1;
}

/* What is in setup's way is told instead of that nobody is. */
static bool is_obstructed(struct spg_sidestep *record,
	const struct spg_observation *obs, size_t file, struct spg_buf *why)
{
	record->obstacles = spg_obstacles_of(obs, file);
	if (record->obstacles || is_held(obs, file)) {
		unsigned to_rename = spg_obstacles_to_rename(obs, file);

		/* A held file that cannot be written to may be renamed. */
		if (to_rename || is_held(obs, file))
			record->obstacles = to_rename;
	}
	if (record->obstacles)
		spg_obstacles_tell(obs, file, record->obstacles, why);
	return record->obstacles != 0;
}

/* Does the service pack have a file for the place of @path? Without memory: one of its
 * name. */
static bool brings_new(const struct spg_observation *obs,
	const struct spg_expected *expected, const char *path)
{
	struct spg_expected_places places = SPG_EXPECTED_PLACES_NULL;
	const struct spg_place_choice *choice = NULL;
	const char **paths = calloc(obs->n_files + 1, sizeof(*paths));
	size_t n = 0, found;
	bool brings = spg_expected_find(expected, path, &found);

	for (size_t i = 0; paths && i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_PRESENT)
			paths[n++] = obs->files[i].file->path;
	if (brings && paths &&
		spg_places_make_of(&places, obs->product, expected, paths, n) == 0)
		choice = spg_expected_choice(&places, path, &found);
	if (choice)
		brings = choice->n > 0;
	spg_expected_places_finish(&places);
	free(paths);
	return brings;
}

bool spg_sidestep_may_apply(struct spg_sidestep *record,
	const struct spg_observation *obs, const struct spg_expected *expected,
	struct spg_buf *why)
{
	size_t file = find_present(obs, record->path);
	const struct spg_process *service;

	if (file == SPG_NO_FILE) {
		spg_buf_puts(why, "there is no such file: nothing is in setup's way");
		return false;
	}
	record->file = obs->files[file].file->id;
	if (is_obstructed(record, obs, file, why))
		return false;
	if (!is_held(obs, file)) {
		spg_buf_puts(why, "nobody holds it: setup can replace it as it is");
		return false;
	}
	if (expected && !brings_new(obs, expected, record->path)) {
		spg_buf_puts(why,
			"the service pack brings no new one: the application would be "
			"left without it");
		return false;
	}
	service = find_service(obs, file);
	if (service) {
		spg_text_escape(why, service->unit, false);
		spg_buf_puts(why,
			" runs it and would start it again by its name, which "
			"would be gone: stop the service instead: ");
		spg_command_put_service(
			why, SPG_SERVICE_STOP, service->unit_user, NULL, service->unit);
		return false;
	}
	if (!expected)
		spg_buf_puts(why,
			"no service pack was named (--payload): make sure that "
			"it brings a new one");
	else if (has_several_names(obs, file))
		spg_buf_puts(why, "the file has other names (hard links), which keep "
				  "the old version");
	return true;
}

bool spg_sidestep_may_undo(const struct spg_sidestep *record,
	const struct spg_observation *obs, struct spg_buf *why)
{
	if (record->state == SPG_SIDESTEP_PLANNED) {
		spg_buf_puts(why, "it is not done yet");
		return false;
	}
	if (find_present(obs, record->path) != SPG_NO_FILE) {
		spg_buf_puts(why, "setup has written a new file under its name: taking "
				  "the step back would bring the old version again");
		return false;
	}
	return true;
}

bool spg_sidestep_may_clean(const struct spg_sidestep *record,
	const struct spg_observation *obs, struct spg_buf *why)
{
	size_t file = find_id(obs, record->file);
	const struct spg_seen_use *use;

	if (record->state == SPG_SIDESTEP_PLANNED) {
		spg_buf_puts(why, "it is not done yet");
		return false;
	}
	if (find_present(obs, record->path) == SPG_NO_FILE) {
		spg_buf_puts(why, "there is no new file under its name yet: this is "
				  "the only one");
		return false;
	}
	if (file == SPG_NO_FILE && spg_observation_is_complete(obs))
		return true;
	use = file == SPG_NO_FILE ? NULL : find_use(obs, file, ~0U);
	if (use) {
		spg_buf_puts(why, "still used by ");
		spg_text_escape(why,
			use->process->name ? use->process->name : "a process", false);
		spg_buf_printf(why, " (pid %d)", use->process->id.pid);
	} else {
		spg_buf_puts(
			why, "whether anybody still uses it could not be found out");
	}
	return false;
}
