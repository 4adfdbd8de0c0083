/* SPDX-License-Identifier: MIT */
#include "daemon/model/asker.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/text.h"

static bool ends_process(enum spg_note_kind kind)
{
	return kind == SPG_STEP_STOP_PROCESS || kind == SPG_STEP_STOP_FAMILY ||
	       kind == SPG_STEP_RESUME_PROCESS || kind == SPG_STEP_THAW_PROCESS ||
	       kind == SPG_STEP_KILL_PROCESS || kind == SPG_STEP_KILL_TRACED ||
	       kind == SPG_STEP_KILL_STUCK;
}

static bool is_in(int32_t pid, const int32_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static int leave(int32_t pid, const char *name, struct spg_notes *ret)
{
	struct spg_note note = {
		.kind = SPG_STEP_LEAVE_SESSION, .pid = pid, .name = name};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_text_escape(&buf, name ? name : "a process", false);
	spg_buf_printf(&buf,
		" (pid %d) is what you ask from, and to kill it would end your "
		"session: "
		"close the file in it or leave it (exit), then check again",
		pid);
	return spg_notes_add(ret, &note, &buf);
}

/* The others of a family, but for those that the session is in too. */
static int stop_others(const struct spg_note *step, const int32_t *lineage, size_t n,
	struct spg_notes *ret)
{
	struct spg_note note = {.kind = SPG_STEP_STOP_FAMILY, .name = step->name};
	struct spg_buf command = SPG_BUF_NULL;
	char *end = NULL;
	int r = 0;

	spg_buf_puts(&command, "kill");
	for (const char *at = step->family; r == 0 && at && *at; at = end) {
		int32_t pid = (int32_t)strtol(at, &end, 10);

		if (is_in(pid, lineage, n)) {
			r = leave(pid, NULL, ret);
			continue;
		}
		note.pid = note.pid ? note.pid : pid;
		note.count++;
		spg_buf_printf(&command, " %d", pid);
	}
	if (r == 0 && note.count > 0)
		return spg_notes_add_command(
			ret, note, &command, "begun by what you ask from");
	spg_buf_finish(&command);
	return r;
}

static int leave_session(const struct spg_note *step, const int32_t *lineage, size_t n,
	struct spg_notes *ret)
{
	int r = leave(step->pid, step->name, ret);

	return r == 0 && step->kind == SPG_STEP_STOP_FAMILY
	               ? stop_others(step, lineage, n, ret)
	               : r;
}

static int warn_of_session(const struct spg_note *step, struct spg_notes *ret)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf, "%s   # you ask from a session below it", step->command);
	return spg_notes_add(ret, step, &buf);
}

int spg_advise_asker(const struct spg_notes *next, const int32_t *lineage, size_t n,
	struct spg_notes *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < next->n; i++) {
		const struct spg_note *step = &next->items[i];

		if (!step->pid || !is_in(step->pid, lineage, n))
			r = spg_notes_add_copy(ret, step);
		else if (ends_process(step->kind))
			r = leave_session(step, lineage, n, ret);
		else if (step->command)
			r = warn_of_session(step, ret);
		else
			r = spg_notes_add_copy(ret, step);
	}
	return r;
}
