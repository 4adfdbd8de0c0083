/* SPDX-License-Identifier: MIT */
#include "daemon/store/database.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

#define ROW       "(?, ?, ?, ?, ?, ?, ?)"
#define ROWS_4    ROW ", " ROW ", " ROW ", " ROW
#define MANY_ROWS ROWS_4 ", " ROWS_4 ", " ROWS_4 ", " ROWS_4

/* So many installs are remembered. */
/* ... besides the latest of each product, which its verdict is built on. */
#define KEPT      "1000"
/* Install i is an acceptance of what others left. */
#define ACCEPTED                                                                       \
	"EXISTS (SELECT 1 FROM install_notes n WHERE n.install = i.id"                 \
	" AND n.role = 0 AND n.kind = 'accepted')"
/* Of each product: the latest, the latest that has ended, the latest that changed files,
 * and the latest by which somebody accepted what was left. */
#define LATEST                                                                         \
	"(SELECT max(id) FROM installs GROUP BY product"                               \
	" UNION SELECT max(id) FROM installs WHERE outcome != 0 GROUP BY product"      \
	" UNION SELECT max(i.id) FROM installs i WHERE EXISTS"                         \
	" (SELECT 1 FROM install_files f WHERE f.install = i.id)"                      \
	" AND NOT " ACCEPTED " GROUP BY i.product"                                     \
	" UNION SELECT max(i.id) FROM installs i WHERE " ACCEPTED                      \
	" GROUP BY i.product)"
#define EXPIRED " (install <= ?1 - " KEPT " AND install NOT IN " LATEST ")"

/* Subjects of the events of one block on one side of a moment. */
#define SUBJECTS_OF(condition)                                                         \
	"SELECT file * 4 FROM events WHERE id BETWEEN ?2 AND ?3 AND " condition        \
	" AND file IS NOT NULL UNION SELECT process * 4 + 1 FROM events"               \
	" WHERE id BETWEEN ?2 AND ?3 AND " condition " AND process IS NOT NULL"        \
	" UNION SELECT product * 4 + 2 FROM events WHERE id BETWEEN ?2 AND ?3"         \
	" AND " condition " AND product IS NOT NULL"                                   \
	" UNION SELECT fold * 4 + 3 FROM events JOIN processes p ON p.id = process"    \
	" WHERE events.id BETWEEN ?2 AND ?3 AND " condition " AND fold IS NOT NULL"
#define OLD_EVENTS "SELECT id FROM events WHERE id BETWEEN ?1 AND ?2 AND at < ?3"

/* @how: an expression that gives a set of spg_use_how. */
#define INTERVALS(table, how)                                                          \
	"SELECT interval, since, until, cut, file, process, " how " FROM " table
#define INTERVALS_OPEN(table, how)                                                     \
	INTERVALS(table, how)                                                          \
	" WHERE until IS NULL AND interval > ?1 ORDER BY interval LIMIT ?2"
#define INTERVALS_ENDED(table, how)                                                    \
	INTERVALS(table, how)                                                          \
	" WHERE (until, interval) > (?3, ?1) ORDER BY until, interval LIMIT ?2"
#define LOCK_HOW "CASE state WHEN 0 THEN 16 ELSE 32 END"

