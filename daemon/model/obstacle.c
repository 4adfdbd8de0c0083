/* SPDX-License-Identifier: MIT */
#include "daemon/model/obstacle.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

#define OF_DIRECTORIES                                                                 \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_IMMUTABLE) |                          \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_APPEND_ONLY) |                 \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_NO_PERMISSION))
/* Of a directory as well, and in everybody's way. */
#define OF_WAYS  SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_UNREACHABLE)
/* What is in the way of a rename, of the file's. */
#define OF_NAMES SPG_OBSTACLE_BIT(SPG_OBSTACLE_FOREIGN_OWNER)
/* What this daemon may do all the same. */
#define OF_INSTALLER                                                                   \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_NO_PERMISSION) |                                \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_FOREIGN_OWNER) |                         \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_NO_PERMISSION) |               \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_UNREACHABLE))
#define OF_MOUNTS                                                                      \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_FILESYSTEM) |                         \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_MOUNT))
/* What a verdict adds: space.h. */
#define OF_SPACE                                                                       \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_NO_SPACE) |                                     \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_NO_INODES))
/* What is in the way of making a file in a directory: append-only is not. */
#define OF_NEW_FILES                                                                   \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_IMMUTABLE) |                          \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_NO_PERMISSION) | OF_WAYS |     \
		OF_MOUNTS)
/* What is in the way of writing into the file only. */
#define OF_CONTENTS                                                                    \
	(SPG_OBSTACLE_BIT(SPG_OBSTACLE_VERITY) |                                       \
		SPG_OBSTACLE_BIT(SPG_OBSTACLE_NO_PERMISSION))

static const struct spg_seen_folder *folder_of(
	const struct spg_observation *obs, size_t index)
{
	size_t folder = obs->files[index].folder;

	return folder == SPG_NO_FILE ? NULL : &obs->folders[folder];
}

/* All of a file that lies at its place: an old version is not to be replaced. */
static unsigned all_of(const struct spg_observation *obs, size_t index)
{
	const struct spg_seen_file *seen = &obs->files[index];
	const struct spg_seen_folder *folder = folder_of(obs, index);

	if (seen->presence != SPG_PRESENT)
		return 0;
	/* Such a one may call all of its inodes immutable (erofs does). */
	if (folder && obs->mounts[folder->mount].bare)
		return obs->mounts[folder->mount].obstacles;
	return seen->obstacles |
	       (folder ? folder->obstacles | obs->mounts[folder->mount].obstacles : 0);
}

unsigned spg_obstacles_of(const struct spg_observation *obs, size_t index)
{
	unsigned all = all_of(obs, index);

	switch (obs->product->replacement) {
	case SPG_REPLACE_IN_PLACE:
		return all & ~(OF_DIRECTORIES | OF_NAMES);
	case SPG_REPLACE_BY_RENAME:
		return all & ~OF_CONTENTS;
	case SPG_REPLACE_ANYHOW:
	case SPG_REPLACEMENTS:
		break;
	}
	return all;
}

unsigned spg_obstacles_to_rename(const struct spg_observation *obs, size_t index)
{
	const struct spg_seen_folder *folder = folder_of(obs, index);
	unsigned all = all_of(obs, index) & ~(OF_CONTENTS | OF_INSTALLER);

	if (folder && obs->mounts[folder->mount].barred_here && !(all & OF_MOUNTS))
		all |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_READ_ONLY_MOUNT);
	return all;
}

/* An obstacle of a file, and of what it is really one. */
struct case_of {
	enum spg_obstacle_kind kind;
	const char *file;  /* the file's path */
	const char *place; /* its directory, or where it is mounted; NULL: itself */
	const char *who;   /* installs; NULL: root */
	const struct spg_seen_mount *mount;
};

/* @folder: that of the file; NULL: not known. */
static struct case_of make_case(const struct spg_observation *obs, const char *file,
	const struct spg_seen_folder *folder, enum spg_obstacle_kind kind)
{
	struct case_of it = {
		.kind = kind, .file = file, .who = obs->product->install_as};

	if (SPG_OBSTACLE_BIT(kind) & OF_DIRECTORIES)
		it.place = folder->path;
	if (SPG_OBSTACLE_BIT(kind) & OF_WAYS)
		it.place = folder->bar;
	if (SPG_OBSTACLE_BIT(kind) & OF_MOUNTS) {
		it.mount = &obs->mounts[folder->mount];
		it.place = it.mount->place;
	}
	return it;
}

