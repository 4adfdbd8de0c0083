/* SPDX-License-Identifier: MIT */
/* Conversations with the server: each method, each error. */
#include "daemon/serve/server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "tests/support/suite.h"
#include "tests/unit/serve_world.h"

#define ASK(method) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"}"
#define ASK_WITH(method, with)                                                         \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" with "}"
#define FAILS(code, message, hint)                                                     \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" #code                     \
	",\"message\":\"" message "\",\"data\":{\"hint\":\"" hint "\"}}}"
#define FILES "parameter \\\"payload\\\" must be a list of files"
#define FAILS_WITH(code, message)                                                      \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" #code                     \
	",\"message\":\"" message "\"}}"
#define GIVES(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"

#define USE                                                                            \
	"{\"how\":[\"mapped\"],\"pid\":2113,\"started\":\"2026-11-22T12:58:01Z\","     \
	"\"name\":\"perf\\\\x0amon\",\"exe\":\"/usr/bin/perfmon\",\"user\":\"root\","  \
	"\"unit\":\"perfmon.service\",\"since\":\"2026-11-22T12:58:02.5Z\","           \
	"\"class\":\"blocker\"}"
#define LOCK                                                                           \
	"{\"kind\":\"posix\",\"mode\":\"write\",\"start\":0,\"end\":null,"             \
	"\"state\":\"held\",\"pid\":2113,\"name\":\"perf\\\\x0amon\"}"
#define HELD                                                                           \
	"{\"path\":\"/srv/bin/Mdbperf.dll\",\"state\":\"blocked\",\"uses\":[" USE      \
	"],\"locks\":[" LOCK "],\"advice\":null}"
#define BLOCKED                                                                        \
	"{\"verdict\":\"blocked\",\"product\":\"exchange55\","                         \
	"\"at\":\"2026-11-22T13:00:00.123456Z\",\"generation\":4711,"                  \
	"\"proof\":{\"tier\":\"scripted\",\"files\":2,\"took_us\":212,"                \
	"\"complete\":true,\"coverage\":[]},"                                          \
	"\"counts\":{\"files\":2,\"blocked\":1,\"mapped\":1,\"locked\":1,"             \
	"\"unattributed\":0},\"files\":[" HELD "],"                                    \
	"\"reasons\":[{\"kind\":\"in-use\",\"file\":\"/srv/bin/Mdbperf.dll\","         \
	"\"name\":\"perf\\\\x0amon\",\"unit\":\"perfmon.service\",\"pid\":2113,"       \
	"\"how\":[\"mapped\"],"                                                        \
	"\"text\":\"Mdbperf.dll is mapped by perf\\\\x0amon (pid 2113)\"}],"           \
	"\"next\":[{\"kind\":\"stop-unit\",\"unit\":\"perfmon.service\",\"pid\":2113," \
	"\"command\":\"systemctl stop perfmon.service\","                              \
	"\"text\":\"systemctl stop perfmon.service\"}]}"
#define SAFE "{\"verdict\":\"safe\",\"product\":\"tools\",\"files\":[],\"reasons\":[]}"

