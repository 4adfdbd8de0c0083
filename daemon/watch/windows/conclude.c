/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/conclude.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/watch/windows/file.h"
#include "daemon/watch/windows/pending.h"
#include "daemon/watch/windows/probes.h"
#include "daemon/watch/windows/text.h"

#define NAMED_MAX 5

/* --- in use or not ------------------------------------------------------------- */

/* By the filesystem's own list. Returns 0 and *ret; or SPG_ERR_NOMEM. */
static int ask_users(struct spg_win_survey *s, size_t index,
	const struct spg_win_file *file, enum spg_in_use *ret)
{
	bool old = s->obs->files[index].presence == SPG_REPLACED;
	int32_t *pids = NULL;
	size_t n = 0;
	int r = old ? spg_probe_old_users(file->native, file->base.id, &pids, &n)
	            : spg_probe_users(file->native, &pids, &n);

	*ret = SPG_IN_USE_UNKNOWN;
	if (r == SPG_ERR_NOT_FOUND && old) {
		*ret = SPG_IN_USE_NO;
		return 0;
	}
	if (r < 0)
		return r == SPG_ERR_NOMEM ? r : 0;
	*ret = n > 0 ? SPG_IN_USE_YES : SPG_IN_USE_NO;
	for (r = 0; r == 0 && n-- > 0;)
		r = spg_win_users_add(&s->users, index, pids[n], SPG_USE_OPEN);
	free(pids);
	return r;
}

/* Nobody was found, and not everybody could be looked into. */
static int ask(struct spg_win_survey *s, size_t index)
{
	struct spg_seen_file *seen = &s->obs->files[index];
	struct spg_win_file *own = spg_win_file_of(seen->file);
	int r = 0;

	seen->in_use = SPG_IN_USE_UNKNOWN;
	if (own && s->tools->proofs.users)
		r = ask_users(s, index, own, &seen->in_use);
	/* An old version is at no path where it could be opened. */
	if (r == 0 && own && seen->presence == SPG_PRESENT &&
		seen->in_use == SPG_IN_USE_UNKNOWN && s->tools->proofs.write_probe &&
		spg_probe_write(own->native) == SPG_PROBE_BUSY)
		seen->in_use = SPG_IN_USE_YES;
	s->blind = s->blind || seen->in_use == SPG_IN_USE_UNKNOWN;
	return r;
}

static bool has_gone(const struct spg_seen_file *seen)
{
	struct spg_win_file *own = spg_win_file_of(seen->file);

	return own && spg_probe_there(own->native) == SPG_PROBE_GONE;
}

int spg_win_conclude(struct spg_win_survey *s)
{
	bool complete = !s->failed && spg_win_users_complete(s->tools, &s->users);
	int r = 0;

	s->obs->counted = complete;
	s->obs->search_failed = !complete;
	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];
		struct spg_win_file *own = spg_win_file_of(seen->file);
		bool used = spg_win_users_how(&s->users, i) != 0;

		if (used || (own && own->pending && !has_gone(seen)))
			seen->in_use = SPG_IN_USE_YES;
		/* Nothing can be found of one whose number is not known. */
		else if (complete && seen->file->id.ino != 0)
			seen->in_use = SPG_IN_USE_NO;
		else
			r = ask(s, i);
		seen->unattributed = seen->in_use == SPG_IN_USE_YES &&
		                     spg_win_users_how(&s->users, i) == 0;
		if (seen->in_use == SPG_IN_USE_NO && seen->presence == SPG_REPLACED)
			seen->presence = SPG_GONE;
		if (seen->in_use == SPG_IN_USE_NO && seen->presence == SPG_PRESENT &&
			own && own->pending)
			seen->presence = SPG_GONE;
	}
	return r;
}

/* --- by whom ------------------------------------------------------------------- */

/* The record of @pid, borrowed. Returns 0; SPG_ERR_NOT_FOUND: it has ended; or
 * SPG_ERR_NOMEM. */
static int record_of(struct spg_win_survey *s, int32_t pid, struct spg_process **ret)
{
	const struct spg_win_process *process;

	for (size_t i = 0; i < s->n_processes; i++)
		if (s->processes[i]->id.pid == pid) {
			*ret = s->processes[i];
			return 0;
		}
	process = spg_win_processes_find(&s->users.processes, pid);
	if (!process)
		return SPG_ERR_NOT_FOUND;
	if (spg_array_reserve(&s->processes, s->n_processes, &s->size_processes,
		    sizeof(struct spg_process *)) < 0)
		return SPG_ERR_NOMEM;
	*ret = spg_win_process_describe(process, &s->users.services);
	if (!*ret)
		return SPG_ERR_NOMEM;
	s->processes[s->n_processes++] = *ret;
	return 0;
}

/* A view of the program that the process runs is how it runs it. */
static unsigned refine(
	unsigned how, const struct spg_process *process, const struct spg_file *file)
{
	if ((how & SPG_USE_MAPPED) && process->exe &&
		spg_win_same_path(process->exe, file->path))
		return (how & ~(unsigned)SPG_USE_MAPPED) | SPG_USE_EXECUTING;
	return how;
}

int spg_win_add_uses(struct spg_win_survey *s, bool all)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->users.n_uses; i++) {
		const struct spg_win_use *use = &s->users.uses[i];
		struct spg_process *process = NULL;
		struct spg_file *file = s->obs->files[use->file].file;

		r = record_of(s, use->pid, &process);
		if (r == SPG_ERR_NOT_FOUND) {
			r = 0;
			continue;
		}
		if (r == 0 && all)
			r = spg_observation_add_use(s->obs, use->file, process,
				refine(use->how, process, file));
	}
	return r;
}

