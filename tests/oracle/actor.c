/* SPDX-License-Identifier: MIT */
/* See actor.h. Here: the protocol, and becoming another process, another program
 * or a thread of one's own. */
#include "tests/oracle/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int run_words(struct actor *a, struct actor_table *table, char **words);

static void die(const char *what)
{
	fprintf(stderr, "actor: %s: %s\n", what, strerror(errno));
	exit(1);
}

void actor_tell(struct actor *a, const char *message)
{
	/* Without a listener the end comes at the next receive. */
	(void)!send(a->control, message, strlen(message), MSG_NOSIGNAL);
}

struct actor_slot *actor_slot(struct actor_table *table, const char *word, bool used)
{
	int number = atoi(word);

	if (number < 0 || number >= ACTOR_SLOTS ||
		(table->slots[number].fd >= 0) != used)
		return NULL;
	return &table->slots[number];
}

static void clear_table(struct actor_table *table)
{
	for (int i = 0; i < ACTOR_SLOTS; i++)
		table->slots[i] = (struct actor_slot){-1, -1};
}

static void meet(struct actor *a)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	char hello[128];

	/* A leading zero makes it abstract: there in every root directory. */
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", a->address);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     strlen(a->address));
	a->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (a->control < 0 ||
		connect(a->control, (struct sockaddr *)&address, length) < 0)
		die("the oracle's socket");
	snprintf(hello, sizeof(hello), "hello %s", a->name);
	actor_tell(a, hello);
}

/* fork NAME: the child goes on under that name */
static int run_fork(struct actor *a, struct actor_table *table, char **words)
{
	pid_t child = fork();

	(void)table;
	if (child < 0)
		return -errno;
	if (child > 0)
		return 0;
	close(a->control);
	actor_forget_waits(a);
	actor_forget_glances(a);
	for (int i = 0; i < ACTOR_THREADS; i++)
		a->threads[i].used = false;
	snprintf(a->name, sizeof(a->name), "%s", words[0]);
	meet(a);
	return 1; /* nobody asked the child anything */
}

/* exec keep|drop PATH: PATH is a copy of this program; what is kept are the
 * descriptors */
static int run_exec(struct actor *a, struct actor_table *table, char **words)
{
	static char text[ACTOR_SLOTS][40];
	char *args[ACTOR_SLOTS + 8] = {words[1], "resume", a->address, a->name};
	int n = 4;

	for (int i = 0; words[0][0] == 'k' && i < ACTOR_SLOTS; i++) {
		struct actor_slot *slot = &table->slots[i];

		if (slot->fd < 0)
			continue;
		fcntl(slot->fd, F_SETFD, 0);
		if (slot->other >= 0)
			fcntl(slot->other, F_SETFD, 0);
		snprintf(
			text[i], sizeof(text[i]), "%d:%d:%d", i, slot->fd, slot->other);
		args[n++] = text[i];
	}
	args[n] = NULL;
	execv(words[1], args);
	return -errno;
}

static void *own_table(void *user)
{
	struct actor_thread *t = user;

	t->result = unshare(CLONE_FILES) < 0 ? -errno : 0;
	if (t->result == 0 && close_range(3, ~0U, 0) < 0)
		t->result = -errno;
	sem_post(&t->answered);
	for (;;) {
		while (sem_wait(&t->asked) < 0)
			;
		if (t->ending)
			return NULL;
		t->result = run_words(t->actor, &t->table, t->words);
		sem_post(&t->answered);
	}
}

static struct actor_thread *thread_of(struct actor *a, const char *word, bool used)
{
	int number = atoi(word);

	if (number < 0 || number >= ACTOR_THREADS || a->threads[number].used != used)
		return NULL;
	return &a->threads[number];
}

/* thread THREAD: one that has left the descriptor table, with an empty one */
static int run_thread(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_thread *t = thread_of(a, words[0], false);
	int r;

	(void)table;
	if (!t)
		return -EBADSLT;
	t->actor = a;
	t->ending = false;
	clear_table(&t->table);
	if (sem_init(&t->asked, 0, 0) < 0 || sem_init(&t->answered, 0, 0) < 0)
		return -errno;
	r = pthread_create(&t->thread, NULL, own_table, t);
	if (r != 0)
		return -r;
	t->used = true;
	while (sem_wait(&t->answered) < 0)
		;
	return t->result;
}

/* in THREAD COMMAND...: with that thread's table */
static int run_in(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_thread *t = thread_of(a, words[0], true);

	(void)table;
	if (!t)
		return -EBADSLT;
	t->words = words + 1;
	sem_post(&t->asked);
	while (sem_wait(&t->answered) < 0)
		;
	return t->result;
}

