/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Uprobes as observability agents make them. Each call puts one at the offset, in bytes,
 * in the file, and returns a descriptor, close-on-exec, which keeps it there; or a
 * negative errno: this kernel has none of the kind, or refuses it. Of tests only.
 */
#include <stdint.h>

/** By perf_event_open(2). */
int uprobe_event(const char *path, uint64_t offset);

/** A BPF program on such an event, by a link; the event itself is closed. */
int uprobe_link(const char *path, uint64_t offset);

/** A BPF link of the type uprobe_multi. */
int uprobe_multi(const char *path, uint64_t offset);

/** Pin the link at @path, below a mount of bpf. Returns 0 or a negative errno. */
int uprobe_pin(int link, const char *path);
