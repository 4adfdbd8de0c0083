/* SPDX-License-Identifier: MIT */
#include "daemon/install/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/verify.h"

struct judging {
	struct spg_install *install;
	const struct spg_outcome_facts *facts;
	bool unread; /* something could not be read */
};

static void put_base(struct spg_buf *buf, const char *path)
{
	spg_text_escape(buf, spg_path_base(path), false);
}

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
	if (before)
		return spg_file_id_equal(before->id, after->id) ? SPG_CHANGE_MODIFIED
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
static int find_unnoted(struct judging *j)
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

static int settle_files(struct judging *j)
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

static int add_holders(struct judging *j, struct spg_install_file *file)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->install->n_held; i++) {
		const struct spg_install_held *held = &j->install->held[i];

		if (strcmp(held->path, file->path) == 0 &&
			!is_of_the_installer(j->install, held->process))
			r = spg_install_add_holder(file, held->process, held->how);
	}
	return r;
}

static bool was_held(const struct spg_install *install, const char *path)
{
	for (size_t i = 0; i < install->n_held; i++)
		if (strcmp(install->held[i].path, path) == 0 &&
			!is_of_the_installer(install, install->held[i].process))
			return true;
	return false;
}

/* True when @module lies there as it did before the install. */
static bool is_untouched(const struct judging *j, const struct spg_module *module)
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

static size_t count_alike(
	const struct spg_module_set *set, const struct spg_module *module)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += is_alike(set->modules[i], module);
	return n;
}

/* Were most of those that were like @module before replaced by something else? Where
 * each has a version of its own, all of them are alike. */
static bool most_alike_were_replaced(
	const struct judging *j, const struct spg_module *module)
{
	const struct spg_module_set *before = j->facts->before;
	bool by_version = before && count_alike(before, module) > 1;
	size_t n_alike = 0, n_replaced = 0;

	for (size_t i = 0; before && i < before->n; i++) {
		const struct spg_module *then = before->modules[i], *now;

		if (by_version && !is_alike(then, module))
			continue;
		now = spg_module_set_find(j->facts->after, then->path);
		n_alike++;
		n_replaced += !now || strcmp(now->sha256, then->sha256) != 0;
	}
	return n_replaced > 0 && 2 * n_replaced >= n_alike;
}

static int leave_out(struct judging *j, const struct spg_module *module)
{
	struct spg_install_file *file = spg_install_add_file(j->install, module->path);
	int r;

	if (!file)
		return j->install->n_files >= SPG_INSTALL_FILES_MAX ? 0 : SPG_ERR_NOMEM;
	file->change = SPG_CHANGE_SKIPPED;
	r = copy_facts(module, &file->from_version, file->from_sha256);
	if (r == 0)
		r = copy_facts(module, &file->to_version, file->to_sha256);
	return r == 0 ? add_holders(j, file) : r;
}

/* Left out by the install before, and still what it was. */
static bool is_still_left(const struct judging *j, const struct spg_module *module)
{
	const struct spg_install_file *file =
		j->facts->previous ? spg_install_find(j->facts->previous, module->path)
				   : NULL;

	return file && file->change == SPG_CHANGE_SKIPPED &&
	       strcmp(file->to_sha256, module->sha256) == 0;
}

static bool is_left_out(const struct judging *j, const struct spg_module *module)
{
	enum spg_expectation is = SPG_NOT_EXPECTED;

	if (j->facts->expected)
		is = spg_expected_compare(j->facts->expected, module, NULL);
	if (is == SPG_AS_EXPECTED)
		return false;
	if (is == SPG_OLDER || is == SPG_DIFFERENT)
		return true;
	if (is_still_left(j, module))
		return true;
	if (!is_untouched(j, module))
		return false;
	if (is == SPG_NOT_KNOWN)
		return true;
	return is == SPG_NOT_EXPECTED && !j->facts->expected &&
	       was_held(j->install, module->path) &&
	       most_alike_were_replaced(j, module);
}

static int find_left_out(struct judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->n; i++)
		if (is_left_out(j, after->modules[i]))
			r = leave_out(j, after->modules[i]);
	return r;
}

/* Left out before, and not there at all now: stepped aside, perhaps, and it may come
 * back as it was. */
static int find_missing(struct judging *j)
{
	const struct spg_install *previous = j->facts->previous;

	for (size_t i = 0; previous && i < previous->n_files; i++) {
		const struct spg_install_file *left = &previous->files[i];
		struct spg_install_file *file;

		if (left->change != SPG_CHANGE_SKIPPED ||
			spg_module_set_find(j->facts->after, left->path))
			continue;
		file = spg_install_add_file(j->install, left->path);
		if (!file)
			return SPG_ERR_NOMEM;
		file->change = SPG_CHANGE_SKIPPED;
		memcpy(file->to_sha256, left->to_sha256, sizeof(file->to_sha256));
	}
	return 0;
}

