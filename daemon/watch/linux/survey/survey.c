/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/text.h"
#include "daemon/model/verdict.h"
#include "daemon/watch/linux/files/resolve.h"
#include "daemon/watch/linux/survey/bystanders.h"
#include "daemon/watch/linux/survey/fast_path.h"
#include "daemon/watch/linux/survey/obstacles.h"
#include "daemon/watch/linux/survey/process_states.h"

/* More unreadable files than this are told as one lack. */
#define FILE_LACKS_MAX 20

bool spg_survey_is_cancelled(const struct spg_survey *s)
{
	return s->request->cancel && atomic_load(s->request->cancel);
}

/* What would mend a probe that failed with @errnum. */
static struct spg_remedy remedy_of(int errnum)
{
	switch (errnum) {
	case EACCES:
	case EPERM:
		return (struct spg_remedy){
			"run the daemon as root, or with CAP_DAC_READ_SEARCH and "
			"CAP_LEASE",
			SPG_COMMAND_EDIT_UNIT};
	case ENODATA:
		return (struct spg_remedy){
			"mount the overlay with absolute paths that the daemon can "
			"reach",
			NULL};
	case ETIMEDOUT:
		return (struct spg_remedy){
			"see whether an on-access scanner (fanotify(7)) or the disk "
			"answers, then check again",
			NULL};
	case EMFILE:
	case ENFILE:
		return (struct spg_remedy){
			"raise the limit of open files (LimitNOFILE=, ulimit -n)",
			SPG_COMMAND_EDIT_UNIT};
	case EINVAL:
	case EOPNOTSUPP:
		return (struct spg_remedy){
			"its filesystem cannot say who uses a file: ask where it is "
			"local",
			NULL};
	default:
		return (struct spg_remedy){
			"see why it cannot be opened, then check again", NULL};
	}
}

static int lack_probe(struct spg_survey *s, size_t index, int errnum)
{
	const struct spg_file *file = s->obs->files[index].file;
	struct spg_lack lack = {.kind = SPG_LACK_MORE_FILES,
		.file = SPG_NO_FILE,
		.blinds = true,
		.remedy = remedy_of(errnum)};

	if (s->n_file_lacks++ == FILE_LACKS_MAX)
		return spg_observation_add_lack(
			s->obs, &lack, "and others could not be probed either");
	if (s->n_file_lacks > FILE_LACKS_MAX)
		return 0;
	lack.kind = SPG_LACK_FILE;
	lack.file = index;
	return spg_observation_add_lack(s->obs, &lack, "%s cannot be probed: %s",
		file->path,
		errnum == ENODATA     ? "the real file below the overlay was not found"
		: errnum == ETIMEDOUT ? "whoever opens it waits"
				      : strerror(errnum));
}

static bool is_out_of_reach(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == ENODEV || errnum == ENODATA;
}

int spg_survey_take_in_use(
	struct spg_survey *s, size_t index, const struct spg_in_use_result *result)
{
	struct spg_seen_file *seen = &s->obs->files[index];

	seen->in_use = result->in_use;
	if (seen->presence == SPG_REPLACED && result->in_use == SPG_IN_USE_NO &&
		!seen->kept)
		seen->presence = SPG_GONE;
	if (result->in_use != SPG_IN_USE_UNKNOWN)
		return 0;
	/* Of an old version without a handle, or whose filesystem is gone from
	 * its place, the search alone can tell. */
	if (seen->presence == SPG_REPLACED && is_out_of_reach(result->errnum))
		return 0;
	if (result->errnum == ENOENT && seen->presence == SPG_PRESENT) {
		seen->presence = SPG_GONE; /* vanished since it was listed */
		return 0;
	}
	return lack_probe(s, index, result->errnum);
}

int spg_survey_leave_to_guard(struct spg_survey *s, size_t index)
{
	struct spg_seen_file *seen = &s->obs->files[index];

	if (seen->in_use == SPG_IN_USE_UNKNOWN)
		return 0;
	seen->in_use = SPG_IN_USE_UNKNOWN;
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_HELD_FILE,
			.file = index,
			.blinds = true,
			.remedy = {"check again when the hold has ended, or fewer "
				   "processes try to open it",
				NULL}},
		"%s: those whose open is about to be refused cannot be told from users",
		seen->file->path);
}

