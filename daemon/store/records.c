/* SPDX-License-Identifier: MIT */
#include "daemon/store/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/err.h"
#include "daemon/store/rows.h"
#include "daemon/store/writer.h"

/* So many steps aside are looked at. */
#define JOURNAL_MAX INT64_C(10000)

/* Which list of words a note belongs to. */
enum role { ROLE_REASON, ROLE_NEXT, ROLE_FINDING, ROLE_SHOWN, ROLES };

struct put {
	struct spg_install *install;
	struct spg_sidestep sidestep;
	void (*done)(void *user, int err);
};

struct get {
	struct spg_store_install_query query;
	char *product;
	size_t limit;
	struct spg_store_records found;
	spg_store_on_installs *on_installs;
	spg_store_on_sidesteps *on_sidesteps;
};

/* ---- writing ---- */

static int put_holders(
	struct spg_db *db, int64_t install, const struct spg_install_file *file)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->n_holders; i++) {
		const struct spg_process *p = file->holders[i].process;

		r = spg_db_run(db, SPG_SQL_INSTALL_HOLDER_ADD, "iziizzzi", install,
			file->path, (int64_t)p->id.pid, (int64_t)p->id.start, p->name,
			p->user, p->unit, (int64_t)file->holders[i].how);
	}
	return r;
}

static int put_files(struct spg_db *db, const struct spg_install *install)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < install->n_files; i++) {
		const struct spg_install_file *f = &install->files[i];

		r = spg_db_run(db, SPG_SQL_INSTALL_FILE_ADD, "izizzzzizz", install->id,
			f->path, (int64_t)f->change, f->from_version, f->to_version,
			f->from_sha256[0] ? f->from_sha256 : NULL,
			f->to_sha256[0] ? f->to_sha256 : NULL, (int64_t)f->guessed,
			f->package, f->package_version);
		if (r == 0)
			r = put_holders(db, install->id, f);
	}
	return r;
}

static int put_packages(struct spg_db *db, const struct spg_install *install)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < install->n_packages; i++) {
		const struct spg_install_package *p = &install->packages[i];

		r = spg_db_run(db, SPG_SQL_INSTALL_PACKAGE_ADD, "iizzzi", install->id,
			(int64_t)i, p->name, p->from, p->to, (int64_t)p->from_known);
	}
	return r;
}

static int put_notes(struct spg_db *db, int64_t install, enum role role,
	const struct spg_notes *notes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < notes->n; i++) {
		const struct spg_note *note = &notes->items[i];

		r = spg_db_run(db, SPG_SQL_INSTALL_NOTE_ADD, "iiizzzzzzzinni", install,
			(int64_t)role, (int64_t)i, note->text,
			spg_note_kind_name(note->kind), note->file, note->name,
			note->unit, note->place, note->command, (int64_t)note->how,
			(int64_t)note->pid, note->install, (int64_t)note->finding);
	}
	return r;
}

/* What is there under @id, and what is too old to be kept. */
static int clear_install(struct spg_db *db, int64_t id)
{
	int r = spg_db_run(db, SPG_SQL_INSTALL_FILES_CLEAR, "i", id);

	if (r == 0)
		r = spg_db_run(db, SPG_SQL_INSTALL_HOLDERS_CLEAR, "i", id);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_INSTALL_NOTES_CLEAR, "i", id);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_INSTALL_PACKAGES_CLEAR, "i", id);
	return r == 0 ? spg_db_run(db, SPG_SQL_INSTALL_EXPIRE, "i", id) : r;
}

static int put_install(struct spg_db *db, void *data)
{
	const struct put *put = data;
	const struct spg_install *in = put->install;
	const struct spg_process *by = in->by;
	int r = clear_install(db, in->id);

	if (r == 0)
		r = spg_db_run(db, SPG_SQL_INSTALL_PUT, "iziniinnnzzzz", in->id,
			in->product, in->began_ns, in->ended_ns, (int64_t)in->outcome,
			in->last_ns, in->follows, by ? (int64_t)by->id.pid : 0,
			by ? (int64_t)by->id.start : 0, by ? by->name : NULL,
			by ? by->exe : NULL, by ? by->cmdline : NULL,
			by ? by->user : NULL);
	if (r == 0)
		r = put_files(db, in);
	if (r == 0)
		r = put_packages(db, in);
	if (r == 0)
		r = put_notes(db, in->id, ROLE_REASON, &in->reasons);
	if (r == 0)
		r = put_notes(db, in->id, ROLE_NEXT, &in->next);
	if (r == 0)
		r = put_notes(db, in->id, ROLE_FINDING, &in->findings);
	return r == 0 ? put_notes(db, in->id, ROLE_SHOWN, &in->shown) : r;
}

