/* SPDX-License-Identifier: MIT */
/*
 * The databases of package managers against any bytes: by the first one, a header of rpm,
 * or a file of dpkg's. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_packages.c daemon/host/linux/{asked,dpkg_text,rpm_header}.c \
 *     common/{err,array,text,buf,fold,platform_linux}.c
 * and run it on tests/fuzz/corpus-packages. The unit test "packages" replays that corpus
 * through the same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/host/linux/asked.h"
#include "daemon/host/linux/dpkg.h"
#include "daemon/host/linux/rpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"/a", "/lib/liba.so", "/usr/lib/liba.so"};

static int hit(void *user, size_t file)
{
	(void)user;
	if (file >= sizeof(paths) / sizeof(paths[0]))
		abort();
	return 0;
}

static void try_header(const uint8_t *data, size_t size)
{
	struct spg_rpm_header header;
	const char *dir, *base;

	if (spg_rpm_header_parse(&header, data, size) == 0) {
		size_t n = header.name ? strlen(header.name) : 0;

		n += header.version ? strlen(header.version) : 0;
		n += header.release ? strlen(header.release) : 0;
		for (size_t i = 0; i <= header.n_bases; i++)
			if (spg_rpm_header_file(&header, i, &dir, &base))
				n += strlen(dir) == size || strlen(base) == size;
		if (n > 3 * size + header.n_bases)
			abort();
	}
	spg_rpm_header_finish(&header);
}

static void try_status(const char *text, size_t n)
{
	struct spg_dpkg_status status = {NULL, 0, 0, NULL};

	if (spg_dpkg_status_parse(&status, text, n) < 0)
		abort();
	spg_dpkg_status_sort(&status);
	for (size_t i = 1; i < status.n; i++) {
		int order = strcmp(status.items[i - 1].name, status.items[i].name);

		if (order > 0 || (order == 0 && strcmp(status.items[i - 1].arch,
							status.items[i].arch) >= 0))
			abort();
	}
	(void)spg_dpkg_status_of(&status, "liba:amd64.list");
	spg_dpkg_status_finish(&status);
}

static void try_list(const char *text, size_t n)
{
	struct spg_dpkg_diversions diversions = {NULL, 0, 0};
	struct spg_asked asked;

	if (spg_asked_init(&asked, "", paths, sizeof(paths) / sizeof(paths[0])) < 0 ||
		spg_asked_look(&asked) < 0 ||
		spg_dpkg_diversions_parse(&diversions, text, n) < 0 ||
		spg_dpkg_list_find(text, n, "liba", &diversions, &asked, hit, NULL) < 0)
		abort();
	spg_dpkg_diversions_finish(&diversions);
	spg_asked_finish(&asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'r')
		try_header(data + 1, size - 1);
	else if (data[0] == 's')
		try_status((const char *)data + 1, size - 1);
	else
		try_list((const char *)data + 1, size - 1);
	return 0;
}
