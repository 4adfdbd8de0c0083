/* SPDX-License-Identifier: MIT */
/* The commands that are about locks, leases and waiting for them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/oracle/actor.h"

/* Somebody who asks whether a file is in use may be in the way for a moment. */
#define LEASE_TRIES 5000

static short type_of(const char *mode)
{
	switch (mode[0]) {
	case 'r':
		return F_RDLCK;
	case 'w':
		return F_WRLCK;
	default:
		return F_UNLCK;
	}
}

static int operation_of(short type)
{
	if (type == F_UNLCK)
		return LOCK_UN;
	return type == F_WRLCK ? LOCK_EX : LOCK_SH;
}

/* flock SLOT r|w|u */
static int run_flock(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);

	(void)a;
	if (!slot)
		return -EBADSLT;
	return flock(slot->fd, operation_of(type_of(words[1])) | LOCK_NB) < 0 ? -errno
	                                                                      : 0;
}

/* range SLOT posix|ofd r|w|u START LENGTH */
static int run_range(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);
	int command = words[1][0] == 'o' ? F_OFD_SETLK : F_SETLK;
	struct flock range = {.l_type = type_of(words[2]),
		.l_whence = SEEK_SET,
		.l_start = atoll(words[3]),
		.l_len = atoll(words[4])};

	(void)a;
	if (!slot)
		return -EBADSLT;
	return fcntl(slot->fd, command, &range) < 0 ? -errno : 0;
}

/* lease SLOT r|w|u */
static int run_lease(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_slot *slot = actor_slot(table, words[0], true);

	(void)a;
	if (!slot)
		return -EBADSLT;
	for (int i = 0; fcntl(slot->fd, F_SETLEASE, (int)type_of(words[1])) < 0; i++) {
		if (errno != EAGAIN || i == LEASE_TRIES)
			return -errno;
		poll(NULL, 0, 1);
	}
	return 0;
}

static void on_interrupt(int signal)
{
	(void)signal;
}

static void *wait_for_lock(void *user)
{
	struct actor_wait *w = user;
	struct flock range = {.l_type = w->type,
		.l_whence = SEEK_SET,
		.l_start = w->start,
		.l_len = w->length};
	char message[64];
	int r;

	if (w->kind == 'f')
		r = flock(w->fd, operation_of(w->type));
	else
		r = fcntl(w->fd, w->kind == 'o' ? F_OFD_SETLKW : F_SETLKW, &range);
	if (r == 0)
		snprintf(message, sizeof(message), "granted %d", w->number);
	else
		snprintf(message, sizeof(message), "refused %d %d", w->number, errno);
	if (r == 0 || errno != EINTR)
		actor_tell(w->actor, message);
	return NULL;
}

static struct actor_wait *wait_of(struct actor *a, int number)
{
	for (int i = 0; i < ACTOR_THREADS; i++)
		if (a->waits[i].used && a->waits[i].number == number)
			return &a->waits[i];
	return NULL;
}

static struct actor_wait *free_wait(struct actor *a)
{
	for (int i = 0; i < ACTOR_THREADS; i++)
		if (!a->waits[i].used)
			return &a->waits[i];
	return NULL;
}

/* wait WAIT flock|posix|ofd SLOT r|w START LENGTH */
static int run_wait(struct actor *a, struct actor_table *table, char **words)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct actor_slot *slot = actor_slot(table, words[2], true);
	struct actor_wait *w = free_wait(a);
	int r;

	if (!slot || !w)
		return -EBADSLT;
	sigaction(SIGUSR1, &action, NULL);
	*w = (struct actor_wait){.actor = a,
		.used = true,
		.number = atoi(words[0]),
		.fd = slot->fd,
		.kind = words[1][0],
		.type = type_of(words[3]),
		.start = atoll(words[4]),
		.length = atoll(words[5])};
	r = pthread_create(&w->thread, NULL, wait_for_lock, w);
	if (r != 0)
		w->used = false;
	return -r;
}

/* endwait WAIT cancel|granted: interrupt it, or only clean up after it */
static int run_endwait(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_wait *w = wait_of(a, atoi(words[0]));

	(void)table;
	if (!w)
		return -EBADSLT;
	if (words[1][0] == 'c')
		pthread_kill(w->thread, SIGUSR1);
	pthread_join(w->thread, NULL);
	w->used = false;
	return 0;
}

void actor_forget_waits(struct actor *a)
{
	for (int i = 0; i < ACTOR_THREADS; i++)
		a->waits[i].used = false;
}

const struct actor_command actor_lock_commands[] = {
	{"flock", 2, run_flock},
	{"range", 5, run_range},
	{"lease", 2, run_lease},
	{"wait", 6, run_wait},
	{"endwait", 2, run_endwait},
	{NULL, 0, NULL},
};
