/* SPDX-License-Identifier: MIT */
/*
 * A test helper, for LD_PRELOAD: the n-th call of some kinds fails, in the whole process and
 * those that it starts. SPG_FAIL_NTH names a file that is mapped: struct control, which the
 * test writes (tests/system/test_fail_nth.py).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { MEMORY = 1, OPEN = 2, READ = 4, WRITE = 8, THREAD = 16, SYSCALL = 32 };

static struct control {
	_Atomic int64_t left; /* the call that makes it 0 fails */
	_Atomic int64_t failed;
	_Atomic int64_t kinds;
} * control;

/* The allocator's own names for itself (malloc/malloc.c of glibc). */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("SPG_FAIL_NTH");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		control = at;
}

static bool fails(enum kind kind)
{
	if (!control || !(atomic_load(&control->kinds) & kind) ||
		atomic_load(&control->left) <= 0 ||
		atomic_fetch_sub(&control->left, 1) != 1)
		return false;
	atomic_fetch_add(&control->failed, 1);
	return true;
}

/* libuv wakes itself by descriptors that never fail, and aborts if they do. */
static bool fails_on(enum kind kind, int fd)
{
	struct stat st;

	return control && atomic_load(&control->left) > 0 && fstat(fd, &st) == 0 &&
	       S_ISREG(st.st_mode) && fails(kind);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	if (!fails(MEMORY))
		return __libc_malloc(size);
	errno = ENOMEM;
	return NULL;
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	if (!fails(MEMORY))
		return __libc_calloc(n, size);
	errno = ENOMEM;
	return NULL;
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	if (!fails(MEMORY))
		return __libc_realloc(old, size);
	errno = ENOMEM;
	return NULL;
}

#define OPEN_MODE(flags, mode)                                                         \
	mode_t mode = 0;                                                               \
	if ((flags) & (O_CREAT | O_TMPFILE)) {                                         \
		va_list args;                                                          \
		va_start(args, flags);                                                 \
		mode = va_arg(args, mode_t);                                           \
		va_end(args);                                                          \
	}

__attribute__((visibility("default"))) int open(const char *path, int flags, ...)
{
	OPEN_MODE(flags, mode)
	if (!fails(OPEN))
		return REAL(open)(path, flags, mode);
	errno = EMFILE;
	return -1;
}

__attribute__((visibility("default"))) int openat(
	int at, const char *path, int flags, ...)
{
	OPEN_MODE(flags, mode)
	if (!fails(OPEN))
		return REAL(openat)(at, path, flags, mode);
	errno = EMFILE;
	return -1;
}

__attribute__((visibility("default"))) ssize_t read(int fd, void *to, size_t n)
{
	if (!fails_on(READ, fd))
		return REAL(read)(fd, to, n);
	errno = EIO;
	return -1;
}

__attribute__((visibility("default"))) ssize_t pread(
	int fd, void *to, size_t n, off_t at)
{
	if (!fails_on(READ, fd))
		return REAL(pread)(fd, to, n, at);
	errno = EIO;
	return -1;
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *from, size_t n)
{
	if (!fails_on(WRITE, fd))
		return REAL(write)(fd, from, n);
	errno = ENOSPC;
	return -1;
}

__attribute__((visibility("default"))) ssize_t pwrite(
	int fd, const void *from, size_t n, off_t at)
{
	if (!fails_on(WRITE, fd))
		return REAL(pwrite)(fd, from, n, at);
	errno = ENOSPC;
	return -1;
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
	const pthread_attr_t *attributes, void *(*run)(void *), void *user)
{
	return fails(THREAD) ? EAGAIN
	                     : REAL(pthread_create)(thread, attributes, run, user);
}

/* bpf(2), pidfd_open(2) and others without a function of their own. */
__attribute__((visibility("default"))) long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	/* libuv closes this way; a descriptor is closed whatever close(2) returns. */
	if (number == SYS_close || !fails(SYSCALL))
		return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	errno = ENOMEM;
	return -1;
}
