/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * When events said that a process opened or closed a file: a short memory that
 * dates the beginning and end of uses, which surveys only find later. Only a
 * better time for history; nothing is ever decided by it. Loop thread.
 */
#include <stdint.h>

#define SPG_HINTS   512
#define SPG_ANY_PID 0

struct spg_hint {
	uint64_t path_hash;
	int64_t at_ns;
	int32_t pid;
	uint32_t kinds; /* SPG_EVENT_BIT()s */
};

struct spg_hints {
	struct spg_hint ring[SPG_HINTS];
	unsigned next;
};

/** Remember that an event of @kinds by @pid concerned @path at @at_ns. */
void spg_hints_add(struct spg_hints *hints, const char *path, int32_t pid,
	uint32_t kinds, int64_t at_ns);

/**
 * When @pid (SPG_ANY_PID: anybody) last did one of @kinds to @path, not before @after_ns; @otherwise
 * when nothing is remembered.
 */
int64_t spg_hints_last(const struct spg_hints *hints, const char *path, int32_t pid,
	uint32_t kinds, int64_t after_ns, int64_t otherwise);
