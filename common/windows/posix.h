/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * POSIX on Windows: what the code above calls and the C library of Windows lacks, or
 * has in another way. The build includes this header before anything else, so that no
 * other file has to know.
 *
 * Names of files are UTF-8 with '/' between the parts ("C:/Program Files/x.dll",
 * "//server/share/x.dll") and become UTF-16 here, whatever their length. A file is
 * always opened for all to share, its removal included, so that this program is never
 * in anybody's way, in binary, and never inherited. Errors are in errno. Thread-safe,
 * but readdir() on one directory.
 */
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#define WIN32_LEAN_AND_MEAN
#define _CRT_RAND_S
#define _POSIX_THREAD_SAFE_FUNCTIONS 200112L
#define _FILE_OFFSET_BITS            64

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

typedef uint32_t uid_t;
typedef uint32_t gid_t;

#ifndef EDQUOT
#define EDQUOT 1133
#endif

/* --- files ------------------------------------------------------------------ */

#define O_CLOEXEC   O_NOINHERIT
#define O_DIRECTORY 0x01000000
#define O_NOFOLLOW  0x02000000
#define O_PATH      0x04000000 /* reads attributes only; shares with everybody */
#define O_NONBLOCK  0
#define O_NOCTTY    0
#define AT_FDCWD    (-100)

#undef S_ISDIR
#undef S_ISREG
#define S_IFLNK     0120000
#define S_IFSOCK    0140000
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISLNK(m)  (((m)&0170000) == S_IFLNK)
#define S_ISSOCK(m) (((m)&0170000) == S_IFSOCK)

/* st_dev: the volume's serial number; st_ino: the file's index there. */
struct spg_posix_stat {
	uint64_t st_dev, st_ino;
	mode_t st_mode;
	uint32_t st_nlink;
	uid_t st_uid;
	gid_t st_gid;
	int64_t st_size;
	struct timespec st_atim, st_mtim, st_ctim;
};

int spg_posix_stat(const char *path, struct spg_posix_stat *ret);
int spg_posix_lstat(const char *path, struct spg_posix_stat *ret);
int spg_posix_fstat(int fd, struct spg_posix_stat *ret);
int spg_posix_fstatat(int dir, const char *name, struct spg_posix_stat *ret, int flags);
int spg_posix_open(const char *path, int flags, ...);
int spg_posix_openat(int dir, const char *name, int flags, ...);
int spg_posix_rename(const char *from, const char *to);
int spg_posix_unlink(const char *path);
int spg_posix_mkdir(const char *path, mode_t mode);
int spg_posix_access(const char *path, int mode);
FILE *spg_posix_fopen(const char *path, const char *mode);
ssize_t spg_posix_pread(int fd, void *ret, size_t n, off_t offset);
int spg_posix_fsync(int fd);
int fchmod(int fd, mode_t mode); /* rights are those of the folder: nothing to do */
char *spg_posix_realpath(const char *path, char *ret);
char *spg_posix_getcwd(char *ret, size_t size);
int spg_posix_link(const char *from, const char *to);

#undef stat
#undef fstat
#undef fopen
#undef fsync
#define stat     spg_posix_stat
#define lstat    spg_posix_lstat
#define fstat    spg_posix_fstat
#define fstatat  spg_posix_fstatat
#define open     spg_posix_open
#define openat   spg_posix_openat
#define rename   spg_posix_rename
#define unlink   spg_posix_unlink
#define mkdir    spg_posix_mkdir
#define access   spg_posix_access
#define fopen    spg_posix_fopen
#define pread    spg_posix_pread
#define fsync    spg_posix_fsync
#define realpath spg_posix_realpath
#define getcwd   spg_posix_getcwd
#define link     spg_posix_link
#define tell     spg_posix_tell /* a name that <io.h> takes */

/* --- memory, strings, time -------------------------------------------------- */

void *reallocarray(void *at, size_t n, size_t size);
char *strndup(const char *text, size_t n);
char *strsep(char **text, const char *delimiters);
void *memmem(const void *in, size_t n_in, const void *what, size_t n_what);
ssize_t getline(char **line, size_t *size, FILE *file);
int dprintf(int fd, const char *format, ...) __attribute__((format(gnu_printf, 2, 3)));
void qsort_r(void *base, size_t n, size_t size,
	int (*compare)(const void *, const void *, void *), void *user);
void tdestroy(void *root, void (*free_node)(void *));
/* Those of Windows' library do not keep the order of equals, on which much here rests. */
void spg_posix_qsort(
	void *base, size_t n, size_t size, int (*compare)(const void *, const void *));
int spg_posix_clock_gettime(clockid_t clock, struct timespec *ret);
#define qsort         spg_posix_qsort
#define clock_gettime spg_posix_clock_gettime
time_t timegm(struct tm *tm);
char *mkdtemp(char *name);
int pipe(int ret[2]);
int mkostemp(char *name, int flags);
int setenv(const char *name, const char *value, int replace);
int unsetenv(const char *name);
uid_t geteuid(void);
