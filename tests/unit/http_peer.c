/* SPDX-License-Identifier: MIT */
/* Who counts as one peer. */
#include "daemon/serve/http/peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/platform.h"
#include "tests/support/suite.h"

static struct spg_http_peer_key key_of(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return spg_http_peer_key(-1, (const struct sockaddr *)&in, true);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return spg_http_peer_key(-1, (const struct sockaddr *)&in6, true);
}

static const struct {
	const char *one, *other;
	bool same;
} rows[] = {
	{"10.0.0.1", "10.0.0.1", true},
	{"10.0.0.1", "10.0.0.2", false},
	{"10.0.0.1", "::ffff:10.0.0.1", true},
	{"127.0.0.1", "127.9.8.7", true},
	{"127.0.0.1", "::1", true},
	{"127.0.0.1", "::ffff:127.3.0.1", true},
	{"127.0.0.1", "128.0.0.1", false},
	{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
	{"2001:db8::1", "2001:db8:0:1::1", false},
	{"::1", "::2", false},
	{"10.0.0.1", "a00:1::", false},
};

START_TEST(test_row)
{
	struct spg_http_peer_key one = key_of(rows[_i].one),
				 other = key_of(rows[_i].other);
	struct spg_http_peer *list = NULL, *a = spg_http_peer_get(&list, &one),
			     *b = spg_http_peer_get(&list, &other);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_msg(
		(a == b) == rows[_i].same, "%s, %s", rows[_i].one, rows[_i].other);
	spg_http_peer_unref(&list, a);
	ck_assert_ptr_nonnull(list);
	spg_http_peer_unref(&list, b);
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(test_a_unix_socket_has_users)
{
	struct sockaddr address = {.sa_family = AF_UNIX};
	struct spg_http_peer_key first, second, unknown;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	first = spg_http_peer_key(pair[0], &address, false);
	second = spg_http_peer_key(pair[1], &address, false);
	unknown = spg_http_peer_key(-1, &address, false);
	ck_assert_mem_eq(&first, &second, sizeof(first));
	ck_assert_mem_ne(&first, &unknown, sizeof(first));
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* A connection over the loopback: ret[0] is the accepted end. */
static void connect_pair(int ret[2])
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *address = (struct sockaddr *)&in;
	socklen_t size = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, address, &size), 0);
	ret[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(ret[1], address, size), 0);
	ret[0] = accept(listener, NULL, NULL);
	ck_assert_int_ge(ret[0], 0);
	close(listener);
}

START_TEST(test_a_user_is_one_peer)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct sockaddr *address = (const struct sockaddr *)&in;
	struct sockaddr unix_address = {.sa_family = AF_UNIX};
	struct spg_http_peer_key by_unix, by_tcp, gone;
	int pair[2];

	if (!spg_platform_knows_tcp_users())
		return; /* it depends on a module of the kernel */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	by_unix = spg_http_peer_key(pair[0], &unix_address, true);
	close(pair[0]);
	close(pair[1]);
	connect_pair(pair);
	by_tcp = spg_http_peer_key(pair[0], address, true);
	ck_assert_mem_eq(&by_tcp, &by_unix, sizeof(by_tcp));
	/* Nobody has it any more: it is of the loopback. */
	close(pair[1]);
	gone = spg_http_peer_key(pair[0], address, true);
	by_tcp = spg_http_peer_key(pair[0], address, false);
	ck_assert_mem_eq(&gone, &by_tcp, sizeof(gone));
	close(pair[0]);
}
END_TEST

START_TEST(test_the_list_keeps_the_others)
{
	struct spg_http_peer *list = NULL, *peers[3];

	for (unsigned char i = 0; i < 3; i++) {
		struct spg_http_peer_key key = {.family = AF_INET, .id = {10, 0, 0, i}};

		peers[i] = spg_http_peer_get(&list, &key);
		ck_assert_ptr_nonnull(peers[i]);
	}
	spg_http_peer_unref(&list, peers[1]);
	ck_assert_ptr_eq(spg_http_peer_get(&list, &peers[0]->key), peers[0]);
	ck_assert_ptr_eq(spg_http_peer_get(&list, &peers[2]->key), peers[2]);
	for (int i = 0; i < 2; i++) {
		spg_http_peer_unref(&list, peers[2]);
		spg_http_peer_unref(&list, peers[0]);
	}
	ck_assert_ptr_null(list);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("http-peer");

	spg_add_rows(tc, test_row, rows);
	tcase_add_test(tc, test_a_unix_socket_has_users);
	tcase_add_test(tc, test_a_user_is_one_peer);
	tcase_add_test(tc, test_the_list_keeps_the_others);
	return spg_run_suite("http-peer", tc);
}
