/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/handle_table.h"

#include <stdlib.h>

#include "common/err.h"

#define TABLE_BYTES_MAX (1024 * 1024 * 1024)

static int query(struct spg_nt_handles **ret)
{
	ULONG size = 1024 * 1024, needed = 0;
	NTSTATUS status;
	void *data;

	do {
		data = malloc(size);
		if (!data)
			return SPG_ERR_NOMEM;
		status = NtQuerySystemInformation(
			SPG_SYSTEM_EXTENDED_HANDLES, data, size, &needed);
		if (status == SPG_STATUS_SUCCESS) {
			*ret = data;
			return 0;
		}
		free(data);
		/* More are opened meanwhile. */
		size = needed > size ? needed + needed / 4 : 2 * size;
	} while (status == SPG_STATUS_INFO_LENGTH_MISMATCH && size <= TABLE_BYTES_MAX);
	return SPG_ERR_IO;
}

/* The number of the type of @probe, which differs between versions of Windows. */
static int find_type(const struct spg_nt_handles *all, HANDLE probe, USHORT *ret)
{
	for (ULONG_PTR i = 0; i < all->n; i++)
		if (all->items[i].pid == GetCurrentProcessId() &&
			all->items[i].handle == (ULONG_PTR)probe) {
			*ret = all->items[i].type;
			return 0;
		}
	return SPG_ERR_IO;
}

static int pick(const struct spg_nt_handles *all, struct spg_handle_table *ret)
{
	size_t n = 0;

	ret->items = calloc(all->n + 1, sizeof(*ret->items));
	if (!ret->items)
		return SPG_ERR_NOMEM;
	for (ULONG_PTR i = 0; i < all->n; i++)
		if ((all->items[i].type == ret->file_type ||
			    all->items[i].type == ret->section_type) &&
			all->items[i].pid != GetCurrentProcessId())
			ret->items[n++] = all->items[i];
	ret->n = n;
	return 0;
}

/* The program of this process, which surely is a file. */
static HANDLE open_probe(void)
{
	wchar_t path[4096];
	DWORD n = GetModuleFileNameW(NULL, path, sizeof(path) / sizeof(path[0]));

	if (n == 0 || n == sizeof(path) / sizeof(path[0]))
		return INVALID_HANDLE_VALUE;
	return CreateFileW(path, FILE_READ_ATTRIBUTES,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
		OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

int spg_handle_table_read(struct spg_handle_table *ret)
{
	struct spg_nt_handles *all = NULL;
	HANDLE file = open_probe();
	HANDLE section = CreateFileMappingW(
		INVALID_HANDLE_VALUE, NULL, PAGE_READONLY, 0, 4096, NULL);
	int r = file != INVALID_HANDLE_VALUE && section ? query(&all) : SPG_ERR_IO;

	*ret = (struct spg_handle_table){NULL, 0, 0, 0};
	if (r == 0)
		r = find_type(all, file, &ret->file_type);
	if (r == 0)
		r = find_type(all, section, &ret->section_type);
	if (r == 0)
		r = pick(all, ret);
	free(all);
	if (file != INVALID_HANDLE_VALUE)
		CloseHandle(file);
	if (section)
		CloseHandle(section);
	return r;
}

void spg_handle_table_finish(struct spg_handle_table *table)
{
	free(table->items);
	*table = (struct spg_handle_table){NULL, 0, 0, 0};
}
