/* SPDX-License-Identifier: MIT */
#include "common/windows/wide.h"

#include <stdbool.h>

#include <windows.h>

/* What Windows itself allows a path: UNICODE_STRING has 16 bits for its bytes. */
#define PATH_UNITS 32768

static void *fail(int err)
{
	errno = err;
	return NULL;
}

wchar_t *spg_wide(const char *text)
{
	int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
	wchar_t *wide;

	if (n <= 0)
		return fail(EILSEQ);
	wide = calloc((size_t)n, sizeof(*wide));
	if (!wide)
		return fail(ENOMEM);
	MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n);
	return wide;
}

char *spg_wide_to_text(const wchar_t *wide, size_t n)
{
	int size = 0;
	char *text;

	if (n > INT_MAX / 4)
		return fail(EILSEQ);
	if (n > 0)
		size = WideCharToMultiByte(
			CP_UTF8, 0, wide, (int)n, NULL, 0, NULL, NULL);
	text = calloc((size_t)size + 1, 1);
	if (!text)
		return fail(ENOMEM);
	if (size > 0)
		WideCharToMultiByte(CP_UTF8, 0, wide, (int)n, text, size, NULL, NULL);
	return text;
}

static const wchar_t *prefix_of(const wchar_t *absolute)
{
	if (wcsncmp(absolute, L"\\\\?\\", 4) == 0 ||
		wcsncmp(absolute, L"\\\\.\\", 4) == 0)
		return L"";
	return absolute[0] == '\\' && absolute[1] == '\\' ? L"\\\\?\\UNC" : L"\\\\?\\";
}

wchar_t *spg_wide_path(const char *path)
{
	wchar_t *given = spg_wide(path), *absolute = NULL, *ret = NULL;
	const wchar_t *prefix, *rest;
	DWORD n;

	if (!given)
		return NULL;
	/* Makes '/' to '\', and a relative path absolute; looks at no file. */
	n = GetFullPathNameW(given, 0, NULL, NULL);
	if (n == 0 || n > PATH_UNITS) {
		errno = n ? ENAMETOOLONG : ENOENT;
		goto out;
	}
	absolute = calloc(n, sizeof(*absolute));
	if (!absolute || GetFullPathNameW(given, n, absolute, NULL) >= n) {
		errno = absolute ? ENOENT : ENOMEM;
		goto out;
	}
	prefix = prefix_of(absolute);
	rest = wcscmp(prefix, L"\\\\?\\UNC") == 0 ? absolute + 1 : absolute;
	ret = calloc(wcslen(prefix) + wcslen(rest) + 1, sizeof(*ret));
	if (ret) {
		wcscpy(ret, prefix);
		wcscat(ret, rest);
	} else {
		errno = ENOMEM;
	}
out:
	free(absolute);
	free(given);
	return ret;
}

char *spg_wide_to_path(const wchar_t *wide, size_t n)
{
	bool unc = n >= 8 && wcsncmp(wide, L"\\\\?\\UNC\\", 8) == 0;
	char *text;

	if (unc) {
		/* Its own '\' is the second of the two. */
		wide += 6;
		n -= 6;
	} else if (n >= 4 && wcsncmp(wide, L"\\\\?\\", 4) == 0) {
		wide += 4;
		n -= 4;
	}
	text = spg_wide_to_text(wide, n);
	if (text && unc)
		text[0] = '/';
	for (char *at = text; at && *at; at++)
		if (*at == '\\')
			*at = '/';
	return text;
}

char *spg_wide_handle_path(void *handle)
{
	wchar_t *wide = calloc(PATH_UNITS, sizeof(*wide));
	char *path = NULL;
	DWORD n;

	if (!wide)
		return fail(ENOMEM);
	n = GetFinalPathNameByHandleW(handle, wide, PATH_UNITS, FILE_NAME_NORMALIZED);
	if (n > 0 && n < PATH_UNITS)
		path = spg_wide_to_path(wide, n);
	else
		errno = ENOENT;
	free(wide);
	return path;
}
