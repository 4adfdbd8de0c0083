/* SPDX-License-Identifier: MIT */
/* What daemon and guard say to each other, and who counts as the installer. */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/model/process.h"
#include "daemon/watch/linux/guard/heart.h"
#include "daemon/watch/linux/guard/ids.h"
#include "daemon/watch/linux/guard/tree.h"
#include "daemon/watch/linux/guard/wire.h"
#include "tests/support/suite.h"

/* --- the profile ----------------------------------------------------------- */

static void make_profile(struct spg_guard_profile *profile)
{
	*profile = (struct spg_guard_profile){.product = spg_product_create("app"),
		.roots = {{10, 100}, {11, UINT64_MAX}},
		.n_roots = 2,
		.daemon = {12, 300},
		.duration_ns = INT64_C(14400) * 1000000000};
	ck_assert_int_eq(
		spg_product_add_directory(profile->product, "/a b/\xff", "x:1"), 0);
	ck_assert_int_eq(spg_product_add_directory(profile->product, "/c", "x:2"), 0);
	ck_assert_int_eq(spg_product_add_pattern(profile->product, "*perf.dll"), 0);
	profile->product->recursive = true;
	profile->product->ignore_case = true;
}

START_TEST(profile_comes_back)
{
	struct spg_guard_profile in, out = SPG_GUARD_PROFILE_NULL;
	struct spg_buf text = SPG_BUF_NULL;

	make_profile(&in);
	spg_guard_profile_write(&in, &text);
	ck_assert_int_eq(spg_guard_profile_read(text.data, text.len, &out), 0);
	ck_assert_uint_eq(out.product->n_directories, 2);
	ck_assert_str_eq(out.product->directories[0].path, "/a b/\xff");
	ck_assert_str_eq(out.product->directories[1].path, "/c");
	ck_assert(spg_product_has_name(out.product, "MDBPERF.DLL"));
	ck_assert(!spg_product_has_name(out.product, "perf.txt"));
	ck_assert(out.product->recursive && out.product->ignore_case);
	ck_assert_uint_eq(out.n_roots, 2);
	ck_assert_uint_eq(out.roots[1].start, UINT64_MAX);
	ck_assert_int_eq(out.daemon.pid, 12);
	ck_assert_int_eq(out.duration_ns, in.duration_ns);
	/* Cut anywhere, it is refused or lacks what was cut, and nothing else. */
	for (size_t n = 0; n < text.len; n++) {
		struct spg_guard_profile cut = SPG_GUARD_PROFILE_NULL;

		if (spg_guard_profile_read(text.data, n, &cut) == 0)
			ck_assert_int_eq(text.data[n - 1], '\0');
		spg_guard_profile_finish(&cut);
	}
	spg_guard_profile_finish(&in);
	spg_guard_profile_finish(&out);
	spg_guard_profile_finish(&out);
	spg_buf_finish(&text);
}
END_TEST

#define TEXT(literal) literal, sizeof(literal)

static const struct {
	const char *bytes;
	size_t n;
} bad_profiles[] = {
	{"", 0}, {TEXT("")}, {TEXT("V2\0D/a\0R1 1\0T5")}, /* another version */
	{TEXT("V1\0R1 1\0T5")},                           /* no directory */
	{TEXT("V1\0D/a\0T5")},                            /* no installer */
	{TEXT("V1\0D/a\0R1 1")},                          /* no end */
	{TEXT("V1\0D/a\0R1 1\0T-5")},                     /* over already */
	{TEXT("V1\0D/a\0R1\0T5")},                        /* half a process */
	{TEXT("V1\0D/a\0R1 1\0T5\0?")},                   /* of another kind */
	{"V1\0D/a\0R1 1\0T5", 14},                        /* no zero byte at the end */
};

START_TEST(bad_profile)
{
	struct spg_guard_profile profile = SPG_GUARD_PROFILE_NULL;

	ck_assert_int_eq(spg_guard_profile_read(
				 bad_profiles[_i].bytes, bad_profiles[_i].n, &profile),
		SPG_ERR_INVALID);
	ck_assert_ptr_null(profile.product);
}
END_TEST

/* --- messages -------------------------------------------------------------- */

static struct spg_guard_message message, received; /* large */

