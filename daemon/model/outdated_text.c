/* SPDX-License-Identifier: MIT */
#include "daemon/model/outdated_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"
#include "daemon/model/commands.h"

#define NAMES_MAX 5 /* files that are named */

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* Those of one service together; the others by process. */
static int compare_owners(const struct spg_process *a, const struct spg_process *b)
{
	int order = compare_texts(a->unit, b->unit);

	if (order == 0)
		order = compare_texts(a->unit_user, b->unit_user);
	if (order == 0 && !a->unit)
		order = (a->id.pid > b->id.pid) - (a->id.pid < b->id.pid);
	return order;
}

static int compare_uses(const void *one, const void *two, void *user)
{
	const struct spg_observation *obs = user;
	const struct spg_seen_use *a = *(const struct spg_seen_use *const *)one;
	const struct spg_seen_use *b = *(const struct spg_seen_use *const *)two;
	int order = compare_owners(a->process, b->process);

	if (order == 0)
		order = strcmp(
			obs->files[a->file].file->path, obs->files[b->file].file->path);
	if (order == 0)
		order = (a->process->id.pid > b->process->id.pid) -
		        (a->process->id.pid < b->process->id.pid);
	return order;
}

/* "libfoo.so.1, shopd and 3 more files"; the uses of one file stand together. */
static void put_files(struct spg_buf *buf, const struct spg_observation *obs,
	const struct spg_seen_use *const *uses, size_t n)
{
	const char *last = NULL;
	size_t n_files = 0;

	for (size_t i = 0; i < n; i++) {
		const char *path = obs->files[uses[i]->file].file->path;

		if (last && strcmp(path, last) == 0)
			continue;
		last = path;
		if (n_files++ >= NAMES_MAX)
			continue;
		spg_buf_puts(buf, n_files > 1 ? ", " : "");
		spg_text_escape(buf, spg_path_base(path), false);
	}
	if (n_files > NAMES_MAX)
		spg_buf_printf(buf, " and %zu more file%s", n_files - NAMES_MAX,
			n_files == NAMES_MAX + 1 ? "" : "s");
}

static int explain(const struct spg_observation *obs,
	const struct spg_seen_use *const *uses, size_t n, struct spg_notes *remarks)
{
	const struct spg_process *process = uses[0]->process;
	struct spg_note note = spg_note_about(SPG_REASON_OUTDATED, process);
	struct spg_buf buf = SPG_BUF_NULL, command = SPG_BUF_NULL;
	int r;

	note.file = obs->files[uses[0]->file].file->path;
	if (process->unit)
		spg_text_escape(&buf, process->unit, false);
	else
		spg_note_put_process(&buf, process);
	spg_buf_puts(&buf, " still runs what was replaced (");
	put_files(&buf, obs, uses, n);
	spg_buf_puts(&buf, "): ");
	if (process->unit) {
		spg_command_put_service(&command, SPG_SERVICE_RESTART,
			process->unit_user, NULL, process->unit);
		note.command = spg_buf_text(&command);
		spg_buf_puts(&buf, note.command);
	} else {
		spg_buf_puts(&buf, "start it again");
	}
	if (command.failed)
		buf.failed = true;
	r = spg_notes_add(remarks, &note, &buf);
	spg_buf_finish(&command);
	return r;
}

static size_t collect(const struct spg_observation *obs,
	const struct spg_name_set *asked, const struct spg_seen_use **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < obs->n_uses && n < SPG_OUTDATED_USES_MAX; i++) {
		const struct spg_seen_use *use = &obs->uses[i];
		const struct spg_seen_file *seen = &obs->files[use->file];

		if (use->process && seen->presence == SPG_REPLACED &&
			(use->how & (SPG_USE_MAPPED | SPG_USE_EXECUTING)) &&
			spg_verdict_is_asked(obs->product, asked, seen->file->path))
			ret[n++] = use;
	}
	return n;
}

int spg_outdated_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict)
{
	size_t max = obs->n_uses < SPG_OUTDATED_USES_MAX ? obs->n_uses
	                                                 : SPG_OUTDATED_USES_MAX;
	const struct spg_seen_use **uses = calloc(max + 1, sizeof(uses[0]));
	size_t n, start = 0;
	int r = 0;

	if (!uses)
		return SPG_ERR_NOMEM;
	n = collect(obs, asked, uses);
	if (n)
		qsort_r(uses, n, sizeof(uses[0]), compare_uses, (void *)obs);
	for (size_t i = 1; r == 0 && i <= n; i++) {
		if (i < n &&
			compare_owners(uses[start]->process, uses[i]->process) == 0)
			continue;
		r = explain(obs, uses + start, i - start, &verdict->remarks);
		start = i;
	}
	free(uses);
	return r;
}
