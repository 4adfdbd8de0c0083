/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What one survey of a product found: plain data, made by a watch backend on
 * the worker thread, then owned and read by the loop thread.
 *
 * Indices (struct spg_seen_use.file and so on) point into @files. Every record
 * holds references to the files and processes it names.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/format.h"
#include "common/kind.h"
#include "daemon/model/bystander.h"
#include "daemon/model/file.h"
#include "daemon/model/process.h"
#include "daemon/model/process_state.h"
#include "daemon/model/product.h"

/* How deep a survey looks. */
enum spg_survey_depth {
	SPG_SURVEY_LOCKS, /* only the locks of files that are known to be in use */
	SPG_SURVEY_FILES, /* the given paths: in use, by whom, locks */
	SPG_SURVEY_FULL,  /* list the directories, then all of their files */
};

/* The kernel's answer to "does anyone at all use this inode?". */
enum spg_in_use {
	SPG_IN_USE_NO,
	SPG_IN_USE_YES,
	SPG_IN_USE_UNKNOWN, /* could not ask; a lack says why */
};

enum spg_presence {
	SPG_PRESENT,
	SPG_REPLACED, /* no longer at its path (deleted, renamed over or away) and
	                 still in use: an old version that runs on */
	SPG_GONE,     /* not at its path and not in use: stop tracking it */
};

#define SPG_NO_FILE SIZE_MAX

struct spg_seen_file {
	struct spg_file *file;
	enum spg_presence presence;
	enum spg_in_use in_use;
	/* Busy, and the counters say that holders remain which the search did
	 * not find. In a tier without counters: busy and no holder found. */
	bool unattributed;
	/* An open file of one of its users has more references than descriptors and
	 * mappings that show: somebody shares it (a message in flight, a ring of
	 * io_uring, a loop device). Only told where no other user blocks. */
	bool shared;
	int64_t replaced_ns; /* UTC: when an old version lost its name; 0: not known;
	                        spg_model_apply() fills it in */
	/* An old version, and somebody asks about its name in the directory that it was
	 * in, by another path of that directory. */
	bool asked_otherwise;
	/* Somebody keeps it without having it open, and nothing shows who: no record
	 * of @keepers explains it. */
	bool kept;
	/* What keeps setup from replacing it, of the file itself: a set of
	 * SPG_OBSTACLE_BIT(). Of a survey of the whole product, as is the next. */
	unsigned obstacles;
	uint64_t bytes; /* its size */
	/* Its times when it was looked at, UTC; 0: not known. */
	int64_t mtime_ns, ctime_ns;
	size_t folder; /* its directory, in @folders; SPG_NO_FILE: not known */
	/* Its locks could not be read: what is known of them stays. But @nobody_waits:
	 * who waits for a lock has the file open, and nobody has. */
	bool locks_unread, nobody_waits;
};

struct spg_seen_use {
	size_t file;
	struct spg_process *process;
	unsigned how;     /* set of spg_use_how */
	int64_t since_ns; /* UTC; 0 until spg_model_apply() fills it in */
};

/* What keeps a version of a file without having it open. */
enum spg_keeper_kind {
	/* A uprobe: when the file is written in place, the old instruction stays. */
	SPG_KEEPER_PROBE,
	/* A mount of the file, or an overlay that has looked it up in a layer: when the
	 * file is replaced by rename, they go on showing the old one. */
	SPG_KEEPER_MOUNT,
	SPG_KEEPER_DETACHED, /* such a mount in no namespace: a descriptor has it */
	SPG_KEEPER_LAYER,
};

struct spg_seen_keeper {
	size_t file;
	enum spg_keeper_kind kind;
	/* Whose probe or descriptor it is; of a mount one that sees it, where that is
	 * another mount namespace than the daemon's. NULL: none that shows. */
	struct spg_process *process;
	/* The event's "GROUP/NAME" in tracefs; where it, or the overlay, is mounted, as
	 * @process sees it. NULL: not known. */
	char *place;
	bool here; /* a mount in the daemon's own namespace */
};

/* What the kernel itself holds open, where it has a list of that. */
enum spg_kernel_use {
	SPG_KERNEL_LOOP,           /* a loop device stands on it: @place is that */
	SPG_KERNEL_LOOP_AUTOCLEAR, /* the same, and goes with its last user */
	SPG_KERNEL_MOUNT,          /* mounted, or by a loop device: at @place */
	SPG_KERNEL_SWAP,
	SPG_KERNEL_BINFMT, /* interpreter of the entry @place of binfmt_misc */
};

