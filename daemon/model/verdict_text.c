/* SPDX-License-Identifier: MIT */
#include "daemon/model/verdict_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

struct lines {
	char ***texts;
	size_t *n, *size;
};

/* Append the text in @buf unless it is among the first lines, which are the ones
 * that will be shown; empties @buf. */
static int add_line(struct lines lines, struct spg_buf *buf)
{
	char *text = spg_buf_take(buf);

	if (!text)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < *lines.n && i < SPG_VERDICT_LINES_MAX; i++) {
		if (strcmp((*lines.texts)[i], text) == 0) {
			free(text);
			return 0;
		}
	}
	if (spg_array_reserve(lines.texts, *lines.n, lines.size, sizeof(char *)) < 0) {
		free(text);
		return SPG_ERR_NOMEM;
	}
	(*lines.texts)[(*lines.n)++] = text;
	return 0;
}

static struct lines reasons_of(struct spg_verdict *v)
{
	return (struct lines){&v->reasons, &v->n_reasons, &v->size_reasons};
}

static struct lines next_of(struct spg_verdict *v)
{
	return (struct lines){&v->next, &v->n_next, &v->size_next};
}

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

static void put_process(struct spg_buf *buf, const struct spg_process *process)
{
	if (process->name)
		spg_text_escape(buf, process->name, false);
	else
		spg_buf_puts(buf, "a process");
	spg_buf_printf(buf, " (pid %d)", process->id.pid);
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
	struct spg_buf buf = SPG_BUF_NULL;

	put_file(&buf, obs, use->file, obs->files[use->file].file->path);
	spg_buf_puts(&buf, " is ");
	put_hows(&buf, use->how);
	spg_buf_puts(&buf, " by ");
	put_process(&buf, use->process);
	return add_line(reasons_of(v), &buf);
}

/* Under Wine one process opens the files of all programs: its end is theirs. */
static bool is_wineserver(const struct spg_process *process)
{
	return process->name && strncmp(process->name, "wineserver", 10) == 0;
}

/* How to make @process let go of its files. */
static int advise_stop(const struct spg_process *process, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;

	if (process->id.pid == 1 || (process->unit && process->unit_refuses_stop)) {
		put_process(&buf, process);
		spg_buf_puts(&buf, " cannot be stopped by hand");
		if (process->unit) {
			spg_buf_puts(&buf, " (");
			spg_text_escape(&buf, process->unit, false);
			spg_buf_puts(&buf, ")");
		}
		spg_buf_puts(&buf, ": restart the machine, then check again");
	} else if (!process->unit && is_wineserver(process)) {
		spg_buf_puts(&buf, "close the Windows program that uses it: ");
		put_process(&buf, process);
		spg_buf_puts(&buf, " has it open for one");
	} else if (process->unit) {
		spg_buf_puts(&buf, "systemctl ");
		if (process->unit_user) {
			spg_buf_puts(&buf, "--user --machine=");
			spg_text_shell_quote(&buf, process->unit_user);
			spg_buf_puts(&buf, "@ ");
		}
		spg_buf_puts(&buf, "stop ");
		spg_text_shell_quote(&buf, process->unit);
	} else {
		spg_buf_printf(&buf, "kill %d", process->id.pid);
		if (process->name) {
			spg_buf_puts(&buf, "   # ");
			spg_text_escape(&buf, process->name, false);
		}
	}
	return add_line(next_of(v), &buf);
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
	put_process(buf, keeper->process);
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
			put_process(buf, keeper->process);
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
			put_process(buf, keeper->process);
		}
		break;
	case SPG_KEEPER_LAYER:
		spg_buf_puts(buf, " is shown by an overlay");
		put_beholder(buf, keeper);
		break;
	}
}

static int explain_keeper(const struct spg_observation *obs,
	const struct spg_seen_keeper *keeper, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;

	put_keeper(&buf, obs, keeper);
	return add_line(reasons_of(v), &buf);
}

int spg_verdict_tell_shown(const struct spg_observation *obs, struct spg_texts *texts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_keepers; i++) {
		const struct spg_seen_keeper *keeper = &obs->keepers[i];
		struct spg_buf buf = SPG_BUF_NULL;

		if (obs->files[keeper->file].presence != SPG_REPLACED ||
			!spg_keeper_matters(obs, keeper))
			continue;
		put_keeper(&buf, obs, keeper);
		r = buf.failed ? SPG_ERR_NOMEM
		               : spg_texts_add_new(texts, spg_buf_text(&buf));
		spg_buf_finish(&buf);
	}
	return r;
}