/* ---- in words ---- */

static void put_hows(struct spg_buf *buf, unsigned how)
{
	static const struct {
		unsigned bit;
		const char *words;
	} hows[] = {{SPG_USE_EXECUTING, "was running it"},
		{SPG_USE_MAPPED, "had it mapped"}, {SPG_USE_LOCKED, "had it locked"},
		{SPG_USE_WRITE, "had it open for writing"},
		{SPG_USE_OPEN, "had it open"}};

	for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		if (!(how & hows[i].bit))
			continue;
		spg_buf_puts(buf, hows[i].words);
		return;
	}
	spg_buf_puts(buf, "used it");
}

static void put_holders(struct spg_buf *buf, const struct spg_install_file *file)
{
	for (size_t i = 0; i < file->n_holders; i++) {
		const struct spg_process *p = file->holders[i].process;

		spg_buf_puts(buf, i == 0 ? "" : ", ");
		spg_text_escape(buf, p->name ? p->name : "a process", false);
		spg_buf_printf(buf, " (pid %d) ", p->id.pid);
		put_hows(buf, file->holders[i].how);
	}
}

static int explain_left_out(struct judging *j, const struct spg_install_file *file)
{
	const struct spg_expected_file *expected = NULL;
	const struct spg_module *module =
		spg_module_set_find(j->facts->after, file->path);
	struct spg_note note = {.kind = SPG_REASON_NOT_REPLACED, .file = file->path};
	struct spg_buf buf = SPG_BUF_NULL;

	if (j->facts->expected && module)
		(void)spg_expected_compare(j->facts->expected, module, &expected);
	put_base(&buf, file->path);
	if (module && !is_untouched(j, module)) {
		note.kind = SPG_REASON_NOT_PAYLOAD;
		spg_buf_puts(&buf, " was changed, but is not the service pack's");
		return spg_notes_add(&j->install->reasons, &note, &buf);
	}
	spg_buf_puts(&buf, " was not replaced");
	if (file->n_holders > 0) {
		spg_buf_puts(&buf, ": ");
		put_holders(&buf, file);
	}
	if (expected && expected->version && file->to_version)
		spg_buf_printf(&buf, "%s it is %s, the service pack has %s",
			file->n_holders > 0 ? ";" : ":", file->to_version,
			expected->version);
	else if (file->n_holders == 0)
		spg_buf_puts(&buf, expected ? ": it is not the service pack's"
					    : ", as in the install before");
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

static int advise_left_out(struct judging *j, const struct spg_install_file *file)
{
	struct spg_note note = {.kind = SPG_STEP_SIDESTEP, .file = file->path};
	struct spg_buf command = SPG_BUF_NULL, buf = SPG_BUF_NULL;
	int r;

	if (file->n_holders == 0)
		return 0;
	spg_buf_puts(&command, "spguard sidestep ");
	spg_text_shell_quote(&command, file->path);
	note.command = spg_buf_text(&command);
	spg_buf_puts(&buf, spg_buf_text(&command));
	spg_buf_puts(&buf, "   # or stop who holds it: spguard who ");
	spg_text_shell_quote(&buf, spg_path_base(file->path));
	r = command.failed ? SPG_ERR_NOMEM
	                   : spg_notes_add(&j->install->next, &note, &buf);
	spg_buf_finish(&command);
	spg_buf_finish(&buf);
	return r;
}

static bool has_finding(
	const struct spg_verification *v, const struct spg_finding *finding)
{
	for (size_t i = 0; i < v->fit.n_findings; i++)
		if (spg_finding_equal(&v->fit.findings[i], finding))
			return true;
	return false;
}

/* What does not fit together in the set by itself. What did not fit before this
 * install, and was not an install's doing, is none of its doing either. */
static int take_findings(struct judging *j, const struct spg_verification *before,
	const struct spg_verification *after)
{
	const struct spg_install *previous = j->facts->previous;
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->fit.n_findings; i++) {
		const struct spg_finding *finding = &after->fit.findings[i];
		const struct spg_note note = {.kind = SPG_REASON_MISFIT,
			.finding = finding->kind,
			.file = after->modules[finding->module].path,
			.text = finding->text};
		struct spg_buf text = SPG_BUF_NULL;

		if (has_finding(before, finding) &&
			!(previous && spg_notes_has(&previous->findings, &note)))
			continue;
		spg_buf_puts(&text, finding->text);
		r = spg_notes_add(&j->install->findings, &note, &text);
	}
	return r;
}

static int take_faults(struct judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	struct spg_verification before = {.fit = SPG_FIT_NULL}, after = before;
	int r = 0;

	if (facts->before)
		r = spg_verify(&before, facts->product, facts->before, NULL);
	if (r == 0)
		r = spg_verify(&after, facts->product, facts->after, NULL);
	if (r == 0)
		r = take_findings(j, &before, &after);
	if (r == 0)
		r = spg_notes_add_all(&j->install->reasons, &j->install->findings);
	spg_verification_finish(&before);
	spg_verification_finish(&after);
	return r;
}