static int put_sidestep(struct spg_db *db, void *data)
{
	const struct spg_sidestep *s = &((struct put *)data)->sidestep;

	return spg_db_run(db, SPG_SQL_SIDESTEP_PUT, "izzziiiiiiz", s->id, s->product,
		s->path, s->old_path, (int64_t)s->file.dev, (int64_t)s->file.ino,
		(int64_t)s->state, s->at_ns, s->changed_ns, (int64_t)s->uid, s->detail);
}

static void put_done(void *user, int err, void *data)
{
	const struct put *put = data;

	if (put->done)
		put->done(user, err);
}

static void put_release(void *data)
{
	struct put *put = data;

	spg_install_unref(put->install);
	spg_sidestep_finish(&put->sidestep);
	free(put);
}

/* Takes over @put; NULL: there was no memory for it. */
static void submit_put(struct spg_store *store, struct put *put,
	int (*run)(struct spg_db *db, void *data), bool waits,
	void (*done)(void *user, int err), void *user)
{
	const struct spg_job job = {.run = run,
		.writes = true,
		.waits = waits,
		.done = put_done,
		.release = put_release,
		.data = put};

	if (!put) {
		if (done)
			done(user, SPG_ERR_NOMEM);
		return;
	}
	put->done = done;
	spg_store_submit(store, &job, user);
}

void spg_store_put_install(struct spg_store *store, struct spg_install *install,
	void (*done)(void *user, int err), void *user)
{
	struct put *put = calloc(1, sizeof(*put));

	if (put)
		put->install = spg_install_ref(install);
	submit_put(store, put, put_install, true, done, user);
}

void spg_store_put_sidestep(struct spg_store *store,
	const struct spg_sidestep *sidestep, void (*done)(void *user, int err),
	void *user)
{
	struct put *put = calloc(1, sizeof(*put));

	if (put && spg_sidestep_copy(sidestep, &put->sidestep) < 0) {
		free(put);
		put = NULL;
	}
	submit_put(store, put, put_sidestep, false, done, user);
}

/* ---- reading ---- */

static char *copy_of(sqlite3_stmt *s, int column)
{
	const char *text = spg_row_text(s, column);

	return text ? strdup(text) : NULL;
}

static int file_row(void *user, sqlite3_stmt *s)
{
	struct spg_install *install = user;
	const char *path = spg_row_text(s, 0);
	struct spg_install_file *file =
		path ? spg_install_add_file(install, path) : NULL;

	if (!file)
		return path ? SPG_ERR_NOMEM : 0;
	file->change = (enum spg_install_change)sqlite3_column_int(s, 1);
	file->from_version = copy_of(s, 2);
	file->to_version = copy_of(s, 3);
	spg_row_sha256(file->from_sha256, s, 4);
	spg_row_sha256(file->to_sha256, s, 5);
	file->guessed = sqlite3_column_int(s, 6) != 0;
	file->package = copy_of(s, 7);
	file->package_version = copy_of(s, 8);
	return 0;
}

static int package_row(void *user, sqlite3_stmt *s)
{
	const char *name = spg_row_text(s, 0);

	return name ? spg_install_add_package(user,
			      &(struct spg_install_package){.name = (char *)name,
				      .from = (char *)spg_row_text(s, 1),
				      .to = (char *)spg_row_text(s, 2),
				      .from_known = sqlite3_column_int(s, 3) != 0})
	            : 0;
}

static int holder_row(void *user, sqlite3_stmt *s)
{
	struct spg_install *install = user;
	const char *path = spg_row_text(s, 0);
	struct spg_install_file *file = path ? spg_install_find(install, path) : NULL;
	struct spg_process *process;
	int r;

	if (!file)
		return 0;
	process = spg_process_create(&(struct spg_process_info){
		.id = {sqlite3_column_int(s, 1), (uint64_t)sqlite3_column_int64(s, 2)},
		.uid = SPG_UID_UNKNOWN,
		.name = spg_row_text(s, 3),
		.user = spg_row_text(s, 4),
		.unit = spg_row_text(s, 5)});
	if (!process)
		return SPG_ERR_NOMEM;
	r = spg_install_add_holder(file, process, (unsigned)sqlite3_column_int(s, 6));
	spg_process_unref(process);
	return r;
}

