/* SPDX-License-Identifier: MIT */
#include "daemon/model/note.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

static void finish_note(struct spg_note *note)
{
	free((char *)note->file);
	free((char *)note->name);
	free((char *)note->unit);
	free((char *)note->family);
	free((char *)note->container);
	free((char *)note->place);
	free((char *)note->starter);
	free((char *)note->command);
	free((char *)note->text);
}

static char *copy(const char *text, bool *failed)
{
	char *made = text ? strdup(text) : NULL;

	*failed = *failed || (text && !made);
	return made;
}

static int copy_note(
	struct spg_note *ret, const struct spg_note *note, const char *text)
{
	bool failed = false;

	*ret = *note;
	ret->file = copy(note->file, &failed);
	ret->name = copy(note->name, &failed);
	ret->unit = copy(note->unit, &failed);
	ret->family = copy(note->family, &failed);
	ret->container = copy(note->container, &failed);
	ret->place = copy(note->place, &failed);
	ret->starter = copy(note->starter, &failed);
	ret->command = copy(note->command, &failed);
	ret->text = copy(text, &failed);
	if (failed)
		finish_note(ret);
	return failed ? SPG_ERR_NOMEM : 0;
}

static int insert(struct spg_notes *notes, size_t at, const struct spg_note *note,
	const char *text)
{
	struct spg_note made;
	int r = spg_array_reserve(
		&notes->items, notes->n, &notes->size, sizeof(*notes->items));

	if (r == 0)
		r = copy_note(&made, note, text);
	if (r < 0)
		return r;
	memmove(notes->items + at + 1, notes->items + at,
		(notes->n - at) * sizeof(*notes->items));
	notes->items[at] = made;
	notes->n++;
	return 0;
}

/* One fault in two folders may have one sentence. */
static bool is_same(const struct spg_note *a, const struct spg_note *b)
{
	const char *one = a->file ? a->file : "", *two = b->file ? b->file : "";

	return strcmp(a->text, b->text) == 0 &&
	       (a->kind != SPG_REASON_MISFIT || b->kind != SPG_REASON_MISFIT ||
		       strcmp(one, two) == 0);
}

static bool has_same(const struct spg_notes *notes, const struct spg_note *note)
{
	for (size_t i = 0; i < notes->n; i++)
		if (is_same(&notes->items[i], note))
			return true;
	return false;
}

static int add(struct spg_notes *notes, const struct spg_note *note, const char *text)
{
	struct spg_note with_text = *note;

	with_text.text = text;
	if (has_same(notes, &with_text))
		return 0;
	if (notes->n < (notes->max ? notes->max : SPG_NOTES_MAX))
		return insert(notes, notes->n, note, text);
	notes->n_more++;
	return 0;
}

int spg_notes_add(
	struct spg_notes *notes, const struct spg_note *note, struct spg_buf *text)
{
	int r = text->failed ? SPG_ERR_NOMEM : add(notes, note, spg_buf_text(text));

	spg_buf_finish(text);
	return r;
}

int spg_notes_add_copy(struct spg_notes *notes, const struct spg_note *note)
{
	return add(notes, note, note->text);
}

int spg_notes_add_all(struct spg_notes *notes, const struct spg_notes *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = spg_notes_add_copy(notes, &from->items[i]);
	return r;
}

int spg_notes_put_first(struct spg_notes *notes, const struct spg_note *note)
{
	return insert(notes, 0, note, note->text);
}

int spg_notes_sum_up(
	struct spg_notes *notes, enum spg_note_kind more, const char *reasons)
{
	const struct spg_note note = {.kind = more, .count = (int64_t)notes->n_more};
	struct spg_buf buf = SPG_BUF_NULL;
	int r;

	if (notes->n_more == 0)
		return 0;
	spg_buf_printf(&buf, "and %zu more %s", notes->n_more, reasons);
	r = buf.failed ? SPG_ERR_NOMEM
	               : insert(notes, notes->n, &note, spg_buf_text(&buf));
	spg_buf_finish(&buf);
	return r;
}

bool spg_notes_has(const struct spg_notes *notes, const struct spg_note *note)
{
	for (size_t i = 0; i < notes->n; i++)
		if (notes->items[i].kind == note->kind &&
			is_same(&notes->items[i], note))
			return true;
	return false;
}

void spg_notes_finish(struct spg_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		finish_note(&notes->items[i]);
	free(notes->items);
	*notes = (struct spg_notes)SPG_NOTES_NULL;
}

struct spg_note spg_note_about(
	enum spg_note_kind kind, const struct spg_process *process)
{
	struct spg_note note = {.kind = kind};

	if (process) {
		note.pid = process->id.pid;
		note.name = process->name;
		note.unit = process->unit;
		note.engine = process->engine;
		note.container = process->container;
	}
	return note;
}

void spg_note_put_process(struct spg_buf *buf, const struct spg_process *process)
{
	if (process->name)
		spg_text_escape(buf, process->name, false);
	else
		spg_buf_puts(buf, "a process");
	spg_buf_printf(buf, " (pid %d)", process->id.pid);
}

int spg_notes_add_command(struct spg_notes *notes, struct spg_note note,
	struct spg_buf *command, const char *comment)
{
	struct spg_buf text = SPG_BUF_NULL;
	int r = command->failed ? SPG_ERR_NOMEM : 0;

	if (r == 0) {
		note.command = spg_buf_text(command);
		spg_buf_puts(&text, note.command);
		if (comment) {
			spg_buf_puts(&text, "   # ");
			spg_text_escape(&text, comment, false);
		}
		r = spg_notes_add(notes, &note, &text);
	}
	spg_buf_finish(command);
	return r;
}
