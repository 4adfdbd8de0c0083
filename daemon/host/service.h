/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The daemon as a service of a manager that starts programs in a way of its own, and the
 * commands that make it one: Windows. Where a service is a program like any other there are
 * none, and the manager's own files do the rest. Main thread, before others start.
 */

/* The daemon on these arguments, as from the command line; returns its exit status. */
typedef int spg_service_run(int argc, char **argv);

/**
 * Do what argv[1] says when that is a command about the service.
 *
 * @run  called when the manager has started this process: on a thread of the manager's
 *       choice, which is then the main thread for everything else
 *
 * Returns the exit status; -1: there is no such command in @argv, go on.
 */
int spg_service_command(int argc, char **argv, spg_service_run *run);

/** Lines about these commands for --help; "" where there are none. */
const char *spg_service_help(void);
