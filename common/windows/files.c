/* SPDX-License-Identifier: MIT */
/*
 * Files for common/windows/posix.h, by Windows' own calls.
 */
#include <stdarg.h>
#include <stdbool.h>

#include <windows.h>

#include "common/windows/wide.h"

#define SHARE_ALL     (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* 100 ns from 1601 to 1970. */
#define EPOCH_TICKS   116444736000000000LL
#define TICKS_PER_SEC 10000000LL

static int errno_of(DWORD error)
{
	switch (error) {
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
	case ERROR_INVALID_NAME:
	case ERROR_BAD_PATHNAME:
	case ERROR_BAD_NETPATH:
	case ERROR_BAD_NET_NAME:
	case ERROR_INVALID_DRIVE:
		return ENOENT;
	case ERROR_ACCESS_DENIED:
	case ERROR_PRIVILEGE_NOT_HELD:
	case ERROR_DELETE_PENDING:
		return EACCES;
	case ERROR_SHARING_VIOLATION:
	case ERROR_LOCK_VIOLATION:
	case ERROR_USER_MAPPED_FILE:
	case ERROR_BUSY:
		return EBUSY;
	case ERROR_FILE_EXISTS:
	case ERROR_ALREADY_EXISTS:
		return EEXIST;
	case ERROR_DIR_NOT_EMPTY:
		return ENOTEMPTY;
	case ERROR_DIRECTORY:
		return ENOTDIR;
	case ERROR_TOO_MANY_OPEN_FILES:
		return EMFILE;
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_OUTOFMEMORY:
		return ENOMEM;
	case ERROR_DISK_FULL:
	case ERROR_HANDLE_DISK_FULL:
		return ENOSPC;
	case ERROR_WRITE_PROTECT:
		return EROFS;
	case ERROR_INVALID_PARAMETER:
	case ERROR_INVALID_FUNCTION:
		return EINVAL;
	case ERROR_NOT_SAME_DEVICE:
		return EXDEV;
	default:
		return EIO;
	}
}

static int fail(void)
{
	errno = errno_of(GetLastError());
	return -1;
}

/* --- what a file is --------------------------------------------------------- */

static struct timespec time_of(FILETIME time)
{
	int64_t ticks =
		(int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) -
		EPOCH_TICKS;

	return (struct timespec){.tv_sec = ticks / TICKS_PER_SEC,
		.tv_nsec = (long)(ticks % TICKS_PER_SEC * 100)};
}

static mode_t mode_of(DWORD attributes, DWORD tag)
{
	if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
		(tag == IO_REPARSE_TAG_SYMLINK || tag == IO_REPARSE_TAG_MOUNT_POINT))
		return S_IFLNK | 0777;
	if (attributes & FILE_ATTRIBUTE_DIRECTORY)
		return S_IFDIR | 0755;
	return S_IFREG | (attributes & FILE_ATTRIBUTE_READONLY ? 0555 : 0755);
}

/* What the filesystem counts as a change is its ChangeTime, where it has one. */
static void read_times(
	HANDLE handle, const BY_HANDLE_FILE_INFORMATION *info, struct stat *ret)
{
	FILE_BASIC_INFO basic;

	ret->st_atim = time_of(info->ftLastAccessTime);
	ret->st_mtim = ret->st_ctim = time_of(info->ftLastWriteTime);
	if (GetFileInformationByHandleEx(
		    handle, FileBasicInfo, &basic, sizeof(basic)) &&
		basic.ChangeTime.QuadPart > 0)
		ret->st_ctim =
			time_of((FILETIME){.dwLowDateTime = basic.ChangeTime.LowPart,
				.dwHighDateTime = (DWORD)basic.ChangeTime.HighPart});
}