START_TEST(message_texts)
{
	char longer[SPG_GUARD_TEXT_MAX + 100];

	spg_guard_message_init(&message, SPG_GUARD_TELL_REFUSED);
	ck_assert_uint_eq(message.uid, SPG_UID_UNKNOWN);
	ck_assert_str_eq(spg_guard_message_text(&message, 0), "");
	spg_guard_message_add(&message, "/a");
	spg_guard_message_add(&message, NULL);
	spg_guard_message_add(&message, "c");
	ck_assert_str_eq(spg_guard_message_text(&message, 0), "/a");
	ck_assert_str_eq(spg_guard_message_text(&message, 1), "");
	ck_assert_str_eq(spg_guard_message_text(&message, 2), "c");
	ck_assert_str_eq(spg_guard_message_text(&message, 3), "");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	spg_guard_message_add(&message, longer);
	spg_guard_message_add(&message, "no room");
	ck_assert_uint_eq(message.n_text, SPG_GUARD_TEXT_MAX);
	ck_assert_uint_eq(strlen(spg_guard_message_text(&message, 3)),
		SPG_GUARD_TEXT_MAX - strlen("/a") - strlen("c") - 4);
	ck_assert_str_eq(spg_guard_message_text(&message, 4), "");
	ck_assert(spg_guard_message_is_whole(
		&message, spg_guard_message_bytes(&message)));
}
END_TEST

START_TEST(message_must_be_whole)
{
	size_t n;

	spg_guard_message_init(&message, SPG_GUARD_TELL_BEAT);
	spg_guard_message_add(&message, "text");
	n = spg_guard_message_bytes(&message);
	ck_assert(spg_guard_message_is_whole(&message, n));
	for (size_t i = 0; i < n; i++)
		ck_assert(!spg_guard_message_is_whole(&message, i));
	ck_assert(!spg_guard_message_is_whole(&message, n + 1));
	message.text[message.n_text - 1] = 'x';
	ck_assert(!spg_guard_message_is_whole(&message, n));
	message.text[message.n_text - 1] = '\0';
	message.version++;
	ck_assert(!spg_guard_message_is_whole(&message, n));
	message.version--;
	message.kind = SPG_GUARD_KINDS;
	ck_assert(!spg_guard_message_is_whole(&message, n));
	message.kind = SPG_GUARD_TELL_BEAT;
	message.n_text = UINT32_MAX;
	ck_assert(!spg_guard_message_is_whole(&message, n));
}
END_TEST

START_TEST(messages_travel_and_never_block)
{
	int pair[2], r, n = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(spg_guard_receive(pair[1], &received), SPG_ERR_NOT_FOUND);
	spg_guard_message_init(&message, SPG_GUARD_TELL_REFUSED);
	message.number = 7;
	message.process = (struct spg_proc_id){5, 6};
	spg_guard_message_add(&message, "/srv/x.dll");
	while ((r = spg_guard_send(pair[0], &message)) == 0)
		n++;
	ck_assert_int_eq(r, SPG_ERR_FULL);
	ck_assert_int_gt(n, 10);
	for (; n > 0; n--) {
		ck_assert_int_eq(spg_guard_receive(pair[1], &received), 0);
		ck_assert_uint_eq(received.number, 7);
		ck_assert_int_eq(received.process.pid, 5);
		ck_assert_str_eq(spg_guard_message_text(&received, 0), "/srv/x.dll");
	}
	ck_assert_int_eq(send(pair[0], "x", 1, 0), 1);
	ck_assert_int_eq(spg_guard_receive(pair[1], &received), SPG_ERR_CORRUPT);
	close(pair[0]);
	ck_assert_int_eq(spg_guard_receive(pair[1], &received), SPG_ERR_IO);
	ck_assert_int_eq(spg_guard_send(pair[1], &message), SPG_ERR_IO);
	close(pair[1]);
}
END_TEST

/* --- identities ------------------------------------------------------------ */

START_TEST(ids_are_a_set)
{
	struct spg_guard_ids ids = SPG_GUARD_IDS_NULL;

	ck_assert(!spg_guard_ids_has(&ids, (struct spg_guard_id){1, 2, 3}));
	for (uint64_t i = 0; i < 5000; i++) {
		ck_assert_int_eq(
			spg_guard_ids_add(&ids, (struct spg_guard_id){1, i, i % 3}), 0);
		ck_assert_int_eq(
			spg_guard_ids_add(&ids, (struct spg_guard_id){1, i, i % 3}), 1);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		ck_assert(spg_guard_ids_has(&ids, (struct spg_guard_id){1, i, i % 3}));
		ck_assert(!spg_guard_ids_has(
			&ids, (struct spg_guard_id){1, i, i % 3 + 1}));
		ck_assert(!spg_guard_ids_has(&ids, (struct spg_guard_id){2, i, i % 3}));
	}
	ck_assert_uint_eq(ids.n, 5000);
	spg_guard_ids_finish(&ids);
	spg_guard_ids_finish(&ids);
}
END_TEST

/* --- the tree -------------------------------------------------------------- */

/* Processes that change while somebody walks along them: a pid has one line for
 * each time it is read, the last one stays. start 0: not there. */
struct life {
	int32_t pid;
	uint64_t start;
	int32_t parent;
};

struct world {
	const struct life *lives;
	size_t n_reads[200];
};

