/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What is known about one process: an immutable, reference-counted record.
 *
 * Made by the watch backend (any thread), then shared by the loop thread, the
 * worker and the store's thread; hence the atomic count. Every string is
 * bytes chosen by somebody else: escape before showing (common/text.h).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/identity.h"
#include "common/kind.h"

#define SPG_UID_UNKNOWN UINT32_MAX

/* How one has ended. */
struct spg_process_end {
	int status; /* that it gave back */
	int signal; /* that ended it; 0: none did */
	bool asked; /* it is one of those that ask a service to stop */
};

struct spg_process {
	atomic_uint refs;
	struct spg_proc_id id;
	int64_t started_ns; /* UTC; 0 unknown */
	int32_t ppid;       /* 0 unknown */
	uint32_t uid;       /* effective; SPG_UID_UNKNOWN */
	uint64_t key;       /* backend's own identity (Linux: pidfs inode), 0 none */
	char *name;         /* what people call it; NULL unknown */
	char *exe;          /* path of its executable; NULL unknown */
	char *cmdline;      /* arguments joined by blanks, shortened; NULL unknown */
	char *user;         /* name of uid, or its number; NULL unknown */
	char *unit;         /* service that would have to stop; NULL none */
	/* The container it runs in, as its engine names it (of CONTAINERD with the
	 * namespace before it); NULL none. Then there is no @unit: below the container's
	 * own control group any name may stand. */
	enum spg_container_engine engine;
	char *container;
	/* The user whose service manager runs @unit, or whose @container it is; NULL: the
	 * machine's. */
	char *unit_user;
	bool unit_refuses_stop; /* the unit says RefuseManualStop= */
	bool is_daemon;         /* spguardd itself, the one that found it */
	/* Units that start @unit again, with blanks between them; NULL: none is known. Not
	 * in the history. */
	char *unit_triggers;
	bool unit_on_bus; /* so does D-Bus, when somebody asks for its name */
};

/* What spg_process_create() copies from. */
struct spg_process_info {
	struct spg_proc_id id;
	int64_t started_ns;
	int32_t ppid;
	uint32_t uid;
	uint64_t key;
	const char *name, *exe, *cmdline, *user, *unit, *unit_user, *container,
		*unit_triggers;
	enum spg_container_engine engine;
	bool unit_refuses_stop, unit_on_bus, is_daemon;
};

/** A record with one reference, for the caller. NULL: out of memory. */
struct spg_process *spg_process_create(const struct spg_process_info *info);

/** A copy of @process, started with @cmdline: it was read later. NULL: out of memory. */
struct spg_process *spg_process_with_cmdline(
	const struct spg_process *process, const char *cmdline);

/** Take another reference; returns @process. NULL gives NULL. */
struct spg_process *spg_process_ref(struct spg_process *process);

/** Drop one; the last frees. Takes NULL. */
void spg_process_unref(struct spg_process *process);
