/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What surveys work with: the tables and means of looking that outlast one. Of the
 * worker thread, unless their own headers say more.
 */
#include "daemon/watch/linux/bpf/look.h"
#include "daemon/watch/linux/events/deleted_inodes.h"
#include "daemon/watch/linux/events/marks.h"
#include "daemon/watch/linux/events/trace_files.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/proc/cache.h"
#include "daemon/watch/linux/proc/own_pids.h"
#include "daemon/watch/linux/proc/proc.h"
#include "daemon/watch/linux/survey/uprobes.h"
#include "daemon/watch/linux/survey/walk.h"
#include "daemon/watch/watch.h"

struct spg_fast_path;

struct spg_survey_tools {
	struct spg_mounts *mounts;
	/* Of those who will install, where they are others; NULL: the same. */
	struct spg_mounts *their_mounts;
	bool their_mounts_unknown;
	struct spg_marks *marks;                   /* NULL: no events */
	struct spg_deleted_inodes *deleted_inodes; /* NULL as well then */
	struct spg_trace_files *trace_files;       /* NULL: no lock events */
	struct spg_look *look;     /* NULL: asks by lease and /proc instead of BPF */
	struct spg_probes *probes; /* NULL: they are not looked for */
	struct spg_fast_path *fast_path;     /* NULL: no instant surveys */
	struct spg_process_cache *processes; /* NULL: each is read for each survey */
	struct spg_own_pids *own_pids;       /* or NULL */
	bool told_look; /* that the programs could not be loaded again */
	struct spg_proc_reader reader;
	spg_walk_progress *progress; /* or NULL */
	void *user;
};
