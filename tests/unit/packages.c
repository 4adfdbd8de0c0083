/* SPDX-License-Identifier: MIT */
/* What the databases of dpkg and rpm say of files: whole ones, cut ones, hostile ones. */
#include "daemon/host/packages.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/host/linux/dpkg.h"
#include "daemon/host/linux/rpm.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

/* ---- a directory to play in ---- */

static char root[64];

static void make_directories(const char *path)
{
	char dir[512];

	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(at - path), path);
		ck_assert(mkdir(dir, 0755) == 0 || errno == EEXIST);
	}
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_directories(path);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void begin(void)
{
	snprintf(root, sizeof(root), "/tmp/spguard-packages-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static struct spg_package_database *open_database(void)
{
	const struct spg_package_place place = {.root = root};
	struct spg_package_database *db = spg_package_database_create(&place);

	ck_assert_ptr_nonnull(db);
	return db;
}

/* Read what the NULL-terminated @names below the root are of. */
static int read_again(struct spg_package_database *db, const char *const *names,
	struct spg_packages *known, struct spg_packages **ret, bool slowly)
{
	const char *why = NULL;
	char paths[16][512];
	const char *list[16];
	size_t n = 0;
	int r;

	for (; names[n]; n++) {
		snprintf(paths[n], sizeof(paths[n]), "%s/%s", root, names[n]);
		list[n] = paths[n];
	}
	ck_assert_int_eq(spg_package_database_begin(db, list, n, known), 0);
	do
		r = spg_package_database_step(
			db, slowly ? 0 : spg_clock_mono_ns() + SPG_NS_PER_S, &why);
	while (r > 0);
	if (r == 0)
		*ret = spg_package_database_take(db);
	else
		ck_assert_ptr_nonnull(why);
	return r;
}

/* "NAME VERSION" of what @name below the root is of, or "-". */
static const char *owner(const struct spg_packages *packages, const char *name)
{
	static char text[256];
	const struct spg_package *package;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	package = spg_packages_owner(packages, path);
	if (!package)
		return "-";
	snprintf(text, sizeof(text), "%s %s", package->name, package->version);
	return text;
}

/* ---- dpkg ---- */

#define STATUS                                                                         \
	"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\n"           \
	"Version: 1.22\n\n"                                                            \
	"Package: liba\nStatus: install ok installed\nArchitecture: amd64\n"           \
	"Description: of a library\n Version: none\n\tPackage: none\nVersion: 1:2-3\n" \
	"\n"                                                                           \
	"package: liba\nSTATUS: install ok unpacked\nArchitecture: i386\n"             \
	"Version: 1:2-4\n\n"                                                           \
	"Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\n"        \
	"Version: 9\n\n"                                                               \
	"Package: never\nStatus: unknown ok not-installed\nArchitecture: all\n\n"      \
	"Package: diverter\nStatus: install ok half-configured\nVersion: 7"

static void make_dpkg(void)
{
	put("usr/lib/liba.so", "");
	put("usr/lib/tool", "");
	put("usr/lib/tool.distrib", "");
	put("usr/lib/other", "");
	ck_assert_int_eq(chdir(root), 0);
	ck_assert(symlink("usr/lib", "lib") == 0);
	ck_assert_int_eq(chdir("/"), 0);
	put("var/lib/dpkg/status", STATUS);
	put("var/lib/dpkg/diversions",
		"/usr/lib/tool\n/usr/lib/tool.distrib\ndiverter\n/a\n");
	put("var/lib/dpkg/info/liba:amd64.list",
		"/.\n/usr\n/usr/lib\n/lib/liba.so\n/usr/lib/tool\n");
	put("var/lib/dpkg/info/liba:i386.list", "/usr/lib32/liba.so\n");
	put("var/lib/dpkg/info/gone.list", "/usr/lib/other\n");
	put("var/lib/dpkg/info/diverter.list", "/usr/lib/tool");
	put("var/lib/dpkg/info/stray.list", "/usr/lib/other\n");
	put("var/lib/dpkg/info/liba:amd64.md5sums", "/usr/lib/other\n");
	put("var/lib/dpkg/updates/0003", "Package: liba\nArchitecture: amd64\n"
					 "Status: install ok unpacked\nVersion: 5\n");
	put("var/lib/dpkg/updates/0002", "Package: liba\nArchitecture: amd64\n"
					 "Status: install ok unpacked\nVersion: 4\n");
	put("var/lib/dpkg/updates/tmp.i", "Package: liba\nVersion: 6\n");
}

static const char *const dpkg_files[] = {"lib/liba.so", "usr/lib/liba.so",
	"usr/lib/other", "usr/lib/tool", "usr/lib/tool.distrib", "usr/lib32/liba.so",
	NULL};

static void check_dpkg(const struct spg_packages *packages, const char *liba)
{
	ck_assert_str_eq(owner(packages, "usr/lib/liba.so"), liba);
	ck_assert_str_eq(owner(packages, "lib/liba.so"), liba);
	ck_assert_str_eq(owner(packages, "usr/lib/tool"), "diverter 7");
	ck_assert_str_eq(owner(packages, "usr/lib/tool.distrib"), liba);
	ck_assert_str_eq(owner(packages, "usr/lib/other"), "-");
	/* Its directory is not there. */
	ck_assert_str_eq(owner(packages, "usr/lib32/liba.so"), "-");
	ck_assert_uint_eq(packages->n, 4);
	ck_assert_str_eq(packages->items[3].name, "liba:i386");
	ck_assert_uint_eq(spg_packages_find(packages, "gone"), SPG_PACKAGE_NONE);
}

START_TEST(dpkg)
{
	struct spg_packages *packages = NULL;
	struct spg_package_database *db;

	begin();
	make_dpkg();
	db = open_database();
	ck_assert_int_eq(read_again(db, dpkg_files, NULL, &packages, false), 0);
	check_dpkg(packages, "liba 5");
	spg_packages_unref(packages);
	/* What is as it was is not read again; what has changed is. */
	ck_assert_int_eq(read_again(db, dpkg_files, NULL, &packages, true), 0);
	check_dpkg(packages, "liba 5");
	spg_packages_unref(packages);
	put("var/lib/dpkg/updates/0003", "");
	put("var/lib/dpkg/info/new.list", "/usr/lib/other\n");
	put("var/lib/dpkg/updates/0004",
		"Package: new\nStatus: install reinstreq half-installed\n"
		"Version: 1\n");
	put("var/lib/dpkg/info/liba:amd64.list", "/usr/lib/liba.so\n");
	ck_assert_int_eq(read_again(db, dpkg_files, NULL, &packages, false), 0);
	ck_assert_str_eq(owner(packages, "lib/liba.so"), "liba 4");
	ck_assert_str_eq(owner(packages, "usr/lib/other"), "new 1");
	ck_assert_str_eq(owner(packages, "usr/lib/tool.distrib"), "-");
	for (size_t i = 0; i < packages->n; i++)
		ck_assert_int_eq(packages->items[i].unfinished,
			strcmp(packages->items[i].name, "new") == 0);
	spg_packages_unref(packages);
	/* Other files. */
	ck_assert_int_eq(read_again(db, dpkg_files + 2, NULL, &packages, true), 0);
	ck_assert_str_eq(owner(packages, "usr/lib/other"), "new 1");
	ck_assert_uint_eq(packages->n_files, 2);
	spg_packages_unref(packages);
	spg_package_database_destroy(db);
	end();
}
END_TEST

START_TEST(no_database)
{
	struct spg_packages *packages = NULL;
	struct spg_package_database *db;

	begin();
	db = open_database();
	ck_assert_int_eq(read_again(db, dpkg_files, NULL, &packages, false), 0);
	ck_assert_uint_eq(packages->n, 0);
	ck_assert_uint_eq(packages->n_files, 0);
	spg_packages_unref(packages);
	spg_package_database_destroy(db);
	end();
}
END_TEST

/* What is no file. */
START_TEST(no_status)
{
	struct spg_packages *packages = NULL;
	struct spg_package_database *db;
	char path[128];

	begin();
	put("var/lib/dpkg/x", "");
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/status", root);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	db = open_database();
	ck_assert_int_eq(
		read_again(db, dpkg_files, NULL, &packages, false), SPG_ERR_INVALID);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(read_again(db, dpkg_files, NULL, &packages, false), 0);
	spg_packages_unref(packages);
	spg_package_database_destroy(db);
	end();
}
END_TEST

static int count(void *user, size_t file)
{
	(void)file;
	++*(int *)user;
	return 0;
}

/* Every beginning of each text, in a block of just that size. */
START_TEST(dpkg_cut)
{
	static const char text[] = STATUS "\n\0Package: \0x\n\n/usr\n/lib/b\nc";
	const char *const paths[] = {"/tmp/x", "/usr/Package"};
	struct spg_asked asked;
	int n_hits = 0;

	ck_assert_int_eq(spg_asked_init(&asked, "", paths, 2), 0);
	ck_assert_int_eq(spg_asked_look(&asked), 0);
	for (size_t n = 0; n < sizeof(text); n++) {
		struct spg_dpkg_status status = {NULL, 0, 0, NULL};
		struct spg_dpkg_diversions diversions = {NULL, 0, 0};
		char *copy = malloc(n ? n : 1);

		memcpy(copy, text, n);
		ck_assert_int_eq(spg_dpkg_status_parse(&status, copy, n), 0);
		ck_assert_int_eq(spg_dpkg_diversions_parse(&diversions, copy, n), 0);
		spg_dpkg_status_sort(&status);
		(void)spg_dpkg_status_of(&status, "liba:i386.list");
		(void)spg_dpkg_status_of(&status, ".list");
		ck_assert_int_eq(spg_dpkg_list_find(copy, n, "x", &diversions, &asked,
					 count, &n_hits),
			0);
		spg_dpkg_status_finish(&status);
		spg_dpkg_diversions_finish(&diversions);
		free(copy);
	}
	ck_assert_int_eq(n_hits, 0);
	spg_asked_finish(&asked);
}
END_TEST

/* ---- rpm ---- */

struct maker {
	struct spg_buf index, data;
	uint32_t n;
};

static void put_number(struct spg_buf *buf, uint32_t number)
{
	const unsigned char bytes[] = {(unsigned char)(number >> 24),
		(unsigned char)(number >> 16), (unsigned char)(number >> 8),
		(unsigned char)number};

	spg_buf_add(buf, bytes, sizeof(bytes));
}

static void add_entry(struct maker *maker, uint32_t tag, uint32_t type, uint32_t n)
{
	put_number(&maker->index, tag);
	put_number(&maker->index, type);
	put_number(&maker->index, (uint32_t)maker->data.len);
	put_number(&maker->index, n);
	maker->n++;
}

static void add_text(struct maker *maker, uint32_t tag, const char *text)
{
	add_entry(maker, tag, 6, 1);
	spg_buf_add(&maker->data, text, strlen(text) + 1);
}

static void add_texts(struct maker *maker, uint32_t tag, const char *const *texts)
{
	uint32_t n = 0;

	while (texts[n])
		n++;
	add_entry(maker, tag, 8, n);
	for (uint32_t i = 0; i < n; i++)
		spg_buf_add(&maker->data, texts[i], strlen(texts[i]) + 1);
}

static void make_header(struct spg_buf *ret, const char *name, uint32_t epoch,
	const char *version, const char *const *dirs, const char *const *bases,
	const uint32_t *of)
{
	struct maker maker = {SPG_BUF_NULL, SPG_BUF_NULL, 0};

	add_entry(&maker, 63, 7, 16);
	put_number(&maker.data, 63);
	if (epoch) {
		add_entry(&maker, 1003, 4, 1);
		put_number(&maker.data, epoch);
	}
	add_entry(&maker, 1116, 4, 2);
	put_number(&maker.data, of[0]);
	put_number(&maker.data, of[1]);
	add_text(&maker, 1000, name);
	add_text(&maker, 1001, version);
	add_text(&maker, 1002, "1.el9");
	add_texts(&maker, 1117, bases);
	add_texts(&maker, 1118, dirs);
	put_number(ret, maker.n);
	put_number(ret, (uint32_t)maker.data.len);
	spg_buf_add(ret, maker.index.data, maker.index.len);
	spg_buf_add(ret, maker.data.data, maker.data.len);
	spg_buf_finish(&maker.index);
	spg_buf_finish(&maker.data);
}

static const char *const dirs[] = {"/usr/lib/", "/opt/x/", NULL};
static const char *const bases[] = {"liba.so", "other", NULL};
static const uint32_t of[] = {0, 1};

START_TEST(rpm_header)
{
	struct spg_buf made = SPG_BUF_NULL;
	struct spg_rpm_header header;
	const char *dir, *base;

	make_header(&made, "liba", 2, "1.5", dirs, bases, of);
	ck_assert_int_eq(spg_rpm_header_parse(
				 &header, (const unsigned char *)made.data, made.len),
		0);
	ck_assert_str_eq(header.name, "liba");
	ck_assert_str_eq(header.version, "1.5");
	ck_assert_str_eq(header.release, "1.el9");
	ck_assert(header.has_epoch && header.epoch == 2);
	ck_assert(spg_rpm_header_file(&header, 1, &dir, &base));
	ck_assert_str_eq(dir, "/opt/x/");
	ck_assert_str_eq(base, "other");
	ck_assert(!spg_rpm_header_file(&header, 2, &dir, &base));
	spg_rpm_header_finish(&header);
	spg_buf_finish(&made);
}
END_TEST

static void try_header(const char *bytes, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);
	struct spg_rpm_header header;
	const char *dir = NULL, *base = NULL;
	size_t length = 0;

	memcpy(copy, bytes, n);
	if (spg_rpm_header_parse(&header, copy, n) == 0) {
		length = header.name ? strlen(header.name) : 0;
		for (size_t i = 0; i < 4; i++)
			if (spg_rpm_header_file(&header, i, &dir, &base))
				length += strlen(dir) + strlen(base);
	}
	ck_assert_uint_le(length, 4 * n);
	spg_rpm_header_finish(&header);
	free(copy);
}

/* Every beginning, and every byte another one. */
START_TEST(rpm_header_hostile)
{
	static const unsigned char bytes[] = {0, 1, 4, 6, 8, 0x7f, 0x80, 0xff};
	struct spg_buf made = SPG_BUF_NULL;

	make_header(&made, "liba", 2, "1.5", dirs, bases, of);
	for (size_t n = 0; n < made.len; n++)
		try_header(made.data, n);
	for (size_t i = 0; i < made.len; i++) {
		char was = made.data[i];

		for (size_t b = 0; b < sizeof(bytes); b++) {
			made.data[i] = (char)bytes[b];
			try_header(made.data, made.len);
		}
		made.data[i] = was;
	}
	spg_buf_finish(&made);
}
END_TEST

static void run_sql(sqlite3 *db, const char *sql)
{
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s",
		sql, sqlite3_errmsg(db));
}

