/* SPDX-License-Identifier: MIT */
/*
 * What the C library of Windows lacks of POSIX and glibc, for common/windows/posix.h.
 */
#include <stdarg.h>
#include <stdbool.h>

#include <windows.h>

void *reallocarray(void *at, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(at, bytes);
}

char *strndup(const char *text, size_t n)
{
	size_t len = strnlen(text, n);
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

char *strsep(char **text, const char *delimiters)
{
	char *start = *text, *end;

	if (!start)
		return NULL;
	end = start + strcspn(start, delimiters);
	if (*end)
		*end++ = '\0';
	else
		end = NULL;
	*text = end;
	return start;
}

void *memmem(const void *in, size_t n_in, const void *what, size_t n_what)
{
	const char *at = in, *end = at + n_in;

	if (n_what == 0)
		return (void *)at;
	while ((size_t)(end - at) >= n_what) {
		at = memchr(at, *(const char *)what, (size_t)(end - at) - n_what + 1);
		if (!at)
			return NULL;
		if (memcmp(at, what, n_what) == 0)
			return (void *)at;
		at++;
	}
	return NULL;
}

ssize_t getline(char **line, size_t *size, FILE *file)
{
	size_t n = 0;
	int c;

	while ((c = getc(file)) != EOF) {
		if (n + 2 > *size) {
			size_t more = *size ? *size * 2 : 128;
			char *grown = realloc(*line, more);

			if (!grown)
				return -1;
			*line = grown;
			*size = more;
		}
		(*line)[n++] = (char)c;
		if (c == '\n')
			break;
	}
	if (n == 0)
		return -1;
	(*line)[n] = '\0';
	return (ssize_t)n;
}

int dprintf(int fd, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(text))
		return -1;
	return write(fd, text, (unsigned)n);
}

/* --- sorting: merges, from pairs upward; without memory it inserts ------------ */

static void insert_each(char *base, size_t n, size_t size,
	int (*compare)(const void *, const void *, void *), void *user)
{
	for (size_t i = 1; i < n; i++)
		for (size_t at = i; at > 0; at--) {
			char *here = base + at * size, *before = here - size;

			if (compare(before, here, user) <= 0)
				break;
			for (size_t byte = 0; byte < size; byte++) {
				char swapped = here[byte];

				here[byte] = before[byte];
				before[byte] = swapped;
			}
		}
}

void qsort_r(void *base, size_t n, size_t size,
	int (*compare)(const void *, const void *, void *), void *user)
{
	char *from = base, *memory = n > 1 ? malloc(n * size) : NULL, *to = memory;

	if (!memory) {
		insert_each(base, n, size, compare, user);
		return;
	}
	for (size_t width = 1; width < n; width *= 2) {
		char *swapped = from;

		for (size_t start = 0; start < n; start += 2 * width) {
			size_t left = start, out = start;
			size_t middle = start + width < n ? start + width : n;
			size_t end = middle + width < n ? middle + width : n;
			size_t right = middle;

			while (left < middle || right < end) {
				bool takes_left =
					right >= end ||
					(left < middle && compare(from + left * size,
								  from + right * size,
								  user) <= 0);
				size_t taken = takes_left ? left++ : right++;

				memcpy(to + out++ * size, from + taken * size, size);
			}
		}
		from = to;
		to = swapped;
	}
	if (from != base)
		memcpy(base, from, n * size);
	free(memory);
}

struct plain {
	int (*compare)(const void *, const void *);
};

static int compare_plain(const void *a, const void *b, void *user)
{
	return ((const struct plain *)user)->compare(a, b);
}

void qsort(
	void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	struct plain plain = {compare};

	qsort_r(base, n, size, compare_plain, &plain);
}

/* --- time --------------------------------------------------------------------- */

/* 100 ns from 1601 to 1970. */
#define EPOCH_TICKS 116444736000000000ULL

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	LARGE_INTEGER count, frequency;
	FILETIME now;
	uint64_t ticks;

	if (clock == CLOCK_REALTIME) {
		GetSystemTimePreciseAsFileTime(&now);
		ticks = ((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) -
		        EPOCH_TICKS;
		ret->tv_sec = (time_t)(ticks / 10000000);
		ret->tv_nsec = (long)(ticks % 10000000 * 100);
		return 0;
	}
	QueryPerformanceFrequency(&frequency);
	QueryPerformanceCounter(&count);
	ret->tv_sec = (time_t)(count.QuadPart / frequency.QuadPart);
	ret->tv_nsec = (long)(count.QuadPart % frequency.QuadPart * 1000000000 /
			      frequency.QuadPart);
	return 0;
}

time_t timegm(struct tm *tm)
{
	return _mkgmtime64(tm);
}

/* As mingw's tsearch() makes them. */
typedef struct node {
	void *key;
	struct node *llink, *rlink;
} node_t;

void tdestroy(void *root, void (*free_node)(void *))
{
	node_t *node = root;

	if (!node)
		return;
	tdestroy(node->llink, free_node);
	tdestroy(node->rlink, free_node);
	free_node(node->key);
	free(node);
}

int setenv(const char *name, const char *value, int replace)
{
	if (!replace && getenv(name))
		return 0;
	return _putenv_s(name, value);
}

int unsetenv(const char *name)
{
	return _putenv_s(name, "");
}
