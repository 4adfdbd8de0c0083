/* SPDX-License-Identifier: MIT */
#include "client/archive_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/err.h"
#include "common/text.h"

#define BLOCK      512         /* of a tar */
#define BEHIND_MAX (64U << 20) /* bytes that a tar may be filled up with */

/* --- failures ------------------------------------------------------------------- */

int spg_archive_fail(
	struct spg_archive_job *job, int err, const char *why, const char *hint)
{
	if (job->err < 0)
		return job->err;
	job->err = err;
	spg_buf_clear(job->error);
	spg_text_escape(job->error, spg_buf_text(&job->shown), false);
	spg_buf_puts(job->error, ": ");
	spg_text_escape(job->error, why, false);
	if (hint)
		spg_buf_printf(job->error, "\n%s", hint);
	return err;
}

int spg_archive_fail_errno(struct spg_archive_job *job, int errnum)
{
	return spg_archive_fail(
		job, spg_err_from_errno(errnum), strerror(errnum), NULL);
}

int spg_archive_fail_nomem(struct spg_archive_job *job)
{
	return spg_archive_fail(job, SPG_ERR_NOMEM, "out of memory", NULL);
}

static int fail_encrypted(struct spg_archive_job *job)
{
	return spg_archive_fail(job, SPG_ERR_UNSUPPORTED, "it is encrypted",
		"Unpack it with its password, and name the folder with --payload.");
}

/* What libarchive says went wrong. */
static int fail_library(const struct spg_archive_stream *stream)
{
	struct spg_archive_job *job = stream->job;
	const char *said = job->lib->archive_error_string(stream->archive);
	struct spg_buf why = SPG_BUF_NULL;
	int err;

	if (job->err < 0)
		return job->err;
	if (job->lib->archive_errno(stream->archive) == ENOMEM)
		return spg_archive_fail_nomem(job);
	if (stream->is_known &&
		job->lib->archive_read_has_encrypted_entries(stream->archive) > 0)
		return fail_encrypted(job);
	spg_buf_puts(&why, "damaged, not complete, or of a kind that cannot be read");
	if (said)
		spg_buf_printf(&why, " (%s)", said);
	err = spg_archive_fail(job, SPG_ERR_CORRUPT, spg_buf_text(&why),
		"Compare it with what the vendor offers. If it is whole, unpack it, "
		"and name the folder with --payload.");
	spg_buf_finish(&why);
	return err;
}

/* --- the source ------------------------------------------------------------------- */

