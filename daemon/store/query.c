/* SPDX-License-Identifier: MIT */
/*
 * Questions. The blocks of ids (see schema.c) are walked from the newest down;
 * for each condition there is a source that names the next block below which
 * may have an answer, and only blocks that all sources agree on are read. In
 * a block every row is looked at here, in C. No statement is active between
 * blocks, so that the writer can go on in the midst of a long question.
 */
#include "daemon/store/database.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"

/* With more subjects than that nearly every block has one of them. */
#define MERGE_MAX 4096

/* Rows of a file or process in the page, so that its events share a record. */
#define N_SHARED  256

/* Processes whose folded name is remembered. */
#define N_FOLDS   1024

struct subject {
	int64_t row;
	int64_t block; /* the highest one at or below the walk; NONE: no more */
};

/* One condition: about one of these subjects, or of one of these kinds. */
struct source {
	bool given;
	enum spg_subject type;
	struct subject *subjects; /* by row, each once */
	size_t n, size;
	bool started;
	int64_t or_kinds; /* bits of blocks.kinds that will do as well */
};

struct shared {
	int64_t row;
	void *record;
};

struct search {
	struct spg_db *db;
	const struct spg_store_query *query;
	struct spg_store_page *page;
	struct source files, processes, products;
	int64_t fold; /* of the process name asked for; 0: none, -1: nobody's */
	struct {
		int64_t row, fold;
	} folds[N_FOLDS];
	int64_t since, until, kinds, below;
	struct shared shared_files[N_SHARED], shared_processes[N_SHARED];
};

static int compare_rows(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;

	return (x->row > y->row) - (x->row < y->row);
}

static void sort_subjects(struct source *source)
{
	size_t n = 0;

	if (source->n > 1)
		qsort(source->subjects, source->n, sizeof(*source->subjects),
			compare_rows);
	for (size_t i = 0; i < source->n; i++)
		if (n == 0 || source->subjects[n - 1].row != source->subjects[i].row)
			source->subjects[n++] = source->subjects[i];
	source->n = n;
}

static bool has_subject(const struct source *source, int64_t row)
{
	struct subject key = {.row = row};

	return source->n > 0 && bsearch(&key, source->subjects, source->n, sizeof(key),
					compare_rows) != NULL;
}

static int add_subject(struct source *source, int64_t row)
{
	int r = spg_array_reserve(
		&source->subjects, source->n, &source->size, sizeof(*source->subjects));

	if (r == 0)
		source->subjects[source->n++] = (struct subject){row, SPG_BLOCK_NONE};
	return r;
}

/* Add every row that @s finds; with @fold only those with that name. */
static int add_found(
	struct spg_db *db, struct source *source, sqlite3_stmt *s, int64_t fold)
{
	int rc, r = 0;

	while (r == 0 && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW)
			r = spg_db_fail(db, rc, "read");
		else if (fold == 0 || sqlite3_column_int64(s, 1) == fold)
			r = add_subject(source, sqlite3_column_int64(s, 0));
	}
	sqlite3_reset(s);
	return r;
}

static int find_files(struct search *search)
{
	const struct spg_store_query *q = search->query;
	struct spg_db *db = search->db;
	int r = 0;

	if (q->n_paths == 0)
		return 0;
	search->files.given = true;
	search->files.or_kinds = SPG_BLOCK_NO_FILE;
	for (size_t i = 0; r == 0 && i < q->n_paths; i++) {
		sqlite3_stmt *s;
		int64_t text;

		if (!strchr(q->paths[i], '/')) {
			s = spg_db_bind(
				db, SPG_SQL_FILES_OF_NAME, &r, "z", q->paths[i]);
		} else {
			r = spg_intern_find_text(db, q->paths[i], &text);
			if (r == SPG_DB_NONE) {
				r = 0;
				continue;
			}
			if (r < 0)
				break;
			s = spg_db_bind(db, SPG_SQL_FILES_OF_PATH, &r, "i", text);
		}
		if (s)
			r = add_found(db, &search->files, s, 0);
	}
	sort_subjects(&search->files);
	return r;
}

