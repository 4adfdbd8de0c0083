/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The contract between spguard and an operating system. Start here to add a
 * platform or a tier.
 *
 * A backend is asked for two things, and nothing above this header knows how
 * it finds them out:
 *   events   hints and history: somebody opened, closed, locked, replaced a
 *            file. They may be merged or lost; a loss is reported as a gap.
 *   surveys  the truth: for the files of a product, does anyone use them
 *            and who, which locks, and what could not be looked at.
 *
 * Threads: everything is called on the loop thread except survey(), which runs
 * on the worker thread, one at a time, and may block on a disk; it must
 * never touch the backend's loop-side state. (An instant survey runs on the loop
 * thread, and then no other does.) A backend opens product files for
 * moments only and is never found among their users.
 *
 * Order: create, start, set_products, then drain/survey/watch_exit in any
 * order, stop, and after on_stopped came, destroy.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/model/event.h"
#include "daemon/model/guard.h"
#include "daemon/model/model.h"
#include "daemon/model/observation.h"
#include "daemon/model/product.h"

struct spg_watch;

/* What a backend tells; all on the loop thread, @user is the listener's. */
struct spg_watch_listener {
	/* True when somebody wants events of the file at @path: asked first, since
	 * finding out who did it costs more than the rest. */
	bool (*wants)(void *user, const char *path);
	/* A file event, not yet numbered. Borrowed: take a reference to keep. */
	void (*on_event)(void *user, struct spg_event *event);
	/* A step about a lock of a file; only in a tier that has lock events.
	 * Borrowed. */
	void (*on_lock)(void *user, const struct spg_lock_note *note);
	/* True while the history is behind: lock events wait then. */
	bool (*is_behind)(void *user);
	/* Events may be missing: the model must distrust everything and the gap
	 * be recorded. @detail: in words, for people. */
	void (*on_gap)(void *user, enum spg_gap_reason reason, int64_t since_ns,
		int64_t until_ns, uint64_t count, const char *detail);
	/* Directories or mounts changed so that @product (NULL: any) has to be
	 * surveyed in full. */
	void (*on_layout)(void *user, const struct spg_product *product);
	/* Told before on_layout, where it is known: @process has made, removed or renamed
	 * the directory at @path, or a link on the way to a product's files. NULL: nobody
	 * wants to know. */
	void (*on_moved)(void *user, const char *path, struct spg_process *process);
	/* Something was mounted or unmounted: what is known stays until every product
	 * has been looked at again, which is to be done now. */
	void (*on_mounts)(void *user);
	/* The process named by watch_exit() has ended. */
	void (*on_exit)(void *user, struct spg_proc_id id);
	void *user;
};

struct spg_survey_request {
	struct spg_product *product;
	const struct spg_survey_scope *scope;
	/* SPG_SURVEY_FULL: names that count although the product's patterns do
	 * not have them (a payload's). */
	char *const *extra_names;
	size_t n_extra_names;
	/* Search for holders even when the in-use probe finds every file free: finds
	 * old versions of files that are still in use. */
	bool find_users;
	/* Called on the loop thread, while no other survey runs: only if it can be
	 * done at once, without a disk, is it done; else SPG_WATCH_LATER. */
	bool instant;
	/* Set by the loop thread to ask a long survey to end early; its result is
	 * then thrown away. */
	const atomic_bool *cancel;
	/* A file that this process is about to open or read all the while, and waits:
	 * what is counted of it may be this. A path; or NULL. */
	const char *own_read;
};

/* One means of looking, for "status" and "doctor". */
struct spg_mechanism {
	enum spg_mechanism_kind kind;
	const char *name; /* "file events", "lease probe", ...; static */
	bool works;
	char detail[160];    /* how it was proved, or why it failed */
	char remedy[160];    /* what would mend it; "" when it works */
	const char *command; /* that does; a constant, or NULL */
	bool spared; /* another one does its work, less well: no verdict suffers */
};

/* One directory of a product, for "status" and "doctor". */
struct spg_watched_directory {
	const char *path; /* borrowed until the next call into the backend */
	enum {
		SPG_DIRECTORY_WATCHED,
		SPG_DIRECTORY_MISSING,
		SPG_DIRECTORY_BLIND
	} state;
	const char *why; /* for BLIND: "" otherwise */
	size_t n_marks;  /* directories marked below it, itself included */
};

struct spg_watch_ops {
	/* Prove each mechanism, open the sources of events. Returns 0;
	 * SPG_ERR_UNSUPPORTED or SPG_ERR_DENIED, logged, when not even the
	 * lowest tier is possible; or another negative spg_err. */
	int (*start)(struct spg_watch *watch);

	/* Watch these products instead of those before; keeps references. A
	 * directory that is not there yet is waited for. A full survey that starts
	 * afterwards arms each mark before it looks, and misses nothing. Returns 0 or
	 * SPG_ERR_NOMEM; what else fails is a lack of each later survey. */
	int (*set_products)(
		struct spg_watch *watch, struct spg_product *const *products, size_t n);

	/* Deliver every event that happened before the last call with @begin, for a
	 * few milliseconds. Returns 0, or SPG_WATCH_MORE when there may be more: call
	 * again, without @begin; or when a listener calls it, since the events that
	 * were read are still being delivered. */
	int (*drain)(struct spg_watch *watch, bool begin);

