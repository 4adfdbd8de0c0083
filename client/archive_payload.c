/* SPDX-License-Identifier: MIT */
#include "client/archive_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/archive_content.h"
#include "client/archive_files.h"
#include "client/archive_magic.h"
#include "client/archive_places.h"
#include "client/archive_stream.h"
#include "common/err.h"
#include "common/text.h"

#define PATH_BYTES_MAX 4095 /* of a path; Linux has none that is longer */

/* --- one reading --------------------------------------------------------------------- */

struct reading {
	struct spg_archive_job job;
	struct spg_archive_files files;
	struct spg_archive_content content;
	const struct spg_payload_progress *progress; /* NULL: not wanted */
	size_t entries_max, n_entries, n_within, n_files;
	uint64_t told_bytes;
	bool paths_only, may_be_empty;
};

/* Where entries come from. */
struct place {
	const char
		*folder; /* path of the archive that they lie in; "": the outermost */
	size_t within;
	bool installs; /* a package: its paths are those of the installed files */
};

/* libarchive has names of archives in the charset of the locale. */
static locale_t enter_utf8(locale_t *ret_before)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	if (utf8 != (locale_t)0)
		*ret_before = uselocale(utf8);
	return utf8;
}

static void leave_utf8(locale_t utf8, locale_t before)
{
	if (utf8 == (locale_t)0)
		return;
	uselocale(before);
	freelocale(utf8);
}

static void tell(struct reading *r)
{
	r->told_bytes = r->job.n_bytes;
	if (r->progress)
		r->progress->on(r->progress->user, r->n_files, r->job.n_bytes);
}

static void cut_shown(struct reading *r, size_t len)
{
	if (r->job.shown.failed)
		return;
	r->job.shown.len = len;
	r->job.shown.data[len] = '\0';
}

/* --- paths ---------------------------------------------------------------------------- */

/* Append @path to @out, normalised. False: a component leads up. */
static bool add_path(struct spg_buf *out, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return false;
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (out->len > 0 && out->data[out->len - 1] != '/')
				spg_buf_putc(out, '/');
			spg_buf_add(out, path, n);
		}
		path += n + (path[n] == '/');
	}
	return true;
}

/* *@ret: @path as it lies in the archive; NULL: the archive's own folder. */
static int take_path(
	struct reading *r, const struct place *place, const char *path, char **ret)
{
	struct spg_buf buf = SPG_BUF_NULL;
	size_t before;
	int err = 0;

	*ret = NULL;
	spg_buf_puts(&buf, place->installs ? "/" : place->folder);
	before = buf.len;
	if (strlen(path) > PATH_BYTES_MAX)
		err = spg_archive_fail(&r->job, SPG_ERR_LIMIT,
			"its path is longer than 4095 bytes",
			"No file can be called so: the archive is damaged, or made to "
			"do harm.");
	else if (!add_path(&buf, path))
		err = spg_archive_fail(&r->job, SPG_ERR_INVALID,
			"this path leads out of the archive",
			"Do not unpack it: it is damaged, or made to do harm.");
	else if (buf.failed)
		err = spg_archive_fail_nomem(&r->job);
	if (err == 0 && buf.len > before)
		*ret = spg_buf_take(&buf);
	spg_buf_finish(&buf);
	return err;
}

static const char *either(const char *text, const char *utf8)
{
	return text ? text : utf8;
}

/* --- contents ------------------------------------------------------------------------- */

static int read_package(struct reading *r, struct spg_archive_stream *stream,
	const void *first, size_t n_first, const char *path);

/* The file is an archive itself, which begins with @first: one of the pack's files, and
 * so are those in it. */
static int take_inner(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, const char *first, size_t n_first,
	struct spg_archive_file *file)
{
	struct spg_digest digest;
	int err;

	if (place->folder[0])
		return spg_archive_fail(&r->job, SPG_ERR_UNSUPPORTED,
			"an archive in an archive in an archive is not read",
			"Unpack the outermost, and name the folder with --payload.");
	spg_digest_init(&digest);
	spg_digest_add(&digest, first, n_first);
	stream->digest = &digest;
	err = read_package(r, stream, first, n_first, file->file.path);
	stream->digest = NULL;
	file->file.size = digest.n_bytes;
	spg_digest_text(&digest, file->file.sha256);
	return err;
}

