/* SPDX-License-Identifier: MIT */
#include "daemon/model/advice.h"

#include <string.h>

#include "common/err.h"
#include "common/text.h"
#include "daemon/model/container.h"

/* Under Wine one process opens the files of all programs: its end is theirs. */
static bool is_wineserver(const struct spg_process *process)
{
	return process->name && strncmp(process->name, "wineserver", 10) == 0;
}

/* A step that is a command, and perhaps a comment; empties @command. */
static int add_command(struct spg_notes *next, struct spg_note note,
	struct spg_buf *command, const char *comment)
{
	struct spg_buf text = SPG_BUF_NULL;
	int r = command->failed ? SPG_ERR_NOMEM : 0;

	if (r == 0) {
		note.command = spg_buf_text(command);
		spg_buf_puts(&text, note.command);
		if (comment) {
			spg_buf_puts(&text, "   # ");
			spg_text_escape(&text, comment, false);
		}
		r = spg_notes_add(next, &note, &text);
	}
	spg_buf_finish(command);
	return r;
}

static int advise_restart(const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_RESTART_MACHINE, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf, " cannot be stopped by hand");
	if (process->unit) {
		spg_buf_puts(&buf, " (");
		spg_text_escape(&buf, process->unit, false);
		spg_buf_puts(&buf, ")");
	}
	spg_buf_puts(&buf, ": restart the machine, then check again");
	return spg_notes_add(next, &note, &buf);
}

static int advise_close(const struct spg_process *process, struct spg_notes *next)
{
	const struct spg_note note = spg_note_about(SPG_STEP_CLOSE_PROGRAM, process);
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, "close the Windows program that uses it: ");
	spg_note_put_process(&buf, process);
	spg_buf_puts(&buf, " has it open for one");
	return spg_notes_add(next, &note, &buf);
}

static int advise_container(const struct spg_process *process, struct spg_buf *command,
	struct spg_notes *next)
{
	const char *caution = spg_container_caution(process->engine);

	return add_command(next, spg_note_about(SPG_STEP_STOP_CONTAINER, process),
		command, caution ? caution : process->name);
}

int spg_advise_stop(const struct spg_process *process, struct spg_notes *next)
{
	struct spg_buf command = SPG_BUF_NULL;

	if (spg_container_put_stop(&command, process, false))
		return advise_container(process, &command, next);
	if (process->id.pid == 1 || (process->unit && process->unit_refuses_stop))
		return advise_restart(process, next);
	if (!process->unit && is_wineserver(process))
		return advise_close(process, next);
	if (!process->unit) {
		spg_buf_printf(&command, "kill %d", process->id.pid);
		return add_command(next, spg_note_about(SPG_STEP_STOP_PROCESS, process),
			&command, process->name);
	}
	spg_buf_puts(&command, "systemctl ");
	if (process->unit_user) {
		spg_buf_puts(&command, "--user --machine=");
		spg_text_shell_quote(&command, process->unit_user);
		spg_buf_puts(&command, "@ ");
	}
	spg_buf_puts(&command, "stop ");
	spg_text_shell_quote(&command, process->unit);
	return add_command(
		next, spg_note_about(SPG_STEP_STOP_UNIT, process), &command, NULL);
}

int spg_advise_keeper(const struct spg_seen_keeper *keeper, struct spg_notes *next)
{
	struct spg_note note = spg_note_about(SPG_STEP_UNMOUNT, keeper->process);
	struct spg_buf command = SPG_BUF_NULL;

	note.place = keeper->place;
	if (keeper->kind == SPG_KEEPER_PROBE && keeper->place) {
		note.kind = SPG_STEP_REMOVE_PROBE;
		spg_buf_puts(&command, "cd /sys/kernel/tracing && echo 0 >events/");
		spg_text_shell_quote(&command, keeper->place);
		spg_buf_puts(&command, "/enable && echo -:");
		spg_text_shell_quote(&command, keeper->place);
		spg_buf_puts(&command, " >>uprobe_events");
		return add_command(next, note, &command, NULL);
	}
	if (keeper->process &&
		(keeper->kind == SPG_KEEPER_PROBE ||
			keeper->kind == SPG_KEEPER_DETACHED || keeper->process->unit ||
			keeper->process->container || !keeper->place))
		return spg_advise_stop(keeper->process, next);
	if (keeper->place && (keeper->process || keeper->here)) {
		if (!keeper->here)
			spg_buf_printf(
				&command, "nsenter -t %d -m ", keeper->process->id.pid);
		spg_buf_puts(&command, "umount ");
		spg_text_shell_quote(&command, keeper->place);
		return add_command(next, note, &command, NULL);
	}
	if (keeper->kind == SPG_KEEPER_PROBE)
		return spg_notes_add_copy(
			next, &(struct spg_note){.kind = SPG_STEP_FIND_PIN,
				      .text = "find who pinned it: bpftool link; "
					      "take the pin away (rm), "
					      "then check again"});
	return spg_notes_add_copy(
		next, &(struct spg_note){.kind = SPG_STEP_FIND_MOUNT,
			      .text = "find who keeps that namespace or mount: "
				      "lsns -t mnt, or restart the "
				      "machine; then check again"});
}
