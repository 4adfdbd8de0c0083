/* SPDX-License-Identifier: MIT */
#include "daemon/model/verdict_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "common/time_text.h"
#include "daemon/model/advice.h"
#include "daemon/model/bystander_text.h"
#include "daemon/model/crowd.h"
#include "daemon/model/kernel_use.h"
#include "daemon/model/obstacle.h"
#include "daemon/model/outdated_text.h"
#include "daemon/model/visits_text.h"

/* "open, mapped and locked" */
static void put_hows(struct spg_buf *buf, unsigned how)
{
	static const struct {
		unsigned bit;
		const char *participle;
	} words[] = {
		{SPG_USE_OPEN, "open"},
		{SPG_USE_WRITE, "open for writing"},
		{SPG_USE_MAPPED, "mapped"},
		{SPG_USE_EXECUTING, "executed"},
		{SPG_USE_LOCKED, "locked"},
		{SPG_USE_WAITING, "waited for"},
	};
	size_t n = sizeof(words) / sizeof(words[0]);
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (!(how & words[i].bit))
			continue;
		how &= ~words[i].bit;
		if (!first)
			spg_buf_puts(buf, how ? ", " : " and ");
		spg_buf_puts(buf, words[i].participle);
		first = false;
	}
	if (first)
		spg_buf_puts(buf, "used");
}

static void put_file(struct spg_buf *buf, const struct spg_observation *obs,
	size_t seen, const char *path)
{
	if (seen != SPG_NO_FILE && obs->files[seen].presence == SPG_REPLACED)
		spg_buf_puts(buf, "an old version of ");
	spg_text_escape(buf, spg_path_base(path), false);
}

static int explain_use(const struct spg_observation *obs,
	const struct spg_seen_use *use, struct spg_verdict *v)
{
	struct spg_note note = spg_note_about(SPG_REASON_IN_USE, use->process);
	struct spg_buf buf = SPG_BUF_NULL;

	note.file = obs->files[use->file].file->path;
	note.how = use->how;
	put_file(&buf, obs, use->file, note.file);
	spg_buf_puts(&buf, " is ");
	put_hows(&buf, use->how);
	spg_buf_puts(&buf, " by ");
	spg_note_put_process(&buf, use->process);
	if ((use->how & SPG_USE_EXECUTING) &&
		obs->product->replacement == SPG_REPLACE_IN_PLACE &&
		obs->files[use->file].presence == SPG_PRESENT)
		spg_buf_puts(&buf, ": nobody can write to it (text file busy)");
	return spg_notes_add(&v->reasons, &note, &buf);
}

/* " at /lib/x.so in the mount namespace of nginx (pid 77), nginx.service" */
static void put_beholder(struct spg_buf *buf, const struct spg_seen_keeper *keeper)
{
	if (keeper->place) {
		spg_buf_puts(buf, " at ");
		spg_text_escape(buf, keeper->place, false);
	}
	if (keeper->here)
		return;
	if (!keeper->process) {
		spg_buf_puts(buf, " in a mount namespace without a process");
		return;
	}
	spg_buf_puts(buf, " in the mount namespace of ");
	spg_note_put_process(buf, keeper->process);
	if (keeper->process->unit) {
		spg_buf_puts(buf, ", ");
		spg_text_escape(buf, keeper->process->unit, false);
	}
}

static void put_keeper(struct spg_buf *buf, const struct spg_observation *obs,
	const struct spg_seen_keeper *keeper)
{
	put_file(buf, obs, keeper->file, obs->files[keeper->file].file->path);
	switch (keeper->kind) {
	case SPG_KEEPER_PROBE:
		spg_buf_puts(buf, " has a probe in it");
		if (keeper->place) {
			spg_buf_puts(buf, ": the event ");
			spg_text_escape(buf, keeper->place, false);
		} else if (keeper->process) {
			spg_buf_puts(buf, ", of ");
			spg_note_put_process(buf, keeper->process);
		} else {
			spg_buf_puts(buf, ", of a BPF link that no process has open");
		}
		break;
	case SPG_KEEPER_MOUNT:
		spg_buf_puts(buf, " is mounted");
		put_beholder(buf, keeper);
		break;
	case SPG_KEEPER_DETACHED:
		spg_buf_puts(buf, " has a mount that is attached nowhere");
		if (keeper->process) {
			spg_buf_puts(buf, ", which is open in ");
			spg_note_put_process(buf, keeper->process);
		}
		break;
	case SPG_KEEPER_LAYER:
		spg_buf_puts(buf, " is shown by an overlay");
		put_beholder(buf, keeper);
		break;
	}
}

