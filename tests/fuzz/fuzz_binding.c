/* SPDX-License-Identifier: MIT */
/*
 * The configurations of .NET programs against any bytes. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_binding.c daemon/install/fit/binding.c common/{err,array}.c -lexpat
 * and run it on tests/fuzz/corpus-binding. The unit test "assembly" replays that corpus
 * through the same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "daemon/install/fit/binding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct spg_binding *binding)
{
	static const uint16_t version[4] = {1, 2, 3, 4};

	if (binding->n_redirects > SPG_BINDING_REDIRECTS_MAX ||
		binding->n_paths > SPG_BINDING_PATHS_MAX)
		abort();
	for (size_t i = 0; i < binding->n_redirects; i++) {
		const struct spg_binding_redirect *r = &binding->redirects[i];

		if (!r->name || strlen(r->name) > SPG_BINDING_NAME_MAX)
			abort();
		if (i && strcasecmp(r[-1].name, r->name) > 0)
			abort();
		(void)spg_binding_find(binding, r->name, r->token, version);
		/* What begins the range is in it, unless the range is empty. */
		if (!r->elsewhere &&
			spg_binding_compare_versions(r->low, r->high) <= 0 &&
			!spg_binding_find(binding, r->name, r->token, r->low))
			abort();
	}
	for (size_t i = 0; i < binding->n_paths; i++)
		if (!*binding->paths[i] ||
			strlen(binding->paths[i]) > SPG_BINDING_NAME_MAX)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spg_binding binding = SPG_BINDING_NULL;

	for (int twice = 0; twice < 2; twice++) {
		int err = spg_binding_add(&binding, (const char *)data, size);

		if (err < 0 && err != SPG_ERR_NOMEM)
			abort();
		check(&binding);
	}
	spg_binding_finish(&binding);
	return 0;
}
