/* SPDX-License-Identifier: MIT */
#include "client/interrupt.h"

#include <windows.h>

static HANDLE event;

static BOOL WINAPI on_control(DWORD kind)
{
	(void)kind;
	return SetEvent(event);
}

/* Handles of the kernel fit into 32 bits ("Interprocess Communication Between 32-bit and
 * 64-bit Applications" of Microsoft's documentation). */
int spg_interrupt_open(void)
{
	event = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (!event || !SetConsoleCtrlHandler(on_control, TRUE)) {
		errno = EIO;
		return -1;
	}
	return (int)(intptr_t)event;
}

void spg_interrupt_close(int interrupt)
{
	(void)interrupt; /* @event stays: Ctrl-C may come later */
}
