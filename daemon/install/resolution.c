/* SPDX-License-Identifier: MIT */
#include "daemon/install/resolution.h"

#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/lasting.h"

static struct spg_install *make(int64_t id, const char *product,
	enum spg_install_outcome outcome, const struct spg_install *previous)
{
	struct spg_install *record =
		spg_install_create(id, product, spg_clock_wall_ns());

	if (!record)
		return NULL;
	record->ended_ns = record->began_ns;
	record->outcome = outcome;
	record->follows = previous ? previous->id : 0;
	return record;
}

static struct spg_install *check(struct spg_install *record, int r)
{
	if (r == 0)
		return record;
	spg_install_unref(record);
	return NULL;
}

/* ---- verify found that it does not fit ---- */

static struct spg_note note_of(
	const struct spg_verification *v, const struct spg_finding *finding)
{
	return (struct spg_note){.kind = SPG_REASON_MISFIT,
		.finding = finding->kind,
		.file = spg_verification_path(v, finding),
		.text = finding->text};
}

/* The service pack has another one. */
static bool is_about_the_payload(const struct spg_finding *finding)
{
	return finding->kind == SPG_FINDING_NOT_PAYLOAD ||
	       finding->kind == SPG_FINDING_OLDER;
}

static int leave_out(struct spg_install *record, const char *path,
	const struct spg_module_set *set, bool guessed)
{
	const struct spg_module *module = spg_module_set_find(set, path);
	struct spg_install_file *file = spg_install_add_file(record, path);

	if (!file)
		return record->n_files >= SPG_INSTALL_FILES_MAX ? 0 : SPG_ERR_NOMEM;
	file->change = SPG_CHANGE_SKIPPED;
	file->guessed = guessed;
	if (!module || file->to_version)
		return 0;
	memcpy(file->from_sha256, module->sha256, SPG_SHA256_TEXT_BYTES);
	memcpy(file->to_sha256, module->sha256, SPG_SHA256_TEXT_BYTES);
	if (!module->version[0])
		return 0;
	file->from_version = strdup(module->version);
	file->to_version = strdup(module->version);
	return file->from_version && file->to_version ? 0 : SPG_ERR_NOMEM;
}

static int take_findings(struct spg_install *record, const struct spg_verification *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->fit.n_findings; i++) {
		const struct spg_finding *finding = &v->fit.findings[i];
		const struct spg_note note = note_of(v, finding);

		if (finding->accepted)
			continue;
		r = spg_notes_add_copy(&record->findings, &note);
		if (r == 0 && is_about_the_payload(finding))
			r = leave_out(record, note.file, v->set, false);
	}
	return r == 0 ? spg_notes_add_all(&record->reasons, &record->findings) : r;
}

static bool is_still_left(const struct spg_install_file *file,
	const struct spg_module_set *set, const struct spg_expected_places *places,
	const struct spg_standing *standing)
{
	const struct spg_module *module = spg_module_set_find(set, file->path);
	enum spg_expectation is;

	if (file->change != SPG_CHANGE_SKIPPED)
		return false;
	for (size_t i = 0; !module && standing && i < standing->n_aside; i++)
		if (strcmp(standing->aside[i].path, file->path) == 0)
			return true;
	if (!module)
		return false;
	if (!places)
		return !file->to_sha256[0] ||
		       strcmp(module->sha256, file->to_sha256) == 0;
	is = spg_expected_compare(places, module, NULL);
	return is != SPG_AS_EXPECTED && !(is == SPG_NOT_EXPECTED && file->guessed);
}

