/* SPDX-License-Identifier: MIT */
#include "client/terminal.h"

#include <windows.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 4
#endif

unsigned spg_terminal_size(int fd, unsigned *ret_lines)
{
	CONSOLE_SCREEN_BUFFER_INFO info;

	if (!GetConsoleScreenBufferInfo((HANDLE)_get_osfhandle(fd), &info))
		return 0;
	if (ret_lines)
		*ret_lines = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
	return (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}

/* Lines end with a line feed alone, as on every system: a script compares them. */
bool spg_terminal_begin(void)
{
	_setmode(STDOUT_FILENO, _O_BINARY);
	_setmode(STDERR_FILENO, _O_BINARY);
	return SetConsoleOutputCP(CP_UTF8) != 0;
}

bool spg_terminal_has_colors(void)
{
	HANDLE out = (HANDLE)_get_osfhandle(STDOUT_FILENO);
	DWORD mode;

	return GetConsoleMode(out, &mode) &&
	       SetConsoleMode(out, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}
