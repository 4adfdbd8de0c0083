/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The guard: a process of its own that refuses opens and executions of a product's
 * files to everyone but the installer. Start here to read this folder.
 *
 *   guard.c    the process: answers the kernel, and nothing else
 *   area.h     which files, and the marks on them
 *   tree.h     who the installer is
 *   reports.h  who was refused
 *   wire.h     what daemon and guard say to each other
 *   host.h     the daemon's end: begins it, watches over it
 *
 * An opener waits in the kernel until it is answered, so nothing may keep the guard
 * from answering: it has no threads, opens no file that anybody else could guard,
 * asks no service, writes to no log, and waits for nobody but the kernel. It alone
 * has the fanotify group: its end, however it comes about, lets everybody go.
 *
 * It ends when it is told to; when its time is over; when the daemon has not been
 * heard of for SPG_GUARD_SILENCE_MS, or has ended; and when it gets stuck itself: a
 * timer of the kernel (timer_create(2)), set anew before it runs out as long as the
 * guard runs, sends SIGKILL, which ends a process that SIGSTOP has stopped as well.
 */

/** The guard's whole life, with the descriptors of wire.h open. Returns its
 * exit code. */
int spg_guard_main(void);