static void put_read_only(struct spg_buf *buf, const struct case_of *it)
{
	spg_text_escape(buf, it->place, false);
	if (it->kind == SPG_OBSTACLE_READ_ONLY_MOUNT) {
		spg_buf_puts(buf, " is mounted read-only");
		return;
	}
	spg_buf_puts(buf, " is a read-only filesystem (");
	spg_text_escape(buf, it->mount->type, false);
	spg_buf_puts(buf, ")");
	if (it->mount->failed)
		spg_buf_puts(buf, " since it met an error on its disk");
	else if (it->mount->device)
		spg_buf_puts(buf, ", and its device is write-protected");
}

static void put_permission(struct spg_buf *buf, const struct case_of *it)
{
	spg_buf_printf(buf, "%s, who installs, ", it->who);
	switch (it->kind) {
	case SPG_OBSTACLE_DIRECTORY_UNREACHABLE:
		spg_buf_puts(buf, "may not pass through ");
		break;
	case SPG_OBSTACLE_DIRECTORY_NO_PERMISSION:
		spg_buf_puts(buf, "may make no files in ");
		break;
	case SPG_OBSTACLE_FOREIGN_OWNER:
		spg_buf_puts(
			buf, "may replace in a sticky directory only what is his: ");
		break;
	default:
		spg_buf_puts(buf, "may not write to ");
		break;
	}
	spg_text_escape(buf, it->place ? it->place : spg_path_base(it->file), false);
}

/* What it is. */
static void put_obstacle(struct spg_buf *buf, const struct case_of *it)
{
	const char *base = spg_path_base(it->file);

	switch (it->kind) {
	case SPG_OBSTACLE_MOUNT_POINT:
		spg_buf_puts(buf, "something is mounted on ");
		spg_text_escape(buf, base, false);
		spg_buf_puts(buf, ": setup cannot reach the file below it");
		break;
	case SPG_OBSTACLE_IMMUTABLE:
		spg_text_escape(buf, base, false);
		spg_buf_puts(buf,
			" has the attribute \"immutable\": nobody can replace "
			"it or write to it");
		break;
	case SPG_OBSTACLE_APPEND_ONLY:
		spg_text_escape(buf, base, false);
		spg_buf_puts(buf,
			" has the attribute \"append only\": nobody can replace "
			"it or write over it");
		break;
	case SPG_OBSTACLE_VERITY:
		spg_text_escape(buf, base, false);
		spg_buf_puts(buf, " is sealed by fs-verity: nobody can write to it");
		break;
	case SPG_OBSTACLE_DIRECTORY_IMMUTABLE:
		spg_text_escape(buf, it->place, false);
		spg_buf_puts(buf,
			" has the attribute \"immutable\": no file can be made, "
			"renamed or removed in it");
		break;
	case SPG_OBSTACLE_DIRECTORY_APPEND_ONLY:
		spg_text_escape(buf, it->place, false);
		spg_buf_puts(buf, " has the attribute \"append only\": no file can be "
				  "renamed or removed in it");
		break;
	case SPG_OBSTACLE_READ_ONLY_FILESYSTEM:
	case SPG_OBSTACLE_READ_ONLY_MOUNT:
		put_read_only(buf, it);
		break;
	case SPG_OBSTACLE_NO_PERMISSION:
	case SPG_OBSTACLE_FOREIGN_OWNER:
	case SPG_OBSTACLE_DIRECTORY_NO_PERMISSION:
	case SPG_OBSTACLE_DIRECTORY_UNREACHABLE:
		put_permission(buf, it);
		break;
	case SPG_OBSTACLE_NO_SPACE: /* space.h */
	case SPG_OBSTACLE_NO_INODES:
	case SPG_OBSTACLE_N_KINDS:
		break;
	}
}

static const char *put_attribute(
	struct spg_buf *command, const char *flag, const char *path, const char *after)
{
	spg_buf_printf(command, "chattr %s ", flag);
	spg_text_shell_quote(command, path);
	return after;
}

/* The command that makes a mount writable; or nothing, and what else is to be done. */
static const char *put_remount(struct spg_buf *command, const struct case_of *it)
{
	if (it->mount->bare && strcmp(it->mount->type, "overlay") == 0)
		return "this overlay has no upper directory: mount it with one "
		       "(upperdir=), or replace the files in its layers";
	if (it->mount->bare)
		return "this filesystem is never written to: make a new image with the "
		       "new "
		       "files, and mount that";
	if (it->kind == SPG_OBSTACLE_READ_ONLY_MOUNT) {
		spg_buf_puts(command, "mount -o remount,bind,rw ");
		spg_text_shell_quote(command, it->place);
		return NULL;
	}
	if (it->mount->failed) {
		spg_buf_puts(command, "dmesg --level=err,warn");
		return "see what is wrong with the disk, and check the filesystem "
		       "(fsck)";
	}
	/* What was opened for reading stays so, whatever blockdev(8) says. */
	if (it->mount->device && it->mount->on_loop)
		return "its loop device was set up read-only: unmount it, and mount "
		       "the "
		       "image anew (losetup -l shows which)";
	if (it->mount->device) {
		spg_buf_puts(command, "blockdev --setrw ");
		spg_text_shell_quote(command, it->mount->device);
		spg_buf_puts(command, " && ");
	}
	spg_buf_puts(command, "mount -o remount,rw ");
	spg_text_shell_quote(command, it->place);
	return NULL;
}

