/* SPDX-License-Identifier: MIT */
/*
 * Performance Monitor: loads a library of counters and keeps it.
 *
 *   perfmon.exe LIBRARY    prints "ready", ends with a line or the end of stdin
 */
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv)
{
	int c;

	if (argc != 2 || !LoadLibraryA(argv[1])) {
		fprintf(stderr, "perfmon.exe: cannot load the library: error %lu\n",
			GetLastError());
		return 1;
	}
	puts("ready");
	fflush(stdout);
	do
		c = getchar();
	while (c != EOF && c != '\n');
	return 0;
}