static la_ssize_t read_file(struct spg_archive_stream *stream)
{
	ssize_t n;

	do
		n = read(stream->fd, stream->chunk, sizeof(stream->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		spg_archive_fail_errno(stream->job, errno);
	return n < 0 ? ARCHIVE_FATAL : n;
}

static void note_source(struct spg_archive_stream *stream, const char *bytes, size_t n)
{
	size_t set = n;

	stream->n_source += n;
	while (set > 0 && bytes[set - 1] == 0)
		set--;
	if (set > 0)
		stream->n_set = stream->n_source - (n - set);
}

static la_ssize_t read_source(struct archive *archive, void *user, const void **ret)
{
	struct spg_archive_stream *stream = user;
	la_ssize_t n;

	(void)archive;
	*ret = stream->chunk;
	if (stream->n_first > 0) {
		*ret = stream->first;
		n = (la_ssize_t)stream->n_first;
		stream->n_first = 0;
	} else if (stream->fd >= 0) {
		n = read_file(stream);
	} else {
		n = spg_archive_stream_read(
			stream->from, stream->chunk, sizeof(stream->chunk));
	}
	if (n < 0)
		return ARCHIVE_FATAL;
	note_source(stream, *ret, (size_t)n);
	return n;
}

static la_int64_t seek_source(
	struct archive *archive, void *user, la_int64_t offset, int whence)
{
	struct spg_archive_stream *stream = user;
	off_t at = lseek(stream->fd, offset, whence);

	(void)archive;
	if (at >= 0)
		stream->n_source = (uint64_t)at;
	return at < 0 ? ARCHIVE_FATAL : at;
}

/* --- the reader ------------------------------------------------------------------- */

struct spg_archive_stream *spg_archive_stream_create(
	struct spg_archive_job *job, int fd, struct spg_archive_stream *from)
{
	struct spg_archive_stream *stream = malloc(sizeof(*stream));

	if (!stream) {
		spg_archive_fail_nomem(job);
		return NULL;
	}
	/* The chunk is not touched before it is filled. */
	memset(stream, 0, offsetof(struct spg_archive_stream, chunk));
	stream->job = job;
	stream->fd = fd;
	stream->from = from;
	return stream;
}

void spg_archive_stream_destroy(struct spg_archive_stream *stream)
{
	if (!stream)
		return;
	if (stream->archive)
		stream->job->lib->archive_read_free(stream->archive);
	free(stream);
}

/* A filter that this libarchive was built without only warns. */
static int support_filters(const struct spg_archive_library *lib, struct archive *a)
{
	lib->archive_read_support_filter_bzip2(a);
	lib->archive_read_support_filter_compress(a);
	lib->archive_read_support_filter_gzip(a);
	lib->archive_read_support_filter_lz4(a);
	lib->archive_read_support_filter_lzma(a);
	lib->archive_read_support_filter_rpm(a);
	lib->archive_read_support_filter_xz(a);
	lib->archive_read_support_filter_zstd(a);
	return lib->archive_read_support_format_raw(a);
}

static int support(const struct spg_archive_library *lib, struct archive *a,
	enum spg_archive_formats formats)
{
	int r = ARCHIVE_OK;

	if (formats == SPG_ARCHIVE_RAW)
		return support_filters(lib, a);
	if (formats == SPG_ARCHIVE_AR)
		return lib->archive_read_support_format_ar(a);
	if (formats == SPG_ARCHIVE_CAB)
		return lib->archive_read_support_format_cab(a);
	r |= lib->archive_read_support_format_tar(a);
	r |= lib->archive_read_support_format_cpio(a);
	if (formats == SPG_ARCHIVE_STREAMS)
		return r;
	/* Read as a stream, a zip without its end would be a shorter one. */
	r |= lib->archive_read_support_format_zip_seekable(a);
	r |= lib->archive_read_support_format_7zip(a);
	r |= lib->archive_read_support_format_cab(a);
	return r | lib->archive_read_support_format_iso9660(a);
}

int spg_archive_stream_open(
	struct spg_archive_stream *stream, enum spg_archive_formats formats)
{
	struct spg_archive_job *job = stream->job;
	const struct spg_archive_library *lib = job->lib;
	struct archive *a;

	if (stream->archive)
		lib->archive_read_free(stream->archive);
	stream->archive = a = lib->archive_read_new();
	if (!a || support(lib, a, formats) != ARCHIVE_OK)
		return spg_archive_fail_nomem(job);
	stream->count = formats == SPG_ARCHIVE_RAW ? &job->n_raw : &job->n_bytes;
	if (stream->fd >= 0 && lseek(stream->fd, 0, SEEK_SET) < 0)
		return spg_archive_fail_errno(job, errno);
	stream->n_source = stream->n_set = 0;
	lib->archive_read_set_callback_data(a, stream);
	lib->archive_read_set_read_callback(a, read_source);
	if (stream->fd >= 0)
		lib->archive_read_set_seek_callback(a, seek_source);
	stream->is_known = lib->archive_read_open1(a) == ARCHIVE_OK;
	if (!stream->is_known && job->err == 0 &&
		lib->archive_errno(a) == EILSEQ) /* ARCHIVE_ERRNO_FILE_FORMAT */
		return SPG_ERR_INVALID;
	return stream->is_known ? 0 : fail_library(stream);
}

bool spg_archive_stream_has_filter(const struct spg_archive_stream *stream, int code)
{
	const struct spg_archive_library *lib = stream->job->lib;
	int n = lib->archive_filter_count(stream->archive);

	for (int i = 0; i < n; i++) {
		int found = lib->archive_filter_code(stream->archive, i);

		if (code ? found == code : found != ARCHIVE_FILTER_NONE)
			return true;
	}
	return false;
}

static bool is_tar(const struct spg_archive_stream *stream)
{
	return (stream->job->lib->archive_format(stream->archive) &
		       ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
}

/* A tar may just end, says libarchive; but it ends with blocks of zeros, and one without
 * them was cut. */
static bool is_cut(const struct spg_archive_stream *stream, la_int64_t before)
{
	const struct spg_archive_library *lib = stream->job->lib;

	return is_tar(stream) &&
	       lib->archive_filter_bytes(stream->archive, 0) - before < BLOCK;
}

int spg_archive_stream_next(
	struct spg_archive_stream *stream, struct archive_entry **ret, bool first)
{
	const struct spg_archive_library *lib = stream->job->lib;
	la_int64_t before;
	int r;

	if (!first && lib->archive_read_data_skip(stream->archive) < ARCHIVE_OK)
		return fail_library(stream);
	before = lib->archive_filter_bytes(stream->archive, 0);
	r = lib->archive_read_next_header(stream->archive, ret);
	if (r == ARCHIVE_OK)
		return stream->job->err;
	if (r != ARCHIVE_EOF)
		return fail_library(stream);
	if (stream->job->err == 0 && is_cut(stream, before))
		return spg_archive_fail(stream->job, SPG_ERR_CORRUPT,
			"not complete: the end of the archive is missing",
			"Compare it with what the vendor offers.");
	return stream->job->err < 0 ? stream->job->err : 1;
}

int spg_archive_stream_read(struct spg_archive_stream *stream, void *buf, size_t n)
{
	struct spg_archive_job *job = stream->job;
	la_ssize_t got = job->lib->archive_read_data(stream->archive, buf, n);

	if (got < 0 || job->err < 0)
		return fail_library(stream);
	if ((uint64_t)got > job->bytes_max - *stream->count)
		return spg_archive_fail(job, SPG_ERR_LIMIT,
			"unpacked it is larger than an archive may be here",
			"This does not look like one service pack. If it is one, "
			"unpack "
			"it, and name the folder with --payload.");
	*stream->count += (uint64_t)got;
	if (stream->digest)
		spg_digest_add(stream->digest, buf, (size_t)got);
	return (int)got;
}

int spg_archive_stream_drain(struct spg_archive_stream *stream)
{
	char rest[4096];
	int n;

	do
		n = spg_archive_stream_read(stream, rest, sizeof(rest));
	while (n > 0);
	return n;
}

int spg_archive_stream_conclude(struct spg_archive_stream *stream)
{
	uint64_t end =
		(uint64_t)stream->job->lib->archive_filter_bytes(stream->archive, 0);
	const void *bytes;
	la_ssize_t n = 1;

	if (stream->fd >= 0 && !is_tar(stream))
		return 0;
	while (n > 0) {
		n = read_source(stream->archive, stream, &bytes);
		if (n < 0)
			return stream->job->err;
		if (is_tar(stream) &&
			(stream->n_set > end || stream->n_source > end + BEHIND_MAX))
			return spg_archive_fail(stream->job, SPG_ERR_UNSUPPORTED,
				"something follows the end of the archive",
				"If that is meant to be, unpack it, and name the "
				"folder "
				"with --payload.");
	}
	return 0;
}
