/* SPDX-License-Identifier: MIT */
/* Why an install ended as it did, and what to do about it: the sentences. */
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/install/outcome.h"
#include "daemon/install/outcome_parts.h"
#include "daemon/model/advice.h"

static void put_base(struct spg_buf *buf, const char *path)
{
	spg_text_escape(buf, spg_path_base(path), false);
}

void spg_outcome_put_beside(struct spg_buf *buf, const char *path, const char *beside)
{
	size_t n = (size_t)(spg_path_base(path) - path);

	if (n < strlen(beside) && memcmp(path, beside, n) == 0)
		beside += n;
	spg_text_escape(buf, beside, false);
}

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

static int explain_left_out(
	struct spg_outcome_judging *j, const struct spg_install_file *file)
{
	struct spg_expected_match match = {NULL, 0, 0, 0};
	const struct spg_module *module =
		spg_module_set_find(j->facts->after, file->path);
	const struct spg_module *beside = module ? spg_outcome_beside(j, module) : NULL;
	const struct spg_package *half = module && !j->facts->expected
	                                         ? spg_outcome_half_package(j, module)
	                                         : NULL;
	struct spg_note note = {.kind = SPG_REASON_NOT_REPLACED, .file = file->path};
	struct spg_buf buf = SPG_BUF_NULL;

	if (j->facts->expected && module)
		(void)spg_expected_compare(&j->places, module, &match);
	put_base(&buf, file->path);
	if (module && !spg_outcome_is_untouched(j, module)) {
		note.kind = SPG_REASON_NOT_PAYLOAD;
		spg_buf_puts(&buf, " was changed, but is not the service pack's");
		return spg_notes_add(&j->install->reasons, &note, &buf);
	}
	spg_buf_puts(&buf, " was not replaced");
	if (file->guessed)
		spg_buf_puts(&buf, ", and perhaps should have been");
	if (!module)
		spg_buf_puts(&buf, ": it has stepped aside, and nobody has written a "
				   "new one");
	else if (beside) {
		spg_buf_puts(&buf, ": its new version lies beside it as ");
		spg_outcome_put_beside(&buf, file->path, beside->path);
	} else if (half) {
		spg_buf_puts(&buf, ": its package ");
		spg_text_escape(&buf, half->name, false);
		spg_buf_puts(&buf, " is half-installed");
	} else if (file->n_holders > 0) {
		spg_buf_puts(&buf, ": ");
		put_holders(&buf, file);
	}
	if (module && match.file && match.file->version && file->to_version &&
		match.of == 1)
		spg_buf_printf(&buf, "%s it is %s, the service pack has %s",
			file->n_holders > 0 ? ";" : ":", file->to_version,
			match.file->version);
	else if (module && file->n_holders == 0 && !beside && !half)
		spg_buf_puts(&buf, match.file ? ": it is not the service pack's"
					      : ", as in the install before");
	if (match.of > 1)
		spg_buf_printf(&buf, " (one of %zu: no folder tells which)", match.of);
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

static int advise_left_out(
	struct spg_outcome_judging *j, const struct spg_install_file *file)
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

int spg_outcome_explain_unread(struct spg_outcome_judging *j)
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
		r = spg_notes_add_copy(reasons,
			&(struct spg_note){.kind = SPG_REASON_PAST_LOST,
				.text = j->facts->before
		                                ? "spguardd ended while it "
		                                  "ran: what was left out is "
		                                  "not known"
		                                : "spguardd ended while it "
		                                  "ran: what was there before, "
		                                  "and what was left out, is "
		                                  "not known"});
	}
	return r;
}

/* With the new files in place some still get the old ones: a mount, an overlay. */
static int explain_shown(struct spg_outcome_judging *j, bool mixed)
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

static void put_changes(struct spg_buf *buf, size_t n, const char *what, bool *any)
{
	if (n == 0)
		return;
	spg_buf_printf(buf, "%s%zu %s", *any ? ", " : "", n, what);
	*any = true;
}

/* "12 of 12 files replaced, 1 deleted; entry points of 9 modules checked". */
static void put_what_was_checked(
	struct spg_buf *buf, const struct spg_outcome_judging *j)
{
	const struct spg_install *install = j->install;
	size_t n = spg_install_count(install, SPG_CHANGE_REPLACED) +
	           spg_install_count(install, SPG_CHANGE_MODIFIED);
	bool any = n > 0;

	if (any)
		spg_buf_printf(
			buf, "%zu of %zu file%s replaced", n, n, n == 1 ? "" : "s");
	put_changes(
		buf, spg_install_count(install, SPG_CHANGE_CREATED), "created", &any);
	put_changes(
		buf, spg_install_count(install, SPG_CHANGE_DELETED), "deleted", &any);
	spg_buf_printf(buf, "%s; entry points of %zu module%s checked",
		any ? "" : "no file changed", j->n_checked,
		j->n_checked == 1 ? "" : "s");
}

static int explain_clean(struct spg_outcome_judging *j)
{
	const struct spg_install *previous = j->facts->previous;
	const struct spg_note note = {
		.kind = SPG_REASON_CLEAN, .install = previous ? previous->id : 0};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, "it finished clean");
	if (previous)
		spg_buf_printf(&buf,
			j->undone ? ", and undid install %lld, all files are as they "
				    "were before"
				  : ", and mended install %lld",
			(long long)previous->id);
	spg_buf_puts(&buf, ": ");
	put_what_was_checked(&buf, j);
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

/* Where the paths of @then and @now part: how many bytes are alike, to a whole name. */
static size_t common_folders(const char *then, const char *now)
{
	size_t last = 0;

	for (size_t i = 0; then[i] && then[i] == now[i]; i++)
		if (then[i] == '/')
			last = i + 1;
	return last;
}

