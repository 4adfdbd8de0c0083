/* SPDX-License-Identifier: MIT */
#include "common/payload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/identity.h"
#include "common/pe_file.h"
#include "common/text.h"

#define READ_BYTES 65536

struct reader {
	struct spg_payload *payload;
	const struct spg_payload_progress *progress; /* NULL: not wanted */
	uint64_t n_bytes;                            /* read of the files before */
	uint64_t bytes_end; /* of the file that is read: not further than this */
};

static void finish_file(struct spg_payload_file *file)
{
	free(file->path);
	free(file->version);
}

static void finish_files(struct spg_payload *payload)
{
	for (size_t i = 0; i < payload->n_files; i++)
		finish_file(&payload->files[i]);
	free(payload->files);
}

void spg_payload_finish(struct spg_payload *payload)
{
	for (size_t i = 0; i < payload->n; i++)
		free(payload->names[i]);
	free(payload->names);
	finish_files(payload);
	*payload = (struct spg_payload)SPG_PAYLOAD_NULL;
}

static int fail(struct spg_buf *error, int err, const char *name, const char *why,
	const char *hint)
{
	spg_buf_clear(error);
	spg_text_escape(error, name, false);
	spg_buf_printf(error, ": %s", why);
	if (hint)
		spg_buf_printf(error, "\n%s", hint);
	return err;
}

static int fail_errno(struct spg_buf *error, const char *name, int errnum)
{
	int err = spg_err_from_errno(errnum);
	const char *hint = NULL;

	if (errnum == EACCES || errnum == EPERM)
		hint = "Ask as a user who may read the whole service pack.";
	else if (errnum == ENOENT)
		hint = "Check the spelling, and that the medium is mounted.";
	else if (errnum == ENOTDIR)
		hint = "--payload takes the folder of a service pack, or an archive "
		       "of it, --files a list of names.";
	else if (errnum == EISDIR)
		hint = "--files takes a list of names, --payload a folder.";
	return fail(error, err, name, strerror(errnum), hint);
}

static int fail_nomem(struct spg_buf *error)
{
	return fail(error, SPG_ERR_NOMEM, "service pack", "out of memory", NULL);
}

/* --- the contents of files ---------------------------------------------------- */

static bool keep_on(void *user, uint64_t n_read)
{
	const struct reader *reader = user;

	if (reader->progress)
		reader->progress->on(reader->progress->user, reader->payload->n_files,
			reader->n_bytes + n_read);
	return n_read <= reader->bytes_end;
}

/* The version, of a file that says one. What is no PE file, or a damaged one,
 * belongs to the pack all the same: its digest tells it apart. */
int spg_payload_read_version(
	struct spg_payload_file *file, int fd, const char *shown, struct spg_buf *error)
{
	char text[SPG_BINARY_VERSION_TEXT_BYTES];
	struct spg_buf why = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	int err = spg_pe_read_fd(&pe, fd, &why);

	if (err == SPG_ERR_INVALID || err == SPG_ERR_CORRUPT || err == SPG_ERR_LIMIT)
		err = 0;
	else if (err == SPG_ERR_NOMEM)
		err = fail_nomem(error);
	else if (err < 0)
		err = fail(error, err, shown, spg_buf_text(&why), NULL);
	if (err == 0 && pe && pe->has_version) {
		file->version =
			strdup(spg_binary_version_format(pe->file_version, text));
		if (!file->version)
			err = fail_nomem(error);
	}
	spg_binary_destroy(pe);
	spg_buf_finish(&why);
	return err;
}

static int read_digest(struct reader *reader, struct spg_payload_file *file, int fd,
	const char *shown, struct spg_buf *error)
{
	struct spg_digest digest;
	int err;

	reader->bytes_end = file->size;
	spg_digest_init(&digest);
	err = spg_digest_fd(&digest, fd, keep_on, reader);
	if (err == SPG_ERR_NOMEM)
		return fail_nomem(error);
	if (err == SPG_ERR_TIMEOUT || (err == 0 && digest.n_bytes != file->size))
		return fail(error, SPG_ERR_BUSY, shown, "it changes while it is read",
			"Ask again when the service pack is complete.");
	if (err < 0)
		return fail_errno(error, shown, errno);
	reader->n_bytes += digest.n_bytes;
	spg_digest_text(&digest, file->sha256);
	return 0;
}