static int advise_keeper(const struct spg_seen_keeper *keeper, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;

	if (keeper->kind == SPG_KEEPER_PROBE && keeper->place) {
		spg_buf_puts(&buf, "cd /sys/kernel/tracing && echo 0 >events/");
		spg_text_shell_quote(&buf, keeper->place);
		spg_buf_puts(&buf, "/enable && echo -:");
		spg_text_shell_quote(&buf, keeper->place);
		spg_buf_puts(&buf, " >>uprobe_events");
	} else if (keeper->process &&
		   (keeper->kind == SPG_KEEPER_PROBE ||
			   keeper->kind == SPG_KEEPER_DETACHED ||
			   keeper->process->unit || !keeper->place)) {
		return advise_stop(keeper->process, v);
	} else if (keeper->place && (keeper->process || keeper->here)) {
		if (!keeper->here)
			spg_buf_printf(
				&buf, "nsenter -t %d -m ", keeper->process->id.pid);
		spg_buf_puts(&buf, "umount ");
		spg_text_shell_quote(&buf, keeper->place);
	} else if (keeper->kind == SPG_KEEPER_PROBE) {
		spg_buf_puts(&buf,
			"find who pinned it: bpftool link; take the pin away "
			"(rm), then check again");
	} else {
		spg_buf_puts(&buf,
			"find who keeps that namespace or mount: lsns -t mnt, "
			"or restart the machine; then check again");
	}
	return add_line(next_of(v), &buf);
}

static int explain_keepers(
	const struct spg_observation *obs, const bool *blocked, struct spg_verdict *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_keepers; i++) {
		if (!blocked[obs->keepers[i].file] ||
			!spg_keeper_matters(obs, &obs->keepers[i]))
			continue;
		r = explain_keeper(obs, &obs->keepers[i], v);
		if (r == 0)
			r = advise_keeper(&obs->keepers[i], v);
	}
	return r;
}

static int explain_unattributed(const struct spg_observation *obs,
	const struct spg_judged_file *file, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	put_file(&buf, obs, file->seen, file->path);
	spg_buf_puts(&buf, " is held by something that no process shows");
	if (obs->hidden_why)
		spg_buf_printf(&buf, " (%s)", obs->hidden_why);
	r = add_line(reasons_of(v), &buf);
	if (r < 0)
		return r;
	if (!file->advice || obs->hidden_why) {
		spg_buf_puts(&buf, "stop what may have handed on ");
		spg_text_escape(&buf, spg_path_base(file->path), false);
		spg_buf_puts(&buf, " (a loop device, a swap file, a service that "
				   "passes descriptors "
				   "on), or restart the machine; then check again");
		r = add_line(next_of(v), &buf);
	}
	if (r < 0 || !file->advice)
		return r;
	spg_text_escape(&buf, file->advice, false);
	return add_line(next_of(v), &buf);
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

	return r == 0 ? advise_stop(use.process, v) : r;
}

static int explain_blocked(const struct spg_observation *obs, struct spg_verdict *v)
{
	bool *blocked = calloc(obs->n_files + 1, sizeof(*blocked));
	int r = blocked ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < v->n_files; i++)
		if (v->files[i].seen != SPG_NO_FILE)
			blocked[v->files[i].seen] =
				v->files[i].state == SPG_FILE_BLOCKED;
	for (size_t i = 0; r == 0 && i < obs->n_uses; i++) {
		const struct spg_seen_use *use = &obs->uses[i];

		if (!blocked[use->file] || spg_use_classify(obs->product,
						   use->process) != SPG_CLASS_BLOCKER)
			continue;
		r = explain_use(obs, use, v);
		if (r == 0)
			r = advise_stop(use->process, v);
	}
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
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	if (file->seen == SPG_NO_FILE) {
		spg_text_escape(&buf, file->path, false);
		spg_buf_printf(&buf, " is in no directory of %s", obs->product->name);
		return add_line(reasons_of(v), &buf);
	}
	if (obs->files[file->seen].in_use == SPG_IN_USE_UNKNOWN)
		return 0; /* its lack says why */
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
	r = add_line(reasons_of(v), &buf);
	/* Once they are gone, the in-use probe alone can tell. */
	for (size_t i = 0; r == 0 && i < obs->n_uses; i++)
		if (obs->uses[i].file == file->seen)
			r = advise_stop(obs->uses[i].process, v);
	return r;
}