static const char *const sql_text[SPG_SQL_N] = {
	[SPG_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SPG_SQL_COMMIT] = "COMMIT",
	[SPG_SQL_ROLLBACK] = "ROLLBACK",
	[SPG_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[SPG_SQL_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
	[SPG_SQL_META_BATCH] = "INSERT OR REPLACE INTO meta VALUES('last_alive', ?1),"
			       " ('last_id', ?2), ('last_interval', ?3), ('rows', ?4)",
	[SPG_SQL_TEXT_FIND] = "SELECT id FROM texts WHERE hash = ?1 AND text = ?2",
	[SPG_SQL_TEXT_ADD] = "INSERT INTO texts(hash, text) VALUES(?1, ?2)",
	[SPG_SQL_TEXT_GET] = "SELECT text FROM texts WHERE id = ?1",
	[SPG_SQL_FILE_FIND] =
		"SELECT id FROM files WHERE path = ?1 AND dev = ?2 AND ino = ?3",
	[SPG_SQL_FILE_ADD] =
		"INSERT INTO files(path, base, dev, ino) VALUES(?1, ?2, ?3, ?4)",
	[SPG_SQL_FILE_GET] = "SELECT t.text, f.dev, f.ino FROM files f"
			     " JOIN texts t ON t.id = f.path WHERE f.id = ?1",
	[SPG_SQL_PROCESS_FIND] =
		"SELECT id FROM processes WHERE pid = ?1 AND start = ?2"
		" AND started IS ?3 AND ppid IS ?4 AND uid IS ?5"
		" AND name IS ?6 COLLATE BINARY AND exe IS ?7 AND cmdline IS ?8"
		" AND user IS ?9 AND unit IS ?10 AND unit_user IS ?11"
		" AND refuses_stop = ?12",
	[SPG_SQL_PROCESS_ADD] =
		"INSERT INTO processes(pid, start, started, ppid, uid, name, exe,"
		" cmdline, user, unit, unit_user, refuses_stop, fold)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[SPG_SQL_PROCESS_GET] =
		"SELECT pid, start, started, ppid, uid, name, exe, cmdline, user,"
		" unit, unit_user, refuses_stop FROM processes WHERE id = ?1",
	[SPG_SQL_SUBJECT_ADD] = "INSERT OR IGNORE INTO event_blocks VALUES(?1, ?2)",
	[SPG_SQL_BLOCK_ADD] =
		"INSERT INTO blocks VALUES(?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE"
		" SET min_at = min(min_at, excluded.min_at),"
		" max_at = max(max_at, excluded.max_at), kinds = kinds | "
		"excluded.kinds",
	[SPG_SQL_EVENT_ADD] =
		"INSERT OR REPLACE INTO events VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SPG_SQL_EVENT_ADD_MANY] = "INSERT OR REPLACE INTO events VALUES " MANY_ROWS,
	[SPG_SQL_DETAIL_ADD] =
		"INSERT OR REPLACE INTO details(event, interval, since, how, lock_kind,"
		" lock_mode, lock_start, lock_end, detail, subject, state)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[SPG_SQL_GAP_ADD] = "INSERT OR REPLACE INTO gaps VALUES(?1, ?2, ?3, ?4, ?5)",
	[SPG_SQL_VERDICT_ADD] = "INSERT OR REPLACE INTO verdicts VALUES(?1, ?2)",
	[SPG_SQL_USE_BEGIN] = "INSERT INTO uses(interval, file, process, how, since)"
			      " VALUES(?1, ?2, ?3, ?4, ?5)"
			      " ON CONFLICT(interval) DO UPDATE SET how = excluded.how",
	/* The begin may have been lost in a gap: then the end tells it all. */
	[SPG_SQL_USE_END] =
		"INSERT INTO uses(interval, file, process, how, since, until)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(interval) DO UPDATE"
		" SET until = excluded.until, cut = 0",
	[SPG_SQL_USE_CLOSE] =
		"UPDATE uses SET until = ?2 WHERE interval = ?1 AND until IS NULL",
	[SPG_SQL_USE_CUT] =
		"UPDATE uses SET until = max(since, ?1), cut = 1 WHERE until IS NULL",
	[SPG_SQL_LOCK_BEGIN] =
		"INSERT INTO locks(interval, file, process, kind, mode, start, end,"
		" state, since) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
		" ON CONFLICT(interval) DO UPDATE SET mode = excluded.mode,"
		" start = excluded.start, end = excluded.end, state = excluded.state",
	[SPG_SQL_LOCK_END] =
		"INSERT INTO locks(interval, file, process, kind, mode, start, end,"
		" state, since, until) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
		" ON CONFLICT(interval) DO UPDATE SET until = excluded.until, cut = 0",
	[SPG_SQL_LOCK_CLOSE] =
		"UPDATE locks SET until = ?2 WHERE interval = ?1 AND until IS NULL",
	[SPG_SQL_LOCK_CUT] =
		"UPDATE locks SET until = max(since, ?1), cut = 1 WHERE until IS NULL",
	[SPG_SQL_FILES_OF_PATH] = "SELECT id FROM files WHERE path = ?1",
	[SPG_SQL_FILES_OF_NAME] = "SELECT id FROM files WHERE base = ?1",
	[SPG_SQL_PROCESSES_OF_PID] = "SELECT id, fold FROM processes WHERE pid = ?1",
	[SPG_SQL_FOLD_OF_PROCESS] = "SELECT fold FROM processes WHERE id = ?1",
	[SPG_SQL_BLOCK_BELOW] =
		"SELECT id FROM blocks WHERE id <= ?1 AND max_at >= ?2 AND min_at <= ?3"
		" AND kinds & ?4 ORDER BY id DESC LIMIT 1",
	[SPG_SQL_SUBJECT_BELOW] =
		"SELECT block FROM event_blocks WHERE subject = ?1 AND block <= ?2"
		" ORDER BY block DESC LIMIT 1",
	[SPG_SQL_EVENTS_OF_BLOCK] =
		"SELECT e.id, e.at, e.kind, e.merged, e.file, e.process, e.product,"
		" d.interval, d.since, d.how, d.lock_kind, d.lock_mode, d.lock_start,"
		" d.lock_end, d.detail, g.reason, g.since, g.until, g.count, v.verdict,"
		" d.subject, d.state"
		" FROM events e LEFT JOIN details d ON d.event = e.id"
		" LEFT JOIN gaps g ON g.event = e.id AND e.kind = 13"
		" LEFT JOIN verdicts v ON v.event = e.id AND e.kind = 14"
		" WHERE e.id BETWEEN ?1 AND ?2 AND e.at BETWEEN ?3 AND ?4"
		" ORDER BY e.id DESC",
	[SPG_SQL_BLOCKS_OLD] =
		"SELECT id FROM blocks WHERE min_at < ?1 ORDER BY id LIMIT 1",
	[SPG_SQL_BLOCK_OLDEST] = "SELECT min(id) FROM blocks",
	[SPG_SQL_OLDEST_AT] = "SELECT min(min_at) FROM blocks",
	[SPG_SQL_PRUNE_SUBJECTS] =
		"DELETE FROM event_blocks WHERE block = ?1 AND subject IN"
		" (SELECT * FROM (" SUBJECTS_OF("at < ?4") ") EXCEPT SELECT * FROM"
							   " (" SUBJECTS_OF(
								   "at >= ?4") "))",
	[SPG_SQL_PRUNE_DETAILS] = "DELETE FROM details WHERE event IN (" OLD_EVENTS ")",
	[SPG_SQL_PRUNE_GAPS] = "DELETE FROM gaps WHERE event IN (" OLD_EVENTS ")",
	[SPG_SQL_PRUNE_VERDICTS] =
		"DELETE FROM verdicts WHERE event IN (" OLD_EVENTS ")",
	[SPG_SQL_PRUNE_EVENTS] =
		"DELETE FROM events WHERE id BETWEEN ?1 AND ?2 AND at < ?3",
	[SPG_SQL_BLOCK_REMAINS] =
		"SELECT min(at) FROM events WHERE id BETWEEN ?1 AND ?2",
	[SPG_SQL_BLOCK_SET] = "UPDATE blocks SET min_at = ?2 WHERE id = ?1",
	[SPG_SQL_BLOCK_REMOVE] = "DELETE FROM blocks WHERE id = ?1",
	[SPG_SQL_PRUNE_USES] = "DELETE FROM uses WHERE interval IN (SELECT interval"
			       " FROM uses WHERE until < ?1 LIMIT ?2)",
	[SPG_SQL_PRUNE_LOCKS] = "DELETE FROM locks WHERE interval IN (SELECT interval"
				" FROM locks WHERE until < ?1 LIMIT ?2)",
	[SPG_SQL_SWEEP_PROCESSES] =
		"DELETE FROM processes WHERE id BETWEEN ?1 AND ?2"
		" AND NOT EXISTS (SELECT 1 FROM event_blocks WHERE"
		" subject = processes.id * 4 + 1)"
		" AND NOT EXISTS (SELECT 1 FROM uses WHERE process = processes.id)"
		" AND NOT EXISTS (SELECT 1 FROM locks WHERE process = processes.id)",
	[SPG_SQL_SWEEP_FILES] =
		"DELETE FROM files WHERE id BETWEEN ?1 AND ?2"
		" AND NOT EXISTS (SELECT 1 FROM event_blocks WHERE"
		" subject = files.id * 4)"
		" AND NOT EXISTS (SELECT 1 FROM uses WHERE file = files.id)"
		" AND NOT EXISTS (SELECT 1 FROM locks WHERE file = files.id)",
	[SPG_SQL_SWEEP_TEXTS] =
		"DELETE FROM texts WHERE id IN (SELECT id FROM texts"
		" WHERE id BETWEEN ?1 AND ?2 EXCEPT SELECT path FROM files"
		" EXCEPT SELECT exe FROM processes EXCEPT SELECT cmdline FROM processes"
		" EXCEPT SELECT user FROM processes EXCEPT SELECT unit FROM processes"
		" EXCEPT SELECT unit_user FROM processes"
		" EXCEPT SELECT fold FROM processes)"
		" AND NOT EXISTS (SELECT 1 FROM event_blocks WHERE"
		" subject = texts.id * 4 + 2)",
	[SPG_SQL_LAST_ROW] = "SELECT CASE ?1 WHEN 0 THEN (SELECT max(id) FROM"
			     " processes) WHEN 1 THEN (SELECT max(id) FROM files)"
			     " ELSE (SELECT max(id) FROM texts) END",
	[SPG_SQL_PAGE_COUNT] = "PRAGMA page_count",
	[SPG_SQL_FREE_COUNT] = "PRAGMA freelist_count",
	[SPG_SQL_INSTALL_PUT] =
		"INSERT OR REPLACE INTO installs(id, product, began, ended, outcome,"
		" last, follows, pid, start, process, exe, cmdline, user)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[SPG_SQL_INSTALL_FILE_ADD] =
		"INSERT OR REPLACE INTO install_files(install, path, change,"
		" from_version, to_version, from_sha256, to_sha256, guessed, package,"
		" package_version) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[SPG_SQL_INSTALL_HOLDER_ADD] = "INSERT INTO install_holders"
				       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SPG_SQL_INSTALL_NOTE_ADD] =
		"INSERT INTO install_notes(install, role, n, text, kind, file, process,"
		" unit, place, command, how, pid, about, finding)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
		" ?14)",
	[SPG_SQL_INSTALL_PACKAGE_ADD] = "INSERT INTO install_packages"
					" VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[SPG_SQL_INSTALL_PACKAGES_CLEAR] =
		"DELETE FROM install_packages WHERE install = ?1 OR" EXPIRED,
	[SPG_SQL_INSTALL_PACKAGES] =
		"SELECT name, from_version, to_version, from_known"
		" FROM install_packages WHERE install = ?1 ORDER BY n",
	[SPG_SQL_INSTALL_FILES_CLEAR] =
		"DELETE FROM install_files WHERE install = ?1 OR" EXPIRED,
	[SPG_SQL_INSTALL_HOLDERS_CLEAR] =
		"DELETE FROM install_holders WHERE install = ?1 OR" EXPIRED,
	[SPG_SQL_INSTALL_NOTES_CLEAR] =
		"DELETE FROM install_notes WHERE install = ?1 OR" EXPIRED,
	[SPG_SQL_INSTALLS] =
		"SELECT id, product, began, ended, outcome, last, follows, pid, start,"
		" process, exe, cmdline, user FROM installs WHERE (?1 IS NULL OR"
		" id = ?1) AND (?2 IS NULL OR product = ?2)"
		" ORDER BY id DESC LIMIT ?3",
	[SPG_SQL_INSTALLS_LATEST] =
		"SELECT id, product, began, ended, outcome, last, follows, pid, start,"
		" process, exe, cmdline, user FROM installs WHERE id IN " LATEST
		" ORDER BY id",
	[SPG_SQL_INSTALL_FILES] =
		"SELECT path, change, from_version, to_version, from_sha256, to_sha256,"
		" guessed, package, package_version FROM install_files"
		" WHERE install = ?1",
	[SPG_SQL_INSTALL_HOLDERS] =
		"SELECT path, pid, start, process, user, unit, how"
		" FROM install_holders WHERE install = ?1 ORDER BY rowid",
	[SPG_SQL_INSTALL_NOTES] =
		"SELECT role, text, kind, file, process, unit, place, command, how,"
		" pid, about, finding FROM install_notes WHERE install = ?1 ORDER BY "
		"role, n",
	[SPG_SQL_INSTALL_EXPIRE] =
		"DELETE FROM installs WHERE id <= ?1 - " KEPT " AND id NOT IN " LATEST,
	[SPG_SQL_INSTALL_LAST] = "SELECT max(id) FROM installs",
	[SPG_SQL_INSTALLED_PUT] = "INSERT OR REPLACE INTO installed VALUES(?1, ?2, ?3)",
	[SPG_SQL_INSTALLED_FILE_PUT] =
		"INSERT OR REPLACE INTO installed_files VALUES(?1, ?2, ?3, ?4, ?5)",
	[SPG_SQL_INSTALLED_FILE_REMOVE] =
		"DELETE FROM installed_files WHERE product = ?1 AND path = ?2",
	[SPG_SQL_INSTALLED_FILES_CLEAR] =
		"DELETE FROM installed_files WHERE product = ?1",
	[SPG_SQL_INSTALLED] = "SELECT product, scope, at FROM installed",
	[SPG_SQL_INSTALLED_FILES] =
		"SELECT path, version, sha256, module FROM installed_files"
		" WHERE product = ?1 ORDER BY path",
	[SPG_SQL_EXPECTED_ADD] = "INSERT INTO expected VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[SPG_SQL_EXPECTED_CLEAR] = "DELETE FROM expected WHERE product = ?1",
	[SPG_SQL_EXPECTED] = "SELECT product, path, version, sha256, elsewhere"
			     " FROM expected ORDER BY product, n",
	[SPG_SQL_SIDESTEP_PUT] =
		"INSERT OR REPLACE INTO sidesteps"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[SPG_SQL_SIDESTEPS] =
		"SELECT * FROM (SELECT id, product, path, old_path, dev, ino, state,"
		" at, changed, uid, detail FROM sidesteps ORDER BY id DESC LIMIT ?1)"
		" ORDER BY id",
	[SPG_SQL_SIDESTEP_LAST] = "SELECT max(id) FROM sidesteps",
	[SPG_SQL_USES_OPEN] = INTERVALS_OPEN("uses", "how"),
	[SPG_SQL_USES_ENDED] = INTERVALS_ENDED("uses", "how"),
	[SPG_SQL_LOCKS_OPEN] = INTERVALS_OPEN("locks", LOCK_HOW),
	[SPG_SQL_LOCKS_ENDED] = INTERVALS_ENDED("locks", LOCK_HOW),
	[SPG_SQL_GAPS_BEHIND] =
		"SELECT g.event, g.since, g.until, g.reason, e.at, e.product"
		" FROM gaps g JOIN events e ON e.id = g.event WHERE g.event > ?1"
		" ORDER BY g.event LIMIT ?2",
	[SPG_SQL_PROCESS_WHO] =
		"SELECT p.name, (SELECT text FROM texts WHERE id = p.exe),"
		" (SELECT text FROM texts WHERE id = p.unit), p.pid"
		" FROM processes p WHERE p.id = ?1",
};

_Static_assert(SPG_LOCK_HELD == 0 && SPG_USE_LOCKED == 16 && SPG_USE_WAITING == 32,
	"LOCK_HOW names these");
_Static_assert(SPG_EVENT_GAP == 13 && SPG_EVENT_VERDICT == 14,
	"SPG_SQL_EVENTS_OF_BLOCK names these kinds");

void spg_db_set_patience(struct spg_db *db, int ms)
{
	if (db->sql)
		sqlite3_busy_timeout(db->sql, ms);
}

static int translate(struct spg_db *db, int rc)
{
	int errnum = db->sql ? sqlite3_system_errno(db->sql) : 0;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return SPG_ERR_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return SPG_ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SPG_ERR_BUSY;
	case SQLITE_NOMEM:
		return SPG_ERR_NOMEM;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return SPG_ERR_DENIED;
	case SQLITE_CANTOPEN:
		return errnum == EACCES || errnum == EPERM ? SPG_ERR_DENIED
		       : errnum == ENOSPC                  ? SPG_ERR_FULL
		                                           : SPG_ERR_IO;
	default:
		return errnum == ENOSPC || errnum == EDQUOT ? SPG_ERR_FULL : SPG_ERR_IO;
	}
}

