/* SPDX-License-Identifier: MIT */
/*
 * A plugin inside of its program: where that has loaded a library of a name that the plugin
 * needs, the loader looks for no other one (dl-load.c, _dl_map_object).
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/install/fit/elf_judging.h"

static bool is_same(const struct spg_elf_lack *a, const struct spg_elf_lack *b)
{
	return a->kind == b->kind && a->object == b->object && a->index == b->index;
}

bool spg_elf_has_lack(
	const struct spg_elf_loading *loading, const struct spg_elf_lack *lack)
{
	for (size_t i = 0; i < loading->n_lacks; i++)
		if (is_same(&loading->lacks[i], lack))
			return true;
	return false;
}

int spg_elf_judge_hosted(struct spg_elf_judging *j, const struct spg_elf_root *plugin,
	struct spg_elf_loading *ret)
{
	struct spg_elf_root host, hosted = {.object = plugin->object, .hosted = true};
	int err;

	*ret = (struct spg_elf_loading)SPG_ELF_LOADING_NULL;
	if (plugin->host == SPG_FIT_NONE || plugin->lacks_library ||
		spg_elf_binary_of(j, plugin->host)->is_dll)
		return 0;
	err = spg_elf_root_load(j, plugin->host, &host);
	if (err == 0 && !host.lacks_library)
		err = spg_elf_set_load_into(
			&j->set, &host.loading, &plugin->loading, ret);
	spg_elf_root_finish(&host);
	hosted.host = plugin->host;
	hosted.loading = *ret;
	for (size_t i = 0; err == 0 && i < ret->n_lacks; i++)
		if (!spg_elf_has_lack(&plugin->loading, &ret->lacks[i]) &&
			spg_elf_is_to_tell(j, &hosted, &ret->lacks[i]))
			err = spg_elf_tell(j, &hosted, &ret->lacks[i]);
	return err;
}
