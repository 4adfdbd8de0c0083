/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/mapped.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/watch/windows/native.h"

/* Of most names; the longest have 32767 characters. */
#define SHORT_W 512
#define LONG_W  32768

/* The paging file's, a device's, private memory. */
static bool is_no_file(NTSTATUS status)
{
	return status == SPG_STATUS_INVALID_ADDRESS ||
	       status == SPG_STATUS_FILE_INVALID ||
	       status == SPG_STATUS_SECTION_NOT_IMAGE;
}

static bool is_too_short(NTSTATUS status)
{
	return status == SPG_STATUS_BUFFER_OVERFLOW ||
	       status == SPG_STATUS_BUFFER_TOO_SMALL ||
	       status == SPG_STATUS_INFO_LENGTH_MISMATCH;
}

static int ask(HANDLE process, const void *at, size_t n_chars, NTSTATUS *ret_status,
	wchar_t **ret)
{
	size_t n_bytes = sizeof(UNICODE_STRING) + n_chars * sizeof(wchar_t);
	UNICODE_STRING *name = calloc(1, n_bytes);
	wchar_t *copy;
	size_t n;

	if (!name)
		return SPG_ERR_NOMEM;
	*ret_status = NtQueryVirtualMemory(
		process, (void *)at, SPG_MEMORY_FILE_NAME, name, n_bytes, NULL);
	if (*ret_status != SPG_STATUS_SUCCESS) {
		free(name);
		return is_no_file(*ret_status) ? SPG_WIN_NO_FILE : SPG_ERR_IO;
	}
	n = name->Length / sizeof(wchar_t);
	copy = n > 0 && name->Buffer ? calloc(n + 1, sizeof(*copy)) : NULL;
	if (copy) {
		memcpy(copy, name->Buffer, n * sizeof(*copy));
		*ret = copy;
	}
	free(name);
	return copy ? 0 : n == 0 ? SPG_WIN_NO_FILE : SPG_ERR_NOMEM;
}

int spg_win_mapped_name(HANDLE process, const void *at, wchar_t **ret)
{
	NTSTATUS status = SPG_STATUS_SUCCESS;
	int r = ask(process, at, SHORT_W, &status, ret);

	return r == SPG_ERR_IO && is_too_short(status)
	               ? ask(process, at, LONG_W, &status, ret)
	               : r;
}
