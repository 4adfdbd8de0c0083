/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of the tracker: what it knows of each product. tracker_known.c begins with what
 * the database knows, tracker.c follows what happens, tracker_who.c who does it,
 * tracker_end.c ends an install, tracker_asked.c is asked about it and told what others
 * have found, tracker_seen.c compares it with what surveys see.
 */
#include "daemon/host/packages.h"
#include "daemon/install/fit/expected.h"
#include "daemon/install/lineage.h"
#include "daemon/install/outcome.h"
#include "daemon/install/tracker_host.h"
#include "daemon/install/waiters.h"
#include "daemon/model/install.h"

/* Of whom it is remembered that directories moved. */
#define SPG_TRACK_MOVERS_MAX   8

/* Of whom it is remembered that they have ended. */
#define SPG_TRACK_GONE_MAX     64

/* Who failed beyond that is not told. */
#define SPG_TRACK_FAILURES_MAX 8

#define SPG_INSTALL_ALIVE_MAX  (SPG_INSTALL_ACTORS_MAX + 1)

enum spg_track_phase {
	PHASE_IDLE,
	PHASE_RUNNING,  /* events come */
	PHASE_SETTLING, /* quiet: the model is brought up to date */
	PHASE_READING,  /* the files are read */
	PHASE_NAMING,   /* of which packages they are is read */
};

struct spg_track {
	struct spg_track *next;
	struct spg_tracker *tracker;
	char *product;
	enum spg_track_phase phase;
	uv_timer_t timer;
	struct spg_install *install; /* the one that runs */
	/* Of who takes part; after the end, of who took part in the last one. */
	struct spg_lineage lineage;
	struct spg_proc_id alive[SPG_INSTALL_ALIVE_MAX]; /* of those who took part */
	size_t n_alive;
	struct spg_proc_id
		nearest; /* the package manager nearest to the files; pid 0: none */
	/* Of the package manager's database; root NULL: the system's. */
	struct spg_package_place place;
	struct spg_packages *owned;   /* when the install began; NULL: not known */
	struct spg_module_set *found; /* at its end, until that is judged */
	bool managed;                 /* a package manager is named, see manager.h */
	unsigned n_asked;
	struct spg_proc_id asked; /* the last one of whom that was asked */
	bool hurried;
	uint64_t n_events, n_events_settled; /* to see that more came */
	int64_t event_mono_ns;               /* when the latest came */
	bool watched; /* it has been in the configuration since this start */
	struct spg_module_set *installed; /* as last read; NULL: not yet */
	struct spg_module_set *before;    /* as it was when the install began */
	struct spg_module_set *beside; /* left before this install; NULL: not known */
	struct spg_module_set *kept;   /* as the database has it; NULL: nothing */
	char *scope;                   /* of ->kept, see baseline.h; NULL: not known */
	bool from_before;              /* ->installed is what the last daemon knew */
	bool reading_installed, read_again;
	bool looking; /* waits for a survey, to read then */
	/* What a survey saw to be otherwise than it was read, as a number: until it is read
	 * (0: nothing), and when it was, so that it is not read for ever. */
	uint64_t noticed, settled;
	bool doubted; /* it takes long, and verdicts say so */
	/* Who moved directories, or links that lead to them, before the look at it. */
	struct spg_process *movers[SPG_TRACK_MOVERS_MAX];
	size_t n_movers;
	int64_t moved_mono_ns; /* the latest of them */
	bool past_lost;        /* the install was taken up from the database */
	bool found_at_start;   /* it had happened before this daemon began */
	bool unseen; /* it has happened already, and is judged: verdicts wait for that */
	bool by_payload; /* what it was compared with is ->expected */
	/* Of the last install: another one by the same goes on with it. */
	struct spg_module_set *last_before;
	struct spg_proc_id last_by;
	struct spg_expected expected;   /* as the database has it */
	struct spg_install *unresolved; /* the last one, when it was not clean */
	struct spg_module_set *sound;   /* as it was before that; NULL: not known */
	/* Who ran what was written over then, and has ended. */
	int32_t gone[SPG_TRACK_GONE_MAX];
	size_t n_gone;
	struct spg_install *last;     /* that ended; NULL: none that is known */
	struct spg_install *accepted; /* by an administrator, at last; or NULL */
	uint64_t counts[SPG_INSTALL_OUTCOMES];
};

