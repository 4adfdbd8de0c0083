/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who has which file open: a reading of the system's table of all handles. Each handle to a
 * file is duplicated and asked which file it leads to; a section is mapped for a moment, since
 * only a view has a name; this process's own are left out.
 * Worker thread, or any other, one reading at a time.
 *
 * A handle that does not answer hangs nothing (bounded.h). It is remembered and not asked
 * again for a minute.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/watch/windows/identity.h"
#include "daemon/watch/windows/process.h"

/* A handle that leads to a file or directory of a filesystem, or to a section of one. */
struct spg_win_open {
	int32_t pid;
	uint32_t access; /* FILE_READ_DATA and so on */
	uint64_t handle;
	void *object; /* NULL: the system does not tell */
	struct spg_win_identity file;
	/* It leads to a section of the file, which needs no handle to it: the file's name, and
	 * @file is what is there now; unless @error. NULL: it leads to the file itself. */
	wchar_t *section;
	uint32_t error; /* GetLastError() */
};

/* A process with handles to files that could not be asked about. */
struct spg_win_opaque {
	int32_t pid;
	bool hung; /* one did not answer; else access was refused */
};

struct spg_win_reading {
	struct spg_win_open *opens; /* by pid and handle */
	size_t n_opens;
	struct spg_win_opaque *opaque; /* by pid, each once */
	size_t n_opaque;
	bool ended; /* some process ended before its handles could be asked about */
	bool cut; /* there were more handles than memory or threads allow: not whole */
};

struct spg_win_handles;

/** NULL: out of memory. */
struct spg_win_handles *spg_win_handles_create(void);

/** Takes NULL. */
void spg_win_handles_destroy(struct spg_win_handles *handles);

/**
 * Read the table. Blocks for a second or so on a large machine.
 *
 * @earlier  or NULL: what it has of the same handle to the same object is taken over, where
 *           the system tells objects apart
 * @cancel   or NULL
 *
 * Returns 0; SPG_ERR_NOMEM; SPG_ERR_TIMEOUT: cancelled; or SPG_ERR_IO: the system gives no
 * table.
 */
int spg_win_handles_read(struct spg_win_handles *handles,
	const struct spg_win_reading *earlier, const atomic_bool *cancel,
	struct spg_win_reading *ret);

/** Idempotent; takes one that is all zero. */
void spg_win_reading_finish(struct spg_win_reading *reading);
