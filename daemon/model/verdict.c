/* SPDX-License-Identifier: MIT */
#include "daemon/model/verdict.h"

#include <stdlib.h>

#include "common/text.h"

enum spg_use_class spg_use_classify(
	const struct spg_product *product, const struct spg_process *process)
{
	/* A user gives the services of his own manager any name. */
	const char *service = process->unit_user ? NULL : process->unit;

	if (spg_product_setup_stops(product, process->name, process->exe, service))
		return SPG_CLASS_SETUP_STOPS;
	return SPG_CLASS_BLOCKER;
}

/* True when @path is among what is asked about. */
bool spg_verdict_is_asked(const struct spg_product *product,
	const struct spg_name_set *asked, const char *path)
{
	return asked ? spg_name_set_has_path(asked, path)
	             : spg_product_has_name(product, spg_path_base(path));
}

bool spg_lack_counts(const struct spg_observation *obs, const struct spg_lack *lack,
	const struct spg_name_set *asked)
{
	return lack->blinds && (lack->file == SPG_NO_FILE ||
				       spg_verdict_is_asked(obs->product, asked,
					       obs->files[lack->file].file->path));
}

void spg_verdict_finish(struct spg_verdict *verdict)
{
	for (size_t i = 0; i < verdict->n_files; i++)
		free(verdict->files[i].own_path);
	free(verdict->files);
	spg_notes_finish(&verdict->reasons);
	spg_notes_finish(&verdict->remarks);
	spg_notes_finish(&verdict->next);
	*verdict = (struct spg_verdict)SPG_VERDICT_NULL;
}
