/* SPDX-License-Identifier: MIT */
/*
 * The format of the history.
 *
 * For people with a SQLite shell there are views; their names and columns stay
 * as they are. Who had Mdbperf.dll in use between these times:
 *
 *   SELECT process, pid, user, how, since, until FROM file_uses
 *    WHERE name = 'Mdbperf.dll' AND since <= '2026-11-22T03:00'
 *      AND coalesce(until, '9') >= '2026-11-22T02:00';
 *
 * Views (times: `x` is text, ISO 8601 in UTC with microseconds, so that it
 * compares as text with any prefix of a time; `x_ns` is the same in
 * nanoseconds since 1970; names of files and processes compare ignoring ASCII
 * case):
 *   history          every event: id, at, at_ns, kind, coalesced (NULL, or the
 *                    kinds merged into it), path, name, pid, process, exe,
 *                    user, unit, product, interval, how, lock_kind, lock_mode,
 *                    lock_start, lock_end, gap, verdict, detail, subject (number of
 *                    the install or step aside), outcome (what it came to)
 *   file_uses        one row for each time a process used a file: path, name,
 *                    process, pid, exe, cmdline, user, unit, how, since,
 *                    until (NULL: still in use), cut (1: the end was not seen;
 *                    until is when the daemon last lived), since_ns, until_ns
 *   file_locks       the same for locks: ... kind, mode, start, end (NULL: to
 *                    the end of the file), state (held, waiting), ...
 *   history_gaps     where events may be missing: id, at, at_ns, reason, since,
 *                    until, since_ns, until_ns, count, detail
 *   verdict_changes  id, at, at_ns, product, verdict, detail
 *   install_history  one row an install: id, product, began, ended (NULL: it runs,
 *                    or the daemon ended first), outcome, follows (the mixed one
 *                    it was to mend), pid, process, exe, cmdline, user, began_ns,
 *                    ended_ns
 *   install_changes  one row a file of an install: install, path, change,
 *                    from_version, to_version, from_sha256, to_sha256, holders
 *                    (who held a file that was skipped), package, package_version
 *   package_changes  one row a package of an install: install, package, from_version,
 *                    to_version, from_known (0: what was there before is not known)
 *   sidestep_journal id, product, path, old_path, state, at, changed, uid, detail,
 *                    at_ns, changed_ns
 *
 * Tables. Times are integer nanoseconds UTC, numbers of kinds as in
 * common/kind.h, spelled out in `names`.
 *   meta          last_alive, last_id, last_interval, rows, clean_stop, seed
 *   names         the words for numbers: kind, how (by bit), gap, verdict, ...
 *   texts         paths, command lines, users, units, products: once each,
 *                 found by a seeded hash
 *   files         path (texts), base (its last part), identity
 *   processes     one row for each image a process has run; fold: its name in
 *                 small letters (texts)
 *   events        merged: bits of the kinds, NULL unless coalesced
 *   details       what only some events have; lock_end NULL: to the end; subject: the
 *                 number of the install or step aside, state: its outcome or state
 *   gaps, verdicts   the same for these two kinds
 *   uses, locks   intervals; until is NULL while they last
 *   blocks        ids come in blocks of 512. For each block: the earliest and
 *                 the latest time in it, a bit for each kind in it, and bit 40
 *                 when an event in it has no file.
 *   installs, install_files, install_holders, install_notes, install_packages,
 *   sidesteps
 *                 see the views; notes: role 0 why, 1 what to do, 2 findings,
 *                 3 who shows old versions; kind (NULL: written by format 2) as in
 *                 common/note_kind.h, about: the number of another install
 *   installed, installed_files
 *                 what was installed of a product at a time; scope: which files of its
 *                 directories are meant; module: its headers are a Windows module's. What the
 *                 next start finds to be otherwise was an install that nobody saw
 *   expected      what the next install of a product should bring, as an administrator
 *                 has named it; elsewhere: another product has a file of that name
 *   event_blocks  which blocks have events about a subject: a file (row * 4),
 *                 a process (row * 4 + 1), a product (text row * 4 + 2), a
 *                 name of processes (fold * 4 + 3)
 *
 * There is no index on time and none on (file, id): a clock can step, and an
 * index entry for each row would cost as much as the row. A question walks the
 * blocks instead, newest first, and skips those that cannot have an answer.
 */
#include "daemon/store/database.h"

#include <stdio.h>

#include "common/err.h"

/* "SPGd"; see SPG_APPLICATION_ID. */
#define APPLICATION_ID "1397770084"