static int take_debts(struct spg_install *record, const struct spg_install *previous,
	const struct spg_expected_places *places, const struct spg_module_set *set,
	const struct spg_standing *standing)
{
	int r = 0;

	for (size_t i = 0; previous && r == 0 && i < previous->n_files; i++) {
		const struct spg_install_file *file = &previous->files[i];
		struct spg_note note = {
			.kind = SPG_REASON_NOT_REPLACED, .file = file->path};
		struct spg_buf text = SPG_BUF_NULL;

		/* Verify misses it because of this alone. */
		if (file->change == SPG_CHANGE_DELETED &&
			!spg_module_set_find(set, file->path)) {
			struct spg_install_file *gone =
				spg_install_add_file(record, file->path);

			if (gone)
				gone->change = SPG_CHANGE_DELETED;
		}
		if (!is_still_left(file, set, places, standing) ||
			spg_install_find(record, file->path))
			continue;
		r = leave_out(record, file->path, set, file->guessed);
		spg_text_escape(&text, spg_path_base(file->path), false);
		spg_buf_printf(&text, " was not replaced%s, as install %lld found",
			file->guessed ? ", and perhaps should have been" : "",
			(long long)previous->id);
		if (r == 0)
			r = spg_notes_add(&record->reasons, &note, &text);
		spg_buf_finish(&text);
	}
	return r;
}

static int advise(struct spg_install *record)
{
	const struct spg_note accept = {.kind = SPG_STEP_ACCEPT, .install = record->id};
	struct spg_buf command = SPG_BUF_NULL;
	int r = spg_notes_add_copy(&record->next,
		&(struct spg_note){.kind = SPG_STEP_INSTALL,
			.text = "run the service pack again, until it finishes clean: "
				"spguard installs"});

	if (r < 0)
		return r;
	spg_buf_printf(
		&command, "spguard installs --accept %lld", (long long)record->id);
	return spg_notes_add_command(
		&record->next, accept, &command, "if it is meant to be as it is");
}

struct spg_install *spg_resolution_found(int64_t id, const struct spg_product *product,
	const struct spg_verification *v, const struct spg_expected_places *places,
	const struct spg_install *previous, const struct spg_standing *standing)
{
	struct spg_install *record =
		make(id, product->name, SPG_INSTALL_MIXED, previous);
	int r = record ? 0 : SPG_ERR_NOMEM;

	if (r == 0 && previous)
		r = spg_lasting_take(&record->findings, &previous->findings, v->set);
	if (r == 0)
		r = take_findings(record, v);
	if (r == 0)
		r = take_debts(record, previous, places, v->set, standing);
	if (r == 0)
		r = advise(record);
	return check(record, r);
}

/* An install said so already, and who was in the way. */
static bool is_left_by(const struct spg_install *known,
	const struct spg_finding *finding, const char *path)
{
	const struct spg_install_file *file = spg_install_find(known, path);

	return is_about_the_payload(finding) && file &&
	       file->change == SPG_CHANGE_SKIPPED && !file->guessed;
}

bool spg_resolution_knows(
	const struct spg_install *known, const struct spg_verification *v)
{
	for (size_t i = 0; known && i < v->fit.n_findings; i++) {
		const struct spg_note note = note_of(v, &v->fit.findings[i]);

		/* What was too much to be kept is known too. */
		if (!v->fit.findings[i].accepted &&
			!spg_notes_has(&known->findings, &note) &&
			!is_left_by(known, &v->fit.findings[i], note.file) &&
			known->findings.n_more == 0)
			return false;
	}
	return known != NULL;
}

bool spg_resolution_is_payload(const struct spg_install *install,
	const struct spg_expected_places *places, const struct spg_module_set *set)
{
	for (size_t i = 0; i < install->n_files; i++) {
		const struct spg_module *module =
			spg_module_set_find(set, install->files[i].path);

		if (module &&
			spg_expected_compare(places, module, NULL) == SPG_AS_EXPECTED)
			return true;
	}
	return false;
}

/* The file that was left out, as it was when that was accepted. */
static bool is_left_as_accepted(const struct spg_install *accepted,
	const struct spg_finding *finding, const struct spg_module *module)
{
	const struct spg_install_file *file =
		module ? spg_install_find(accepted, module->path) : NULL;

	return is_about_the_payload(finding) && file &&
	       file->change == SPG_CHANGE_SKIPPED && file->to_sha256[0] &&
	       strcmp(file->to_sha256, module->sha256) == 0;
}

