/* SPDX-License-Identifier: MIT */
/* The commands that keep a file without having it open: uprobes, mounts of the file
 * alone, overlays that have it in a layer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/oracle/actor.h"
#include "tests/support/uprobe.h"

/* probe SLOT HOW PATH OFFSET; HOW: perf, link, multi */
static int run_probe(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], false);
	uint64_t offset = strtoull(words[3], NULL, 0);
	int fd;

	(void)a;
	if (!slot)
		return -EBADSLT;
	if (strcmp(words[1], "perf") == 0)
		fd = uprobe_event(words[2], offset);
	else if (strcmp(words[1], "link") == 0)
		fd = uprobe_link(words[2], offset);
	else
		fd = uprobe_multi(words[2], offset);
	if (fd < 0)
		return fd;
	slot->fd = fd;
	return 0;
}

/* bind FROM TO */
static int run_bind(struct actor *a, struct actor_table *table, char **words)
{
	(void)a;
	(void)table;
	return mount(words[0], words[1], NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* merge LOWER UPPER WORK TO: an overlay */
static int run_merge(struct actor *a, struct actor_table *table, char **words)
{
	char options[ACTOR_MESSAGE];

	(void)a;
	(void)table;
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		words[0], words[1], words[2]);
	return mount("overlay", words[3], "overlay", 0, options) < 0 ? -errno : 0;
}

void actor_forget_glances(struct actor *a)
{
	while (a->n_glances > 0)
		close(a->glances[--a->n_glances]);
}

/* glance PATH: look its name up, and hold it until something is unmounted */
static int run_glance(struct actor *a, struct actor_table *table, char **words)
{
	int fd = open(words[0], O_PATH | O_CLOEXEC);

	(void)table;
	if (fd < 0)
		return -errno;
	if (a->n_glances == ACTOR_GLANCES) {
		close(fd);
		return -ENFILE;
	}
	a->glances[a->n_glances++] = fd;
	return 0;
}

/* unmount TO; the daemon may be looking at it */
static int run_unmount(struct actor *a, struct actor_table *table, char **words)
{
	(void)table;
	actor_forget_glances(a);
	return umount2(words[0], MNT_DETACH) < 0 ? -errno : 0;
}

const struct actor_command actor_keeper_commands[] = {
	{"probe", 4, run_probe},
	{"bind", 2, run_bind},
	{"merge", 4, run_merge},
	{"glance", 1, run_glance},
	{"unmount", 1, run_unmount},
	{NULL, 0, NULL},
};
