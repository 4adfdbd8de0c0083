/* SPDX-License-Identifier: MIT */
/*
 * What the kernel, other processes and a guard hand over, against any bytes. The first
 * byte chooses who reads the rest. Build for libFuzzer against an archive of the daemon that
 * was built with the same sanitizers:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_linux.c BUILD/daemon/libspguardd.a BUILD/common/libcommon.a ...
 * and run it on tests/fuzz/corpus-linux. The unit test "linux-parse" replays that corpus
 * through the same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "daemon/watch/linux/events/raw_event.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/guard/wire.h"
#include "daemon/watch/linux/proc/control_group.h"
#include "daemon/watch/linux/survey/locks.h"
#include "daemon/watch/linux/survey/uprobes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const struct spg_raw_name *name, const char *at, size_t left)
{
	const char *zero;

	if (!name->has || !name->name[0])
		return;
	/* It lies within what was read, with its end. */
	if (name->name < at || name->name >= at + left)
		abort();
	zero = memchr(name->name, '\0', (size_t)(at + left - name->name));
	if (!zero)
		abort();
}

static void read_events(const char *at, size_t left, bool by_inotify)
{
	struct spg_raw_event event;
	size_t used;

	for (; left > 0; at += used, left -= used) {
		used = by_inotify ? spg_raw_inotify(at, left, &event)
		                  : spg_raw_fanotify(at, left, &event);
		if (used == 0)
			return;
		if (used > left)
			abort();
		check_name(&event.old_name, at, left);
		check_name(&event.new_name, at, left);
	}
}

static void read_mount(char *line)
{
	struct spg_mount mount;
	int r = spg_mount_parse(line, &mount);

	if (r == 0 && (!mount.path || !mount.type))
		abort();
	if (r == 0)
		spg_mount_finish(&mount);
}

static void read_profile(const char *bytes, size_t n)
{
	struct spg_guard_profile profile = SPG_GUARD_PROFILE_NULL;

	if (spg_guard_profile_read(bytes, n, &profile) == 0 &&
		profile.n_roots > SPG_GUARD_ROOTS)
		abort();
	spg_guard_profile_finish(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spg_control_group group;
	struct spg_lock_line lock;
	struct spg_probe probe;
	/* A copy of exactly this size, so that reading past it is seen. */
	char *bytes = malloc(size + 1);

	if (!bytes)
		abort();
	if (size == 0) {
		free(bytes);
		return 0;
	}
	memcpy(bytes, data + 1, size - 1);
	bytes[size - 1] = '\0';
	switch (data[0]) {
	case 'f':
	case 'i':
		/* Records are no text: without the zero at the end. */
		bytes = realloc(bytes, size > 1 ? size - 1 : 1);
		read_events(bytes, size - 1, data[0] == 'i');
		break;
	case 'm':
		read_mount(bytes);
		break;
	case 'c':
		spg_control_group_parse(bytes, &group);
		if (!memchr(group.unit, '\0', sizeof(group.unit)) ||
			!memchr(group.container, '\0', sizeof(group.container)))
			abort();
		break;
	case 'l':
		(void)spg_lock_line_parse(bytes, &lock);
		break;
	case 'p':
		(void)spg_probe_parse(bytes, &probe);
		break;
	case 'g':
		read_profile(bytes, size - 1);
		break;
	default:
		break;
	}
	free(bytes);
	return 0;
}