static int add_keeper(struct spg_notes *notes, const struct spg_observation *obs,
	const struct spg_seen_keeper *keeper)
{
	struct spg_note note = spg_note_about(SPG_REASON_KEPT, keeper->process);
	struct spg_buf buf = SPG_BUF_NULL;

	note.file = obs->files[keeper->file].file->path;
	note.how = spg_keeper_how(keeper->kind);
	note.place = keeper->place;
	put_keeper(&buf, obs, keeper);
	return spg_notes_add(notes, &note, &buf);
}

int spg_verdict_tell_shown(const struct spg_observation *obs, struct spg_notes *notes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_keepers; i++)
		if (obs->files[obs->keepers[i].file].presence == SPG_REPLACED &&
			spg_keeper_matters(obs, &obs->keepers[i]))
			r = add_keeper(notes, obs, &obs->keepers[i]);
	return r;
}

static int explain_keepers(
	const struct spg_observation *obs, const bool *blocked, struct spg_verdict *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_keepers; i++) {
		if (!blocked[obs->keepers[i].file] ||
			!spg_keeper_matters(obs, &obs->keepers[i]))
			continue;
		r = add_keeper(&v->reasons, obs, &obs->keepers[i]);
		if (r == 0)
			r = spg_advise_keeper(obs, &obs->keepers[i], &v->next);
	}
	return r;
}

static int explain_unattributed(const struct spg_observation *obs,
	const struct spg_judged_file *file, struct spg_verdict *v)
{
	struct spg_note note = {.kind = SPG_REASON_HOLDER_HIDDEN, .file = file->path};
	struct spg_buf buf = SPG_BUF_NULL;
	bool found;
	int r;

	put_file(&buf, obs, file->seen, file->path);
	spg_buf_puts(&buf, " is held by something that no process shows");
	if (obs->hidden_why)
		spg_buf_printf(&buf, " (%s)", obs->hidden_why);
	r = spg_notes_add(&v->reasons, &note, &buf);
	if (r == 0)
		r = spg_kernel_use_explain(obs, file->seen, v, &found);
	if (r == 0 && !found)
		r = spg_visits_explain_hidden(obs, file->seen, v);
	if (r == 0 && !found && (!file->advice || obs->hidden_why)) {
		note.kind = SPG_STEP_FIND_HOLDER;
		spg_buf_puts(&buf, "stop what may have handed on ");
		spg_text_escape(&buf, spg_path_base(file->path), false);
		spg_buf_puts(&buf, " (a loop device, a swap file, a service that "
				   "passes descriptors "
				   "on), or restart the machine; then check again");
		r = spg_notes_add(&v->next, &note, &buf);
	}
	if (r < 0 || !file->advice)
		return r;
	note.kind = SPG_STEP_ADVICE;
	spg_text_escape(&buf, file->advice, false);
	return spg_notes_add(&v->next, &note, &buf);
}

/* Whoever shows only as the owner of a lock; NULL: has a use that tells more. */
static const struct spg_process *lock_owner(
	const struct spg_observation *obs, const struct spg_seen_lock *lock)
{
	for (size_t i = 0; lock->process && i < obs->n_uses; i++)
		if (obs->uses[i].file == lock->file &&
			spg_proc_id_equal(obs->uses[i].process->id, lock->process->id))
			return NULL;
	return lock->process;
}

static int explain_lock(const struct spg_observation *obs,
	const struct spg_seen_lock *lock, struct spg_verdict *v)
{
	const struct spg_seen_use use = {.file = lock->file,
		.process = lock->process,
		.how = lock->state == SPG_LOCK_HELD ? SPG_USE_LOCKED : SPG_USE_WAITING};
	int r = explain_use(obs, &use, v);

	return r == 0 ? spg_advise_stop(obs, use.process, use.how, &v->next) : r;
}

/* "x.so is open in 2000 processes of nginx.service (pid 1, 2, 3 and 1997 more)" */
static int explain_crowd(const struct spg_observation *obs,
	const struct spg_crowd *crowd, struct spg_verdict *v)
{
	const struct spg_seen_use *use = crowd->uses[0];
	struct spg_note note = spg_note_about(SPG_REASON_IN_USE, use->process);
	const char *owner = note.unit        ? note.unit
	                    : note.container ? note.container
	                    : note.name      ? note.name
	                                     : "one name";
	struct spg_buf buf = SPG_BUF_NULL;

	note.file = obs->files[use->file].file->path;
	note.how = use->how;
	note.count = (int64_t)crowd->n;
	put_file(&buf, obs, use->file, note.file);
	spg_buf_puts(&buf, " is ");
	put_hows(&buf, use->how);
	spg_buf_printf(&buf, " by %zu processes of ", crowd->n);
	spg_text_escape(&buf, owner, false);
	spg_buf_puts(&buf, " (pid ");
	for (size_t i = 0; i < SPG_CROWD_NAMED; i++)
		spg_buf_printf(
			&buf, "%s%d", i ? ", " : "", crowd->uses[i]->process->id.pid);
	spg_buf_printf(&buf, " and %zu more)", crowd->n - SPG_CROWD_NAMED);
	return spg_notes_add(&v->reasons, &note, &buf);
}

