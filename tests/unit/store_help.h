/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A store in a scratch directory with a loop of its own, for the tests of the
 * history. Every function here fails the test when something is wrong.
 */
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "daemon/store/store.h"

/* A moment to count from: 2026-11-22T02:00:00Z. */
#define T0 INT64_C(1795312800000000000)
#define S  INT64_C(1000000000)

struct fixture {
	char dir[64];
	char path[128];
	uv_loop_t loop;
	struct spg_store *store;
	struct spg_store_config config;
	struct spg_store_origin origin;
	int64_t next_id;
	struct spg_process *process;
};

/** A scratch directory in @base (NULL: /tmp), a loop, and a process record. */
void setup(struct fixture *f, const char *base);

/** Start on f->path; the test fails when that fails. */
void start(struct fixture *f);

/** Start; returns what spg_store_start() did. */
int try_start(struct fixture *f);

/** Stop, and run the loop until the handles are closed. */
void stop(struct fixture *f);

/** Stop if need be, close the loop (must return 0), remove the directory. */
void teardown(struct fixture *f);

/** An event with the next id, of @path (NULL: none), by f->process. */
struct spg_event *event(
	struct fixture *f, enum spg_event_kind kind, int64_t at_ns, const char *path);

/** Append @e and drop it. */
void append(struct fixture *f, struct spg_event *e);

/** Flush and wait; returns its answer. */
int flush(struct fixture *f);

/** Query and wait; returns its answer; the page is the caller's. */
int query(struct fixture *f, const struct spg_store_query *q,
	struct spg_store_page *page);

/** Everything there is, at most SPG_STORE_PAGE_MAX. */
void query_all(struct fixture *f, struct spg_store_page *page);

/** The first column of the first row of @sql, from a connection of its own;
 * "" for NULL or no row. Static storage. */
const char *ask_sql(const struct fixture *f, const char *sql);

/** Number of files in the directory whose name contains @part. */
int count_files(const struct fixture *f, const char *part);

/** Rows of the page that are gaps with @reason; @ret_count their sum. */
int count_gaps(const struct spg_store_page *page, enum spg_gap_reason reason,
	uint64_t *ret_count);

/** Run @sql on the database at @path, which no store has open. */
void run_sql(const char *path, const char *sql);
