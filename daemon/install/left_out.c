/* SPDX-License-Identifier: MIT */
/* Which files an install has left out though they should have been replaced. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/install/outcome.h"
#include "daemon/install/outcome_parts.h"

/* Of the installer's own processes, as far as their parents tell. */
static bool is_of_the_installer(
	const struct spg_install *install, const struct spg_process *process)
{
	if (spg_install_is_actor(install, process))
		return true;
	for (size_t i = 0; i < install->n_actors; i++) {
		const struct spg_process *actor = install->actors[i];

		if (process->ppid == actor->id.pid || actor->ppid == process->id.pid)
			return true;
	}
	return false;
}

/* Is it @module that is held, and not a version that it has taken the place of, be it with
 * the same content? Where the numbers are of different filesystems they do not tell. */
static bool is_held_itself(
	const struct spg_install_held *held, const struct spg_module *module)
{
	return strcmp(held->path, module->path) == 0 &&
	       (held->id.ino == 0 || held->id.dev != module->id.dev ||
		       spg_file_id_equal(held->id, module->id));
}

/* An installer opens what it replaces. What it runs or has mapped is in its own way. */
static bool is_in_the_way(const struct spg_outcome_judging *j,
	const struct spg_install_held *held, const struct spg_module *module)
{
	return is_held_itself(held, module) &&
	       ((held->how & (SPG_USE_MAPPED | SPG_USE_EXECUTING)) ||
		       !is_of_the_installer(j->install, held->process));
}

static int add_holders(struct spg_outcome_judging *j, struct spg_install_file *file,
	const struct spg_module *module)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->install->n_held; i++) {
		const struct spg_install_held *held = &j->install->held[i];

		if (is_in_the_way(j, held, module))
			r = spg_install_add_holder(file, held->process, held->how);
	}
	return r;
}

enum holding { NOT_HELD, HELD_BY_INSTALLER, HELD };

/* Who holds what an install that nobody saw has left was not in its way. */
static enum holding how_held(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install *install = j->install;
	enum holding how = NOT_HELD;

	for (size_t i = 0; !j->facts->found_at_start && i < install->n_held; i++) {
		if (!is_in_the_way(j, &install->held[i], module))
			continue;
		if (!is_of_the_installer(install, install->held[i].process))
			return HELD;
		how = HELD_BY_INSTALLER;
	}
	return how;
}

bool spg_outcome_is_untouched(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		spg_install_find(j->install, module->path);
	const struct spg_module *before =
		spg_module_set_find(j->facts->before, module->path);

	if (!file || (!before && !file->kinds))
		return true;
	/* Whatever happened to it: renamed away and back, or the same written again. */
	return before && before->sha256[0] &&
	       strcmp(before->sha256, module->sha256) == 0;
}

static bool is_alike(const struct spg_module *a, const struct spg_module *b)
{
	return strcmp(a->version, b->version) == 0;
}

/* A module with a version says nothing of files without one, nor they of it. */
static bool is_comparable(const struct spg_module *a, const struct spg_module *b)
{
	return (a->version[0] == '\0') == (b->version[0] == '\0');
}

static size_t count_alike(
	const struct spg_module_set *set, const struct spg_module *module)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += is_alike(set->modules[i], module);
	return n;
}

static bool is_another_file(
	const struct spg_module *before, const struct spg_module *now)
{
	return before && before->id.ino != 0 && !spg_file_id_equal(before->id, now->id);
}

/* Has this install written it, be it with the same content? */
static bool is_written_again(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		spg_install_find(j->install, module->path);
	const struct spg_module *before =
		spg_module_set_find(j->facts->before, module->path);

	return file && ((file->kinds & (SPG_EVENT_BIT(SPG_EVENT_MODIFY) |
					       SPG_EVENT_BIT(SPG_EVENT_CREATE))) ||
			       is_another_file(before, module));
}

static bool is_replaced(
	const struct spg_outcome_judging *j, const struct spg_module *then)
{
	const struct spg_module *now = spg_module_set_find(j->facts->after, then->path);

	return !now || strcmp(now->sha256, then->sha256) != 0 ||
	       is_written_again(j, now);
}