struct blockers {
	const struct spg_observation *obs;
	const bool *blocked; /* by file */
};

static bool is_blocker(const struct spg_seen_use *use, const void *user)
{
	const struct blockers *blockers = user;

	return blockers->blocked[use->file] &&
	       spg_use_classify(blockers->obs->product, use->process) ==
	               SPG_CLASS_BLOCKER;
}

static int explain_uses(
	const struct spg_observation *obs, const bool *blocked, struct spg_verdict *v)
{
	const struct blockers blockers = {obs, blocked};
	struct spg_crowds crowds;
	int r = spg_crowds_init(&crowds, obs, is_blocker, &blockers);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < obs->n_uses; i++) {
		const struct spg_seen_use *use = &obs->uses[i];
		struct spg_crowd *crowd;

		if (crowds.of_use[i] == SIZE_MAX)
			continue;
		crowd = &crowds.crowds[crowds.of_use[i]];
		if (crowd->n < SPG_CROWD_MIN)
			r = explain_use(obs, use, v);
		else if (!crowd->told)
			r = explain_crowd(obs, crowd, v);
		crowd->told = true;
		if (r == 0)
			r = spg_advise_stop(obs, use->process, use->how, &v->next);
	}
	spg_crowds_finish(&crowds);
	return r;
}

static int explain_blocked(const struct spg_observation *obs, struct spg_verdict *v)
{
	bool *blocked = calloc(obs->n_files + 1, sizeof(*blocked));
	int r = blocked ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < v->n_files; i++)
		if (v->files[i].seen != SPG_NO_FILE)
			blocked[v->files[i].seen] =
				v->files[i].state == SPG_FILE_BLOCKED;
	if (r == 0)
		r = explain_uses(obs, blocked, v);
	for (size_t i = 0; r == 0 && i < obs->n_locks; i++) {
		const struct spg_seen_lock *lock = &obs->locks[i];
		const struct spg_process *owner = lock_owner(obs, lock);

		if (blocked[lock->file] && owner &&
			spg_use_classify(obs->product, owner) == SPG_CLASS_BLOCKER)
			r = explain_lock(obs, lock, v);
	}
	if (r == 0)
		r = explain_keepers(obs, blocked, v);
	for (size_t i = 0; r == 0 && i < v->n_files; i++)
		if (v->files[i].unattributed)
			r = explain_unattributed(obs, &v->files[i], v);
	free(blocked);
	return r;
}

static int explain_unknown_file(const struct spg_observation *obs,
	const struct spg_judged_file *file, struct spg_verdict *v)
{
	static const struct spg_note widen = {.kind = SPG_STEP_CHECK_CONFIGURATION,
		.text = "have the product look there (\"directory\", \"recursive\"), "
			"or name the files that matter with --files"};
	struct spg_note note = {.kind = SPG_REASON_NOT_OF_PRODUCT, .file = file->path};
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	if (file->seen == SPG_NO_FILE) {
		spg_text_escape(&buf, file->path, false);
		spg_buf_printf(&buf,
			" is in no directory of %s: nobody has looked who uses it",
			obs->product->name);
		r = spg_notes_add(&v->reasons, &note, &buf);
		return r == 0 ? spg_notes_add_copy(&v->next, &widen) : r;
	}
	if (obs->files[file->seen].in_use == SPG_IN_USE_UNKNOWN)
		return 0; /* its lack says why */
	note.kind = SPG_REASON_HOLDERS_UNSURE;
	put_file(&buf, obs, file->seen, file->path);
	spg_buf_puts(&buf,
		" is held by a process that setup stops, and others cannot be "
		"ruled out");
	if (obs->files[file->seen].shared)
		spg_buf_puts(&buf, ": somebody shares what it has open, and no process "
				   "shows who");
	if (obs->hidden_why)
		spg_buf_printf(&buf, ": %s", obs->hidden_why);
	else if (!obs->files[file->seen].shared)
		spg_buf_puts(&buf, ": the tier says whether somebody has it, not how "
				   "many");
	r = spg_notes_add(&v->reasons, &note, &buf);
	/* Once they are gone, the in-use probe alone can tell. */
	for (size_t i = 0; r == 0 && i < obs->n_uses; i++)
		if (obs->uses[i].file == file->seen)
			r = spg_advise_stop(
				obs, obs->uses[i].process, obs->uses[i].how, &v->next);
	return r;
}

