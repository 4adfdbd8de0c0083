/* SPDX-License-Identifier: MIT */
/* The other libraries of the story, all from this source, each with its name. */
#include <windows.h>

__declspec(dllexport) const char *LibraryName(void)
{
	return NAME " " VERSION;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved)
{
	(void)module;
	(void)reason;
	(void)reserved;
	return TRUE;
}