static int read_contents(struct reader *reader, struct spg_payload_file *file, int fd,
	const char *shown, struct spg_buf *error)
{
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return fail_errno(error, shown, errno);
	if (!S_ISREG(st.st_mode))
		return fail(error, SPG_ERR_BUSY, shown, "it changes while it is read",
			"Ask again when the service pack is complete.");
	file->size = (uint64_t)st.st_size;
	if (file->size > SPG_PAYLOAD_BYTES_MAX - reader->n_bytes)
		return fail(error, SPG_ERR_LIMIT, shown, "more than 256 GiB",
			"This does not look like one service pack: name its own "
			"folder.");
	err = spg_payload_read_version(file, fd, shown, error);
	return err < 0 ? err : read_digest(reader, file, fd, shown, error);
}

/* Where room is reserved. */
static void put_file(struct spg_payload *payload, struct spg_payload_file *file)
{
	file->name = spg_path_base(file->path);
	payload->files[payload->n_files++] = *file;
}

static int read_file(struct reader *reader, int parent_fd, const char *name,
	const char *shown, const char *path, bool there, struct spg_buf *error)
{
	struct spg_payload *payload = reader->payload;
	struct spg_payload_file file = {.path = strdup(path)};
	int fd, err = 0;

	if (!file.path || spg_array_reserve(&payload->files, payload->n_files,
				  &payload->files_size, sizeof(file)) < 0)
		err = fail_nomem(error);
	if (err == 0 && there) {
		/* Not waiting, should a pipe have taken the file's place. */
		fd = openat(
			parent_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0) {
			err = fail_errno(error, shown, errno);
		} else {
			err = read_contents(reader, &file, fd, shown, error);
			close(fd);
		}
	}
	if (err < 0) {
		finish_file(&file);
		return err;
	}
	put_file(payload, &file);
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct spg_payload_file *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	if (order == 0)
		order = strcmp(one->sha256, two->sha256);
	return order ? order : strcmp(one->path, two->path);
}

/* --- names -------------------------------------------------------------------- */