static const struct {
	const char *request, *answer;
} conversations[] = {
	{ASK("hello"), GIVES("{\"name\":\"spguardd\",\"protocol\":1,"
			     "\"tier\":\"scripted\",\"admin\":true,"
			     "\"products\":[\"exchange55\",\"tools\"]}")},
	/* Not a request. */
	{"{nonsense", "{\"id\":null,\"error\":{\"code\":-32700}}"},
	{"\xff\xfe", "{\"id\":null,\"error\":{\"code\":-32700}}"},
	{"[" ASK("hello") "]", "{\"id\":null,\"error\":{\"code\":-32600,"
			       "\"message\":\"batches are not supported\"}}"},
	{"{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"id\":1,\"error\":{\"code\":-32600}}"},
	{ASK_WITH("hello", "[]"), "{\"id\":1,\"error\":{\"code\":-32602}}"},
	{ASK("nonsense"), FAILS(-32601, "there is no method \\\"nonsense\\\"",
				  "rpc.discover lists the methods")},
	{ASK("a\\u001bb"), FAILS_WITH(-32601, "there is no method \\\"a\\\\x1bb\\\"")},
	/* Parameters. */
	{ASK_WITH("hello", "{\"x\":1}"),
		FAILS(-32602, "method \\\"hello\\\" has no parameter \\\"x\\\"",
			"it takes none")},
	{ASK_WITH("check", "{\"pack\":1}"),
		FAILS(-32602, "method \\\"check\\\" has no parameter \\\"pack\\\"",
			"it takes: product, names, payload, all, wait, settle, "
			"watched")},
	{ASK_WITH("check", "{\"all\":1}"),
		FAILS(-32602, "parameter \\\"all\\\" must be true or false",
			"list free files too")},
	{ASK_WITH("check", "{\"wait\":-1}"),
		FAILS_WITH(-32602,
			"parameter \\\"wait\\\" must be a number from 0 to 2592000")},
	{ASK_WITH("check", "{\"names\":[\"a\",1]}"),
		FAILS_WITH(-32602, "parameter \\\"names\\\" must be a list of texts")},
	{ASK_WITH("check", "{\"names\":[\"\"]}"),
		FAILS_WITH(-32602, "parameter \\\"names\\\" must be a list of texts")},
	{ASK_WITH("check", "{\"names\":[\"a/b\"]}"),
		FAILS_WITH(-32602,
			"parameter \\\"names\\\": neither a file name nor an "
			"absolute path: a/b")},
	{ASK_WITH("check", "{\"payload\":[\"a\"]}"), FAILS_WITH(-32602, FILES)},
	{ASK_WITH("check", "{\"payload\":[{}]}"), FAILS_WITH(-32602, FILES)},
	{ASK_WITH("check", "{\"payload\":[{\"name\":\"\"}]}"),
		FAILS_WITH(-32602, FILES)},
	{ASK_WITH("check", "{\"payload\":[{\"name\":\"a\",\"hash\":\"b\"}]}"),
		FAILS_WITH(-32602, FILES)},
	{ASK_WITH("check", "{\"payload\":[{\"name\":\"a\",\"size\":-1}]}"),
		FAILS_WITH(-32602, FILES)},
	{ASK_WITH("check", "{\"payload\":[{\"name\":\"a\",\"size\":true}]}"),
		FAILS_WITH(-32602, FILES)},
	{ASK_WITH("log", "{\"limit\":2.5}"),
		FAILS_WITH(-32602, "parameter \\\"limit\\\" must be a whole number")},
	{ASK_WITH("log", "{\"limit\":0}"), "{\"id\":1,\"error\":{\"code\":-32602}}"},
	{ASK_WITH("log", "{\"since\":\"-2h\"}"),
		FAILS_WITH(
			-32602, "parameter \\\"since\\\" must be a time in RFC 3339")},
	{ASK_WITH("log", "{\"since\":\"2026-11-22T13:00:00Z\","
			 "\"until\":\"2026-11-22T12:00:00Z\"}"),
		FAILS_WITH(-32602, "parameter \\\"until\\\" must not be earlier than "
				   "\\\"since\\\"")},
	{ASK_WITH("log", "{\"kinds\":[\"open\",\"opened\"]}"),
		FAILS_WITH(-32602,
			"parameter \\\"kinds\\\": there is no kind \\\"opened\\\"")},
	{ASK("unsubscribe"), FAILS_WITH(-32602, "parameter \\\"subscription\\\" is "
						"missing: a whole number")},
	{ASK_WITH("unsubscribe", "{\"subscription\":9}"),
		FAILS_WITH(-32602, "parameter \\\"subscription\\\": there is none with "
				   "number 9")},
	/* Products. */
	{ASK_WITH("check", "{\"product\":\"exchange\"}"),
		FAILS(-32002, "there is no product \\\"exchange\\\"",
			"the products are: exchange55, tools")},
	{ASK_WITH("subscribe", "{\"product\":\"\"}"),
		FAILS_WITH(-32002, "there is no product \\\"\\\"")},
	/* check */
	{ASK_WITH("check", "{\"product\":\"exchange55\"}"), GIVES(BLOCKED)},
	{ASK_WITH("check", "{\"product\":\"tools\",\"names\":null}"), GIVES(SAFE)},
	{ASK_WITH("check", "{\"product\":\"tools\",\"all\":true}"),
		GIVES("{\"files\":[{\"path\":\"/srv/tools/"
		      "Mdbperf.dll\",\"state\":\"free\","
		      "\"uses\":[],\"locks\":[]},{\"path\":\"/srv/tools/"
		      "Edbbcli.dll\"}]}")},
	{ASK("check"),
		GIVES("{\"verdict\":\"blocked\",\"without_blocked\":\"safe\","
		      "\"product\":null,\"title\":null,\"proof\":{\"tier\":"
		      "\"scripted\","
		      "\"files\":4,\"complete\":true},\"counts\":{\"files\":4,"
		      "\"blocked\":1},\"files\":[{\"path\":\"/srv/bin/Mdbperf.dll\","
		      "\"product\":\"exchange55\"}],\"reasons\":[{\"kind\":\"in-use\","
		      "\"product\":\"exchange55\"}],\"products\":[{\"verdict\":"
		      "\"blocked\",\"product\":\"exchange55\",\"generation\":4711,"
		      "\"proof\":{\"files\":2},\"counts\":{\"files\":2}},{\"verdict\":"
		      "\"safe\",\"product\":\"tools\"}]}")},
	/* who, locks */
	{ASK("who"), GIVES("{\"at\":\"2026-11-22T13:00:00.123456Z\",\"files\":[" HELD
			   "],\"coverage\":[]}")},
	{ASK_WITH("who", "{\"all\":true,\"paths\":[\"edbbcli.DLL\"]}"),
		GIVES("{\"files\":[{\"path\":\"/srv/bin/Edbbcli.dll\","
		      "\"product\":\"exchange55\",\"state\":\"free\"},"
		      "{\"path\":\"/srv/tools/Edbbcli.dll\",\"product\":\"tools\"}]}")},
	{ASK_WITH("who", "{\"paths\":[\"/srv/tools/\"]}"),
		GIVES("{\"files\":[],\"coverage\":[]}")},
	{ASK_WITH("who", "{\"paths\":[\"/srv//bin\"]}"),
		GIVES("{\"files\":[" HELD "]}")},
	{ASK_WITH("who", "{\"paths\":[\"/srv/bin/readme.txt\"]}"),
		GIVES("{\"files\":[],\"coverage\":[{\"kind\":\"no-such-file\","
		      "\"what\":\"/srv/bin/readme.txt\","
		      "\"why\":\"no product has a file of that name\"}]}")},
	{ASK_WITH("who", "{\"paths\":[\"/etc/passwd\"]}"),
		FAILS(-32602, "parameter \\\"paths\\\": no product watches /etc/passwd",
			"the products have: /srv/bin, /srv/tools")},
	{ASK_WITH("locks",
		 "{\"product\":\"tools\",\"paths\":[\"/srv/bin/Mdbperf.dll\"]}"),
		FAILS(-32602,
			"parameter \\\"paths\\\": no product watches "
			"/srv/bin/Mdbperf.dll",
			"the products have: /srv/tools")},
	{ASK_WITH("locks", "{\"paths\":[\"Mdbperf.exe\"]}"),
		FAILS_WITH(-32602,
			"parameter \\\"paths\\\": no product watches Mdbperf.exe")},
	{ASK("locks"), GIVES("{\"locks\":[{\"path\":\"/srv/bin/Mdbperf.dll\","
			     "\"product\":\"exchange55\",\"kind\":\"posix\",\"mode\":"
			     "\"write\","
			     "\"start\":0,\"end\":null,\"state\":\"held\",\"pid\":2113,"
			     "\"name\":\"perf\\\\x0amon\",\"user\":\"root\","
			     "\"unit\":\"perfmon.service\","
			     "\"started\":\"2026-11-22T12:58:01Z\",\"since\":null}]}")},
	{ASK_WITH("locks", "{\"product\":\"tools\"}"), GIVES("{\"locks\":[]}")},
	/* history */
	{ASK("log"), GIVES("{\"events\":[{\"id\":7,\"kind\":\"gap\",\"path\":null,"
			   "\"gap\":{\"reason\":\"overflow\"}}],\"more\":true}")},
	{ASK("flush"), GIVES("{\"flushed\":true,\"last_id\":41}")},
	{ASK_WITH("maintenance", "{\"product\":\"tools\",\"utc\":true,\"for\":5400,"
				 "\"days\":7}"),
		GIVES("{\"product\":\"tools\",\"for\":5400.0,"
		      "\"days\":7,\"zone\":\"UTC\",\"unseen_s\":86400.0}")},
	{ASK("maintenance"), FAILS(-32602, "this is about one product: name it",
				     "the products are: exchange55, tools")},
	{ASK_WITH("maintenance", "{\"product\":\"x\"}"),
		FAILS(-32002, "there is no product \\\"x\\\"",
			"the products are: exchange55, tools")},
	{ASK_WITH("maintenance", "{\"product\":\"tools\",\"for\":0.5}"),
		FAILS_WITH(-32602, "parameter \\\"for\\\" must be a number from 1 to "
				   "604800")},
	{ASK_WITH("maintenance", "{\"product\":\"tools\",\"days\":367}"),
		FAILS_WITH(-32602, "parameter \\\"days\\\" must be a whole number "
				   "from 1 to 366")},
	/* the rest */
	{ASK("status"),
		GIVES("{\"tier\":\"scripted\",\"config\":null,\"sessions\":1,"
		      "\"subscribers\":0,\"products\":[{\"name\":\"exchange55\","
		      "\"verdict\":\"blocked\",\"blocked\":1,\"verdict_at\":null,"
		      "\"directories\":[{\"path\":\"/srv/bin\",\"state\":\"watched\","
		      "\"why\":null,\"marks\":1}]},{\"name\":\"tools\"}],"
		      "\"mechanisms\":[{\"kind\":\"file-events\","
		      "\"name\":\"file events\",\"works\":true,"
		      "\"remedy\":null},{\"works\":false,\"detail\":\"EPERM\"}],"
		      "\"store\":{\"rows\":12,\"stopped\":false,\"why\":null},"
		      "\"events\":{\"open\":0},\"gaps\":{\"overflow\":0},"
		      "\"coverage\":[{\"kind\":\"users-elsewhere\",\"why\":\"it is "
		      "\\\\x1b NFS\","
		      "\"product\":\"exchange55\"}]}")},
	{ASK("reload"), GIVES("{\"reloaded\":true,\"products\":[\"exchange55\","
			      "\"tools\"]}")},
	{ASK("subscribe"), GIVES("{\"subscription\":1}")},
};

