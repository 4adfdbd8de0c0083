/* SPDX-License-Identifier: MIT */
#include "common/payload_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/err.h"
#include "common/pe_file.h"
#include "common/text.h"

static void finish_file(struct spg_payload_file *file)
{
	free(file->path);
	free(file->version);
}

void spg_payload_finish_files(struct spg_payload *payload)
{
	for (size_t i = 0; i < payload->n_files; i++)
		finish_file(&payload->files[i]);
	free(payload->files);
}

static bool keep_on(void *user, uint64_t n_read)
{
	const struct spg_payload_reader *reader = user;

	if (reader->progress)
		reader->progress->on(reader->progress->user, reader->payload->n_files,
			reader->n_bytes + n_read);
	return n_read <= reader->bytes_end;
}

/* The version, of a file that says one. What is no PE file, or a damaged one,
 * belongs to the pack all the same: its digest tells it apart. */
static int read_version(
	struct spg_payload_file *file, int fd, const char *shown, struct spg_buf *error)
{
	char text[SPG_PE_VERSION_TEXT_BYTES];
	struct spg_buf why = SPG_BUF_NULL;
	struct spg_pe *pe = NULL;
	int err = spg_pe_read_fd(&pe, fd, &why);

	if (err == SPG_ERR_INVALID || err == SPG_ERR_CORRUPT || err == SPG_ERR_LIMIT)
		err = 0;
	else if (err == SPG_ERR_NOMEM)
		err = spg_payload_fail_nomem(error);
	else if (err < 0)
		err = spg_payload_fail(error, err, shown, spg_buf_text(&why), NULL);
	if (err == 0 && pe && pe->has_version) {
		file->version = strdup(spg_pe_version_format(pe->file_version, text));
		if (!file->version)
			err = spg_payload_fail_nomem(error);
	}
	spg_pe_destroy(pe);
	spg_buf_finish(&why);
	return err;
}

static int read_digest(struct spg_payload_reader *reader, struct spg_payload_file *file,
	int fd, const char *shown, struct spg_buf *error)
{
	uint64_t n_read = 0;
	int err;

	reader->bytes_end = file->size;
	err = spg_digest_fd(fd, file->sha256, &n_read, keep_on, reader);
	if (err == SPG_ERR_NOMEM)
		return spg_payload_fail_nomem(error);
	if (err == SPG_ERR_TIMEOUT || (err == 0 && n_read != file->size))
		return spg_payload_fail(error, SPG_ERR_BUSY, shown,
			"it changes while it is read",
			"Ask again when the service pack is complete.");
	if (err < 0)
		return spg_payload_fail_errno(error, shown, errno);
	reader->n_bytes += n_read;
	return 0;
}

static int read_contents(struct spg_payload_reader *reader,
	struct spg_payload_file *file, int fd, const char *shown, struct spg_buf *error)
{
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return spg_payload_fail_errno(error, shown, errno);
	if (!S_ISREG(st.st_mode))
		return spg_payload_fail(error, SPG_ERR_BUSY, shown,
			"it changes while it is read",
			"Ask again when the service pack is complete.");
	file->size = (uint64_t)st.st_size;
	if (file->size > SPG_PAYLOAD_BYTES_MAX - reader->n_bytes)
		return spg_payload_fail(error, SPG_ERR_LIMIT, shown,
			"more than 256 GiB",
			"This does not look like one service pack: name its own "
			"folder.");
	err = read_version(file, fd, shown, error);
	return err < 0 ? err : read_digest(reader, file, fd, shown, error);
}

int spg_payload_add_file(struct spg_payload_reader *reader, int parent_fd,
	const char *name, const char *shown, const char *path, bool there,
	struct spg_buf *error)
{
	struct spg_payload *payload = reader->payload;
	struct spg_payload_file file = {.path = strdup(path)};
	int fd, err = 0;

	if (!file.path || spg_array_reserve(&payload->files, payload->n_files,
				  &payload->files_size, sizeof(file)) < 0)
		err = spg_payload_fail_nomem(error);
	if (err == 0 && there) {
		/* Not waiting, should a pipe have taken the file's place. */
		fd = openat(
			parent_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0) {
			err = spg_payload_fail_errno(error, shown, errno);
		} else {
			err = read_contents(reader, &file, fd, shown, error);
			close(fd);
		}
	}
	if (err < 0) {
		finish_file(&file);
		return err;
	}
	file.name = spg_path_base(file.path);
	payload->files[payload->n_files++] = file;
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

void spg_payload_sort_files(struct spg_payload *payload)
{
	struct spg_payload_file *files = payload->files;
	size_t kept = 0;

	if (payload->n_files)
		qsort(files, payload->n_files, sizeof(files[0]), compare_files);
	for (size_t i = 0; i < payload->n_files; i++) {
		if (kept && strcmp(files[kept - 1].name, files[i].name) == 0 &&
			strcmp(files[kept - 1].sha256, files[i].sha256) == 0)
			finish_file(&files[i]);
		else
			files[kept++] = files[i];
	}
	payload->n_files = kept;
}
