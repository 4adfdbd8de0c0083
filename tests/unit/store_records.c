/* SPDX-License-Identifier: MIT */
/* Installs and steps aside: what goes into the database comes out again. */
#include "daemon/store/records.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/store_help.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct answer {
	int n_calls, err;
	struct spg_install *installs[8];
	struct spg_sidestep sidesteps[8];
	size_t n;
};

static void on_put(void *user, int err)
{
	struct answer *answer = user;

	answer->n_calls++;
	answer->err = err;
}

static void on_installs(
	void *user, int err, struct spg_install *const *installs, size_t n)
{
	struct answer *answer = user;

	ck_assert_uint_le(n, 8);
	answer->n_calls++;
	answer->err = err;
	answer->n = n;
	for (size_t i = 0; i < n; i++)
		answer->installs[i] = spg_install_ref(installs[i]);
}

static void on_sidesteps(
	void *user, int err, const struct spg_sidestep *sidesteps, size_t n)
{
	struct answer *answer = user;

	answer->n_calls++;
	answer->err = err;
	answer->n = n;
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(
			spg_sidestep_copy(&sidesteps[i], &answer->sidesteps[i]), 0);
}

static void await(struct fixture *f, const struct answer *answer)
{
	while (answer->n_calls == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	ck_assert_int_eq(answer->n_calls, 1);
}

static void drop(struct answer *answer)
{
	for (size_t i = 0; i < 8; i++) {
		spg_install_unref(answer->installs[i]);
		spg_sidestep_finish(&answer->sidesteps[i]);
	}
	memset(answer, 0, sizeof(*answer));
}

static void add_package(
	struct spg_install *install, char *name, char *from, char *to, bool from_known)
{
	ck_assert_int_eq(
		spg_install_add_package(install,
			&(struct spg_install_package){name, from, to, from_known}),
		0);
}

static void assert_packages(const struct spg_install *in)
{
	ck_assert_uint_eq(in->n_packages, 3);
	ck_assert_str_eq(in->packages[0].name, "liba");
	ck_assert_ptr_null(in->packages[0].from);
	ck_assert_str_eq(in->packages[0].to, "1");
	ck_assert(in->packages[0].from_known && !in->packages[1].from_known);
	ck_assert_str_eq(in->packages[2].from, "3");
	ck_assert_ptr_null(in->packages[2].to);
}

static struct spg_install *make_install(struct fixture *f, int64_t id)
{
	struct spg_install *install = spg_install_create(id, "exchange55", T0);
	struct spg_install_file *file;
	struct spg_note note;

	ck_assert_ptr_nonnull(install);
	install->by = spg_process_ref(f->process);
	install->ended_ns = T0 + 60 * S;
	install->outcome = SPG_INSTALL_MIXED;
	install->follows = id - 1;
	file = spg_install_add_file(install, "/srv/bin/b.dll");
	file->change = SPG_CHANGE_SKIPPED;
	file->guessed = true;
	file->from_version = strdup("5.5.2448.0");
	file->package = strdup("libfoo1");
	file->package_version = strdup("1.2-1");
	add_package(install, "liba", NULL, "1", true);
	add_package(install, "libb", NULL, "2", false);
	add_package(install, "libc", "3", NULL, true);
	memcpy(file->from_sha256, SHA, sizeof(SHA));
	ck_assert_int_eq(spg_install_add_holder(file, f->process, SPG_USE_MAPPED), 0);
	ck_assert_int_eq(spg_install_add_holder(file, f->process, SPG_USE_OPEN), 0);
	file = spg_install_add_file(install, "/srv/bin/a.dll");
	file->change = SPG_CHANGE_REPLACED;
	file->to_version = strdup("5.5.2650.24");
	memcpy(file->to_sha256, SHA, sizeof(SHA));
	note = spg_note_about(SPG_REASON_KEPT, f->process);
	note.file = "/srv/bin/b.dll";
	note.place = "/mnt";
	note.how = SPG_USE_MOUNTED;
	note.install = 7;
	note.text = "b.dll was left";
	ck_assert_int_eq(spg_notes_add_copy(&install->reasons, &note), 0);
	note = (struct spg_note){.kind = SPG_STEP_INSTALL, .text = "run it again"};
	ck_assert_int_eq(spg_notes_add_copy(&install->next, &note), 0);
	note = (struct spg_note){.kind = SPG_STEP_CHECK_AGAIN,
		.command = "spguard check",
		.text = "then check"};
	ck_assert_int_eq(spg_notes_add_copy(&install->next, &note), 0);
	note = (struct spg_note){.kind = SPG_REASON_MISFIT,
		.finding = SPG_FINDING_OLDER,
		.text = "a needs x"};
	ck_assert_int_eq(spg_notes_add_copy(&install->findings, &note), 0);
	return install;
}

static void put(struct fixture *f, struct spg_install *install)
{
	struct answer answer = {0};

	spg_store_put_install(f->store, install, on_put, &answer);
	await(f, &answer);
	ck_assert_int_eq(answer.err, 0);
}

static void get(struct fixture *f, const struct spg_store_install_query *query,
	struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	spg_store_get_installs(f->store, query, on_installs, answer);
	await(f, answer);
	ck_assert_int_eq(answer->err, 0);
}

static void assert_as_made(const struct spg_install *in, const struct fixture *f)
{
	const struct spg_note *note;
	const struct spg_install_file *file;

	ck_assert_int_eq(in->outcome, SPG_INSTALL_MIXED);
	ck_assert_int_eq(in->ended_ns, T0 + 60 * S);
	ck_assert_int_eq(in->follows, in->id - 1);
	ck_assert(spg_proc_id_equal(in->by->id, f->process->id));
	ck_assert_str_eq(in->by->name, f->process->name);
	ck_assert_uint_eq(in->n_files, 2);
	file = spg_install_find(in, "/srv/bin/b.dll");
	ck_assert_int_eq(file->change, SPG_CHANGE_SKIPPED);
	ck_assert(file->guessed);
	ck_assert_str_eq(file->from_version, "5.5.2448.0");
	ck_assert_str_eq(file->package, "libfoo1");
	ck_assert_str_eq(file->package_version, "1.2-1");
	assert_packages(in);
	ck_assert_ptr_null(file->to_version);
	ck_assert_str_eq(file->from_sha256, SHA);
	ck_assert_str_eq(file->to_sha256, "");
	ck_assert_uint_eq(file->n_holders, 1);
	ck_assert_uint_eq(file->holders[0].how, SPG_USE_MAPPED | SPG_USE_OPEN);
	ck_assert_str_eq(file->holders[0].process->name, f->process->name);
	ck_assert_uint_eq(in->next.n, 2);
	ck_assert_int_eq(in->next.items[1].kind, SPG_STEP_CHECK_AGAIN);
	ck_assert_str_eq(in->next.items[1].text, "then check");
	ck_assert_str_eq(in->next.items[1].command, "spguard check");
	note = &in->reasons.items[0];
	ck_assert_int_eq(note->kind, SPG_REASON_KEPT);
	ck_assert_str_eq(note->text, "b.dll was left");
	ck_assert_str_eq(note->file, "/srv/bin/b.dll");
	ck_assert_str_eq(note->name, f->process->name);
	ck_assert_str_eq(note->unit, f->process->unit);
	ck_assert_str_eq(note->place, "/mnt");
	ck_assert_int_eq(note->pid, f->process->id.pid);
	ck_assert_uint_eq(note->how, SPG_USE_MOUNTED);
	ck_assert_int_eq(note->install, 7);
	ck_assert_int_eq(in->findings.items[0].kind, SPG_REASON_MISFIT);
	ck_assert_int_eq(in->findings.items[0].finding, SPG_FINDING_OLDER);
	ck_assert_str_eq(in->findings.items[0].text, "a needs x");
}

START_TEST(installs)
{
	struct fixture f;
	struct answer answer;
	struct spg_install *install;

	setup(&f, NULL);
	start(&f);
	ck_assert_int_eq(f.origin.last_install, 0);
	for (int64_t id = 5; id < 8; id++) {
		install = make_install(&f, id);
		put(&f, install);
		spg_install_unref(install);
	}
	get(&f, &(struct spg_store_install_query){.limit = 2, .whole = true}, &answer);
	ck_assert_uint_eq(answer.n, 2);
	ck_assert_int_eq(answer.installs[0]->id, 7);
	ck_assert_int_eq(answer.installs[1]->id, 6);
	assert_as_made(answer.installs[1], &f);
	drop(&answer);
	get(&f,
		&(struct spg_store_install_query){
			.id = 5, .limit = 9, .product = "exchange55"},
		&answer);
	ck_assert_uint_eq(answer.n, 1);
	ck_assert_uint_eq(answer.installs[0]->n_files, 0);
	drop(&answer);
	get(&f, &(struct spg_store_install_query){.limit = 9, .product = "other"},
		&answer);
	ck_assert_uint_eq(answer.n, 0);
	/* Written again, it is that one and nothing of the one before. */
	install = spg_install_create(7, "exchange55", T0);
	install->outcome = SPG_INSTALL_CLEAN;
	put(&f, install);
	spg_install_unref(install);
	get(&f, &(struct spg_store_install_query){.id = 7, .limit = 9, .whole = true},
		&answer);
	ck_assert_int_eq(answer.installs[0]->outcome, SPG_INSTALL_CLEAN);
	ck_assert_uint_eq(answer.installs[0]->n_files, 0);
	ck_assert_uint_eq(answer.installs[0]->reasons.n, 0);
	ck_assert_uint_eq(answer.installs[0]->n_packages, 0);
	ck_assert_ptr_null(answer.installs[0]->by);
	drop(&answer);
	ck_assert_str_eq(ask_sql(&f, "SELECT outcome || follows FROM install_history"
				     " WHERE id = 6"),
		"mixed5");
	ck_assert_str_eq(ask_sql(&f, "SELECT package || to_version || from_known FROM"
				     " package_changes WHERE install = 6"
				     " AND from_version IS NULL ORDER BY 1 DESC"),
		"libb20");
	ck_assert_str_eq(ask_sql(&f, "SELECT change || holders FROM install_changes"
				     " WHERE install = 6 AND path LIKE '%b.dll'"),
		"skippedperfmon (2113)");
	stop(&f);
	start(&f);
	ck_assert_int_eq(f.origin.last_install, 7);
	teardown(&f);
}
END_TEST

/* What format 2 wrote has no kinds. */
START_TEST(notes_of_format_2)
{
	struct fixture f;
	struct answer answer;
	struct spg_install *made;
	const struct spg_install *in;

	setup(&f, NULL);
	start(&f);
	made = make_install(&f, 3);
	put(&f, made);
	spg_install_unref(made);
	stop(&f);
	run_sql(f.path, "CREATE TABLE old(install INTEGER, role INTEGER, n INTEGER,"
			" text TEXT NOT NULL, PRIMARY KEY(install, role, n))"
			" WITHOUT ROWID;"
			"INSERT INTO old SELECT install, role, n, text"
			" FROM install_notes;"
			"DROP TABLE install_notes;"
			"DROP VIEW history;"
			"DROP VIEW install_changes;"
			"DROP VIEW package_changes;"
			"DROP TABLE install_packages;"
			"ALTER TABLE install_files DROP COLUMN package;"
			"ALTER TABLE install_files DROP COLUMN package_version;"
			"ALTER TABLE install_files DROP COLUMN guessed;"
			"ALTER TABLE details DROP COLUMN subject;"
			"ALTER TABLE details DROP COLUMN state;"
			"ALTER TABLE old RENAME TO install_notes;"
			"DROP TABLE installed;"
			"DROP TABLE installed_files;"
			"DROP TABLE expected;"
			"PRAGMA user_version = 2");
	start(&f);
	get(&f, &(struct spg_store_install_query){.limit = 5, .whole = true}, &answer);
	in = answer.installs[0];
	ck_assert_uint_eq(in->reasons.n, 1);
	ck_assert_int_eq(in->reasons.items[0].kind, SPG_REASON_OTHER);
	ck_assert_str_eq(in->reasons.items[0].text, "b.dll was left");
	ck_assert_uint_eq(in->next.n, 2);
	ck_assert_int_eq(in->next.items[0].kind, SPG_STEP_OTHER);
	ck_assert_str_eq(in->next.items[1].text, "then check");
	ck_assert_ptr_null(in->next.items[1].command);
	/* By these the next install is judged (outcome.c). */
	ck_assert_uint_eq(in->findings.n, 1);
	ck_assert_int_eq(in->findings.items[0].kind, SPG_REASON_MISFIT);
	drop(&answer);
	teardown(&f);
}
END_TEST

static void put_installed(struct fixture *f, const char *scope, bool whole,
	const struct spg_installed_file *files, size_t n)
{
	struct spg_installed *in = spg_installed_create("app", scope, T0);
	struct answer answer = {0};

	in->whole = whole;
	for (size_t i = 0; i < n; i++) {
		struct spg_installed_file *file =
			spg_installed_add(in, files[i].path, files[i].version);

		memcpy(file->sha256, files[i].sha256, sizeof(file->sha256));
		file->is_module = files[i].is_module;
		file->gone = files[i].gone;
	}
	spg_store_put_installed(f->store, in, on_put, &answer);
	await(f, &answer);
	ck_assert_int_eq(answer.err, 0);
}

#define DIGEST(c) c c c c c c c c c c c c c c c c

/* With the records of before, which are the caller's. */
static void start_again(struct fixture *f)
{
	stop(f);
	ck_assert_int_eq(
		spg_store_start(&f->store, &f->loop, &f->config, &f->origin), 0);
}

/* What the next start knows to have been installed: all, then what changed in it. */
START_TEST(installed)
{
	const struct spg_installed_file first[] = {
		{"/app/a.exe", "1.0", DIGEST("0123"), true, false},
		{"/app/b.dat", NULL, DIGEST("4567"), false, false},
		{"/app/c.dll", "1.0", "", true, false}};
	const struct spg_installed_file then[] = {
		{"/app/a.exe", "2.0", DIGEST("89ab"), true, false},
		{"/app/b.dat", NULL, "", false, true}};
	const struct spg_installed *in;
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	put_installed(&f, "here", true, first, 3);
	put_installed(&f, "here", false, then, 2);
	start_again(&f);
	ck_assert_uint_eq(f.origin.records->n_installed, 1);
	in = f.origin.records->installed[0];
	ck_assert_str_eq(in->product, "app");
	ck_assert_str_eq(in->scope, "here");
	ck_assert_int_eq(in->at_ns, T0);
	ck_assert(in->whole);
	ck_assert_uint_eq(in->n, 2);
	ck_assert_str_eq(in->files[0].path, "/app/a.exe");
	ck_assert_str_eq(in->files[0].version, "2.0");
	ck_assert_str_eq(in->files[0].sha256, DIGEST("89ab"));
	ck_assert(in->files[0].is_module);
	ck_assert_str_eq(in->files[1].path, "/app/c.dll");
	ck_assert_str_eq(in->files[1].sha256, "");
	put_installed(&f, "elsewhere", true, first + 1, 1);
	spg_store_records_destroy(f.origin.records);
	start_again(&f);
	in = f.origin.records->installed[0];
	ck_assert_str_eq(in->scope, "elsewhere");
	ck_assert_uint_eq(in->n, 1);
	ck_assert_ptr_null(in->files[0].version);
	ck_assert(!in->files[0].is_module);
	spg_store_records_destroy(f.origin.records);
	teardown(&f);
}
END_TEST

static void put_expected(struct fixture *f, const char *product, size_t n)
{
	struct spg_expected expected = SPG_EXPECTED_NULL;
	struct answer answer = {0};

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(spg_expected_add(&expected, i ? "x64/a.dll" : "b.dll",
					 i ? "1.2" : NULL, i ? NULL : DIGEST("0123")),
			0);
	if (n > 0)
		expected.files[0].elsewhere = true;
	spg_store_put_expected(f->store, product, &expected, on_put, &answer);
	spg_expected_finish(&expected);
	await(f, &answer);
	ck_assert_int_eq(answer.err, 0);
}

/* What the next start should find to be installed next: what was named last. */
START_TEST(expected)
{
	const struct spg_expected *found;
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	put_expected(&f, "app", 1);
	put_expected(&f, "other", 1);
	put_expected(&f, "app", 2);
	put_expected(&f, "third", 2);
	put_expected(&f, "third", 0);
	start_again(&f);
	ck_assert_uint_eq(f.origin.records->n_expected, 2);
	ck_assert_str_eq(f.origin.records->expected[0].product, "app");
	ck_assert_str_eq(f.origin.records->expected[1].product, "other");
	ck_assert_uint_eq(f.origin.records->expected[1].expected.n, 1);
	found = &f.origin.records->expected[0].expected;
	ck_assert_uint_eq(found->n, 2);
	ck_assert_str_eq(found->files[0].path, "b.dll");
	ck_assert_ptr_null(found->files[0].version);
	ck_assert_str_eq(found->files[0].sha256, DIGEST("0123"));
	ck_assert(found->files[0].elsewhere && !found->files[1].elsewhere);
	ck_assert_str_eq(found->files[1].path, "x64/a.dll");
	ck_assert_str_eq(found->files[1].name, "a.dll");
	ck_assert_str_eq(found->files[1].version, "1.2");
	ck_assert_str_eq(found->files[1].sha256, "");
	spg_store_records_destroy(f.origin.records);
	teardown(&f);
}
END_TEST

/* A database of format 6 loses nothing, and takes what it could not before. */
START_TEST(upgrade_from_format_6)
{
	const struct spg_installed_file first[] = {
		{"/app/a.exe", "1.0", DIGEST("0123"), true, false}};
	struct spg_install *made;
	struct fixture f;

	setup(&f, NULL);
	start(&f);
	made = make_install(&f, 3);
	put(&f, made);
	spg_install_unref(made);
	put_installed(&f, "here", true, first, 1);
	stop(&f);
	run_sql(f.path, "DROP TABLE expected; PRAGMA user_version = 6");
	ck_assert_int_eq(spg_store_start(&f.store, &f.loop, &f.config, &f.origin), 0);
	ck_assert_uint_eq(f.origin.records->n_installs, 1);
	ck_assert_uint_eq(f.origin.records->installs[0]->n_packages, 3);
	ck_assert_uint_eq(f.origin.records->n_installed, 1);
	ck_assert_uint_eq(f.origin.records->n_expected, 0);
	spg_store_records_destroy(f.origin.records);
	put_expected(&f, "app", 1);
	start_again(&f);
	ck_assert_uint_eq(f.origin.records->n_expected, 1);
	spg_store_records_destroy(f.origin.records);
	teardown(&f);
}
END_TEST

static void put_step(struct fixture *f, int64_t id, enum spg_sidestep_state state)
{
	struct spg_sidestep step = {.id = id,
		.product = "exchange55",
		.path = "/srv/bin/a.dll",
		.old_path = "/srv/bin/a.old",
		.file = {7, 8},
		.state = state,
		.at_ns = T0,
		.changed_ns = T0 + S,
		.uid = 1000};
	struct answer answer = {0};

	spg_store_put_sidestep(f->store, &step, on_put, &answer);
	await(f, &answer);
	ck_assert_int_eq(answer.err, 0);
}

START_TEST(sidesteps)
{
	struct fixture f;
	struct answer answer = {0};

	setup(&f, NULL);
	start(&f);
	for (int64_t id = 1; id < 4; id++)
		put_step(&f, id, SPG_SIDESTEP_PLANNED);
	put_step(&f, 2, SPG_SIDESTEP_RENAMED);
	spg_store_get_sidesteps(f.store, 2, on_sidesteps, &answer);
	await(&f, &answer);
	ck_assert_uint_eq(answer.n, 2);
	ck_assert_int_eq(answer.sidesteps[0].id, 2);
	ck_assert_int_eq(answer.sidesteps[0].state, SPG_SIDESTEP_RENAMED);
	ck_assert_int_eq(answer.sidesteps[1].state, SPG_SIDESTEP_PLANNED);
	ck_assert_str_eq(answer.sidesteps[1].old_path, "/srv/bin/a.old");
	ck_assert_uint_eq(answer.sidesteps[1].file.ino, 8);
	ck_assert_uint_eq(answer.sidesteps[1].uid, 1000);
	ck_assert_ptr_null(answer.sidesteps[1].detail);
	drop(&answer);
	ck_assert_str_eq(ask_sql(&f, "SELECT state FROM sidestep_journal WHERE id = 2"),
		"renamed");
	stop(&f);
	start(&f);
	ck_assert_int_eq(f.origin.last_sidestep, 3);
	/* Asked too late: the answer says so. */
	spg_store_get_sidesteps(f.store, 2, on_sidesteps, &answer);
	stop(&f);
	ck_assert_int_eq(answer.n_calls, 1);
	ck_assert_msg(answer.err == SPG_ERR_BUSY || answer.err == 0, "%d", answer.err);
	drop(&answer);
	teardown(&f);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("store records");

	tcase_add_test(tc, installs);
	tcase_add_test(tc, notes_of_format_2);
	tcase_add_test(tc, installed);
	tcase_add_test(tc, expected);
	tcase_add_test(tc, upgrade_from_format_6);
	tcase_add_test(tc, sidesteps);
	return spg_run_suite("store records", tc);
}