static const char *put_grant(struct spg_buf *command, const struct case_of *it)
{
	const char *rights = it->kind == SPG_OBSTACLE_DIRECTORY_UNREACHABLE     ? "x"
	                     : it->kind == SPG_OBSTACLE_DIRECTORY_NO_PERMISSION ? "rwx"
	                                                                        : "rw";

	spg_buf_puts(command,
		it->kind == SPG_OBSTACLE_FOREIGN_OWNER ? "chown " : "setfacl -m ");
	if (it->kind == SPG_OBSTACLE_FOREIGN_OWNER) {
		spg_text_shell_quote(command, it->who);
	} else {
		struct spg_buf entry = SPG_BUF_NULL;

		spg_buf_printf(&entry, "u:%s:%s", it->who, rights);
		spg_text_shell_quote(command, spg_buf_text(&entry));
		command->failed = command->failed || entry.failed;
		spg_buf_finish(&entry);
	}
	spg_buf_putc(command, ' ');
	spg_text_shell_quote(command, it->place ? it->place : it->file);
	return "or name in \"install-as\" who may";
}

/* The command that ends it. Returns a comment on it, or without a command what to do; or
 * NULL. */
static const char *put_command(struct spg_buf *command, const struct case_of *it)
{
	switch (it->kind) {
	case SPG_OBSTACLE_MOUNT_POINT:
		spg_buf_puts(command, "umount ");
		spg_text_shell_quote(command, it->file);
		return NULL;
	case SPG_OBSTACLE_IMMUTABLE:
		return put_attribute(
			command, "-i", it->file, "when setup is done: chattr +i");
	case SPG_OBSTACLE_APPEND_ONLY:
		return put_attribute(
			command, "-a", it->file, "when setup is done: chattr +a");
	case SPG_OBSTACLE_DIRECTORY_IMMUTABLE:
		return put_attribute(
			command, "-i", it->place, "when setup is done: chattr +i");
	case SPG_OBSTACLE_DIRECTORY_APPEND_ONLY:
		return put_attribute(
			command, "-a", it->place, "when setup is done: chattr +a");
	case SPG_OBSTACLE_READ_ONLY_FILESYSTEM:
	case SPG_OBSTACLE_READ_ONLY_MOUNT:
		return put_remount(command, it);
	case SPG_OBSTACLE_NO_PERMISSION:
	case SPG_OBSTACLE_FOREIGN_OWNER:
	case SPG_OBSTACLE_DIRECTORY_NO_PERMISSION:
	case SPG_OBSTACLE_DIRECTORY_UNREACHABLE:
		return put_grant(command, it);
	case SPG_OBSTACLE_VERITY:
	case SPG_OBSTACLE_NO_SPACE:
	case SPG_OBSTACLE_NO_INODES:
	case SPG_OBSTACLE_N_KINDS:
		break;
	}
	return "setup has to put another file in its place by rename, and to write "
	       "into no "
	       "file that is there";
}

static int add_reason(const struct case_of *it, struct spg_verdict *verdict)
{
	const struct spg_note note = {.kind = SPG_REASON_OBSTACLE,
		.obstacle = it->kind,
		.file = it->place ? NULL : it->file,
		.place = it->place};
	struct spg_buf text = SPG_BUF_NULL;

	put_obstacle(&text, it);
	return spg_notes_add(&verdict->reasons, &note, &text);
}

static int add_step(const struct case_of *it, struct spg_verdict *verdict)
{
	struct spg_note note = {.kind = SPG_STEP_CLEAR_OBSTACLE,
		.obstacle = it->kind,
		.file = it->place ? NULL : it->file,
		.place = it->place};
	struct spg_buf command = SPG_BUF_NULL, text = SPG_BUF_NULL;
	const char *words = put_command(&command, it);
	int r;

	spg_buf_puts(&text, spg_buf_text(&command));
	if (words && command.len)
		spg_buf_puts(&text, "   # ");
	if (words)
		spg_buf_puts(&text, words);
	if (command.len)
		note.command = spg_buf_text(&command);
	r = command.failed ? SPG_ERR_NOMEM
	                   : spg_notes_add(&verdict->next, &note, &text);
	spg_buf_finish(&text);
	spg_buf_finish(&command);
	return r;
}

