/* SPDX-License-Identifier: MIT */
/*
 * What the C library of Windows lacks of POSIX and glibc, for common/windows/posix.h.
 */
#include <stdarg.h>
#include <stdbool.h>

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

/* Windows' own has its arguments in another order, and hands @user to the comparison
 * first. */
struct order {
	int (*compare)(const void *, const void *, void *);
	void *user;
};

static int compare_by(void *user, const void *a, const void *b)
{
	const struct order *order = user;

	return order->compare(a, b, order->user);
}

void qsort_r(void *base, size_t n, size_t size,
	int (*compare)(const void *, const void *, void *), void *user)
{
	struct order order = {compare, user};

	qsort_s(base, n, size, compare_by, &order);
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