/* What was there before is not known: then what has happened counts. */
static bool most_were_written(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_module_set *after = j->facts->after;
	size_t n_alike = 0, n_written = 0;

	for (size_t i = 0; i < after->n; i++) {
		const struct spg_install_file *file =
			spg_install_find(j->install, after->modules[i]->path);

		if (!is_comparable(after->modules[i], module))
			continue;
		n_alike++;
		n_written += file && file->kinds != 0;
	}
	return n_written > 0 && 2 * n_written >= n_alike;
}

/* A program that writes its own data is no installer that has left itself out. */
static bool is_of_its_sort(const struct spg_module *a, const struct spg_module *b)
{
	return spg_module_is_loaded(a) == spg_module_is_loaded(b);
}

/* Were most of those that were like @module before replaced? Where each has a version of
 * its own, all that have one are alike. */
static bool most_alike_were_replaced(const struct spg_outcome_judging *j,
	const struct spg_module *module, enum holding held)
{
	const struct spg_module_set *before = j->facts->before;
	bool by_version = before && count_alike(before, module) > 1;
	size_t n_alike = 0, n_replaced = 0;

	for (size_t i = 0; before && i < before->n; i++) {
		const struct spg_module *then = before->modules[i];

		if (!is_comparable(then, module) ||
			(by_version && !is_alike(then, module)) ||
			(held == HELD_BY_INSTALLER && !is_of_its_sort(then, module)))
			continue;
		n_alike++;
		n_replaced +=
			strcmp(then->path, module->path) != 0 && is_replaced(j, then);
	}
	/* Whether somebody held it nobody knows: then only its like of one version tell. */
	if (held == NOT_HELD)
		return module->version[0] && by_version && 2 * n_replaced > n_alike;
	return n_replaced > 0 && 2 * n_replaced >= n_alike;
}

/* Nobody says what should have been replaced. */
static bool seems_left_out(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_module *before =
		spg_module_set_find(j->facts->before, module->path);
	enum holding held = how_held(j, module);

	if ((held == NOT_HELD && !j->facts->unwatched) ||
		is_another_file(before, module))
		return false;
	return j->facts->before ? most_alike_were_replaced(j, module, held)
	                        : held == HELD && most_were_written(j, module);
}

static int leave_out(
	struct spg_outcome_judging *j, const struct spg_module *module, bool guessed)
{
	struct spg_install_file *file = spg_install_add_file(j->install, module->path);
	int r;

	if (!file && j->install->n_files < SPG_INSTALL_FILES_MAX)
		return SPG_ERR_NOMEM;
	if (!file) {
		j->n_dropped++;
		return 0;
	}
	file->change = SPG_CHANGE_SKIPPED;
	file->guessed = guessed;
	r = spg_outcome_copy_facts(module, &file->from_version, file->from_sha256);
	if (r == 0)
		r = spg_outcome_copy_facts(module, &file->to_version, file->to_sha256);
	return r == 0 ? add_holders(j, file, module) : r;
}

/* What the install before left out of @module, if that is still what it was. */
static const struct spg_install_file *left_before(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		j->facts->previous ? spg_install_find(j->facts->previous, module->path)
				   : NULL;

	return file && file->change == SPG_CHANGE_SKIPPED &&
	                       strcmp(file->to_sha256, module->sha256) == 0
	               ? file
	               : NULL;
}

const struct spg_module *spg_outcome_beside(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	for (size_t i = 0; i < j->n_unfinished; i++)
		if (j->unfinished[i].module == module)
			return j->unfinished[i].beside;
	return NULL;
}

const struct spg_package *spg_outcome_half_package(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_package *package =
		spg_packages_owner(j->facts->packages, module->path);

	return package && package->unfinished ? package : NULL;
}

/* An administrator means it to be so. */
static bool is_left_as_accepted(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		j->facts->accepted ? spg_install_find(j->facts->accepted, module->path)
				   : NULL;

	return file && file->change == SPG_CHANGE_SKIPPED &&
	       strcmp(file->to_sha256, module->sha256) == 0;
}

/* Its package is half-installed, and this file was not written. */
static bool is_of_half_a_package(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	return spg_outcome_half_package(j, module) && !is_written_again(j, module);
}

static bool has_anything_beside(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_module_set *beside = j->facts->after->beside;
	bool found = false, certain;

	for (size_t i = 0; !found && beside && i < beside->n; i++) {
		char *target =
			spg_unfinished_target(beside->modules[i]->path, &certain);

		found = !target || strcmp(target, module->path) == 0;
		free(target);
	}
	return found;
}

