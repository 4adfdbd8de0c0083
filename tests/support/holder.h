/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The test helper "holder": a process that puts itself into exactly one named
 * state on one file, says so, and keeps it until told otherwise.
 *
 *   holder STATE FILE [ARGUMENT...]
 *
 * With the arguments "share PID FD" it does not open FILE: it takes descriptor FD of
 * process PID, and shares its open file (pidfd_getfd(2)).
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
	int told;    /* pipe between a child and who started it */
	void *map;
	size_t map_bytes;
	void *library;
	pid_t pid;    /* who holds the file */
	pid_t child;  /* a second process that holds it, 0: none */
	pid_t parent; /* of @pid, when it is neither us nor our child */
	int loop;     /* number of the loop device */
	char loop_path[32];
	dev_t dev; /* of the file, once it has been looked up */
	ino_t ino;
	pthread_t thread;
	sem_t entered, leave;
	pid_t threads[2]; /* those that are stuck */
};

struct holder_state {
	const char *name;
	void (*enter)(struct holder *h);
	void (*leave)(struct holder *h);
};

/* Ended by a row without a name. */
extern const struct holder_state holder_task_states[];   /* holder_tasks.c */
extern const struct holder_state holder_kernel_states[]; /* holder_kernel.c */
extern const struct holder_state holder_lock_states[];   /* holder_locks.c */
extern const struct holder_state holder_stuck_states[];  /* holder_stuck.c */

/** Say that @state is reached, and do as told, to the end of input. Returns the
 * exit status. */
int holder_serve(struct holder *h, const struct holder_state *state);

/** Print what failed, with errno, and end the program. */
void holder_die(const char *what) __attribute__((noreturn));

/** The same, where a kernel need not allow it: the test is skipped. */
void holder_lack(const char *what) __attribute__((noreturn));

/** open(2) of the holder's file, or end the program. */
int holder_open(const struct holder *h, int flags);

/** Wait until @pid has ended; from then on it holds nothing. */
void holder_await_end(pid_t pid);

/** Close h->fd: what most states need to leave. */
void holder_close(struct holder *h);
