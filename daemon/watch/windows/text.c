/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/windows/wide.h"

#define DEVICE_MAX 512

static wchar_t *concat(const wchar_t *a, const wchar_t *b)
{
	size_t n_a = wcslen(a), n_b = wcslen(b);
	wchar_t *both = malloc((n_a + n_b + 1) * sizeof(*both));

	if (!both)
		return NULL;
	memcpy(both, a, n_a * sizeof(*both));
	memcpy(both + n_a, b, (n_b + 1) * sizeof(*both));
	return both;
}

/* "\Device\HarddiskVolume3\dir" by the letter that stands for the volume. NULL: none does,
 * or no memory. */
static wchar_t *by_letter(const wchar_t *path)
{
	wchar_t device[DEVICE_MAX], letter[] = L"A:", prefix[] = L"\\\\?\\A:";
	DWORD drives = GetLogicalDrives();

	for (unsigned i = 0; i < 26; i++) {
		size_t n;

		letter[0] = (wchar_t)(L'A' + i);
		if (!(drives & (1U << i)) ||
			QueryDosDeviceW(letter, device, DEVICE_MAX) == 0)
			continue;
		n = wcslen(device);
		if (_wcsnicmp(path, device, n) != 0 || path[n] != L'\\')
			continue;
		prefix[4] = letter[0];
		return concat(prefix, path + n);
	}
	return NULL;
}

wchar_t *spg_win_from_device(const wchar_t *path)
{
	static const wchar_t mup[] = L"\\Device\\Mup\\", dos[] = L"\\??\\";
	size_t n_mup = wcslen(mup), n_dos = wcslen(dos);
	wchar_t *found;

	if (wcsncmp(path, L"\\\\?\\", 4) == 0)
		return concat(L"", path);
	if (wcsncmp(path, dos, n_dos) == 0)
		return concat(L"\\\\?\\", path + n_dos);
	if (_wcsnicmp(path, mup, n_mup) == 0)
		return concat(L"\\\\?\\UNC\\", path + n_mup);
	if (path[0] != L'\\')
		return concat(L"\\\\?\\", path); /* Wine gives some so: "C:\..." */
	found = by_letter(path);
	return found ? found : concat(L"\\\\?\\GLOBALROOT", path);
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

char *spg_win_join(const char *dir, const char *name)
{
	size_t n_dir = strlen(dir), n_name = strlen(name);
	char *path = malloc(n_dir + n_name + 2);

	if (!path)
		return NULL;
	memcpy(path, dir, n_dir);
	if (n_dir > 0 && !is_separator(dir[n_dir - 1]))
		path[n_dir++] = '/';
	memcpy(path + n_dir, name, n_name + 1);
	return path;
}

wchar_t *spg_win_join_native(const wchar_t *dir, const wchar_t *name)
{
	size_t n_dir = wcslen(dir), n_name = wcslen(name);
	wchar_t *path = malloc((n_dir + n_name + 2) * sizeof(*path));

	if (!path)
		return NULL;
	memcpy(path, dir, n_dir * sizeof(*path));
	if (n_dir > 0 && dir[n_dir - 1] != L'\\')
		path[n_dir++] = L'\\';
	memcpy(path + n_dir, name, (n_name + 1) * sizeof(*path));
	return path;
}

const char *spg_win_base(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (is_separator(*path))
			base = path + 1;
	return base;
}

bool spg_win_same_path(const char *a, const char *b)
{
	wchar_t *wide_a = spg_wide_path(a), *wide_b = spg_wide_path(b);
	bool same = wide_a && wide_b &&
	            CompareStringOrdinal(wide_a, -1, wide_b, -1, TRUE) == CSTR_EQUAL;

	free(wide_a);
	free(wide_b);
	return same;
}

const char *spg_win_error(unsigned long error, char *ret, size_t size)
{
	wchar_t wide[256];
	DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM |
					 FORMAT_MESSAGE_IGNORE_INSERTS |
					 FORMAT_MESSAGE_MAX_WIDTH_MASK,
		NULL, error, 0, wide, sizeof(wide) / sizeof(wide[0]), NULL);
	char *text;

	while (n > 0 && (wide[n - 1] == L' ' || wide[n - 1] == L'.'))
		n--;
	text = n > 0 ? spg_wide_to_text(wide, n) : NULL;
	snprintf(ret, size, "%s (error %lu)", text ? text : "it failed", error);
	free(text);
	return ret;
}
