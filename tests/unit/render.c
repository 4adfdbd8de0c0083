/* SPDX-License-Identifier: MIT */
/* From records to the JSON of the public contract. */
#include "daemon/serve/render/render.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/model/judge.h"
#include "tests/support/suite.h"

/* 2026-11-22T13:00:00Z */
#define NOW INT64_C(1795352400000000000)

static void check_text(json_t *value, const char *expected)
{
	char *text;

	ck_assert_ptr_nonnull(value);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(value);
}

static struct spg_product *make_product(bool ignore_case)
{
	struct spg_product *product = spg_product_create("exchange55");

	free(product->title);
	product->title = strdup("Microsoft Exchange Server 5.5");
	product->ignore_case = ignore_case;
	spg_product_add_directory(product, "/srv/bin", "t:1");
	spg_product_add_pattern(product, "*.dll");
	spg_product_add_pattern(product, "absent.exe");
	spg_product_add_setup_stop(product, "dsamain.exe");
	spg_product_add_advice(product, "*perf.dll", "Stop Performance Monitor.");
	return product;
}

static void add_file(struct spg_observation *obs, const char *path,
	enum spg_presence presence, enum spg_in_use in_use)
{
	struct spg_file_id id = {1, obs->n_files + 1};
	struct spg_file *file = spg_file_create(path, id);

	ck_assert_int_eq(spg_observation_add_file(obs, file, presence, in_use), 0);
	spg_file_unref(file);
}

static void add_use(struct spg_observation *obs, size_t file,
	struct spg_process_info info, unsigned how)
{
	struct spg_process *process = spg_process_create(&info);
	struct spg_seen_lock lock = {.file = file,
		.kind = SPG_LOCK_OFD,
		.mode = SPG_LOCK_READ,
		.state = SPG_LOCK_WAITING,
		.start = 10,
		.end = 19,
		.process = process,
		.since_ns = NOW};

	ck_assert_int_eq(spg_observation_add_use(obs, file, process, how), 0);
	if (how & SPG_USE_WAITING)
		ck_assert_int_eq(spg_observation_add_lock(obs, &lock), 0);
	spg_process_unref(process);
}

/* A bit of everything. */
static struct spg_observation *make_observation(struct spg_product *product)
{
	struct spg_observation *obs = spg_observation_create(product, SPG_SURVEY_FULL);
	struct spg_seen_lock hidden = {.file = 3,
		.kind = SPG_LOCK_FLOCK,
		.mode = SPG_LOCK_WRITE,
		.end = SPG_LOCK_EOF};

	obs->counted = true;
	add_file(obs, "/srv/bin/Mdbperf.dll", SPG_PRESENT, SPG_IN_USE_YES);
	add_file(obs, "/srv/bin/free.dll", SPG_PRESENT, SPG_IN_USE_NO);
	add_file(obs, "/srv/bin/setup.dll", SPG_REPLACED, SPG_IN_USE_YES);
	add_file(obs, "/srv/bin/hidden.dll", SPG_PRESENT, SPG_IN_USE_YES);
	add_file(obs, "/srv/bin/bad\xff\n.dll", SPG_PRESENT, SPG_IN_USE_UNKNOWN);
	add_use(obs, 0,
		(struct spg_process_info){.id = {9, 1},
			.name = "a\x1b[31m",
			.exe = "/x/\xe2\x80\xae",
			.user = "root",
			.unit = "a.service",
			.started_ns = NOW},
		SPG_USE_OPEN | SPG_USE_WAITING);
	add_use(obs, 0, (struct spg_process_info){.id = {8, 1}}, SPG_USE_EXECUTING);
	add_use(obs, 2, (struct spg_process_info){.id = {7, 1}, .name = "dsamain.exe"},
		SPG_USE_MAPPED);
	ck_assert_int_eq(spg_observation_add_lock(obs, &hidden), 0);
	ck_assert_int_eq(spg_observation_add_lack(obs,
				 &(struct spg_lack){.kind = SPG_LACK_DIRECTORY_SILENT,
					 .file = SPG_NO_FILE,
					 .blinds = true,
					 .path = "/srv/\x1b",
					 .remedy = {"mend", "mount"}},
				 "%s", "\x1b"),
		0);
	obs->files[3].unattributed = true;
	return obs;
}

struct scene {
	struct spg_product *product;
	struct spg_observation *obs;
	struct spg_verdict verdict;
	struct spg_proof proof;
};

