/* SPDX-License-Identifier: MIT */
#include "client/payload_params.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/archive_payload.h"
#include "client/connection.h"
#include "client/progress.h"
#include "common/message.h"
#include "common/payload.h"
#include "common/text.h"

#define FILES_MAX 10000 /* that the daemon takes in one request */

static void on_progress(void *user, size_t n_files, uint64_t n_bytes)
{
	char text[SPG_PROGRESS_BYTES];

	snprintf(text, sizeof(text),
		"reading the service pack: %zu files, %" PRIu64 " MB", n_files,
		n_bytes / 1000000);
	spg_progress_tell(user, text);
}

/* ---- reading ---- */

/* What is no archive has to be a folder. */
static int read_files(struct spg_payload *payload, const char *path,
	const struct spg_payload_progress *progress, struct spg_buf *error)
{
	const struct spg_archive_limits limits = {0, 0};
	int err = spg_archive_read(payload, path, &limits, progress, error);

	return err == SPG_ARCHIVE_NONE
	               ? spg_payload_read_files(payload, path, progress, error)
	               : err;
}

static int read_payload(const struct spg_payload_options *options,
	struct spg_payload *payload, struct spg_complaint *why)
{
	struct spg_progress progress;
	struct spg_payload_progress on = {on_progress, &progress};
	struct spg_buf error = SPG_BUF_NULL;
	char *hint;
	int err;

	spg_progress_begin(&progress, options->quiet);
	if (options->folder)
		err = read_files(payload, options->folder, &on, &error);
	else
		err = spg_payload_read_list(payload, options->list, &error);
	spg_progress_end(&progress);
	if (err < 0) {
		hint = error.data ? strchr(error.data, '\n') : NULL;
		if (hint)
			*hint++ = '\0';
		spg_complain(why, "%s",
			error.len ? error.data : "the service pack cannot be read");
		if (hint)
			spg_complaint_hint(why, "%s", hint);
	}
	spg_buf_finish(&error);
	return err;
}

/* ---- parameters ---- */

/* What is told of a file. A path tells whose counterpart it is, and a version mostly
 * what a digest tells. */
enum detail { EVERYTHING, NO_DIGEST_WITH_VERSION, NO_PATHS, NAMES_ONLY };

/* The product may not look there: so the daemon has to know of it. */
static bool takes_a_place(const struct spg_payload_file *file)
{
	return file->there.ino != 0 && file->is_program;
}

/* Told already with the file before it. */
static bool is_told(const struct spg_payload *payload, size_t index, enum detail detail)
{
	const struct spg_payload_file *file = &payload->files[index];

	if (detail < NO_PATHS || index == 0 || takes_a_place(file) ||
		strcmp(file[-1].name, file->name) != 0)
		return false;
	/* Without contents all of a name are the same. */
	return detail == NAMES_ONLY || strcmp(file[-1].sha256, file->sha256) == 0;
}

static json_t *there_object(const struct spg_payload_file *file)
{
	return json_pack("{s:I, s:I, s:b}", "dev", (json_int_t)file->there.dev, "ino",
		(json_int_t)file->there.ino, "program", (int)file->is_program);
}

static json_t *file_object(const struct spg_payload_file *file, enum detail detail)
{
	bool digest =
		file->sha256[0] &&
		(detail == EVERYTHING || (detail != NAMES_ONLY && !file->version));
	size_t len = strlen(file->path);
	json_t *object = json_object();
	int r = json_object_set_new(object, "name", json_string(file->name));

	if ((detail < NO_PATHS || takes_a_place(file)) && len <= SPG_PAYLOAD_PATH_MAX &&
		spg_text_is_utf8(file->path, len)) {
		r |= json_object_set_new(object, "path", json_string(file->path));
		if (file->there.ino != 0)
			r |= json_object_set_new(object, "there", there_object(file));
	}
	if (detail != NAMES_ONLY && file->version)
		r |= json_object_set_new(object, "version", json_string(file->version));
	if (digest)
		r |= json_object_set_new(object, "sha256", json_string(file->sha256));
	if (detail != NAMES_ONLY && file->sha256[0])
		r |= json_object_set_new(
			object, "size", json_integer((json_int_t)file->size));
	if (!r)
		return object;
	json_decref(object);
	return NULL;
}