static const char tables_1[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE names(vocabulary TEXT, number INTEGER, name TEXT,"
	" PRIMARY KEY(vocabulary, number)) WITHOUT ROWID;"
	"CREATE TABLE texts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL,"
	" text TEXT NOT NULL);"
	"CREATE INDEX texts_hash ON texts(hash);"
	"CREATE TABLE files(id INTEGER PRIMARY KEY, path INTEGER NOT NULL,"
	" base TEXT NOT NULL COLLATE NOCASE, dev INTEGER NOT NULL,"
	" ino INTEGER NOT NULL);"
	"CREATE INDEX files_path ON files(path);"
	"CREATE INDEX files_base ON files(base);"
	"CREATE TABLE processes(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL,"
	" start INTEGER NOT NULL, started INTEGER, ppid INTEGER, uid INTEGER,"
	" name TEXT COLLATE NOCASE, fold INTEGER, exe INTEGER, cmdline INTEGER, user "
	"INTEGER,"
	" unit INTEGER, unit_user INTEGER, refuses_stop INTEGER NOT NULL);"
	"CREATE INDEX processes_pid ON processes(pid, start);"
	"CREATE TABLE events(id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, merged INTEGER, file INTEGER, process INTEGER,"
	" product INTEGER);"
	"CREATE TABLE details(event INTEGER PRIMARY KEY, interval INTEGER,"
	" since INTEGER, how INTEGER, lock_kind INTEGER, lock_mode INTEGER,"
	" lock_start INTEGER, lock_end INTEGER, detail TEXT);"
	"CREATE TABLE gaps(event INTEGER PRIMARY KEY, reason INTEGER NOT NULL,"
	" since INTEGER, until INTEGER, count INTEGER);"
	"CREATE TABLE verdicts(event INTEGER PRIMARY KEY, verdict INTEGER NOT NULL);"
	"CREATE TABLE uses(interval INTEGER PRIMARY KEY, file INTEGER,"
	" process INTEGER, how INTEGER NOT NULL, since INTEGER NOT NULL,"
	" until INTEGER, cut INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX uses_file ON uses(file);"
	"CREATE INDEX uses_process ON uses(process);"
	"CREATE INDEX uses_until ON uses(until);"
	"CREATE TABLE locks(interval INTEGER PRIMARY KEY, file INTEGER,"
	" process INTEGER, kind INTEGER NOT NULL, mode INTEGER NOT NULL,"
	" start INTEGER NOT NULL, end INTEGER, state INTEGER NOT NULL,"
	" since INTEGER NOT NULL, until INTEGER, cut INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX locks_file ON locks(file);"
	"CREATE INDEX locks_process ON locks(process);"
	"CREATE INDEX locks_until ON locks(until);"
	"CREATE TABLE blocks(id INTEGER PRIMARY KEY, min_at INTEGER NOT NULL,"
	" max_at INTEGER NOT NULL, kinds INTEGER NOT NULL);"
	"CREATE TABLE event_blocks(subject INTEGER, block INTEGER,"
	" PRIMARY KEY(subject, block)) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('seed', random()), ('clean_stop', 1);"
	"PRAGMA application_id = " APPLICATION_ID ";";

static const char tables_2[] =
	"CREATE TABLE installs(id INTEGER PRIMARY KEY, product TEXT NOT NULL,"
	" began INTEGER NOT NULL, ended INTEGER, outcome INTEGER NOT NULL,"
	" last INTEGER NOT NULL, follows INTEGER, pid INTEGER, start INTEGER,"
	" process TEXT COLLATE NOCASE, exe TEXT, cmdline TEXT, user TEXT);"
	"CREATE TABLE install_files(install INTEGER, path TEXT,"
	" change INTEGER NOT NULL, from_version TEXT, to_version TEXT,"
	" from_sha256 TEXT, to_sha256 TEXT, PRIMARY KEY(install, path)) WITHOUT ROWID;"
	"CREATE TABLE install_holders(install INTEGER NOT NULL, path TEXT NOT NULL,"
	" pid INTEGER, start INTEGER, process TEXT COLLATE NOCASE, user TEXT,"
	" unit TEXT, how INTEGER NOT NULL);"
	"CREATE INDEX install_holders_install ON install_holders(install);"
	"CREATE TABLE install_notes(install INTEGER, role INTEGER, n INTEGER,"
	" text TEXT NOT NULL, PRIMARY KEY(install, role, n)) WITHOUT ROWID;"
	"CREATE TABLE sidesteps(id INTEGER PRIMARY KEY, product TEXT NOT NULL,"
	" path TEXT NOT NULL, old_path TEXT NOT NULL, dev INTEGER NOT NULL,"
	" ino INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,"
	" changed INTEGER NOT NULL, uid INTEGER NOT NULL, detail TEXT);";

static const char tables_3[] =
	"ALTER TABLE install_notes ADD COLUMN kind TEXT;"
	/* What is left of an install is compared by its findings. */
	"UPDATE install_notes SET kind = 'misfit' WHERE role = 2;"
	"ALTER TABLE install_notes ADD COLUMN file TEXT;"
	"ALTER TABLE install_notes ADD COLUMN process TEXT;"
	"ALTER TABLE install_notes ADD COLUMN unit TEXT;"
	"ALTER TABLE install_notes ADD COLUMN place TEXT;"
	"ALTER TABLE install_notes ADD COLUMN command TEXT;"
	"ALTER TABLE install_notes ADD COLUMN how INTEGER;"
	"ALTER TABLE install_notes ADD COLUMN pid INTEGER;"
	"ALTER TABLE install_notes ADD COLUMN about INTEGER;"
	"ALTER TABLE install_notes ADD COLUMN finding INTEGER;"
	"ALTER TABLE details ADD COLUMN subject INTEGER;"
	"ALTER TABLE details ADD COLUMN state INTEGER;";

static const char tables_4[] = "ALTER TABLE install_files ADD COLUMN guessed INTEGER;";

static const char tables_5[] =
	"CREATE TABLE installed(product TEXT PRIMARY KEY, scope TEXT NOT NULL,"
	" at INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE installed_files(product TEXT, path TEXT, version TEXT, sha256 "
	"TEXT,"
	" module INTEGER NOT NULL, PRIMARY KEY(product, path)) WITHOUT ROWID;";

static const char tables_6[] =
	"CREATE TABLE install_packages(install INTEGER, n INTEGER, name TEXT NOT NULL,"
	" from_version TEXT, to_version TEXT, from_known INTEGER NOT NULL,"
	" PRIMARY KEY(install, n)) WITHOUT ROWID;"
	"ALTER TABLE install_files ADD COLUMN package TEXT;"
	"ALTER TABLE install_files ADD COLUMN package_version TEXT;";

static const char tables_7[] =
	"CREATE TABLE expected(product TEXT, n INTEGER, path TEXT NOT NULL,"
	" version TEXT, sha256 TEXT, elsewhere INTEGER NOT NULL,"
	" PRIMARY KEY(product, n)) WITHOUT ROWID;";

/* Append only: a step that has shipped is never edited. */
const struct spg_schema_step spg_schema_steps[] = {{tables_1}, {tables_2}, {tables_3},
	{tables_4}, {tables_5}, {tables_6}, {tables_7}};
const int spg_schema_version = sizeof(spg_schema_steps) / sizeof(spg_schema_steps[0]);

/* A statement a line reads better. */
/* clang-format off */
#define ISO(ns) \
	"strftime('%Y-%m-%dT%H:%M:%S', " ns " / 1000000000, 'unixepoch')" \
	" || printf('.%06dZ', " ns " % 1000000000 / 1000)"
#define WORD(vocabulary, number) \
	"(SELECT n.name FROM names n" \
	" WHERE n.vocabulary = '" vocabulary "' AND n.number = " number ")"
#define WORDS(vocabulary, bits) \
	"(SELECT group_concat(name, ',') FROM (SELECT n.name FROM names n" \
	" WHERE n.vocabulary = '" vocabulary "' AND (" bits " >> n.number) & 1" \
	" ORDER BY n.number))"
#define TEXT(row) "(SELECT t.text FROM texts t WHERE t.id = " row ")"

/* Of an interval in table x. */
#define WHO_AND_WHAT \
	TEXT("f.path") " AS path, f.base AS name," \
	" p.name AS process, p.pid AS pid," \
	TEXT("p.exe") " AS exe," \
	TEXT("p.cmdline") " AS cmdline," \
	TEXT("p.user") " AS user," \
	TEXT("p.unit") " AS unit,"
#define FROM_WHEN \
	ISO("x.since") " AS since," \
	ISO("x.until") " AS until," \
	" x.cut AS cut, x.since AS since_ns, x.until AS until_ns"
#define WITH_FILE_AND_PROCESS \
	" LEFT JOIN files f ON f.id = x.file" \
	" LEFT JOIN processes p ON p.id = x.process;"

static const char views[] =
	"DROP VIEW IF EXISTS history;"
	"CREATE VIEW history AS SELECT"
	" x.id AS id,"
	ISO("x.at") " AS at, x.at AS at_ns,"
	WORD("kind", "x.kind") " AS kind,"
	WORDS("kind", "x.merged") " AS coalesced,"
	TEXT("f.path") " AS path, f.base AS name,"
	" p.pid AS pid, p.name AS process,"
	TEXT("p.exe") " AS exe,"
	TEXT("p.user") " AS user,"
	TEXT("p.unit") " AS unit,"
	TEXT("x.product") " AS product,"
	" d.interval AS interval,"
	WORDS("how", "d.how") " AS how,"
	WORD("lock", "d.lock_kind") " AS lock_kind,"
	WORD("mode", "d.lock_mode") " AS lock_mode,"
	" d.lock_start AS lock_start, d.lock_end AS lock_end,"
	WORD("gap", "g.reason") " AS gap,"
	WORD("verdict", "v.verdict") " AS verdict,"
	" d.detail AS detail, d.subject AS subject,"
	" CASE x.kind WHEN 16 THEN " WORD("outcome", "d.state")
	" WHEN 19 THEN " WORD("sidestep", "d.state") " END AS outcome"
	" FROM events x"
	" LEFT JOIN details d ON d.event = x.id"
	" LEFT JOIN gaps g ON g.event = x.id"
	" LEFT JOIN verdicts v ON v.event = x.id"
	WITH_FILE_AND_PROCESS

	"DROP VIEW IF EXISTS file_uses;"
	"CREATE VIEW file_uses AS SELECT "
	WHO_AND_WHAT
	WORDS("how", "x.how") " AS how,"
	FROM_WHEN
	" FROM uses x"
	WITH_FILE_AND_PROCESS

	"DROP VIEW IF EXISTS file_locks;"
	"CREATE VIEW file_locks AS SELECT "
	WHO_AND_WHAT
	WORD("lock", "x.kind") " AS kind,"
	WORD("mode", "x.mode") " AS mode,"
	" x.start AS start, x.end AS end,"
	WORD("state", "x.state") " AS state,"
	FROM_WHEN
	" FROM locks x"
	WITH_FILE_AND_PROCESS

	"DROP VIEW IF EXISTS history_gaps;"
	"CREATE VIEW history_gaps AS SELECT"
	" x.id AS id,"
	ISO("x.at") " AS at, x.at AS at_ns,"
	WORD("gap", "g.reason") " AS reason,"
	ISO("g.since") " AS since,"
	ISO("g.until") " AS until,"
	" g.since AS since_ns, g.until AS until_ns,"
	" g.count AS count, d.detail AS detail"
	" FROM gaps g"
	" JOIN events x ON x.id = g.event"
	" LEFT JOIN details d ON d.event = g.event;"

	"DROP VIEW IF EXISTS verdict_changes;"
	"CREATE VIEW verdict_changes AS SELECT"
	" x.id AS id,"
	ISO("x.at") " AS at, x.at AS at_ns,"
	TEXT("x.product") " AS product,"
	WORD("verdict", "v.verdict") " AS verdict,"
	" d.detail AS detail"
	" FROM verdicts v"
	" JOIN events x ON x.id = v.event"
	" LEFT JOIN details d ON d.event = v.event;"

	"DROP VIEW IF EXISTS install_history;"
	"CREATE VIEW install_history AS SELECT"
	" x.id AS id, x.product AS product,"
	ISO("x.began") " AS began,"
	ISO("x.ended") " AS ended,"
	WORD("outcome", "x.outcome") " AS outcome,"
	" x.follows AS follows, x.pid AS pid, x.process AS process, x.exe AS exe,"
	" x.cmdline AS cmdline, x.user AS user,"
	" x.began AS began_ns, x.ended AS ended_ns"
	" FROM installs x;"

	"DROP VIEW IF EXISTS install_changes;"
	"CREATE VIEW install_changes AS SELECT"
	" x.install AS install, x.path AS path,"
	WORD("change", "x.change") " AS change,"
	" coalesce(x.guessed, 0) AS guessed,"
	" x.from_version AS from_version, x.to_version AS to_version,"
	" x.from_sha256 AS from_sha256, x.to_sha256 AS to_sha256,"
	" (SELECT group_concat(h.process || ' (' || h.pid || ')', ', ')"
	" FROM install_holders h WHERE h.install = x.install AND h.path = x.path)"
	" AS holders, x.package AS package, x.package_version AS package_version"
	" FROM install_files x;"

	"DROP VIEW IF EXISTS package_changes;"
	"CREATE VIEW package_changes AS SELECT"
	" x.install AS install, x.name AS package, x.from_version AS from_version,"
	" x.to_version AS to_version, x.from_known AS from_known"
	" FROM install_packages x;"

	"DROP VIEW IF EXISTS sidestep_journal;"
	"CREATE VIEW sidestep_journal AS SELECT"
	" x.id AS id, x.product AS product, x.path AS path, x.old_path AS old_path,"
	WORD("sidestep", "x.state") " AS state,"
	ISO("x.at") " AS at,"
	ISO("x.changed") " AS changed,"
	" x.uid AS uid, x.detail AS detail, x.at AS at_ns, x.changed AS changed_ns"
	" FROM sidesteps x;";
/* clang-format on */

static int get_pragma(struct spg_db *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? 0 : spg_db_fail(db, rc, "read");
}

/* A file without a version is ours to fill only if it is empty. */
static int check_owner(struct spg_db *db, int64_t found, int version)
{
	int64_t id = 0, n = 0;
	int r;

	if (found > version) {
		snprintf(db->why, sizeof(db->why),
			"the database was made by a newer spguard (format %lld, this "
			"one knows %d): update spguard or name another database",
			(long long)found, version);
		return SPG_ERR_UNSUPPORTED;
	}
	r = get_pragma(db, "PRAGMA application_id", &id);
	if (r == 0)
		r = get_pragma(db, "SELECT count(*) FROM sqlite_schema", &n);
	if (r < 0)
		return r;
	if (n > 0 && id != SPG_APPLICATION_ID) {
		snprintf(db->why, sizeof(db->why),
			"the database belongs to another program: name another one");
		return SPG_ERR_UNSUPPORTED;
	}
	return 0;
}

int spg_schema_migrate(
	struct spg_db *db, const struct spg_schema_step *steps, int version)
{
	char set_version[64];
	int64_t found = 0;
	int r = get_pragma(db, "PRAGMA user_version", &found);

	if (r == 0)
		r = check_owner(db, found, version);
	if (r < 0 || found == version)
		return r;
	r = spg_db_exec(db, "BEGIN IMMEDIATE");
	for (int64_t v = found < 0 ? 0 : found; r == 0 && v < version; v++)
		r = spg_db_exec(db, steps[v].sql);
	if (r == 0)
		r = spg_db_exec(db, views);
	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version);
	if (r == 0)
		r = spg_db_exec(db, set_version);
	if (r == 0)
		r = spg_db_exec(db, "COMMIT");
	if (r < 0)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

struct word {
	const char *vocabulary;
	int number;
	const char *name;
};

static int write_word(sqlite3_stmt *statement, struct word word)
{
	sqlite3_bind_text(statement, 1, word.vocabulary, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 2, word.number);
	sqlite3_bind_text(statement, 3, word.name, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite3_reset(statement);
	return sqlite3_reset(statement);
}

int spg_schema_write_names(struct spg_db *db)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(
		db->sql, "INSERT OR REPLACE INTO names VALUES(?, ?, ?)", -1, &s, NULL);

	for (int i = 0; rc == SQLITE_OK && i < SPG_EVENT_KINDS; i++)
		rc = write_word(s, (struct word){"kind", i, spg_event_kind_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_USE_HOWS; i++)
		rc = write_word(s, (struct word){"how", i, spg_use_how_name(1 << i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_LOCK_KINDS; i++)
		rc = write_word(s, (struct word){"lock", i, spg_lock_kind_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_LOCK_MODES; i++)
		rc = write_word(s, (struct word){"mode", i, spg_lock_mode_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_LOCK_STATES; i++)
		rc = write_word(s, (struct word){"state", i, spg_lock_state_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_VERDICT_KINDS; i++)
		rc = write_word(s, (struct word){"verdict", i, spg_verdict_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_GAP_REASONS; i++)
		rc = write_word(s, (struct word){"gap", i, spg_gap_reason_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_INSTALL_OUTCOMES; i++)
		rc = write_word(
			s, (struct word){"outcome", i, spg_install_outcome_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_CHANGES; i++)
		rc = write_word(
			s, (struct word){"change", i, spg_install_change_name(i)});
	for (int i = 0; rc == SQLITE_OK && i < SPG_SIDESTEP_STATES; i++)
		rc = write_word(
			s, (struct word){"sidestep", i, spg_sidestep_state_name(i)});
	sqlite3_finalize(s);
	return rc == SQLITE_OK ? 0 : spg_db_fail(db, rc, "write");
}