static void add_rpm(sqlite3 *db, int hnum, const char *name, const struct spg_buf *blob)
{
	sqlite3_stmt *s;
	char sql[256];

	ck_assert_int_eq(
		sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO Packages VALUES(?1, ?2)",
			-1, &s, NULL),
		SQLITE_OK);
	sqlite3_bind_int(s, 1, hnum);
	sqlite3_bind_blob(s, 2, blob->data, (int)blob->len, SQLITE_STATIC);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
	snprintf(sql, sizeof(sql), "INSERT INTO Name VALUES('%s', %d, 0)", name, hnum);
	run_sql(db, sql);
	for (int i = 0; bases[i]; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO Basenames VALUES('%s', %d, %d)",
			bases[i], hnum, i);
		run_sql(db, sql);
	}
}

static sqlite3 *create_rpm(void)
{
	sqlite3 *db = NULL;
	char path[128];

	put("usr/lib/liba.so", "");
	put("opt/x/other", "");
	put("var/lib/rpm/x", "");
	snprintf(path, sizeof(path), "%s/var/lib/rpm/rpmdb.sqlite", root);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "PRAGMA journal_mode = WAL");
	run_sql(db, "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob BLOB)");
	run_sql(db, "CREATE TABLE Name(key TEXT, hnum INTEGER, idx INTEGER)");
	run_sql(db, "CREATE TABLE Basenames(key TEXT, hnum INTEGER, idx INTEGER)");
	return db;
}