/* The path up to the end of the name that begins at @at. */
static void put_up_to(struct spg_buf *buf, const char *path, size_t at)
{
	struct spg_buf part = SPG_BUF_NULL;

	spg_buf_add(&part, path, at + strcspn(path + at, "/"));
	spg_text_escape(buf, spg_buf_text(&part), false);
	buf->failed = buf->failed || part.failed;
	spg_buf_finish(&part);
}

int spg_outcome_explain_release(struct spg_outcome_judging *j)
{
	const struct spg_module_set *before = j->facts->before;
	struct spg_note note = {.kind = SPG_REASON_ANOTHER_RELEASE};
	struct spg_buf text = SPG_BUF_NULL, place = SPG_BUF_NULL;
	int r;

	for (size_t i = 0; before && i < j->facts->after->n; i++) {
		const struct spg_module *now = j->facts->after->modules[i];
		const struct spg_module *then = spg_module_set_find(before, now->path);
		size_t at;

		if (!then || !then->real || !now->real ||
			strcmp(then->real, now->real) == 0)
			continue;
		at = common_folders(then->real, now->real);
		/* Only the file itself has another name: that is no release. */
		if (!strchr(now->real + at, '/') || !strchr(then->real + at, '/'))
			continue;
		put_up_to(&place, now->real, at);
		spg_buf_puts(&text, "another release: from ");
		put_up_to(&text, then->real, at);
		spg_buf_printf(&text, " to %s", spg_buf_text(&place));
		note.place = spg_buf_text(&place);
		r = place.failed ? SPG_ERR_NOMEM
		                 : spg_notes_add(&j->install->reasons, &note, &text);
		spg_buf_finish(&place);
		return r;
	}
	return 0;
}

static int explain_dropped(struct spg_outcome_judging *j)
{
	const struct spg_note note = {
		.kind = SPG_REASON_MORE, .count = (int64_t)j->n_dropped};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf, "%zu more file%s not replaced: too many to be listed",
		j->n_dropped, j->n_dropped == 1 ? " was" : "s were");
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

static int explain_all_gone(struct spg_outcome_judging *j)
{
	const struct spg_note note = {
		.kind = SPG_REASON_ALL_GONE, .count = (int64_t)j->n_gone};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf,
		j->n_gone == 1 ? "the one file of the product is gone"
			       : "all %zu files of the product are gone",
		j->n_gone);
	return spg_notes_add(&j->install->reasons, &note, &buf);
}

/* Written to in place while somebody had it mapped: he runs half of each. */
static int explain_changed_in_use(struct spg_outcome_judging *j)
{
	const struct spg_outcome_facts *facts = j->facts;
	int r = 0;

	for (size_t i = 0; r == 0 && i < facts->n_users; i++) {
		const struct spg_install_held *user = &facts->users[i];
		const struct spg_install_file *file =
			spg_install_find(j->install, user->path);
		struct spg_note note =
			spg_note_about(SPG_REASON_CHANGED_IN_USE, user->process);
		struct spg_buf buf = SPG_BUF_NULL;

		if (!file || file->change != SPG_CHANGE_MODIFIED ||
			!(user->how & (SPG_USE_MAPPED | SPG_USE_EXECUTING)) ||
			user->process->started_ns > j->install->last_ns ||
			strcmp(file->from_sha256, file->to_sha256) == 0)
			continue;
		note.file = file->path;
		note.how = user->how;
		put_base(&buf, file->path);
		spg_buf_puts(&buf, " was written to in place while ");
		spg_note_put_process(&buf, user->process);
		spg_buf_puts(&buf, user->how & SPG_USE_EXECUTING
					   ? " was running it: it may crash"
					   : " had it mapped: it may crash");
		r = spg_notes_add(&j->install->reasons, &note, &buf);
		if (r == 0)
			r = spg_advise_restart(user->process,
				"it runs what was written over", &j->install->next);
	}
	return r;
}

static int explain_failures(struct spg_outcome_judging *j)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->facts->n_failures; i++) {
		const struct spg_outcome_failure *failure = &j->facts->failures[i];
		struct spg_note note =
			spg_note_about(SPG_REASON_INSTALLER_FAILED, failure->process);
		struct spg_buf buf = SPG_BUF_NULL;

		spg_note_put_process(&buf, failure->process);
		if (failure->end.signal)
			spg_buf_printf(
				&buf, " was ended by signal %d", failure->end.signal);
		else
			spg_buf_printf(&buf, " ended with exit status %d",
				failure->end.status);
		spg_buf_puts(&buf, ": it may not have done all that it should");
		r = spg_notes_add(&j->install->reasons, &note, &buf);
	}
	return r;
}

static int advise_to_accept(struct spg_install *install)
{
	const struct spg_note note = {.kind = SPG_STEP_ACCEPT, .install = install->id};
	struct spg_buf command = SPG_BUF_NULL;

	spg_buf_printf(
		&command, "spguard installs --accept %lld", (long long)install->id);
	return spg_notes_add_command(
		&install->next, note, &command, "if it is meant to be as it is");
}

int spg_outcome_explain(struct spg_outcome_judging *j, bool mixed)
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
	if (r == 0 && j->n_dropped > 0)
		r = explain_dropped(j);
	if (r == 0 && j->n_gone > 0)
		r = explain_all_gone(j);
	if (r == 0)
		r = explain_changed_in_use(j);
	if (r == 0 && j->failed)
		r = explain_failures(j);
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
	if (r == 0 && (mixed || j->unread))
		r = advise_to_accept(install);
	return r == 0 ? explain_shown(j, mixed) : r;
}
