/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who has which file mapped: programs and libraries, and views of data whose handle may be
 * closed. Every process's address space is walked. Worker thread, one reading at a time.
 *
 * Windows tells a view's file by name, not by identity. What is at that name may be another
 * file by now: see @found.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/windows/identity.h"
#include "daemon/watch/windows/process.h"

/* A name that some view has. */
struct spg_win_mapped {
	wchar_t *device; /* as the system tells it */
	wchar_t *native; /* as it can be opened */
	struct spg_win_identity file;
	bool found;     /* @file: what is at the name now */
	uint32_t error; /* GetLastError() otherwise */
};

struct spg_win_view {
	int32_t pid;
	size_t name; /* in @names */
	uint64_t base;
	bool image;
};

struct spg_win_mapping {
	struct spg_win_view *views;
	size_t n_views, size_views;
	struct spg_win_mapped *names;
	size_t n_names, size_names;
	int32_t *opaque; /* processes that could not be looked into, by pid */
	size_t n_opaque;
	int32_t *ended; /* those that ended before they were looked into to their end */
	size_t n_ended;
	bool cut; /* not whole */
};

/**
 * Walk the address spaces of @processes, but this one's. Returns 0; SPG_ERR_NOMEM; or
 * SPG_ERR_TIMEOUT: cancelled. @cancel may be NULL.
 */
int spg_win_views_read(const struct spg_win_processes *processes,
	const atomic_bool *cancel, struct spg_win_mapping *ret);

/** Idempotent; takes one that is all zero. */
void spg_win_mapping_finish(struct spg_win_mapping *mapping);