static int note_row(void *user, sqlite3_stmt *s)
{
	struct spg_install *install = user;
	struct spg_notes *const lists[ROLES] = {
		[ROLE_REASON] = &install->reasons,
		[ROLE_NEXT] = &install->next,
		[ROLE_FINDING] = &install->findings,
		[ROLE_SHOWN] = &install->shown,
	};
	int role = sqlite3_column_int(s, 0);
	const struct spg_note note = {
		.kind = role == ROLE_NEXT
	                        ? spg_step_kind_from_name(spg_row_text(s, 2))
	                        : spg_reason_kind_from_name(spg_row_text(s, 2)),
		.file = spg_row_text(s, 3),
		.name = spg_row_text(s, 4),
		.unit = spg_row_text(s, 5),
		.place = spg_row_text(s, 6),
		.command = spg_row_text(s, 7),
		.how = (unsigned)sqlite3_column_int(s, 8),
		.pid = sqlite3_column_int(s, 9),
		.install = sqlite3_column_int64(s, 10),
		.finding = (enum spg_finding_kind)sqlite3_column_int(s, 11),
		.text = spg_row_text(s, 1)};

	return role < 0 || role >= ROLES || !note.text
	               ? 0
	               : spg_notes_add_copy(lists[role], &note);
}

static int fill_install(struct spg_db *db, struct spg_install *install)
{
	static const struct {
		enum spg_sql which;
		int (*row)(void *user, sqlite3_stmt *s);
	} parts[] = {
		{SPG_SQL_INSTALL_FILES, file_row},
		{SPG_SQL_INSTALL_HOLDERS, holder_row},
		{SPG_SQL_INSTALL_NOTES, note_row},
		{SPG_SQL_INSTALL_PACKAGES, package_row},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		sqlite3_stmt *s = spg_db_bind(db, parts[i].which, &r, "i", install->id);

		if (s)
			r = spg_rows_each(db, s, parts[i].row, install);
	}
	return r;
}

static int install_row(void *user, sqlite3_stmt *s)
{
	struct spg_store_records *found = user;
	struct spg_install *install;
	const char *product = spg_row_text(s, 1);

	if (spg_array_reserve(&found->installs, found->n_installs,
		    &found->size_installs, sizeof(struct spg_install *)) < 0)
		return SPG_ERR_NOMEM;
	install = spg_install_create(sqlite3_column_int64(s, 0), product ? product : "",
		sqlite3_column_int64(s, 2));
	if (!install)
		return SPG_ERR_NOMEM;
	found->installs[found->n_installs++] = install;
	install->ended_ns = sqlite3_column_int64(s, 3);
	install->outcome = (enum spg_install_outcome)sqlite3_column_int(s, 4);
	install->last_ns = sqlite3_column_int64(s, 5);
	install->follows = sqlite3_column_int64(s, 6);
	if (sqlite3_column_type(s, 7) == SQLITE_NULL)
		return 0;
	install->by = spg_process_create(&(struct spg_process_info){
		.id = {sqlite3_column_int(s, 7), (uint64_t)sqlite3_column_int64(s, 8)},
		.uid = SPG_UID_UNKNOWN,
		.name = spg_row_text(s, 9),
		.exe = spg_row_text(s, 10),
		.cmdline = spg_row_text(s, 11),
		.user = spg_row_text(s, 12)});
	return install->by ? 0 : SPG_ERR_NOMEM;
}

static int get_installs(struct spg_db *db, void *data)
{
	struct get *get = data;
	int r = 0;
	sqlite3_stmt *s = spg_db_bind(db, SPG_SQL_INSTALLS, &r, "nzi", get->query.id,
		get->product, (int64_t)get->query.limit);

	if (s)
		r = spg_rows_each(db, s, install_row, &get->found);
	for (size_t i = 0; r == 0 && get->query.whole && i < get->found.n_installs; i++)
		r = fill_install(db, get->found.installs[i]);
	return r;
}

static int sidestep_row(void *user, sqlite3_stmt *s)
{
	struct spg_store_records *found = user;
	struct spg_sidestep *row;

	if (spg_array_reserve(&found->sidesteps, found->n_sidesteps,
		    &found->size_sidesteps, sizeof(*found->sidesteps)) < 0)
		return SPG_ERR_NOMEM;
	row = &found->sidesteps[found->n_sidesteps++];
	*row = (struct spg_sidestep){
		.id = sqlite3_column_int64(s, 0),
		.product = copy_of(s, 1),
		.path = copy_of(s, 2),
		.old_path = copy_of(s, 3),
		.file = {(uint64_t)sqlite3_column_int64(s, 4),
			(uint64_t)sqlite3_column_int64(s, 5)},
		.state = (enum spg_sidestep_state)sqlite3_column_int(s, 6),
		.at_ns = sqlite3_column_int64(s, 7),
		.changed_ns = sqlite3_column_int64(s, 8),
		.uid = (uint32_t)sqlite3_column_int64(s, 9),
		.detail = copy_of(s, 10),
	};
	return row->product && row->path && row->old_path ? 0 : SPG_ERR_NOMEM;
}

