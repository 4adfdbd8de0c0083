/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What passes between the daemon and the Service Control Manager: the state that it
 * shows (SERVICE_STATUS), and what it, or the console, asks for. Thread-safe: the manager
 * and the console call on threads of their own.
 */
#include <stdbool.h>

#include <uv.h>

enum spg_manager_request { SPG_MANAGER_STOP = 1, SPG_MANAGER_RELOAD = 2 };

/** This process is the service @name: register with the manager, "starting" from now on.
 * On the thread that the manager has started for it. Returns 0, or the system's error. */
unsigned spg_manager_begin(const wchar_t *name);

/** Whether the manager has started this process. */
bool spg_manager_is_there(void);

/** It starts still: ask the manager for more time. Only before spg_manager_running(). */
void spg_manager_starting(void);

/** It answers from now on. */
void spg_manager_running(void);

/** It stops; the manager waits. */
void spg_manager_stopping(void);

/** The service has ended with this exit status of main(). The manager may end the process
 * at once. */
void spg_manager_ended(int exit_status);

/** Ask the daemon; kept until it listens. */
void spg_manager_ask(enum spg_manager_request request);

/** Wake @async for requests, the ones before this call too; NULL: no more. */
void spg_manager_wake(uv_async_t *async);

/** What was asked for since the last call: spg_manager_request, or-ed. */
unsigned spg_manager_take(void);