START_TEST(converse)
{
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, conversations[_i].request, conversations[_i].answer);
	/* The session goes on. */
	client_expect(&client, ASK("hello"), GIVES("{\"name\":\"spguardd\"}"));
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(split_anywhere)
{
	const char *two = ASK("hello") "\r\n\n" ASK_WITH("locks", "{}") "\n";
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	for (size_t at = 1; at < strlen(two); at++) {
		json_t *answer;

		client_send_some(&client, two, at);
		world_spin(&world);
		client_send(&client, two + at);
		answer = client_json(&client);
		check_matches(answer, GIVES("{\"name\":\"spguardd\"}"));
		json_decref(answer);
		answer = client_json(&client);
		check_matches(answer, GIVES("{\"coverage\":[]}"));
		json_decref(answer);
	}
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(notifications_are_not_answered)
{
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n"
			     "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}\n");
	client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"hello\"}",
		"{\"id\":null,\"result\":{\"name\":\"spguardd\"}}");
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(admin_methods)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->admin = false;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, ASK("hello"), GIVES("{\"admin\":false}"));
	client_expect(&client, ASK("reload"),
		FAILS_WITH(-32001, "you may not call \\\"reload\\\""));
	world.fake->admin = true;
	world.fake->reload_result = SPG_ERR_INVALID;
	world.fake->reload_problems = "a.conf:3: unknown key\na.conf:9: \x1b bad\n";
	client_expect(&client, ASK("reload"),
		FAILS_WITH(-32603, "a.conf:3: unknown key\\na.conf:9: \\\\x1b bad"));
	world.fake->reload_result = SPG_ERR_NOMEM;
	world.fake->reload_problems = NULL;
	client_expect(&client, ASK("reload"), FAILS_WITH(-32603, "out of memory"));
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(no_products)
{
	struct world world;
	struct client client;

	world_init(&world);
	world.fake->n_products = 0;
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, ASK("check"),
		FAILS(-32002, "there is no product to ask about",
			"add a [product NAME] to the configuration"));
	client_expect(&client, ASK_WITH("who", "{\"product\":\"a\"}"),
		FAILS(-32002, "there is no product \\\"a\\\"",
			"there is none: add a [product NAME] to the configuration"));
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(prover_fails)
{
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	world.fake->proof_result = SPG_ERR_BUSY;
	client_expect(
		&client, ASK("check"), FAILS_WITH(-32004, "the daemon is stopping"));
	world.fake->proof_result = SPG_ERR_NOMEM;
	client_expect(&client, ASK("who"), FAILS_WITH(-32603, "out of memory"));
	world.fake->proof_result = SPG_ERR_NOT_FOUND;
	client_expect(&client, ASK("check"),
		FAILS_WITH(-32002,
			"the product has gone in a reload of the configuration"));
	world.fake->proof_result = 0;
	world.fake->complete = false;
	client_expect(&client, ASK_WITH("locks", "{\"product\":\"tools\"}"),
		GIVES("{\"locks\":[],\"coverage\":[{\"what\":\"tools\","
		      "\"product\":\"tools\"}]}"));
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(what_the_prover_is_asked)
{
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client,
		ASK_WITH("check", "{\"wait\":0.5,\"product\":\"tools\"}"), GIVES("{}"));
	ck_assert_uint_eq(world.fake->n_waited, 1);
	ck_assert_int_le(world.fake->last_wait_ns, 500000000);
	ck_assert_int_gt(world.fake->last_wait_ns, 0);
	ck_assert_uint_eq(world.fake->last_n_names, SIZE_MAX);
	client_expect(&client, ASK_WITH("check", "{\"names\":[\"a.dll\",\"/b\"]}"),
		GIVES("{}"));
	ck_assert_uint_eq(world.fake->n_waited, 1);
	ck_assert(!world.fake->last_attribute);
	ck_assert_uint_eq(world.fake->last_n_names, 2);
	client_expect(&client,
		ASK_WITH("check",
			"{\"payload\":[{\"name\":\"a.dll\",\"version\":null,\"size\":0}"
			","
			"{\"name\":\"b.dll\",\"version\":\"1.2\",\"sha256\":\"00\"},"
			"{\"name\":\"/c\"}]}"),
		GIVES("{}"));
	ck_assert_uint_eq(world.fake->last_n_names, 3);
	client_expect(&client, ASK_WITH("check", "{\"names\":[]}"), GIVES("{}"));
	ck_assert_uint_eq(world.fake->last_n_names, 0);
	client_expect(&client, ASK_WITH("who", "{\"paths\":[\"a.dll\"]}"), GIVES("{}"));
	ck_assert(world.fake->last_attribute);
	ck_assert_uint_eq(world.fake->last_n_names, SIZE_MAX);
	client_close(&client);
	world_finish(&world);
}
END_TEST

