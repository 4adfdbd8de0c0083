/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the NT system calls take and give, where mingw-w64's headers lack it. Layouts and
 * numbers as documented for the driver kit (wdm.h, ntifs.h) or, for class 64, as they
 * have been since Windows XP.
 */
#include <windows.h>
#include <winternl.h>

#define SPG_STATUS_SUCCESS              ((NTSTATUS)0x00000000)
#define SPG_STATUS_INFO_LENGTH_MISMATCH ((NTSTATUS)0xC0000004)
#define SPG_STATUS_DELETE_PENDING       ((NTSTATUS)0xC0000056)
#define SPG_STATUS_BUFFER_OVERFLOW      ((NTSTATUS)0x80000005)
#define SPG_STATUS_BUFFER_TOO_SMALL     ((NTSTATUS)0xC0000023)
#define SPG_STATUS_SECTION_NOT_IMAGE    ((NTSTATUS)0xC0000049)
#define SPG_STATUS_FILE_INVALID         ((NTSTATUS)0xC0000098)
#define SPG_STATUS_INVALID_ADDRESS      ((NTSTATUS)0xC0000141)

#define SPG_SYSTEM_EXTENDED_HANDLES     ((SYSTEM_INFORMATION_CLASS)64)
#define SPG_PROCESS_COMMAND_LINE        ((PROCESSINFOCLASS)60)
#define SPG_FILE_PROCESS_IDS_USING      ((FILE_INFORMATION_CLASS)47)
/* Of MEMORY_INFORMATION_CLASS: MemoryMappedFilenameInformation, a UNICODE_STRING. */
#define SPG_MEMORY_FILE_NAME            2
#define SPG_FS_DEVICE                   ((FS_INFORMATION_CLASS)4)

/* One handle of one process. @object is the kernel's address of what it leads to; NULL
 * where the system does not tell (Wine; Windows, to those without SeDebugPrivilege). */
struct spg_nt_handle {
	void *object;
	ULONG_PTR pid;
	ULONG_PTR handle;
	ULONG access;
	USHORT backtrace;
	USHORT type;
	ULONG attributes;
	ULONG reserved;
};

struct spg_nt_handles {
	ULONG_PTR n;
	ULONG_PTR reserved;
	struct spg_nt_handle items[1];
};

struct spg_nt_fs_device {
	ULONG type;
	ULONG characteristics;
};

struct spg_nt_process_ids {
	ULONG n;
	ULONG_PTR ids[1];
};

NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, void *at, int class, void *ret,
	SIZE_T n_bytes, SIZE_T *ret_bytes);
