/* SPDX-License-Identifier: MIT */
#include "client/archive_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static struct spg_archive_library library;

/* A function's address as an object's, as dlsym(3) wants it. */
static bool find(void *handle, const char *name, void *ret)
{
	void *address = dlsym(handle, name);

	memcpy(ret, &address, sizeof(address));
	return address != NULL;
}

const struct spg_archive_library *spg_archive_library_load(const char **ret_why)
{
	static bool loaded;
	void *handle;
	bool all = true;

	if (loaded)
		return &library;
	/* Never closed: it lasts as long as the client. */
	handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
#define FIND(name) all = all && find(handle, #name, &library.name);
	if (handle) {
		SPG_ARCHIVE_CALLS(FIND)
	}
#undef FIND
	loaded = handle && all;
	if (!loaded)
		*ret_why = dlerror();
	return loaded ? &library : NULL;
}
