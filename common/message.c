/* SPDX-License-Identifier: MIT */
#include "common/message.h"
#include "common/format.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

static int reject(struct spg_rejection *ret, json_t *id, int code, const char *hint,
	const char *format, ...) SPG_PRINTF(5, 6);

static int reject(struct spg_rejection *ret, json_t *id, int code, const char *hint,
	const char *format, ...)
{
	va_list args;

	ret->code = code;
	ret->hint = hint;
	ret->id = json_incref(id);
	va_start(args, format);
	vsnprintf(ret->message, sizeof(ret->message), format, args);
	va_end(args);
	return SPG_MESSAGE_REJECTED;
}

/* jansson quotes the input in its message: bytes chosen by somebody else. */
static int reject_syntax(struct spg_rejection *ret, const json_error_t *error)
{
	struct spg_buf why = SPG_BUF_NULL;

	if (json_error_code(error) == json_error_out_of_memory)
		return SPG_ERR_NOMEM;
	spg_text_escape(&why, error->text, false);
	if (why.failed) {
		spg_buf_finish(&why);
		return SPG_ERR_NOMEM;
	}
	/* Too long once escaped; cutting it might split a character. */
	if (why.len > 160)
		spg_buf_clear(&why);
	reject(ret, NULL, SPG_RPC_PARSE, "send one JSON object a line, in UTF-8",
		"this is no JSON: %s (at byte %d)",
		why.len ? spg_buf_text(&why) : "syntax error", error->position);
	spg_buf_finish(&why);
	return SPG_MESSAGE_REJECTED;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Returns the id an answer may carry, or NULL; *ret_valid tells whether what
 * is there is allowed. */
static json_t *valid_id(json_t *root, bool *ret_valid)
{
	json_t *id = json_object_get(root, "id");

	*ret_valid =
		!id || json_is_null(id) || json_is_number(id) ||
		(json_is_string(id) && json_string_length(id) <= SPG_MESSAGE_ID_MAX);
	return *ret_valid ? id : NULL;
}

static int check_request(
	json_t *root, struct spg_request *ret, struct spg_rejection *no)
{
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));
	json_t *method = json_object_get(root, "method");
	json_t *params = json_object_get(root, "params");
	bool id_is_valid;
	json_t *id = valid_id(root, &id_is_valid);

	if (!id_is_valid)
		return reject(no, NULL, SPG_RPC_INVALID, NULL,
			"\"id\" must be a number, null, or text of at most %d bytes",
			SPG_MESSAGE_ID_MAX);
	if (!version || strcmp(version, "2.0") != 0)
		return reject(no, id, SPG_RPC_INVALID,
			"a request is "
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}",
			"\"jsonrpc\" must be \"2.0\"");
	if (!json_is_string(method))
		return reject(no, id, SPG_RPC_INVALID, "rpc.discover lists the methods",
			"\"method\" must be text");
	if (params && !json_is_object(params))
		return reject(no, id,
			json_is_array(params) ? SPG_RPC_BAD_PARAMS : SPG_RPC_INVALID,
			"rpc.discover lists the parameters of each method",
			"\"params\" must be an object: parameters go by name");
	*ret = (struct spg_request){.root = root,
		.id = id,
		.method = json_string_value(method),
		.params = params};
	return 0;
}

int spg_message_parse(const char *line, size_t n, struct spg_request *ret,
	struct spg_rejection *ret_rejection)
{
	json_error_t error;
	json_t *root;
	int r;

	while (n && is_blank(line[n - 1]))
		n--;
	if (!n)
		return SPG_MESSAGE_BLANK;
	if (n > SPG_MESSAGE_MAX)
		return reject(ret_rejection, NULL, SPG_RPC_TOO_LARGE, NULL,
			"a message has at most %d bytes", SPG_MESSAGE_MAX);
	root = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root)
		return reject_syntax(ret_rejection, &error);
	if (json_is_array(root))
		r = reject(ret_rejection, NULL, SPG_RPC_INVALID,
			"send the requests one a line; there is no need to wait for "
			"answers in between",
			"batches are not supported");
	else if (!json_is_object(root))
		r = reject(ret_rejection, NULL, SPG_RPC_INVALID,
			"a request is "
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}",
			"a request must be an object");
	else
		r = check_request(root, ret, ret_rejection);
	if (r != 0)
		json_decref(root);
	return r;
}

void spg_request_finish(struct spg_request *request)
{
	json_decref(request->root);
	*request = (struct spg_request)SPG_REQUEST_NULL;
}

void spg_rejection_finish(struct spg_rejection *rejection)
{
	json_decref(rejection->id);
	*rejection = (struct spg_rejection)SPG_REJECTION_NULL;
}

static int add_bytes(const char *bytes, size_t n, void *user)
{
	struct spg_buf *out = user;

	spg_buf_add(out, bytes, n);
	return out->failed ? -1 : 0;
}

static bool dump(struct spg_buf *out, const json_t *value)
{
	if (!value) {
		spg_buf_puts(out, "null");
		return true;
	}
	return json_dump_callback(
		       value, add_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

/* End the line, or take back what was written of it since @start. */
static int finish_line(struct spg_buf *out, size_t start, bool ok)
{
	spg_buf_puts(out, "}\n");
	if (ok && !out->failed)
		return 0;
	out->len = start;
	if (out->data)
		out->data[start] = '\0';
	return SPG_ERR_NOMEM;
}

int spg_message_add_result(struct spg_buf *out, const json_t *id, const json_t *result)
{
	size_t start = out->len;
	bool ok;

	spg_buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	ok = dump(out, id);
	spg_buf_puts(out, ",\"result\":");
	ok = ok && dump(out, result);
	return finish_line(out, start, ok);
}

int spg_message_add_error(
	struct spg_buf *out, const json_t *id, const struct spg_rpc_error *error)
{
	size_t start = out->len;
	json_t *body;
	bool ok;

	if (error->hint)
		body = json_pack("{s:i, s:s, s:{s:s}}", "code", error->code, "message",
			error->message, "data", "hint", error->hint);
	else
		body = json_pack(
			"{s:i, s:s}", "code", error->code, "message", error->message);
	if (!body)
		return SPG_ERR_NOMEM;
	spg_buf_puts(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	ok = dump(out, id);
	spg_buf_puts(out, ",\"error\":");
	ok = ok && dump(out, body);
	json_decref(body);
	return finish_line(out, start, ok);
}

/* The part that notifications and requests share. */
static int finish_call(
	struct spg_buf *out, size_t start, const char *method, const json_t *params)
{
	json_t *name = json_string(method);
	bool ok;

	spg_buf_puts(out, "\"method\":");
	ok = name && dump(out, name);
	json_decref(name);
	if (params) {
		spg_buf_puts(out, ",\"params\":");
		ok = ok && dump(out, params);
	}
	return finish_line(out, start, ok);
}

int spg_message_add_notification(
	struct spg_buf *out, const char *method, const json_t *params)
{
	size_t start = out->len;

	spg_buf_puts(out, "{\"jsonrpc\":\"2.0\",");
	return finish_call(out, start, method, params);
}

int spg_message_add_request(
	struct spg_buf *out, int64_t id, const char *method, const json_t *params)
{
	size_t start = out->len;

	spg_buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,", (long long)id);
	return finish_call(out, start, method, params);
}
