/* SPDX-License-Identifier: MIT */
#include "daemon/install/companions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/text.h"

enum companion { OWN, WEB, WEB_ABOVE, CORE_RUNTIME, CORE_DEPENDENCIES, N_COMPANIONS };

static bool is_library(const char *path)
{
	size_t n = strlen(path);

	return n > 4 && strcasecmp(path + n - 4, ".dll") == 0;
}

/* The path without "NAME.dll", or without ".dll". */
static void put_start(struct spg_buf *out, const char *path, bool with_name)
{
	const char *name = spg_path_base(path), *dot = strrchr(name, '.');
	const char *end = !with_name ? name : dot ? dot : name + strlen(name);

	spg_buf_clear(out);
	spg_buf_add(out, path, (size_t)(end - path));
}

/* The path of a companion; false: @path has none of that kind. */
static bool put_path(struct spg_buf *out, const char *path, enum companion companion)
{
	bool library = is_library(path);

	put_start(out, path, companion >= CORE_RUNTIME);
	switch (companion) {
	case OWN:
		spg_buf_clear(out);
		spg_buf_printf(out, "%s.config", path);
		return true;
	case WEB:
		spg_buf_puts(out, "web.config");
		return library;
	case WEB_ABOVE:
		spg_buf_puts(out, "../web.config");
		return library;
	case CORE_RUNTIME:
		spg_buf_puts(out, ".runtimeconfig.json");
		return library;
	default:
		spg_buf_puts(out, ".deps.json");
		return library;
	}
}

static uint64_t mix(uint64_t key, uint64_t value)
{
	return (key ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t mix_time(uint64_t key, struct timespec time)
{
	return mix(key, (uint64_t)(time.tv_sec * SPG_NS_PER_S + time.tv_nsec));
}

uint64_t spg_companions_key(const char *path)
{
	struct spg_buf name = SPG_BUF_NULL;
	uint64_t key = UINT64_C(0xcbf29ce484222325);

	for (enum companion i = 0; i < N_COMPANIONS; i++) {
		struct stat st;

		key = mix(key, i);
		if (!put_path(&name, path, i) || name.failed ||
			stat(spg_buf_text(&name), &st) < 0)
			continue;
		key = mix(mix(mix(key, st.st_dev), st.st_ino), (uint64_t)st.st_size);
		key = mix_time(mix_time(key, st.st_mtim), st.st_ctim);
	}
	spg_buf_finish(&name);
	return key;
}

/* Returns 0, SPG_ERR_LIMIT or what open(2) or read(2) said. */
static int read_all(const char *path, struct spg_buf *ret)
{
	/* Without waiting for a lease to be given back, or a pipe's other end. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n = 1;
	int err = 0;

	if (fd < 0)
		return spg_err_from_errno(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		st.st_size > (off_t)SPG_BINDING_BYTES_MAX)
		err = SPG_ERR_LIMIT;
	while (err == 0 && n > 0) {
		char piece[8192];

		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			spg_buf_add(ret, piece, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			err = spg_err_from_errno(errno);
		if (ret->len > SPG_BINDING_BYTES_MAX)
			err = SPG_ERR_LIMIT;
	}
	close(fd);
	return ret->failed ? SPG_ERR_NOMEM : err;
}

static int add_file(struct spg_binding *binding, const char *path)
{
	struct spg_buf text = SPG_BUF_NULL;
	struct stat st;
	int err;

	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	err = read_all(path, &text);
	if (err == 0)
		err = spg_binding_add(binding, text.len ? text.data : "", text.len);
	else if (err != SPG_ERR_NOMEM) {
		binding->is_partial = true;
		err = 0;
	}
	spg_buf_finish(&text);
	return err;
}

int spg_companions_read(const char *path, struct spg_binding **ret)
{
	struct spg_binding *binding = calloc(1, sizeof(*binding));
	struct spg_buf name = SPG_BUF_NULL;
	int err = binding ? 0 : SPG_ERR_NOMEM;
	struct stat st;

	*ret = NULL;
	for (enum companion i = 0; err == 0 && i < N_COMPANIONS; i++) {
		if (!put_path(&name, path, i))
			continue;
		if (name.failed)
			err = SPG_ERR_NOMEM;
		else if (i < CORE_RUNTIME)
			err = add_file(binding, spg_buf_text(&name));
		else if (stat(spg_buf_text(&name), &st) == 0)
			binding->is_core = true;
	}
	spg_buf_finish(&name);
	if (err == 0 && !spg_binding_is_empty(binding))
		*ret = binding;
	else
		spg_companions_destroy(binding);
	return err;
}

void spg_companions_destroy(struct spg_binding *binding)
{
	if (binding)
		spg_binding_finish(binding);
	free(binding);
}