struct spg_seen_kernel_user {
	size_t file;
	enum spg_kernel_use kind;
	char *place;
	int32_t pid; /* MOUNT: lives in its mount namespace; 0: the daemon's own */
};

/* What is remembered of somebody who uses files of the product, or did a moment ago. */
enum spg_past_kind {
	SPG_PAST_CAME_BACK,      /* it had gone, @count times */
	SPG_PAST_KEEPS_STARTING, /* @count processes of it in the last minute */
	SPG_PAST_OPENED_LAST,    /* and no event has told that it closed the file */
};

struct spg_seen_past {
	enum spg_past_kind kind;
	struct spg_file *file;       /* the latest that it came to, or that is held */
	struct spg_process *process; /* the latest one */
	struct spg_process *starter; /* its parent; NULL: not known */
	bool running;                /* @process is there; the prover looks */
	unsigned count;
	int64_t ago_ns;
};

/* A mount that has files of the product, as whoever will install sees it. */
struct spg_seen_mount {
	char *place;        /* the mount point */
	char *type;         /* "ext4" */
	char *device;       /* for a command, where its write protection is what bars */
	unsigned obstacles; /* set of SPG_OBSTACLE_BIT() */
	bool bare;          /* of a kind that is never written to: squashfs */
	bool on_loop;       /* that device is a loop device */
	bool failed;        /* read-only since an error of its disk */
	bool barred_here;   /* the daemon itself cannot write there */
	uint64_t dev;       /* of the filesystem */
	/* As statfs(2) has them, for who will install. No blocks: it has no limit that it
	 * knows; no inodes: it makes them as it needs them. */
	uint64_t block_bytes, n_blocks, free_blocks;
	uint64_t n_inodes, free_inodes;
	long n_errors; /* that the filesystem has met; 0: it does not say */
};

/* A directory that has files of the product. */
struct spg_seen_folder {
	char *path; /* as the product names it */
	char *bar;  /* the directory above that who installs cannot pass; or NULL */
	unsigned obstacles;
	size_t mount; /* in @mounts */
};

struct spg_seen_lock {
	size_t file;
	enum spg_lock_kind kind;
	enum spg_lock_mode mode;
	enum spg_lock_state state;
	int64_t start, end;          /* bytes, both included; SPG_LOCK_EOF */
	struct spg_process *process; /* NULL: no process shows it */
	uint64_t owner;              /* see struct spg_lock_note; 0 unknown */
	int64_t since_ns;            /* UTC; 0 until spg_model_apply() */
};

/* What would mend something, in words, and the command that does it or its last step;
 * NULL: none does. */
struct spg_remedy {
	const char *text, *command;
};

#define SPG_COMMAND_EDIT_UNIT "systemctl edit spguardd && systemctl restart spguardd"
#define SPG_COMMAND_RELOAD    "spguardd --check-config && spguard reload"

/* What one of those processes was doing at the end of the survey. */
struct spg_seen_state {
	struct spg_process *process;
	struct spg_process_state state;
};

/* Something that could not be looked at: "coverage" in JSON. */
struct spg_lack {
	enum spg_lack_kind kind;
	size_t file;      /* the one it concerns, or SPG_NO_FILE */
	bool blinds;      /* true: no verdict of safe is possible while it lasts */
	const char *path; /* of the file or directory it is about; NULL: of none */
	const char *what; /* in words; NULL: those of the kind */
	const char *why;
	struct spg_remedy remedy; /* .command is a constant */
};

struct spg_observation {
	struct spg_product *product;
	enum spg_survey_depth depth;
	int64_t began_ns, ended_ns; /* UTC */
	int64_t looked_ns;          /* when what it says was so, UTC */
	int64_t took_ns;            /* monotonic duration */
	bool attributed;            /* holders were searched for */
	bool search_failed;         /* but not everywhere: search again next time */
	/* Some directory could not be listed, though it may be there: there may be more
	 * files than @files. A lack says why. */
	bool unlisted;
	/* Directories that are not there, as they are configured and with all links resolved:
	 * one may be unmounted, and its files in use all the same. What lies elsewhere is none
	 * of their files. A lack says it of each. */
	char **missing;
	size_t n_missing, size_missing;
	/* The in-use probe counted users: a file that is not `unattributed` has no
	 * others than its uses. False: it said only whether there are any, and a file
	 * with a visible user may have others. */
	bool counted;
	/* What may hold a file without any process that shows it, in words, where
	 * that matters; NULL when nothing was found. Never a proof that nothing does:
	 * not all that can shows anywhere. */
	char *hidden_why;