	/* Events wait to be delivered while the history is behind: how many the last
	 * drain() and those before have taken in, and how many of them were delivered.
	 * NULL: none ever wait. No proof needs them: they are of locks. */
	void (*backlog)(struct spg_watch *watch, uint64_t *taken, uint64_t *delivered);

	/* Worker  thread, but for an instant one. Returns 0 and *ret, or SPG_ERR_NOMEM, or
	 * SPG_ERR_TIMEOUT when it was cancelled. What cannot be looked at is a
	 * lack in the observation, not an error. */
	int (*survey)(struct spg_watch *watch, const struct spg_survey_request *request,
		struct spg_observation **ret);

	/* Give up, for good, every privilege that is not needed after start. Returns
	 * 0, or a negative spg_err, logged: the daemon then runs as it is. */
	int (*confine)(struct spg_watch *watch);

	/* What the survey that runs now is looking at, for the message when it
	 * takes too long: a path, or "". Any thread; copies into @ret. */
	void (*survey_place)(struct spg_watch *watch, char *ret, size_t size);

	/* Report the end of @process through on_exit, once. Asking again for one
	 * that is watched does nothing. Returns 0; SPG_WATCH_GONE when it has
	 * ended already (no callback comes); or a negative spg_err. */
	int (*watch_exit)(struct spg_watch *watch, struct spg_process *process);

	/* The process that has @pid now, or had it last where that is still known: a
	 * record with a reference for the caller; NULL when there is none, or no memory.
	 * NULL: no process is ever known. */
	struct spg_process *(*process)(struct spg_watch *watch, int32_t pid);

	/* What @process was started with, as its record's cmdline would have it, into
	 * @ret of @size bytes. Any thread but the loop's: it may take a second. False: it
	 * does not answer, or has ended. NULL: nobody knows more than the record. */
	bool (*command)(struct spg_watch *watch, const struct spg_process *process,
		char *ret, size_t size);

	/* How @process has ended. Loop thread. False: it runs, or nobody knows. NULL: nobody
	 * ever does. */
	bool (*ended)(struct spg_watch *watch, const struct spg_process *process,
		struct spg_process_end *ret);

	/* For status: never blocks. @ret is the backend's until the next call. */
	size_t (*mechanisms)(struct spg_watch *watch, const struct spg_mechanism **ret);
	size_t (*directories)(struct spg_watch *watch,
		const struct spg_product *product,
		const struct spg_watched_directory **ret);

	/* Close every handle; @on_stopped comes from the loop when all are. */
	void (*stop)(
		struct spg_watch *watch, void (*on_stopped)(void *user), void *user);

	/* After on_stopped, or instead of start. */
	void (*destroy)(struct spg_watch *watch);
};

/* What refuses opens, of a backend that can. */
struct spg_guard_ops {
	/* Begin to refuse new opens and executions of the product's files to all but
	 * the installer and this process; @listener is copied and tells when it
	 * holds. A guard ends by itself when its time is over, when this process
	 * ends or is stuck, and when it is stuck itself. Returns 0 and *ret, which
	 * is there until on_ended; SPG_ERR_NOT_FOUND (one of the pids has ended);
	 * SPG_ERR_LIMIT, SPG_ERR_IO or SPG_ERR_NOMEM. */
	int (*begin)(struct spg_watch *watch, const struct spg_guard_request *request,
		const struct spg_guard_listener *listener, struct spg_guard **ret);
	/* Let it last @duration_ns from now. */
	void (*renew)(struct spg_guard *guard, int64_t duration_ns);
	/* End it; on_ended follows. */
	void (*end)(struct spg_guard *guard);
	/* Is @process the installer's? 1 yes, 0 no, SPG_ERR_NOT_FOUND: it cannot be
	 * told any more. */
	int (*knows)(struct spg_guard *guard, const struct spg_process *process);
	/* Directories of @product (NULL: any) came or went: guards look for them. */
	void (*walk)(struct spg_watch *watch, const struct spg_product *product);
};

#define SPG_WATCH_MORE  1
#define SPG_WATCH_GONE  1
#define SPG_WATCH_LATER 1

/* The first member of every backend. */
struct spg_watch {
	const struct spg_watch_ops *ops;
	const struct spg_guard_ops *guards; /* NULL: nothing can be refused here */
	const char *tier; /* "bpf", "procfs", "scripted"; set by start */
	bool lock_events; /* on_lock comes; false: the loop polls while files are in
	                     use */
	struct spg_watch_listener listener;
	uv_loop_t *loop;
};

enum spg_tier { SPG_TIER_AUTO, SPG_TIER_BPF, SPG_TIER_PROCFS };

/**
 * The backend for this platform.
 *
 * @scratch_dir  existing directory for the self-test's scratch file
 * @tier         SPG_TIER_AUTO takes the best that proves itself at start
 *
 * NULL: out of memory.
 */
struct spg_watch *spg_watch_create(uv_loop_t *loop,
	const struct spg_watch_listener *listener, enum spg_tier tier,
	const char *scratch_dir);

/**
 * When this process was begun to be a helper of the backend: its whole life, and its
 * exit code. Else -1. Before anything else in main().
 */
int spg_watch_helper(int argc, char **argv);