static int find_fold(struct search *search)
{
	char *fold = spg_intern_fold(search->query->process_name);
	int r;

	if (!fold)
		return SPG_ERR_NOMEM;
	r = spg_intern_find_text(search->db, fold, &search->fold);
	if (r == SPG_DB_NONE)
		search->fold = -1;
	free(fold);
	return r < 0 ? r : 0;
}

/* By pid there are few processes; of one name there may be a million, so that
 * blocks are found by the name, and in them the name of each process. */
static int find_processes(struct search *search)
{
	const struct spg_store_query *q = search->query;
	struct source *source = &search->processes;
	sqlite3_stmt *s;
	int r = q->process_name ? find_fold(search) : 0;

	if (r < 0 || (!q->process_name && q->pid == 0))
		return r;
	source->given = true;
	if (q->pid == 0) {
		source->type = SPG_SUBJECT_NAME;
		return search->fold > 0 ? add_subject(source, search->fold) : 0;
	}
	source->type = SPG_SUBJECT_PROCESS;
	s = spg_db_bind(search->db, SPG_SQL_PROCESSES_OF_PID, &r, "i", (int64_t)q->pid);
	if (s)
		r = add_found(search->db, source, s, search->fold);
	sort_subjects(source);
	return r;
}

static int find_product(struct search *search)
{
	int64_t text;
	int r;

	if (!search->query->product)
		return 0;
	search->products.given = true;
	search->products.type = SPG_SUBJECT_PRODUCT;
	/* A gap that names no product concerns every product. */
	search->products.or_kinds = SPG_EVENT_BIT(SPG_EVENT_GAP);
	r = spg_intern_find_text(search->db, search->query->product, &text);
	if (r == 0)
		r = add_subject(&search->products, text);
	return r < 0 ? r : 0;
}

/* Highest block at or below @at with times and kinds asked for. */
static int block_below(struct search *search, int64_t at, int64_t kinds, int64_t *ret)
{
	int r = spg_db_get(search->db, SPG_SQL_BLOCK_BELOW, ret, "iiii", at,
		search->since, search->until, kinds);

	if (r == SPG_DB_NONE)
		*ret = SPG_BLOCK_NONE;
	return r < 0 ? r : 0;
}

/* Highest block at or below @at that may have what @source asks for. */
static int source_below(
	struct search *search, struct source *source, int64_t at, int64_t *ret)
{
	int64_t best = SPG_BLOCK_NONE, other;
	int r = 0;

	*ret = at;
	if (!source->given || source->n > MERGE_MAX)
		return 0;
	for (size_t i = 0; r == 0 && i < source->n; i++) {
		struct subject *s = &source->subjects[i];

		if (!source->started || s->block > at) {
			r = spg_db_get(search->db, SPG_SQL_SUBJECT_BELOW, &s->block,
				"ii", (int64_t)SPG_SUBJECT(s->row, source->type), at);
			if (r == SPG_DB_NONE) {
				s->block = SPG_BLOCK_NONE;
				r = 0;
			}
		}
		if (s->block > best)
			best = s->block;
	}
	source->started = true;
	if (r == 0 && source->or_kinds && best < at) {
		r = block_below(search, at, source->or_kinds, &other);
		if (r == 0 && other > best)
			best = other;
	}
	*ret = best;
	return r;
}

/* Highest block at or below @at that every source may have answers in. */
static int next_block(struct search *search, int64_t at, int64_t *ret)
{
	struct source *sources[] = {
		&search->files, &search->processes, &search->products};

	for (;;) {
		int64_t candidate, agreed = SPG_BLOCK_NONE;
		int r = 0;

		if (at >= 0)
			r = block_below(search, at, search->kinds, &agreed);
		candidate = agreed;
		for (size_t i = 0; r == 0 && i < 3 && candidate >= 0; i++)
			r = source_below(search, sources[i], candidate, &candidate);
		if (r < 0 || candidate == agreed || candidate < 0) {
			*ret = candidate;
			return r;
		}
		at = candidate;
	}
}

