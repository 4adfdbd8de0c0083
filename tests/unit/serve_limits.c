/* SPDX-License-Identifier: MIT */
/* What a client may do to the server: limits, garbage, going away, being slow. */
#include "daemon/serve/server.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/host/subordinates.h"
#include "tests/support/suite.h"
#include "tests/unit/serve_world.h"

#define ASK(method) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"}"

#define HELLO       ASK("hello")
#define IS_HELLO    "{\"result\":{\"name\":\"spguardd\"}}"
#define IS_BUSY     "{\"error\":{\"code\":-32004}}"

static struct spg_session_host *host_of(struct world *world)
{
	/* The host is the server's first member. */
	return (struct spg_session_host *)world->server;
}

static void expect_end(struct client *client)
{
	char *line = client_line(client);

	ck_assert_msg(line == NULL, "got %s", line ? line : "");
}

START_TEST(two_megabytes_without_a_line)
{
	size_t n = 2 * 1024 * 1024, sent = 0;
	char *garbage = malloc(n);
	struct world world;
	struct client bad, good;

	for (size_t i = 0; i < n; i++)
		garbage[i] = (char)(i * 7 % 255 == '\n' ? 'x' : i * 7 % 255);
	world_init(&world);
	world_start(&world);
	client_connect(&good, &world);
	client_connect(&bad, &world);
	client_expect(&good, HELLO, IS_HELLO);
	while (sent < n) {
		size_t k = client_send_some(&bad, garbage + sent, n - sent);

		sent += k;
		if (!k && host_of(&world)->n_sessions == 1)
			break; /* it was thrown out in the middle */
		world_spin(&world);
		ck_assert_uint_le(host_of(&world)->n_handles, 2);
	}
	client_expect_line(&bad,
		"{\"id\":null,\"error\":{\"code\":-32003,"
		"\"message\":\"a message has at most 1048576 bytes\"}}");
	expect_end(&bad);
	client_expect(&good, HELLO, IS_HELLO);
	client_close(&bad);
	client_close(&good);
	world_finish(&world);
	free(garbage);
}
END_TEST