static const char *const rpm_files[] = {"opt/x/other", "usr/lib/liba.so", NULL};

START_TEST(rpm)
{
	static const char *const none[] = {"nobody", "other", NULL};
	struct spg_packages *packages = NULL, *next = NULL;
	struct spg_buf made = SPG_BUF_NULL, empty = SPG_BUF_NULL;
	struct spg_package_database *reader;
	sqlite3 *db;

	begin();
	db = create_rpm();
	make_header(&made, "liba", 2, "1.5", dirs, bases, of);
	spg_buf_puts(&empty, "no header");
	add_rpm(db, 3, "broken", &empty);
	add_rpm(db, 4, "liba", &made);
	spg_buf_clear(&made);
	make_header(&made, "old", 0, "1", (const char *const[]){"/a/", "/b/", NULL},
		bases, of);
	add_rpm(db, 9, "old", &made);
	reader = open_database();
	/* What was written is in the log yet. */
	ck_assert_int_eq(
		read_again(reader, rpm_files, NULL, &packages, false), SPG_ERR_BUSY);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(read_again(reader, rpm_files, NULL, &packages, true), 0);
	ck_assert_str_eq(owner(packages, "usr/lib/liba.so"), "liba 2:1.5-1.el9");
	ck_assert_str_eq(owner(packages, "opt/x/other"), "liba 2:1.5-1.el9");
	ck_assert_uint_eq(packages->n, 3);
	ck_assert_str_eq(packages->items[0].name, "broken");
	ck_assert_ptr_null(packages->items[0].version);
	/* Its version is asked for, whether a file is its or not. */
	ck_assert_int_eq(read_again(reader, none, packages, &next, false), 0);
	ck_assert_str_eq(next->items[1].name, "liba");
	ck_assert_str_eq(next->items[1].version, "2:1.5-1.el9");
	ck_assert_uint_eq(next->n_files, 0);
	spg_packages_unref(next);
	spg_packages_unref(packages);
	spg_package_database_destroy(reader);
	spg_buf_finish(&made);
	spg_buf_finish(&empty);
	end();
}
END_TEST

