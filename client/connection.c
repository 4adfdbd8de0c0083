/* SPDX-License-Identifier: MIT */
#include "client/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/message.h"

#define READ_BYTES   65536
#define EARLY_MAX    1000
#define NO_DEADLINE  INT64_MAX
#define WAIT_STEP_NS SPG_NS_PER_S

static int fail_nomem(struct spg_complaint *why)
{
	spg_complain(why, "out of memory");
	return SPG_ERR_NOMEM;
}

static int check_welcome(struct spg_connection *connection, struct spg_complaint *why)
{
	const char *name =
		json_string_value(json_object_get(connection->welcome, "name"));
	const char *version =
		json_string_value(json_object_get(connection->welcome, "version"));
	json_t *protocol = json_object_get(connection->welcome, "protocol");
	long long number = json_integer_value(protocol);

	if (!name || strcmp(name, "spguardd") != 0 || !json_is_integer(protocol)) {
		spg_complain(
			why, "what answers at %s is not spguardd", connection->path);
		spg_local_hint_path(why);
		return SPG_ERR_CORRUPT;
	}
	if (number == SPG_PROTOCOL_VERSION)
		return 0;
	spg_complain(why,
		"the daemon (version %s) speaks protocol %lld, this client (version "
		"%s) protocol %d",
		version ? version : "unknown", number, SPG_VERSION,
		SPG_PROTOCOL_VERSION);
	if (number > SPG_PROTOCOL_VERSION)
		spg_complaint_hint(why, "The client is too old: use the spguard that "
					"was installed with the daemon.");
	else
		spg_complaint_hint(why,
			"The daemon is too old: upgrade it, then " SPG_LOCAL_RESTART
			".");
	return SPG_ERR_UNSUPPORTED;
}

int spg_connection_open(struct spg_connection *connection, const char *path,
	int64_t timeout_ns, struct spg_complaint *why)
{
	int64_t start = spg_clock_mono_ns();
	int err;

	connection->path = path;
	err = spg_local_open(&connection->local, path, timeout_ns, why);
	if (err < 0)
		return err;
	err = spg_connection_call(connection, "hello", NULL,
		timeout_ns - (spg_clock_mono_ns() - start), &connection->welcome, why);
	if (err == SPG_CALL_REFUSED && connection->refusal == SPG_RPC_NO_METHOD) {
		spg_complain(why, "what answers at %s does not know \"hello\"", path);
		spg_complaint_hint(why, "Is it the socket of spguardd? Name it with "
					"--socket PATH.");
		return SPG_ERR_CORRUPT;
	}
	if (err != 0)
		return err;
	return check_welcome(connection, why);
}

void spg_connection_close(struct spg_connection *connection)
{
	spg_local_close(&connection->local);
	spg_buf_finish(&connection->in);
	json_decref(connection->early);
	json_decref(connection->welcome);
	*connection = (struct spg_connection)SPG_CONNECTION_NULL;
}

/* ---- bytes and lines ---- */

/* How long to wait at once, ns: until @deadline, or until somebody is to be told that it
 * takes long. NO_DEADLINE: without limit. */
static int64_t patience(const struct spg_connection *connection, int64_t deadline)
{
	int64_t ns =
		deadline == NO_DEADLINE ? NO_DEADLINE : deadline - spg_clock_mono_ns();

	if (ns < 0)
		ns = 0;
	if (connection->on_wait && ns > WAIT_STEP_NS)
		ns = WAIT_STEP_NS;
	return ns;
}

static int wait_for(struct spg_connection *connection, bool to_write, int wake_fd,
	int64_t deadline, struct spg_complaint *why)
{
	for (;;) {
		int64_t ns = patience(connection, deadline);
		int r = spg_local_wait(&connection->local, to_write, wake_fd, ns);

		if (r == SPG_ERR_TIMEOUT && connection->on_wait &&
			(deadline == NO_DEADLINE || spg_clock_mono_ns() < deadline)) {
			connection->on_wait(connection->wait_user);
			continue;
		}
		if (r == SPG_ERR_TIMEOUT) {
			spg_complain(why, "the daemon did not answer in time");
			spg_complaint_hint(why,
				"Wait longer with --timeout TIME. " SPG_LOCAL_SEE_WHY);
		} else if (r < 0) {
			spg_complain(
				why, "cannot wait for the daemon: %s", strerror(errno));
		}
		return r == SPG_LOCAL_WOKEN ? SPG_CONNECTION_WOKEN : r;
	}
}

