/* SPDX-License-Identifier: MIT */
/* The JSON-RPC line codec, its fuzzing corpus, and times as text. */
#include "common/message.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/rfc3339.h"
#include "tests/support/corpus.h"
#include "tests/support/suite.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,"

/* code 0: accepted; 1: blank. @reply: the whole line that refuses it. */
static const struct {
	const char *line;
	int code;
	const char *method;
} lines[] = {
	{HEAD "\"method\":\"hello\"}", 0, "hello"},
	{HEAD "\"method\":\"check\",\"params\":{\"all\":true}}\r", 0, "check"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}", 0, "hello"},
	{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"hello\"}", 0, "hello"},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"hello\"}", 0, "hello"},
	{"", 1, NULL},
	{" \t\r", 1, NULL},
	{"{", SPG_RPC_PARSE, NULL},
	{"hello", SPG_RPC_PARSE, NULL},
	{"\xff", SPG_RPC_PARSE, NULL},
	{HEAD "\"method\":\"\xc0\xaf\"}", SPG_RPC_PARSE, NULL},
	{HEAD "\"method\":\"a\",\"method\":\"b\"}", SPG_RPC_PARSE, NULL},
	{HEAD "\"method\":\"a\"} {}", SPG_RPC_PARSE, NULL},
	{"[]", SPG_RPC_INVALID, NULL},
	{"[" HEAD "\"method\":\"hello\"}]", SPG_RPC_INVALID, NULL},
	{"3", SPG_RPC_INVALID, NULL},
	{"null", SPG_RPC_INVALID, NULL},
	{"{}", SPG_RPC_INVALID, NULL},
	{"{\"id\":1,\"method\":\"hello\"}", SPG_RPC_INVALID, NULL},
	{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"hello\"}", SPG_RPC_INVALID, NULL},
	{HEAD "\"method\":null}", SPG_RPC_INVALID, NULL},
	{HEAD "\"method\":\"a\",\"params\":1}", SPG_RPC_INVALID, NULL},
	{HEAD "\"method\":\"a\",\"params\":[1]}", SPG_RPC_BAD_PARAMS, NULL},
	{"{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"a\"}", SPG_RPC_INVALID, NULL},
	{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"a\"}", SPG_RPC_INVALID, NULL},
};

START_TEST(parse)
{
	struct spg_request request = SPG_REQUEST_NULL;
	struct spg_rejection no = SPG_REJECTION_NULL;
	const char *line = lines[_i].line;
	int r = spg_message_parse(line, strlen(line), &request, &no);

	if (lines[_i].code == 0) {
		ck_assert_int_eq(r, 0);
		ck_assert_str_eq(request.method, lines[_i].method);
		ck_assert_int_eq(request.id == NULL, strstr(line, "\"id\"") == NULL);
	} else if (lines[_i].code == 1) {
		ck_assert_int_eq(r, SPG_MESSAGE_BLANK);
	} else {
		ck_assert_int_eq(r, SPG_MESSAGE_REJECTED);
		ck_assert_int_eq(no.code, lines[_i].code);
		ck_assert_ptr_null(request.root);
		/* The id goes back where it could be told. */
		if (strncmp(line, HEAD, strlen(HEAD)) == 0 && no.code != SPG_RPC_PARSE)
			ck_assert_int_eq(json_integer_value(no.id), 1);
	}
	spg_request_finish(&request);
	spg_rejection_finish(&no);
}
END_TEST

START_TEST(size_limits)
{
	struct spg_request request = SPG_REQUEST_NULL;
	struct spg_rejection no = SPG_REJECTION_NULL;
	const char *tail = "\",\"method\":\"a\"}";
	size_t n = SPG_MESSAGE_MAX;
	char *line = malloc(n + 1), id[200];

	memset(line, 'x', n + 1);
	memcpy(line, HEAD "\"params\":{\"p\":\"", strlen(HEAD "\"params\":{\"p\":\""));
	memcpy(line + n - strlen("\"},\"method\":\"a\"}"), "\"},\"method\":\"a\"}",
		strlen("\"},\"method\":\"a\"}"));
	ck_assert_int_eq(spg_message_parse(line, n, &request, &no), 0);
	spg_request_finish(&request);
	ck_assert_int_eq(
		spg_message_parse(line, n + 1, &request, &no), SPG_MESSAGE_REJECTED);
	ck_assert_int_eq(no.code, SPG_RPC_TOO_LARGE);
	spg_rejection_finish(&no);
	free(line);

	for (int len = SPG_MESSAGE_ID_MAX; len <= SPG_MESSAGE_ID_MAX + 1; len++) {
		int k = snprintf(id, sizeof(id), "{\"jsonrpc\":\"2.0\",\"id\":\"%0*d%s",
			len, 0, tail);
		int r = spg_message_parse(id, (size_t)k, &request, &no);

		ck_assert_int_eq(
			r, len == SPG_MESSAGE_ID_MAX ? 0 : SPG_MESSAGE_REJECTED);
		spg_request_finish(&request);
		spg_rejection_finish(&no);
	}
}
END_TEST

