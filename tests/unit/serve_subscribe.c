/* SPDX-License-Identifier: MIT */
/* Subscriptions: who hears what, and what becomes of a slow one. */
#include "daemon/serve/server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/serve_world.h"

#define HELLO    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}"
#define IS_HELLO "{\"result\":{\"name\":\"spguardd\"}}"
#define IS_BUSY  "{\"error\":{\"code\":-32004}}"

static struct spg_event *make_event(int64_t id, enum spg_event_kind kind)
{
	struct spg_event *event =
		spg_event_create(kind, INT64_C(1795352400000000000), NULL, NULL);

	event->id = id;
	return event;
}

static void publish(
	struct world *world, int64_t id, enum spg_event_kind kind, const char *product)
{
	struct spg_event *event = make_event(id, kind);

	if (product)
		event->product = strdup(product);
	if (kind == SPG_EVENT_VERDICT) {
		event->verdict = SPG_VERDICT_SAFE;
		event->detail = strdup("all\nis well");
		ck_assert_int_eq(spg_notes_add_copy(&event->reasons,
					 &(struct spg_note){.kind = SPG_REASON_CLEAN,
						 .text = "all\nis well"}),
			0);
	}
	spg_server_publish(world->server, event);
	spg_event_unref(event);
}

#define SUBSCRIBE(params)                                                              \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":" params "}"

START_TEST(who_hears_what)
{
	struct world world;
	struct client all, tools, locks;
	struct spg_server_counts counts;

	world_init(&world);
	world_start(&world);
	client_connect(&all, &world);
	client_connect(&tools, &world);
	client_connect(&locks, &world);
	client_expect(&all, SUBSCRIBE("{}"), "{\"result\":{\"subscription\":1}}");
	client_expect(&tools, SUBSCRIBE("{\"product\":\"tools\"}"),
		"{\"result\":{\"subscription\":2}}");
	client_expect(&locks, SUBSCRIBE("{\"kinds\":[\"lock\",\"unlock\"]}"),
		"{\"result\":{\"subscription\":3}}");
	/* A second one that matches the same events does not double them. */
	client_expect(&all, SUBSCRIBE("{}"), "{\"result\":{\"subscription\":4}}");
	spg_server_counts(world.server, &counts);
	ck_assert_uint_eq(counts.sessions, 3);
	ck_assert_uint_eq(counts.subscribers, 3);

	publish(&world, 1, SPG_EVENT_OPEN, "exchange55");
	publish(&world, 2, SPG_EVENT_VERDICT, "tools");
	publish(&world, 3, SPG_EVENT_LOCK, "exchange55");
	publish(&world, 4, SPG_EVENT_GAP, NULL);

	client_expect_line(
		&all, "{\"method\":\"event\",\"params\":{\"id\":1,\"kind\":\"open\"}}");
	client_expect_line(&all,
		"{\"method\":\"event\",\"params\":{\"id\":2,"
		"\"verdict\":\"safe\",\"detail\":\"all\\\\x0ais well\"}}");
	client_expect_line(&all,
		"{\"method\":\"verdict\",\"params\":{\"product\":\"tools\","
		"\"verdict\":\"safe\",\"at\":\"2026-11-22T13:00:00Z\","
		"\"reasons\":[{\"kind\":\"clean\","
		"\"text\":\"all\\\\x0ais well\"}]}}");
	client_expect_line(&all, "{\"method\":\"event\",\"params\":{\"id\":3}}");
	client_expect_line(
		&all, "{\"method\":\"event\",\"params\":{\"id\":4,\"gap\":{}}}");
	client_expect_line(&tools, "{\"method\":\"event\",\"params\":{\"id\":2}}");
	client_expect_line(
		&tools, "{\"method\":\"verdict\",\"params\":{\"verdict\":\"safe\"}}");
	client_expect_line(&tools, "{\"method\":\"event\",\"params\":{\"id\":4}}");
	client_expect_line(&locks, "{\"method\":\"event\",\"params\":{\"id\":3}}");

	client_expect(&locks,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"unsubscribe\","
		"\"params\":{\"subscription\":3}}",
		"{\"result\":{}}");
	publish(&world, 5, SPG_EVENT_LOCK, NULL);
	client_expect(&locks, HELLO, IS_HELLO);
	client_close(&all);
	client_close(&tools);
	client_close(&locks);
	world_finish(&world);
}
END_TEST

