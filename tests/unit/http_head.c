/* SPDX-License-Identifier: MIT */
/*
 * What the head of a request has to be. Where it stands in a row, the text ends with
 * the empty line that ends a head.
 */
#include "daemon/serve/http/head.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define END  "\r\n"

static const struct spg_http_site local = {.local = true, .port = 9763};

/* The status of the refusal; 0: a part; 200: a whole one. */
static unsigned status_of(const char *text, size_t n, const struct spg_http_site *site)
{
	char *copy = malloc(n ? n : 1); /* a sanitizer sees what is read beyond */
	struct spg_http_head head;
	enum spg_http_head_state state;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	state = spg_http_head_check(copy, n, site, &head);
	free(copy);
	if (state == SPG_HTTP_HEAD_PART)
		return 0;
	if (state == SPG_HTTP_HEAD_WHOLE)
		return 200;
	ck_assert_ptr_nonnull(head.refusal);
	ck_assert_ptr_nonnull(head.refusal->error.message);
	ck_assert_ptr_nonnull(head.refusal->error.hint);
	return head.refusal->status;
}

static const struct {
	const char *head;
	unsigned status;
} rows[] = {
	{GET HOST END, 200},
	{"HEAD / HTTP/1.0\nHost: localhost\n\n", 200},
	{"\r\n\r\n" GET HOST END, 200},
	{GET HOST END "GET / HTTP/1.1\r\n", 200},
	{GET HOST END "\x16\x03\x01", 200},
	{GET HOST "Content-Length: 0\r\nAccept: \xc3\xa4\r\nX:\r\n" END, 200},
	{"GET /api/who?paths=a%20b&x=%c3%A4 HTTP/1.1\r\n" HOST END, 200},
	/* parts */
	{"", 0},
	{"\r\n\r\n", 0},
	{"GET /\r", 0},
	{GET HOST, 0},
	/* request lines */
	{"GET /\r\n" END, 400},
	{"GET / HTTP/1.1 \r\n" HOST END, 400},
	{"GET / / HTTP/1.1\r\n" HOST END, 400},
	{" GET / HTTP/1.1\r\n" HOST END, 400},
	{"GET  / HTTP/1.1\r\n" HOST END, 400},
	{"GET / http/1.1\r\n" HOST END, 400},
	{"G=T / HTTP/1.1\r\n" HOST END, 400},
	{"\x16\x03\x01\x02", 400},
	{"GET / HTTP/1.1\rHost: localhost\r\n\r\n", 400},
	{"GET / HTTP/1.2\r\n" HOST END, 505},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"GET / HTTP/9.9\r\n" HOST END, 505},
	{"POST / HTTP/1.1\r\n" HOST END, 405},
	{"get / HTTP/1.1\r\n" HOST END, 405},
	{"OPTIONS * HTTP/1.1\r\n" END, 405},
	{"CONNECT x:1 HTTP/1.1\r\n" HOST END, 405},
	/* targets */
	{"GET http://localhost/ HTTP/1.1\r\n" HOST END, 400},
	{"GET * HTTP/1.1\r\n" HOST END, 400},
	{"GET /%00 HTTP/1.1\r\n" HOST END, 400},
	{"GET /api/check?product=app%00 HTTP/1.1\r\n" HOST END, 400},
	{"GET /% HTTP/1.1\r\n" HOST END, 400},
	{"GET /%g0 HTTP/1.1\r\n" HOST END, 400},
	{"GET /%2 HTTP/1.1\r\n" HOST END, 400},
	{"GET /\xc3\xa4 HTTP/1.1\r\n" HOST END, 400},
	{"GET /a\tb HTTP/1.1\r\n" HOST END, 400},
	/* fields */
	{GET HOST "X\r\n" END, 400},
	{GET HOST "X : y\r\n" END, 400},
	{GET HOST ": y\r\n" END, 400},
	{GET HOST "X: y\r\n more\r\n" END, 400},
	{GET "Host: localhost\r\n\t.evil\r\n" END, 400},
	{GET HOST "X: \x01\r\n" END, 400},
	/* bodies */
	{GET HOST "Content-Length: 5\r\n" END, 413},
	{GET HOST "Content-Length: -5\r\n" END, 400},
	{GET HOST "Content-Length:\r\n" END, 400},
	{GET HOST "Content-Length: 0\r\nContent-Length: 0\r\n" END, 400},
	{GET HOST "Transfer-Encoding: chunked\r\n" END, 413},
	{GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END, 400},
	{GET HOST "Expect: 100-continue\r\n" END, 417},
	/* the Host is there once, ... */
	{GET END, 400},
	{"GET / HTTP/1.0\r\n" END, 400},
	{GET HOST HOST END, 400},
	{GET HOST "host: evil.example\r\n" END, 400},
	{GET "Host:\r\n" END, 400},
	{GET "Host: localhost, localhost\r\n" END, 400},
	{GET "Host: localhost@evil\r\n" END, 400},
	{GET "Host: localhost:evil\r\n" END, 400},
	{GET "Host: localhost:9763:1\r\n" END, 400},
	{GET "Host: localhost:0\r\n" END, 400},
	{GET "Host: localhost:99999\r\n" END, 400},
	{GET "Host: localhost:-1\r\n" END, 400},
	{GET "Host: :9763\r\n" END, 400},
	{GET "Host: ::1\r\n" END, 400},
	{GET "Host: [::1\r\n" END, 400},
	{GET "Host: []\r\n" END, 400},
	{GET "Host: [::1]x\r\n" END, 400},
	{GET "Host: [::1]:\x62\r\n" END, 400},
	{GET "Host: [evil]\r\n" END, 400},
	{GET "Host: [127.0.0.1]\r\n" END, 400},
	{GET "Host: [::1%lo]\r\n" END, 400},
	{GET "Host: [0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]\r\n" END, 400},
	/* ... and of this machine */
	{GET "Host: localhost:9763\r\n" END, 200},
	{GET "HOST:LocalHost: \r\n" END, 200},
	{GET "Host: 127.0.0.1:09763\r\n" END, 200},
	{GET "Host: 127.255.0.9\r\n" END, 200},
	{GET "Host: [::1]\r\n" END, 200},
	{GET "Host: [0:0::1]:9763\r\n" END, 200},
	{GET "Host: [::ffff:127.0.0.1]\r\n" END, 200},
	{GET "Host: localhost:9764\r\n" END, 421},
	{GET "Host: [::1]:80\r\n" END, 421},
	{GET "Host: localhost.\r\n" END, 421},
	{GET "Host: localhost.evil\r\n" END, 421},
	{GET "Host: evil.example\r\n" END, 421},
	{GET "Host: evil.example:9763\r\n" END, 421},
	{GET "Host: 127.0.0.1.evil.example\r\n" END, 421},
	{GET "Host: 127.0.0.1.\r\n" END, 421},
	{GET "Host: 1.2.3.4\r\n" END, 421},
	{GET "Host: 127.1\r\n" END, 421},
	{GET "Host: 0x7f.0.0.1\r\n" END, 421},
	{GET "Host: 0.0.0.0\r\n" END, 421},
	{GET "Host: [::]\r\n" END, 421},
	{GET "Host: [::2]\r\n" END, 421},
	{GET "Host: [::ffff:1.2.3.4]\r\n" END, 421},
};

