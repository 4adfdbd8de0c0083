/* SPDX-License-Identifier: MIT */
/*
 * control NUMBER: send the service spguard a control, as the service manager's own programs
 * do; 0 sends none. Prints "STATE WIN32-EXIT SPECIFIC-EXIT" of half a second later.
 */
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

int main(int argc, char **argv)
{
	DWORD number = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, n;
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = OpenServiceW(manager, L"spguard", SERVICE_ALL_ACCESS);
	SERVICE_STATUS_PROCESS state;
	SERVICE_STATUS ignored;

	if (!service)
		return 2;
	if (number != 0 && !ControlService(service, number, &ignored))
		return 3;
	if (number != 0)
		Sleep(500);
	if (!QueryServiceStatusEx(
		    service, SC_STATUS_PROCESS_INFO, (BYTE *)&state, sizeof(state), &n))
		return 4;
	printf("%lu %lu %lu\n", state.dwCurrentState, state.dwWin32ExitCode,
		state.dwServiceSpecificExitCode);
	return 0;
}
