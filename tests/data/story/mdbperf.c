/* SPDX-License-Identifier: MIT */
/* The counters of the Information Store. V2 has one entry point more. */
#include <windows.h>

__declspec(dllexport) int EcPerfOpen(void)
{
	return 12;
}

#ifdef V2
__declspec(dllexport) int EcPerfOpenEx(int level)
{
	return 12 * level;
}
#endif

__declspec(dllexport) void EcPerfClose(void)
{
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved)
{
	(void)module;
	(void)reason;
	(void)reserved;
	return TRUE;
}