static int get_sidesteps(struct spg_db *db, void *data)
{
	struct get *get = data;
	int r = 0;
	sqlite3_stmt *s =
		spg_db_bind(db, SPG_SQL_SIDESTEPS, &r, "i", (int64_t)get->limit);

	return s ? spg_rows_each(db, s, sidestep_row, &get->found) : r;
}

static void get_done(void *user, int err, void *data)
{
	const struct get *get = data;

	if (get->on_installs)
		get->on_installs(user, err, get->found.installs,
			err < 0 ? 0 : get->found.n_installs);
	else
		get->on_sidesteps(user, err, get->found.sidesteps,
			err < 0 ? 0 : get->found.n_sidesteps);
}

static void finish_records(struct spg_store_records *records)
{
	for (size_t i = 0; i < records->n_installs; i++)
		spg_install_unref(records->installs[i]);
	for (size_t i = 0; i < records->n_sidesteps; i++)
		spg_sidestep_finish(&records->sidesteps[i]);
	for (size_t i = 0; i < records->n_installed; i++)
		spg_installed_destroy(records->installed[i]);
	for (size_t i = 0; i < records->n_expected; i++) {
		free(records->expected[i].product);
		spg_expected_finish(&records->expected[i].expected);
	}
	free(records->expected);
	free(records->installed);
	free(records->installs);
	free(records->sidesteps);
}

void spg_store_records_destroy(struct spg_store_records *records)
{
	if (records)
		finish_records(records);
	free(records);
}

static int load_records(struct spg_db *db, struct spg_store_records *records)
{
	int r = 0;
	sqlite3_stmt *s = spg_db_bind(db, SPG_SQL_INSTALLS_LATEST, &r, "");

	if (s)
		r = spg_rows_each(db, s, install_row, records);
	for (size_t i = 0; r == 0 && i < records->n_installs; i++)
		r = fill_install(db, records->installs[i]);
	s = r == 0 ? spg_db_bind(db, SPG_SQL_SIDESTEPS, &r, "i", JOURNAL_MAX) : NULL;
	if (s)
		r = spg_rows_each(db, s, sidestep_row, records);
	if (r == 0)
		r = spg_db_load_installed(db, records);
	return r == 0 ? spg_db_load_expected(db, records) : r;
}

int spg_db_load_records(struct spg_db *db, struct spg_store_records **ret)
{
	struct spg_store_records *records = calloc(1, sizeof(*records));
	int r = records ? load_records(db, records) : SPG_ERR_NOMEM;

	if (r < 0)
		spg_store_records_destroy(records);
	else
		*ret = records;
	return r;
}

static void get_release(void *data)
{
	struct get *get = data;

	finish_records(&get->found);
	free(get->product);
	free(get);
}

static void submit_get(struct spg_store *store, struct get *get,
	int (*run)(struct spg_db *db, void *data), void *user)
{
	spg_store_submit(store,
		&(struct spg_job){.run = run,
			.done = get_done,
			.release = get_release,
			.data = get},
		user);
}

void spg_store_get_installs(struct spg_store *store,
	const struct spg_store_install_query *query, spg_store_on_installs *done,
	void *user)
{
	struct get *get = calloc(1, sizeof(*get));

	if (get && query->product)
		get->product = strdup(query->product);
	if (!get || (query->product && !get->product)) {
		free(get);
		done(user, SPG_ERR_NOMEM, NULL, 0);
		return;
	}
	get->query = *query;
	get->query.product = NULL;
	get->on_installs = done;
	submit_get(store, get, get_installs, user);
}

void spg_store_get_sidesteps(
	struct spg_store *store, size_t limit, spg_store_on_sidesteps *done, void *user)
{
	struct get *get = calloc(1, sizeof(*get));

	if (!get) {
		done(user, SPG_ERR_NOMEM, NULL, 0);
		return;
	}
	get->limit = limit;
	get->on_sidesteps = done;
	submit_get(store, get, get_sidesteps, user);
}