static bool in_paths(const struct spg_survey_scope *scope, const char *path)
{
	for (size_t i = 0; i < scope->n_paths; i++)
		if (strcmp(scope->paths[i], path) == 0)
			return true;
	return false;
}

/* True for a file that an earlier question was about, and this one is not: it is no
 * old version, but where it was. */
static bool is_not_asked_now(const struct spg_survey *s, struct spg_file *file)
{
	const struct spg_mount *mount;
	char real_path[PATH_MAX];
	struct stat st;

	return !spg_product_has_name(s->obs->product, spg_path_base(file->path)) &&
	       spg_resolve(s->tools->mounts, file->path, real_path, &mount) == 0 &&
	       stat(real_path, &st) == 0 && spg_file_id_equal(spg_id_of(&st), file->id);
}

static int add_replaced_file(struct spg_survey *s, struct spg_file *file)
{
	struct spg_seen_file *seen;
	int r;

	if (spg_targets_find(s->targets, SPG_KEY_STAT, file->id.dev, file->id.ino,
		    &(size_t){0}) != SPG_NO_FILE)
		return 0;
	r = spg_observation_add_file(s->obs, file, SPG_REPLACED, SPG_IN_USE_UNKNOWN);
	if (r == 0)
		r = s->way->probe(s, s->obs->n_files - 1);
	if (r < 0)
		return r;
	seen = &s->obs->files[s->obs->n_files - 1];
	if (seen->presence != SPG_REPLACED)
		return 0;
	if (is_not_asked_now(s, file))
		seen->presence = SPG_PRESENT;
	return spg_targets_add(s->targets, file, s->obs->n_files - 1);
}

/* Files that were known and are at none of the product's paths any more: deleted,
 * renamed over or away. Somebody may still run the old version. */
static int add_replaced(struct spg_survey *s)
{
	const struct spg_survey_scope *scope = s->request->scope;
	int r = 0;

	for (size_t i = 0; r == 0 && i < scope->n_known; i++) {
		struct spg_file *known = scope->known[i];

		if (scope->depth == SPG_SURVEY_FILES && !in_paths(scope, known->path))
			continue;
		r = add_replaced_file(s, known);
	}
	return r;
}

/* Gone; or of an overlay, and only the search can tell. Unless it could not even be
 * asked about: then it stays a deleted. */
static int lack_suspect(
	struct spg_survey *s, const struct spg_deleted_inode *deleted, int errnum)
{
	int r;

	if (!spg_errno_is_shortage(errnum))
		return 0;
	r = spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_FILE,
			.file = SPG_NO_FILE,
			.blinds = true,
			.path = deleted->path,
			.remedy = remedy_of(errnum)},
		"what was at %s cannot be probed: %s", deleted->path, strerror(errnum));
	s->obs->search_failed = true;
	return r < 0 ? r : 1;
}

/* The inode that an event said was deleted or moved from @deleted->path. Returns 1
 * when it has to be asked again. */
static int add_suspect(struct spg_survey *s, const struct spg_deleted_inode *deleted)
{
	char folder[PATH_MAX], real_folder[PATH_MAX], real_path[PATH_MAX];
	const char *name = spg_path_base(deleted->path);
	struct spg_place place = {.path = deleted->path, .real_path = real_path};
	struct spg_linux_file *file;
	int folder_fd, fd, errnum, r;

	snprintf(folder, sizeof(folder), "%.*s", (int)(name - deleted->path),
		deleted->path);
	if (spg_resolve(s->tools->mounts, folder, real_folder, &place.mount) != 0 ||
		snprintf(real_path, sizeof(real_path), "%s/%s", real_folder, name) >=
			(int)sizeof(real_path))
		return 0;
	folder_fd = open(real_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return lack_suspect(s, deleted, errno);
	fd = spg_handle_open(folder_fd, &deleted->handle, O_PATH | O_CLOEXEC);
	errnum = errno;
	close(folder_fd);
	if (fd < 0)
		return lack_suspect(s, deleted, errnum);
	file = spg_linux_file_orphan(&place, fd);
	close(fd);
	if (!file)
		return SPG_ERR_NOMEM;
	r = add_replaced_file(s, &file->base);
	spg_file_unref(&file->base);
	return r;
}

static int add_suspects(struct spg_survey *s)
{
	struct spg_deleted_inodes *deleted_inodes = s->tools->deleted_inodes;
	struct spg_deleted_inode deleted;
	int r = 0;

	/* Only a full survey knows all that is at its place. */
	if (!deleted_inodes || s->request->scope->depth != SPG_SURVEY_FULL)
		return 0;
	s->deleted_asked = spg_deleted_inodes_asked(deleted_inodes, s->obs->product);
	s->deleted_gave_way =
		spg_deleted_inodes_gave_way(deleted_inodes, s->deleted_asked);
	for (;;) {
		r = spg_deleted_inodes_next(
			deleted_inodes, s->obs->product, s->deleted_asked, &deleted);
		if (r <= 0)
			break;
		r = add_suspect(s, &deleted);
		free(deleted.path);
		/* From this one on the next survey shall ask again. */
		if (r != 0)
			return r < 0 ? r : 0;
		s->deleted_asked = deleted.number;
	}
	if (r == 0)
		s->deleted_asked = deleted.number;
	return r;
}

/* Old versions that could not be asked about. */
static bool has_unasked(const struct spg_survey *s)
{
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].presence == SPG_REPLACED &&
			s->obs->files[i].in_use == SPG_IN_USE_UNKNOWN)
			return true;
	return false;
}

