/* SPDX-License-Identifier: MIT */
/* Who still runs what was replaced, in words. */
#include "daemon/model/outdated_text.h"

#include <stdio.h>

#include "tests/support/suite.h"

struct scene {
	struct spg_product *product;
	struct spg_observation *obs;
	struct spg_verdict verdict;
};

static void scene_init(struct scene *s)
{
	s->product = spg_product_create("app");
	ck_assert_int_eq(spg_product_add_directory(s->product, "/srv", "conf:1"), 0);
	ck_assert_int_eq(spg_product_add_pattern(s->product, "*"), 0);
	s->obs = spg_observation_create(s->product, SPG_SURVEY_FULL);
	s->verdict = (struct spg_verdict)SPG_VERDICT_NULL;
}

static size_t add_file(struct scene *s, const char *path, enum spg_presence presence)
{
	struct spg_file *file =
		spg_file_create(path, (struct spg_file_id){1, s->obs->n_files + 1});

	ck_assert_int_eq(
		spg_observation_add_file(s->obs, file, presence, SPG_IN_USE_YES), 0);
	spg_file_unref(file);
	return s->obs->n_files - 1;
}

static void use(struct scene *s, size_t file, int pid, const char *unit,
	const char *unit_user, unsigned how)
{
	struct spg_process *process =
		spg_process_create(&(struct spg_process_info){.id = {pid, 1},
			.name = "worker",
			.unit = unit,
			.unit_user = unit_user});

	ck_assert_int_eq(spg_observation_add_use(s->obs, file, process, how), 0);
	spg_process_unref(process);
}

/* The remarks are @texts, ended by NULL. */
static void expect(struct scene *s, const char *const *texts)
{
	size_t n = 0;

	ck_assert_int_eq(spg_outdated_explain(s->obs, NULL, &s->verdict), 0);
	for (; texts[n]; n++) {
		ck_assert_uint_lt(n, s->verdict.remarks.n);
		ck_assert_str_eq(s->verdict.remarks.items[n].text, texts[n]);
		ck_assert_int_eq(s->verdict.remarks.items[n].kind, SPG_REASON_OUTDATED);
	}
	ck_assert_uint_eq(s->verdict.remarks.n, n);
	spg_verdict_finish(&s->verdict);
	spg_observation_destroy(s->obs);
	spg_product_unref(s->product);
}

START_TEST(by_service)
{
	struct scene s;
	size_t library, program, now;

	scene_init(&s);
	program = add_file(&s, "/srv/bin/shopd", SPG_REPLACED);
	library = add_file(&s, "/srv/lib/libshop.so.1", SPG_REPLACED);
	now = add_file(&s, "/srv/lib/libnew.so.1", SPG_PRESENT);
	use(&s, program, 20, "shop.service", NULL, SPG_USE_EXECUTING);
	use(&s, library, 20, "shop.service", NULL, SPG_USE_MAPPED);
	use(&s, library, 21, "shop.service", NULL, SPG_USE_MAPPED);
	use(&s, now, 30, "other.service", NULL, SPG_USE_MAPPED);
	use(&s, library, 40, "shop.service", "ann", SPG_USE_MAPPED);
	use(&s, library, 50, NULL, NULL, SPG_USE_MAPPED);
	/* It has the old one open: it reads it, and does not run it. */
	use(&s, library, 60, NULL, NULL, SPG_USE_OPEN);
	expect(&s, (const char *const[]){"worker (pid 50) still runs what was replaced "
					 "(libshop.so.1): start it again",
			   "shop.service still runs what was replaced (shopd, "
			   "libshop.so.1): systemctl restart shop.service",
			   "shop.service still runs what was replaced (libshop.so.1): "
			   "systemctl --user --machine=ann@ restart shop.service",
			   NULL});
}
END_TEST

START_TEST(many_files)
{
	struct scene s;
	char path[64];

	scene_init(&s);
	for (int i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "/srv/%d.so", i);
		use(&s, add_file(&s, path, SPG_REPLACED), 9, "x.service", NULL,
			SPG_USE_MAPPED);
	}
	expect(&s, (const char *const[]){
			   "x.service still runs what was replaced (0.so, 1.so, 2.so, "
			   "3.so, 4.so and 2 more files): systemctl restart x.service",
			   NULL});
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("outdated");

	tcase_add_test(tc, by_service);
	tcase_add_test(tc, many_files);
	return spg_run_suite("outdated", tc);
}
