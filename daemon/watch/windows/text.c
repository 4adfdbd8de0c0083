/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#define DEVICE_MAX 512

wchar_t *spg_win_wide(const char *text)
{
	int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
	wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof(*wide)) : NULL;

	if (wide)
		MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
	return wide;
}

char *spg_win_utf8(const wchar_t *text, size_t n)
{
	int size = n == 0 ? 0
	                  : WideCharToMultiByte(
				    CP_UTF8, 0, text, (int)n, NULL, 0, NULL, NULL);
	char *utf8 = malloc((size_t)size + 1);

	if (!utf8)
		return NULL;
	if (size > 0)
		WideCharToMultiByte(CP_UTF8, 0, text, (int)n, utf8, size, NULL, NULL);
	utf8[size] = '\0';
	return utf8;
}

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

wchar_t *spg_win_native(const char *path)
{
	wchar_t *wide = spg_win_wide(path), *native;

	if (!wide)
		return NULL;
	for (wchar_t *at = wide; *at; at++)
		if (*at == L'/')
			*at = L'\\';
	if (wcsncmp(wide, L"\\\\?\\", 4) == 0 || wcsncmp(wide, L"\\\\.\\", 4) == 0)
		return wide;
	native = wcsncmp(wide, L"\\\\", 2) == 0 ? concat(L"\\\\?\\UNC\\", wide + 2)
	                                        : concat(L"\\\\?\\", wide);
	free(wide);
	return native;
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

char *spg_win_path(const wchar_t *native)
{
	char *path;

	if (wcsncmp(native, L"\\\\?\\UNC\\", 8) == 0) {
		path = spg_win_utf8(native + 6, wcslen(native + 6));
		if (path)
			path[0] = '\\';
	} else {
		if (wcsncmp(native, L"\\\\?\\", 4) == 0)
			native += 4;
		path = spg_win_utf8(native, wcslen(native));
	}
	for (char *at = path; at && *at; at++)
		if (*at == '\\')
			*at = SPG_WIN_SEPARATOR;
	return path;
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
		path[n_dir++] = SPG_WIN_SEPARATOR;
	memcpy(path + n_dir, name, n_name + 1);
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
	wchar_t *wide_a = spg_win_native(a), *wide_b = spg_win_native(b);
	bool same = wide_a && wide_b &&
	            CompareStringOrdinal(wide_a, -1, wide_b, -1, TRUE) == CSTR_EQUAL;

	free(wide_a);
	free(wide_b);
	return same;
}

const char *spg_win_error(unsigned long error, char *ret, size_t size)
{
	wchar_t wide[256];
	DWORD n = FormatMessageW(
		FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
			FORMAT_MESSAGE_MAX_WIDTH_MASK,
		NULL, error, 0, wide, sizeof(wide) / sizeof(wide[0]), NULL);
	char *text;

	while (n > 0 && (wide[n - 1] == L' ' || wide[n - 1] == L'.'))
		n--;
	text = n > 0 ? spg_win_utf8(wide, n) : NULL;
	snprintf(ret, size, "%s (error %lu)", text ? text : "it failed", error);
	free(text);
	return ret;
}
