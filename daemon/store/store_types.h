/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the store is told and asked, and what it answers; for both of its threads.
 * Plain data.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kind.h"
#include "daemon/model/event.h"

struct spg_store_records;

struct spg_store_config {
	const char *path;      /* database file; its directory exists */
	int64_t retain_ns;     /* events older than that go; 0: for ever */
	uint64_t retain_bytes; /* oldest events go beyond that; 0: no limit */
	size_t queue_max;      /* events waiting; 0: a sound default */
	unsigned batch_ms;     /* longest delay of a batch; 0: 100 */
	unsigned
		patience_ms; /* so long who waits for the disk waits for another program
	                          that has the database locked; 0: 3000 */
	/* A gap row that the store wrote by itself is on disk: announce it. It has
	 * its number, and is not to be appended again. NULL: nobody cares. */
	void (*on_gap)(void *user, struct spg_event *gap);
	void *user;
};

/* What the database knew when it was opened. */
struct spg_store_origin {
	int64_t last_event_id; /* 0: none; the next event gets this plus one */
	int64_t last_interval; /* 0: none */
	struct spg_store_records *records;   /* see records.h */
	int64_t last_install, last_sidestep; /* 0: none */
	int64_t last_alive_ns; /* UTC; when the previous daemon last wrote; 0: new */
	bool clean_stop;       /* it stopped cleanly */
	bool began_anew;       /* a damaged database was set aside just now */
	bool is_new;           /* there was none */
};

/* A question to the history. Texts are borrowed for the call. */
struct spg_store_query {
	int64_t since_ns, until_ns; /* UTC, both included; 0: open */
	uint32_t kinds;             /* SPG_EVENT_BIT()s, matched against any kind
	                               merged into an event; 0: all */
	/* Absolute paths, or bare names without '/', which match that file name
	 * in any directory ignoring ASCII case. None: all. An event with no file
	 * (a gap, a verdict) is returned whatever the paths. */
	const char *const *paths;
	size_t n_paths;
	const char *process_name; /* NULL: all; compared ignoring ASCII case */
	int32_t pid;              /* 0: all */
	const char *product;      /* NULL: all */
	int64_t before_id;        /* only ids below, to page backwards; 0: newest */
	size_t limit;             /* 1..SPG_STORE_PAGE_MAX */
};

#define SPG_STORE_PAGE_MAX 10000

/* One page of answers, oldest first: the newest @limit events that match. */
struct spg_store_page {
	struct spg_event_list events;
	bool more; /* older ones match too */
};

struct spg_store_status {
	uint64_t rows;     /* events in the database */
	uint64_t bytes;    /* database and its write-ahead log */
	size_t queue_rows; /* events waiting */
	uint64_t written;  /* events stored since the start */
	uint64_t dropped;  /* events not stored since the start */
	int64_t dropped_since_ns,
		dropped_until_ns; /* UTC of the first and last of them */
	bool stopped;             /* history is stopped */
	bool faulty; /* it is not written just now: stopped, or events wait */
	enum spg_store_fault fault; /* then why */
	char why[160];              /* then why, and what to do; else "" */
	int64_t oldest_ns;          /* UTC of the oldest event; 0: none */
};
