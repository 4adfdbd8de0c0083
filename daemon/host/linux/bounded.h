/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Calls that may never return: a directory on a share whose server is gone, the memory
 * map of a process that is stuck in a page fault. A thread of its own makes the call and
 * owns what it works on; if it is late, the caller goes on without it, and until it
 * returns, further calls for the same place fail at once instead of piling up threads.
 * Any thread.
 */

/**
 * Have @run called with @arg, and wait at most @timeout_ms for it.
 *
 * @place    names what may not answer, as "/proc/77"
 * @destroy  releases @arg; called on whichever thread, once the call is over, if it was
 *           late. @arg must not refer to anything that may go before that.
 *
 * Returns 0 when @run has returned, and @arg is the caller's again; SPG_ERR_TIMEOUT when
 * it has not (or an earlier call for @place has not yet): @arg is given away; or
 * SPG_ERR_NOMEM, without a call: @arg stays the caller's.
 */
int spg_bounded_call(const char *place, unsigned timeout_ms, void (*run)(void *arg),
	void (*destroy)(void *arg), void *arg);

/** End the threads that no call is late with: what they may do, they may for good. Blocks
 * until they have; no other thread may be calling. */
void spg_bounded_retire(void);
