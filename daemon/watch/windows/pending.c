/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/pending.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/text.h"

#define KEY   L"SYSTEM\\CurrentControlSet\\Control\\Session Manager"
#define VALUE L"PendingFileRenameOperations"
#define MAX_W (4 * 1024 * 1024)

/* Pairs of texts, each with its end; the second of a pair may be empty. Returns NULL when
 * there are none, with *ret_err. */
static wchar_t *read_pairs(DWORD *ret_n, int *ret_err)
{
	DWORD type, bytes = 0;
	wchar_t *pairs;
	HKEY key;

	*ret_err = 0;
	*ret_n = 0;
	if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, KEY_QUERY_VALUE | KEY_WOW64_64KEY,
		    &key) != ERROR_SUCCESS)
		return NULL;
	pairs = NULL;
	if (RegQueryValueExW(key, VALUE, NULL, &type, NULL, &bytes) == ERROR_SUCCESS &&
		type == REG_MULTI_SZ && bytes <= MAX_W * sizeof(wchar_t)) {
		pairs = calloc(1, bytes + 2 * sizeof(wchar_t));
		*ret_err = pairs ? 0 : SPG_ERR_NOMEM;
		if (pairs && RegQueryValueExW(key, VALUE, NULL, &type, (BYTE *)pairs,
				     &bytes) != ERROR_SUCCESS)
			bytes = 0;
		*ret_n = bytes / sizeof(wchar_t);
	}
	RegCloseKey(key);
	return pairs;
}

static int tell(const wchar_t *text, bool deletes,
	int (*each)(void *user, const char *path, bool deletes), void *user)
{
	wchar_t *native;
	char *path;
	int r;

	/* "!" replaces what is there; "*1" is a number that newer systems put first. */
	while (*text == L'!' || *text == L'*' || (*text >= L'0' && *text <= L'9'))
		text++;
	native = spg_win_from_device(text);
	path = native ? spg_wide_to_path(native, wcslen(native)) : NULL;
	r = path ? each(user, path, deletes) : SPG_ERR_NOMEM;
	free(native);
	free(path);
	return r;
}

int spg_pending_renames_each(
	int (*each)(void *user, const char *path, bool deletes), void *user)
{
	DWORD n;
	int r;
	wchar_t *pairs = read_pairs(&n, &r);
	const wchar_t *at = pairs, *end = pairs ? pairs + n : NULL;

	while (pairs && r == 0 && at < end && *at) {
		const wchar_t *to = at + wcslen(at) + 1;

		r = tell(at, true, each, user);
		if (r == 0 && to < end && *to)
			r = tell(to, false, each, user);
		at = to < end ? to + wcslen(to) + 1 : end;
	}
	free(pairs);
	return r;
}
