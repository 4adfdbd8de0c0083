/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/probes.h"

#include <stdlib.h>

#include "common/err.h"
#include "daemon/watch/windows/native.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define IDS_MAX   65536

NTSYSAPI NTSTATUS NTAPI RtlGetLastNtStatus(void);

static HANDLE open_existing(const wchar_t *native, DWORD access)
{
	return CreateFileW(native, access, SHARE_ALL, NULL, OPEN_EXISTING,
		FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_NO_RECALL, NULL);
}

/* Why the last open failed. */
static enum spg_probe judge_failure(void)
{
	DWORD error = GetLastError();

	switch (error) {
	case ERROR_SHARING_VIOLATION:
	case ERROR_USER_MAPPED_FILE:
	case ERROR_LOCK_VIOLATION:
		return SPG_PROBE_BUSY;
	case ERROR_DELETE_PENDING:
		return SPG_PROBE_PENDING;
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
		return SPG_PROBE_GONE;
	case ERROR_ACCESS_DENIED:
		/* Win32 has one error for both. */
		return RtlGetLastNtStatus() == SPG_STATUS_DELETE_PENDING
		               ? SPG_PROBE_PENDING
		               : SPG_PROBE_REFUSED;
	default:
		return SPG_PROBE_REFUSED;
	}
}

enum spg_probe spg_probe_write(const wchar_t *native)
{
	HANDLE handle = open_existing(native, FILE_WRITE_DATA);

	if (handle == INVALID_HANDLE_VALUE)
		return judge_failure();
	CloseHandle(handle);
	return SPG_PROBE_FREE;
}

enum spg_probe spg_probe_there(const wchar_t *native)
{
	HANDLE handle = open_existing(native, FILE_READ_ATTRIBUTES);
	FILE_STANDARD_INFO info;
	bool pending;

	if (handle == INVALID_HANDLE_VALUE)
		return judge_failure();
	pending = GetFileInformationByHandleEx(
			  handle, FileStandardInfo, &info, sizeof(info)) &&
	          info.DeletePending;
	CloseHandle(handle);
	return pending ? SPG_PROBE_PENDING : SPG_PROBE_FREE;
}

static size_t drop_self(int32_t *ids, const struct spg_nt_process_ids *all)
{
	size_t n = 0;

	for (ULONG i = 0; i < all->n; i++)
		if (all->ids[i] != GetCurrentProcessId())
			ids[n++] = (int32_t)all->ids[i];
	return n;
}

/* The self-test proves the list on a volume with NTFS; what another filesystem makes of it
 * nobody has tried. */
static bool is_on_ntfs(HANDLE handle)
{
	wchar_t name[MAX_PATH + 1];

	return GetVolumeInformationByHandleW(
		       handle, NULL, 0, NULL, NULL, NULL, name, MAX_PATH + 1) &&
	       wcscmp(name, L"NTFS") == 0;
}

static int query_users(HANDLE handle, int32_t **ret, size_t *ret_n)
{
	ULONG size = 4096;
	struct spg_nt_process_ids *all;
	IO_STATUS_BLOCK io;
	NTSTATUS status;
	int r = SPG_ERR_UNSUPPORTED;

	if (!is_on_ntfs(handle))
		return r;
	do {
		all = calloc(1, size);
		if (!all)
			return SPG_ERR_NOMEM;
		status = NtQueryInformationFile(
			handle, &io, all, size, SPG_FILE_PROCESS_IDS_USING);
		if (status == SPG_STATUS_SUCCESS) {
			*ret = calloc(all->n + 1, sizeof(**ret));
			if (*ret)
				*ret_n = drop_self(*ret, all);
			r = *ret ? 0 : SPG_ERR_NOMEM;
		}
		free(all);
		size *= 4;
	} while (status == SPG_STATUS_INFO_LENGTH_MISMATCH &&
		 size <= IDS_MAX * sizeof(ULONG_PTR));
	return r;
}

static int open_failure(void)
{
	switch (judge_failure()) {
	case SPG_PROBE_GONE:
		return SPG_ERR_NOT_FOUND;
	default:
		return SPG_ERR_DENIED;
	}
}

int spg_probe_users(const wchar_t *native, int32_t **ret, size_t *ret_n)
{
	HANDLE handle = open_existing(native, FILE_READ_ATTRIBUTES);
	int r;

	if (handle == INVALID_HANDLE_VALUE)
		return open_failure();
	r = query_users(handle, ret, ret_n);
	CloseHandle(handle);
	return r;
}

