/* SPDX-License-Identifier: MIT */
#include "daemon/install/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/lasting.h"
#include "daemon/install/manager.h"
#include "daemon/install/outcome_parts.h"
#include "daemon/install/places.h"
#include "daemon/install/verify.h"

/* ---- what became of the files ---- */

int spg_outcome_copy_facts(
	const struct spg_module *module, char **version, char *sha256)
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
		r = spg_outcome_copy_facts(
			before, &file->from_version, file->from_sha256);
		if (r == 0)
			r = spg_outcome_copy_facts(
				after, &file->to_version, file->to_sha256);
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

		if (spg_module_set_find(facts->after, path) ||
			spg_outcome_is_aside(j, path))
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

/* What was to become a new file of the product, and was not put in its place. */
static int take_unplaced(struct spg_outcome_judging *j)
{
	const struct spg_notes *accepted =
		j->facts->accepted ? &j->facts->accepted->findings : NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->n_unfinished; i++) {
		const char *beside = j->unfinished[i].beside->path;
		struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = SPG_FINDING_NOT_INSTALLED};
		struct spg_buf text = SPG_BUF_NULL;
		char *target;
		bool certain;

		if (j->unfinished[i].module)
			continue;
		target = spg_unfinished_target(beside, &certain);
		if (!target)
			return SPG_ERR_NOMEM;
		note.file = target;
		note.place = beside;
		spg_text_escape(&text, spg_path_base(target), false);
		spg_buf_puts(&text, " is not installed: it still lies there as ");
		spg_outcome_put_beside(&text, target, beside);
		note.text = spg_buf_text(&text);
		if (text.failed)
			r = SPG_ERR_NOMEM;
		else if (!accepted || !spg_notes_has(accepted, &note))
			r = spg_notes_add_copy(&j->install->findings, &note);
		spg_buf_finish(&text);
		free(target);
	}
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

/* Nobody knows whether what is there now would work; or it cannot even be started. */
static int take_turned(struct spg_outcome_judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	int r = 0;

	for (size_t i = 0; j->facts->before && r == 0 && i < after->n; i++) {
		const struct spg_module *now = after->modules[i];
		const struct spg_module *then =
			spg_module_set_find(j->facts->before, now->path);
		struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = SPG_FINDING_NO_MODULE,
			.file = now->path};
		const char *how = " was a program or a library, and is none any more";
		struct spg_buf text = SPG_BUF_NULL;

		if (!then)
			continue;
		if (has_turned(j, then, now)) {
			if (spg_module_is_loaded(now))
				how = " is for another system or machine than before";
		} else if (spg_module_has_lost_execution(then, now)) {
			note.finding = SPG_FINDING_NOT_EXECUTABLE;
			how = " could be executed before, and nobody may any more";
		} else {
			continue;
		}
		spg_text_escape(&text, spg_path_base(now->path), false);
		spg_buf_puts(&text, how);
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

/* What this install, or one before it, has done. */
static int take_its_faults(struct spg_outcome_judging *j,
	const struct spg_verification *before, const struct spg_verification *after)
{
	const struct spg_outcome_facts *facts = j->facts;
	int r = take_findings(j, before, after);

	if (r == 0 && facts->expected)
		r = take_absent(j);
	if (r == 0)
		r = take_removed(j);
	if (r == 0)
		r = take_unplaced(j);
	if (r == 0)
		r = take_turned(j);
	if (r == 0 && facts->previous)
		r = spg_lasting_take(&j->install->findings, &facts->previous->findings,
			facts->after);
	if (r == 0)
		r = spg_notes_add_all(&j->install->reasons, &j->install->findings);
	return r == 0 ? keep_gone(j) : r;
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
	if (r == 0 && !j->undone)
		r = take_its_faults(j, &before, &after);
	if (r == 0)
		r = take_gaps(j, &before, &after);
	j->n_checked = after.fit.n_checked;
	spg_verification_finish(&before);
	spg_verification_finish(&after);
	return r;
}

/* Where the payload is not known, nobody knows what who failed has left undone; unless all
 * is as it was. */
static bool may_have_failed(const struct spg_outcome_judging *j)
{
	const struct spg_module_set *before = j->facts->before;
	const struct spg_module_set *after = j->facts->after;

	return !j->facts->expected && !j->undone &&
	       (!before || !spg_module_set_is_whole(before) ||
		       !spg_module_set_is_whole(after) ||
		       spg_module_set_differs(before, after));
}

/* Of one who has changed nothing that was there, only that a signal has ended it tells. */
static bool has_failed(const struct spg_outcome_judging *j)
{
	const struct spg_install *install = j->install;
	size_t n = spg_install_count(install, SPG_CHANGE_REPLACED) +
	           spg_install_count(install, SPG_CHANGE_MODIFIED) +
	           spg_install_count(install, SPG_CHANGE_DELETED) +
	           spg_install_count(install, SPG_CHANGE_SKIPPED);
	bool ended = false;

	for (size_t i = 0; i < j->facts->n_failures; i++)
		ended |= j->facts->failures[i].end.signal != 0;
	return j->facts->n_failures > 0 && (n > 0 || ended) && may_have_failed(j);
}

/* Has who failed, as @note of @previous says, come again? */
static bool is_by_the_same(const struct spg_install *previous,
	const struct spg_note *note, const struct spg_process *by)
{
	const struct spg_process *then = previous->by;

	if (!by || !by->name || !note->name)
		return false;
	if (then && then->name && spg_is_package_manager(then) &&
		spg_is_package_manager(by))
		return true;
	return strcmp(note->name, by->name) == 0;
}

/* Somebody failed before, and only who comes again and ends well has done the rest. */
static int carry_failures(struct spg_outcome_judging *j)
{
	const struct spg_install *previous = j->facts->previous;
	int r = 0;

	if (!previous || j->facts->expected || j->undone)
		return 0;
	for (size_t i = 0; r == 0 && i < previous->reasons.n; i++) {
		const struct spg_note *note = &previous->reasons.items[i];

		if (note->kind != SPG_REASON_INSTALLER_FAILED ||
			is_by_the_same(previous, note, j->install->by) ||
			is_by_the_same(previous, note, j->facts->starter))
			continue;
		j->unread = true;
		r = spg_notes_add_copy(&j->install->reasons, note);
	}
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
		r = spg_outcome_find_left_out(j);
	if (r == 0)
		r = spg_outcome_find_stepped_aside(j);
	if (r == 0)
		r = take_faults(j);
	if (r == 0)
		r = spg_outcome_explain_unread(j);
	if (r == 0)
		r = carry_failures(j);
	j->failed = has_failed(j);
	j->unread |= j->failed;
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
		.undone = facts->undone && !facts->expected,
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
