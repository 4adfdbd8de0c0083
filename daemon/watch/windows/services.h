/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which service runs in which process, as the Service Control Manager has it. Any thread,
 * one at a time.
 */
#include <stddef.h>
#include <stdint.h>

struct spg_win_service {
	int32_t pid;
	char *name; /* of its key: what "net stop" takes */
};

/* Sorted by pid, then by name. */
struct spg_win_services {
	struct spg_win_service *items;
	size_t n;
};

/** Those that run now. Blocks for milliseconds. Returns 0; SPG_ERR_NOMEM; or
 * SPG_ERR_DENIED: nobody may be named by its service. */
int spg_win_services_read(struct spg_win_services *ret);

/** The first service in @pid; NULL: none. A process that has several ends only when all of
 * them have been stopped. */
const char *spg_win_services_find(const struct spg_win_services *services, int32_t pid);

/** Idempotent; takes one that is all zero. */
void spg_win_services_finish(struct spg_win_services *services);