static int fail_installer(struct reading *r)
{
	return spg_archive_fail(&r->job, SPG_ERR_UNSUPPORTED,
		"this is a package of Windows Installer",
		"Unpack it, msiextract -C FOLDER FILE.msi (msitools), and name the "
		"folder with --payload.");
}

static bool is_installer_name(const char *path)
{
	return spg_name_match("*.ms[ip]", spg_path_base(path), true);
}

/* Read from the first block on. Returns 0 at the file's end. */
static int take_blocks(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, char *block, struct spg_archive_file *file)
{
	int n = spg_archive_stream_read(stream, block, SPG_ARCHIVE_CHUNK), err = 0;
	/* What a package installs is a file, whatever it has in it. */
	enum spg_archive_magic magic = n > 0 && !place->installs
	                                       ? spg_archive_magic_of(block, (size_t)n)
	                                       : SPG_MAGIC_OTHER;

	if (magic == SPG_MAGIC_PACKAGE)
		return take_inner(r, stream, place, block, (size_t)n, file);
	if (magic == SPG_MAGIC_INSTALLER && is_installer_name(file->file.path))
		return fail_installer(r);
	spg_archive_content_begin(&r->content);
	while (err == 0 && n > 0) {
		err = spg_archive_content_add(&r->content, block, (size_t)n);
		if (r->job.n_bytes - r->told_bytes >= 1U << 20)
			tell(r);
		if (err == 0)
			n = spg_archive_stream_read(stream, block, SPG_ARCHIVE_CHUNK);
	}
	if (err == 0 && n < 0)
		err = n;
	return err < 0 ? err : spg_archive_content_end(&r->content, &file->file);
}

static int take_content(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, struct spg_archive_file *file)
{
	char *block;
	int err;

	if (r->paths_only)
		return 0;
	block = malloc(SPG_ARCHIVE_CHUNK);
	if (!block)
		return spg_archive_fail_nomem(&r->job);
	r->n_files++;
	err = take_blocks(r, stream, place, block, file);
	file->is_read = err == 0;
	free(block);
	return err;
}

/* --- entries -------------------------------------------------------------------------- */

static int take_link(struct reading *r, const struct place *place,
	struct archive_entry *entry, struct spg_archive_file *file)
{
	const struct spg_archive_library *lib = r->job.lib;
	const char *target;
	int err = 0;

	if (file->kind == SPG_ARCHIVE_HARD) {
		target = either(lib->archive_entry_hardlink(entry),
			lib->archive_entry_hardlink_utf8(entry));
		err = target ? take_path(r, place, target, &file->target) : 0;
	} else {
		target = either(lib->archive_entry_symlink(entry),
			lib->archive_entry_symlink_utf8(entry));
		file->target = strdup(target ? target : "");
		if (!file->target)
			err = spg_archive_fail_nomem(&r->job);
	}
	return err;
}

/* False: it is none that an install would bring. */
static bool kind_of(const struct spg_archive_library *lib, struct archive_entry *entry,
	enum spg_archive_kind *ret)
{
	unsigned type = lib->archive_entry_filetype(entry);

	if (lib->archive_entry_hardlink(entry) ||
		lib->archive_entry_hardlink_utf8(entry))
		*ret = SPG_ARCHIVE_HARD;
	else if (type == AE_IFREG || type == 0)
		*ret = SPG_ARCHIVE_FILE;
	else if (type == AE_IFLNK)
		*ret = SPG_ARCHIVE_SYMBOLIC;
	else if (type == AE_IFDIR)
		*ret = SPG_ARCHIVE_FOLDER;
	else
		return false;
	return true;
}

static int take_kind(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, struct archive_entry *entry,
	struct spg_archive_file *file)
{
	const struct spg_archive_library *lib = r->job.lib;
	bool has_content = file->kind == SPG_ARCHIVE_FILE;
	int err = 0;