bool spg_survey_must_find_deleted(const struct spg_survey *s)
{
	const struct spg_survey_request *request = s->request;

	if (request->scope->depth == SPG_SURVEY_LOCKS)
		return false;
	if (request->find_users || request->scope->find_users || has_unasked(s) ||
		s->deleted_gave_way)
		return true;
	for (size_t i = 0; i < request->n_extra_names; i++)
		if (!spg_product_has_name(
			    request->product, spg_path_base(request->extra_names[i])))
			return true;
	return false;
}

/* True when somebody has to be searched for. */
static bool needs_attribution(const struct spg_survey *s)
{
	if (spg_survey_must_find_deleted(s))
		return true;
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (s->obs->files[i].presence != SPG_GONE &&
			s->obs->files[i].in_use != SPG_IN_USE_NO)
			return true;
	return false;
}

void spg_survey_drop_uses(struct spg_survey *s)
{
	for (size_t i = 0; i < s->obs->n_uses; i++)
		spg_process_unref(s->obs->uses[i].process);
	s->obs->n_uses = 0;
}

size_t *spg_survey_count_uses(const struct spg_survey *s)
{
	const struct spg_observation *obs = s->obs;
	size_t *counts = calloc(obs->n_files + 1, sizeof(*counts));

	for (size_t i = 0; counts && i < obs->n_uses; i++)
		if (obs->uses[i].how)
			counts[obs->uses[i].file]++;
	return counts;
}

void spg_survey_forget_uses(struct spg_survey *s, size_t index)
{
	for (size_t i = 0; i < s->obs->n_uses; i++)
		if (s->obs->uses[i].file == index)
			s->obs->uses[i].how = 0;
}

static void forget_own_uses(struct spg_observation *obs, size_t file)
{
	for (size_t i = 0; i < obs->n_uses; i++)
		if (obs->uses[i].file == file &&
			obs->uses[i].process->id.pid == getpid())
			obs->uses[i].how = 0;
}

/* What is counted of the file that this process itself waits to read may be that, and
 * may be somebody else: who opens it waits alike. */
static int leave_to_own_read(struct spg_survey *s)
{
	const char *path = s->request->own_read;
	int r = 0;

	for (size_t i = 0; path && r == 0 && i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];

		if ((seen->in_use == SPG_IN_USE_NO && !seen->kept) ||
			strcmp(seen->file->path, path) != 0)
			continue;
		seen->in_use = SPG_IN_USE_UNKNOWN;
		seen->unattributed = seen->kept = false;
		forget_own_uses(s->obs, i);
		r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_FILE,
				.file = i,
				.blinds = true,
				.remedy = remedy_of(ETIMEDOUT)},
			"%s: spguardd waits to read it, and so does who else opens it",
			path);
	}
	return r;
}