START_TEST(two_megabytes_of_bad_lines)
{
	struct world world;
	struct client client;
	char line[1024];
	int n_sent = 0, n_refused = 0;

	memset(line, '{', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	for (; n_sent < 2048; n_sent++) {
		ck_assert_uint_eq(
			client_send_some(&client, line, sizeof(line)), sizeof(line));
		client_expect_line(
			&client, "{\"id\":null,\"error\":{\"code\":-32700}}");
		n_refused++;
	}
	ck_assert_int_eq(n_refused, n_sent);
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* The longest message passes, in as many pieces as the socket makes of it. */
START_TEST(longest_message)
{
	struct world world;
	struct client client;
	size_t n = SPG_MESSAGE_MAX, sent = 0;
	char *line = malloc(n + 1);
	const char *head = HELLO;

	memset(line, ' ', n);
	memcpy(line, head, strlen(head));
	line[n] = '\n';
	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	while (sent < n + 1) {
		sent += client_send_some(&client, line + sent, n + 1 - sent);
		world_spin(&world);
	}
	client_expect_line(&client, IS_HELLO);
	/* Its bytes are charged to nobody any more. */
	ck_assert_uint_eq(host_of(&world)->quotas.first->n_input, 0);
	client_close(&client);
	world_finish(&world);
	free(line);
}
END_TEST

START_TEST(connections_of_one_user)
{
	struct world world;
	struct client clients[3], one_more;

	world_init(&world);
	world.limits.uid_sessions = 3;
	world_start(&world);
	for (int i = 0; i < 3; i++) {
		client_connect(&clients[i], &world);
		client_expect(&clients[i], HELLO, IS_HELLO);
	}
	client_connect(&one_more, &world);
	client_expect_line(&one_more,
		"{\"id\":null,\"error\":{\"code\":-32004,"
		"\"message\":\"too many connections of your user\"}}");
	expect_end(&one_more);
	client_close(&one_more);
	/* Room again when one leaves. */
	client_close(&clients[0]);
	while (host_of(&world)->n_sessions == 3)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_connect(&clients[0], &world);
	client_expect(&clients[0], HELLO, IS_HELLO);
	for (int i = 0; i < 3; i++)
		client_close(&clients[i]);
	world_finish(&world);
}
END_TEST

START_TEST(connections_in_total)
{
	struct world world;
	struct client client, one_more;

	world_init(&world);
	world.limits.sessions = 1;
	world.fake->admin = false;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, HELLO, IS_HELLO);
	client_connect(&one_more, &world);
	client_expect_line(&one_more,
		"{\"error\":{\"message\":\"too many connections in total\"}}");
	expect_end(&one_more);
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	client_close(&one_more);
	world_finish(&world);
}
END_TEST

/* All connections are taken by one user; another one comes. (A user of a test cannot be
 * another one: the account is told so.) */
static struct client crowd[4];

/* The one that had the latest turn. */
static struct spg_session *last_session(struct world *world)
{
	struct spg_session *at = host_of(world)->sessions;

	while (at->next)
		at = at->next;
	return at;
}

static void take_all_connections(struct world *world, bool idle)
{
	world_init(world);
	world->limits.sessions = 3;
	world->limits.admin_sessions = 1;
	world->fake->admin = false;
	world_start(world);
	for (int i = 0; i < 3; i++) {
		client_connect(&crowd[i], world);
		client_expect(
			&crowd[i], idle ? HELLO : ASK("subscribe"), "{\"result\":{}}");
		last_session(world)->active_ms = (uint64_t)(10 - i);
	}
	host_of(world)->quotas.first->uid++;
}

static void leave_all(struct world *world)
{
	for (int i = 0; i < 4; i++)
		client_close(&crowd[i]);
	world_finish(world);
}

START_TEST(the_greediest_gives_way)
{
	struct world world;

	take_all_connections(&world, true);
	client_connect(&crowd[3], &world);
	client_expect(&crowd[3], HELLO, IS_HELLO);
	/* The third one was idle for longest. */
	client_expect_line(&crowd[2],
		"{\"id\":null,\"error\":{\"code\":-32004,"
		"\"message\":\"others need the connection, which was idle\"}}");
	expect_end(&crowd[2]);
	client_expect(&crowd[0], HELLO, IS_HELLO);
	client_expect(&crowd[1], HELLO, IS_HELLO);
	leave_all(&world);
}
END_TEST

START_TEST(a_place_for_admins)
{
	struct world world;

	take_all_connections(&world, false);
	client_connect(&crowd[3], &world);
	client_expect_line(&crowd[3],
		"{\"error\":{\"message\":\"too many connections in total\"}}");
	expect_end(&crowd[3]);
	client_close(&crowd[3]);
	world.fake->admin = true;
	client_connect(&crowd[3], &world);
	client_expect(&crowd[3], HELLO, IS_HELLO);
	for (int i = 0; i < 3; i++)
		client_expect(&crowd[i], HELLO, IS_HELLO);
	leave_all(&world);
}
END_TEST

/* Whatever the numbers of a user are, the file says whose they are. */
START_TEST(subordinate_users)
{
	char path[] = "/tmp/spguard-subuid-XXXXXX";
	struct spg_subordinates s = {.path = path};
	int fd = mkstemp(path);
	const char *text = "alice:100000:65536\n"
			   "# nothing\nalice:bad\n"
			   "bob:165536:10\nalice:300000:5\n1000:400000:1";

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(spg_subordinates_account(&s, 100001), 100001);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	ck_assert_uint_eq(spg_subordinates_account(&s, 99999), 99999);
	ck_assert_uint_eq(spg_subordinates_account(&s, 100000), 100000);
	ck_assert_uint_eq(spg_subordinates_account(&s, 165535), 100000);
	ck_assert_uint_eq(spg_subordinates_account(&s, 165536), 165536);
	ck_assert_uint_eq(spg_subordinates_account(&s, 165546), 165546);
	ck_assert_uint_eq(spg_subordinates_account(&s, 300004), 100000);
	ck_assert_uint_eq(spg_subordinates_account(&s, 400000), 400000);
	ck_assert_uint_eq(spg_subordinates_account(&s, 0), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(spg_subordinates_account(&s, 300004), 300004);
	close(fd);
	spg_subordinates_finish(&s);
}
END_TEST

/* Large requests of a user wait until there is room; small ones and other users'
 * requests do not. */
START_TEST(large_requests_wait)
{
	struct world world;
	struct client clients[3], other;
	struct spg_buf large = SPG_BUF_NULL;

	spg_buf_puts(&large, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"check\","
			     "\"params\":{\"names\":[\"a\"");
	for (int i = 0; i < 100; i++)
		spg_buf_puts(&large, ",\"a\"");
	spg_buf_puts(&large, "]}}\n");
	world_init(&world);
	world.limits.uid_work = 2 * spg_request_cost(large.data, large.len);
	world.fake->hold_prover = true;
	world.fake->n_products = 1;
	world_start(&world);
	for (int i = 0; i < 3; i++) {
		client_connect(&clients[i], &world);
		client_send(&clients[i], large.data);
	}
	client_connect(&other, &world);
	client_expect(&other, HELLO, IS_HELLO);
	while (world.fake->n_asked < 2)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_expect(&other, HELLO, IS_HELLO);
	ck_assert_uint_eq(world.fake->n_asked, 2);
	fake_release(&world);
	for (int i = 0; i < 3; i++)
		client_expect_line(&clients[i], "{\"result\":{}}");
	ck_assert_uint_eq(world.fake->n_asked, 3);
	ck_assert_uint_eq(host_of(&world)->quotas.first->n_work, 0);
	for (int i = 0; i < 3; i++)
		client_close(&clients[i]);
	client_close(&other);
	world_finish(&world);
	spg_buf_finish(&large);
}
END_TEST

START_TEST(too_many_elements)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.limits.request_cost = 20 * 256;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":"
		"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]}}",
		"{\"id\":null,\"error\":{\"code\":-32003,\"message\":\"a request has "
		"too "
		"many elements\"}}");
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* One session asks and does not read; another one of the same user gets errors, until
 * the first one has read. */
START_TEST(answers_of_one_user_not_taken)
{
	struct world world;
	struct client lazy, other;
	struct spg_quota *quota;

	world_init(&world);
	world.limits.uid_output = 1;
	world_start(&world);
	client_connect(&other, &world);
	client_expect(&other, HELLO, IS_HELLO);
	client_connect(&lazy, &world);
	quota = host_of(&world)->quotas.first;
	while (quota->n_output == 0) {
		(void)client_send_some(&lazy, ASK("rpc.discover") "\n",
			strlen(ASK("rpc.discover") "\n"));
		world_spin(&world);
	}
	client_expect(&other, HELLO,
		"{\"error\":{\"code\":-32004,\"message\":\"too many answers to your "
		"user were not taken yet\"}}");
	client_close(&lazy);
	while (quota->n_output > 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_expect(&other, HELLO, IS_HELLO);
	client_close(&other);
	world_finish(&world);
}
END_TEST

START_TEST(descriptors_are_kept)
{
	struct rlimit limit = {64, 64};
	struct world world;
	struct client client;
	int fds[64], n = 0;

	world_init(&world);
	world_start(&world);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	client_connect(&client, &world);
	/* 64 are to be kept, but never more than half of all. */
	do
		fds[n] = dup(0);
	while (fds[n++] < 31);
	client_expect_line(&client, "{\"error\":{\"message\":\"the daemon has no file "
				    "descriptors to spare\"}}");
	expect_end(&client);
	client_close(&client);
	while (n > 0)
		close(fds[--n]);
	client_connect(&client, &world);
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(requests_in_flight)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->hold_prover = true;
	world_start(&world);
	client_connect(&client, &world);
	for (int i = 0; i < 16; i++)
		client_send(&client, ASK("who") "\n");
	client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"hello\"}",
		"{\"id\":17,\"error\":{\"code\":-32004}}");
	fake_release(&world);
	for (int i = 0; i < 16; i++)
		client_expect_line(&client, "{\"result\":{\"coverage\":[]}}");
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* Requests of closed sessions that cannot be withdrawn still count. */
START_TEST(calls_of_one_user)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.limits.uid_calls = 2;
	world.fake->hold_store = true;
	world_start(&world);
	for (int i = 0; i < 2; i++) {
		client_connect(&client, &world);
		client_send(&client, ASK("log") "\n");
		while (!host_of(&world)->quotas.first ||
			host_of(&world)->quotas.first->n_calls != (size_t)i + 1)
			uv_run(&world.loop, UV_RUN_ONCE);
		client_close(&client);
		while (host_of(&world)->n_sessions)
			uv_run(&world.loop, UV_RUN_ONCE);
	}
	client_connect(&client, &world);
	client_expect(&client, HELLO, IS_BUSY);
	fake_release(&world);
	while (host_of(&world)->quotas.first->n_calls)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(bytes_of_one_user)
{
	struct world world;
	struct client client;
	char part[200];

	memset(part, 'x', sizeof(part));
	world_init(&world);
	world.limits.uid_input = 150;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, HELLO, IS_HELLO);
	client_send_some(&client, part, sizeof(part));
	client_expect_line(&client, "{\"id\":null,\"error\":{\"code\":-32004}}");
	expect_end(&client);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* The client goes while a proof is pending: the question is withdrawn, and
 * nothing of the session is left. */
START_TEST(death_while_a_proof_is_pending)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->hold_prover = true;
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, ASK("check") "\n");
	while (world.fake->n_asked < 2)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_close(&client);
	while (host_of(&world)->n_handles)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(world.fake->n_forgotten, 2);
	ck_assert_ptr_null(host_of(&world)->quotas.first);
	fake_release(&world);
	world_finish(&world);
	/* world_finish() has freed the fake; the sanitizers see the rest. */
}
END_TEST