	if (lib->archive_entry_is_encrypted(entry))
		return spg_archive_fail(&r->job, SPG_ERR_UNSUPPORTED, "it is encrypted",
			"Unpack it with its password, and name the folder with "
			"--payload.");
	if (!file->file.path && has_content)
		return spg_archive_fail(&r->job, SPG_ERR_INVALID, "a file without name",
			"The archive is damaged, or made to do harm.");
	if (!file->file.path)
		return 0;
	if (file->kind == SPG_ARCHIVE_HARD || file->kind == SPG_ARCHIVE_SYMBOLIC)
		err = take_link(r, place, entry, file);
	if (file->kind == SPG_ARCHIVE_HARD)
		has_content = lib->archive_entry_size_is_set(entry) &&
		              lib->archive_entry_size(entry) > 0;
	if (err == 0 && has_content)
		err = take_content(r, stream, place, file);
	return err;
}

static int take_entry(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, struct archive_entry *entry)
{
	const struct spg_archive_library *lib = r->job.lib;
	struct spg_archive_file file = {.within = place->within};
	const char *path = either(lib->archive_entry_pathname(entry),
		lib->archive_entry_pathname_utf8(entry));
	size_t before = r->job.shown.len;
	int err;

	r->may_be_empty = r->paths_only;
	if (++r->n_entries > r->entries_max)
		return spg_archive_fail(&r->job, SPG_ERR_LIMIT,
			"it has more entries than an archive may have here",
			"This does not look like one service pack.");
	if (!kind_of(lib, entry, &file.kind))
		return 0;
	spg_buf_printf(&r->job.shown, ": %s", path ? path : "");
	err = take_path(r, place, path ? path : "", &file.file.path);
	if (err == 0)
		err = take_kind(r, stream, place, entry, &file);
	cut_shown(r, before);
	if (err == 0 && file.file.path)
		return spg_archive_files_add(&r->files, &file) < 0
		               ? spg_archive_fail_nomem(&r->job)
		               : 0;
	free(file.file.path);
	free(file.file.version);
	free(file.target);
	return err;
}

/* --- archives ------------------------------------------------------------------------- */

/* All entries, the first of which is already open where @entry is. */
static int walk_from(struct reading *r, struct spg_archive_stream *stream,
	const struct place *place, struct archive_entry *entry)
{
	int err = entry ? take_entry(r, stream, place, entry) : 0;

	while (err == 0) {
		err = spg_archive_stream_next(stream, &entry, false);
		if (err == 0)
			err = take_entry(r, stream, place, entry);
	}
	return err < 0 ? err : 0;
}

/* SPG_ERR_INVALID without a word in the job: it is none of the formats. */
static int walk(
	struct reading *r, struct spg_archive_stream *stream, const struct place *place)
{
	struct archive_entry *entry = NULL;
	int err = spg_archive_stream_next(stream, &entry, true);

	if (err == 0)
		err = walk_from(r, stream, place, entry);
	/* Checksums and the end of what is packed come behind the last file. */
	return err < 0 ? err : spg_archive_stream_conclude(stream);
}

/* What @raw unpacks, once its only entry is open. */
static int walk_unpacked(
	struct reading *r, struct spg_archive_stream *raw, const struct place *place)
{
	struct spg_archive_stream *stream = spg_archive_stream_create(&r->job, -1, raw);
	int err = stream ? spg_archive_stream_open(stream, SPG_ARCHIVE_STREAMS)
	                 : SPG_ERR_NOMEM;

	if (err == 0)
		err = walk(r, stream, place);
	if (err < 0)
		err = spg_archive_fail(&r->job, err,
			"what is packed in it is no archive that can be read",
			"Unpack it, and name the folder with --payload.");
	spg_archive_stream_destroy(stream);
	return err;
}

/* An archive that is packed as a whole, or not: the entry that @from is at. */
static int walk_packed(struct reading *r, struct spg_archive_stream *from,
	const void *first, size_t n_first, const struct place *place)
{
	struct spg_archive_stream *raw = spg_archive_stream_create(&r->job, -1, from);
	struct archive_entry *entry;
	int err = SPG_ERR_NOMEM;

	if (raw) {
		raw->first = first;
		raw->n_first = n_first;
		err = spg_archive_stream_open(raw, SPG_ARCHIVE_RAW);
	}
	if (err == 0)
		err = spg_archive_stream_next(raw, &entry, true);
	if (err == 0)
		err = walk_unpacked(r, raw, place);
	else if (err > 0)
		err = SPG_ERR_INVALID;
	spg_archive_stream_destroy(raw);
	return err;
}