void spg_resolution_apply(
	struct spg_verification *v, const struct spg_install *accepted)
{
	v->n_accepted = 0;
	for (size_t i = 0; accepted && i < v->fit.n_findings; i++) {
		struct spg_finding *finding = &v->fit.findings[i];
		const struct spg_note note = note_of(v, finding);

		finding->accepted = spg_notes_has(&accepted->findings, &note) ||
		                    is_left_as_accepted(accepted, finding,
					    spg_module_set_find(v->set, note.file));
		v->n_accepted += finding->accepted;
	}
	v->verdict = spg_verification_conclude(v);
}

/* ---- how it ends ---- */

bool spg_resolution_covers(const struct spg_install *previous,
	const struct spg_expected_places *places, const struct spg_module_set *set,
	const struct spg_standing *standing)
{
	for (size_t i = 0; i < previous->n_files; i++)
		if (is_still_left(&previous->files[i], set, places, standing))
			return false;
	for (size_t i = 0; i < previous->findings.n; i++)
		if (spg_lasting_is_in(&previous->findings.items[i], set))
			return false;
	return true;
}

struct spg_install *spg_resolution_mended(
	int64_t id, const struct spg_install *previous, bool by_payload)
{
	struct spg_install *record =
		make(id, previous->product, SPG_INSTALL_CLEAN, previous);
	const struct spg_note note = {
		.kind = SPG_REASON_CLEAN, .install = previous->id};
	struct spg_buf why = SPG_BUF_NULL;

	if (!record)
		return NULL;
	spg_buf_printf(&why,
		by_payload
			? "verified: what install %lld left out is the service pack's "
			  "now"
			: "verified: nothing that install %lld left is amiss any more",
		(long long)previous->id);
	return check(record, spg_notes_add(&record->reasons, &note, &why));
}

static int carry_file(struct spg_install *to, const struct spg_install_file *then)
{
	struct spg_install_file *file = spg_install_add_file(to, then->path);

	if (!file)
		return to->n_files >= SPG_INSTALL_FILES_MAX ? 0 : SPG_ERR_NOMEM;
	file->change = then->change;
	file->guessed = then->guessed;
	memcpy(file->to_sha256, then->to_sha256, sizeof(file->to_sha256));
	return 0;
}

/* What @from left out, and what is missed because it deleted it. */
static int carry_files(struct spg_install *to, const struct spg_install *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n_files; i++)
		if ((from->files[i].change == SPG_CHANGE_SKIPPED ||
			    from->files[i].change == SPG_CHANGE_DELETED) &&
			!spg_install_find(to, from->files[i].path))
			r = carry_file(to, &from->files[i]);
	return r;
}

struct spg_install *spg_resolution_accepted(int64_t id,
	const struct spg_install *previous, const struct spg_install *accepted,
	const char *who)
{
	struct spg_install *record =
		make(id, previous->product, SPG_INSTALL_CLEAN, previous);
	const struct spg_note note = {
		.kind = SPG_REASON_ACCEPTED, .install = previous->id, .name = who};
	struct spg_buf why = SPG_BUF_NULL;
	int r;

	if (!record)
		return NULL;
	spg_text_escape(&why, who, false);
	spg_buf_printf(&why, " accepts what install %lld left: it is meant to be so",
		(long long)previous->id);
	r = spg_notes_add(&record->reasons, &note, &why);
	if (r == 0)
		r = spg_notes_add_all(&record->findings, &previous->findings);
	if (r == 0 && accepted)
		r = spg_notes_add_all(&record->findings, &accepted->findings);
	if (r == 0)
		r = carry_files(record, previous);
	if (r == 0 && accepted)
		r = carry_files(record, accepted);
	if (r == 0)
		record->findings.n_more += previous->findings.n_more;
	return check(record, r);
}

/* ---- an install of which nobody knows the end ---- */

int spg_resolution_carry_over(
	struct spg_install *install, const struct spg_install *previous)
{
	int r = 0;

	if (!previous)
		return 0;
	install->follows = previous->id;
	if (previous->outcome == SPG_INSTALL_MIXED)
		install->outcome = SPG_INSTALL_MIXED;
	r = carry_files(install, previous);
	if (r == 0)
		r = spg_notes_add_all(&install->findings, &previous->findings);
	return r == 0 ? spg_notes_add_all(&install->reasons, &previous->reasons) : r;
}