START_TEST(build)
{
	struct spg_buf out = SPG_BUF_NULL;
	json_t *id = json_string("a\nb"), *value = json_pack("{s:i}", "x", 1);

	ck_assert_int_eq(spg_message_add_result(&out, id, value), 0);
	ck_assert_int_eq(spg_message_add_error(&out, NULL,
				 &(struct spg_rpc_error){SPG_RPC_BUSY, "m", "h"}),
		0);
	ck_assert_int_eq(spg_message_add_error(&out, id,
				 &(struct spg_rpc_error){SPG_RPC_BUSY, "m", NULL}),
		0);
	ck_assert_int_eq(spg_message_add_notification(&out, "event", value), 0);
	ck_assert_int_eq(spg_message_add_request(&out, 7, "hello", NULL), 0);
	ck_assert_str_eq(spg_buf_text(&out),
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\\nb\",\"result\":{\"x\":1}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32004,"
		"\"message\":\"m\",\"data\":{\"hint\":\"h\"}}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\\nb\",\"error\":{\"code\":-32004,"
		"\"message\":\"m\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"x\":1}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\"}\n");
	/* What cannot be written leaves what was there. */
	ck_assert_int_eq(spg_message_add_error(
				 &out, id, &(struct spg_rpc_error){1, "\xff", NULL}),
		SPG_ERR_NOMEM);
	ck_assert_int_eq(spg_message_add_request(&out, 1, "\xff", NULL), SPG_ERR_NOMEM);
	ck_assert_int_eq(out.data[out.len - 1], '\n');
	ck_assert_int_eq(out.data[out.len], '\0');
	json_decref(id);
	json_decref(value);
	spg_buf_finish(&out);
}
END_TEST

START_TEST(corpus)
{
	spg_replay_corpus(SPG_CORPUS_MESSAGE, 21);
}
END_TEST

#define S INT64_C(1000000000)

static const struct {
	int64_t ns;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00Z"},
	{1, "1970-01-01T00:00:00.000000001Z"},
	{-1, "1969-12-31T23:59:59.999999999Z"},
	{1795352400 * S + 123456000, "2026-11-22T13:00:00.123456Z"},
	{1795352400 * S + 500000000, "2026-11-22T13:00:00.5Z"},
	{951782399 * S, "2000-02-28T23:59:59Z"},
	{951782400 * S, "2000-02-29T00:00:00Z"},
	{951868800 * S, "2000-03-01T00:00:00Z"},
	{-2203891200 * S, "1900-03-01T00:00:00Z"},
	{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
	{INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
};

START_TEST(time_format)
{
	char text[SPG_RFC3339_SIZE];
	int64_t ns = 42;

	spg_rfc3339_format(times[_i].ns, text);
	ck_assert_str_eq(text, times[_i].text);
	if (times[_i].ns == INT64_MIN)
		return; /* its whole seconds lie below the range */
	ck_assert_int_eq(spg_rfc3339_parse(text, &ns), 0);
	ck_assert_int_eq(ns, times[_i].ns);
}
END_TEST

static const struct {
	const char *text;
	int64_t ns; /* INT64_MIN: refused */
} readings[] = {
	{"2026-11-22T14:00:00+01:00", 1795352400 * S},
	{"2026-11-22T08:30:00-04:30", 1795352400 * S},
	{"2026-11-22t13:00:00z", 1795352400 * S},
	{"2026-11-22T13:00:00.1234567899Z", 1795352400 * S + 123456789},
	{"2026-11-22T12:59:60Z", 1795352400 * S},
	{"2026-11-22 13:00:00Z", INT64_MIN},
	{"2026-11-22T13:00:00", INT64_MIN},
	{"2026-11-22T13:00Z", INT64_MIN},
	{"2026-11-22T13:00:00.Z", INT64_MIN},
	{"2026-11-22T13:00:00Z ", INT64_MIN},
	{" 2026-11-22T13:00:00Z", INT64_MIN},
	{"2026-11-22T24:00:00Z", INT64_MIN},
	{"2026-11-22T13:60:00Z", INT64_MIN},
	{"2026-11-22T13:00:61Z", INT64_MIN},
	{"2026-11-22T13:00:00+24:00", INT64_MIN},
	{"2026-11-22T13:00:00+1:00", INT64_MIN},
	{"2026-11-22T13:00:00+0100", INT64_MIN},
	{"2026-13-22T13:00:00Z", INT64_MIN},
	{"2026-00-22T13:00:00Z", INT64_MIN},
	{"2026-02-29T13:00:00Z", INT64_MIN},
	{"1900-02-29T13:00:00Z", INT64_MIN},
	{"2026-04-31T13:00:00Z", INT64_MIN},
	{"2263-01-01T00:00:00Z", INT64_MIN},
	{"0000-01-01T00:00:00Z", INT64_MIN},
	{"26-11-22T13:00:00Z", INT64_MIN},
	{"-2h", INT64_MIN},
	{"", INT64_MIN},
};

START_TEST(time_parse)
{
	int64_t ns = 42;
	int r = spg_rfc3339_parse(readings[_i].text, &ns);

	if (readings[_i].ns == INT64_MIN) {
		ck_assert_int_eq(r, SPG_ERR_INVALID);
		ck_assert_int_eq(ns, 42);
	} else {
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(ns, readings[_i].ns);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("message");

	spg_add_rows(tc, parse, lines);
	tcase_add_test(tc, size_limits);
	tcase_add_test(tc, build);
	tcase_add_test(tc, corpus);
	spg_add_rows(tc, time_format, times);
	spg_add_rows(tc, time_parse, readings);
	return spg_run_suite("message", tc);
}