/* Of other tables, of none, no database at all, cut anywhere. */
START_TEST(rpm_hostile)
{
	static const char *const schemas[] = {"CREATE TABLE Name(key, hnum)",
		("CREATE VIEW Name AS SELECT 'x' AS key, 1 AS hnum; "
		 "CREATE TABLE Basenames(key, hnum, idx)"),
		"CREATE TABLE Name(key, hnum); CREATE TABLE Basenames(a)",
		"CREATE TABLE x(y)"};
	struct spg_packages *packages = NULL;
	struct spg_package_database *reader;
	char path[128];
	sqlite3 *db;

	begin();
	put("usr/lib/liba.so", "");
	put("var/lib/rpm/rpmdb.sqlite", "");
	snprintf(path, sizeof(path), "%s/var/lib/rpm/rpmdb.sqlite", root);
	reader = open_database();
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
		run_sql(db, schemas[i]);
		ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
		ck_assert_int_eq(read_again(reader, rpm_files, NULL, &packages, false),
			SPG_ERR_CORRUPT);
	}
	for (int n = 4000; n >= 0; n -= 97) {
		ck_assert_int_eq(truncate(path, n), 0);
		ck_assert_int_lt(
			read_again(reader, rpm_files, NULL, &packages, false), 0);
	}
	spg_package_database_destroy(reader);
	end();
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_PACKAGES, 5);
}
END_TEST