static int look_at(HANDLE handle, struct stat *ret)
{
	BY_HANDLE_FILE_INFORMATION info;
	FILE_ATTRIBUTE_TAG_INFO tag = {0};
	DWORD type = GetFileType(handle);

	memset(ret, 0, sizeof(*ret));
	if (type != FILE_TYPE_DISK) {
		ret->st_mode = type == FILE_TYPE_PIPE ? S_IFIFO | 0600 : S_IFCHR | 0600;
		return 0;
	}
	if (!GetFileInformationByHandle(handle, &info))
		return fail();
	(void)GetFileInformationByHandleEx(
		handle, FileAttributeTagInfo, &tag, sizeof(tag));
	ret->st_dev = info.dwVolumeSerialNumber;
	ret->st_ino = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
	ret->st_mode = mode_of(info.dwFileAttributes, tag.ReparseTag);
	ret->st_nlink = info.nNumberOfLinks;
	ret->st_size =
		(int64_t)((uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow);
	read_times(handle, &info, ret);
	return 0;
}

static int look_at_path(const char *path, DWORD flags, struct stat *ret)
{
	wchar_t *wide = spg_wide_path(path);
	HANDLE handle;
	int r;

	if (!wide)
		return -1;
	handle = CreateFileW(wide, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
		FILE_FLAG_BACKUP_SEMANTICS | flags, NULL);
	free(wide);
	if (handle == INVALID_HANDLE_VALUE)
		return fail();
	r = look_at(handle, ret);
	CloseHandle(handle);
	return r;
}

int stat(const char *path, struct stat *ret)
{
	return look_at_path(path, 0, ret);
}

int lstat(const char *path, struct stat *ret)
{
	return look_at_path(path, FILE_FLAG_OPEN_REPARSE_POINT, ret);
}

int fstat(int fd, struct stat *ret)
{
	intptr_t handle = _get_osfhandle(fd);

	if (handle == -1) {
		errno = EBADF;
		return -1;
	}
	return look_at((HANDLE)handle, ret);
}

/* --- opening ---------------------------------------------------------------- */

static DWORD access_of(int flags)
{
	if (flags & O_PATH)
		return FILE_READ_ATTRIBUTES;
	switch (flags & (O_RDONLY | O_WRONLY | O_RDWR)) {
	case O_WRONLY:
		return GENERIC_WRITE | FILE_READ_ATTRIBUTES;
	case O_RDWR:
		return GENERIC_READ | GENERIC_WRITE;
	default:
		return GENERIC_READ;
	}
}

static DWORD disposition_of(int flags)
{
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return CREATE_NEW;
	if (flags & O_CREAT)
		return OPEN_ALWAYS;
	return OPEN_EXISTING;
}

/* Of what was opened, what O_DIRECTORY and O_NOFOLLOW refuse. */
static int refuse(HANDLE handle, int flags)
{
	struct stat st;

	if (look_at(handle, &st) < 0)
		return errno;
	if (S_ISLNK(st.st_mode) && (flags & O_NOFOLLOW))
		return ELOOP;
	if (!S_ISDIR(st.st_mode) && (flags & O_DIRECTORY))
		return ENOTDIR;
	if (S_ISDIR(st.st_mode) && (flags & (O_WRONLY | O_RDWR)))
		return EISDIR;
	return 0;
}

static int truncate_opened(HANDLE handle)
{
	return SetEndOfFile(handle) ? 0 : errno_of(GetLastError());
}

/* As a descriptor, which owns it. */
static int descriptor_of(HANDLE handle, int flags)
{
	int err = refuse(handle, flags), fd = -1;

	if (err == 0 && (flags & O_TRUNC))
		err = truncate_opened(handle);
	if (err == 0)
		fd = _open_osfhandle((intptr_t)handle,
			(flags & (O_APPEND | O_RDONLY | O_WRONLY | O_RDWR)) |
				O_NOINHERIT | O_BINARY);
	if (fd < 0) {
		if (err == 0)
			err = errno;
		CloseHandle(handle);
		errno = err;
	}
	return fd;
}

static int open_file(const char *path, int flags, mode_t mode)
{
	DWORD attributes = FILE_FLAG_BACKUP_SEMANTICS | FILE_ATTRIBUTE_NORMAL;
	wchar_t *wide = spg_wide_path(path);
	HANDLE handle;

	if (!wide)
		return -1;
	if (flags & O_NOFOLLOW)
		attributes |= FILE_FLAG_OPEN_REPARSE_POINT;
	if ((flags & O_CREAT) && !(mode & 0200))
		attributes |= FILE_ATTRIBUTE_READONLY;
	handle = CreateFileW(wide, access_of(flags), SHARE_ALL, NULL,
		disposition_of(flags), attributes, NULL);
	free(wide);
	return handle == INVALID_HANDLE_VALUE ? fail() : descriptor_of(handle, flags);
}

static mode_t mode_argument(int flags, va_list args)
{
	return flags & O_CREAT ? (mode_t)va_arg(args, int) : 0600;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	return open_file(path, flags, mode);
}

/* NAME below the directory that is open as @dir; NULL with errno. */
static char *path_below(int dir, const char *name)
{
	intptr_t handle = _get_osfhandle(dir);
	char *above, *path;
	size_t size;

	if (handle == -1) {
		errno = EBADF;
		return NULL;
	}
	above = spg_wide_handle_path((HANDLE)handle);
	if (!above)
		return NULL;
	size = strlen(above) + strlen(name) + 2;
	path = malloc(size);
	if (path)
		snprintf(path, size, "%s/%s", above, name);
	else
		errno = ENOMEM;
	free(above);
	return path;
}

static bool is_rooted(const char *name)
{
	return name[0] == '/' || name[0] == '\\' || (name[0] && name[1] == ':');
}

int openat(int dir, const char *name, int flags, ...)
{
	char *path = NULL;
	va_list args;
	mode_t mode;
	int fd;

	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	if (dir == AT_FDCWD || is_rooted(name))
		return open_file(name, flags, mode);
	path = path_below(dir, name);
	if (!path)
		return -1;
	fd = open_file(path, flags, mode);
	free(path);
	return fd;
}

int fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	char *path;
	int r;

	(void)flags;
	if (dir == AT_FDCWD || is_rooted(name))
		return stat(name, ret);
	path = path_below(dir, name);
	if (!path)
		return -1;
	r = stat(path, ret);
	free(path);
	return r;
}