static void scene_init(struct scene *s, bool ignore_case)
{
	s->product = make_product(ignore_case);
	s->obs = make_observation(s->product);
	s->verdict = (struct spg_verdict)SPG_VERDICT_NULL;
	ck_assert_int_eq(spg_verdict_judge(s->obs, NULL, NULL, &s->verdict), 0);
	s->proof = (struct spg_proof){.observation = s->obs,
		.verdict = &s->verdict,
		.at_ns = NOW + 123456000,
		.took_ns = 212999,
		.generation = 4711,
		.tries = 2};
}

static void scene_finish(struct scene *s)
{
	spg_verdict_finish(&s->verdict);
	spg_observation_destroy(s->obs);
	spg_product_unref(s->product);
}

#define WAITING                                                                        \
	"{\"kind\":\"ofd\",\"mode\":\"read\",\"start\":10,\"end\":19,"                 \
	"\"state\":\"waiting\",\"pid\":9,\"name\":\"a\\\\x1b[31m\","                   \
	"\"since\":\"2026-11-22T13:00:00Z\"}"
#define HIDDEN                                                                         \
	"{\"kind\":\"flock\",\"mode\":\"write\",\"start\":0,\"end\":null,"             \
	"\"state\":\"held\",\"pid\":null,\"name\":null,\"since\":null}"
#define FILE_BLOCKED(product)                                                          \
	"{\"path\":\"/srv/bin/Mdbperf.dll\"," product "\"state\":\"blocked\","         \
	"\"replaced\":false,\"replaced_at\":null,\"uses\":[{\"how\":[\"open\","        \
	"\"waiting\"],\"pid\":9,"                                                      \
	"\"started\":\"2026-11-22T13:00:00Z\",\"name\":\"a\\\\x1b[31m\","              \
	"\"exe\":\"/x/\\\\xe2\\\\x80\\\\xae\",\"user\":\"root\","                      \
	"\"unit\":\"a.service\",\"since\":null,\"class\":\"blocker\"},"                \
	"{\"how\":[\"executing\"],\"pid\":8,\"started\":null,\"name\":null,"           \
	"\"exe\":null,\"user\":null,\"unit\":null,\"since\":null,"                     \
	"\"class\":\"blocker\"}],\"locks\":[" WAITING "],"                             \
	"\"obstacles\":[],\"advice\":\"Stop Performance Monitor.\"}"
#define FILE_SETUP                                                                     \
	"{\"path\":\"/srv/bin/setup.dll\",\"state\":\"held-by-setup-stopped\","        \
	"\"replaced\":true,\"replaced_at\":null,\"uses\":[{\"how\":[\"mapped\"],"      \
	"\"pid\":7,"                                                                   \
	"\"started\":null,\"name\":\"dsamain.exe\",\"exe\":null,\"user\":null,"        \
	"\"unit\":null,\"since\":null,\"class\":\"setup-stops\"}],\"locks\":[],"       \
	"\"obstacles\":[],\"advice\":null}"
#define FILE_HIDDEN                                                                    \
	"{\"path\":\"/srv/bin/"                                                        \
	"hidden.dll\",\"state\":\"blocked\",\"replaced\":false,\"replaced_at\":null,"  \
	"\"uses\":[{\"how\":[],\"pid\":null,\"started\":null,\"name\":null,"           \
	"\"exe\":null,\"user\":null,\"unit\":null,\"since\":null,"                     \
	"\"class\":\"blocker\"}],\"locks\":[" HIDDEN "],\"obstacles\":[],"             \
	"\"advice\":null}"
#define FILE_BAD                                                                       \
	"{\"path\":\"/srv/bin/bad\\\\xff\\\\x0a.dll\",\"state\":\"unknown\","          \
	"\"replaced\":false,\"replaced_at\":null,\"uses\":[],\"locks\":[],"            \
	"\"obstacles\":[],\"advice\":null}"
#define FILE_ABSENT                                                                    \
	"{\"path\":\"/srv/bin/"                                                        \
	"absent.exe\",\"state\":\"missing\",\"replaced\":false,\"replaced_at\":null,"  \
	"\"uses\":[],\"locks\":[],\"obstacles\":[],\"advice\":null}"
