/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who keeps a version of a file without having it open, so that a new one is not what
 * everybody gets: a uprobe in it (what is written in place leaves the old instruction);
 * a mount of the file alone, in whatever namespace, and an overlay that has it in a
 * layer (after a rename over it they show the old one).
 *
 * With BPF the kernel decides: each of them holds a name of the inode in memory, as
 * open files and our own descriptors do, and those are counted (record.h,
 * spg_bpf_inode.names). What is left over is looked for: keepers_bpf.c. A descriptor
 * that only names the file (O_PATH), a mount on top of it, and a walk along its path,
 * which lasts a moment, hold it too and are no keepers. What nothing explains for a
 * while is taken for one: seen->kept.
 *
 * Elsewhere every full survey looks at what /proc, tracefs and bpf(2) show:
 * keepers_lease.c. There a uprobe of perf_event_open(2), a mount that is attached
 * nowhere, or in a namespace without a process, cannot be seen, and of an overlay not
 * whether it has looked at the file, so it counts as if it had.
 */
#include <limits.h>

#include "daemon/watch/linux/files/mount_namespaces.h"
#include "daemon/watch/linux/survey/state.h"
#include "daemon/watch/linux/survey/uprobes.h"

struct spg_foreign_layer;
struct spg_foreign_overlay;

/* Directories above a file that are compared with layers. */
#define SPG_KEEPERS_DEPTH 64

/* What both look through; starts as zeroes. */
struct spg_keepers {
	struct spg_survey *s;
	struct spg_spaces spaces;
	struct spg_foreign_layer *layers;
	size_t n_layers, size_layers;
	struct spg_foreign_overlay *overlays;
	size_t n_overlays, size_overlays;
	int32_t owner; /* the last process that was read, and what was read */
	struct spg_process *process;
	/* The last directory, and those above it. */
	char folder[PATH_MAX];
	struct spg_file_id above[SPG_KEEPERS_DEPTH];
	size_t n_above;
};

/** See struct spg_survey_way. */
int spg_keepers_find_bpf(struct spg_survey *s);
int spg_keepers_find_lease(struct spg_survey *s);

/** Find the files that are mounted by themselves, in every namespace that has a process,
 * and layers: s->file_mounts. Returns 0, SPG_ERR_NOMEM or SPG_ERR_TIMEOUT. */
int spg_file_mounts_find(struct spg_survey *s);

/** Append the mounts of file @index among those that were found. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_file_mounts_add(struct spg_survey *s, size_t index);
bool spg_file_mounts_has(struct spg_file_mounts *mounts, struct spg_file *file);
/** True when an overlay cannot be looked into: of a file that no look found nothing is
 * known. */
bool spg_file_mounts_hide(const struct spg_file_mounts *mounts);
void spg_file_mounts_destroy(struct spg_file_mounts *mounts); /* takes NULL */

/** Find the mount namespaces. Returns 0 or a negative spg_err. */
int spg_keepers_begin(struct spg_keepers *k, struct spg_survey *s);
void spg_keepers_finish(struct spg_keepers *k); /* idempotent */

/** Append a keeper: @pid is its process, 0 none. Returns 0 or SPG_ERR_NOMEM. */
int spg_keepers_add(
	struct spg_keepers *k, const struct spg_seen_keeper *keeper, int32_t pid);

/** Append "nginx (pid 77)" to @buf, or what is left to say when it has gone. Returns 0 or
 * SPG_ERR_NOMEM. */
int spg_keepers_put_process(struct spg_keepers *k, struct spg_buf *buf, int32_t pid);

/** Append what is mounted at @path in @space. */
int spg_keepers_add_mount(struct spg_keepers *k, size_t file, enum spg_keeper_kind kind,
	const struct spg_space *space, const char *path);

/** List all overlays and their layers. Returns 0 or a negative spg_err. */
int spg_keepers_list_layers(struct spg_keepers *k);

/** Where one is mounted that cannot be looked into, and not all of whose layers were found
 * by their names; or NULL. Whether it shows a file nobody knows. */
const char *spg_keepers_dark_overlay(const struct spg_keepers *k, int32_t *ret_pid);

/** True when an overlay shows @file, or has it in a layer; not the one that it is on. */
bool spg_keepers_is_layered(struct spg_keepers *k, struct spg_file *file);

/** Append the overlays that have file @index in a layer, or show it. Returns 0 or SPG_ERR_NOMEM. */
int spg_keepers_add_layers(struct spg_keepers *k, size_t index);

/**
 * Append the uprobes that show outside of the kernel, by the names that their files had.
 * One that was named by a relative path is in whatever file has that name. Returns 0 or a
 * negative spg_err.
 */
int spg_keepers_find_probes(struct spg_keepers *k);
