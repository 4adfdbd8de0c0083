/* SPDX-License-Identifier: MIT */
#include "daemon/install/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/lasting.h"
#include "daemon/install/outcome_parts.h"
#include "daemon/install/places.h"
#include "daemon/install/verify.h"

/* ---- what became of the files ---- */

static int copy_facts(const struct spg_module *module, char **version, char *sha256)
{
	free(*version);
	*version = NULL;
	if (!module)
		return 0;
	memcpy(sha256, module->sha256, SPG_SHA256_TEXT_BYTES);
	if (!module->version[0])
		return 0;
	*version = strdup(module->version);
	return *version ? 0 : SPG_ERR_NOMEM;
}

static enum spg_install_change change_of(const struct spg_install_file *file,
	const struct spg_module *before, const struct spg_module *after)
{
	if (!after)
		return SPG_CHANGE_DELETED;
	/* The number of a file that is gone may be the next one's at once. */
	if (before)
		return spg_file_id_equal(before->id, after->id) &&
		                       !(file->kinds & SPG_EVENT_BIT(SPG_EVENT_CREATE))
		               ? SPG_CHANGE_MODIFIED
		               : SPG_CHANGE_REPLACED;
	/* What was there before is only known from what happened. */
	if (file->kinds &
		(SPG_EVENT_BIT(SPG_EVENT_DELETE) | SPG_EVENT_BIT(SPG_EVENT_RENAME)))
		return SPG_CHANGE_REPLACED;
	return file->kinds & SPG_EVENT_BIT(SPG_EVENT_CREATE) ? SPG_CHANGE_CREATED
	                                                     : SPG_CHANGE_MODIFIED;
}

static bool is_other(const struct spg_module *a, const struct spg_module *b)
{
	return a->sha256[0] && b->sha256[0] && strcmp(a->sha256, b->sha256) != 0;
}

static int add_unnoted(struct spg_install *install, const char *path)
{
	return spg_install_find(install, path) || spg_install_add_file(install, path) ||
	                       install->n_files >= SPG_INSTALL_FILES_MAX
	               ? 0
	               : SPG_ERR_NOMEM;
}

/* What came without an event: a directory that was renamed into place, a store through
 * a mapping, events that were lost. */
static int find_unnoted(struct spg_outcome_judging *j)
{
	struct spg_module_set *before = j->facts->before, *after = j->facts->after;
	int r = 0;

	for (size_t i = 0; r == 0 && before && i < after->n; i++) {
		const struct spg_module *then =
			spg_module_set_find(before, after->modules[i]->path);

		if (!then || is_other(then, after->modules[i]))
			r = add_unnoted(j->install, after->modules[i]->path);
	}
	for (size_t i = 0; r == 0 && before && i < before->n; i++)
		if (!spg_module_set_find(after, before->modules[i]->path))
			r = add_unnoted(j->install, before->modules[i]->path);
	return r;
}

static int settle_files(struct spg_outcome_judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->install->n_files; i++) {
		struct spg_install_file *file = &j->install->files[i];
		const struct spg_module *before =
			spg_module_set_find(facts->before, file->path);
		const struct spg_module *after =
			spg_module_set_find(facts->after, file->path);

		file->change = change_of(file, before, after);
		/* With a known past, one that was not there came new. */
		if (facts->before && !before && after)
			file->change = SPG_CHANGE_CREATED;
		r = copy_facts(before, &file->from_version, file->from_sha256);
		if (r == 0)
			r = copy_facts(after, &file->to_version, file->to_sha256);
	}
	return r;
}

/* A file that came and went, such as one that setup wrote under another name. */
static bool has_come_to_stay(void *user, const struct spg_install_file *file)
{
	const struct spg_outcome_facts *facts = user;

	return file->change != SPG_CHANGE_DELETED || !facts->before ||
	       spg_module_set_find(facts->before, file->path);
}

/* ---- what was left out ---- */

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

static int add_holders(struct spg_outcome_judging *j, struct spg_install_file *file,
	const struct spg_module *module)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->install->n_held; i++) {
		const struct spg_install_held *held = &j->install->held[i];

		if (is_held_itself(held, module) &&
			!is_of_the_installer(j->install, held->process))
			r = spg_install_add_holder(file, held->process, held->how);
	}
	return r;
}

static bool was_held(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install *install = j->install;

	for (size_t i = 0; i < install->n_held; i++)
		if (is_held_itself(&install->held[i], module) &&
			!is_of_the_installer(install, install->held[i].process))
			return true;
	return false;
}