static const struct {
	const char *params, *query;
} queries[] = {
	{"{}", "since 0 until 0 kinds 0 paths 0 - name - pid 0 product - before 0 "
	       "limit 200"},
	{"{\"since\":\"1970-01-01T00:00:01Z\",\"until\":\"1970-01-01T01:00:02+01:00\"}",
		"since 1000000000 until 2000000000 kinds 0 paths 0 - name - pid 0 "
		"product - before 0 limit 200"},
	{"{\"kinds\":[\"open\",\"exec\"],\"process\":\"2113\",\"limit\":99999999}",
		"since 0 until 0 kinds 5 paths 0 - name - pid 2113 product - before 0 "
		"limit 10000"},
	{"{\"process\":\"7z\",\"product\":\"tools\",\"before\":12,\"limit\":1,"
	 "\"paths\":[\"/srv//bin/./a\",\"b\"]}",
		"since 0 until 0 kinds 0 paths 2 /srv/bin/a name 7z pid 0 product "
		"tools "
		"before 12 limit 1"},
	{"{\"process\":\"99999999999999999999\"}",
		"since 0 until 0 kinds 0 paths 0 - name 99999999999999999999 pid 0 "
		"product - before 0 limit 200"},
};

START_TEST(what_the_store_is_asked)
{
	struct world world;
	struct client client;
	char request[512];

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	snprintf(request, sizeof(request), ASK_WITH("log", "%s"), queries[_i].params);
	client_expect(&client, request, GIVES("{\"more\":true}"));
	ck_assert_str_eq(world.fake->last_query, queries[_i].query);
	client_close(&client);
	world_finish(&world);
}
END_TEST

