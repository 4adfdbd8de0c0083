/* SPDX-License-Identifier: MIT */
#include "daemon/model/kernel_use.h"

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"

static enum spg_note_kind reason_of(enum spg_kernel_use kind)
{
	switch (kind) {
	case SPG_KERNEL_LOOP:
	case SPG_KERNEL_LOOP_AUTOCLEAR:
		return SPG_REASON_BACKS_LOOP;
	case SPG_KERNEL_MOUNT:
		return SPG_REASON_BACKS_MOUNT;
	case SPG_KERNEL_SWAP:
		return SPG_REASON_SWAP_FILE;
	case SPG_KERNEL_BINFMT:
		return SPG_REASON_BINFMT_INTERPRETER;
	}
	return SPG_REASON_OTHER;
}

static void put_use(struct spg_buf *buf, const struct spg_seen_kernel_user *user)
{
	switch (user->kind) {
	case SPG_KERNEL_LOOP:
	case SPG_KERNEL_LOOP_AUTOCLEAR:
		spg_buf_puts(buf, " backs the loop device ");
		break;
	case SPG_KERNEL_MOUNT:
		spg_buf_puts(buf, " is the image of what is mounted at ");
		break;
	case SPG_KERNEL_SWAP:
		spg_buf_puts(buf, " is a swap file: ");
		break;
	case SPG_KERNEL_BINFMT:
		spg_buf_puts(buf, " is kept open as the interpreter of the entry of "
				  "binfmt_misc ");
		break;
	}
	spg_text_escape(buf, user->place, false);
	if (user->pid)
		spg_buf_printf(buf, " in the mount namespace of pid %d", user->pid);
}

static int explain(const struct spg_observation *obs,
	const struct spg_seen_kernel_user *user, struct spg_notes *reasons)
{
	const struct spg_note note = {.kind = reason_of(user->kind),
		.file = obs->files[user->file].file->path,
		.place = user->kind == SPG_KERNEL_SWAP ? NULL : user->place,
		.pid = user->pid};
	struct spg_buf buf = SPG_BUF_NULL;

	spg_text_escape(&buf, spg_path_base(note.file), false);
	put_use(&buf, user);
	return spg_notes_add(reasons, &note, &buf);
}

static int advise(const struct spg_observation *obs,
	const struct spg_seen_kernel_user *user, struct spg_notes *next)
{
	struct spg_note note = {
		.kind = SPG_STEP_UNMOUNT, .place = user->place, .pid = user->pid};
	struct spg_buf command = SPG_BUF_NULL;

	switch (user->kind) {
	case SPG_KERNEL_LOOP_AUTOCLEAR:
		/* It goes with what is mounted from it, or with who has it open. */
		return 0;
	case SPG_KERNEL_LOOP:
		note.kind = SPG_STEP_DETACH_LOOP;
		spg_buf_puts(&command, "losetup -d ");
		spg_text_shell_quote(&command, user->place);
		break;
	case SPG_KERNEL_MOUNT:
		if (user->pid)
			spg_buf_printf(&command, "nsenter -t %d -m ", user->pid);
		spg_buf_puts(&command, "umount ");
		spg_text_shell_quote(&command, user->place);
		break;
	case SPG_KERNEL_SWAP:
		note.kind = SPG_STEP_SWAP_OFF;
		note.place = NULL;
		note.file = obs->files[user->file].file->path;
		spg_buf_puts(&command, "swapoff ");
		spg_text_shell_quote(&command, user->place);
		break;
	case SPG_KERNEL_BINFMT:
		note.kind = SPG_STEP_REMOVE_BINFMT;
		spg_buf_puts(&command, "echo -1 >/proc/sys/fs/binfmt_misc/");
		spg_text_shell_quote(&command, user->place);
		break;
	}
	return spg_notes_add_command(next, note, &command, NULL);
}

int spg_kernel_use_explain(const struct spg_observation *obs, size_t seen,
	struct spg_verdict *verdict, bool *ret_found)
{
	int r = 0;

	*ret_found = false;
	/* What is mounted from a loop device has to go before the device. */
	for (int mounts = 1; mounts >= 0; mounts--)
		for (size_t i = 0; r == 0 && i < obs->n_kernel_users; i++) {
			const struct spg_seen_kernel_user *user = &obs->kernel_users[i];

			if (user->file != seen ||
				(user->kind == SPG_KERNEL_MOUNT) != mounts)
				continue;
			*ret_found = true;
			r = explain(obs, user, &verdict->reasons);
			if (r == 0)
				r = advise(obs, user, &verdict->next);
		}
	return r;
}