/* A file of several products carries no name: both hear of it. */
START_TEST(shared_files)
{
	struct world world;
	struct client client;
	struct spg_file *inside, *outside;
	struct spg_event *event;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, SUBSCRIBE("{\"product\":\"tools\"}"), "{\"result\":{}}");
	outside = spg_file_create("/srv/bin/a.dll", (struct spg_file_id){1, 1});
	inside = spg_file_create("/srv/tools/a.dll", (struct spg_file_id){1, 2});
	event = spg_event_create(SPG_EVENT_OPEN, 1, outside, NULL);
	spg_server_publish(world.server, event);
	spg_event_unref(event);
	event = spg_event_create(SPG_EVENT_OPEN, 1, inside, NULL);
	spg_server_publish(world.server, event);
	spg_event_unref(event);
	client_expect_line(&client, "{\"params\":{\"path\":\"/srv/tools/a.dll\"}}");
	spg_file_unref(inside);
	spg_file_unref(outside);
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(subscriptions_are_bounded)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.limits.subscriptions = 2;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, SUBSCRIBE("{}"), "{\"result\":{}}");
	client_expect(&client, SUBSCRIBE("{}"), "{\"result\":{}}");
	client_expect(&client, SUBSCRIBE("{}"), IS_BUSY);
	client_close(&client);
	world_finish(&world);
}
END_TEST

/* One subscriber does not read: it gets a marker with the number of what it
 * missed, at the place where it missed it, and nobody else waits for it. */
START_TEST(slow_subscriber)
{
	struct world world;
	struct client slow, fast;
	int64_t id = 0, seen = 0, dropped = 0;
	uint64_t n_drops = 0;

	world_init(&world);
	world.limits.notice_bytes = 20000;
	world_start(&world);
	client_connect(&slow, &world);
	client_connect(&fast, &world);
	client_expect(&slow, SUBSCRIBE("{}"), "{\"result\":{}}");
	client_expect(&fast, SUBSCRIBE("{}"), "{\"result\":{}}");
	while (n_drops < 1000) {
		char pattern[64];
		struct spg_server_counts counts;

		publish(&world, ++id, SPG_EVENT_OPEN, NULL);
		snprintf(pattern, sizeof(pattern), "{\"params\":{\"id\":%lld}}",
			(long long)id);
		client_expect_line(&fast, pattern);
		spg_server_counts(world.server, &counts);
		n_drops = counts.drops;
	}
	/* Every event is either seen or counted, in order, with no other gap. */
	while (seen + dropped < id) {
		json_t *line = client_json(&slow);
		json_t *params = json_object_get(line, "params");
		json_t *marker = json_object_get(params, "dropped");

		ck_assert_str_eq(
			json_string_value(json_object_get(line, "method")), "event");
		if (marker) {
			ck_assert_int_eq(dropped, 0);
			dropped = json_integer_value(marker);
			ck_assert_int_eq(json_object_size(params), 1);
		} else {
			seen++;
			ck_assert_int_eq(
				json_integer_value(json_object_get(params, "id")),
				seen + dropped);
		}
		json_decref(line);
	}
	ck_assert_uint_eq((uint64_t)dropped, n_drops);
	/* And it goes on as before. */
	publish(&world, ++id, SPG_EVENT_CLOSE, NULL);
	client_expect_line(&slow, "{\"params\":{\"kind\":\"close\"}}");
	client_close(&slow);
	client_close(&fast);
	world_finish(&world);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("serve-subscribe");

	tcase_add_test(tc, who_hears_what);
	tcase_add_test(tc, shared_files);
	tcase_add_test(tc, subscriptions_are_bounded);
	tcase_add_test(tc, slow_subscriber);
	return spg_run_suite("serve-subscribe", tc);
}
