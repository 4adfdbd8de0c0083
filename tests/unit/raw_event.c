/* SPDX-License-Identifier: MIT */
/* Events as fanotify and inotify write them, taken apart. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

#include "common/buf.h"
#include "daemon/watch/linux/events/raw_event.h"
#include "tests/support/suite.h"

/* A buffer as inotify fills it: names are padded with zeros. */
struct written {
	char bytes[4096];
	size_t len;
};

static void write_event(
	struct written *w, int watch, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t len = name ? (strlen(name) + 16) / 16 * 16 : 0;
	struct inotify_event event = {
		.wd = watch, .mask = mask, .cookie = cookie, .len = (uint32_t)len};

	memcpy(w->bytes + w->len, &event, sizeof(event));
	w->len += sizeof(event);
	memset(w->bytes + w->len, 0, len);
	if (name)
		memcpy(w->bytes + w->len, name, strlen(name));
	w->len += len;
}

static int watch_of(const struct spg_raw_name *name)
{
	int watch;

	memcpy(&watch, name->fid.handle.bytes, sizeof(watch));
	return watch;
}

/* Each event on a line: mask, old name, new name, what else there is. */
static void show(struct spg_buf *out, const struct spg_raw_event *event)
{
	spg_buf_printf(out, "%llx", (unsigned long long)event->mask);
	if (event->old_name.has)
		spg_buf_printf(out, " %d/%s", watch_of(&event->old_name),
			event->old_name.name);
	if (event->new_name.has)
		spg_buf_printf(out, " -> %d/%s", watch_of(&event->new_name),
			event->new_name.name);
	spg_buf_printf(out, "%s%s\n", event->mark_gone ? " gone" : "",
		event->anonymous ? "" : " named");
}

static void assert_shown(const struct written *w, size_t len, const char *expect)
{
	struct spg_buf out = SPG_BUF_NULL;
	struct spg_raw_event event;
	size_t at = 0, used;

	while (at < len) {
		used = spg_raw_inotify(w->bytes + at, len - at, &event);
		if (used == 0)
			break;
		ck_assert_uint_le(used, len - at);
		show(&out, &event);
		at += used;
	}
	ck_assert_str_eq(spg_buf_text(&out), expect);
	spg_buf_finish(&out);
}

START_TEST(what_happened)
{
	struct written w = {.len = 0};

	write_event(&w, 1, IN_OPEN, 0, "Mdbperf.dll");
	write_event(&w, 2, IN_CLOSE_NOWRITE, 0, NULL);
	write_event(&w, 1, IN_CREATE | IN_ISDIR, 0, "sub");
	write_event(&w, 1, IN_DELETE_SELF, 0, NULL);
	write_event(&w, 1, IN_IGNORED, 0, NULL);
	write_event(&w, -1, IN_Q_OVERFLOW, 0, NULL);
	assert_shown(&w, w.len,
		"20 1/Mdbperf.dll\n"
		"10 2/\n"
		"40000100 1/sub\n"
		"400 1/\n"
		"0 1/ gone\n"
		"4000\n");
}
END_TEST

/* FAN_RENAME is 0x10000000. */
START_TEST(a_rename_is_one_event)
{
	struct written w = {.len = 0};

	write_event(&w, 1, IN_MOVED_FROM, 7, "a.dll");
	write_event(&w, 2, IN_MOVED_TO, 7, "b.dll");
	assert_shown(&w, w.len, "10000000 1/a.dll -> 2/b.dll\n");
}
END_TEST

START_TEST(halves_of_renames)
{
	struct written w = {.len = 0};

	write_event(&w, 1, IN_MOVED_FROM, 7, "a.dll");
	write_event(&w, 1, IN_MOVED_TO, 8, "b.dll");
	write_event(&w, 1, IN_MOVED_FROM, 9, "c.dll");
	assert_shown(&w, w.len,
		"10000000 1/a.dll\n"
		"10000000 -> 1/b.dll\n"
		"10000000 1/c.dll\n");
}
END_TEST

/* A buffer that ends anywhere loses what does not fit, and nothing is read past it. */
START_TEST(cut_anywhere)
{
	struct written w = {.len = 0};

	write_event(&w, 1, IN_MOVED_FROM, 7, "a.dll");
	write_event(&w, 2, IN_MOVED_TO, 7, "b.dll");
	for (size_t len = 0; len < w.len; len++)
		assert_shown(&w, len, len < 32 ? "" : "10000000 1/a.dll\n");
}
END_TEST

START_TEST(fanotify_cut_anywhere)
{
	struct fanotify_event_metadata metadata = {.event_len = 64,
		.vers = FANOTIFY_METADATA_VERSION,
		.metadata_len = sizeof(metadata),
		.mask = FAN_OPEN,
		.fd = FAN_NOFD,
		.pid = 42};
	struct fanotify_event_info_header info = {
		.info_type = FAN_EVENT_INFO_TYPE_DFID_NAME, .len = 200};
	struct spg_raw_event event;
	char bytes[64] = {0};

	memcpy(bytes, &metadata, sizeof(metadata));
	memcpy(bytes + sizeof(metadata), &info, sizeof(info));
	for (size_t len = 0; len < sizeof(bytes); len++)
		ck_assert_uint_eq(spg_raw_fanotify(bytes, len, &event), 0);
	/* A record that says to be longer than the event is none. */
	ck_assert_uint_eq(spg_raw_fanotify(bytes, sizeof(bytes), &event), 64);
	ck_assert_int_eq(event.pid, 42);
	ck_assert(!event.old_name.has);
	ck_assert(!event.anonymous);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("raw-event");

	tcase_add_test(tc, what_happened);
	tcase_add_test(tc, a_rename_is_one_event);
	tcase_add_test(tc, halves_of_renames);
	tcase_add_test(tc, cut_anywhere);
	tcase_add_test(tc, fanotify_cut_anywhere);
	return spg_run_suite("raw-event", tc);
}