/* The members of a .deb, of which the first is open: what it installs is in one. */
static int walk_deb(struct reading *r, struct spg_archive_stream *ar, size_t within)
{
	const struct spg_archive_library *lib = r->job.lib;
	const struct place place = {.folder = "", .within = within, .installs = true};
	struct archive_entry *entry;
	bool found = false;
	int err;

	while ((err = spg_archive_stream_next(ar, &entry, false)) == 0) {
		const char *name = lib->archive_entry_pathname(entry);
		bool is_data = name && spg_name_match("data.tar*", name, false);

		found |= is_data;
		if (is_data)
			err = walk_packed(r, ar, NULL, 0, &place);
		if (err == 0)
			err = spg_archive_stream_drain(ar);
		if (err < 0)
			return err;
	}
	if (err > 0)
		err = found ? 0
		            : spg_archive_fail(&r->job, SPG_ERR_CORRUPT,
				      "not complete: the package's files are missing",
				      "Compare it with what the vendor offers.");
	return err;
}

/* A .deb, .rpm or .cab, the entry that @from is at. */
static int walk_package(struct reading *r, struct spg_archive_stream *from,
	struct spg_archive_stream *stream, const char *path)
{
	const struct place in_cab = {.folder = path, .within = ++r->n_within};
	const struct place in_package = {
		.folder = path, .within = r->n_within, .installs = true};
	const char *first = stream->first;
	struct archive_entry *entry;
	int err;

	if (first[0] == 'M') {
		err = spg_archive_stream_open(stream, SPG_ARCHIVE_CAB);
		return err < 0 ? err : walk(r, stream, &in_cab);
	}
	if (first[0] != '!')
		return walk_packed(r, from, first, stream->n_first, &in_package);
	err = spg_archive_stream_open(stream, SPG_ARCHIVE_AR);
	if (err == 0)
		err = spg_archive_stream_next(stream, &entry, true);
	return err == 0 ? walk_deb(r, stream, in_package.within) : err;
}

static int read_package(struct reading *r, struct spg_archive_stream *from,
	const void *first, size_t n_first, const char *path)
{
	struct spg_archive_stream *stream =
		spg_archive_stream_create(&r->job, -1, from);
	int err = SPG_ERR_NOMEM;

	if (stream) {
		stream->first = first;
		stream->n_first = n_first;
		err = walk_package(r, from, stream, path);
		if (err == 0)
			err = spg_archive_stream_drain(from);
	}
	if (err < 0)
		err = spg_archive_fail(&r->job, err, "no archive that can be read",
			"Unpack it, and name the folder with --payload.");
	spg_archive_stream_destroy(stream);
	return err;
}

/* SPG_ERR_INVALID without a word in the job: nothing that is known. */
static int read_outermost(
	struct reading *r, struct spg_archive_stream *stream, const char *bytes)
{
	struct place place = {.folder = ""};
	struct archive_entry *entry;
	bool is_deb = bytes[0] == '!';
	int err = spg_archive_stream_open(
		stream, is_deb ? SPG_ARCHIVE_AR : SPG_ARCHIVE_RAW);

	if (err == 0)
		err = spg_archive_stream_next(stream, &entry, true);
	if (err != 0)
		return err > 0 ? SPG_ERR_INVALID : err;
	place.installs = spg_archive_stream_has_filter(stream, ARCHIVE_FILTER_RPM);
	if (r->paths_only && !is_deb && !place.installs)
		return SPG_ARCHIVE_NONE;
	/* A .deb has its folders at least: without them it is damaged. */
	r->may_be_empty = r->paths_only && !is_deb;
	if (is_deb)
		return walk_deb(r, stream, 0);
	if (spg_archive_stream_has_filter(stream, 0))
		return walk_unpacked(r, stream, &place);
	err = spg_archive_stream_open(stream, SPG_ARCHIVE_FILES);
	return err < 0 ? err : walk(r, stream, &place);
}