static int explain_lacks(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *v)
{
	struct spg_note reason = {.kind = SPG_REASON_NOT_LOOKED_AT};
	struct spg_note step = {.kind = SPG_STEP_REMEDY};
	struct spg_buf buf = SPG_BUF_NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_lacks; i++) {
		const struct spg_lack *lack = &obs->lacks[i];

		if (!spg_lack_counts(obs, lack, asked))
			continue;
		reason.lack = step.lack = lack->kind;
		reason.file = step.file = lack->path;
		spg_buf_printf(&buf, "could not look at %s: ", lack->what);
		spg_text_escape(&buf, lack->why, false);
		r = spg_notes_add(&v->reasons, &reason, &buf);
		if (r < 0)
			break;
		spg_text_escape(&buf, lack->remedy.text, false);
		r = spg_notes_add(&v->next, &step, &buf);
	}
	return r;
}

static int explain_nothing_there(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *v)
{
	const struct spg_note note = {SPG_REASON_NOTHING_INSTALLED};
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	if (v->asked_own)
		return 0;
	for (size_t i = 0; i < v->n_files; i++)
		if (v->files[i].seen != SPG_NO_FILE)
			return 0;
	/* Then that is the reason, and the files may well be there. */
	for (size_t i = 0; i < obs->n_lacks; i++)
		if (obs->lacks[i].blinds && obs->lacks[i].file == SPG_NO_FILE)
			return 0;
	spg_buf_printf(&buf,
		asked ? "none of the files asked about is installed in the "
			"directories "
			"of %s"
		      : "no file of %s was found in its directories",
		obs->product->name);
	r = spg_notes_add(&v->reasons, &note, &buf);
	if (r < 0)
		return r;
	if (asked)
		return spg_notes_add_copy(
			&v->next, &(struct spg_note){.kind = SPG_STEP_CHECK_PAYLOAD,
					  .text = "see whether this is the payload of "
						  "that product"});
	return spg_notes_add_copy(
		&v->next, &(struct spg_note){.kind = SPG_STEP_CHECK_CONFIGURATION,
				  .text = "see whether \"directory\" and \"files\" of "
					  "the product are right: "
					  "spguard status"});
}

static int explain_installing(
	const struct spg_standing *standing, struct spg_verdict *v)
{
	struct spg_note step = {
		.kind = SPG_STEP_AWAIT_INSTALL, .text = "let it end: spguard installs"};
	int r = spg_notes_add_all(&v->reasons, &standing->installing);

	if (r < 0 || standing->installing.n == 0)
		return r;
	step.install = standing->installing.items[0].install;
	return spg_notes_add_copy(&v->next, &step);
}

static int explain_mixed(const struct spg_standing *standing, struct spg_verdict *v)
{
	int r = spg_notes_add_all(&v->reasons, &standing->mixed);

	if (r == 0 && v->counts.blocked > 0)
		r = spg_notes_add_all(&v->next, &standing->held);
	return r == 0 ? spg_notes_add_all(&v->next, &standing->next) : r;
}

static int explain_missing(const struct spg_stepped_aside *aside, struct spg_verdict *v)
{
	struct spg_note note = {.kind = SPG_REASON_NOT_WRITTEN_YET,
		.file = aside->path,
		.sidestep = aside->number};
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	spg_text_escape(&buf, spg_path_base(aside->path), false);
	spg_buf_puts(&buf, " is renamed to ");
	spg_text_escape(&buf, spg_path_base(aside->old_path), false);
	spg_buf_puts(&buf, ", and setup has not written a new one yet");
	r = spg_notes_add(&v->reasons, &note, &buf);
	if (r < 0)
		return r;
	note.kind = SPG_STEP_FINISH_SIDESTEP;
	spg_buf_printf(&buf,
		"run the service pack now, or take the step back: spguard sidestep "
		"--undo %lld",
		aside->number);
	return spg_notes_add(&v->next, &note, &buf);
}

