/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/files/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/host/linux/bounded.h"

void spg_listing_destroy(struct spg_listing *listing)
{
	if (!listing)
		return;
	for (size_t i = 0; i < listing->n; i++)
		free(listing->files[i].name);
	free(listing->files);
	free(listing->dir);
	free(listing);
}

static void destroy(void *arg)
{
	spg_listing_destroy(arg);
}

static void list(void *arg)
{
	struct spg_listing *to = arg;
	DIR *dir = opendir(to->dir);
	const struct dirent *entry;

	if (!dir) {
		to->errnum = errno;
		return;
	}
	while ((entry = readdir(dir))) {
		struct spg_listed_file file;

		if (fstatat(dirfd(dir), entry->d_name, &file.st, 0) < 0 ||
			!S_ISREG(file.st.st_mode))
			continue;
		file.name = strdup(entry->d_name);
		if (!file.name || spg_array_reserve(&to->files, to->n, &to->size,
					  sizeof(*to->files)) < 0) {
			free(file.name);
			to->errnum = ENOMEM;
			break;
		}
		to->files[to->n++] = file;
	}
	closedir(dir);
}

int spg_list_bounded(const char *dir, unsigned timeout_ms, struct spg_listing **ret)
{
	struct spg_listing *listing = calloc(1, sizeof(*listing));
	int r = SPG_ERR_NOMEM;

	if (listing)
		listing->dir = strdup(dir);
	if (listing && listing->dir)
		r = spg_bounded_call(dir, timeout_ms, list, destroy, listing);
	if (r == 0)
		*ret = listing;
	else if (r != SPG_ERR_TIMEOUT)
		spg_listing_destroy(listing);
	return r;
}
