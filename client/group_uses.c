/* SPDX-License-Identifier: MIT */
#include "client/group_uses.h"

#include <stdlib.h>
#include <string.h>

#include "client/describe.h"
#include "common/array.h"

/* In the order in which they are told. */
enum group { GROUP_SERVICE, GROUP_USER, GROUP_HIDDEN, GROUP_UNSEEN, GROUP_NOBODY };

/* One use of one file, or a file without any. */
struct row {
	enum group group;
	const char *owner; /* the service or the user; "" in the other groups */
	int64_t pid;
	const char *name, *started;
	const json_t *file;
	const json_t *use; /* NULL: nobody's */
	const char *path, *state;
	size_t order; /* of the answer */
};

struct rows {
	struct row *rows;
	size_t n, size;
	bool failed;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = spg_json_text(object, key);

	return text ? text : "";
}

static void add_row(struct rows *rows, const json_t *file, const json_t *use)
{
	const char *path = spg_json_text(file, "path"), *unit = text_of(use, "unit");
	const char *state = text_of(file, "state");
	bool is_shown =
		json_is_integer(json_object_get(use, "pid")) || *text_of(use, "name");
	struct row row = {.file = file,
		.use = use,
		.path = path ? path : "?",
		.state = state,
		.order = rows->n};

	if (rows->failed ||
		spg_array_reserve(&rows->rows, rows->n, &rows->size, sizeof(row)) < 0) {
		rows->failed = true;
		return;
	}
	if (!use && strcmp(state, "unknown") == 0)
		row.group = GROUP_UNSEEN;
	else if (!use && (strcmp(state, "blocked") != 0 ||
				 json_array_size(spg_json_list(file, "obstacles")) > 0))
		row.group = GROUP_NOBODY;
	else if (!is_shown)
		row.group = GROUP_HIDDEN;
	else
		row.group = *unit ? GROUP_SERVICE : GROUP_USER;
	row.owner = row.group == GROUP_SERVICE ? unit
	            : row.group == GROUP_USER  ? text_of(use, "user")
	                                       : "";
	row.pid = is_shown ? spg_json_number(use, "pid") : 0;
	row.name = is_shown ? text_of(use, "name") : "";
	row.started = is_shown ? text_of(use, "started") : "";
	rows->rows[rows->n++] = row;
}

static int compare_processes(const struct row *a, const struct row *b)
{
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = (a->pid > b->pid) - (a->pid < b->pid);
	return order ? order : strcmp(a->started, b->started);
}