/* join THREAD: end it, and with it what its table has */
static int run_join(struct actor *a, struct actor_table *table, char **words)
{
	struct actor_thread *t = thread_of(a, words[0], true);

	(void)table;
	if (!t)
		return -EBADSLT;
	t->ending = true;
	sem_post(&t->asked);
	pthread_join(t->thread, NULL);
	t->used = false;
	return 0;
}

static const struct actor_command own_commands[] = {
	{"fork", 1, run_fork},
	{"exec", 2, run_exec},
	{"thread", 1, run_thread},
	{"in", 2, run_in},
	{"join", 1, run_join},
	{NULL, 0, NULL},
};

static int run_words(struct actor *a, struct actor_table *table, char **words)
{
	static const struct actor_command *const lists[] = {own_commands,
		actor_file_commands, actor_keeper_commands, actor_lock_commands};
	int n = 0;

	while (words[n])
		n++;
	for (size_t i = 0; n > 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct actor_command *c = lists[i]; c->name; c++)
			if (strcmp(c->name, words[0]) == 0)
				return n - 1 < c->n_words ? -EINVAL
				                          : c->run(a, table, words + 1);
	return -ENOSYS;
}

static void split(char *line, char **words)
{
	char *save = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " ", &save); word && n < ACTOR_WORDS - 1;
		word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	words[n] = NULL;
}

static int obey(struct actor *a)
{
	static char line[ACTOR_MESSAGE];
	char *words[ACTOR_WORDS], answer[512];
	ssize_t n;

	for (;;) {
		int r;

		n = recv(a->control, line, sizeof(line) - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		line[n] = '\0';
		split(line, words);
		a->text[0] = '\0';
		r = run_words(a, &a->table, words);
		if (r > 0)
			continue;
		if (r < 0)
			snprintf(answer, sizeof(answer), "error %d %s", -r,
				strerror(-r));
		else
			snprintf(answer, sizeof(answer), "ok %s", a->text);
		actor_tell(a, answer);
	}
}

static bool leader_is_zombie(void)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	stat = fopen(path, "re");
	if (!stat)
		die(path);
	if (fscanf(stat, "%*d %*s %c", &state) != 1)
		die(path);
	fclose(stat);
	return state == 'Z';
}

static void *without_leader(void *user)
{
	while (!leader_is_zombie())
		poll(NULL, 0, 1);
	meet(user);
	exit(obey(user));
}

/* Become what @kind says; does not return for a leader that exits. */
static void become(struct actor *a, char **args)
{
	const char *kind = args[0];
	pthread_t thread;

	if (strcmp(kind, "chroot") == 0) {
		if (!args[1] || chroot(args[1]) < 0 || chdir("/") < 0)
			die("chroot");
	} else if (strcmp(kind, "mounts") == 0) {
		if (!args[1] || !args[2] || unshare(CLONE_NEWNS) < 0 ||
			mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount(args[1], args[2], NULL, MS_BIND | MS_REC, NULL) < 0)
			die("a mount namespace");
	} else if (strcmp(kind, "pids") == 0) {
		pid_t child = unshare(CLONE_NEWPID) < 0 ? -1 : fork();

		if (child < 0)
			die("a pid namespace");
		if (child > 0)
			_exit(0);
	} else if (strcmp(kind, "users") == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			die("a user namespace");
	} else if (strcmp(kind, "leader") == 0) {
		if (pthread_create(&thread, NULL, without_leader, a) != 0)
			die("pthread_create");
		pthread_exit(NULL);
	} else if (strcmp(kind, "plain") != 0) {
		fprintf(stderr, "actor: no kind '%s'\n", kind);
		exit(2);
	}
}

static void resume(struct actor *a, char **args)
{
	for (; *args; args++) {
		int slot, fd, other;

		if (sscanf(*args, "%d:%d:%d", &slot, &fd, &other) != 3 || slot < 0 ||
			slot >= ACTOR_SLOTS)
			exit(2);
		a->table.slots[slot] = (struct actor_slot){fd, other};
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (other >= 0)
			fcntl(other, F_SETFD, FD_CLOEXEC);
	}
}

int main(int argc, char **argv)
{
	/* Not on the stack, which a leader that exits would take along. */
	struct actor *a = calloc(1, sizeof(*a));
	bool start = argc >= 5 && strcmp(argv[1], "start") == 0;

	if (!a)
		die("calloc");
	if (!start && (argc < 4 || strcmp(argv[1], "resume") != 0)) {
		fprintf(stderr, "usage: actor start ADDRESS NAME KIND [FROM TO]\n");
		return 2;
	}
	/* A lease that is broken tells its holder by a signal that kills; nobody
	 * waits for the children. */
	signal(SIGIO, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	clear_table(&a->table);
	snprintf(a->address, sizeof(a->address), "%s", argv[2]);
	snprintf(a->name, sizeof(a->name), "%s", argv[3]);
	if (start)
		become(a, argv + 4);
	else
		resume(a, argv + 4);
	meet(a);
	return obey(a);
}
