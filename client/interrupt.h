/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * That the user has had enough (Ctrl-C, a signal that ends): as something to wait for
 * beside the daemon's messages, so that the end is a clean one.
 */

/** From now on it ends nothing by itself. For spg_connection_next() and
 * spg_interrupt_close(); -1 with errno. Once. */
int spg_interrupt_open(void);

/** Takes -1. */
void spg_interrupt_close(int interrupt);