/* Its package manager is done with it, and it may be meant to be as it was: a configuration
 * that somebody keeps. */
static bool is_settled_by_its_package(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_package *package =
		spg_packages_owner(j->facts->packages, module->path);

	return package && !package->unfinished && !has_anything_beside(j, module);
}

enum left_out { NOT_LEFT_OUT, LEFT_OUT, PERHAPS_LEFT_OUT };

static enum left_out is_left_out(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *left = left_before(j, module);
	enum spg_expectation is = SPG_NOT_EXPECTED;

	if (j->facts->expected)
		is = spg_expected_compare(&j->places, module, NULL);
	if (is == SPG_AS_EXPECTED)
		return NOT_LEFT_OUT;
	if (is == SPG_OLDER || is == SPG_DIFFERENT)
		return LEFT_OUT;
	if (j->undone)
		return NOT_LEFT_OUT;
	/* A guess ends when a payload is named that has no such file. */
	if (left && left->guessed && j->facts->expected && is == SPG_NOT_EXPECTED)
		return NOT_LEFT_OUT;
	if (left && !left->guessed && is_settled_by_its_package(j, module))
		return NOT_LEFT_OUT;
	if (left)
		return left->guessed ? PERHAPS_LEFT_OUT : LEFT_OUT;
	if (!spg_outcome_is_untouched(j, module))
		return NOT_LEFT_OUT;
	if (is == SPG_NOT_KNOWN)
		return LEFT_OUT;
	if ((spg_outcome_beside(j, module) || is_of_half_a_package(j, module)) &&
		!is_left_as_accepted(j, module))
		return LEFT_OUT;
	return is == SPG_NOT_EXPECTED && !j->facts->expected &&
	                       seems_left_out(j, module)
	               ? PERHAPS_LEFT_OUT
	               : NOT_LEFT_OUT;
}

int spg_outcome_find_left_out(struct spg_outcome_judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	int r = 0;

	j->n_unfinished = spg_unfinished_find(
		j->unfinished, j->facts->before, j->facts->beside, after);
	for (size_t i = 0; r == 0 && i < after->n; i++) {
		enum left_out is = is_left_out(j, after->modules[i]);

		if (is != NOT_LEFT_OUT)
			r = leave_out(j, after->modules[i], is == PERHAPS_LEFT_OUT);
	}
	return r;
}

/* Its file has stepped aside, and setup has written no new one: it may come back as
 * it was. Anything else that has gone is no debt any more. */
bool spg_outcome_is_aside(const struct spg_outcome_judging *j, const char *path)
{
	const struct spg_standing *standing = j->facts->standing;

	for (size_t i = 0; standing && i < standing->n_aside; i++)
		if (strcmp(standing->aside[i].path, path) == 0 &&
			!spg_module_set_find(j->facts->after, path))
			return true;
	return false;
}

/* Has anybody written a file? A step by itself is no install, and leaves no debt. */
static bool has_written(const struct spg_install *install)
{
	return spg_install_count(install, SPG_CHANGE_REPLACED) +
	               spg_install_count(install, SPG_CHANGE_MODIFIED) +
	               spg_install_count(install, SPG_CHANGE_CREATED) >
	       0;
}

int spg_outcome_find_stepped_aside(struct spg_outcome_judging *j)
{
	const struct spg_standing *standing = j->facts->standing;

	for (size_t i = 0; standing && i < standing->n_aside; i++) {
		const char *path = standing->aside[i].path;
		const struct spg_install_file *left =
			j->facts->previous ? spg_install_find(j->facts->previous, path)
					   : NULL;
		const struct spg_module *then;
		struct spg_install_file *file;

		if (!spg_outcome_is_aside(j, path) ||
			(!left && !has_written(j->install)))
			continue;
		file = spg_install_add_file(j->install, path);
		if (!file)
			return SPG_ERR_NOMEM;
		file->change = SPG_CHANGE_SKIPPED;
		file->guessed = left && left->guessed;
		then = spg_module_set_find(j->facts->before, path);
		if (left || then)
			memcpy(file->to_sha256, left ? left->to_sha256 : then->sha256,
				sizeof(file->to_sha256));
	}
	return 0;
}