static const char *remedy(int err)
{
	switch (err) {
	case SPG_ERR_FULL:
		return "make room on its filesystem, or lower retain-size";
	case SPG_ERR_BUSY:
		return "another program has it locked; let it finish";
	case SPG_ERR_DENIED:
		return "make the file and its directory writable for the daemon";
	case SPG_ERR_CORRUPT:
		return "it is set aside";
	case SPG_ERR_NOMEM:
		return "free some memory";
	default:
		return "look at the kernel's log for its disk";
	}
}

int spg_db_fail(struct spg_db *db, int rc, const char *what)
{
	int err = translate(db, rc);

	if (err == 0)
		err = SPG_ERR_IO; /* a row where none was due, or the reverse */
	snprintf(db->why, sizeof(db->why), "cannot %s the database: %s (%d): %s", what,
		db->sql ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc), rc,
		remedy(err));
	return err;
}

static sqlite3_stmt *statement_of(struct spg_db *db, enum spg_sql which)
{
	int rc;

	if (db->statements[which]) {
		sqlite3_reset(db->statements[which]);
		return db->statements[which];
	}
	if (!db->sql) {
		return NULL; /* db->why still says why it could not be opened */
	}
	rc = sqlite3_prepare_v3(db->sql, sql_text[which], -1, SQLITE_PREPARE_PERSISTENT,
		&db->statements[which], NULL);
	if (rc != SQLITE_OK)
		spg_db_fail(db, rc, "read");
	return db->statements[which];
}

