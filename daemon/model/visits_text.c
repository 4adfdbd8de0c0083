/* SPDX-License-Identifier: MIT */
#include "daemon/model/visits_text.h"

#include <string.h>

#include "common/buf.h"
#include "common/text.h"
#include "common/time_text.h"
#include "daemon/model/advice.h"

static struct spg_note note_of(
	enum spg_note_kind kind, const struct spg_seen_past *past)
{
	struct spg_note note = spg_note_about(kind, past->process);

	note.file = past->file->path;
	note.count = past->count;
	if (past->starter) {
		note.starter = past->starter->name;
		note.starter_pid = past->starter->id.pid;
	}
	return note;
}

static bool is_in_the_way(
	const struct spg_observation *obs, const struct spg_seen_past *past)
{
	return spg_use_classify(obs->product, past->process) == SPG_CLASS_BLOCKER;
}

static void put_starter(struct spg_buf *buf, const struct spg_seen_past *past)
{
	if (!past->starter)
		return;
	spg_buf_puts(buf, ", started by ");
	spg_note_put_process(buf, past->starter);
}

static void put_name(struct spg_buf *buf, const struct spg_process *process)
{
	if (process->name)
		spg_text_escape(buf, process->name, false);
	else
		spg_buf_puts(buf, "a process that ended too soon to be named");
}

static int explain_return(const struct spg_seen_past *past, struct spg_notes *remarks)
{
	const struct spg_note note = note_of(SPG_REASON_CAME_BACK, past);
	char ago[SPG_TIME_TEXT_BYTES];
	struct spg_buf buf = SPG_BUF_NULL;

	spg_duration_format(past->ago_ns, ago);
	put_name(&buf, past->process);
	spg_buf_puts(&buf, " came back to ");
	spg_text_escape(&buf, spg_path_base(past->file->path), false);
	spg_buf_printf(&buf, " %u time%s after it had ended, the last time %s ago",
		past->count, past->count == 1 ? "" : "s", ago);
	put_starter(&buf, past);
	return spg_notes_add(remarks, &note, &buf);
}

static int explain_starts(const struct spg_seen_past *past, struct spg_notes *remarks)
{
	const struct spg_note note = note_of(SPG_REASON_KEEPS_STARTING, past);
	struct spg_buf buf = SPG_BUF_NULL;

	put_name(&buf, past->process);
	spg_buf_puts(&buf, " keeps coming to ");
	spg_text_escape(&buf, spg_path_base(past->file->path), false);
	spg_buf_printf(
		&buf, ": it was started %u times in the last minute", past->count);
	put_starter(&buf, past);
	return spg_notes_add(remarks, &note, &buf);
}

/* True when a kill is all that ends @process: what is more than a process, a service or
 * a container, has states and triggers that nobody has looked at here, and may be a
 * manager of others. */
static bool is_mere_process(const struct spg_process *process)
{
	return process->id.pid > 1 && !process->unit && !process->container &&
	       !process->is_daemon;
}

int spg_visits_explain_hidden(
	const struct spg_observation *obs, size_t seen, struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_pasts; i++) {
		const struct spg_seen_past *past = &obs->pasts[i];
		struct spg_note note = note_of(SPG_REASON_OPENED_LAST, past);
		struct spg_buf buf = SPG_BUF_NULL;
		char ago[SPG_TIME_TEXT_BYTES];

		if (past->kind != SPG_PAST_OPENED_LAST ||
			past->file != obs->files[seen].file)
			continue;
		note.count = 0;
		spg_duration_format(past->ago_ns, ago);
		spg_note_put_process(&buf, past->process);
		spg_buf_puts(&buf, " opened ");
		spg_text_escape(&buf, spg_path_base(note.file), false);
		spg_buf_printf(&buf,
			" last, %s ago, and no event tells that it closed it", ago);
		if (!past->running)
			spg_buf_puts(&buf, "; it has ended");
		put_starter(&buf, past);
		r = spg_notes_add(&verdict->reasons, &note, &buf);
		if (r == 0 && past->running && is_in_the_way(obs, past) &&
			is_mere_process(past->process))
			r = spg_advise_stop(obs, past->process, 0, &verdict->next);
	}
	return r;
}

static bool is_remarked(const struct spg_notes *remarks, int32_t pid)
{
	for (size_t i = 0; i < remarks->n; i++)
		if (remarks->items[i].kind == SPG_REASON_KEEPS_STARTING &&
			remarks->items[i].pid == pid)
			return true;
	return false;
}

/* Append the end of the starter of @past, where a kill is all that takes. */
static int advise_starter(const struct spg_observation *obs,
	const struct spg_seen_past *past, struct spg_verdict *verdict)
{
	if (past->kind != SPG_PAST_KEEPS_STARTING || !past->starter ||
		!is_mere_process(past->starter) || !is_mere_process(past->process) ||
		!is_remarked(&verdict->remarks, past->process->id.pid))
		return 0;
	return spg_advise_stop(obs, past->starter, 0, &verdict->next);
}

/* One of those that it starts is in the way now, or may be: nobody shows who is. */
static bool has_child_in_the_way(const struct spg_observation *obs,
	const struct spg_seen_past *past, const struct spg_verdict *verdict)
{
	const struct spg_process *starter = past->starter;

	for (size_t i = 0; starter && i < verdict->n_files; i++)
		if (verdict->files[i].unattributed &&
			strcmp(verdict->files[i].path, past->file->path) == 0)
			return true;
	for (size_t i = 0; starter && i < obs->n_uses; i++)
		if (obs->uses[i].process->ppid == starter->id.pid &&
			spg_use_classify(obs->product, obs->uses[i].process) ==
				SPG_CLASS_BLOCKER)
			return true;
	return false;
}

int spg_visits_advise(const struct spg_observation *obs, struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_pasts; i++)
		r = advise_starter(obs, &obs->pasts[i], verdict);
	return r;
}

int spg_visits_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->n_pasts; i++) {
		const struct spg_seen_past *past = &obs->pasts[i];

		if (!is_in_the_way(obs, past) ||
			!spg_verdict_is_asked(obs->product, asked, past->file->path))
			continue;
		if (past->kind == SPG_PAST_CAME_BACK)
			r = explain_return(past, &verdict->remarks);
		else if (past->kind == SPG_PAST_KEEPS_STARTING)
			r = explain_starts(past, &verdict->remarks);
		if (r == 0 && has_child_in_the_way(obs, past, verdict))
			r = advise_starter(obs, past, verdict);
	}
	return r;
}
