/* SPDX-License-Identifier: MIT */
#include "daemon/install/sidestep/journal.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"

static bool is_over(enum spg_sidestep_state state)
{
	return state == SPG_SIDESTEP_UNDONE || state == SPG_SIDESTEP_CLEANED ||
	       state == SPG_SIDESTEP_FAILED || state == SPG_SIDESTEP_REFUSED;
}

static struct spg_sidestep *find(struct spg_sidestep_journal *journal, int64_t id)
{
	for (size_t i = 0; i < journal->n; i++)
		if (journal->rows[i].id == id)
			return &journal->rows[i];
	return NULL;
}

static int append(struct spg_sidestep_journal *journal, struct spg_sidestep *row)
{
	int r = spg_array_reserve(
		&journal->rows, journal->n, &journal->size, sizeof(*journal->rows));

	if (r < 0)
		spg_sidestep_finish(row);
	else
		journal->rows[journal->n++] = *row;
	return r;
}

int spg_sidestep_journal_note(
	struct spg_sidestep_journal *journal, const struct spg_sidestep *record)
{
	struct spg_sidestep *known = find(journal, record->id), copy;

	if (is_over(record->state)) {
		if (!known)
			return 0;
		spg_sidestep_finish(known);
		*known = journal->rows[--journal->n];
		return 0;
	}
	if (spg_sidestep_copy(record, &copy) < 0)
		return SPG_ERR_NOMEM;
	if (!known)
		return append(journal, &copy);
	spg_sidestep_finish(known);
	*known = copy;
	return 0;
}

void spg_sidestep_journal_finish(struct spg_sidestep_journal *journal)
{
	for (size_t i = 0; i < journal->n; i++)
		spg_sidestep_finish(&journal->rows[i]);
	free(journal->rows);
	*journal = (struct spg_sidestep_journal){NULL, 0, 0};
}