static int bind_one(sqlite3_stmt *s, int i, char type, va_list *args)
{
	int64_t number;

	switch (type) {
	case 'z':
		return sqlite3_bind_text(
			s, i, va_arg(*args, const char *), -1, SQLITE_STATIC);
	case '-':
		return sqlite3_bind_null(s, i);
	default:
		number = va_arg(*args, int64_t);
		if ((type == 'n' && number == 0) ||
			(type == 'e' && number == SPG_LOCK_EOF))
			return sqlite3_bind_null(s, i);
		return sqlite3_bind_int64(s, i, number);
	}
}

static sqlite3_stmt *bind_all(struct spg_db *db, enum spg_sql which, int *ret_err,
	const char *types, va_list *args)
{
	sqlite3_stmt *s = statement_of(db, which);
	int rc = SQLITE_OK;

	for (int i = 1; s && rc == SQLITE_OK && types[i - 1]; i++)
		rc = bind_one(s, i, types[i - 1], args);
	if (s && rc == SQLITE_OK)
		return s;
	if (!db->sql)
		*ret_err = SPG_ERR_IO;
	else
		*ret_err = spg_db_fail(db, s ? rc : sqlite3_errcode(db->sql), "read");
	return NULL;
}

sqlite3_stmt *spg_db_bind(
	struct spg_db *db, enum spg_sql which, int *ret_err, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list args;
	int err;

	va_start(args, types);
	s = bind_all(db, which, &err, types, &args);
	va_end(args);
	if (!s && ret_err)
		*ret_err = err;
	return s;
}