static int explain_unread(struct judging *j)
{
	const struct spg_module_set *after = j->facts->after;
	struct spg_notes *reasons = &j->install->reasons;
	struct spg_buf buf = SPG_BUF_NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->n; i++) {
		const struct spg_module *module = after->modules[i];
		const struct spg_note note = {
			.kind = SPG_REASON_UNREADABLE, .file = module->path};

		if (!module->err || module->err == SPG_ERR_CORRUPT)
			continue;
		j->unread = true;
		spg_buf_puts(&buf, "could not read ");
		put_base(&buf, module->path);
		spg_buf_printf(&buf, ": %s", module->why);
		r = spg_notes_add(reasons, &note, &buf);
	}
	if (r == 0 && j->install->held_more && !j->facts->expected) {
		j->unread = true;
		r = spg_notes_add_copy(
			reasons, &(struct spg_note){.kind = SPG_REASON_HOLDERS_LOST,
					 .text = "so many files were held that some "
						 "may have been left out "
						 "unnoticed"});
	}
	if (r == 0 && j->facts->past_lost && !j->facts->expected) {
		j->unread = true;
		r = spg_notes_add_copy(
			reasons, &(struct spg_note){.kind = SPG_REASON_PAST_LOST,
					 .text = "spguardd ended while it ran: what "
						 "was there before, and what "
						 "was left out, is not known"});
	}
	return r;
}

/* With the new files in place some still get the old ones: a mount, an overlay. */
static int explain_shown(struct judging *j, bool mixed)
{
	const struct spg_notes *shown = j->facts->shown;
	struct spg_install *install = j->install;
	int r;

	if (!shown || shown->n == 0)
		return 0;
	r = spg_notes_add_all(&install->reasons, shown);
	if (r == 0 && !mixed && !j->unread)
		r = spg_notes_add_all(&install->shown, shown);
	return r < 0 ? r
	             : spg_notes_add_copy(&install->next,
			       &(struct spg_note){.kind = SPG_STEP_END_VIEWS,
				       .text = "end what shows the old version: "
					       "spguard check says "
					       "how"});
}

static int explain_clean(struct judging *j)
{
	const struct spg_install *previous = j->facts->previous;
	const struct spg_note note = {
		.kind = SPG_REASON_CLEAN, .install = previous ? previous->id : 0};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, "it finished clean");
	if (previous)
		spg_buf_printf(
			&buf, ", and mended install %lld", (long long)previous->id);
	spg_buf_puts(&buf, ": what is there fits together");
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

static int explain(struct judging *j, bool mixed)
{
	struct spg_install *install = j->install;
	static const struct spg_note verify = {.kind = SPG_STEP_VERIFY,
		.command = "spguard verify --payload DIR",
		.text = "spguard verify --payload DIR   # shows what is what"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < install->n_files; i++) {
		if (install->files[i].change != SPG_CHANGE_SKIPPED)
			continue;
		r = explain_left_out(j, &install->files[i]);
		if (r == 0)
			r = advise_left_out(j, &install->files[i]);
	}
	if (r == 0 && mixed)
		r = spg_notes_add_copy(&install->next,
			&(struct spg_note){.kind = SPG_STEP_INSTALL,
				.text = "run the service pack again, until it finishes "
					"clean: spguard "
					"installs"});
	else if (r == 0 && j->unread)
		r = spg_notes_add_copy(&install->next, &verify);
	else if (r == 0 && !(j->facts->shown && j->facts->shown->n > 0))
		r = explain_clean(j);
	return r == 0 ? explain_shown(j, mixed) : r;
}

int spg_outcome_judge(
	struct spg_install *install, const struct spg_outcome_facts *facts)
{
	struct judging j = {.install = install, .facts = facts};
	bool mixed;
	int r = find_unnoted(&j);

	if (r == 0)
		r = settle_files(&j);
	if (r < 0)
		return r;
	spg_install_keep(install, has_come_to_stay, (void *)facts);
	if (facts->previous)
		install->follows = facts->previous->id;
	r = find_left_out(&j);
	if (r == 0)
		r = find_missing(&j);
	if (r == 0)
		r = take_faults(&j);
	if (r == 0)
		r = explain_unread(&j);
	mixed = install->findings.n > 0 ||
	        spg_install_count(install, SPG_CHANGE_SKIPPED) > 0;
	if (r == 0)
		r = explain(&j, mixed);
	if (r < 0)
		return r;
	install->outcome = mixed || install->shown.n > 0 ? SPG_INSTALL_MIXED
	                   : j.unread                    ? SPG_INSTALL_UNKNOWN
	                                                 : SPG_INSTALL_CLEAN;
	return 0;
}