/* The directory that @native is in. */
static HANDLE open_folder(const wchar_t *native)
{
	const wchar_t *end = wcsrchr(native, L'\\');
	wchar_t *folder = end ? _wcsdup(native) : NULL;
	HANDLE handle;

	if (!folder)
		return INVALID_HANDLE_VALUE;
	/* With its separator: that of a drive needs it. */
	folder[end - native + 1] = L'\0';
	handle = open_existing(folder, FILE_READ_ATTRIBUTES);
	free(folder);
	return handle;
}

int spg_probe_old_users(
	const wchar_t *native, struct spg_file_id id, int32_t **ret, size_t *ret_n)
{
	FILE_ID_DESCRIPTOR what = {.dwSize = sizeof(what), .Type = FileIdType};
	HANDLE folder = open_folder(native), handle;
	BY_HANDLE_FILE_INFORMATION info;
	int r = SPG_ERR_DENIED;

	if (folder == INVALID_HANDLE_VALUE)
		return r;
	what.FileId.QuadPart = (LONGLONG)id.ino;
	/* Elsewhere an index may not be what OpenFileById() takes. */
	if (!is_on_ntfs(folder) || !GetFileInformationByHandle(folder, &info) ||
		info.dwVolumeSerialNumber != id.dev) {
		CloseHandle(folder);
		return r;
	}
	handle = OpenFileById(folder, &what, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL,
		FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_NO_RECALL);
	/* NTFS says so of an index that no file has. */
	if (handle == INVALID_HANDLE_VALUE)
		r = GetLastError() == ERROR_INVALID_PARAMETER ? SPG_ERR_NOT_FOUND : r;
	else
		r = query_users(handle, ret, ret_n);
	if (handle != INVALID_HANDLE_VALUE)
		CloseHandle(handle);
	CloseHandle(folder);
	return r;
}

/* --- locks ------------------------------------------------------------------ */

/* Can [@start, @start + @length) be locked for reading? 1 yes, 0 no; negative: error. */
static int try_range(HANDLE handle, uint64_t start, uint64_t length)
{
	OVERLAPPED at = {.Offset = (DWORD)start, .OffsetHigh = (DWORD)(start >> 32)};
	DWORD low = (DWORD)length, high = (DWORD)(length >> 32);

	if (length == 0)
		return 1;
	if (LockFileEx(handle, LOCKFILE_FAIL_IMMEDIATELY, 0, low, high, &at)) {
		UnlockFileEx(handle, 0, low, high, &at);
		return 1;
	}
	switch (GetLastError()) {
	case ERROR_LOCK_VIOLATION:
	case ERROR_IO_PENDING:
		return 0;
	default:
		return SPG_ERR_IO;
	}
}

/* The length of the longest part of [0, @all) from its start, or from its end, that nobody
 * has locked. */
static int find_free(HANDLE handle, uint64_t all, bool from_end, uint64_t *ret)
{
	uint64_t low = 0, high = all;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;
		int r = try_range(handle, from_end ? all - middle : 0, middle);

		if (r < 0)
			return r;
		if (r == 1)
			low = middle;
		else
			high = middle - 1;
	}
	*ret = low;
	return 0;
}

static int find_range(HANDLE handle, struct spg_probe_range *ret)
{
	const uint64_t all = (uint64_t)INT64_MAX;
	uint64_t before = 0, after = 0;
	int r = try_range(handle, 0, all);

	*ret = (struct spg_probe_range){.locked = false};
	if (r != 0)
		return r < 0 ? r : 0;
	r = find_free(handle, all, false, &before);
	if (r == 0)
		r = find_free(handle, all, true, &after);
	/* Both may be the whole by now: it has been unlocked. */
	if (r < 0 || before + after >= all)
		return r;
	ret->locked = true;
	ret->start = (int64_t)before;
	ret->end = after == 0 ? INT64_MAX : (int64_t)(all - after - 1);
	return 0;
}

int spg_probe_lock(const wchar_t *native, struct spg_probe_range *ret)
{
	HANDLE handle = open_existing(native, GENERIC_READ);
	int r;

	if (handle == INVALID_HANDLE_VALUE)
		return open_failure();
	r = find_range(handle, ret);
	CloseHandle(handle);
	return r;
}