START_TEST(test_row)
{
	ck_assert_msg(status_of(rows[_i].head, strlen(rows[_i].head), &local) ==
			      rows[_i].status,
		"%s", rows[_i].head);
}
END_TEST

static const char whole[] =
	"\r\nGET /api/who?paths=a%20b HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n";

START_TEST(test_each_byte_of_a_head_is_a_part)
{
	size_t n = strlen(whole);

	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(status_of(whole, i, &local), 0);
	ck_assert_uint_eq(status_of(whole, n, &local), 200);
}
END_TEST

START_TEST(test_a_nul_is_in_no_head)
{
	char text[sizeof(whole)];

	for (size_t i = 0; i + 1 < sizeof(whole); i++) {
		memcpy(text, whole, sizeof(whole));
		text[i] = '\0';
		ck_assert_uint_eq(status_of(text, strlen(whole), &local), 400);
	}
}
END_TEST

START_TEST(test_other_sites)
{
	static const struct spg_http_site everywhere = {.port = 80},
					  unix_socket = {.local = true};
	static const char other[] = GET "Host: app.example:8080\r\n" END,
			  bad[] = GET "Host: app.example:x\r\n" END,
			  port[] = GET "Host: localhost:8080\r\n" END;

	ck_assert_uint_eq(status_of(other, strlen(other), &everywhere), 200);
	ck_assert_uint_eq(status_of(bad, strlen(bad), &everywhere), 400);
	/* It has none, so any may be meant. */
	ck_assert_uint_eq(status_of(port, strlen(port), &unix_socket), 200);
	ck_assert_uint_eq(status_of(other, strlen(other), &unix_socket), 421);
}
END_TEST