static int copy_text(char **ret, const char *text)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : SPG_ERR_NOMEM;
}

/* The text that @column of @s refers to; *ret stays NULL without one. */
static int read_text(struct spg_db *db, sqlite3_stmt *s, int column, char **ret)
{
	sqlite3_stmt *t;
	int rc, r = 0;

	if (sqlite3_column_type(s, column) == SQLITE_NULL)
		return 0;
	t = spg_db_bind(db, SPG_SQL_TEXT_GET, &r, "i",
		(int64_t)sqlite3_column_int64(s, column));
	if (!t)
		return r;
	rc = sqlite3_step(t);
	if (rc == SQLITE_ROW)
		r = copy_text(ret, (const char *)sqlite3_column_text(t, 0));
	else if (rc != SQLITE_DONE)
		r = spg_db_fail(db, rc, "read");
	sqlite3_reset(t);
	return r;
}

static int read_process(struct spg_db *db, sqlite3_stmt *s, void **ret)
{
	char *texts[5] = {0};
	struct spg_process_info info = {
		.id = {(int32_t)sqlite3_column_int64(s, 0),
			(uint64_t)sqlite3_column_int64(s, 1)},
		.started_ns = sqlite3_column_int64(s, 2),
		.ppid = (int32_t)sqlite3_column_int64(s, 3),
		.uid = (uint32_t)sqlite3_column_int64(s, 4),
		.name = (const char *)sqlite3_column_text(s, 5),
		.unit_refuses_stop = sqlite3_column_int64(s, 11) != 0,
	};
	int r = 0;

	for (int i = 0; r == 0 && i < 5; i++)
		r = read_text(db, s, 6 + i, &texts[i]);
	if (r == 0) {
		info.exe = texts[0];
		info.cmdline = texts[1];
		info.user = texts[2];
		info.unit = texts[3];
		info.unit_user = texts[4];
		*ret = spg_process_create(&info);
		r = *ret ? 0 : SPG_ERR_NOMEM;
	}
	for (int i = 0; i < 5; i++)
		free(texts[i]);
	return r;
}

/* A reference on the record of @row; NULL when there is no such row, which a
 * sound database never has. */
static int process_of(struct search *search, int64_t row, struct spg_process **ret)
{
	struct shared *shared = &search->shared_processes[row % N_SHARED];
	sqlite3_stmt *s;
	int rc, r = 0;

	*ret = NULL;
	if (row == 0)
		return 0;
	if (!shared->record || shared->row != row) {
		s = spg_db_bind(search->db, SPG_SQL_PROCESS_GET, &r, "i", row);
		if (!s)
			return r;
		spg_process_unref(shared->record);
		*shared = (struct shared){row, NULL};
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW) {
			r = read_process(search->db, s, &shared->record);
		} else if (rc != SQLITE_DONE) {
			r = spg_db_fail(search->db, rc, "read");
		}
		sqlite3_reset(s);
	}
	*ret = spg_process_ref(shared->record);
	return r;
}

static int file_of(struct search *search, int64_t row, struct spg_file **ret)
{
	struct shared *shared = &search->shared_files[row % N_SHARED];
	sqlite3_stmt *s;
	int rc, r = 0;

	*ret = NULL;
	if (row == 0)
		return 0;
	if (!shared->record || shared->row != row) {
		s = spg_db_bind(search->db, SPG_SQL_FILE_GET, &r, "i", row);
		if (!s)
			return r;
		spg_file_unref(shared->record);
		*shared = (struct shared){row, NULL};
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW) {
			const char *path = (const char *)sqlite3_column_text(s, 0);
			struct spg_file_id id = {(uint64_t)sqlite3_column_int64(s, 1),
				(uint64_t)sqlite3_column_int64(s, 2)};

			shared->record = path ? spg_file_create(path, id) : NULL;
			r = shared->record ? 0 : SPG_ERR_NOMEM;
		} else if (rc != SQLITE_DONE) {
			r = spg_db_fail(search->db, rc, "read");
		}
		sqlite3_reset(s);
	}
	*ret = spg_file_ref(shared->record);
	return r;
}