/* The server stops while everything is pending. Rows: what is asked. */
static const char *const pending[] = {
	ASK("check"), ASK("who"), ASK("log"), ASK("flush")};

START_TEST(stop_while_pending)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->hold_prover = _i != 3;
	world.fake->hold_store = true;
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, pending[_i]);
	client_send(&client, "\n");
	while (!host_of(&world)->quotas.first ||
		!host_of(&world)->quotas.first->n_calls ||
		(_i == 3 && !world.fake->n_settled))
		uv_run(&world.loop, UV_RUN_ONCE);
	world_finish(&world);
	expect_end(&client);
	client_close(&client);
}
END_TEST

START_TEST(half_closed_client_gets_its_answers)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->hold_prover = true;
	world_start(&world);
	client_connect(&client, &world);
	/* The last line has no line break. */
	client_send(&client, ASK("who") "\n" HELLO);
	ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
	client_expect_line(&client, IS_HELLO);
	ck_assert_uint_eq(host_of(&world)->n_sessions, 1);
	fake_release(&world);
	client_expect_line(&client, "{\"result\":{\"coverage\":[]}}");
	expect_end(&client);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* It shut down its sending side, then died: the sweep finds out. */
START_TEST(half_closed_client_dies)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->hold_prover = true;
	world.limits.idle_ms = 40; /* a sweep every 10 ms */
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, ASK("who") "\n");
	shutdown(client.fd, SHUT_WR);
	while (!host_of(&world)->sessions || !host_of(&world)->sessions->ended)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(host_of(&world)->n_sessions, 1);
	client_close(&client);
	while (host_of(&world)->n_handles)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(world.fake->n_forgotten, 2);
	world_finish(&world);
}
END_TEST

