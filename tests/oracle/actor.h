/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The oracle's "actor": a process that does to files what it is told, one
 * command a message, and says how that went. It never decides anything.
 *
 *   actor start ADDRESS NAME KIND [FROM TO]
 *
 * ADDRESS  name of an abstract SOCK_SEQPACKET socket. The actor connects,
 *          sends "hello NAME" and then obeys; so does each child that it forks.
 * KIND     plain; leader (its first thread has exited); chroot (into FROM);
 *          mounts (own mount namespace, FROM bound to TO); pids (own pid
 *          namespace); users (own user namespace)
 *
 * Each command is answered by "ok", "ok TEXT" or "error ERRNO MESSAGE". A thread
 * that waits for a lock sends "granted WAIT" or "refused WAIT ERRNO" when the
 * kernel lets it go on. The end of the connection ends the process.
 *
 * Slots are places for descriptors, numbered by whoever gives the orders. Each
 * descriptor table has its own: that of the process, and those of threads which
 * have left it ("in THREAD COMMAND...").
 *
 * A helper of tests only.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACTOR_SLOTS   1024
#define ACTOR_MAPS    256
#define ACTOR_THREADS 16
#define ACTOR_GLANCES 128
#define ACTOR_MESSAGE 8192
#define ACTOR_WORDS   64

/* Descriptors; -1: none. @other: the second end of a socket pair. */
struct actor_slot {
	int fd, other;
};

struct actor_table {
	struct actor_slot slots[ACTOR_SLOTS];
};

struct actor_map {
	void *start; /* NULL: none */
	size_t bytes;
};

/* A thread that waits for a lock. */
struct actor_wait {
	struct actor *actor;
	bool used;
	int number, fd;
	char kind; /* 'f'lock, 'p'osix, 'o'fd */
	short type;
	long long start, length;
	pthread_t thread;
};

/* A thread with a descriptor table of its own. */
struct actor_thread {
	struct actor *actor;
	bool used, ending;
	pthread_t thread;
	struct actor_table table;
	sem_t asked, answered;
	char **words;
	int result;
};

struct actor {
	char address[96], name[64], text[256];
	int control;
	struct actor_table table;
	struct actor_map maps[ACTOR_MAPS];
	void *libraries[ACTOR_MAPS];
	int glances[ACTOR_GLANCES]; /* see actor_forget_glances() */
	int n_glances;
	struct actor_wait waits[ACTOR_THREADS];
	struct actor_thread threads[ACTOR_THREADS];
};

/* One command: 0 or a negative errno; a->text is told after "ok". The words are
 * without the command's own, ended by NULL; there are as many as it wants. */
struct actor_command {
	const char *name;
	int n_words;
	int (*run)(struct actor *a, struct actor_table *table, char **words);
};

/* Ended by rows without a name. */
extern const struct actor_command actor_file_commands[];
extern const struct actor_command actor_keeper_commands[];
extern const struct actor_command actor_lock_commands[];

/** The slot a word names, or NULL. @used: must it hold a descriptor? */
struct actor_slot *actor_slot(struct actor_table *table, const char *word, bool used);

/** Send one message. */
void actor_tell(struct actor *a, const char *message);

/** Close what holds the names that were looked up by "glance": else the kernel forgets them
 * when it wants memory, and with them what they kept. */
void actor_forget_glances(struct actor *a);

/** Forget threads that wait: in the child of a fork they do not exist. */
void actor_forget_waits(struct actor *a);
