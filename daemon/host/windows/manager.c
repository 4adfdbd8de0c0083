/* SPDX-License-Identifier: MIT */
#include "daemon/host/windows/manager.h"

#include <stdlib.h>

#include <windows.h>

#define ACCEPTED                                                                       \
	(SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN |  \
		SERVICE_ACCEPT_PARAMCHANGE)
/* How long the manager waits for the next sign of life. A first look at everything may take
 * as long as a deadline of the configuration; a stop has its own, of a few seconds. */
#define START_HINT_MS 120000
#define STOP_HINT_MS  30000

static struct {
	SRWLOCK lock;
	SERVICE_STATUS_HANDLE handle; /* NULL: nobody's service */
	SERVICE_STATUS status;
	uv_async_t *async; /* NULL: the daemon does not listen */
	unsigned requests;
} manager = {
	.lock = SRWLOCK_INIT, .status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS}};

/* --- the state -------------------------------------------------------------- */

/* With the lock. After the end nothing may be said. */
static void tell(DWORD state)
{
	SERVICE_STATUS *s = &manager.status;
	bool pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;

	if (!manager.handle || s->dwCurrentState == SERVICE_STOPPED)
		return;
	s->dwCheckPoint = !pending                     ? 0
	                  : s->dwCurrentState == state ? s->dwCheckPoint + 1
	                                               : 1;
	s->dwCurrentState = state;
	s->dwControlsAccepted = state == SERVICE_RUNNING ? ACCEPTED : 0;
	s->dwWaitHint = state == SERVICE_START_PENDING  ? START_HINT_MS
	                : state == SERVICE_STOP_PENDING ? STOP_HINT_MS
	                                                : 0;
	(void)SetServiceStatus(manager.handle, s);
}

/* A stop is not taken back by what comes in late. */
static void tell_unless(DWORD state, DWORD later)
{
	AcquireSRWLockExclusive(&manager.lock);
	if (manager.status.dwCurrentState != later)
		tell(state);
	ReleaseSRWLockExclusive(&manager.lock);
}

bool spg_manager_is_there(void)
{
	bool there;

	AcquireSRWLockShared(&manager.lock);
	there = manager.handle != NULL;
	ReleaseSRWLockShared(&manager.lock);
	return there;
}

void spg_manager_starting(void)
{
	AcquireSRWLockExclusive(&manager.lock);
	if (manager.status.dwCurrentState == SERVICE_START_PENDING)
		tell(SERVICE_START_PENDING);
	ReleaseSRWLockExclusive(&manager.lock);
}

void spg_manager_running(void)
{
	tell_unless(SERVICE_RUNNING, SERVICE_STOP_PENDING);
}

void spg_manager_stopping(void)
{
	tell_unless(SERVICE_STOP_PENDING, SERVICE_STOPPED);
}

void spg_manager_ended(int exit_status)
{
	AcquireSRWLockExclusive(&manager.lock);
	if (exit_status != 0) {
		manager.status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
		manager.status.dwServiceSpecificExitCode = (DWORD)exit_status;
	}
	tell(SERVICE_STOPPED);
	ReleaseSRWLockExclusive(&manager.lock);
}

/* --- requests --------------------------------------------------------------- */

void spg_manager_ask(enum spg_manager_request request)
{
	AcquireSRWLockExclusive(&manager.lock);
	manager.requests |= request;
	if (manager.async)
		(void)uv_async_send(manager.async);
	ReleaseSRWLockExclusive(&manager.lock);
}

void spg_manager_wake(uv_async_t *async)
{
	AcquireSRWLockExclusive(&manager.lock);
	manager.async = async;
	if (async && manager.requests)
		(void)uv_async_send(async);
	ReleaseSRWLockExclusive(&manager.lock);
}

unsigned spg_manager_take(void)
{
	unsigned requests;

	AcquireSRWLockExclusive(&manager.lock);
	requests = manager.requests;
	manager.requests = 0;
	ReleaseSRWLockExclusive(&manager.lock);
	return requests;
}

/* On the thread of the dispatcher: it must return soon. */
static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *user)
{
	(void)type;
	(void)data;
	(void)user;
	switch (control) {
	case SERVICE_CONTROL_STOP:
	case SERVICE_CONTROL_SHUTDOWN:
	case SERVICE_CONTROL_PRESHUTDOWN:
		spg_manager_stopping();
		spg_manager_ask(SPG_MANAGER_STOP);
		return NO_ERROR;
	case SERVICE_CONTROL_PARAMCHANGE:
		spg_manager_ask(SPG_MANAGER_RELOAD);
		return NO_ERROR;
	case SERVICE_CONTROL_INTERROGATE:
		return NO_ERROR;
	default:
		return ERROR_CALL_NOT_IMPLEMENTED;
	}
}

unsigned spg_manager_begin(const wchar_t *name)
{
	SERVICE_STATUS_HANDLE handle =
		RegisterServiceCtrlHandlerExW(name, on_control, NULL);
	DWORD err = handle ? NO_ERROR : GetLastError();

	AcquireSRWLockExclusive(&manager.lock);
	manager.handle = handle;
	tell(SERVICE_START_PENDING);
	ReleaseSRWLockExclusive(&manager.lock);
	return err;
}