int spg_db_run(struct spg_db *db, enum spg_sql which, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list args;
	int rc, err = 0;

	va_start(args, types);
	s = bind_all(db, which, &err, types, &args);
	va_end(args);
	if (!s)
		return err;
	rc = sqlite3_step(s);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = spg_db_fail(db, rc, "write");
	sqlite3_reset(s);
	return err;
}

int spg_db_get(
	struct spg_db *db, enum spg_sql which, int64_t *ret, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list args;
	int rc, err = 0;

	va_start(args, types);
	s = bind_all(db, which, &err, types, &args);
	va_end(args);
	if (!s)
		return err;
	rc = sqlite3_step(s);
	if (rc == SQLITE_DONE ||
		(rc == SQLITE_ROW && sqlite3_column_type(s, 0) == SQLITE_NULL))
		err = SPG_DB_NONE;
	else if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		err = spg_db_fail(db, rc, "read");
	sqlite3_reset(s);
	return err;
}

int spg_db_exec(struct spg_db *db, const char *sql)
{
	int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : spg_db_fail(db, rc, "write");
}

int spg_db_begin(struct spg_db *db, bool sync)
{
	int r = 0;

	if (!db->sql)
		return SPG_ERR_IO;
	/* PRAGMA synchronous has no effect inside a transaction. */
	if (sync != db->full_sync)
		r = spg_db_exec(db, sync ? "PRAGMA synchronous = FULL"
					 : "PRAGMA synchronous = NORMAL");
	if (r < 0)
		return r;
	db->full_sync = sync;
	db->block.id = SPG_BLOCK_NONE;
	db->rows.n = 0;
	return spg_db_run(db, SPG_SQL_BEGIN, "");
}