START_TEST(flush_goes_all_the_way)
{
	struct world world;
	struct client client;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_expect(&client, ASK("flush"), GIVES("{\"flushed\":true}"));
	ck_assert_uint_eq(world.fake->n_settled, 1);
	ck_assert_uint_eq(world.fake->n_flushed, 1);
	world.fake->settle_result = SPG_ERR_BUSY;
	client_expect(
		&client, ASK("flush"), FAILS_WITH(-32004, "the daemon is stopping"));
	ck_assert_uint_eq(world.fake->n_flushed, 1);
	world.fake->settle_result = 0;
	world.fake->store_result = SPG_ERR_FULL;
	client_expect(&client, ASK("flush"),
		FAILS_WITH(-32603, "history is stopped: the disk is full"));
	client_expect(&client, ASK("log"), "{\"error\":{\"code\":-32603}}");
	client_close(&client);
	world_finish(&world);
}
END_TEST

static json_int_t get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	ck_assert(json_is_integer(value));
	return json_integer_value(value);
}

/* What the fake history has: perfmon in the last hour, a first day unseen. */
START_TEST(windows)
{
	struct world world;
	struct client client;
	json_t *answer, *result, *row;
	json_int_t of = 0, n_free = 0, n_unseen = 0, n_broken = 0;
	size_t i;

	world_init(&world);
	world.fake->n_products = 1;
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, ASK("maintenance") "\n");
	answer = client_json(&client);
	check_matches(answer, GIVES("{\"product\":\"exchange55\",\"for\":1800.0,"
				    "\"days\":14,\"unseen_s\":86400.0}"));
	result = json_object_get(answer, "result");
	ck_assert_uint_eq(json_array_size(json_object_get(result, "slots")), 168);
	json_array_foreach (json_object_get(result, "slots"), i, row) {
		json_t *breakers = json_object_get(row, "breakers");

		ck_assert_int_eq(get(row, "day"), (json_int_t)i / 24);
		ck_assert_int_eq(get(row, "hour"), (json_int_t)i % 24);
		of += get(row, "of");
		n_free += get(row, "free");
		n_unseen += get(row, "unseen");
		n_broken += get(row, "of") - get(row, "free") - get(row, "unseen");
		if (json_array_size(breakers) > 0)
			check_matches(breakers, "[{\"name\":\"perf\\\\x0amon\","
						"\"unit\":\"perfmon.service\","
						"\"times\":1}]");
	}
	/* But for clocks that change. */
	ck_assert_int_ge(of, 14 * 24 - 1);
	ck_assert_int_ge(n_unseen, 24);
	ck_assert_int_ge(n_broken, 1);
	ck_assert_int_ge(n_free, 14 * 24 - 1 - 24 - 3);
	row = json_array_get(json_object_get(result, "best"), 0);
	ck_assert_int_eq(get(row, "free"), 2);
	ck_assert_int_ge(get(row, "length"), 1800);
	ck_assert_ptr_nonnull(json_object_get(row, "to_day"));
	json_decref(answer);
	world.fake->store_result = SPG_ERR_FULL;
	client_expect(&client, ASK("maintenance"),
		FAILS_WITH(-32603, "history is stopped: the disk is full"));
	/* Who has gone gets no answer, and nothing is left of his question. */
	world.fake->store_result = 0;
	world.fake->hold_store = true;
	client_send(&client, ASK("maintenance") "\n");
	world_spin(&world);
	client_close(&client);
	world_spin(&world);
	fake_release(&world);
	world_finish(&world);
}
END_TEST