#define FILE_FREE                                                                      \
	"{\"path\":\"/srv/bin/"                                                        \
	"free.dll\",\"state\":\"free\",\"replaced\":false,\"replaced_at\":null,"       \
	"\"uses\":[],\"locks\":[],\"obstacles\":[],\"advice\":null}"

START_TEST(check_answer)
{
	struct scene s;
	json_t *answer, *all;

	scene_init(&s, true);
	answer = spg_render_check(&s.proof, "procfs", NULL, false);
	check_text(json_incref(json_object_get(answer, "files")),
		"[" FILE_BLOCKED("") "," FILE_SETUP "," FILE_HIDDEN "," FILE_BAD
				     "," FILE_ABSENT "]");
	all = spg_render_check(&s.proof, "procfs", NULL, true);
	check_text(json_incref(json_object_get(all, "files")),
		"[" FILE_BLOCKED("") "," FILE_FREE "," FILE_SETUP "," FILE_HIDDEN
				     "," FILE_BAD "," FILE_ABSENT "]");
	json_decref(all);
	/* Reasons and steps are the verdict's own, and not looked at here. */
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "reasons")),
		s.verdict.reasons.n);
	ck_assert_uint_eq(
		json_array_size(json_object_get(answer, "next")), s.verdict.next.n);
	json_object_del(answer, "files");
	json_object_del(answer, "reasons");
	json_object_del(answer, "next");
	/* Who runs the old version of setup.dll. */
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "remarks")), 1);
	json_object_del(answer, "remarks");
	check_text(answer,
		"{\"verdict\":\"blocked\",\"without_blocked\":\"unknown\",\"product\":"
		"\"exchange55\","
		"\"title\":\"Microsoft Exchange Server 5.5\","
		"\"at\":\"2026-11-22T13:00:00.123456Z\",\"generation\":4711,"
		"\"proof\":{\"tier\":\"procfs\",\"files\":5,\"took_us\":212,"
		"\"tries\":2,\"complete\":false,\"coverage\":[{"
		"\"kind\":\"directory-silent\",\"what\":\"a directory\","
		"\"path\":\"/srv/\\\\x1b\",\"why\":\"\\\\x1b\","
		"\"remedy\":\"mend\",\"command\":\"mount\",\"blinds\":true}]},"
		"\"counts\":{\"files\":5,\"blocked\":2,\"open\":1,\"mapped\":1,"
		"\"executing\":1,\"locked\":1,\"waiting\":1,\"unattributed\":1,"
		"\"obstructed\":0}}");
	scene_finish(&s);
}
END_TEST

START_TEST(rows)
{
	struct scene s;
	struct spg_path_filter all = {NULL, 0};
	char bare[] = "MDBPERF.dll";
	char *names[] = {bare};
	struct spg_path_filter one = {names, 1};
	struct spg_packages *packages = spg_packages_create();
	json_t *out = json_array(), *package;

	scene_init(&s, true);
	ck_assert_uint_eq(spg_packages_add(packages, "liba\x1b", "1"), 0);
	ck_assert_int_eq(spg_packages_own(packages, "/srv/bin/Mdbperf.dll", 0), 0);
	ck_assert_int_eq(spg_render_files(out, &s.proof, &one, packages, false), 0);
	package = json_incref(json_object_get(json_array_get(out, 0), "package"));
	check_text(package, "{\"name\":\"liba\\\\x1b\",\"version\":\"1\"}");
	json_object_del(json_array_get(out, 0), "package");
	check_text(out, "[" FILE_BLOCKED("\"product\":\"exchange55\",") "]");
	spg_packages_unref(packages);
	out = json_array();
	ck_assert_int_eq(spg_render_files(out, &s.proof, &all, NULL, false), 0);
	ck_assert_uint_eq(json_array_size(out), 4);
	json_array_clear(out);
	ck_assert_int_eq(spg_render_files(out, &s.proof, &all, NULL, true), 0);
	ck_assert_uint_eq(json_array_size(out), 6);
	json_array_clear(out);
	ck_assert_int_eq(spg_render_locks(out, &s.proof, &one), 0);
	ck_assert_uint_eq(json_array_size(out), 1);
	ck_assert_int_eq(spg_render_locks(out, &s.proof, &all), 0);
	ck_assert_uint_eq(json_array_size(out), 3);
	check_text(json_incref(json_array_get(out, 2)),
		"{\"kind\":\"flock\",\"mode\":\"write\",\"start\":0,\"end\":null,"
		"\"state\":\"held\",\"pid\":null,\"name\":null,\"since\":null,"
		"\"path\":\"/srv/bin/hidden.dll\",\"product\":\"exchange55\","
		"\"replaced\":false,\"replaced_at\":null,"
		"\"user\":null,\"unit\":null,\"started\":null}");
	json_array_clear(out);
	ck_assert_int_eq(spg_render_coverage(out, &s.proof), 0);
	check_text(out, "[{\"kind\":\"directory-silent\",\"what\":\"a directory\","
			"\"path\":\"/srv/\\\\x1b\",\"why\":\"\\\\x1b\","
			"\"remedy\":\"mend\",\"command\":\"mount\",\"blinds\":true,"
			"\"product\":\"exchange55\"}]");
	scene_finish(&s);
}
END_TEST