/* Nothing could be made of it. */
static int conclude_unknown(struct reading *r, enum spg_archive_magic magic)
{
	if (magic == SPG_MAGIC_OTHER)
		return SPG_ARCHIVE_NONE;
	if (magic == SPG_MAGIC_PROGRAM)
		return spg_archive_fail(&r->job, SPG_ERR_UNSUPPORTED,
			"this program is no archive that can be read",
			"Let it unpack itself (many take /x or /extract), or try 7z x, "
			"and name the folder with --payload.");
	return spg_archive_fail(&r->job, SPG_ERR_CORRUPT,
		"damaged, not complete, or of a kind that cannot be read",
		"Compare it with what the vendor offers. If it is whole, unpack it, "
		"and name the folder with --payload.");
}

static int read_known(
	struct reading *r, int fd, const char *bytes, enum spg_archive_magic magic)
{
	struct spg_archive_stream *stream;
	locale_t before = (locale_t)0, utf8 = enter_utf8(&before);
	int err = SPG_ERR_NOMEM;

	stream = spg_archive_stream_create(&r->job, fd, NULL);
	if (stream)
		err = read_outermost(r, stream, bytes);
	if (err == SPG_ERR_INVALID && r->job.err == 0)
		err = conclude_unknown(r, magic);
	spg_archive_stream_destroy(stream);
	leave_utf8(utf8, before);
	return err;
}

static int read_file(struct reading *r, int fd)
{
	char *bytes = calloc(1, SPG_ARCHIVE_MAGIC_BYTES);
	ssize_t n = bytes ? pread(fd, bytes, SPG_ARCHIVE_MAGIC_BYTES, 0) : 0;
	enum spg_archive_magic magic =
		n > 0 ? spg_archive_magic_of(bytes, (size_t)n) : SPG_MAGIC_OTHER;
	const char *why = NULL;
	int err;

	r->job.lib = spg_archive_library_load(&why);
	if (!bytes)
		err = spg_archive_fail_nomem(&r->job);
	else if (n < 0)
		err = spg_archive_fail_errno(&r->job, errno);
	else if (magic == SPG_MAGIC_INSTALLER)
		err = fail_installer(r);
	else if (n == 0 || (!r->job.lib && magic == SPG_MAGIC_OTHER))
		err = SPG_ARCHIVE_NONE;
	else if (!r->job.lib)
		err = spg_archive_fail(&r->job, SPG_ERR_UNSUPPORTED,
			why ? why : "libarchive lacks a function",
			"Install libarchive (Debian: libarchive13), or unpack it, and "
			"name the folder with --payload.");
	else
		err = read_known(r, fd, bytes, magic);
	free(bytes);
	return err;
}

static int fail_open(struct reading *r, int errnum)
{
	return spg_archive_fail(&r->job, spg_err_from_errno(errnum), strerror(errnum),
		"Ask as a user who may read the whole service pack.");
}

int spg_archive_read(struct spg_payload *payload, const char *path,
	const struct spg_archive_limits *limits,
	const struct spg_payload_progress *progress, struct spg_buf *error)
{
	struct reading r = {.job = {.error = error},
		.files = SPG_ARCHIVE_FILES_NULL,
		.progress = progress,
		.paths_only = limits->paths_only};
	struct stat st;
	int fd, err;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return SPG_ARCHIVE_NONE;
	r.job.bytes_max = limits->bytes_max ? limits->bytes_max : SPG_ARCHIVE_BYTES_MAX;
	r.entries_max =
		limits->entries_max ? limits->entries_max : SPG_PAYLOAD_FILES_MAX;
	spg_buf_puts(&r.job.shown, path);
	spg_archive_content_init(&r.content, &r.job, limits->unpack);
	/* Not waiting, should a pipe have taken the file's place. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	err = fd < 0 ? fail_open(&r, errno) : read_file(&r, fd);
	if (err == 0)
		err = spg_archive_files_move(&r.files, payload, path, error);
	if (err == 0 && spg_archive_resolve_places(payload) < 0)
		err = spg_archive_fail_nomem(&r.job);
	if (err != SPG_ARCHIVE_NONE &&
		(err < 0 || payload->n_files > 0 || !r.may_be_empty))
		err = spg_payload_conclude(payload, path, err, error);
	spg_archive_content_finish(&r.content);
	spg_archive_files_finish(&r.files);
	spg_buf_finish(&r.job.shown);
	if (fd >= 0)
		close(fd);
	return err;
}