bool spg_outcome_is_untouched(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		spg_install_find(j->install, module->path);
	const struct spg_module *before =
		spg_module_set_find(j->facts->before, module->path);

	if (!file)
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

/* Were most of those that were like @module before replaced by something else? Where
 * each has a version of its own, all that have one are alike. */
static bool most_alike_were_replaced(
	const struct spg_outcome_judging *j, const struct spg_module *module)
{
	const struct spg_module_set *before = j->facts->before;
	bool by_version = before && count_alike(before, module) > 1;
	size_t n_alike = 0, n_replaced = 0;

	for (size_t i = 0; before && i < before->n; i++) {
		const struct spg_module *then = before->modules[i], *now;

		if (!is_comparable(then, module) ||
			(by_version && !is_alike(then, module)))
			continue;
		now = spg_module_set_find(j->facts->after, then->path);
		n_alike++;
		n_replaced += !now || strcmp(now->sha256, then->sha256) != 0;
	}
	/* Whether somebody held it nobody knows: then only its like of one version tell. */
	if (j->facts->unwatched)
		return module->version[0] && by_version && 2 * n_replaced > n_alike;
	return n_replaced > 0 && 2 * n_replaced >= n_alike;
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
	r = copy_facts(module, &file->from_version, file->from_sha256);
	if (r == 0)
		r = copy_facts(module, &file->to_version, file->to_sha256);
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
	/* A guess ends when a payload is named that has no such file. */
	if (left && left->guessed && j->facts->expected && is == SPG_NOT_EXPECTED)
		return NOT_LEFT_OUT;
	if (left)
		return left->guessed ? PERHAPS_LEFT_OUT : LEFT_OUT;
	if (!spg_outcome_is_untouched(j, module))
		return NOT_LEFT_OUT;
	if (is == SPG_NOT_KNOWN || spg_outcome_beside(j, module))
		return LEFT_OUT;
	return is == SPG_NOT_EXPECTED && !j->facts->expected &&
	                       (j->facts->unwatched || was_held(j, module)) &&
	                       most_alike_were_replaced(j, module)
	               ? PERHAPS_LEFT_OUT
	               : NOT_LEFT_OUT;
}

static int find_left_out(struct spg_outcome_judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	int r = 0;

	j->n_unfinished = spg_unfinished_find(j->unfinished, j->facts->before, after);
	for (size_t i = 0; r == 0 && i < after->n; i++) {
		enum left_out is = is_left_out(j, after->modules[i]);

		if (is != NOT_LEFT_OUT)
			r = leave_out(j, after->modules[i], is == PERHAPS_LEFT_OUT);
	}
	return r;
}

/* Its file has stepped aside, and setup has written no new one: it may come back as
 * it was. Anything else that has gone is no debt any more. */
static bool is_aside(const struct spg_outcome_judging *j, const char *path)
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

static int find_stepped_aside(struct spg_outcome_judging *j)
{
	const struct spg_standing *standing = j->facts->standing;

	for (size_t i = 0; standing && i < standing->n_aside; i++) {
		const char *path = standing->aside[i].path;
		const struct spg_install_file *left =
			j->facts->previous ? spg_install_find(j->facts->previous, path)
					   : NULL;
		const struct spg_module *then;
		struct spg_install_file *file;

		if (!is_aside(j, path) || (!left && !has_written(j->install)))
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

/* ---- what does not fit ---- */

/* A sentence names no folder. */
static bool has_finding(const struct spg_verification *v,
	const struct spg_verification *of, const struct spg_finding *finding)
{
	for (size_t i = 0; i < v->fit.n_findings; i++)
		if (spg_finding_equal(&v->fit.findings[i], finding) &&
			strcmp(spg_verification_path(v, &v->fit.findings[i]),
				spg_verification_path(of, finding)) == 0)
			return true;
	return false;
}

/* What does not fit together in the set by itself. What did not fit before this
 * install, and was not an install's doing, is none of its doing either. */
static int take_findings(struct spg_outcome_judging *j,
	const struct spg_verification *before, const struct spg_verification *after)
{
	const struct spg_install *previous = j->facts->previous;
	const struct spg_install *accepted = j->facts->accepted;
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->fit.n_findings; i++) {
		const struct spg_finding *finding = &after->fit.findings[i];
		const struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = finding->kind,
			.file = spg_verification_path(after, finding),
			.text = finding->text};
		struct spg_buf text = SPG_BUF_NULL;

		if (has_finding(before, after, finding) &&
			!(previous && spg_notes_has(&previous->findings, &note)))
			continue;
		if (accepted && spg_notes_has(&accepted->findings, &note))
			continue;
		spg_buf_puts(&text, finding->text);
		r = spg_notes_add(&j->install->findings, &note, &text);
	}
	return r;
}

/* What is missed since the install before, verify has to know of still. */
static int keep_gone(struct spg_outcome_judging *j)
{
	const struct spg_install *previous = j->facts->previous;
	bool missed = false;
	int r = 0;

	for (size_t i = 0; i < j->install->findings.n; i++)
		missed |= j->install->findings.items[i].finding ==
		          SPG_FINDING_MISSING_MODULE;
	for (size_t i = 0; missed && previous && r == 0 && i < previous->n_files; i++) {
		const struct spg_install_file *then = &previous->files[i];
		struct spg_install_file *file;

		if (then->change != SPG_CHANGE_DELETED ||
			spg_module_set_find(j->facts->after, then->path))
			continue;
		file = spg_install_add_file(j->install, then->path);
		if (file)
			file->change = SPG_CHANGE_DELETED;
		else if (j->install->n_files < SPG_INSTALL_FILES_MAX)
			r = SPG_ERR_NOMEM;
	}
	return r;
}

/* What the service pack brings and setup did not install at all. */
static int take_absent(struct spg_outcome_judging *j)
{
	struct spg_verification after = {.fit = SPG_FIT_NULL};
	int r = spg_verify(
		&after, j->facts->product, j->facts->after, j->facts->expected, NULL);

	for (size_t i = 0; r == 0 && i < after.fit.n_findings; i++) {
		const struct spg_finding *finding = &after.fit.findings[i];
		const struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = finding->kind,
			.file = finding->path};
		struct spg_buf text = SPG_BUF_NULL;

		if (finding->kind != SPG_FINDING_NOT_INSTALLED)
			continue;
		spg_buf_puts(&text, finding->text);
		r = spg_notes_add(&j->install->findings, &note, &text);
	}
	spg_verification_finish(&after);
	return r;
}