	struct spg_seen_file *files;
	size_t n_files, size_files;
	struct spg_seen_use *uses;
	size_t n_uses, size_uses;
	struct spg_seen_keeper *keepers;
	size_t n_keepers, size_keepers;
	struct spg_seen_kernel_user *kernel_users; /* of files that are unattributed */
	size_t n_kernel_users, size_kernel_users;
	struct spg_seen_past *pasts; /* spg_model_apply() adds them */
	size_t n_pasts, size_pasts;
	struct spg_bystanders bystanders; /* spg_model_apply() adds those it knows */
	bool looked_around;               /* for them */
	struct spg_seen_mount *mounts;
	size_t n_mounts, size_mounts;
	struct spg_seen_folder *folders;
	size_t n_folders, size_folders;
	struct spg_seen_state *states; /* by pid */
	size_t n_states, size_states;
	struct spg_seen_lock *locks;
	size_t n_locks, size_locks;
	struct spg_lack *lacks;
	size_t n_lacks, size_lacks;
};

/** An empty observation of @product, of which it takes a reference. NULL: out
 * of memory. */
struct spg_observation *spg_observation_create(
	struct spg_product *product, enum spg_survey_depth depth);

/** Takes NULL. */
void spg_observation_destroy(struct spg_observation *obs);

/**
 * Append; each takes references of its own on what it is given. Return 0 or
 * SPG_ERR_NOMEM; the index of a file is obs->n_files - 1 after the call.
 */
int spg_observation_add_missing(struct spg_observation *obs, const char *place);
int spg_observation_add_file(struct spg_observation *obs, struct spg_file *file,
	enum spg_presence presence, enum spg_in_use in_use);
int spg_observation_add_use(struct spg_observation *obs, size_t file,
	struct spg_process *process, unsigned how);
int spg_observation_add_lock(
	struct spg_observation *obs, const struct spg_seen_lock *lock);
int spg_observation_add_kernel_user(
	struct spg_observation *obs, const struct spg_seen_kernel_user *user);
int spg_observation_add_past(
	struct spg_observation *obs, const struct spg_seen_past *past);

/** The same, unless it is there already. ->place is copied. */
int spg_observation_add_keeper(
	struct spg_observation *obs, const struct spg_seen_keeper *keeper);

/** Append copies; the index is the number before the call. Return 0 or SPG_ERR_NOMEM. */
int spg_observation_add_mount(
	struct spg_observation *obs, const struct spg_seen_mount *mount);
int spg_observation_add_folder(
	struct spg_observation *obs, const struct spg_seen_folder *folder);

/** Forget the mounts of file @index at @place in the daemon's own namespace. */
void spg_observation_drop_mounts_at(
	struct spg_observation *obs, size_t index, const char *place);

/** Have one state, of which nothing is known yet, for each process of the uses, locks and
 * keepers. Returns 0 or SPG_ERR_NOMEM. */
int spg_observation_list_states(struct spg_observation *obs);

/** The process with @pid among those that have a state; NULL: none. */
const struct spg_process *spg_observation_process(
	const struct spg_observation *obs, int32_t pid);

/** What @process was doing; one of which nothing is known if it was not looked at. */
const struct spg_process_state *spg_observation_state(
	const struct spg_observation *obs, const struct spg_process *process);

/** Forget the keepers. */
void spg_observation_drop_keepers(struct spg_observation *obs);

/** True when @keeper is in the way of replacing its file, or has outlived that. */
bool spg_keeper_matters(
	const struct spg_observation *obs, const struct spg_seen_keeper *keeper);

/** The bit of enum spg_use_how for @kind. */
enum spg_use_how spg_keeper_how(enum spg_keeper_kind kind);

/** True when no lack keeps a verdict from being safe. */
bool spg_observation_is_complete(const struct spg_observation *obs);

/** A copy of @lack with @why, which may have printf(3) arguments. One that concerns a
 * file of @obs gets its path. */
int spg_observation_add_lack(struct spg_observation *obs, const struct spg_lack *lack,
	const char *why, ...) SPG_PRINTF(3, 4);

/** *ret gets texts of its own. Returns 0, or SPG_ERR_NOMEM and nothing to release. */
int spg_lack_copy(const struct spg_lack *lack, struct spg_lack *ret);

/** Release the texts of a copy. */
void spg_lack_finish(struct spg_lack *lack);
