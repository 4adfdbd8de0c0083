/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A survey under way, and the two ways in which it may ask the kernel: by lease
 * and /proc (ask_lease.c), or by BPF (ask_bpf.c). For this folder only;
 * worker thread.
 */
#include "daemon/watch/linux/files/targets.h"
#include "daemon/watch/linux/survey/deleted_files.h"
#include "daemon/watch/linux/survey/find_users.h"
#include "daemon/watch/linux/survey/in_use.h"
#include "daemon/watch/linux/survey/tools.h"

struct spg_survey_way;
struct spg_counted_files;
struct spg_file_mounts;

struct spg_survey {
	struct spg_survey_tools *tools;
	const struct spg_survey_way *way;
	const struct spg_survey_request *request;
	struct spg_observation *obs;
	struct spg_targets *targets; /* NULL until all files are listed */
	struct spg_user_search search;
	struct spg_known_directories directories;
	struct spg_name_set extra;
	struct spg_deleted deleted;
	struct spg_counted_files *counted;   /* ask_bpf.c's; NULL elsewhere */
	struct spg_file_mounts *file_mounts; /* keepers_lease.c's */
	/* The users known have accounted for everything, which took so long (of the
	 * processor); 0: they have not. */
	int64_t known_ns;
	bool instant; /* on the loop thread: nothing that could be waited for */
	size_t n_file_lacks;
	uint64_t
		deleted_asked; /* the number of the last, see events/deleted_inodes.h */
	bool deleted_gave_way; /* since the survey before */
};

/* All return 0, SPG_ERR_NOMEM, SPG_ERR_TIMEOUT when cancelled, or another
 * spg_err that ends the survey. */
struct spg_survey_way {
	/* Ask about every file of the observation that has not been asked about. */
	int (*probe_all)(struct spg_survey *s);
	/* Ask about one, now. */
	int (*probe)(struct spg_survey *s, size_t index);
	/* Find out who uses the files that are in use (or lost their names), see
	 * that it adds up, and mark what does not. */
	int (*find_users)(struct spg_survey *s);
	/* Add the locks of the files that were found in use, and who has them. */
	int (*read_locks)(struct spg_survey *s);
	/* The same for files that nobody has been searched for yet; the users known,
	 * of the request's scope, may be all that are looked at. */
	int (*read_locks_only)(struct spg_survey *s);
	/* Look for what may hold a file and is no process, where it matters. */
	int (*find_hidden)(struct spg_survey *s);
	/* Find who keeps a file without having it open. */
	int (*find_keepers)(struct spg_survey *s);
	void (*finish)(struct spg_survey *s);
};

extern const struct spg_survey_way spg_survey_by_lease;
extern const struct spg_survey_way spg_survey_by_bpf;

bool spg_survey_is_cancelled(const struct spg_survey *s);

/** Files may have lost their place unseen: at the start, after a deletion or a
 * replacement, and always for names that are not watched. */
bool spg_survey_must_find_deleted(const struct spg_survey *s);

/** Take over what asking about file @index gave. */
int spg_survey_take_in_use(
	struct spg_survey *s, size_t index, const struct spg_in_use_result *result);

/** File @index is in use, or so it seems: a guard is at work, and those whose open it
 * is about to refuse look like users. It is unknown then, and a lack says why. */
int spg_survey_leave_to_guard(struct spg_survey *s, size_t index);

/** Forget the uses found so far. */
void spg_survey_drop_uses(struct spg_survey *s);

/** Forget those of file @index; they are taken out at the end. */
void spg_survey_forget_uses(struct spg_survey *s, size_t index);

/** Take out the uses that turned out to be over. */
void spg_survey_compact_uses(struct spg_observation *obs);

/** How many uses each file has. The caller frees; NULL: out of memory. */
size_t *spg_survey_count_uses(const struct spg_survey *s);