static bool is_process(struct search *search, int64_t row)
{
	size_t slot = (size_t)row % N_FOLDS;

	if (search->processes.type == SPG_SUBJECT_PROCESS)
		return has_subject(&search->processes, row);
	if (search->folds[slot].row != row) {
		int64_t fold = 0;

		/* An error here shows again when the row itself is read. */
		if (spg_db_get(search->db, SPG_SQL_FOLD_OF_PROCESS, &fold, "i", row) !=
			0)
			fold = 0;
		search->folds[slot].row = row;
		search->folds[slot].fold = fold;
	}
	return search->folds[slot].fold == search->fold;
}

static bool matches(struct search *search, sqlite3_stmt *s)
{
	uint32_t kind = (uint32_t)sqlite3_column_int64(s, 2);
	uint32_t kinds = (uint32_t)sqlite3_column_int64(s, 3);
	int64_t file = sqlite3_column_int64(s, 4);
	int64_t process = sqlite3_column_int64(s, 5);
	int64_t product = sqlite3_column_int64(s, 6);

	if (kind >= SPG_EVENT_KINDS)
		return false;
	kinds |= SPG_EVENT_BIT(kind);
	if (search->query->kinds && !(kinds & search->query->kinds))
		return false;
	if (search->files.given && file != 0 && !has_subject(&search->files, file))
		return false;
	if (search->processes.given && (process == 0 || !is_process(search, process)))
		return false;
	if (!search->products.given)
		return true;
	if (product == 0)
		return kind == SPG_EVENT_GAP;
	return has_subject(&search->products, product);
}

static void read_numbers(struct spg_event *event, sqlite3_stmt *s)
{
	event->id = sqlite3_column_int64(s, 0);
	event->kinds |= (uint32_t)sqlite3_column_int64(s, 3);
	event->interval = sqlite3_column_int64(s, 7);
	event->since_ns = sqlite3_column_int64(s, 8);
	event->how = (unsigned)sqlite3_column_int64(s, 9);
	if (sqlite3_column_type(s, 10) != SQLITE_NULL) {
		event->lock.kind = (enum spg_lock_kind)sqlite3_column_int64(s, 10);
		event->lock.mode = (enum spg_lock_mode)sqlite3_column_int64(s, 11);
		event->lock.start = sqlite3_column_int64(s, 12);
		event->lock.end = sqlite3_column_type(s, 13) == SQLITE_NULL
		                          ? SPG_LOCK_EOF
		                          : sqlite3_column_int64(s, 13);
	}
	event->gap.reason = (enum spg_gap_reason)sqlite3_column_int64(s, 15);
	event->gap.since_ns = sqlite3_column_int64(s, 16);
	event->gap.until_ns = sqlite3_column_int64(s, 17);
	event->gap.count = (uint64_t)sqlite3_column_int64(s, 18);
	event->verdict = (enum spg_verdict_kind)sqlite3_column_int64(s, 19);
	event->subject = sqlite3_column_int64(s, 20);
	if (event->kind == SPG_EVENT_SIDESTEP)
		event->sidestep = (enum spg_sidestep_state)sqlite3_column_int64(s, 21);
	else
		event->outcome = (enum spg_install_outcome)sqlite3_column_int64(s, 21);
}

