/* SPDX-License-Identifier: MIT */
/* Service packs as folders and as lists. */
#include "common/payload.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

/* The names joined by '|', to compare them at once. */
static char *joined(const struct spg_payload *payload)
{
	struct spg_buf buf = SPG_BUF_NULL;

	for (size_t i = 0; i < payload->n; i++)
		spg_buf_printf(&buf, "%s%s", i ? "|" : "", payload->names[i]);
	return spg_buf_take(&buf);
}

static const struct {
	const char *text;
	size_t n; /* 0: strlen(text) */
	int err;
	const char *names; /* on failure: what the message must say */
} lists[] = {
	{"b.dll\na.dll\n", 0, 0, "a.dll|b.dll"},
	{"a.dll", 0, 0, "a.dll"},
	{"\xef\xbb\xbf"
	 "a.dll\r\n# a comment\r\n\r\n  b c.dll\t\r\n",
		0, 0, "a.dll|b c.dll"},
	{"a.dll\na.dll\nA.dll\n", 0, 0, "A.dll|a.dll"},
	{"name#1.dll\n", 0, 0, "name#1.dll"},
	{"sub/dir/x.dll\n", 0, 0, "x.dll"},
	{"EXCHSRVR\\BIN\\x.dll\nC:\\y.dll\n", 0, 0, "x.dll|y.dll"},
	{"/srv/exchsrvr/bin/x.dll\n", 0, 0, "/srv/exchsrvr/bin/x.dll"},
	{"/srv/a\\b.dll\n", 0, 0, "/srv/a\\b.dll"},
	{"", 0, SPG_ERR_INVALID, "there is no file in it"},
	{"# nothing\n\n", 0, SPG_ERR_INVALID, "there is no file in it"},
	{"a\nsub/\n", 0, SPG_ERR_INVALID, "line 2"},
	{"/srv/\n", 0, SPG_ERR_INVALID, "files, not folders"},
	{"..\n", 0, SPG_ERR_INVALID, "files, not folders"},
	{"x/.\n", 0, SPG_ERR_INVALID, "files, not folders"},
	{"\xff\xfe"
	 "a\0\n\0",
		6, SPG_ERR_INVALID, "UTF-16"},
	{"a\0b\n", 4, SPG_ERR_INVALID, "one name a line"},
	{"bad\xff.dll\n", 0, SPG_ERR_INVALID, "bad\\xff.dll"},
};

START_TEST(list)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	size_t n = lists[_i].n ? lists[_i].n : strlen(lists[_i].text);
	char *names;
	int r = spg_payload_parse_list(&payload, "a-list", lists[_i].text, n, &error);

	ck_assert_int_eq(r, lists[_i].err);
	if (r < 0) {
		ck_assert_uint_eq(payload.n, 0);
		ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), lists[_i].names));
		/* Every message has a second line that says what to do. */
		ck_assert_ptr_nonnull(strchr(spg_buf_text(&error), '\n'));
	} else {
		names = joined(&payload);
		ck_assert_str_eq(names, lists[_i].names);
		free(names);
	}
	spg_payload_finish(&payload);
	spg_payload_finish(&payload);
	spg_buf_finish(&error);
}
END_TEST

START_TEST(long_line)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL, text = SPG_BUF_NULL;

	for (int i = 0; i < SPG_PAYLOAD_LINE_MAX; i++)
		spg_buf_putc(&text, 'x');
	ck_assert_int_eq(
		spg_payload_parse_list(&payload, "l", text.data, text.len, &error), 0);
	spg_payload_finish(&payload);
	spg_buf_putc(&text, 'x');
	ck_assert_int_eq(
		spg_payload_parse_list(&payload, "l", text.data, text.len, &error),
		SPG_ERR_INVALID);
	spg_buf_finish(&text);
	spg_buf_finish(&error);
}
END_TEST

/* ---- folders ---- */

static char root[] = "/tmp/spguard-payload-XXXXXX";

static void put(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void enter_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chdir(root), 0);
}

static void leave_folder(void)
{
	struct spg_buf command = SPG_BUF_NULL;

	spg_buf_printf(&command, "rm -rf %s", root);
	ck_assert_int_eq(system(spg_buf_text(&command)), 0);
	spg_buf_finish(&command);
}

static void expect_folder(const char *folder, const char *names)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	char *found;

	ck_assert_int_eq(spg_payload_read_folder(&payload, folder, &error), 0);
	found = joined(&payload);
	ck_assert_str_eq(found, names);
	free(found);
	spg_payload_finish(&payload);
	spg_buf_finish(&error);
}

static void expect_failure(const char *folder, int err, const char *says)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;

	ck_assert_int_eq(spg_payload_read_folder(&payload, folder, &error), err);
	ck_assert_uint_eq(payload.n, 0);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), says));
	spg_buf_finish(&error);
}

