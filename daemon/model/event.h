/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * One line of history: what the log, the live view and the database carry.
 *
 * Reference-counted and immutable once published: the same record goes to the
 * store's thread and to every subscriber. Built on the loop thread.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/kind.h"
#include "daemon/model/file.h"
#include "daemon/model/note.h"
#include "daemon/model/process.h"

struct spg_event_lock {
	enum spg_lock_kind kind;
	enum spg_lock_mode mode;
	int64_t start, end; /* bytes, both included; SPG_LOCK_EOF */
};

struct spg_event_gap {
	enum spg_gap_reason reason;
	int64_t since_ns, until_ns; /* UTC; what happened between may be missing */
	uint64_t count;             /* events concerned, where known; else 0 */
};

struct spg_event {
	atomic_uint refs;
	int64_t id;    /* ascending over the life of a database, from 1 */
	int64_t at_ns; /* UTC */
	enum spg_event_kind kind;
	/* Every kind the kernel merged into this one event, as SPG_EVENT_BIT();
	 * more than one bit means coalesced: order and number are unknown. */
	uint32_t kinds;
	struct spg_file *file;       /* NULL: concerns no file */
	struct spg_process *process; /* NULL: unknown, or concerns none */
	char *product;               /* name; NULL for a file of several or none */
	/* USE_BEGIN, USE_END, LOCK, UNLOCK, LOCK_WAIT: which interval begins or
	 * ends; the same number in both events, never used twice. Else 0. */
	int64_t interval;
	int64_t since_ns;              /* USE_END, UNLOCK: when it began, UTC */
	unsigned how;                  /* USE_*: set of spg_use_how */
	struct spg_event_lock lock;    /* LOCK, UNLOCK, LOCK_WAIT, LOCK_FAIL */
	struct spg_event_gap gap;      /* GAP */
	enum spg_verdict_kind verdict; /* VERDICT */
	int64_t subject; /* INSTALL_*, SIDESTEP: its number; 0: of an old database */
	enum spg_install_outcome outcome; /* INSTALL_END */
	enum spg_sidestep_state sidestep; /* SIDESTEP */
	struct spg_notes reasons; /* VERDICT, unless it comes from the database */
	char *detail; /* RENAME: new path; GAP, VERDICT: in words; else NULL */
	/* The kernel does not tell who did it, and it may have been this process. What
	 * is known is known no more; it is not history. */
	bool unattributed;
	/* About a version that had left the product's name before: its last user let go of
	 * it. Nothing happens to what is installed. */
	bool past;
	bool durable; /* on disk before it is announced to subscribers */
};

/* What was recorded since the daemon started. */
struct spg_event_counters {
	uint64_t events[SPG_EVENT_KINDS];
	uint64_t gaps[SPG_GAP_REASONS];
	int64_t last_id; /* the highest number given, ever; 0: none yet */
};

/**
 * A new event with one reference; takes references of its own on @file and
 * @process (either may be NULL). kinds is the kind's bit, the rest zero; the
 * maker fills it in before anybody else sees it. NULL: out of memory.
 */
struct spg_event *spg_event_create(enum spg_event_kind kind, int64_t at_ns,
	struct spg_file *file, struct spg_process *process);

struct spg_event *spg_event_ref(struct spg_event *event);

/** Drop a reference; the last frees. Takes NULL. */
void spg_event_unref(struct spg_event *event);

/* A growable array of events that owns one reference of each. */
struct spg_event_list {
	struct spg_event **events;
	size_t n, size;
};

#define SPG_EVENT_LIST_NULL                                                            \
	{                                                                              \
		NULL, 0, 0                                                             \
	}

/** Takes over the caller's reference, also when it fails with SPG_ERR_NOMEM
 * (the event is gone then). NULL as @event gives SPG_ERR_NOMEM too. */
int spg_event_list_add(struct spg_event_list *list, struct spg_event *event);

/** Drop all references; the list is empty and usable again. */
void spg_event_list_finish(struct spg_event_list *list);
