/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/module.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

struct spg_module *spg_module_create(const char *path)
{
	struct spg_module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	atomic_init(&module->refs, 1);
	module->path = strdup(path);
	if (module->path)
		return module;
	free(module);
	return NULL;
}

struct spg_module *spg_module_at(struct spg_module *of, const char *path)
{
	struct spg_module *module = spg_module_create(path);

	if (!module)
		return NULL;
	module->of = spg_module_ref(of);
	module->id = of->id;
	module->size = of->size;
	module->executable = of->executable;
	module->binary = of->binary;
	module->binding = of->binding;
	module->err = of->err;
	module->why = of->why;
	memcpy(module->sha256, of->sha256, sizeof(module->sha256));
	memcpy(module->version, of->version, sizeof(module->version));
	return module;
}

/* In another folder than one of programs it may never be started, though it could be. One
 * of PowerShell's is mostly there for Windows, beside its twin for a shell. */
bool spg_module_is_started_script(const char *path)
{
	static const char *const folders[] = {"/bin/", "/sbin/", "/libexec/"};
	const char *name = spg_path_base(path);
	size_t n = (size_t)(name - path);

	if (spg_name_match("*.ps1", name, true))
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t length = strlen(folders[i]);

		if (n >= length && memcmp(name - length, folders[i], length) == 0)
			return true;
	}
	return false;
}

bool spg_module_has_lost_execution(
	const struct spg_module *then, const struct spg_module *now)
{
	const struct spg_binary *binary = now->binary;

	if (!then->executable || now->executable || now->err || !binary)
		return false;
	return (binary->format == SPG_BINARY_ELF && !binary->is_dll) ||
	       (binary->format == SPG_BINARY_SCRIPT &&
		       spg_module_is_started_script(now->path));
}

struct spg_module *spg_module_ref(struct spg_module *module)
{
	atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
	return module;
}

void spg_module_unref(struct spg_module *module)
{
	if (!module ||
		atomic_fetch_sub_explicit(&module->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(module->path);
	free(module->real);
	if (module->of) {
		spg_module_unref(module->of);
		free(module);
		return;
	}
	spg_binary_destroy(module->binary);
	if (module->binding)
		spg_binding_finish(module->binding);
	free(module->binding);
	free(module->why);
	free(module);
}