/* ---- where it is ---- */

static const struct {
	const char *cmdline, *root, *admin, *rpm; /* root NULL: the system's */
} places[] = {
	{"dpkg -i x.deb", NULL, NULL, NULL},
	{"", NULL, NULL, NULL},
	{"/usr/bin/dpkg --root=/srv/c/ --unpack x", "/srv/c", "/srv/c/var/lib/dpkg",
		NULL},
	{"dpkg --admindir /srv/d -i x", "", "/srv/d", NULL},
	{"dpkg --instdir=/a --admindir=/b -r x", "/a", "/b", NULL},
	{"dpkg -r /srv/x.deb --root", NULL, NULL, NULL},
	{"dpkg --root=relative -i x", NULL, NULL, NULL},
	{"dpkg --root=/ -i x", NULL, NULL, NULL},
	{"rpm -r /srv/c -U x", "/srv/c", "/srv/c/var/lib/dpkg", NULL},
	{"/bin/rpm --root /srv/c --dbpath /db -i x", "/srv/c", "/srv/c/var/lib/dpkg",
		"/srv/c/db"},
	{"rpm --dbpath=/db -i x", "", "/var/lib/dpkg", "/db"},
	{"dnf --installroot=/srv/c install x", "/srv/c", "/srv/c/var/lib/dpkg", NULL},
	{"rpm --dbpathx=/db --rootx /y", NULL, NULL, NULL},
};

START_TEST(place)
{
	struct spg_package_place found = SPG_PACKAGE_PLACE_NULL;
	int r = spg_package_place_parse(places[_i].cmdline, &found);

	ck_assert_int_eq(r, places[_i].root != NULL);
	if (r == 1) {
		ck_assert_str_eq(found.root, places[_i].root);
		ck_assert_str_eq(found.admin, places[_i].admin);
		ck_assert_str_eq(found.rpm ? found.rpm : "",
			places[_i].rpm ? places[_i].rpm : "");
	}
	spg_package_place_finish(&found);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("packages");

	tcase_add_test(tc, dpkg);
	tcase_add_test(tc, no_database);
	tcase_add_test(tc, no_status);
	tcase_add_test(tc, dpkg_cut);
	tcase_add_test(tc, rpm_header);
	tcase_add_test(tc, rpm_header_hostile);
	tcase_add_test(tc, rpm);
	tcase_add_test(tc, rpm_hostile);
	tcase_add_test(tc, corpus);
	spg_add_rows(tc, place, places);
	return spg_run_suite("packages", tc);
}