int spg_db_commit(struct spg_db *db, int64_t now_ns)
{
	int r = spg_db_flush(db);

	if (r == 0)
		r = spg_db_run(db, SPG_SQL_META_BATCH, "iiii", now_ns, db->now.last_id,
			db->now.last_interval, db->now.rows);
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_COMMIT, "");
	if (r < 0) {
		spg_db_rollback(db);
		return r;
	}
	db->saved = db->now;
	db->unsynced = !db->full_sync;
	return 0;
}

void spg_db_rollback(struct spg_db *db)
{
	if (db->sql && !sqlite3_get_autocommit(db->sql)) {
		/* A statement in flight would keep the rollback from ending. */
		for (size_t i = 0; i < SPG_SQL_N; i++)
			sqlite3_reset(db->statements[i]);
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	}
	db->now = db->saved;
	db->block.id = SPG_BLOCK_NONE;
	db->rows.n = 0;
	spg_intern_forget(db->intern);
}

void spg_db_disconnect(struct spg_db *db)
{
	for (size_t i = 0; i < SPG_SQL_N; i++) {
		sqlite3_finalize(db->statements[i]);
		db->statements[i] = NULL;
	}
	if (db->sql && db->path_fd >= 0)
		close(db->path_fd);
	db->path_fd = -1;
	sqlite3_close(db->sql);
	db->sql = NULL;
	db->full_sync = false;
	spg_intern_forget(db->intern);
}

uint64_t spg_db_bytes(const struct spg_db *db)
{
	char wal[4096];
	struct stat st;
	uint64_t bytes = 0;
	int n = snprintf(wal, sizeof(wal), "%s-wal", db->path);

	if (stat(db->path, &st) == 0)
		bytes += (uint64_t)st.st_size;
	if (n > 0 && (size_t)n < sizeof(wal) && stat(wal, &st) == 0)
		bytes += (uint64_t)st.st_size;
	return bytes;
}

int spg_db_meta(struct spg_db *db, const char *key, int64_t missing, int64_t *ret)
{
	int r = spg_db_get(db, SPG_SQL_META_GET, ret, "z", key);

	if (r == SPG_DB_NONE) {
		*ret = missing;
		return 0;
	}
	return r;
}