/* A file of the service pack that was there, and that setup removed and did not write. */
static int take_removed(struct spg_outcome_judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	struct spg_expected_places places;
	int r;

	if (!facts->before || !facts->expected)
		return 0;
	r = spg_places_make(&places, facts->product, facts->expected, facts->before);
	for (size_t i = 0; r == 0 && i < facts->before->n; i++) {
		const char *path = facts->before->modules[i]->path;
		const struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = SPG_FINDING_NOT_INSTALLED,
			.file = path};
		const struct spg_place_choice *choice;
		struct spg_buf text = SPG_BUF_NULL;
		size_t index;

		if (spg_module_set_find(facts->after, path) || is_aside(j, path))
			continue;
		choice = spg_expected_choice(&places, path, &index);
		if (!choice || choice->n == 0)
			continue;
		spg_text_escape(&text, spg_path_base(path), false);
		spg_buf_puts(&text,
			" of the service pack is not installed: the one that "
			"was there is gone");
		r = spg_notes_add(&j->install->findings, &note, &text);
	}
	spg_expected_places_finish(&places);
	return r;
}

static bool is_of_this_machine(
	const struct spg_outcome_judging *j, const struct spg_binary *binary)
{
	const struct spg_surroundings *around = j->facts->after->around;

	return around && around->self && binary->format == SPG_BINARY_ELF &&
	       spg_binary_machines_agree(around->self, binary);
}

/* Was it a program or a library, and is something else now? A script may have taken the
 * place of a program of Linux. */
static bool has_turned(const struct spg_outcome_judging *j,
	const struct spg_module *then, const struct spg_module *now)
{
	if (!spg_module_is_loaded(then) || now->err)
		return false;
	if (!now->binary || !then->binary)
		return !spg_module_is_loaded(now);
	if (is_of_this_machine(j, then->binary) && !is_of_this_machine(j, now->binary))
		return true;
	return now->binary->format != then->binary->format &&
	       !(then->binary->format == SPG_BINARY_ELF &&
		       now->binary->format == SPG_BINARY_SCRIPT);
}