static int send_all(struct spg_connection *connection, const struct spg_buf *line,
	int64_t deadline, struct spg_complaint *why)
{
	size_t sent = 0;

	while (sent < line->len) {
		ssize_t n = spg_local_send(
			&connection->local, line->data + sent, line->len - sent);
		int err;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* It refused us: what it said before it hung up can be read. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EWOULDBLOCK) {
			spg_complain(
				why, "cannot send to the daemon: %s", strerror(errno));
			return SPG_ERR_IO;
		}
		err = wait_for(connection, true, -1, deadline, why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int explain_end(
	const struct spg_connection *connection, struct spg_complaint *why)
{
	size_t left = connection->in.len - connection->taken;

	if (left)
		spg_complain(why,
			"the daemon closed the connection in the middle of a message, "
			"after %zu bytes",
			left);
	else
		spg_complain(why, "the daemon closed the connection");
	spg_complaint_hint(
		why, "Is it running? " SPG_LOCAL_STATUS ". " SPG_LOCAL_SEE_WHY);
	return SPG_ERR_IO;
}

/* Read once, what there is; 0 also when there was nothing after all. */
static int receive(struct spg_connection *connection, struct spg_complaint *why)
{
	char chunk[READ_BYTES];
	ssize_t n = spg_local_receive(&connection->local, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n < 0 && errno != ECONNRESET) {
		spg_complain(why, "cannot read from the daemon: %s", strerror(errno));
		return SPG_ERR_IO;
	}
	if (n <= 0)
		return explain_end(connection, why);
	if (connection->in.len - connection->taken + (size_t)n >
		SPG_CONNECTION_LINE_MAX) {
		spg_complain(why, "the daemon's answer is longer than %u MiB",
			SPG_CONNECTION_LINE_MAX >> 20);
		spg_complaint_hint(why, "Ask for less: a product, a path, or --limit.");
		return SPG_ERR_LIMIT;
	}
	spg_buf_add(&connection->in, chunk, (size_t)n);
	return connection->in.failed ? fail_nomem(why) : 0;
}

/* Move what is not taken to the front, when all or much has been taken. */
static void compact(struct spg_connection *connection)
{
	struct spg_buf *in = &connection->in;

	if (connection->taken < in->len && connection->taken < READ_BYTES)
		return;
	memmove(in->data, in->data + connection->taken, in->len - connection->taken);
	in->len -= connection->taken;
	connection->scanned -= connection->taken;
	connection->taken = 0;
}

/* Decode the line of @n bytes at @line. */
static int decode(const char *line, size_t n, json_t **ret, struct spg_complaint *why)
{
	json_error_t error;
	json_t *message = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);

	if (!message && json_error_code(&error) == json_error_out_of_memory)
		return fail_nomem(why);
	if (!json_is_object(message)) {
		if (message)
			spg_complain(why, "the daemon sent JSON that is no message");
		else
			spg_complain(
				why, "the daemon sent what is no JSON: %s", error.text);
		spg_complaint_hint(
			why, "Is it the socket of spguardd? " SPG_LOCAL_SEE_WHY);
		json_decref(message);
		return SPG_ERR_CORRUPT;
	}
	*ret = message;
	return 0;
}

static int next_message(struct spg_connection *connection, int wake_fd,
	int64_t deadline, json_t **ret, struct spg_complaint *why)
{
	for (;;) {
		struct spg_buf *in = &connection->in;
		char *end = NULL;
		int err;

		if (in->len > connection->scanned)
			end = memchr(in->data + connection->scanned, '\n',
				in->len - connection->scanned);
		if (end) {
			const char *line = in->data + connection->taken;

			connection->taken = connection->scanned =
				(size_t)(end - in->data) + 1;
			err = decode(line, (size_t)(end - line), ret, why);
			compact(connection);
			return err;
		}
		connection->scanned = in->len;
		err = wait_for(connection, false, wake_fd, deadline, why);
		if (err != 0)
			return err;
		err = receive(connection, why);
		if (err < 0)
			return err;
	}
}

/* ---- calls ---- */

static json_t *request_params(json_t *params)
{
	if (json_object_size(params) == 0) {
		json_decref(params);
		return NULL;
	}
	return params;
}

size_t spg_connection_request_bytes(const char *method, const json_t *params)
{
	struct spg_buf line = SPG_BUF_NULL;
	size_t n = 0;

	/* The longest id a client of this life will use. */
	if (spg_message_add_request(&line, 1000, method, params) == 0)
		n = line.len - 1;
	spg_buf_finish(&line);
	return n;
}

static int refused(
	struct spg_connection *connection, json_t *error, struct spg_complaint *why)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	json_t *code = json_object_get(error, "code");
	const char *hint = json_string_value(
		json_object_get(json_object_get(error, "data"), "hint"));

	if (!message || !json_is_integer(code)) {
		spg_complain(why, "the daemon refused, in an unknown form");
		return SPG_ERR_CORRUPT;
	}
	connection->refusal = (int)json_integer_value(code);
	spg_complain(why, "%s", message);
	why->code = connection->refusal;
	if (hint)
		spg_complaint_hint(why, "%s", hint);
	else if (connection->refusal == SPG_RPC_NO_METHOD ||
		 connection->refusal == SPG_RPC_BAD_PARAMS)
		spg_complaint_hint(why, "The daemon may be older than this client "
					"(version " SPG_VERSION
					"): upgrade it, then " SPG_LOCAL_RESTART ".");
	else if (connection->refusal == SPG_RPC_DENIED)
		spg_complaint_hint(why, "Ask as root or as a member of admin-group.");
	return SPG_CALL_REFUSED;
}

