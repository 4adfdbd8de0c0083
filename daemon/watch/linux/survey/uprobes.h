/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Uprobes: breakpoints in files, which their makers keep without having the file open.
 * They show
 *
 *   in tracefs     those defined by uprobe_events; enabled or not, since anybody may
 *                  enable one at any moment, by tracefs or by perf
 *   as BPF links   of the types uprobe_multi, and perf_event since Linux 6.6
 *
 * Those made by perf_event_open(2) alone show nowhere but in the kernel's memory: see
 * spg_look_keepers(). What shows here names a file as it was named once: which inode that
 * was only spg_look_probes() knows. Worker thread.
 */
#include <stdbool.h>
#include <stdint.h>

struct spg_probes;

struct spg_probe {
	const char *path; /* as whoever made it named the file: relative, perhaps, or in
	                      another mount namespace */
	const char *event; /* "GROUP/NAME" in tracefs; or NULL */
	uint32_t link;     /* the BPF link's number; or 0 */
	int link_fd;       /* of the link; only during the call */
};

/** Find tracefs: mounted, or else mounted for the daemon's eyes only, while it may.
 * NULL: out of memory. */
struct spg_probes *spg_probes_create(void);
void spg_probes_destroy(struct spg_probes *probes); /* takes NULL */

/** Call @each for every uprobe until it returns something else than 0, which is
 * returned. */
int spg_probes_read(struct spg_probes *probes,
	int (*each)(void *user, const struct spg_probe *probe), void *user);

/** Open what stands for @event in tracefs, "GROUP/NAME": see spg_look_probes(). Returns a
 * descriptor or -1. */
int spg_probes_open_event(struct spg_probes *probes, const char *event);

/** A process that has a descriptor of BPF link @link; 0: none, it is pinned. */
int32_t spg_probe_owner(uint32_t link);

/**
 * Take a line of uprobe_events apart, which is overwritten: "p:GROUP/NAME
 * PATH:0xOFFSET...". Returns false when it is none.
 */
bool spg_probe_parse(char *line, struct spg_probe *ret);