/* rpc.discover tells the truth: each method is there, each parameter has the
 * type it says. */
START_TEST(discovery_agrees)
{
	struct world world;
	struct client client;
	json_t *answer, *methods, *method, *param;
	size_t i, k, n_params = 0;

	world_init(&world);
	world_start(&world);
	client_connect(&client, &world);
	client_send(&client, ASK("rpc.discover") "\n");
	answer = client_json(&client);
	check_matches(answer, GIVES("{\"openrpc\":\"1.2.6\"}"));
	methods = json_object_get(json_object_get(answer, "result"), "methods");
	ck_assert_uint_eq(json_array_size(methods), 25);
	json_array_foreach (methods, i, method) {
		const char *name = json_string_value(json_object_get(method, "name"));

		json_array_foreach (json_object_get(method, "params"), k, param) {
			const char *p =
				json_string_value(json_object_get(param, "name"));
			char request[256], pattern[128];

			snprintf(request, sizeof(request),
				ASK_WITH("%s", "{\"%s\":{}}"), name, p);
			client_send(&client, request);
			client_send(&client, "\n");
			json_t *refusal = client_json(&client);
			snprintf(pattern, sizeof(pattern), "parameter \"%s\" must be ",
				p);
			ck_assert_ptr_nonnull(strstr(
				json_string_value(json_object_get(
					json_object_get(refusal, "error"), "message")),
				pattern));
			json_decref(refusal);
			n_params++;
		}
	}
	ck_assert_uint_eq(n_params, 58);
	json_decref(answer);
	client_close(&client);
	world_finish(&world);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("serve");

	spg_add_rows(tc, converse, conversations);
	tcase_add_test(tc, split_anywhere);
	tcase_add_test(tc, notifications_are_not_answered);
	tcase_add_test(tc, admin_methods);
	tcase_add_test(tc, windows);
	tcase_add_test(tc, no_products);
	tcase_add_test(tc, prover_fails);
	tcase_add_test(tc, what_the_prover_is_asked);
	spg_add_rows(tc, what_the_store_is_asked, queries);
	tcase_add_test(tc, flush_goes_all_the_way);
	tcase_add_test(tc, discovery_agrees);
	return spg_run_suite("serve", tc);
}
