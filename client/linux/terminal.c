/* SPDX-License-Identifier: MIT */
#include "client/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

unsigned spg_terminal_size(int fd, unsigned *ret_lines)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return 0;
	if (ret_lines)
		*ret_lines = size.ws_row;
	return size.ws_col;
}

bool spg_terminal_begin(void)
{
	bool unicode;

	setlocale(LC_CTYPE, "");
	unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	/* Names are UTF-8 whatever the locale; their widths must be known. */
	if (!unicode)
		setlocale(LC_CTYPE, "C.UTF-8");
	return unicode;
}

bool spg_terminal_has_colors(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}