START_TEST(folder)
{
	enter_folder();
	mkdir("sp", 0700);
	mkdir("sp/sub", 0700);
	put("sp/b.dll");
	put("sp/.hidden");
	put("sp/sub/a.dll");
	put("sp/sub/b.dll");
	ck_assert_int_eq(symlink("..", "sp/sub/loop"), 0);
	ck_assert_int_eq(symlink("b.dll", "sp/link.dll"), 0);
	ck_assert_int_eq(symlink("nowhere", "sp/dangling.dll"), 0);
	ck_assert_int_eq(mkfifo("sp/fifo", 0600), 0);
	mkdir("elsewhere", 0700);
	put("elsewhere/linked.dll");
	ck_assert_int_eq(symlink("../elsewhere", "sp/more"), 0);
	expect_folder("sp", ".hidden|a.dll|b.dll|dangling.dll|link.dll|linked.dll");
	expect_folder("sp/", ".hidden|a.dll|b.dll|dangling.dll|link.dll|linked.dll");
	leave_folder();
}
END_TEST

START_TEST(bad_folders)
{
	enter_folder();
	mkdir("empty", 0700);
	put("file");
	mkdir("odd", 0700);
	put("odd/\xff.dll");
	expect_failure("empty", SPG_ERR_INVALID, "there is no file in it");
	expect_failure("nowhere", SPG_ERR_NOT_FOUND, "Check the spelling");
	expect_failure("file", SPG_ERR_NOT_FOUND, "--files a list");
	expect_failure("odd", SPG_ERR_INVALID, "UTF-8");
	leave_folder();
}
END_TEST

/* A folder that cannot be read must not make the payload smaller. */
START_TEST(unreadable_folder)
{
	bool root_user = geteuid() == 0;

	enter_folder();
	ck_assert_int_eq(chmod(".", 0755), 0);
	ck_assert_int_eq(mkdir("sp", 0755), 0);
	put("sp/a.dll");
	ck_assert_int_eq(mkdir("sp/secret", root_user ? 0700 : 0), 0);
	if (root_user)
		ck_assert_int_eq(seteuid(65534), 0); /* nobody */
	expect_failure("sp", SPG_ERR_DENIED, "sp/secret");
	if (root_user)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod("sp/secret", 0700), 0);
	leave_folder();
}
END_TEST

START_TEST(deep_folder)
{
	enter_folder();
	mkdir("sp", 0700);
	ck_assert_int_eq(chdir("sp"), 0);
	for (int depth = 0; depth < SPG_PAYLOAD_DEPTH_MAX; depth++) {
		ck_assert_int_eq(mkdir("d", 0700), 0);
		ck_assert_int_eq(chdir("d"), 0);
	}
	put("bottom.dll");
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(chdir(root), 0);
	expect_failure("sp", SPG_ERR_LIMIT, "64 deep");
	expect_folder("sp/d", "bottom.dll");
	leave_folder();
}
END_TEST

/* ---- contents ---- */

static void put_bytes(const char *name, const void *bytes, size_t n)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
	ck_assert_int_eq(fclose(file), 0);
}

static void put_library(const char *name, const char *version)
{
	struct pe_make make = {.version = version};
	struct spg_buf image = SPG_BUF_NULL;

	pe_make_image(&make, &image);
	put_bytes(name, image.data, image.len);
	spg_buf_finish(&image);
}

