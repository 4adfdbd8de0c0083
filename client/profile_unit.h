/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Units of systemd, as a profile needs them: which program a service runs, and which
 * processes are of it. Asks systemctl; where systemd does not run, reads the unit's
 * file and what is below UNIT.d.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/error.h"
#include "client/profile_draft.h"
#include "common/texts.h"

struct spg_unit {
	struct spg_texts programs; /* absolute, as ExecStart= names them */
	struct spg_texts named; /* absolute: what else stands there, for a shell say */
	bool oneshot;           /* it ends by itself */
	bool failed;            /* out of memory: it is not whole */
	struct spg_texts library_path; /* of LD_LIBRARY_PATH in Environment= */
	char *path;                    /* of its file; NULL: not known */
};

#define SPG_UNIT_NULL                                                                  \
	{                                                                              \
		SPG_TEXTS_NULL, SPG_TEXTS_NULL, false, false, SPG_TEXTS_NULL, NULL     \
	}

/** Idempotent. */
void spg_unit_finish(struct spg_unit *unit);

/** True for "nginx.service", "postgresql@15-main.service". */
bool spg_unit_is_name(const char *name);

/** Fill @ret with what the file at @path says; false when it cannot be read. */
bool spg_unit_read_file(struct spg_unit *ret, const char *path);

/** Fill @ret with what is known of @name; systemctl has @limit_ns. False after it
 * complained: there is none. */
bool spg_unit_find(struct spg_unit *ret, const char *name, int64_t limit_ns,
	struct spg_complaint *why);

/** The system's service that @pid is in, to be freed; NULL: in none. */
char *spg_unit_of_process(pid_t pid);

/** Call @on for every process that is there, until it returns false. */
void spg_each_process(bool (*on)(void *user, pid_t pid), void *user);

/** Cut off what /proc puts behind the name of a file that was replaced or is gone: what
 * has the name now is of the application too. */
void spg_cut_deleted(char *path);

/** What the link /proc/PID/exe names; to be freed, NULL: a kernel thread, or it is not
 * to be read. */
char *spg_program_of_process(pid_t pid);

/** Fill @profile with what @name runs: for --unit. False after it complained. */
bool spg_profile_of_unit(
	struct spg_profile *profile, const char *name, struct spg_complaint *why);

/** The same for one process: for --pid. */
bool spg_profile_of_process(
	struct spg_profile *profile, pid_t pid, struct spg_complaint *why);
