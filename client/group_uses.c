/* SPDX-License-Identifier: MIT */
#include "client/group_uses.h"

#include <stdlib.h>
#include <string.h>

#include "client/describe.h"
#include "common/array.h"

/* In the order in which they are told. */
/* A container is told of as a service is. */
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
	const char *path = spg_json_text(file, "path");
	const char *unit = *text_of(use, "unit") ? text_of(use, "unit")
	                                         : text_of(use, "container");
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
		spg_describe_service(&text, row->use);
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

/* "  perfmon (2113), user root"; of @n that do the same. */
static void add_process(struct spg_table *table, const struct row *row, size_t n)
{
	const char *user = text_of(row->use, "user");
	struct spg_buf text = SPG_BUF_NULL;

	if (row->group != GROUP_SERVICE && row->group != GROUP_USER)
		return;
	spg_buf_puts(&text, "  ");
	if (n > 1)
		spg_describe_crowd_of(&text, row->use, n);
	else
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
	spg_describe_package(&cell, row->file);
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

/* Where the rows of the process that begins at @i end. */
static size_t end_of_process(const struct rows *rows, size_t i)
{
	size_t end = i + 1;

	while (end < rows->n && compare_owners(&rows->rows[i], &rows->rows[end]) == 0 &&
		compare_processes(&rows->rows[i], &rows->rows[end]) == 0)
		end++;
	return end;
}

static bool are_alike(const struct row *a, const struct row *b)
{
	json_t *how = json_object_get(a->use, "how");

	return strcmp(a->name, b->name) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->state, b->state) == 0 && compare_owners(a, b) == 0 &&
	       strcmp(text_of(a->use, "class"), text_of(b->use, "class")) == 0 &&
	       json_equal(how, json_object_get(b->use, "how"));
}

/* How many processes from the one in rows @i to @end on do the same with the same files.
 * *@ret_end: where the last of them ends. */
static size_t count_crowd(
	const struct rows *rows, size_t i, size_t end, size_t *ret_end)
{
	size_t n = 1, len = end - i;

	*ret_end = end;
	if (rows->rows[i].pid == 0)
		return 1;
	for (size_t next = end; next < rows->n; n++) {
		size_t next_end = end_of_process(rows, next), k = 0;

		while (next_end - next == len && k < len &&
			are_alike(&rows->rows[i + k], &rows->rows[next + k]))
			k++;
		if (k < len)
			break;
		*ret_end = next = next_end;
	}
	if (n >= SPG_CROWD_MIN)
		return n;
	*ret_end = end;
	return 1;
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
	for (size_t i = 0, next; i < rows.n; i = next) {
		const struct row *row = &rows.rows[i];
		size_t end = end_of_process(&rows, i);
		size_t n = count_crowd(&rows, i, end, &next);

		if (!last || compare_owners(last, row) != 0)
			add_owner(&table, row);
		add_process(&table, row, n);
		for (size_t k = i; k < end; k++)
			add_file(&table, out, &rows.rows[k]);
		last = row;
	}
	table.failed = table.failed || rows.failed;
	spg_output_table(out, &table, 0);
	free(rows.rows);
}