static const struct {
	const char *asked, *path;
	bool ignore_case, has;
} filters[] = {
	{"a.dll", "/srv/bin/a.dll", false, true},
	{"A.dll", "/srv/bin/a.dll", false, false},
	{"A.dll", "/srv/bin/a.dll", true, true},
	{"bin", "/srv/bin/a.dll", true, false},
	{"/srv/bin/a.dll", "/srv/bin/a.dll", false, true},
	{"/srv/BIN/a.dll", "/srv/bin/a.dll", true, true},
	{"/srv/BIN/a.dll", "/srv/bin/a.dll", false, false},
	{"/srv/bin", "/srv/bin/a.dll", false, true},
	{"/SRV/bin", "/srv/bin/a.dll", true, true},
	{"/SRV/bin", "/srv/bin/a.dll", false, false},
	{"/srv/bi", "/srv/bin/a.dll", true, false},
	{"/srv/bin/a.dll/x", "/srv/bin/a.dll", true, false},
	{"\xc3\x84.dll", "/srv/bin/\xc3\xa4.dll", true, true},
	{"\xc3\x84.dll", "/srv/bin/\xc3\xa4.dll", false, false},
	{"/srv/\xc3\x84", "/srv/\xc3\xa4/a.dll", true, true},
	{"/srv/\xe2\x84\xaa", "/SRV/k/a.dll", true, true}, /* of another length */
	{"/srv/k", "/srv/\xe2\x84\xaa/a.dll", true, true},
	{"/srv/k",
		"/srv/\xe2\x84\xaa"
		"a/a.dll",
		true, false},
};

START_TEST(filter)
{
	struct spg_product *product = make_product(filters[_i].ignore_case);
	char *asked = strdup(filters[_i].asked);
	struct spg_path_filter one = {&asked, 1}, none = {NULL, 0};

	ck_assert_int_eq(
		spg_path_filter_has(&one, product, filters[_i].path), filters[_i].has);
	ck_assert(spg_path_filter_has(&none, product, filters[_i].path));
	free(asked);
	spg_product_unref(product);
}
END_TEST

#define NOBODY                                                                         \
	"\"pid\":null,\"started\":null,\"name\":null,\"exe\":null,\"user\":null,"      \
	"\"unit\":null,\"product\":null,\"coalesced\":null"
#define AT "\"at\":\"2026-11-22T13:00:00Z\""