static int add_name(struct spg_payload *payload, const char *where, const char *name,
	size_t len, struct spg_buf *error)
{
	char *copy;

	if (payload->n >= SPG_PAYLOAD_FILES_MAX)
		return fail(error, SPG_ERR_LIMIT, where, "more than a million names",
			"This does not look like one service pack: name its own "
			"folder or list.");
	if (!spg_text_is_utf8(name, len)) {
		char shown[SPG_PAYLOAD_LINE_MAX + 1];

		if (len > SPG_PAYLOAD_LINE_MAX)
			len = SPG_PAYLOAD_LINE_MAX;
		memcpy(shown, name, len);
		shown[len] = '\0';
		return fail(error, SPG_ERR_INVALID, shown,
			"this name is no valid UTF-8 and cannot be asked about",
			"Rename the file, or give the names with --files.");
	}
	if (spg_array_reserve(&payload->names, payload->n, &payload->size,
		    sizeof(payload->names[0])) < 0)
		return fail_nomem(error);
	copy = strndup(name, len);
	if (!copy)
		return fail_nomem(error);
	payload->names[payload->n++] = copy;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int spg_payload_add(struct spg_payload *payload, const char *shown,
	struct spg_payload_file *file, struct spg_buf *error)
{
	const char *name = spg_path_base(file->path);
	int err = add_name(payload, shown, name, strlen(name), error);

	if (err == 0 && spg_array_reserve(&payload->files, payload->n_files,
				&payload->files_size, sizeof(*file)) < 0)
		err = fail_nomem(error);
	if (err == 0)
		put_file(payload, file);
	return err;
}

int spg_payload_conclude(
	struct spg_payload *payload, const char *label, int err, struct spg_buf *error)
{
	size_t kept = 0;

	if (err == 0 && payload->n == 0)
		err = fail(error, SPG_ERR_INVALID, label, "there is no file in it",
			"Name the folder or list that holds the service pack's files.");
	if (err < 0) {
		spg_payload_finish(payload);
		return err;
	}
	qsort(payload->names, payload->n, sizeof(payload->names[0]), compare_names);
	for (size_t i = 0; i < payload->n; i++) {
		if (kept && strcmp(payload->names[kept - 1], payload->names[i]) == 0)
			free(payload->names[i]);
		else
			payload->names[kept++] = payload->names[i];
	}
	payload->n = kept;
	if (payload->n_files)
		qsort(payload->files, payload->n_files, sizeof(payload->files[0]),
			compare_files);
	return 0;
}

struct walk {
	struct spg_payload *payload;
	struct reader *reader; /* NULL: names alone */
	struct spg_buf *error;
	struct spg_buf path; /* of the folder that is read */
	size_t root_len;     /* of it, the payload's folder and a slash */
	struct spg_file_id above[SPG_PAYLOAD_DEPTH_MAX + 1]; /* folders being read */
	size_t n_entries;
};

static int read_folder(struct walk *walk, int fd, size_t depth);

static int enter_folder(struct walk *walk, int parent_fd, const char *name,
	const struct stat *st, size_t depth)
{
	struct spg_file_id id = {st->st_dev, st->st_ino};
	int fd;

	for (size_t i = 0; i < depth; i++)
		if (spg_file_id_equal(walk->above[i], id))
			return 0; /* a link back to a folder that is being read */
	if (depth > SPG_PAYLOAD_DEPTH_MAX)
		return fail(walk->error, SPG_ERR_LIMIT, spg_buf_text(&walk->path),
			"folders are nested more than 64 deep",
			"Name the service pack's own folder.");
	walk->above[depth] = id;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(walk->error, spg_buf_text(&walk->path), errno);
	return read_folder(walk, fd, depth);
}

/* The file @name of the folder at walk->path. @there: false for a link to nothing,
 * which still names a file of the pack. */
static int add_file(struct walk *walk, int fd, const char *name, bool there)
{
	size_t before = walk->path.len;
	int err = add_name(walk->payload, spg_buf_text(&walk->path), name, strlen(name),
		walk->error);

	if (err < 0 || !walk->reader)
		return err;
	spg_buf_printf(&walk->path, "/%s", name);
	if (walk->path.failed)
		return fail_nomem(walk->error);
	err = read_file(walk->reader, fd, name, walk->path.data,
		walk->path.data + walk->root_len, there, walk->error);
	walk->path.len = before;
	walk->path.data[before] = '\0';
	return err;
}

static int visit(struct walk *walk, int fd, const struct dirent *entry, size_t depth)
{
	const char *name = entry->d_name;
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (++walk->n_entries > SPG_PAYLOAD_FILES_MAX)
		return fail(walk->error, SPG_ERR_LIMIT, spg_buf_text(&walk->path),
			"more than a million entries",
			"Name the service pack's own folder.");
	if (entry->d_type == DT_REG)
		return add_file(walk, fd, name, true);
	if (fstatat(fd, name, &st, 0) < 0) {
		if (errno == ENOENT || errno == ELOOP)
			return add_file(walk, fd, name, false);
		return fail_errno(walk->error, spg_buf_text(&walk->path), errno);
	}
	if (S_ISREG(st.st_mode))
		return add_file(walk, fd, name, true);
	if (S_ISDIR(st.st_mode)) {
		size_t before = walk->path.len;
		int err;

		spg_buf_printf(&walk->path, "/%s", name);
		if (walk->path.failed)
			return fail_nomem(walk->error);
		err = enter_folder(walk, fd, name, &st, depth + 1);
		walk->path.len = before;
		walk->path.data[before] = '\0';
		return err;
	}
	return 0;
}

/* Takes over @fd. */
static int read_folder(struct walk *walk, int fd, size_t depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!dir) {
		err = fail_errno(walk->error, spg_buf_text(&walk->path), errno);
		close(fd);
		return err;
	}
	while (err == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			if (errno)
				err = fail_errno(
					walk->error, spg_buf_text(&walk->path), errno);
			break;
		}
		err = visit(walk, fd, entry, depth);
	}
	closedir(dir);
	return err;
}

static int walk_folder(struct spg_payload *payload, const char *folder,
	struct reader *reader, struct spg_buf *error)
{
	struct walk walk = {.payload = payload, .reader = reader, .error = error};
	size_t len = strlen(folder);
	struct stat st;
	int err;

