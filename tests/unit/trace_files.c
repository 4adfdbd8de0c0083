/* SPDX-License-Identifier: MIT */
/* Which inodes lock events are told of, with the table in the kernel replaced. */
#include "daemon/watch/linux/events/trace_files.h"

#include <check.h>
#include <string.h>

#include "daemon/watch/linux/bpf/trace.h"
#include "tests/support/suite.h"

static struct {
	uint64_t ino; /* 0: free */
	uint32_t slot;
} watched[8];

int spg_trace_watch(
	struct spg_trace *trace, const struct spg_bpf_inode_key *key, uint32_t slot)
{
	size_t i = 0;

	(void)trace;
	while (watched[i].ino != 0)
		ck_assert_uint_lt(++i, sizeof(watched) / sizeof(watched[0]));
	watched[i].ino = key->ino;
	watched[i].slot = slot;
	return 0;
}

void spg_trace_unwatch(struct spg_trace *trace, const struct spg_bpf_inode_key *key)
{
	(void)trace;
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (watched[i].ino == key->ino)
			watched[i].ino = 0;
}

struct world {
	struct spg_trace_files *files;
	struct spg_product *product;
	struct spg_observation *obs; /* of the survey that is under way */
};

static void world_init(struct world *w)
{
	memset(watched, 0, sizeof(watched));
	*w = (struct world){.files = spg_trace_files_create(NULL),
		.product = spg_product_create("app")};
	ck_assert_ptr_nonnull(w->files);
	ck_assert_ptr_nonnull(w->product);
}

static void world_finish(struct world *w)
{
	spg_trace_files_destroy(w->files);
	spg_product_unref(w->product);
}

static void begin(struct world *w)
{
	w->obs = spg_observation_create(w->product, SPG_SURVEY_FULL);
	ck_assert_ptr_nonnull(w->obs);
	spg_trace_files_begin(w->files);
}

/* The survey finds inode @ino at a.dll; what it is in the end. */
static void find(struct world *w, uint64_t ino, enum spg_presence presence)
{
	struct spg_file *file = spg_file_create(
		"/srv/a.dll", (struct spg_file_id){.dev = 1, .ino = ino});
	struct spg_bpf_inode inode = {.key = {.ino = ino}};

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(
		spg_observation_add_file(w->obs, file, presence, SPG_IN_USE_NO), 0);
	ck_assert_int_eq(spg_trace_files_add(w->files, w->product, &inode, file), 0);
	spg_file_unref(file);
}

static void end(struct world *w)
{
	spg_trace_files_end(w->files, w->obs);
	spg_observation_destroy(w->obs);
}

static bool is_watched(uint64_t ino)
{
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (watched[i].ino == ino)
			return true;
	return false;
}

static uint32_t slot_of(uint64_t ino)
{
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (watched[i].ino == ino)
			return watched[i].slot;
	ck_abort_msg("inode %d is not watched", (int)ino);
	return 0;
}

/* The number of the inode that a record with @slot is said to be about, or 0. */
static uint64_t find_ino(const struct world *w, uint32_t slot)
{
	size_t cursor = 0;
	struct spg_file *file = spg_trace_files_find(w->files, slot, &cursor);
	uint64_t ino = file ? file->id.ino : 0;

	spg_file_unref(file);
	return ino;
}

START_TEST(what_is_not_found_is_told_of_no_more)
{
	struct world w;

	world_init(&w);
	begin(&w);
	find(&w, 7, SPG_PRESENT);
	end(&w);
	ck_assert(is_watched(7));
	begin(&w);
	find(&w, 8, SPG_PRESENT);
	end(&w);
	ck_assert(!is_watched(7));
	ck_assert(is_watched(8));
	world_finish(&w);
}
END_TEST

START_TEST(an_old_version_is_told_of)
{
	struct world w;

	world_init(&w);
	begin(&w);
	find(&w, 8, SPG_PRESENT);
	find(&w, 7, SPG_REPLACED);
	end(&w);
	ck_assert(is_watched(7));
	ck_assert(is_watched(8));
	world_finish(&w);
}
END_TEST

/* To find out that nobody has it the survey had to look at it: who opens it from
 * then on, by another name that it has, is nobody's business. */
START_TEST(an_old_version_that_nobody_has_is_told_of_no_more)
{
	struct world w;
	uint32_t slot;

	world_init(&w);
	begin(&w);
	find(&w, 7, SPG_PRESENT);
	end(&w);
	slot = slot_of(7);
	begin(&w);
	find(&w, 8, SPG_PRESENT);
	find(&w, 7, SPG_GONE);
	end(&w);
	ck_assert(!is_watched(7));
	ck_assert(is_watched(8));
	/* What the kernel had told by then is not lost. */
	ck_assert_uint_eq(find_ino(&w, slot), 7);
	/* Somebody opens it by another name after all, and is seen. */
	begin(&w);
	find(&w, 8, SPG_PRESENT);
	find(&w, 7, SPG_REPLACED);
	ck_assert_uint_eq(slot_of(7), slot);
	end(&w);
	ck_assert(is_watched(7));
	begin(&w);
	find(&w, 8, SPG_PRESENT);
	end(&w);
	ck_assert(!is_watched(7));
	ck_assert_uint_eq(find_ino(&w, slot), 0);
	world_finish(&w);
}
END_TEST

/* Looked at as an old version, and there: a link that was moved back. */
START_TEST(what_is_there_all_the_same_is_told_of)
{
	struct world w;

	world_init(&w);
	begin(&w);
	find(&w, 7, SPG_PRESENT);
	find(&w, 7, SPG_GONE);
	end(&w);
	ck_assert(is_watched(7));
	world_finish(&w);
}
END_TEST

/* A record that the loop has not read yet, when the survey's thread puts another file
 * in the same place. */
START_TEST(a_late_record_is_about_no_other_file)
{
	struct world w;
	uint32_t slot = 0;

	world_init(&w);
	for (uint64_t ino = 7; ino < 7 + 10000; ino++) {
		uint32_t before = slot;

		begin(&w);
		end(&w);
		begin(&w);
		find(&w, ino, SPG_PRESENT);
		end(&w);
		slot = slot_of(ino);
		ck_assert_uint_eq(find_ino(&w, slot), ino);
		if (ino > 7)
			ck_assert_uint_eq(find_ino(&w, before), 0);
	}
	world_finish(&w);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("trace-files");

	tcase_add_test(tc, what_is_not_found_is_told_of_no_more);
	tcase_add_test(tc, an_old_version_is_told_of);
	tcase_add_test(tc, an_old_version_that_nobody_has_is_told_of_no_more);
	tcase_add_test(tc, what_is_there_all_the_same_is_told_of);
	tcase_add_test(tc, a_late_record_is_about_no_other_file);
	return spg_run_suite("trace-files", tc);
}
