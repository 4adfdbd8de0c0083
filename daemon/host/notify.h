/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Telling the service manager (sd_notify(3)): one datagram to the socket that
 * NOTIFY_SOCKET names. Without one, nothing is done. Loop thread.
 */
#include <stdint.h>

/** Send @state, lines such as "READY=1". Never blocks, never fails loudly. */
void spg_notify(const char *state);

/** "RELOADING=1" with the time that the protocol wants. */
void spg_notify_reloading(void);

/** How often to send "WATCHDOG=1", in milliseconds: half of what the manager
 * allows (sd_watchdog_enabled(3)); 0: it does not watch this process. */
uint64_t spg_notify_watchdog_ms(void);