static void expect_file(const struct spg_payload *payload, size_t index,
	const char *path, const char *version, uint64_t size)
{
	const struct spg_payload_file *file = &payload->files[index];

	ck_assert_uint_lt(index, payload->n_files);
	ck_assert_str_eq(file->path, path);
	ck_assert_str_eq(
		file->name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	if (version)
		ck_assert_str_eq(file->version, version);
	else
		ck_assert_ptr_null(file->version);
	ck_assert_uint_eq(file->size, size);
	ck_assert_uint_eq(strlen(file->sha256), 64);
}

static void count_progress(void *user, size_t n_files, uint64_t n_bytes)
{
	uint64_t *last = user;

	(void)n_files;
	ck_assert_uint_ge(n_bytes, *last);
	*last = n_bytes;
}

/* Each file counts, also with the content of another; what is no PE file has no
 * version. */
START_TEST(files)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	uint64_t last = 0;
	struct spg_payload_progress progress = {count_progress, &last};
	struct stat st;

	enter_folder();
	mkdir("sp", 0700);
	mkdir("sp/i386", 0700);
	mkdir("sp/alpha", 0700);
	put_library("sp/i386/mdbperf.dll", "5.5.2650.24");
	put_library("sp/alpha/mdbperf.dll", "5.5.2650.25");
	put_library("sp/i386/store.exe", "5.5.2650.24");
	put_library("sp/alpha/store.exe", "5.5.2650.24");
	put_bytes("sp/readme", "abc", 3);
	put_bytes("sp/setup.exe", "MZ", 2);
	ck_assert_int_eq(symlink("nowhere", "sp/zzz"), 0);
	ck_assert_int_eq(stat("sp/alpha/store.exe", &st), 0);
	ck_assert_int_eq(spg_payload_read_files(&payload, "sp/", &progress, &error), 0);
	ck_assert_uint_eq(payload.n, 5);
	ck_assert_str_eq(payload.names[0], "mdbperf.dll");
	ck_assert_uint_eq(payload.n_files, 7);
	ck_assert_int_lt(strcmp(payload.files[0].sha256, payload.files[1].sha256), 0);
	if (strcmp(payload.files[0].version, "5.5.2650.24") == 0) {
		expect_file(&payload, 0, "i386/mdbperf.dll", "5.5.2650.24",
			(uint64_t)st.st_size);
		expect_file(&payload, 1, "alpha/mdbperf.dll", "5.5.2650.25",
			(uint64_t)st.st_size);
	} else {
		expect_file(&payload, 0, "alpha/mdbperf.dll", "5.5.2650.25",
			(uint64_t)st.st_size);
		expect_file(&payload, 1, "i386/mdbperf.dll", "5.5.2650.24",
			(uint64_t)st.st_size);
	}
	expect_file(&payload, 2, "readme", NULL, 3);
	ck_assert_str_eq(payload.files[2].sha256,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_file(&payload, 3, "setup.exe", NULL, 2);
	expect_file(
		&payload, 4, "alpha/store.exe", "5.5.2650.24", (uint64_t)st.st_size);
	expect_file(&payload, 5, "i386/store.exe", "5.5.2650.24", (uint64_t)st.st_size);
	ck_assert_str_eq(payload.files[6].name, "zzz");
	ck_assert_str_eq(payload.files[6].sha256, "");
	ck_assert_uint_gt(last, 0);
	spg_payload_finish(&payload);
	spg_payload_finish(&payload);
	spg_buf_finish(&error);
	leave_folder();
}
END_TEST

/* What cannot be read makes no shorter list. */
START_TEST(bad_files)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	bool root_user = geteuid() == 0;

	enter_folder();
	ck_assert_int_eq(chmod(".", 0755), 0);
	mkdir("sp", 0755);
	put_bytes("sp/a.dll", "a", 1);
	put_bytes("sp/secret.dll", "b", 1);
	ck_assert_int_eq(chmod("sp/a.dll", 0644), 0);
	ck_assert_int_eq(chmod("sp/secret.dll", 0), 0);
	if (root_user)
		ck_assert_int_eq(seteuid(65534), 0); /* nobody */
	ck_assert_int_eq(
		spg_payload_read_files(&payload, "sp", NULL, &error), SPG_ERR_DENIED);
	if (root_user)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_uint_eq(payload.n + payload.n_files, 0);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), "sp/secret.dll"));
	ck_assert_int_eq(chmod("sp/secret.dll", 0600), 0);
	/* A file of 300 GiB is none of a service pack. */
	ck_assert_int_eq(truncate("sp/a.dll", (off_t)300 << 30), 0);
	ck_assert_int_eq(
		spg_payload_read_files(&payload, "sp", NULL, &error), SPG_ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), "256 GiB"));
	ck_assert_uint_eq(payload.n + payload.n_files, 0);
	spg_buf_finish(&error);
	leave_folder();
}
END_TEST

/* A file that grows while it is read, as a copy that is under way. */
static void grow(void *user, size_t n_files, uint64_t n_bytes)
{
	FILE *file = fopen(user, "a");

	(void)n_files;
	(void)n_bytes;
	fputs("more", file);
	fclose(file);
}

START_TEST(growing_file)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_payload_progress progress = {grow, "sp/a.dll"};

	enter_folder();
	mkdir("sp", 0755);
	put_bytes("sp/a.dll", "a", 1);
	ck_assert_int_eq(spg_payload_read_files(&payload, "sp", &progress, &error),
		SPG_ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), "it changes while"));
	ck_assert_uint_eq(payload.n + payload.n_files, 0);
	spg_buf_finish(&error);
	leave_folder();
}
END_TEST

START_TEST(list_file)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	FILE *file;

	enter_folder();
	file = fopen("list", "w");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 20000; i++)
		fprintf(file, "file%05d.dll\r\n", i);
	fclose(file);
	ck_assert_int_eq(spg_payload_read_list(&payload, "list", &error), 0);
	ck_assert_uint_eq(payload.n, 20000);
	ck_assert_str_eq(payload.names[19999], "file19999.dll");
	spg_payload_finish(&payload);
	ck_assert_int_eq(
		spg_payload_read_list(&payload, "none", &error), SPG_ERR_NOT_FOUND);
	ck_assert_int_lt(spg_payload_read_list(&payload, ".", &error), 0);
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), "--payload a folder"));
	spg_buf_finish(&error);
	leave_folder();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("payload");

	spg_add_rows(tc, list, lists);
	tcase_add_test(tc, long_line);
	tcase_add_test(tc, folder);
	tcase_add_test(tc, bad_folders);
	tcase_add_test(tc, unreadable_folder);
	tcase_add_test(tc, deep_folder);
	tcase_add_test(tc, files);
	tcase_add_test(tc, bad_files);
	tcase_add_test(tc, growing_file);
	tcase_add_test(tc, list_file);
	return spg_run_suite("payload", tc);
}
