/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Records of processes that a survey has read, given out again while the process is what
 * it was. A search tells at no cost what the kernel has of the process itself (struct
 * spg_bpf_who); what lies outside of it is asked each time: where its executable is, and
 * which service runs it. What nothing tells the change of (a command line that the
 * process wrote over, a unit's file, a user's name) is as old as the record, which is read
 * anew after SPG_PROCESS_CACHE_NS.
 *
 * No lock: whoever surveys has it, on the worker thread or the loop thread, never on
 * both at once (struct spg_survey_request.instant).
 */
#include "common/clock.h"
#include "daemon/model/process.h"
#include "daemon/watch/linux/bpf/record.h"

#define SPG_PROCESS_CACHE_NS (60 * SPG_NS_PER_S)

struct spg_process_cache;

/** NULL: out of memory. */
struct spg_process_cache *spg_process_cache_create(void);

void spg_process_cache_destroy(struct spg_process_cache *cache); /* takes NULL */

/** Keep @process, whose record was read after a search told @who. Nothing is kept that
 * changed in between. */
void spg_process_cache_put(struct spg_process_cache *cache, struct spg_process *process,
	const struct spg_bpf_who *who);

/** The record of the process that a search told @who of, with a reference for the
 * caller; NULL: it has to be read. Waits for no disk and no process. */
struct spg_process *spg_process_cache_get(
	struct spg_process_cache *cache, const struct spg_bpf_who *who);