/* Replace "payload" in @params. */
static int set_files(
	json_t *params, const struct spg_payload *payload, enum detail detail)
{
	json_t *files = json_array();
	int r = files ? 0 : -1;

	for (size_t i = 0; r == 0 && i < payload->n_files; i++)
		if (!is_told(payload, i, detail))
			r = json_array_append_new(
				files, file_object(&payload->files[i], detail));
	return json_object_set_new(params, "payload", files) | r;
}

static int set_names(json_t *params, const struct spg_payload *payload)
{
	json_t *names = json_array();
	int r = names ? 0 : -1;

	for (size_t i = 0; r == 0 && i < payload->n; i++)
		r = json_array_append_new(names, json_string(payload->names[i]));
	return json_object_set_new(params, "names", names) | r;
}

/* The names of a list, for methods that take nothing but files. */
static int set_names_as_files(json_t *params, const struct spg_payload *payload)
{
	json_t *files = json_array();
	int r = files ? 0 : -1;

	for (size_t i = 0; r == 0 && i < payload->n; i++)
		r = json_array_append_new(
			files, json_pack("{s:s}", "name", payload->names[i]));
	return json_object_set_new(params, "payload", files) | r;
}

/* 0; TOO_LARGE; negative: no memory. */
#define TOO_LARGE 1

static int measure(const struct spg_payload_options *options, const json_t *params,
	size_t *ret_bytes)
{
	*ret_bytes = spg_connection_request_bytes(options->method, params);
	if (*ret_bytes == 0)
		return -1;
	return *ret_bytes > SPG_MESSAGE_MAX ? TOO_LARGE : 0;
}

static void warn(enum detail detail)
{
	if (detail == NO_DIGEST_WITH_VERSION)
		fputs("spguard: the service pack has too many files to send all their "
		      "digests along; those with a version are compared by that "
		      "alone\n",
			stderr);
	else if (detail == NO_PATHS)
		fputs("spguard: the service pack has too many files to send their "
		      "paths along; they are compared by their names\n",
			stderr);
	else if (detail == NAMES_ONLY)
		fputs("spguard: the service pack has too many files to send their "
		      "versions along; asking about their names\n",
			stderr);
}

/* As much of the files as fits. */
static int fit_files(const struct spg_payload_options *options, json_t *params,
	const struct spg_payload *payload, size_t *ret_bytes)
{
	enum detail last = options->names_suffice ? NAMES_ONLY : NO_PATHS;
	int r = TOO_LARGE;

	for (enum detail detail = EVERYTHING; r == TOO_LARGE && detail <= last;
		detail++) {
		/* Without doubles it may be fewer. */
		if (detail < NO_PATHS && payload->n_files > FILES_MAX)
			continue;
		r = set_files(params, payload, detail);
		if (r == 0)
			r = measure(options, params, ret_bytes);
		if (r == 0 && !options->quiet)
			warn(detail);
	}
	return r;
}

static int add(const struct spg_payload_options *options, json_t *params,
	const struct spg_payload *payload, struct spg_complaint *why)
{
	size_t bytes = 0;
	int r = 0;

	if (options->folder) {
		r = fit_files(options, params, payload, &bytes);
	} else {
		r = options->names_suffice ? set_names(params, payload)
		                           : set_names_as_files(params, payload);
		if (r == 0)
			r = measure(options, params, &bytes);
	}
	if (r < 0)
		spg_complain(why, "out of memory");
	if (r == TOO_LARGE) {
		spg_complain(why,
			"the service pack has too many files for one question: "
			"%zu names make %zu bytes, the daemon takes %d",
			payload->n, bytes, SPG_MESSAGE_MAX);
		spg_complaint_hint(why, "Give only the names that matter with --files, "
					"or ask about the whole product, without a "
					"payload.");
	}
	return r;
}

bool spg_payload_params_add(const struct spg_payload_options *options, json_t *params,
	struct spg_complaint *why)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	int r;

	if (!options->folder && !options->list)
		return true;
	r = read_payload(options, &payload, why);
	if (r == 0)
		r = add(options, params, &payload, why);
	spg_payload_finish(&payload);
	return r == 0;
}
