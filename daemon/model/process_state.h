/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a process was doing when a survey looked: whether a signal would end it, and who
 * would start it again. Unlike struct spg_process it changes at any time, so it belongs to
 * one observation and is never cached. It decides nothing but the advice. Plain data.
 */
#include <stdbool.h>
#include <stdint.h>

#define SPG_STATE_NAME 64

/* Programs that start what has ended again, and are asked by a command not to. */
enum spg_supervisor {
	SPG_SUPERVISOR_NONE,
	SPG_SUPERVISOR_RUNIT,       /* runsv(8) */
	SPG_SUPERVISOR_DAEMONTOOLS, /* supervise(8) */
	SPG_SUPERVISOR_S6,          /* s6-supervise */
	SPG_SUPERVISOR_SUPERVISORD,
};

struct spg_process_state {
	bool looked;  /* false: nothing is known */
	bool stopped; /* by a signal (SIGSTOP, SIGTSTP): others wait until it goes on */
	bool dumping; /* it writes a core dump: no signal is looked at */
	/* It waits in the kernel and did so all the time between two looks: a signal is
	 * looked at afterwards, if it is not one of the waits that SIGKILL ends. */
	bool stuck;
	/* SIGTERM is ignored, or blocked in every thread and nobody waits for it, or has
	 * no handler in the first process of a pid namespace. */
	bool deaf;
	bool handles_term; /* a handler of its own: it may end others too */
	int32_t tracer;    /* 0: none */
	char tracer_name[SPG_STATE_NAME];
	char waits_in
		[SPG_STATE_NAME]; /* @stuck: the function of the kernel; "" unknown */
	/* The control group that is frozen, outermost first, as a directory; NULL: none. */
	char *frozen_at;
	bool frozen_v1;                 /* by the controller "freezer" */
	enum spg_supervisor supervisor; /* an ancestor */
	bool supervised_itself;         /* it is the supervisor's own child */
	char *service;                  /* its directory, or its name; NULL unknown */
};

/** Release what it has; idempotent. */
void spg_process_state_finish(struct spg_process_state *state);

/** True when SIGTERM alone ends it, and nobody is known to start it again. */
bool spg_process_state_is_plain(const struct spg_process_state *state);