void spg_obstacles_tell(const struct spg_observation *obs, size_t index,
	unsigned obstacles, struct spg_buf *to)
{
	struct spg_buf command = SPG_BUF_NULL;
	struct case_of it;
	const char *words;
	int kind = 0;

	while (!(obstacles & SPG_OBSTACLE_BIT(kind)))
		kind++;
	it = make_case(obs, obs->files[index].file->path, folder_of(obs, index),
		(enum spg_obstacle_kind)kind);
	put_obstacle(to, &it);
	words = put_command(&command, &it);
	spg_buf_printf(to, ": %s", command.len ? spg_buf_text(&command) : words);
	to->failed = to->failed || command.failed;
	spg_buf_finish(&command);
}

/* Whose obstacles were told already: each directory's and mount's once. */
struct told {
	unsigned *folders, *mounts;
};

static unsigned untold(const struct spg_observation *obs, size_t folder, unsigned kinds,
	struct told *told)
{
	unsigned *of_folder, *of_mount;

	if (folder == SPG_NO_FILE)
		return kinds;
	of_folder = &told->folders[folder];
	of_mount = &told->mounts[obs->folders[folder].mount];
	kinds &= ~((*of_folder & (OF_DIRECTORIES | OF_WAYS)) | (*of_mount & OF_MOUNTS));
	*of_folder |= kinds;
	*of_mount |= kinds;
	return kinds;
}

static int explain_file(const struct spg_observation *obs, const char *file,
	size_t folder, unsigned kinds, struct spg_verdict *verdict)
{
	const struct spg_seen_folder *of =
		folder == SPG_NO_FILE ? NULL : &obs->folders[folder];
	int r = 0;

	for (int kind = 0; r == 0 && kind < SPG_OBSTACLE_N_KINDS; kind++) {
		struct case_of it;

		if (!(kinds & SPG_OBSTACLE_BIT(kind)))
			continue;
		it = make_case(obs, file, of, (enum spg_obstacle_kind)kind);
		r = add_reason(&it, verdict);
		if (r == 0)
			r = add_step(&it, verdict);
	}
	return r;
}

static unsigned of_new_files(const struct spg_observation *obs, size_t folder)
{
	const struct spg_seen_folder *of = &obs->folders[folder];

	return (of->obstacles | obs->mounts[of->mount].obstacles) & OF_NEW_FILES;
}

/* True when the new @file may be made in the directory. */
static bool may_go_into(
	const struct spg_judged_file *file, const struct spg_seen_folder *folder)
{
	return file->anywhere || spg_path_directly_in(file->path, folder->path);
}

enum spg_verdict_kind spg_obstacles_to_new(
	const struct spg_observation *obs, const struct spg_verdict *verdict)
{
	enum spg_verdict_kind kind = SPG_VERDICT_SAFE;
	bool any = false;

	for (size_t k = 0; k < obs->n_folders && !any; k++)
		any = of_new_files(obs, k) != 0;
	for (size_t i = 0; any && i < verdict->n_files; i++) {
		size_t n = 0, n_barred = 0;

		if (verdict->files[i].state != SPG_FILE_NEW)
			continue;
		for (size_t k = 0; k < obs->n_folders; k++) {
			if (!may_go_into(&verdict->files[i], &obs->folders[k]))
				continue;
			n++;
			n_barred += of_new_files(obs, k) != 0;
		}
		if (n > 0 && n == n_barred)
			return SPG_VERDICT_BLOCKED;
		if (n_barred > 0)
			kind = SPG_VERDICT_ATTENTION;
	}
	return kind;
}

static int explain_new(const struct spg_observation *obs,
	const struct spg_judged_file *file, struct told *told,
	struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < obs->n_folders; k++)
		if (of_new_files(obs, k) && may_go_into(file, &obs->folders[k]))
			r = explain_file(obs, file->path, k,
				untold(obs, k, of_new_files(obs, k), told), verdict);
	return r;
}

int spg_obstacles_explain(
	const struct spg_observation *obs, struct spg_verdict *verdict)
{
	struct told told = {calloc(obs->n_folders + 1, sizeof(unsigned)),
		calloc(obs->n_mounts + 1, sizeof(unsigned))};
	int r = told.folders && told.mounts ? 0 : SPG_ERR_NOMEM;

	for (size_t i = 0; r == 0 && i < verdict->n_files; i++) {
		const struct spg_judged_file *file = &verdict->files[i];

		if (file->obstacles & ~OF_SPACE)
			r = explain_file(obs, file->path, obs->files[file->seen].folder,
				untold(obs, obs->files[file->seen].folder,
					file->obstacles & ~OF_SPACE, &told),
				verdict);
		else if (file->state == SPG_FILE_NEW)
			r = explain_new(obs, file, &told, verdict);
	}
	free(told.folders);
	free(told.mounts);
	return r;
}
