/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/identity.h"

#include <string.h>

static uint64_t join(DWORD high, DWORD low)
{
	return (uint64_t)high << 32 | low;
}

/* ReFS numbers files by 128 bits, of which the index has half. */
static uint64_t fold_wide_index(HANDLE handle, uint64_t index)
{
	FILE_ID_INFO wide;
	uint64_t halves[2];

	if (!GetFileInformationByHandleEx(handle, FileIdInfo, &wide, sizeof(wide)))
		return index;
	memcpy(halves, wide.FileId.Identifier, sizeof(halves));
	if (halves[1] == 0)
		return index;
	return halves[0] ^ (halves[1] * UINT64_C(0x9E3779B97F4A7C15));
}

bool spg_win_identify(HANDLE handle, struct spg_win_identity *ret)
{
	BY_HANDLE_FILE_INFORMATION info;

	if (!GetFileInformationByHandle(handle, &info))
		return false;
	*ret = (struct spg_win_identity){
		.id = {info.dwVolumeSerialNumber,
			fold_wide_index(
				handle, join(info.nFileIndexHigh, info.nFileIndexLow))},
		.size = join(info.nFileSizeHigh, info.nFileSizeLow),
		.created = join(info.ftCreationTime.dwHighDateTime,
			info.ftCreationTime.dwLowDateTime),
		.written = join(info.ftLastWriteTime.dwHighDateTime,
			info.ftLastWriteTime.dwLowDateTime),
		.n_links = info.nNumberOfLinks,
		.attributes = info.dwFileAttributes,
	};
	return true;
}

bool spg_win_identify_path(
	const wchar_t *native, bool itself, struct spg_win_identity *ret)
{
	HANDLE handle = CreateFileW(native, FILE_READ_ATTRIBUTES,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
		OPEN_EXISTING,
		FILE_FLAG_BACKUP_SEMANTICS |
			(itself ? FILE_FLAG_OPEN_REPARSE_POINT : 0),
		NULL);
	DWORD error;
	bool done;

	if (handle == INVALID_HANDLE_VALUE)
		return false;
	done = spg_win_identify(handle, ret);
	error = GetLastError();
	CloseHandle(handle);
	SetLastError(error);
	return done;
}

bool spg_win_is_same(const struct spg_win_identity *a, const struct spg_win_identity *b)
{
	if (a->id.ino != b->id.ino)
		return false;
	return a->id.dev == b->id.dev ||
	       (a->size == b->size && a->created == b->created &&
		       a->written == b->written);
}