/* Nobody knows whether what is there now would work. */
static int take_turned(struct spg_outcome_judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	int r = 0;

	for (size_t i = 0; j->facts->before && r == 0 && i < after->n; i++) {
		const struct spg_module *now = after->modules[i];
		const struct spg_module *then =
			spg_module_set_find(j->facts->before, now->path);
		const struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = SPG_FINDING_NO_MODULE,
			.file = now->path};
		struct spg_buf text = SPG_BUF_NULL;

		if (!then || !has_turned(j, then, now))
			continue;
		spg_text_escape(&text, spg_path_base(now->path), false);
		spg_buf_puts(
			&text, spg_module_is_loaded(now)
				       ? " is for another system or machine than before"
				       : " was a program or a library, and is none "
					 "any more");
		r = spg_notes_add(&j->install->findings, &note, &text);
	}
	return r;
}

/* What could not be checked now, and could before. */
static int take_gaps(struct spg_outcome_judging *j,
	const struct spg_verification *before, const struct spg_verification *after)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->fit.n_gaps; i++) {
		const struct spg_fit_gap *gap = &after->fit.gaps[i];
		const struct spg_note note = {.kind = SPG_REASON_UNREADABLE,
			.file = after->modules[gap->module].path,
			.text = gap->text};

		/* That one could not be read is told for itself. */
		if (!after->modules[gap->module].binary ||
			spg_fit_has_gap(&before->fit, gap))
			continue;
		j->unread = true;
		r = spg_notes_add_copy(&j->install->reasons, &note);
	}
	return r;
}

static int take_faults(struct spg_outcome_judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	struct spg_verification before = {.fit = SPG_FIT_NULL}, after = before;
	int r = 0;

	if (facts->before)
		r = spg_verify(&before, facts->product, facts->before, NULL,
			&(struct spg_verify_past){.previous = facts->previous});
	if (r == 0)
		r = spg_verify(&after, facts->product, facts->after, NULL,
			&(struct spg_verify_past){
				facts->before, facts->previous, NULL});
	if (r == 0)
		r = take_findings(j, &before, &after);
	if (r == 0 && facts->expected)
		r = take_absent(j);
	if (r == 0)
		r = take_removed(j);
	if (r == 0)
		r = take_turned(j);
	if (r == 0 && facts->previous)
		r = spg_lasting_take(&j->install->findings, &facts->previous->findings,
			facts->after);
	if (r == 0)
		r = spg_notes_add_all(&j->install->reasons, &j->install->findings);
	if (r == 0)
		r = keep_gone(j);
	if (r == 0)
		r = take_gaps(j, &before, &after);
	j->n_checked = after.fit.n_checked;
	spg_verification_finish(&before);
	spg_verification_finish(&after);
	return r;
}

/* How many files there were, when none is there any more. */
static size_t count_gone(const struct spg_outcome_judging *j)
{
	if (j->facts->after->n > 0)
		return 0;
	return j->facts->before ? j->facts->before->n
	                        : spg_install_count(j->install, SPG_CHANGE_DELETED);
}

static int judge(struct spg_outcome_judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	struct spg_install *install = j->install;
	bool mixed;
	int r = find_unnoted(j);

	if (r == 0)
		r = settle_files(j);
	if (r < 0)
		return r;
	spg_install_keep(install, has_come_to_stay, (void *)facts);
	if (facts->previous)
		install->follows = facts->previous->id;
	r = spg_outcome_explain_release(j);
	if (r == 0)
		r = find_left_out(j);
	if (r == 0)
		r = find_stepped_aside(j);
	if (r == 0)
		r = take_faults(j);
	if (r == 0)
		r = spg_outcome_explain_unread(j);
	j->n_gone = count_gone(j);
	mixed = install->findings.n > 0 || j->n_gone > 0 || j->n_dropped > 0 ||
	        spg_install_count(install, SPG_CHANGE_SKIPPED) > 0;
	if (r == 0)
		r = spg_outcome_explain(j, mixed);
	if (r < 0)
		return r;
	install->outcome = mixed || install->shown.n > 0 ? SPG_INSTALL_MIXED
	                   : j->unread                   ? SPG_INSTALL_UNKNOWN
	                                                 : SPG_INSTALL_CLEAN;
	return 0;
}

int spg_outcome_judge(
	struct spg_install *install, const struct spg_outcome_facts *facts)
{
	struct spg_outcome_judging j = {.install = install,
		.facts = facts,
		.places = SPG_EXPECTED_PLACES_NULL,
		.unfinished = calloc(SPG_UNFINISHED_MAX, sizeof(*j.unfinished))};
	int r = j.unfinished ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && facts->expected)
		r = spg_places_make(
			&j.places, facts->product, facts->expected, facts->after);
	if (r == 0)
		r = judge(&j);
	free(j.unfinished);
	spg_expected_places_finish(&j.places);
	return r;
}