static int read_life(void *user, int32_t pid, struct spg_tree_stat *ret)
{
	struct world *world = user;
	const struct life *found = NULL;
	size_t nth = world->n_reads[pid]++;

	for (const struct life *at = world->lives; at->pid; at++) {
		if (at->pid != pid)
			continue;
		found = at;
		if (nth-- == 0)
			break;
	}
	if (!found || found->start == 0)
		return SPG_ERR_NOT_FOUND;
	ret->start = found->start;
	ret->parent = found->parent;
	return 0;
}

/* 100, begun at 50, is the installer; 1 is init. */
static const struct {
	struct life lives[12];
	int32_t pid;
	enum spg_tree_answer answer;
} walks[] = {
	{{{1, 1, 0}, {100, 50, 1}}, 100, SPG_TREE_MEMBER},
	{{{1, 1, 0}, {100, 50, 1}, {101, 60, 100}}, 101, SPG_TREE_MEMBER},
	{{{1, 1, 0}, {100, 50, 1}, {101, 60, 100}, {102, 60, 101}}, 102,
		SPG_TREE_MEMBER},
	{{{1, 1, 0}, {100, 50, 1}, {103, 60, 1}}, 103, SPG_TREE_STRANGER},
	/* Its parents are strangers. */
	{{{1, 1, 0}, {90, 40, 1}, {100, 50, 90}}, 90, SPG_TREE_STRANGER},
	{{{1, 1, 0}}, 1, SPG_TREE_STRANGER},
	/* The installer's number, used again: another process. */
	{{{1, 1, 0}, {100, 70, 1}, {101, 80, 100}}, 101, SPG_TREE_STRANGER},
	/* Its parent ends before it is read: it comes to the installer... */
	{{{1, 1, 0}, {100, 50, 1}, {101, 0, 0}, {102, 70, 101}, {102, 70, 100}}, 102,
		SPG_TREE_MEMBER},
	/* ... or to init. */
	{{{1, 1, 0}, {100, 50, 1}, {101, 0, 0}, {102, 70, 101}, {102, 70, 1}}, 102,
		SPG_TREE_STRANGER},
	/* Its parent's number is another one's meanwhile, the installer's child. */
	{{{1, 1, 0}, {100, 50, 1}, {101, 90, 100}, {102, 70, 101}, {102, 70, 1}}, 102,
		SPG_TREE_STRANGER},
	/* ... or a stranger's, while it comes to the installer. */
	{{{1, 1, 0}, {100, 50, 1}, {101, 90, 1}, {102, 70, 101}, {102, 70, 100}}, 102,
		SPG_TREE_MEMBER},
	/* It ends itself; or is of another namespace. */
	{{{1, 1, 0}, {100, 50, 1}, {104, 0, 0}}, 104, SPG_TREE_UNKNOWN},
	{{{1, 1, 0}, {100, 50, 1}}, 0, SPG_TREE_UNKNOWN},
	/* A circle, which a walk may see in numbers that are used again. */
	{{{105, 60, 106}, {106, 60, 105}}, 105, SPG_TREE_STRANGER},
};

START_TEST(walk)
{
	struct world world = {.lives = walks[_i].lives};
	struct spg_tree tree = {.read = read_life, .user = &world};

	ck_assert_int_eq(spg_tree_add_root(&tree, (struct spg_proc_id){100, 50}), 0);
	ck_assert_int_eq(spg_tree_ask(&tree, walks[_i].pid, NULL), walks[_i].answer);
	spg_tree_finish(&tree);
}
END_TEST

/* Once the installer's, always the installer's, and its children too. */
START_TEST(members_stay)
{
	static const struct life before[] = {
		{1, 1, 0}, {100, 50, 1}, {101, 60, 100}, {102, 70, 101}, {0, 0, 0}};
	static const struct life after[] = {{1, 1, 0}, {101, 60, 1}, {102, 70, 1},
		{103, 80, 101}, {104, 80, 1}, {0, 0, 0}};
	struct world world = {.lives = before};
	struct spg_tree tree = {.read = read_life, .user = &world};
	struct spg_tree_stat stat;

	ck_assert_int_eq(spg_tree_add_root(&tree, (struct spg_proc_id){100, 50}), 0);
	ck_assert_int_eq(spg_tree_ask(&tree, 102, &stat), SPG_TREE_MEMBER);
	ck_assert_uint_eq(stat.start, 70);
	world = (struct world){.lives = after};
	ck_assert_int_eq(spg_tree_ask(&tree, 102, NULL), SPG_TREE_MEMBER);
	ck_assert_int_eq(spg_tree_ask(&tree, 101, NULL), SPG_TREE_MEMBER);
	ck_assert_int_eq(spg_tree_ask(&tree, 103, NULL), SPG_TREE_MEMBER);
	ck_assert_int_eq(spg_tree_ask(&tree, 104, NULL), SPG_TREE_STRANGER);
	spg_tree_finish(&tree);
	spg_tree_finish(&tree);
}
END_TEST