struct spg_tracker {
	struct spg_tracker_host host;
	struct spg_track *first;
	int64_t last_install;
	struct spg_waiters waiters;
	unsigned n_commands;    /* that are asked for */
	unsigned n_catching_up; /* waits for what happened before somebody asked */
	bool stopping;
	unsigned n_closing;
	void (*on_stopped)(void *user);
	void *stop_user;
};

/** NULL: it has none of that name. */
struct spg_track *spg_track_find(
	const struct spg_tracker *tracker, const char *product);

/** Of the product in the model; -1: a reload took it away. */
int spg_track_index(const struct spg_track *s);

/** A directory that is not there says nothing of its files: it may come back with them. */
bool spg_track_lacks_directory(const struct spg_track *s);

/** Of its product, which is there. */
const struct spg_standing *spg_track_standing(const struct spg_track *s);

/** What others add to verdicts about it has changed. */
void spg_track_tell(struct spg_track *s);

/** @process, or NULL, takes part in the install that runs: it may be who is named. */
void spg_track_name_installer(struct spg_track *s, struct spg_process *process);

/** True when an install that begins with @process goes on with the last one. */
bool spg_track_goes_on(struct spg_track *s, const struct spg_process *process);

/** Whoever moved directories took part in the install that has begun. */
void spg_track_take_movers(struct spg_track *s);

/** Who has started who is named: a script that has one helper do it. NULL: not known. */
const struct spg_process *spg_track_starter(const struct spg_track *s);

/** Who of those who took part did not end well: whoever a signal has ended, and of who is
 * named, who started that, and the package manager nearest to the files, who said so. Returns how many are
 * in @ret, which has room for SPG_TRACK_FAILURES_MAX. */
size_t spg_track_find_failures(
	const struct spg_track *s, struct spg_outcome_failure *ret);

/** Forget who moved directories; "old": so long ago that it has nothing to do with what
 * happens now. */
void spg_track_drop_movers(struct spg_track *s);
void spg_track_drop_old_movers(struct spg_track *s);

/** One thing fewer that the tracker's end waits for. */
void spg_track_closed(struct spg_tracker *tracker);

/** @install, taken over, is what has to be mended; NULL: nothing is. */
void spg_track_set_unresolved(struct spg_track *s, struct spg_install *install);

/** Store @install. */
void spg_track_put(struct spg_track *s, struct spg_install *install);

/** One more, of @product. NULL: out of memory. */
struct spg_track *spg_track_add(struct spg_tracker *tracker, const char *product);

/** Read what is installed, and compare it with what is known of it. */
void spg_track_read_installed(struct spg_track *s);

/** Make the event that its install has begun, or ended. */
void spg_track_record(struct spg_track *s, enum spg_event_kind kind);

/** @set, taken over, is what is installed as it was read, and is kept for the next start. */
void spg_track_take_installed(struct spg_track *s, struct spg_module_set *set);

/** All is quiet: read what is there, and judge its install, unless more comes. */
void spg_track_end(struct spg_track *s);

/** @set, taken over, was read at its end; judge it once its packages are known. */
void spg_track_name_packages(struct spg_track *s, struct spg_module_set *set);

/** What is installed has been read, as far as it can be. */
void spg_track_looked(struct spg_track *s);

/** Its install runs; see in @delay_ms whether it has ended. */
void spg_track_go_on(struct spg_track *s, uint64_t delay_ms);

/** What was expected has come, or is of no use any more. */
void spg_track_drop_expected(struct spg_track *s);

/** Of spg_store_put_installed(). */
void spg_track_on_kept(void *user, int err);

/** True when @install left something that has to be mended. */
bool spg_track_is_to_be_mended(const struct spg_install *install);

/** What the latest installs of each product left, the oldest first, and what of it was
 * installed. Returns 0 or SPG_ERR_NOMEM. */
int spg_tracker_take_records(
	struct spg_tracker *tracker, const struct spg_store_records *records);