START_TEST(test_head_has_no_body)
{
	static const char text[] = "HEAD / HTTP/1.1\r\n\r\n";
	struct spg_http_head head;

	ck_assert_int_eq(spg_http_head_check(text, strlen(text), &local, &head),
		SPG_HTTP_HEAD_REFUSED);
	ck_assert(head.bodiless);
}
END_TEST

/* @before, @n times @unit, and the rest of a head. */
static unsigned status_of_many(
	const char *before, const char *unit, size_t n, const char *after)
{
	size_t size = strlen(before) + n * strlen(unit) + strlen(after) + 1;
	char *text = malloc(size), *end;
	unsigned status;

	ck_assert_ptr_nonnull(text);
	end = stpcpy(text, before);
	for (size_t i = 0; i < n; i++)
		end = stpcpy(end, unit);
	memcpy(end, after, strlen(after) + 1);
	status = status_of(text, size - 1, &local);
	free(text);
	return status;
}

START_TEST(test_how_much_there_may_be)
{
	static const char rest[] = " HTTP/1.1\r\n" HOST END;

	ck_assert_uint_eq(status_of_many("GET /?a", "&a", 255, rest), 200);
	ck_assert_uint_eq(status_of_many("GET /?a", "&a", 256, rest), 400);
	ck_assert_uint_eq(status_of_many("GET /?", "&", 2500, rest), 400);
	/* Before the query it is a character as any other. */
	ck_assert_uint_eq(status_of_many("GET /", "&", 2500, rest), 200);
	ck_assert_uint_eq(status_of_many("GET /", "a", 16000, rest), 200);
	ck_assert_uint_eq(status_of_many("GET /", "a", 17000, rest), 414);
	ck_assert_uint_eq(status_of_many("GET /", "a", 17000, ""), 414);
	ck_assert_uint_eq(status_of_many("", "\r\n", 9000, ""), 414);
	ck_assert_uint_eq(status_of_many(GET HOST "X: ", "a", 16000, "\r\n\r\n"), 200);
	ck_assert_uint_eq(status_of_many(GET HOST "X: ", "a", 17000, "\r\n\r\n"), 431);
	ck_assert_uint_eq(status_of_many(GET HOST "X: ", "a", 17000, ""), 431);
	ck_assert_uint_eq(status_of_many(GET HOST, "X: a\r\n", 99, END), 200);
	ck_assert_uint_eq(status_of_many(GET HOST, "X: a\r\n", 100, END), 431);
	ck_assert_uint_eq(
		status_of_many(GET HOST "Cookie: a=b", ";a=b", 90, "\r\n\r\n"), 200);
	ck_assert_uint_eq(
		status_of_many(GET HOST "Cookie: a=b", ";a=b", 100, "\r\n\r\n"), 431);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("http-head");

	spg_add_rows(tc, test_row, rows);
	tcase_add_test(tc, test_each_byte_of_a_head_is_a_part);
	tcase_add_test(tc, test_a_nul_is_in_no_head);
	tcase_add_test(tc, test_other_sites);
	tcase_add_test(tc, test_head_has_no_body);
	tcase_add_test(tc, test_how_much_there_may_be);
	return spg_run_suite("http-head", tc);
}