START_TEST(idle_client_is_told_and_closed)
{
	struct world world;
	struct client idle, busy;

	world_init(&world);
	world.limits.idle_ms = 20;
	world.fake->hold_prover = true;
	world_start(&world);
	client_connect(&busy, &world);
	client_expect(&busy, ASK("subscribe"), "{\"result\":{}}");
	client_connect(&idle, &world);
	client_expect_line(&idle, "{\"id\":null,\"error\":{\"code\":-32004}}");
	expect_end(&idle);
	/* One that subscribes stays. */
	client_expect(&busy, HELLO, IS_HELLO);
	client_close(&idle);
	client_close(&busy);
	world_finish(&world);
}
END_TEST

/* A client that asks and never reads: the server stops reading it and holds a
 * bounded amount; when it reads, it gets every answer. */
START_TEST(answers_not_taken)
{
	struct world world;
	struct client client;
	struct spg_session *session;
	int n_sent = 0, n_idle = 0;

	world_init(&world);
	world.limits.output_bytes = 100000;
	world_start(&world);
	client_connect(&client, &world);
	while (n_idle < 50) {
		const char *line = ASK("rpc.discover") "\n";
		size_t k = client_send_some(&client, line, strlen(line));

		/* A stream socket of ours takes a small message whole or not. */
		ck_assert(k == 0 || k == strlen(line));
		n_sent += k > 0;
		n_idle += k == 0;
		world_spin(&world);
		session = host_of(&world)->sessions;
		if (session)
			ck_assert_uint_lt(session->waiting.len + session->writing.len,
				100000 + 100000);
	}
	ck_assert(!host_of(&world)->sessions->reading);
	for (int i = 0; i < n_sent; i++) {
		char *line = client_line(&client);

		ck_assert_ptr_nonnull(line);
		free(line);
	}
	client_expect(&client, HELLO, IS_HELLO);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* Writing to a client that has gone raises no SIGPIPE and harms nobody. */
START_TEST(client_goes_before_its_answer)
{
	struct world world;
	struct client client, good;

	world_init(&world);
	world_start(&world);
	client_connect(&good, &world);
	client_expect(&good, HELLO, IS_HELLO);
	for (int i = 0; i < 20; i++) {
		client_connect(&client, &world);
		for (int k = 0; k < 8; k++)
			client_send(&client, ASK("status") "\n" ASK("who") "\n");
		client_close(&client);
	}
	client_expect(&good, HELLO, IS_HELLO);
	while (host_of(&world)->n_handles > 1)
		uv_run(&world.loop, UV_RUN_ONCE);
	client_expect(&good, HELLO, IS_HELLO);
	client_close(&good);
	world_finish(&world);
}
END_TEST

/* No memory for an answer, not even for the error: the client is disconnected,
 * but not from within the prover's callback, where withdrawing its other
 * questions would pull them out from under the prover. */
static void *no_malloc(size_t size)
{
	(void)size;
	return NULL;
}

START_TEST(no_memory_for_an_answer)
{
	struct world world;
	struct client client, good;

	world_init(&world);
	world.fake->hold_prover = true;
	world_start(&world);
	client_connect(&good, &world);
	client_expect(&good, HELLO, IS_HELLO);
	client_connect(&client, &world);
	client_send(&client, ASK("who") "\n" ASK("check") "\n");
	while (world.fake->n_asked < 4)
		uv_run(&world.loop, UV_RUN_ONCE);
	json_set_alloc_funcs(no_malloc, free);
	/* Both products of "who" are answered in one go. */
	fake_answer_now(&world, 2);
	ck_assert_uint_eq(world.fake->n_forgotten, 0);
	while (host_of(&world)->n_handles > 1)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(world.fake->n_forgotten, 2);
	json_set_alloc_funcs(malloc, free);
	expect_end(&client);
	client_expect(&good, HELLO, IS_HELLO);
	client_close(&client);
	client_close(&good);
	world_finish(&world);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("serve-limits");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, two_megabytes_without_a_line);
	tcase_add_test(tc, two_megabytes_of_bad_lines);
	tcase_add_test(tc, longest_message);
	tcase_add_test(tc, connections_of_one_user);
	tcase_add_test(tc, connections_in_total);
	tcase_add_test(tc, the_greediest_gives_way);
	tcase_add_test(tc, a_place_for_admins);
	tcase_add_test(tc, subordinate_users);
	tcase_add_test(tc, large_requests_wait);
	tcase_add_test(tc, too_many_elements);
	tcase_add_test(tc, answers_of_one_user_not_taken);
	tcase_add_test(tc, descriptors_are_kept);
	tcase_add_test(tc, requests_in_flight);
	tcase_add_test(tc, calls_of_one_user);
	tcase_add_test(tc, bytes_of_one_user);
	tcase_add_test(tc, death_while_a_proof_is_pending);
	spg_add_rows(tc, stop_while_pending, pending);
	tcase_add_test(tc, half_closed_client_gets_its_answers);
	tcase_add_test(tc, half_closed_client_dies);
	tcase_add_test(tc, idle_client_is_told_and_closed);
	tcase_add_test(tc, answers_not_taken);
	tcase_add_test(tc, client_goes_before_its_answer);
	tcase_add_test(tc, no_memory_for_an_answer);
	return spg_run_suite("serve-limits", tc);
}
