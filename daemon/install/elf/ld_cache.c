/* SPDX-License-Identifier: MIT */
#include "daemon/install/elf/ld_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "daemon/install/elf/elf.h"

#define CACHE_PATH "/etc/ld.so.cache"

/* ---- levels of processors ---- */

struct level {
	const char *name;
	const char *
		flags[16]; /* of /proc/cpuinfo: what it has and the one below has not */
};

/* The x86-64 psABI, "Micro-Architecture Levels"; the lowest first. */
static const struct level levels[] = {
	{"x86-64-v2",
		{"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}},
	{"x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}},
	{"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
};

static bool has_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = line; (at = strstr(at, word)); at += n)
		if ((at == line || at[-1] == ' ' || at[-1] == '\t') &&
			(at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
			return true;
	return false;
}

static bool has_level(const char *line, const struct level *level)
{
	for (size_t i = 0; level->flags[i]; i++)
		if (!has_word(line, level->flags[i]))
			return false;
	return true;
}

static void find_levels(struct spg_surroundings *around)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t size = 0, n = 0;

	while (file && getline(&line, &size, file) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		while (n < sizeof(levels) / sizeof(levels[0]) &&
			has_level(line, &levels[n]))
			n++;
		break;
	}
	free(line);
	if (file)
		fclose(file);
	for (around->n_levels = 0; n > 0; around->n_levels++)
		around->levels[around->n_levels] = levels[--n].name;
}

/* ---- the cache ---- */

#define OLD_MAGIC       "ld.so-1.7.0"
#define OLD_HEAD_BYTES  16 /* magic, padding, nlibs */
#define OLD_ENTRY_BYTES 12
#define MAGIC           "glibc-ld.so.cache1.1"
#define HEAD_BYTES      48 /* magic, nlibs, len_strings, flags, extension_offset, unused */
#define ENTRY_BYTES     24 /* flags, key, value, osversion, hwcap */
#define EXTENSIONS      0xeaa42174U
#define TAG_LEVELS      1          /* cache_extension_tag_glibc_hwcaps */
#define IS_LEVEL        (1U << 30) /* of hwcap's upper half: the lower is an index */

/* In the byte order of the machine: a cache of another is of no use. */
static uint32_t u32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

struct cache {
	const char *bytes;
	size_t n;
	const char *levels; /* offsets of their names; NULL: none */
	uint32_t n_levels;
};

static const char *text_at(const struct cache *cache, uint32_t offset)
{
	return offset < cache->n &&
	                       memchr(cache->bytes + offset, '\0', cache->n - offset)
	               ? cache->bytes + offset
	               : NULL;
}

static void find_extension(struct cache *cache, uint32_t offset)
{
	uint32_t n;

	if (offset == 0 || offset % 4 || offset > cache->n || cache->n - offset < 8 ||
		u32(cache->bytes + offset) != EXTENSIONS)
		return;
	n = u32(cache->bytes + offset + 4);
	for (uint32_t i = 0; i < n && cache->n - offset >= 8 + 16 * ((size_t)i + 1);
		i++) {
		const char *section = cache->bytes + offset + 8 + 16 * (size_t)i;
		uint32_t at = u32(section + 8), bytes = u32(section + 12);

		if (u32(section) != TAG_LEVELS || at > cache->n ||
			bytes > cache->n - at)
			continue;
		cache->levels = cache->bytes + at;
		cache->n_levels = bytes / 4;
	}
}

/* Returns the index of the level of @entry in @around, -1: for any processor, or -2: not
 * for this one. */
static int level_of(const struct spg_surroundings *around, const struct cache *cache,
	const char *entry)
{
	uint32_t low = u32(entry + 16), high = u32(entry + 20);
	const char *name = NULL;

	if (low == 0 && high == 0)
		return -1;
	if (high == IS_LEVEL && low < cache->n_levels)
		name = text_at(cache, u32(cache->levels + 4 * (size_t)low));
	for (size_t i = 0; name && i < around->n_levels; i++)
		if (strcmp(around->levels[i], name) == 0)
			return (int)i;
	return -2;
}

static int parse(struct spg_surroundings *around, struct cache *cache)
{
	uint32_t n;

	if (cache->n < HEAD_BYTES || memcmp(cache->bytes, MAGIC, strlen(MAGIC)) != 0)
		return SPG_ERR_INVALID;
	n = u32(cache->bytes + 20);
	if (n > (cache->n - HEAD_BYTES) / ENTRY_BYTES)
		return SPG_ERR_INVALID;
	find_extension(cache, u32(cache->bytes + 32));
	around->cached = calloc((size_t)n + 1, sizeof(around->cached[0]));
	if (!around->cached)
		return SPG_ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const char *entry = cache->bytes + HEAD_BYTES + ENTRY_BYTES * (size_t)i;
		const char *name = text_at(cache, u32(entry + 4));
		const char *path = text_at(cache, u32(entry + 8));
		int level = level_of(around, cache, entry);

		if (level == -2 || !name || !path || *path != '/')
			continue;
		around->cached[around->n_cached++] =
			(struct spg_cached_library){name, path, level, i};
	}
	spg_surroundings_sort_cache(around);
	return 0;
}

int spg_ld_cache_parse(struct spg_surroundings *around, const char *bytes, size_t n)
{
	struct cache cache = {NULL, 0, NULL, 0};
	size_t skip = 0;

	/* The old one's entries come first, and its texts are those of the new one. */
	if (n >= OLD_HEAD_BYTES && memcmp(bytes, OLD_MAGIC, strlen(OLD_MAGIC)) == 0) {
		skip = OLD_HEAD_BYTES + OLD_ENTRY_BYTES * (size_t)u32(bytes + 12);
		skip = (skip + 7) & ~(size_t)7;
		if (skip > n)
			return SPG_ERR_INVALID;
	}
	/* Its offsets count from its own head. */
	around->cache_text = malloc(n - skip + 1);
	if (!around->cache_text)
		return SPG_ERR_NOMEM;
	memcpy(around->cache_text, bytes + skip, n - skip);
	cache.bytes = around->cache_text;
	cache.n = n - skip;
	return parse(around, &cache);
}

/* For which machine this is: that of a program that runs here. */
static int read_self(struct spg_surroundings *around)
{
	struct spg_buf error = SPG_BUF_NULL;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? SPG_ERR_IO : spg_elf_read_fd(&around->self, fd, &error);

	if (fd >= 0)
		close(fd);
	spg_buf_finish(&error);
	return err == SPG_ERR_NOMEM ? err : 0;
}

int spg_ld_cache_read(struct spg_surroundings *around)
{
	int fd = open(CACHE_PATH, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct spg_buf bytes = SPG_BUF_NULL;
	char piece[16384];
	ssize_t n;
	int err = read_self(around);

	find_levels(around);
	while (fd >= 0 && bytes.len <= SPG_LD_CACHE_BYTES_MAX &&
		(n = read(fd, piece, sizeof(piece))) > 0)
		spg_buf_add(&bytes, piece, (size_t)n);
	if (fd >= 0)
		close(fd);
	if (bytes.failed)
		err = SPG_ERR_NOMEM;
	if (err == 0 && bytes.len && bytes.len <= SPG_LD_CACHE_BYTES_MAX)
		err = spg_ld_cache_parse(around, bytes.data, bytes.len);
	spg_buf_finish(&bytes);
	return err == SPG_ERR_NOMEM ? err : 0;
}