	while (len > 1 && folder[len - 1] == '/')
		len--;
	spg_buf_add(&walk.path, folder, len);
	walk.root_len = len + 1;
	if (walk.path.failed)
		err = fail_nomem(error);
	else if (stat(folder, &st) < 0)
		err = fail_errno(error, folder, errno);
	else
		err = enter_folder(&walk, AT_FDCWD, folder, &st, 0);
	err = spg_payload_conclude(payload, folder, err, error);
	spg_buf_finish(&walk.path);
	return err;
}

int spg_payload_read_folder(
	struct spg_payload *payload, const char *folder, struct spg_buf *error)
{
	return walk_folder(payload, folder, NULL, error);
}

int spg_payload_read_files(struct spg_payload *payload, const char *folder,
	const struct spg_payload_progress *progress, struct spg_buf *error)
{
	struct reader reader = {.payload = payload, .progress = progress};

	return walk_folder(payload, folder, &reader, error);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One line of a list, without its line break. */
static int take_line(struct spg_payload *payload, const char *label, size_t number,
	const char *line, size_t len, struct spg_buf *error)
{
	char where[64];
	size_t start = 0;

	while (len > 0 && is_blank(line[0])) {
		line++;
		len--;
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (len == 0 || line[0] == '#')
		return 0;
	snprintf(where, sizeof(where), "line %zu", number);
	if (len > SPG_PAYLOAD_LINE_MAX || memchr(line, '\0', len)) {
		fail(error, SPG_ERR_INVALID, label, where,
			"This is no list of file names: one name a line, as text.");
		return SPG_ERR_INVALID;
	}
	if (line[0] != '/') {
		for (size_t i = 0; i < len; i++)
			if (line[i] == '/' || line[i] == '\\')
				start = i + 1;
	} else if (line[len - 1] == '/') {
		start = len;
	}
	if (start == len || (len - start == 1 && line[start] == '.') ||
		(len - start == 2 && memcmp(line + start, "..", 2) == 0)) {
		fail(error, SPG_ERR_INVALID, label, where,
			"A list names files, not folders; --payload takes a folder.");
		return SPG_ERR_INVALID;
	}
	return add_name(payload, label, line + start, len - start, error);
}

int spg_payload_parse_list(struct spg_payload *payload, const char *label,
	const char *text, size_t n, struct spg_buf *error)
{
	size_t number = 0;
	int err = 0;

	if (n >= 2 &&
		(memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		err = fail(error, SPG_ERR_INVALID, label, "the list is UTF-16 text",
			"Save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8");
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	while (err == 0 && n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t len = end ? (size_t)(end - text) : n;

		err = take_line(payload, label, ++number, text, len, error);
		text += len;
		n -= len;
		if (end) {
			text++;
			n--;
		}
	}
	return spg_payload_conclude(payload, label, err, error);
}

static int read_all(
	int fd, const char *label, struct spg_buf *ret, struct spg_buf *error)
{
	char *chunk = malloc(READ_BYTES);
	int err = 0;

	if (!chunk)
		return fail_nomem(error);
	for (;;) {
		ssize_t n = read(fd, chunk, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = fail_errno(error, label, errno);
		if (n <= 0)
			break;
		if (ret->len + (size_t)n > SPG_PAYLOAD_LIST_MAX) {
			err = fail(error, SPG_ERR_LIMIT, label,
				"the list is longer than 64 MiB",
				"This is no list of file names.");
			break;
		}
		spg_buf_add(ret, chunk, (size_t)n);
		if (ret->failed) {
			err = fail_nomem(error);
			break;
		}
	}
	free(chunk);
	return err;
}

int spg_payload_read_list(
	struct spg_payload *payload, const char *path, struct spg_buf *error)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *label = is_stdin ? "standard input" : path;
	struct spg_buf text = SPG_BUF_NULL;
	int fd = STDIN_FILENO, err;

	if (!is_stdin) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail_errno(error, label, errno);
	}
	err = read_all(fd, label, &text, error);
	if (err == 0)
		err = spg_payload_parse_list(
			payload, label, spg_buf_text(&text), text.len, error);
	if (!is_stdin)
		close(fd);
	spg_buf_finish(&text);
	return err;
}
