/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/windows/wide.h"
#include "daemon/watch/windows/account.h"
#include "daemon/watch/windows/native.h"
#include "daemon/watch/windows/text.h"

#define LIST_BYTES_MAX (64 * 1024 * 1024)
#define COMMAND_MAX    1024
/* FILETIME counts from 1601. */
#define EPOCH_100NS    INT64_C(116444736000000000)

/* SYSTEM_PROCESS_INFORMATION as far as it is read. */
struct entry {
	ULONG next;
	ULONG n_threads;
	LARGE_INTEGER unused[3];
	LARGE_INTEGER created, user, kernel;
	UNICODE_STRING name;
	LONG priority;
	HANDLE pid, ppid;
};

static int query(void **ret, size_t *ret_size)
{
	ULONG size = 256 * 1024, needed = 0;
	NTSTATUS status;
	void *data;

	do {
		data = malloc(size);
		if (!data)
			return SPG_ERR_NOMEM;
		status = NtQuerySystemInformation(
			SystemProcessInformation, data, size, &needed);
		if (status == SPG_STATUS_SUCCESS) {
			*ret = data;
			*ret_size = size;
			return 0;
		}
		free(data);
		size = size * 2 > needed ? size * 2 : needed;
	} while (status == SPG_STATUS_INFO_LENGTH_MISMATCH && size <= LIST_BYTES_MAX);
	return SPG_ERR_IO;
}

static void take(const struct entry *entry, struct spg_win_process *to)
{
	size_t n = entry->name.Length / sizeof(wchar_t);
	char *name =
		entry->name.Buffer ? spg_wide_to_text(entry->name.Buffer, n) : NULL;

	*to = (struct spg_win_process){
		.id = {(int32_t)(intptr_t)entry->pid,
			(uint64_t)entry->created.QuadPart},
		.ppid = (int32_t)(intptr_t)entry->ppid,
	};
	snprintf(to->name, sizeof(to->name), "%s",
		name              ? spg_win_base(name)
		: to->id.pid == 4 ? "System"
				  : "");
	free(name);
}

static int order(const void *a, const void *b)
{
	const struct spg_win_process *x = a, *y = b;

	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

static const struct entry *follow(const struct entry *entry)
{
	return entry->next == 0 ? NULL
	                        : (const void *)((const char *)entry + entry->next);
}

int spg_win_processes_read(struct spg_win_processes *ret)
{
	struct spg_win_processes found = {NULL, 0};
	size_t size, n = 0;
	void *data;
	int r = query(&data, &size);

	if (r < 0)
		return r;
	for (const struct entry *entry = data; entry; entry = follow(entry))
		n++;
	found.items = calloc(n, sizeof(*found.items));
	if (!found.items) {
		free(data);
		return SPG_ERR_NOMEM;
	}
	/* The first of all is the idle process, which is none. */
	for (const struct entry *entry = data; entry; entry = follow(entry))
		if (entry->pid)
			take(entry, &found.items[found.n++]);
	free(data);
	qsort(found.items, found.n, sizeof(*found.items), order);
	*ret = found;
	return 0;
}

const struct spg_win_process *spg_win_processes_find(
	const struct spg_win_processes *processes, int32_t pid)
{
	struct spg_win_process key = {.id = {.pid = pid}};

	return processes->n == 0 ? NULL
	                         : bsearch(&key, processes->items, processes->n,
					   sizeof(key), order);
}

void spg_win_processes_finish(struct spg_win_processes *processes)
{
	free(processes->items);
	*processes = (struct spg_win_processes){NULL, 0};
}

uint64_t spg_win_process_created(void *handle)
{
	FILETIME created, exited, kernel, user;

	if (!GetProcessTimes(handle, &created, &exited, &kernel, &user))
		return 0;
	return (uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

static char *exe_of(HANDLE handle)
{
	wchar_t path[4096];
	DWORD n = sizeof(path) / sizeof(path[0]);

	return QueryFullProcessImageNameW(handle, 0, path, &n)
	               ? spg_wide_to_path(path, wcslen(path))
	               : NULL;
}

/* Before Windows 8.1 it stands in the process's own memory alone. */
static char *command_in_memory(int32_t pid, uint64_t created)
{
	HANDLE handle = OpenProcess(
		PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, (DWORD)pid);
	PROCESS_BASIC_INFORMATION basic;
	RTL_USER_PROCESS_PARAMETERS parameters;
	wchar_t text[COMMAND_MAX];
	char *command = NULL;
	SIZE_T n, length;
	PEB peb;

	if (handle && spg_win_process_created(handle) == created &&
		NtQueryInformationProcess(handle, ProcessBasicInformation, &basic,
			sizeof(basic), NULL) == SPG_STATUS_SUCCESS &&
		ReadProcessMemory(
			handle, basic.PebBaseAddress, &peb, sizeof(peb), &n) &&
		ReadProcessMemory(handle, peb.ProcessParameters, &parameters,
			sizeof(parameters), &n)) {
		length = parameters.CommandLine.Length;
		if (length > sizeof(text))
			length = sizeof(text);
		if (ReadProcessMemory(
			    handle, parameters.CommandLine.Buffer, text, length, &n))
			command = spg_wide_to_text(text, n / sizeof(*text));
	}
	if (handle)
		CloseHandle(handle);
	return command;
}

static char *command_of(HANDLE handle)
{
	union {
		UNICODE_STRING text;
		char bytes[65536 + 64];
	} *data = malloc(sizeof(*data));
	char *command = NULL;
	ULONG n;

	if (data && NtQueryInformationProcess(handle, SPG_PROCESS_COMMAND_LINE, data,
			    sizeof(*data), &n) == SPG_STATUS_SUCCESS) {
		size_t length = data->text.Length / sizeof(wchar_t);

		command = spg_wide_to_text(
			data->text.Buffer, length < COMMAND_MAX ? length : COMMAND_MAX);
	}
	free(data);
	return command;
}

struct spg_process *spg_win_process_describe(
	const struct spg_win_process *process, const struct spg_win_services *services)
{
	HANDLE handle = OpenProcess(
		PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)process->id.pid);
	char *exe = NULL, *command = NULL, *user = NULL;
	uint32_t uid = SPG_UID_UNKNOWN;
	struct spg_process *made;

	/* The pid may be another one's by now. */
	if (handle && spg_win_process_created(handle) == process->id.start) {
		exe = exe_of(handle);
		command = command_of(handle);
		if (!command)
			command = command_in_memory(process->id.pid, process->id.start);
		user = spg_win_account_of_process(handle, &uid);
	}
	made = spg_process_create(&(struct spg_process_info){
		.id = process->id,
		.started_ns = process->id.start > (uint64_t)EPOCH_100NS
	                              ? ((int64_t)process->id.start - EPOCH_100NS) * 100
	                              : 0,
		.ppid = process->ppid,
		.uid = uid,
		.name = process->name[0] ? process->name : NULL,
		.exe = exe,
		.cmdline = command,
		.user = user,
		.unit = services ? spg_win_services_find(services, process->id.pid)
	                         : NULL,
		.is_daemon = process->id.pid == (int32_t)GetCurrentProcessId(),
	});
	free(exe);
	free(command);
	free(user);
	if (handle)
		CloseHandle(handle);
	return made;
}