/* --- locks ------------------------------------------------------------------ */

static int add_lock(struct spg_win_survey *s, size_t index)
{
	struct spg_seen_file *seen = &s->obs->files[index];
	struct spg_win_file *own = spg_win_file_of(seen->file);
	struct spg_probe_range range = {.locked = false};
	struct spg_process *process = NULL;
	int32_t pid = spg_win_users_only(&s->users, index);
	int r;

	if (!own || spg_probe_lock(own->native, &range) < 0) {
		seen->locks_unread = true;
		return 0;
	}
	if (!range.locked)
		return 0;
	r = pid ? record_of(s, pid, &process) : 0;
	if (r == SPG_ERR_NOMEM)
		return r;
	/* It belongs to the handle, as that of an open file description does. */
	return spg_observation_add_lock(s->obs,
		&(struct spg_seen_lock){.file = index,
			.kind = SPG_LOCK_OFD,
			.mode = SPG_LOCK_WRITE,
			.state = SPG_LOCK_HELD,
			.start = range.start,
			.end = range.end == INT64_MAX ? SPG_LOCK_EOF : range.end,
			.process = process});
}

int spg_win_add_locks(struct spg_win_survey *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];
		unsigned how = spg_win_users_how(&s->users, i);

		seen->nobody_waits = true; /* it cannot be told who does */
		if (seen->presence != SPG_PRESENT || !how)
			continue;
		/* Taking a lock, were it for a moment, would fail a write of theirs. */
		if (!s->tools->proofs.locks || (how & SPG_USE_WRITE)) {
			seen->locks_unread = true;
			s->n_disturbing += (how & SPG_USE_WRITE) != 0;
		} else if (how & SPG_USE_OPEN) {
			r = add_lock(s, i);
		}
	}
	return r;
}

/* --- what could not be looked at ----------------------------------------------- */

static int lack_opaque(struct spg_win_survey *s)
{
	struct spg_buf names = SPG_BUF_NULL;
	const struct spg_win_users *users = &s->users;
	int r;

	if (users->n_opaque == 0)
		return 0;
	for (size_t i = 0; i < users->n_opaque && i < NAMED_MAX; i++)
		spg_buf_printf(&names, "%spid %d (%s)", i > 0 ? ", " : "",
			(int)users->opaque[i].id.pid,
			users->opaque[i].name[0] ? users->opaque[i].name : "?");
	if (users->n_opaque > NAMED_MAX)
		spg_buf_printf(&names, " and %zu more", users->n_opaque - NAMED_MAX);
	r = names.failed ? SPG_ERR_NOMEM
	                 : spg_observation_add_lack(s->obs,
				   &(struct spg_lack){.kind = SPG_LACK_PROCESSES,
					   .file = SPG_NO_FILE,
					   .blinds = s->blind,
					   .remedy = {"run spguardd as a service "
						      "(LocalSystem); protected "
						      "processes stay closed to "
						      "everybody",
						   NULL}},
				   "%s cannot be looked into", spg_buf_text(&names));
	spg_buf_finish(&names);
	return r;
}

static int lack_search(struct spg_win_survey *s, const char *why)
{
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_SEARCH,
			.file = SPG_NO_FILE,
			.blinds = s->blind,
			.remedy = {"check again; see the daemon's log", NULL}},
		"%s", why);
}

/* What Windows is to do with a file when it starts the next time. */
static int note_pending_rename(void *user, const char *path, bool deletes)
{
	struct spg_win_survey *s = user;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->obs->n_files; i++)
		if (s->obs->files[i].presence == SPG_PRESENT &&
			spg_win_same_path(s->obs->files[i].file->path, path))
			r = spg_observation_add_lack(s->obs,
				&(struct spg_lack){.kind = SPG_LACK_FILE,
					.file = i,
					.remedy = {"restart Windows before the "
						   "install, so that it is not undone",
						NULL}},
				"Windows will %s %s when it starts the next time "
				"(PendingFileRenameOperations)",
				deletes ? "delete or rename" : "replace", path);
	return r;
}

int spg_win_add_lacks(struct spg_win_survey *s)
{
	int r = lack_opaque(s);

	if (r == 0 && s->failed)
		r = lack_search(s, "the system gives no list of processes or handles");
	if (r == 0 && s->users.cut)
		r = lack_search(
			s, "too many queries hang: not every process was asked");
	if (r == 0 && s->users.restless)
		r = lack_search(s, "processes come and go: a file may have gone from "
				   "one to another meanwhile");
	if (r == 0 && s->users.unresolved)
		r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_SEARCH,
				.file = SPG_NO_FILE,
				.blinds = s->blind,
				.path = s->users.unresolved,
				.remedy = {"let the service's account open it", NULL}},
			"%s is mapped and cannot be opened: it may be another name of "
			"a file of the product",
			s->users.unresolved);
	if (r == 0 && s->n_disturbing > 0)
		r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_LOCKS,
				.file = SPG_NO_FILE,
				.remedy = {"they show as open for writing", NULL}},
			"of %zu files that are open for writing: to look would disturb "
			"who writes",
			s->n_disturbing);
	return r == 0 ? spg_pending_renames_each(note_pending_rename, s) : r;
}