/* What the search could not do. */
static int tell_gaps(struct spg_survey *s)
{
	static const struct spg_remedy see_messages = {
		"see the kernel's messages, then check again", NULL};
	const struct spg_user_search *a = &s->search;

	if (a->n_failed > 0) {
		int r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_SEARCH,
				.file = SPG_NO_FILE,
				.blinds = true,
				.remedy = spg_errno_is_shortage(a->failed_errnum)
		                                  ? remedy_of(a->failed_errnum)
		                                  : see_messages},
			"looking failed %zu times, last with: %s", a->n_failed,
			strerror(a->failed_errnum));

		s->obs->search_failed = true;
		if (r < 0)
			return r;
	}
	/* Neither is blinding: the in-use probe counts what they hold. */
	if (a->n_stuck > 0) {
		int r = spg_observation_add_lack(s->obs,
			&(struct spg_lack){.kind = SPG_LACK_PROCESSES,
				.file = SPG_NO_FILE,
				.remedy = {"what they hold shows as held by something "
					   "that no process shows; end them, or see "
					   "what they wait for: "
					   "/proc/PID/task/*/stack",
					NULL}},
			"%zu cannot be looked into: %s%s: the memory map does not "
			"answer",
			a->n_stuck, a->stuck, a->n_stuck > 3 ? ", ..." : "");

		if (r < 0)
			return r;
	}
	if (a->n_opaque == 0)
		return 0;
	return spg_observation_add_lack(s->obs,
		&(struct spg_lack){.kind = SPG_LACK_PROCESSES,
			.file = SPG_NO_FILE,
			.remedy = {"what they hold shows as held by something that no "
				   "process shows; run the daemon with "
				   "CAP_SYS_PTRACE, outside of containers",
				NULL}},
		"%zu cannot be looked into: %s%s", a->n_opaque, a->opaque,
		a->n_opaque > 3 ? ", ..." : "");
}

void spg_survey_compact_uses(struct spg_observation *obs)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_uses; i++) {
		if (obs->uses[i].how)
			obs->uses[n++] = obs->uses[i];
		else
			spg_process_unref(obs->uses[i].process);
	}
	obs->n_uses = n;
}

static int find_files(struct spg_survey *s)
{
	const struct spg_survey_request *request = s->request;
	const struct spg_survey_scope *scope = request->scope;
	struct spg_walk walk = {.obs = s->obs,
		.mounts = s->tools->mounts,
		.directories = &s->directories,
		.marks = s->tools->marks,
		.known = scope->known,
		.n_known = scope->n_known,
		.cancel = request->cancel,
		.progress = s->tools->progress,
		.user = s->tools->user};
	int r = 0;

	if (request->n_extra_names > 0) {
		r = spg_name_set_init(&s->extra, request->extra_names,
			request->n_extra_names, request->product->ignore_case);
		walk.extra = &s->extra;
	}
	if (r == 0)
		r = scope->depth == SPG_SURVEY_FILES
		            ? spg_walk_some(&walk, scope->paths, scope->n_paths)
		            : spg_walk_all(&walk);
	spg_walk_finish(&walk);
	s->deleted = (struct spg_deleted){.mounts = s->tools->mounts,
		.directories = &s->directories,
		.extra = walk.extra};
	return r;
}

/*
 * BPF names a file by a descriptor. Where none is to be had, /proc still shows its
 * users: on a filesystem that may hang, @searched: and of an old version that has
 * neither a handle nor been found by having lost its name.
 */
static bool must_fall_back(const struct spg_survey *s, bool searched)
{
	if (s->way == &spg_survey_by_lease)
		return false;
	for (size_t i = 0; i < s->obs->n_files; i++)
		if (spg_linux_file(s->obs->files[i].file)->class == SPG_FS_FOREIGN)
			return true;
	return searched && has_unasked(s);
}

static int fall_back(struct spg_survey *s)
{
	s->way->finish(s);
	s->obs->counted = false;
	s->way = &spg_survey_by_lease;
	return s->way->probe_all(s);
}

/* An old version that nobody uses and nobody keeps where it matters has gone. */
static int find_keepers(struct spg_survey *s)
{
	struct spg_observation *obs = s->obs;
	int r = s->way->find_keepers(s);
	bool *kept = r == 0 ? calloc(obs->n_files + 1, sizeof(*kept)) : NULL;

	if (!kept)
		return r < 0 ? r : SPG_ERR_NOMEM;
	for (size_t i = 0; i < obs->n_keepers; i++)
		kept[obs->keepers[i].file] |= spg_keeper_matters(obs, &obs->keepers[i]);
	for (size_t i = 0; i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_REPLACED && !kept[i] &&
			!obs->files[i].kept && obs->files[i].in_use == SPG_IN_USE_NO)
			obs->files[i].presence = SPG_GONE;
	free(kept);
	return 0;
}