static int explain_lacks(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_lacks; i++) {
		const struct spg_lack *lack = &obs->lacks[i];

		if (!spg_lack_counts(obs, lack, asked))
			continue;
		spg_buf_printf(&buf, "could not look at %s: ", lack->what);
		spg_text_escape(&buf, lack->why, false);
		r = add_line(reasons_of(v), &buf);
		if (r < 0)
			break;
		spg_text_escape(&buf, lack->remedy, false);
		r = add_line(next_of(v), &buf);
	}
	return r;
}

static int explain_nothing_there(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

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
	r = add_line(reasons_of(v), &buf);
	if (r < 0)
		return r;
	spg_buf_puts(&buf, asked ? "see whether this is the payload of that product"
				 : "see whether \"directory\" and \"files\" of the "
				   "product are right: spguard status");
	return add_line(next_of(v), &buf);
}

/* Nobody reads a thousand reasons: keep the first, count the rest. */
static int shorten(struct lines lines, const char *what)
{
	struct spg_buf buf = SPG_BUF_NULL;
	size_t rest;

	if (*lines.n <= SPG_VERDICT_LINES_MAX)
		return 0;
	rest = *lines.n - SPG_VERDICT_LINES_MAX;
	while (*lines.n > SPG_VERDICT_LINES_MAX)
		free((*lines.texts)[--*lines.n]);
	spg_buf_printf(&buf, "and %zu more %s", rest, what);
	return add_line(lines, &buf);
}

static int explain_installing(
	const struct spg_standing *standing, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	if (!standing->installing)
		return 0;
	spg_buf_puts(&buf, standing->installing);
	r = add_line(reasons_of(v), &buf);
	if (r < 0)
		return r;
	spg_buf_puts(&buf, "let it end: spguard installs");
	return add_line(next_of(v), &buf);
}

static int explain_mixed(const struct spg_standing *standing, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < standing->mixed.n; i++) {
		spg_buf_puts(&buf, standing->mixed.items[i]);
		r = add_line(reasons_of(v), &buf);
	}
	for (size_t i = 0; r == 0 && v->counts.blocked > 0 && i < standing->held.n;
		i++) {
		spg_buf_puts(&buf, standing->held.items[i]);
		r = add_line(next_of(v), &buf);
	}
	for (size_t i = 0; r == 0 && i < standing->next.n; i++) {
		spg_buf_puts(&buf, standing->next.items[i]);
		r = add_line(next_of(v), &buf);
	}
	return r;
}

static int explain_missing(const struct spg_stepped_aside *aside, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	spg_text_escape(&buf, spg_path_base(aside->path), false);
	spg_buf_puts(&buf, " is renamed to ");
	spg_text_escape(&buf, spg_path_base(aside->old_path), false);
	spg_buf_puts(&buf, ", and setup has not written a new one yet");
	r = add_line(reasons_of(v), &buf);
	if (r < 0)
		return r;
	spg_buf_printf(&buf,
		"run the service pack now, or take the step back: spguard sidestep "
		"--undo %lld",
		aside->number);
	return add_line(next_of(v), &buf);
}

static int explain_unsure(const struct spg_stepped_aside *aside, struct spg_verdict *v)
{
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	spg_buf_puts(&buf, "spguardd ended while it renamed ");
	spg_text_escape(&buf, spg_path_base(aside->path), false);
	spg_buf_puts(&buf, " to ");
	spg_text_escape(&buf, spg_path_base(aside->old_path), false);
	spg_buf_puts(&buf, ", and is finding out whether that was done");
	r = add_line(reasons_of(v), &buf);
	if (r < 0)
		return r;
	spg_buf_puts(&buf, "check again in a moment: spguard check");
	return add_line(next_of(v), &buf);
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
				r = advise_stop(obs->uses[u].process, v);
		}
	}
	return r;
}

static int explain_standing(const struct spg_observation *obs,
	const struct spg_standing *standing, struct spg_verdict *v)
{
	int r = explain_mixed(standing, v);

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
		r = shorten(reasons_of(verdict), "reasons");
	if (r == 0)
		r = shorten(next_of(verdict), "steps");
	return r;
}
