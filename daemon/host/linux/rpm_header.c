/* SPDX-License-Identifier: MIT */
#include "daemon/host/linux/rpm.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define ENTRIES_MAX 65535
#define ENTRY_BYTES 16

/* rpm/rpmtag.h */
enum tag {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_DIRINDEXES = 1116,
	TAG_BASENAMES = 1117,
	TAG_DIRNAMES = 1118,
};

enum type { TYPE_INT32 = 4, TYPE_STRING = 6, TYPE_STRINGS = 8 };

struct entry {
	uint32_t tag, type, offset, count;
	const unsigned char *data; /* at its offset, so many bytes to the end */
	size_t n;
};

static uint32_t number(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

static const char *text_of(const struct entry *entry)
{
	return entry->type == TYPE_STRING && memchr(entry->data, '\0', entry->n)
	               ? (const char *)entry->data
	               : NULL;
}

static int take_strings(const struct entry *entry, const char ***ret, size_t *ret_n)
{
	const unsigned char *at = entry->data, *end = at + entry->n;
	const char **strings;
	size_t n = 0;

	/* Each has its zero at least. */
	if (entry->type != TYPE_STRINGS || entry->count > entry->n)
		return SPG_ERR_INVALID;
	strings = calloc((size_t)entry->count + 1, sizeof(*strings));
	if (!strings)
		return SPG_ERR_NOMEM;
	while (n < entry->count) {
		const unsigned char *zero =
			at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

		if (!zero) {
			free(strings);
			return SPG_ERR_INVALID;
		}
		strings[n++] = (const char *)at;
		at = zero + 1;
	}
	free(*ret);
	*ret = strings;
	*ret_n = n;
	return 0;
}

static int take(struct spg_rpm_header *ret, const struct entry *entry)
{
	bool numbers = entry->type == TYPE_INT32 && entry->count <= entry->n / 4;

	switch (entry->tag) {
	case TAG_NAME:
		ret->name = text_of(entry);
		return 0;
	case TAG_VERSION:
		ret->version = text_of(entry);
		return 0;
	case TAG_RELEASE:
		ret->release = text_of(entry);
		return 0;
	case TAG_EPOCH:
		ret->has_epoch = numbers && entry->count > 0;
		ret->epoch = ret->has_epoch ? number(entry->data) : 0;
		return 0;
	case TAG_DIRINDEXES:
		ret->dir_indexes = entry->data;
		ret->n_dir_indexes = numbers ? entry->count : 0;
		return 0;
	case TAG_BASENAMES:
		return take_strings(entry, &ret->bases, &ret->n_bases);
	case TAG_DIRNAMES:
		return take_strings(entry, &ret->dirs, &ret->n_dirs);
	default:
		return 0;
	}
}

int spg_rpm_header_parse(
	struct spg_rpm_header *ret, const unsigned char *blob, size_t n)
{
	size_t n_entries, n_data;
	int r = 0;

	*ret = (struct spg_rpm_header){.name = NULL};
	if (n < 8)
		return SPG_ERR_INVALID;
	n_entries = number(blob);
	n_data = number(blob + 4);
	if (n_entries > ENTRIES_MAX || n - 8 < n_entries * ENTRY_BYTES ||
		n - 8 - n_entries * ENTRY_BYTES < n_data)
		return SPG_ERR_INVALID;
	for (size_t i = 0; r == 0 && i < n_entries; i++) {
		const unsigned char *at = blob + 8 + i * ENTRY_BYTES;
		struct entry entry = {
			number(at), number(at + 4), number(at + 8), number(at + 12)};

		/* That of the whole has an offset before its end, and is not ours. */
		if (entry.tag < TAG_NAME)
			continue;
		if (entry.offset > n_data)
			return SPG_ERR_INVALID;
		entry.data = blob + 8 + n_entries * ENTRY_BYTES + entry.offset;
		entry.n = n_data - entry.offset;
		r = take(ret, &entry);
	}
	return r;
}

void spg_rpm_header_finish(struct spg_rpm_header *header)
{
	free(header->bases);
	free(header->dirs);
	*header = (struct spg_rpm_header){.name = NULL};
}

bool spg_rpm_header_file(const struct spg_rpm_header *header, size_t i,
	const char **ret_dir, const char **ret_base)
{
	uint32_t dir;

	if (i >= header->n_bases || i >= header->n_dir_indexes)
		return false;
	dir = number(header->dir_indexes + 4 * i);
	if (dir >= header->n_dirs)
		return false;
	*ret_dir = header->dirs[dir];
	*ret_base = header->bases[i];
	return true;
}