static int survey_files(struct spg_survey *s)
{
	struct spg_trace_files *trace_files = s->tools->trace_files;
	int r = find_files(s);

	if (trace_files)
		spg_trace_files_begin(trace_files);

	if (r < 0)
		return r;
	r = s->way->probe_all(s);
	if (r < 0)
		return r;
	s->targets = spg_targets_create(s->obs);
	if (!s->targets)
		return SPG_ERR_NOMEM;
	r = add_replaced(s);
	if (r == 0)
		r = add_suspects(s);
	if (r == 0 && must_fall_back(s, false))
		r = fall_back(s);
	s->obs->looked_ns = spg_clock_wall_ns();
	if (r == 0 && !needs_attribution(s)) {
		r = find_keepers(s);
		return r == 0 ? leave_to_own_read(s) : r;
	}
	if (r < 0)
		return r;
	s->obs->attributed = true;
	r = s->way->find_users(s);
	if (r == 0 && must_fall_back(s, true)) {
		r = fall_back(s);
		if (r == 0)
			r = s->way->find_users(s);
	}
	s->obs->looked_ns = spg_clock_wall_ns();
	if (r == 0)
		r = s->way->read_locks(s);
	if (r == 0)
		r = find_keepers(s);
	if (r == 0)
		r = s->way->find_hidden(s);
	if (r == 0)
		r = leave_to_own_read(s);
	if (r == 0)
		r = tell_gaps(s);
	spg_survey_compact_uses(s->obs);
	return r;
}

/* Without symbolic links. Returns as spg_resolve(). */
static int resolve_folder(
	const struct spg_survey *s, const char *path, char ret[PATH_MAX])
{
	const struct spg_mount *mount;
	char folder[PATH_MAX];
	int n = (int)(spg_path_base(path) - path);

	if (n >= (int)sizeof(folder))
		return SPG_ERR_INVALID;
	snprintf(folder, sizeof(folder), "%.*s", n > 1 ? n - 1 : n, path);
	return spg_resolve(s->tools->mounts, folder, ret, &mount);
}

/* Are the two in one directory? What nobody can tell counts as if they were. */
static bool share_folder(const struct spg_survey *s, const char *a, const char *b)
{
	char real_a[PATH_MAX], real_b[PATH_MAX];
	int ra = resolve_folder(s, a, real_a), rb = resolve_folder(s, b, real_b);
	struct stat stat_a, stat_b;

	if ((ra != 0 && ra != SPG_ERR_NOT_FOUND) ||
		(rb != 0 && rb != SPG_ERR_NOT_FOUND))
		return true;
	if (strcmp(real_a, real_b) == 0)
		return true;
	return ra == 0 && rb == 0 && stat(real_a, &stat_a) == 0 &&
	       stat(real_b, &stat_b) == 0 &&
	       spg_file_id_equal(spg_id_of(&stat_a), spg_id_of(&stat_b));
}

/* Old versions that somebody asks about by another path than theirs. */
static void note_asked_otherwise(struct spg_survey *s)
{
	const struct spg_survey_request *request = s->request;

	for (size_t i = 0; i < s->obs->n_files; i++) {
		struct spg_seen_file *seen = &s->obs->files[i];
		const char *path = seen->file->path;

		if (seen->presence != SPG_REPLACED)
			continue;
		for (size_t k = 0; k < request->n_extra_names && !seen->asked_otherwise;
			k++)
			seen->asked_otherwise =
				request->extra_names[k][0] == '/' &&
				spg_name_equal(spg_path_base(request->extra_names[k]),
					spg_path_base(path),
					request->product->ignore_case) &&
				share_folder(s, request->extra_names[k], path);
	}
}

/* Only the locks of files that are known to be in use. */
static int survey_locks(struct spg_survey *s)
{
	const struct spg_survey_scope *scope = s->request->scope;
	int r = 0;

	for (size_t i = 0; r == 0 && i < scope->n_known; i++)
		r = spg_observation_add_file(
			s->obs, scope->known[i], SPG_PRESENT, SPG_IN_USE_YES);
	if (r < 0)
		return r;
	s->targets = spg_targets_create(s->obs);
	if (!s->targets)
		return SPG_ERR_NOMEM;
	r = s->way->read_locks_only(s);
	/* Of what could not be looked at, what is known stays. */
	if (r == 0 && must_fall_back(s, false)) {
		s->way->finish(s);
		s->way = &spg_survey_by_lease;
		r = s->way->read_locks_only(s);
	}
	return r;
}