static int keep_early(
	struct spg_connection *connection, json_t *message, struct spg_complaint *why)
{
	if (!connection->early)
		connection->early = json_array();
	if (json_array_size(connection->early) >= EARLY_MAX) {
		spg_complain(
			why, "the daemon sends notifications instead of an answer");
		json_decref(message);
		return SPG_ERR_CORRUPT;
	}
	return json_array_append_new(connection->early, message) < 0 ? fail_nomem(why)
	                                                             : 0;
}

static int64_t deadline_after(int64_t timeout_ns)
{
	int64_t now = spg_clock_mono_ns();

	return timeout_ns > INT64_MAX / 2 - now ? NO_DEADLINE : now + timeout_ns;
}

static bool is_taken(struct spg_connection *connection, const json_t *message)
{
	return connection->on_notification &&
	       connection->on_notification(connection->notification_user, message);
}

/* Wait for the answer to @id. */
static int await(struct spg_connection *connection, int64_t id, int64_t timeout_ns,
	int64_t deadline, json_t **ret, struct spg_complaint *why)
{
	json_t *message = NULL, *result, *error, *answered;
	int err;

	for (;;) {
		err = next_message(connection, -1, deadline, &message, why);
		if (err != 0)
			return err;
		if (!json_object_get(message, "method"))
			break;
		if (is_taken(connection, message)) {
			json_decref(message);
			deadline = deadline_after(timeout_ns);
			continue;
		}
		err = keep_early(connection, message, why);
		if (err < 0)
			return err;
	}
	answered = json_object_get(message, "id");
	result = json_object_get(message, "result");
	error = json_object_get(message, "error");
	if (json_is_object(error) &&
		(json_is_null(answered) || json_integer_value(answered) == id)) {
		err = refused(connection, error, why);
	} else if (!result || !json_is_integer(answered) ||
		   json_integer_value(answered) != id) {
		spg_complain(why, "the daemon sent what is no answer to the question");
		spg_complaint_hint(
			why, "Is it the socket of spguardd? " SPG_LOCAL_SEE_WHY);
		err = SPG_ERR_CORRUPT;
	} else {
		*ret = json_incref(result);
	}
	json_decref(message);
	return err;
}

/* Send the question @id. */
static int ask(struct spg_connection *connection, int64_t id, const char *method,
	json_t *params, int64_t deadline, struct spg_complaint *why)
{
	struct spg_buf line = SPG_BUF_NULL;
	int err;

	params = request_params(params);
	if (spg_message_add_request(&line, id, method, params) < 0) {
		err = fail_nomem(why);
	} else if (line.len - 1 > SPG_MESSAGE_MAX) {
		spg_complain(why,
			"the question is %zu bytes long, the daemon takes at most %d",
			line.len - 1, SPG_MESSAGE_MAX);
		err = SPG_ERR_LIMIT;
	} else {
		err = send_all(connection, &line, deadline, why);
	}
	json_decref(params);
	spg_buf_finish(&line);
	return err;
}

int spg_connection_call(struct spg_connection *connection, const char *method,
	json_t *params, int64_t timeout_ns, json_t **ret, struct spg_complaint *why)
{
	int64_t id = ++connection->last_id;
	int64_t deadline;
	int err;

	if (timeout_ns < 0)
		timeout_ns = 0;
	deadline = deadline_after(timeout_ns);
	err = ask(connection, id, method, params, deadline, why);
	return err < 0 ? err : await(connection, id, timeout_ns, deadline, ret, why);
}

int spg_connection_send(struct spg_connection *connection, const char *method,
	json_t *params, int64_t timeout_ns, int64_t *ret_id, struct spg_complaint *why)
{
	*ret_id = ++connection->last_id;
	return ask(
		connection, *ret_id, method, params, deadline_after(timeout_ns), why);
}

int spg_connection_any(struct spg_connection *connection, int wake_fd, json_t **ret,
	struct spg_complaint *why)
{
	if (json_array_size(connection->early) > 0) {
		*ret = json_incref(json_array_get(connection->early, 0));
		json_array_remove(connection->early, 0);
		return 0;
	}
	return next_message(connection, wake_fd, NO_DEADLINE, ret, why);
}

int spg_connection_next(struct spg_connection *connection, int wake_fd, json_t **ret,
	struct spg_complaint *why)
{
	json_t *message;
	int err;

	for (;;) {
		err = spg_connection_any(connection, wake_fd, &message, why);
		if (err != 0)
			return err;
		if (json_is_string(json_object_get(message, "method")))
			break;
		json_decref(message); /* an answer nobody waits for */
	}
	*ret = message;
	return 0;
}