FILE *fopen(const char *path, const char *mode)
{
	bool reads = mode[0] == 'r', both = strchr(mode, '+') != NULL;
	int flags = both ? O_RDWR : reads ? O_RDONLY : O_WRONLY;
	FILE *file;
	int fd;

	if (mode[0] == 'w')
		flags |= O_CREAT | O_TRUNC;
	else if (mode[0] == 'a')
		flags |= O_CREAT | O_APPEND;
	fd = open(path, flags | O_CLOEXEC, 0666);
	if (fd < 0)
		return NULL;
	file = _fdopen(fd, both ? "r+b" : reads ? "rb" : mode[0] == 'a' ? "ab" : "wb");
	if (!file)
		close(fd);
	return file;
}

/* --- changing names --------------------------------------------------------- */

int rename(const char *from, const char *to)
{
	wchar_t *old = spg_wide_path(from), *new = spg_wide_path(to);
	int r = -1;

	if (old && new)
		r = MoveFileExW(old, new, MOVEFILE_REPLACE_EXISTING) ? 0 : fail();
	free(old);
	free(new);
	return r;
}

int unlink(const char *path)
{
	wchar_t *wide = spg_wide_path(path);
	int r = wide ? (DeleteFileW(wide) ? 0 : fail()) : -1;

	free(wide);
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	wchar_t *wide = spg_wide_path(path);
	int r = wide ? (CreateDirectoryW(wide, NULL) ? 0 : fail()) : -1;

	(void)mode; /* rights are those of the folder above */
	free(wide);
	return r;
}

int link(const char *from, const char *to)
{
	wchar_t *old = spg_wide_path(from), *new = spg_wide_path(to);
	int r = -1;

	if (old && new)
		r = CreateHardLinkW(new, old, NULL) ? 0 : fail();
	free(old);
	free(new);
	return r;
}

int fchmod(int fd, mode_t mode)
{
	(void)fd;
	(void)mode;
	return 0;
}

int access(const char *path, int mode)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return -1;
	if (mode == F_OK || S_ISDIR(st.st_mode))
		return 0;
	fd = open(path, mode & W_OK ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* Allocated, whatever @ret is: NULL, always. */
char *getcwd(char *ret, size_t size)
{
	(void)ret;
	(void)size;
	return realpath(".", NULL);
}

char *realpath(const char *path, char *ret)
{
	wchar_t *wide = spg_wide_path(path);
	HANDLE handle = INVALID_HANDLE_VALUE;
	char *real = NULL;

	(void)ret; /* NULL, always */
	if (!wide)
		return NULL;
	handle = CreateFileW(wide, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
		FILE_FLAG_BACKUP_SEMANTICS, NULL);
	free(wide);
	if (handle == INVALID_HANDLE_VALUE) {
		(void)fail();
		return NULL;
	}
	real = spg_wide_handle_path(handle);
	CloseHandle(handle);
	return real;
}

/* --- reading and writing ---------------------------------------------------- */

int pipe(int ret[2])
{
	return _pipe(ret, 65536, _O_BINARY | _O_NOINHERIT);
}

ssize_t pread(int fd, void *ret, size_t n, off_t offset)
{
	OVERLAPPED at = {
		.Offset = (DWORD)offset, .OffsetHigh = (DWORD)((uint64_t)offset >> 32)};
	intptr_t handle = _get_osfhandle(fd);
	DWORD got = 0;

	if (handle == -1) {
		errno = EBADF;
		return -1;
	}
	if (GetFileType((HANDLE)handle) != FILE_TYPE_DISK) {
		errno = ESPIPE;
		return -1;
	}
	if (!ReadFile(
		    (HANDLE)handle, ret, n > INT_MAX ? INT_MAX : (DWORD)n, &got, &at) &&
		GetLastError() != ERROR_HANDLE_EOF)
		return fail();
	return (ssize_t)got;
}

int fsync(int fd)
{
	return _commit(fd);
}

/* --- names of their own ----------------------------------------------------- */

/* Fill in "XXXXXX" until @make takes the name. */
static int with_name(char *name, int (*make)(const char *name, int flags), int flags)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(name);
	unsigned value;
	int r;

	if (n < 6 || strcmp(name + n - 6, "XXXXXX") != 0) {
		errno = EINVAL;
		return -1;
	}
	for (int tries = 0; tries < 100; tries++) {
		for (size_t i = n - 6; i < n; i++) {
			if (rand_s(&value) != 0)
				return -1;
			name[i] = letters[value % (sizeof(letters) - 1)];
		}
		r = make(name, flags);
		if (r >= 0 || errno != EEXIST)
			return r;
	}
	return -1;
}

static int make_file(const char *name, int flags)
{
	return open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
}

static int make_folder(const char *name, int flags)
{
	(void)flags;
	return mkdir(name, 0700);
}

int mkostemp(char *name, int flags)
{
	return with_name(name, make_file, flags);
}

char *mkdtemp(char *name)
{
	return with_name(name, make_folder, 0) < 0 ? NULL : name;
}