static const struct {
	struct spg_event event;
	const char *text;
} events[] = {
	{{.id = 1, .at_ns = NOW, .kind = SPG_EVENT_OPEN, .kinds = 1},
		"{\"id\":1," AT ",\"kind\":\"open\",\"path\":null," NOBODY "}"},
	{{.id = 2,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_OPEN,
		 .kinds = SPG_EVENT_BIT(SPG_EVENT_OPEN) |
                          SPG_EVENT_BIT(SPG_EVENT_CLOSE)},
		"{\"id\":2," AT ",\"kind\":\"open\",\"path\":null,\"pid\":null,"
		"\"started\":null,\"name\":null,\"exe\":null,\"user\":null,"
		"\"unit\":null,\"product\":null,\"coalesced\":[\"open\",\"close\"]}"},
	{{.id = 3,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_USE_END,
		 .how = SPG_USE_WRITE | SPG_USE_LOCKED,
		 .since_ns = NOW - 1,
		 .interval = 5},
		"{\"id\":3," AT ",\"kind\":\"use-end\",\"path\":null," NOBODY
		",\"how\":[\"write\",\"locked\"],"
		"\"since\":\"2026-11-22T12:59:59.999999999Z\",\"interval\":5}"},
	{{.id = 4,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_LOCK_FAIL,
		 .lock = {SPG_LOCK_LEASE, SPG_LOCK_WRITE, 3, SPG_LOCK_EOF}},
		"{\"id\":4," AT ",\"kind\":\"lock-fail\",\"path\":null," NOBODY
		",\"lock\":{\"kind\":\"lease\",\"mode\":\"write\",\"start\":3,"
		"\"end\":null}}"},
	{{.id = 5,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_GAP,
		 .gap = {SPG_GAP_STORE, NOW, 0, 12}},
		"{\"id\":5," AT ",\"kind\":\"gap\",\"path\":null," NOBODY
		",\"gap\":{\"reason\":\"store\",\"since\":\"2026-11-22T13:00:00Z\","
		"\"until\":null,\"count\":12}}"},
	{{.id = 6,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_VERDICT,
		 .verdict = SPG_VERDICT_UNKNOWN,
		 .detail = (char *)"a\nb"},
		"{\"id\":6," AT ",\"kind\":\"verdict\",\"path\":null," NOBODY
		",\"verdict\":\"unknown\",\"detail\":\"a\\\\x0ab\"}"},
	{{.id = 7,
		 .at_ns = NOW,
		 .kind = SPG_EVENT_RENAME,
		 .detail = (char *)"/srv/\xff"},
		"{\"id\":7," AT ",\"kind\":\"rename\",\"path\":null," NOBODY
		",\"detail\":\"/srv/\\\\xff\"}"},
};

START_TEST(event)
{
	check_text(spg_render_event(&events[_i].event), events[_i].text);
}
END_TEST

START_TEST(event_with_process)
{
	struct spg_process_info info = {.id = {9, 1},
		.name = "\x07",
		.exe = "/e",
		.user = "u",
		.started_ns = NOW};
	struct spg_process *process = spg_process_create(&info);
	struct spg_file *file =
		spg_file_create("/srv/\x7f", (struct spg_file_id){1, 1});
	struct spg_event *e = spg_event_create(SPG_EVENT_EXEC, NOW, file, process);

	e->product = strdup("p");
	check_text(spg_render_event(e),
		"{\"id\":0," AT ",\"kind\":\"exec\",\"path\":\"/srv/\\\\x7f\","
		"\"pid\":9,\"started\":\"2026-11-22T13:00:00Z\",\"name\":\"\\\\x07\","
		"\"exe\":\"/e\",\"user\":\"u\",\"unit\":null,\"product\":\"p\","
		"\"coalesced\":null}");
	spg_event_unref(e);
	spg_file_unref(file);
	spg_process_unref(process);
}
END_TEST

/* Every allocation of jansson's fails once: nothing is made and nothing leaks. */
static long allocations_left;

static void *failing_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

START_TEST(memory_runs_out)
{
	struct spg_path_filter all = {NULL, 0};
	long n_failed = 0;
	struct scene s;
	json_t *answer = NULL;
	int r = -1;

	scene_init(&s, true);
	json_set_alloc_funcs(failing_malloc, free);
	for (long n = 0; !answer; n++, n_failed++) {
		allocations_left = n;
		answer = spg_render_check(&s.proof, "procfs", NULL, true);
	}
	json_decref(answer);
	ck_assert_int_gt(n_failed, 200);
	for (long n = 0; r < 0; n++) {
		json_t *out;

		allocations_left = 3;
		out = json_array();
		ck_assert_ptr_nonnull(out);
		allocations_left = n;
		r = spg_render_files(out, &s.proof, &all, NULL, true);
		if (r == 0)
			r = spg_render_locks(out, &s.proof, &all);
		if (r == 0)
			r = spg_render_coverage(out, &s.proof);
		ck_assert(r == 0 || r == SPG_ERR_NOMEM);
		json_decref(out);
	}
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		answer = NULL;
		for (long n = 0; !answer; n++) {
			allocations_left = n;
			answer = spg_render_event(&events[i].event);
		}
		json_decref(answer);
	}
	json_set_alloc_funcs(malloc, free);
	scene_finish(&s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("render");

	tcase_add_test(tc, check_answer);
	tcase_add_test(tc, rows);
	spg_add_rows(tc, filter, filters);
	spg_add_rows(tc, event, events);
	tcase_add_test(tc, event_with_process);
	tcase_add_test(tc, memory_runs_out);
	return spg_run_suite("render", tc);
}