static int compare_owners(const struct row *a, const struct row *b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return strcmp(a->owner, b->owner);
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = compare_owners(a, b);

	if (order == 0)
		order = compare_processes(a, b);
	return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* "perfmon.service", "user root, no service". */
static void add_owner(struct spg_table *table, const struct row *row)
{
	struct spg_buf text = SPG_BUF_NULL;

	switch (row->group) {
	case GROUP_SERVICE:
		spg_buf_puts(&text, row->owner);
		break;
	case GROUP_USER:
		if (*row->owner)
			spg_buf_printf(&text, "user %s, no service", row->owner);
		else
			spg_buf_puts(&text, "no service");
		break;
	case GROUP_HIDDEN:
		spg_buf_puts(&text, "no process shows who");
		break;
	case GROUP_UNSEEN:
		spg_buf_puts(&text, "could not look");
		break;
	case GROUP_NOBODY:
		spg_buf_puts(&text, "nobody");
		break;
	}
	spg_table_add_span(table, SPG_STYLE_STRONG, spg_buf_text(&text));
	table->failed = table->failed || text.failed;
	spg_buf_finish(&text);
}

static bool setup_stops(const json_t *use)
{
	return strcmp(text_of(use, "class"), "setup-stops") == 0;
}

/* "  perfmon (2113), user root". */
static void add_process(struct spg_table *table, const struct row *row)
{
	const char *user = text_of(row->use, "user");
	struct spg_buf text = SPG_BUF_NULL;

	if (row->group != GROUP_SERVICE && row->group != GROUP_USER)
		return;
	spg_buf_puts(&text, "  ");
	spg_describe_who(&text, row->use);
	if (row->group == GROUP_SERVICE && *user)
		spg_buf_printf(&text, ", user %s", user);
	if (setup_stops(row->use))
		spg_buf_puts(&text, " (setup ends this program by itself)");
	spg_table_add_span(table, SPG_STYLE_PLACE, spg_buf_text(&text));
	table->failed = table->failed || text.failed;
	spg_buf_finish(&text);
}

static void add_file(
	struct spg_table *table, const struct spg_output *out, const struct row *row)
{
	bool aside = strcmp(row->state, "sidestepped") == 0;
	bool in_the_way = row->group == GROUP_HIDDEN || !setup_stops(row->use);
	struct spg_buf cell = SPG_BUF_NULL;

	spg_buf_printf(
		&cell, "%s%s", row->group <= GROUP_USER ? "    " : "  ", row->path);
	spg_describe_version(out, &cell, row->file);
	spg_table_add(table, NULL, spg_buf_text(&cell));
	table->failed = table->failed || cell.failed;
	spg_buf_clear(&cell);
	spg_describe_list(&cell, spg_json_list(row->use, "how"), ", ");
	if (!cell.len)
		spg_buf_puts(&cell, row->group == GROUP_HIDDEN ? "in use"
				    : *row->state              ? row->state
							       : "?");
	if (aside && row->use)
		spg_buf_puts(&cell, " (stepped aside)");
	spg_table_add(table,
		in_the_way && !aside && row->group <= GROUP_HIDDEN ? SPG_STYLE_HOW
								   : NULL,
		spg_buf_text(&cell));
	table->failed = table->failed || cell.failed;
	spg_buf_clear(&cell);
	if (spg_json_text(row->use, "since"))
		spg_output_time(out, &cell, spg_json_text(row->use, "since"), false);
	spg_table_add(table, NULL, spg_buf_text(&cell));
	table->failed = table->failed || cell.failed;
	spg_buf_finish(&cell);
}

static const struct spg_table_column columns[] = {
	{"WHO AND WHICH FILE", false, SPG_TABLE_MIDDLE, 18},
	{"HOW", false, SPG_TABLE_END, 6},
	{"SINCE", false, SPG_TABLE_KEEP, 0},
};

/* The paths of old versions that run on. */
static json_t *paths_of_old(const json_t *files)
{
	json_t *paths = json_object(), *file;
	size_t i;

	json_array_foreach (files, i, file)
		if (json_is_true(json_object_get(file, "replaced")))
			json_object_set_new(paths, text_of(file, "path"), json_true());
	return paths;
}

/* A free file whose old version is used is told of by that: one path is not both. */
static void collect(struct rows *rows, const json_t *files)
{
	json_t *old = paths_of_old(files), *file, *use;
	size_t i, k;

	json_array_foreach (files, i, file) {
		const json_t *uses = spg_json_list(file, "uses");
		bool told = json_object_get(old, text_of(file, "path")) &&
		            strcmp(text_of(file, "state"), "free") == 0;

		json_array_foreach (uses, k, use)
			add_row(rows, file, use);
		if (json_array_size(uses) == 0 && !told)
			add_row(rows, file, NULL);
	}
	json_decref(old);
}

void spg_group_uses_tell(struct spg_output *out, const json_t *files)
{
	struct rows rows = {0};
	struct spg_table table;
	const struct row *last = NULL;

	collect(&rows, files);
	if (rows.n > 1)
		qsort(rows.rows, rows.n, sizeof(rows.rows[0]), compare_rows);
	spg_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *row = &rows.rows[i];
		bool other = !last || compare_owners(last, row) != 0;

		if (other)
			add_owner(&table, row);
		if (other || compare_processes(last, row) != 0)
			add_process(&table, row);
		add_file(&table, out, row);
		last = row;
	}
	table.failed = table.failed || rows.failed;
	spg_output_table(out, &table, 0);
	free(rows.rows);
}