static int read_event(struct search *search, sqlite3_stmt *s)
{
	struct spg_file *file = NULL;
	struct spg_process *process = NULL;
	struct spg_event *event = NULL;
	int r;

	r = file_of(search, sqlite3_column_int64(s, 4), &file);
	if (r == 0)
		r = process_of(search, sqlite3_column_int64(s, 5), &process);
	if (r < 0)
		goto out;
	r = SPG_ERR_NOMEM;
	event = spg_event_create((enum spg_event_kind)sqlite3_column_int64(s, 2),
		sqlite3_column_int64(s, 1), file, process);
	if (!event)
		goto out;
	read_numbers(event, s);
	r = copy_text(&event->detail, (const char *)sqlite3_column_text(s, 14));
	if (r == 0)
		r = read_text(search->db, s, 6, &event->product);
	if (r == 0) {
		r = spg_event_list_add(&search->page->events, event);
		event = NULL;
	}
out:
	spg_event_unref(event);
	spg_file_unref(file);
	spg_process_unref(process);
	return r;
}

static int read_block(struct search *search, int64_t block)
{
	struct spg_store_page *page = search->page;
	int64_t first = block << SPG_BLOCK_SHIFT;
	int64_t last = first + SPG_BLOCK_ROWS - 1;
	sqlite3_stmt *s;
	int rc, r = 0;

	if (last > search->below)
		last = search->below;
	s = spg_db_bind(search->db, SPG_SQL_EVENTS_OF_BLOCK, &r, "iiii", first, last,
		search->since, search->until);
	if (!s)
		return r;
	while (r == 0 && !page->more && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW)
			r = spg_db_fail(search->db, rc, "read");
		else if (!matches(search, s))
			continue;
		else if (page->events.n == search->query->limit)
			page->more = true;
		else
			r = read_event(search, s);
	}
	sqlite3_reset(s);
	return r;
}

static int walk(struct search *search, spg_db_keep_up *keep_up, void *user)
{
	int64_t block = SPG_BLOCK_OF(search->below);
	int r = 0;

	while (r == 0 && !search->page->more) {
		r = next_block(search, block, &block);
		if (r < 0 || block < 0)
			break;
		r = read_block(search, block);
		block--;
		if (r == 0 && keep_up)
			r = keep_up(user);
	}
	return r;
}

static void reverse(struct spg_event_list *list)
{
	for (size_t i = 0; i < list->n / 2; i++) {
		struct spg_event *event = list->events[i];

		list->events[i] = list->events[list->n - 1 - i];
		list->events[list->n - 1 - i] = event;
	}
}

int spg_db_query(struct spg_db *db, const struct spg_store_query *query,
	struct spg_store_page *page, spg_db_keep_up *keep_up, void *user)
{
	struct search *search;
	int r;

	if (!db->sql)
		return SPG_ERR_IO;
	if (query->limit < 1 || query->limit > SPG_STORE_PAGE_MAX)
		return SPG_ERR_INVALID;
	search = calloc(1, sizeof(*search));
	if (!search)
		return SPG_ERR_NOMEM;
	search->db = db;
	search->query = query;
	search->page = page;
	search->since = query->since_ns ? query->since_ns : INT64_MIN;
	search->until = query->until_ns ? query->until_ns : INT64_MAX;
	search->kinds = query->kinds ? (int64_t)query->kinds : -1;
	search->below = db->now.last_id;
	if (query->before_id > 0 && query->before_id <= search->below)
		search->below = query->before_id - 1;
	r = find_files(search);
	if (r == 0)
		r = find_processes(search);
	if (r == 0)
		r = find_product(search);
	if (r == 0)
		r = walk(search, keep_up, user);
	reverse(&page->events);
	for (size_t i = 0; i < N_SHARED; i++) {
		spg_file_unref(search->shared_files[i].record);
		spg_process_unref(search->shared_processes[i].record);
	}
	free(search->files.subjects);
	free(search->processes.subjects);
	free(search->products.subjects);
	free(search);
	return r;
}
