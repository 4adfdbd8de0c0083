/* SPDX-License-Identifier: MIT */
#include "client/archive_content.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/archive_magic.h"
#include "common/err.h"

#define IN_MEMORY_MAX (64U << 20) /* bytes */

/* What is unpacked has this name until its digest is known. */
#define UNPACKED_NAME "new"

void spg_archive_content_init(struct spg_archive_content *content,
	struct spg_archive_job *job, const struct spg_archive_unpack *unpack)
{
	*content = (struct spg_archive_content){.job = job,
		.memory_fd = -1,
		.file_fd = -1,
		.unpack = unpack,
		.unpack_fd = -1};
}

void spg_archive_content_finish(struct spg_archive_content *content)
{
	if (content->memory_fd >= 0)
		close(content->memory_fd);
	if (content->file_fd >= 0)
		close(content->file_fd);
	if (content->unpack_fd >= 0)
		close(content->unpack_fd);
	content->memory_fd = content->file_fd = content->unpack_fd = -1;
}

void spg_archive_content_begin(struct spg_archive_content *content)
{
	spg_digest_init(&content->digest);
	content->keeps = content->in_file = content->begun = false;
	content->is_program = false;
}

static int write_all(
	struct spg_archive_content *content, int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return spg_archive_fail_errno(content->job, errno);
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Empty again. */
static int prepare(struct spg_archive_content *content, int *fd, bool in_file)
{
	if (*fd < 0 && in_file) {
		/* /tmp may be memory. */
		*fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (*fd < 0)
			*fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	} else if (*fd < 0) {
		*fd = memfd_create("spguard", MFD_CLOEXEC);
	}
	if (*fd < 0 || ftruncate(*fd, 0) < 0 || lseek(*fd, 0, SEEK_SET) < 0)
		return spg_archive_fail_errno(content->job, errno);
	return 0;
}

static int move_to_file(struct spg_archive_content *content)
{
	int err = prepare(content, &content->file_fd, true);
	char bytes[16384];
	off_t at = 0;

	while (err == 0) {
		ssize_t n = pread(content->memory_fd, bytes, sizeof(bytes), at);

		if (n < 0)
			return spg_archive_fail_errno(content->job, errno);
		if (n == 0)
			break;
		at += n;
		err = write_all(content, content->file_fd, bytes, (size_t)n);
	}
	content->in_file = true;
	return err;
}

static int keep(struct spg_archive_content *content, const void *bytes, size_t n)
{
	int err = 0;

	if (!content->in_file && content->digest.n_bytes + n > IN_MEMORY_MAX)
		err = move_to_file(content);
	if (err == 0)
		err = write_all(content,
			content->in_file ? content->file_fd : content->memory_fd, bytes,
			n);
	return err;
}

/* ---- a copy ---- */

static int unpack(struct spg_archive_content *content, const void *bytes, size_t n)
{
	if (content->unpack_fd < 0)
		content->unpack_fd = openat(content->unpack->directory_fd,
			UNPACKED_NAME,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (content->unpack_fd < 0)
		return spg_archive_fail_errno(content->job, errno);
	content->n_unpacked += n;
	if (content->n_unpacked > content->unpack->bytes_max)
		return spg_archive_fail(content->job, SPG_ERR_LIMIT,
			"unpacked it would take too much room", NULL);
	return write_all(content, content->unpack_fd, bytes, n);
}

static int end_unpacking(
	struct spg_archive_content *content, const struct spg_payload_file *file)
{
	int directory_fd = content->unpack->directory_fd, fd;
	/* An empty one has no first byte. */
	int err = unpack(content, "", 0);

	if (err < 0)
		return err;
	fd = content->unpack_fd;
	content->unpack_fd = -1;
	if (close(fd) < 0 ||
		renameat(directory_fd, UNPACKED_NAME, directory_fd, file->sha256) < 0)
		return spg_archive_fail_errno(content->job, errno);
	return 0;
}

/* ---- one content ---- */

int spg_archive_content_add(
	struct spg_archive_content *content, const void *bytes, size_t n)
{
	int err = content->unpack ? unpack(content, bytes, n) : 0;

	if (!content->begun) {
		content->begun = true;
		content->is_program = spg_archive_is_program(bytes, n);
		/* Nothing else says a version, see spg_payload_read_version(). */
		content->keeps = n >= 2 && memcmp(bytes, "MZ", 2) == 0;
		if (err == 0 && content->keeps)
			err = prepare(content, &content->memory_fd, false);
	}
	if (err == 0 && content->keeps)
		err = keep(content, bytes, n);
	spg_digest_add(&content->digest, bytes, n);
	return err;
}

int spg_archive_content_end(
	struct spg_archive_content *content, struct spg_payload_file *file)
{
	struct spg_archive_job *job = content->job;
	struct spg_buf why = SPG_BUF_NULL;
	int err = 0;

	file->size = content->digest.n_bytes;
	file->is_program = content->is_program;
	if (content->keeps)
		err = spg_payload_read_version(file,
			content->in_file ? content->file_fd : content->memory_fd,
			spg_buf_text(&job->shown), &why);
	if (err < 0)
		err = spg_archive_fail(job, err, spg_err_text(err), NULL);
	spg_digest_text(&content->digest, file->sha256);
	spg_buf_finish(&why);
	if (err == 0 && content->unpack)
		err = end_unpacking(content, file);
	return err;
}