/* The memory has a bound: then those that have ended go. */
START_TEST(members_are_bounded)
{
	static const struct life lives[] = {
		{1, 1, 0}, {100, 50, 1}, {101, 60, 100}, {0, 0, 0}};
	struct world world = {.lives = lives};
	struct spg_tree tree = {.read = read_life, .user = &world};

	ck_assert_int_eq(spg_tree_add_root(&tree, (struct spg_proc_id){100, 50}), 0);
	for (uint64_t i = 0; i < SPG_TREE_MEMBERS_MAX; i++)
		ck_assert_int_eq(spg_guard_ids_add(&tree.members,
					 (struct spg_guard_id){.a = 150, .b = 100 + i}),
			0);
	ck_assert_int_eq(spg_tree_ask(&tree, 101, NULL), SPG_TREE_MEMBER);
	ck_assert_uint_eq(tree.members.n, 1);
	ck_assert(spg_guard_ids_has(
		&tree.members, (struct spg_guard_id){.a = 101, .b = 60}));
	spg_tree_finish(&tree);
}
END_TEST

START_TEST(reads_proc)
{
	struct spg_tree tree = SPG_TREE_NULL;
	struct spg_tree_stat stat;

	ck_assert_int_eq(spg_tree_read(NULL, getpid(), &stat), 0);
	ck_assert_int_eq(stat.parent, getppid());
	ck_assert_int_eq(spg_tree_ask(&tree, getpid(), NULL), SPG_TREE_STRANGER);
	ck_assert_int_eq(spg_tree_read(NULL, getppid(), &stat), 0);
	ck_assert_int_eq(
		spg_tree_add_root(&tree, (struct spg_proc_id){getppid(), stat.start}),
		0);
	ck_assert_int_eq(spg_tree_ask(&tree, getpid(), &stat), SPG_TREE_MEMBER);
	spg_tree_finish(&tree);
}
END_TEST

START_TEST(beats_by_itself)
{
	struct spg_heart heart;
	struct spg_guard_message said;
	struct pollfd guard = {.events = POLLIN};
	int pair[2], second[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, second), 0);
	ck_assert_int_eq(spg_heart_init(&heart), 0);
	ck_assert_int_eq(spg_heart_add(&heart, pair[0]), 0);
	ck_assert_int_eq(spg_heart_add(&heart, second[0]), 0);
	for (int i = 0; i < 3; i++) {
		guard.fd = i % 2 ? pair[1] : second[1];
		ck_assert_int_eq(poll(&guard, 1, -1), 1);
		ck_assert_int_eq(spg_guard_receive(guard.fd, &said), 0);
		ck_assert_int_eq(said.kind, SPG_GUARD_SAY_BEAT);
	}
	spg_heart_remove(&heart, pair[0]);
	while (spg_guard_receive(pair[1], &said) == 0)
		;
	/* The other one has two more, in order. */
	for (int i = 0; i < 2; i++) {
		guard.fd = second[1];
		ck_assert_int_eq(poll(&guard, 1, -1), 1);
		ck_assert_int_eq(spg_guard_receive(guard.fd, &said), 0);
	}
	ck_assert_int_eq(spg_guard_receive(pair[1], &said), SPG_ERR_NOT_FOUND);
	spg_heart_finish(&heart);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(second[i]);
	}
}
END_TEST

START_TEST(is_silent_when_the_loop_is_stuck)
{
	struct spg_heart heart;
	int64_t limit_ns = SPG_HEART_STUCK_MS * INT64_C(1000000);

	ck_assert_int_eq(spg_heart_init(&heart), 0);
	ck_assert(spg_heart_may_beat(&heart, heart.loop_ns + limit_ns));
	ck_assert(!spg_heart_may_beat(&heart, heart.loop_ns + limit_ns + 1));
	heart.loop_ns -= 2 * limit_ns;
	spg_heart_loop_lives(&heart);
	ck_assert(spg_heart_may_beat(&heart, heart.loop_ns));
	spg_heart_finish(&heart);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("guard");

	tcase_add_test(tc, profile_comes_back);
	spg_add_rows(tc, bad_profile, bad_profiles);
	tcase_add_test(tc, message_texts);
	tcase_add_test(tc, message_must_be_whole);
	tcase_add_test(tc, messages_travel_and_never_block);
	tcase_add_test(tc, ids_are_a_set);
	spg_add_rows(tc, walk, walks);
	tcase_add_test(tc, members_stay);
	tcase_add_test(tc, members_are_bounded);
	tcase_add_test(tc, reads_proc);
	tcase_add_test(tc, beats_by_itself);
	tcase_add_test(tc, is_silent_when_the_loop_is_stuck);
	return spg_run_suite("guard", tc);
}