/* The mount table as it is now: what was known by mounts is known no more when it
 * changed. */
static int refresh_mounts(struct spg_survey_tools *tools)
{
	int r = spg_mounts_refresh(tools->mounts);

	if (r == SPG_MOUNTS_CHANGED && tools->marks)
		spg_marks_distrust(tools->marks);
	if (r >= 0 && tools->their_mounts) {
		int theirs = spg_mounts_refresh(tools->their_mounts);

		r = r == 0 || theirs < 0 ? theirs : r;
	}
	if (r != 0 && tools->fast_path)
		spg_fast_path_forget(tools->fast_path);
	return r;
}

/* A filesystem's module may have been loaded since. Without success the survey says
 * what it cannot look into. */
static void refresh_look(struct spg_survey_tools *tools)
{
	struct spg_bpf_reason reason;

	bool failed = tools->look && spg_look_refresh(tools->look, &reason) < 0;

	if (failed && !tools->told_look)
		spg_warning("%s; %s", reason.why, reason.remedy);
	tools->told_look = failed;
}

int spg_survey_instant(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	/* Reading the mount table is for the worker thread, and so is looking around. */
	if (!tools->fast_path || request->scope->looks_around ||
		spg_mounts_are_stale(tools->mounts) ||
		(tools->their_mounts && spg_mounts_are_stale(tools->their_mounts)))
		return SPG_WATCH_LATER;
	return spg_fast_path_look(tools, request, ret);
}

int spg_survey_run(struct spg_survey_tools *tools,
	const struct spg_survey_request *request, struct spg_observation **ret)
{
	int64_t began = spg_clock_mono_ns();
	struct spg_survey s = {.tools = tools,
		.way = tools->look ? &spg_survey_by_bpf : &spg_survey_by_lease,
		.request = request};
	int r = refresh_mounts(tools);

	refresh_look(tools);
	s.obs = spg_observation_create(request->product, request->scope->depth);
	if (!s.obs)
		return SPG_ERR_NOMEM;
	s.obs->began_ns = spg_clock_wall_ns();
	if (r < 0)
		r = spg_observation_add_lack(s.obs,
			&(struct spg_lack){.kind = SPG_LACK_MOUNTS,
				.file = SPG_NO_FILE,
				.blinds = true,
				.remedy = {"mount /proc", "mount /proc"}},
			"/proc/self/mountinfo: %s", spg_err_text(r));
	if (r >= 0)
		r = request->scope->depth == SPG_SURVEY_LOCKS ? survey_locks(&s)
		                                              : survey_files(&s);
	if (r >= 0 && request->scope->depth == SPG_SURVEY_FULL)
		r = spg_survey_look_at_states(&s);
	if (r >= 0)
		note_asked_otherwise(&s);
	if (r >= 0 && request->scope->depth == SPG_SURVEY_FULL)
		r = spg_obstacles_find(&s);
	if (r >= 0 && request->scope->depth == SPG_SURVEY_FULL)
		r = spg_bystanders_find(&s);
	if (r >= 0 && tools->trace_files && request->scope->depth == SPG_SURVEY_FULL)
		spg_trace_files_end(tools->trace_files, s.obs);
	if (r >= 0 && tools->marks && request->scope->depth != SPG_SURVEY_LOCKS)
		spg_marks_end_survey(tools->marks, s.obs);
	if (r >= 0 && tools->fast_path && request->scope->depth != SPG_SURVEY_LOCKS)
		spg_fast_path_remember(tools->fast_path, &s);
	s.way->finish(&s);
	spg_user_search_finish(&s.search);
	spg_targets_destroy(s.targets);
	spg_known_directories_finish(&s.directories);
	spg_name_set_finish(&s.extra);
	if (r < 0) {
		spg_observation_destroy(s.obs);
		return r;
	}
	/* Not before: a survey that comes to nothing has not asked. */
	if (tools->deleted_inodes && request->scope->depth == SPG_SURVEY_FULL)
		spg_deleted_inodes_set_asked(
			tools->deleted_inodes, request->product, s.deleted_asked);
	s.obs->ended_ns = spg_clock_wall_ns();
	s.obs->took_ns = spg_clock_mono_ns() - began;
	*ret = s.obs;
	return 0;
}
