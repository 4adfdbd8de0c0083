/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The test helper "holder": a process that puts itself into exactly one named
 * state on one file, says so, and keeps it until told otherwise.
 *
 *   holder STATE FILE [ARGUMENT...]
 *
 * stdout  "ready PID..." once the state is reached (the barrier of the test);
 *         the pids are those of the processes that hold the file
 * stdin   "release": undo it, then "released" on stdout
 *         "exit", or end of input: end
 *
 * A helper of tests only: what fails ends the program with a message.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/types.h>

struct holder {
	const char *path;
	char **args; /* NULL-terminated, what follows FILE */
	int fd;      /* -1: none */
	int control; /* pipe whose end tells @child to let go; -1: none */
	void *map;
	size_t map_bytes;
	void *library;
	pid_t pid;   /* who holds the file */
	pid_t child; /* a second process, 0: none */
	pthread_t thread;
	sem_t entered, leave;
};

struct holder_state {
	const char *name;
	void (*enter)(struct holder *h);
	void (*leave)(struct holder *h);
};

/* The states of holder_locks.c, ended by a row without a name. */
extern const struct holder_state holder_lock_states[];

/** Print what failed, with errno, and end the program. */
void holder_die(const char *what) __attribute__((noreturn));

/** open(2) of the holder's file, or end the program. */
int holder_open(const struct holder *h, int flags);

/** Wait until @pid has ended; from then on it holds nothing. */
void holder_await_end(pid_t pid);

/** Close h->fd: what most states need to leave. */
void holder_close(struct holder *h);
