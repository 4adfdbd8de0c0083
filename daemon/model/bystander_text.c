/* SPDX-License-Identifier: MIT */
#include "daemon/model/bystander_text.h"

#include "common/buf.h"
#include "common/text.h"

static void put_workers(struct spg_buf *buf, const struct spg_bystander *b)
{
	spg_text_escape(buf, b->name, false);
	spg_buf_printf(buf, " (pid %d)", b->pid);
	if (b->count > 1)
		spg_buf_printf(buf, " and %u other%s have their working directory in ",
			b->count - 1, b->count == 2 ? "" : "s");
	else
		spg_buf_puts(buf, " has its working directory in ");
	spg_text_escape(buf, b->place, false);
	spg_buf_puts(buf, ": that alone holds no file, but keeps the directory "
			  "from being unmounted");
}

static void put_export(struct spg_buf *buf, const struct spg_bystander *b)
{
	spg_text_escape(buf, b->name, false);
	spg_buf_puts(buf, " exports ");
	spg_text_escape(buf, b->place, false);
	spg_buf_puts(buf, " to other machines: nobody here sees who uses the files "
			  "there");
}

static void put_interpreter(struct spg_buf *buf, const struct spg_bystander *b)
{
	spg_text_escape(buf, spg_path_base(b->file->path), false);
	spg_buf_puts(buf, " is the interpreter of the entry of binfmt_misc ");
	spg_text_escape(buf, b->place, false);
	spg_buf_puts(buf, ": whoever starts such a program uses it");
}

static int explain(const struct spg_bystander *b, struct spg_notes *remarks)
{
	struct spg_note note = {
		.place = b->place, .name = b->name, .pid = b->pid, .count = b->count};
	struct spg_buf buf = SPG_BUF_NULL;

	switch (b->kind) {
	case SPG_BYSTANDER_WORKS_IN:
		note.kind = SPG_REASON_WORKING_DIRECTORY;
		put_workers(&buf, b);
		break;
	case SPG_BYSTANDER_EXPORTS:
		note.kind = SPG_REASON_EXPORTED;
		put_export(&buf, b);
		break;
	case SPG_BYSTANDER_INTERPRETS:
		note.kind = SPG_REASON_RUNS_INTERPRETER;
		note.file = b->file->path;
		put_interpreter(&buf, b);
		break;
	}
	return spg_notes_add(remarks, &note, &buf);
}

int spg_bystanders_explain(const struct spg_observation *obs,
	const struct spg_name_set *asked, struct spg_verdict *verdict)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < obs->bystanders.n; i++) {
		const struct spg_bystander *b = &obs->bystanders.items[i];

		if (!b->file ||
			spg_verdict_is_asked(obs->product, asked, b->file->path))
			r = explain(b, &verdict->remarks);
	}
	return r;
}