static int explain_unsure(const struct spg_stepped_aside *aside, struct spg_verdict *v)
{
	const struct spg_note note = {.kind = SPG_REASON_SIDESTEP_UNSURE,
		.file = aside->path,
		.sidestep = aside->number};
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	spg_buf_puts(&buf, "spguardd ended while it renamed ");
	spg_text_escape(&buf, spg_path_base(aside->path), false);
	spg_buf_puts(&buf, " to ");
	spg_text_escape(&buf, spg_path_base(aside->old_path), false);
	spg_buf_puts(&buf, ", and is finding out whether that was done");
	r = spg_notes_add(&v->reasons, &note, &buf);
	return r < 0 ? r
	             : spg_notes_add_copy(&v->next,
			       &(struct spg_note){.kind = SPG_STEP_CHECK_AGAIN,
				       .text = "check again in a moment: spguard "
					       "check"});
}

/* Old versions that run on until their users end. */
static int explain_sidestepped(const struct spg_observation *obs, struct spg_verdict *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->n_files; i++) {
		if (v->files[i].state != SPG_FILE_SIDESTEPPED)
			continue;
		for (size_t u = 0; r == 0 && u < obs->n_uses; u++) {
			if (obs->uses[u].file != v->files[i].seen)
				continue;
			r = explain_use(obs, &obs->uses[u], v);
			if (r == 0)
				r = spg_advise_stop(obs, obs->uses[u].process,
					obs->uses[u].how, &v->next);
		}
	}
	return r;
}

static int explain_standing(const struct spg_observation *obs,
	const struct spg_standing *standing, struct spg_verdict *v)
{
	int r = spg_notes_add_all(&v->reasons, &standing->unread);

	if (r == 0)
		r = explain_mixed(standing, v);
	for (size_t i = 0; r == 0 && i < standing->n_aside; i++)
		if (standing->aside[i].missing)
			r = explain_missing(&standing->aside[i], v);
		else if (standing->aside[i].unsure)
			r = explain_unsure(&standing->aside[i], v);
	return r == 0 ? explain_sidestepped(obs, v) : r;
}

int spg_verdict_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_standing *standing,
	struct spg_verdict *verdict)
{
	int r = standing ? explain_installing(standing, verdict) : 0;

	if (r == 0)
		r = explain_blocked(obs, verdict);
	if (r == 0)
		r = spg_obstacles_explain(obs, verdict);
	for (size_t i = 0; r == 0 && i < verdict->n_files; i++)
		if (verdict->files[i].state == SPG_FILE_UNKNOWN)
			r = explain_unknown_file(obs, &verdict->files[i], verdict);
	if (r == 0)
		r = explain_lacks(obs, asked, verdict);
	if (r == 0)
		r = explain_nothing_there(obs, asked, verdict);
	if (r == 0 && standing)
		r = explain_standing(obs, standing, verdict);
	if (r == 0)
		r = spg_visits_explain(obs, asked, verdict);
	if (r == 0)
		r = spg_bystanders_explain(obs, asked, verdict);
	if (r == 0)
		r = spg_outdated_explain(obs, asked, verdict);
	if (r == 0)
		r = spg_notes_sum_up(&verdict->reasons, SPG_REASON_MORE, "reasons");
	if (r == 0)
		r = spg_notes_sum_up(&verdict->next, SPG_STEP_MORE, "steps");
	return r;
}

int spg_verdict_make_unknown(
	const struct spg_observation *obs, struct spg_verdict *verdict)
{
	static const struct spg_note note = {.kind = SPG_REASON_DISTURBED,
		.text = "the files kept being opened or changed while they were looked "
			"at: stop what does that, then check again (spguard log)"};

	int r;

	verdict->kind = verdict->without_blocked = SPG_VERDICT_UNKNOWN;
	r = spg_notes_put_first(&verdict->reasons, &note);
	return r == 0 ? spg_visits_advise(obs, verdict) : r;
}

int spg_verdict_make_unsettled(const struct spg_observation *obs,
	struct spg_verdict *verdict, int64_t free_ns, int64_t settle_ns)
{
	char free_text[SPG_TIME_TEXT_BYTES], settle_text[SPG_TIME_TEXT_BYTES],
		text[256];
	const struct spg_note reason = {.kind = SPG_REASON_UNSETTLED, .text = text};
	int r;

	spg_duration_format(free_ns, free_text);
	spg_duration_format(settle_ns, settle_text);
	snprintf(text, sizeof(text),
		"the files are free, but have been so for only %s, and not for the "
		"settle "
		"time of %s: they may be in use again at once",
		free_text, settle_text);
	verdict->kind = verdict->without_blocked = SPG_VERDICT_ATTENTION;
	r = spg_notes_put_first(&verdict->reasons, &reason);
	return r == 0 ? spg_visits_advise(obs, verdict) : r;
}
