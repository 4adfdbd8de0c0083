/* SPDX-License-Identifier: MIT */
/*
 * The installer of the story, as naive as the one of the article: what it cannot write it
 * leaves as it is, says so, and goes on.
 *
 *   setup.exe PAYLOAD DIRECTORY...    each file of PAYLOAD over that of the same name;
 *                                     what is new goes into the first DIRECTORY
 */
#include <stdio.h>
#include <windows.h>

static void join(char *ret, const char *directory, const char *name)
{
	snprintf(ret, MAX_PATH, "%s\\%s", directory, name);
}

static int copy(const char *payload, const char *name, int n, char **directories)
{
	char from[MAX_PATH], to[MAX_PATH];
	DWORD err;

	join(from, payload, name);
	for (int i = n; i-- > 0;) {
		join(to, directories[i], name);
		if (GetFileAttributesA(to) != INVALID_FILE_ATTRIBUTES)
			break;
	}
	if (CopyFileA(from, to, FALSE)) {
		puts(name);
		return 0;
	}
	err = GetLastError();
	if (err == ERROR_SHARING_VIOLATION || err == ERROR_USER_MAPPED_FILE ||
		err == ERROR_ACCESS_DENIED) {
		printf("%s is in use and cannot be updated. Ignore.\n", name);
		return 0;
	}
	fprintf(stderr, "setup.exe: %s: error %lu\n", name, err);
	return 1;
}

int main(int argc, char **argv)
{
	char pattern[MAX_PATH];
	WIN32_FIND_DATAA entry;
	HANDLE search;
	int status = 0;

	if (argc < 3)
		return 2;
	join(pattern, argv[1], "*");
	search = FindFirstFileA(pattern, &entry);
	if (search == INVALID_HANDLE_VALUE)
		return 1;
	do
		if (!(entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
			status |= copy(argv[1], entry.cFileName, argc - 2, argv + 2);
	while (FindNextFileA(search, &entry));
	FindClose(search);
	return status;
}
