/* SPDX-License-Identifier: MIT */
/* The socket's place in the file system. */
#include "daemon/serve/listener.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "tests/support/suite.h"

struct place {
	uv_loop_t loop;
	char dir[64], path[80], lock[88];
	struct spg_listener listener;
	int n_connections, n_closed, n_lost;
};

static void on_connection(struct spg_listener *listener)
{
	struct place *place = listener->user;
	uv_pipe_t *client = malloc(sizeof(*client));

	place->n_connections++;
	uv_pipe_init(&place->loop, client, 0);
	ck_assert_int_eq(
		uv_accept((uv_stream_t *)&listener->pipe, (uv_stream_t *)client), 0);
	uv_close((uv_handle_t *)client, (uv_close_cb)free);
}

static void on_closed(struct spg_listener *listener)
{
	((struct place *)listener->user)->n_closed++;
}

static void on_lost(struct spg_listener *listener)
{
	((struct place *)listener->user)->n_lost++;
}

static void place_init(struct place *place)
{
	memset(place, 0, sizeof(*place));
	ck_assert_int_eq(uv_loop_init(&place->loop), 0);
	snprintf(place->dir, sizeof(place->dir), "/tmp/listener-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/s", place->dir);
	snprintf(place->lock, sizeof(place->lock), "%s/s.lock", place->dir);
}

static int start(struct place *place, struct spg_listener_config config)
{
	if (!config.path)
		config.path = place->path;
	if (!config.gid)
		config.gid = SPG_GID_NONE;
	return spg_listener_start(
		&place->listener, &place->loop, &config, on_connection, place);
}

static void stop(struct place *place)
{
	int n = place->n_closed;

	spg_listener_stop(&place->listener, on_closed);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(place->n_closed, n + 1);
}

static void place_finish(struct place *place)
{
	ck_assert_int_eq(uv_loop_close(&place->loop), 0);
	ck_assert_int_eq(rmdir(place->dir), 0);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A socket as another program binds it; closed, it is a stale one. */
static int bind_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* What is written to stderr between these two. */
static int saved_stderr;

static void capture(struct place *place)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/log", place->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	saved_stderr = dup(2);
	dup2(fd, 2);
	close(fd);
}

static void captured(struct place *place, const char *expected)
{
	char path[96], text[1024];
	ssize_t n = pread(2, text, sizeof(text) - 1, 0);

	dup2(saved_stderr, 2);
	close(saved_stderr);
	text[n > 0 ? n : 0] = '\0';
	ck_assert_msg(
		strstr(text, expected) != NULL, "\"%s\" is not in: %s", expected, text);
	snprintf(path, sizeof(path), "%s/log", place->dir);
	unlink(path);
}

START_TEST(serve_and_leave_nothing)
{
	struct place place;
	struct stat st;
	char pid[16] = "";
	int fd, lock;

	place_init(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){0}), 0);
	ck_assert_int_eq(lstat(place.path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	lock = open(place.lock, O_RDONLY);
	ck_assert_int_gt(read(lock, pid, sizeof(pid) - 1), 0);
	close(lock);
	ck_assert_int_eq(atoi(pid), getpid());
	fd = connect_to(place.path);
	ck_assert_int_ge(fd, 0);
	while (!place.n_connections)
		uv_run(&place.loop, UV_RUN_ONCE);
	close(fd);
	stop(&place);
	place_finish(&place);
}
END_TEST

START_TEST(group_and_mode)
{
	struct place place;
	struct stat st;

	place_init(&place);
	/* Our own group: no privilege is needed for it. */
	ck_assert_int_eq(
		start(&place, (struct spg_listener_config){.gid = getgid() ?: 1}),
		getuid() && !getgid() ? SPG_ERR_DENIED : 0);
	ck_assert_int_eq(lstat(place.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(st.st_gid, getgid() ?: 1);
	stop(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.mode = 0666}), 0);
	ck_assert_int_eq(lstat(place.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0666);
	stop(&place);
	place_finish(&place);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
	struct place place;
	int fd;

	place_init(&place);
	close(bind_at(place.path));
	ck_assert_int_eq(connect_to(place.path), -1);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){0}), 0);
	fd = connect_to(place.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	stop(&place);
	place_finish(&place);
}
END_TEST

START_TEST(second_daemon_is_refused)
{
	struct place place, second = {0};
	char expected[160];
	int fd;

	place_init(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){0}), 0);
	/* The second one is another listener of this process: flock(2) holds
	 * between open file descriptions. */
	ck_assert_int_eq(uv_loop_init(&second.loop), 0);
	snprintf(second.path, sizeof(second.path), "%s", place.path);
	snprintf(expected, sizeof(expected), "pid %d serves %s", (int)getpid(),
		place.path);
	capture(&place);
	ck_assert_int_eq(start(&second, (struct spg_listener_config){0}), SPG_ERR_BUSY);
	captured(&place, expected);
	stop(&second);
	ck_assert_int_eq(uv_loop_close(&second.loop), 0);
	/* The first one is none the worse. */
	fd = connect_to(place.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	stop(&place);
	place_finish(&place);
}
END_TEST

START_TEST(another_program_answers)
{
	struct place place;
	int fd;

	place_init(&place);
	fd = bind_at(place.path);
	capture(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){0}), SPG_ERR_BUSY);
	captured(&place, "another program serves");
	stop(&place);
	/* Its socket is still there. */
	ck_assert_int_eq(unlink(place.path), 0);
	close(fd);
	place_finish(&place);
}
END_TEST

START_TEST(no_socket_is_refused)
{
	struct place place;

	place_init(&place);
	close(open(place.path, O_CREAT | O_WRONLY, 0600));
	capture(&place);
	ck_assert_int_eq(
		start(&place, (struct spg_listener_config){0}), SPG_ERR_INVALID);
	captured(&place, "is no socket: move it away");
	stop(&place);
	ck_assert_int_eq(unlink(place.path), 0);
	place_finish(&place);
}
END_TEST

START_TEST(bad_paths)
{
	struct place place;
	char path[256], missing[96];

	place_init(&place);
	snprintf(path, sizeof(path), "%s/%0100d", place.dir, 1);
	capture(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.path = path}),
		SPG_ERR_INVALID);
	captured(&place, "107 are possible");
	stop(&place);
	capture(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.path = "s"}),
		SPG_ERR_INVALID);
	captured(&place, "must be absolute");
	stop(&place);
	snprintf(missing, sizeof(missing), "%s/none/s", place.dir);
	capture(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.path = missing}),
		SPG_ERR_INVALID);
	captured(&place, "does not exist");
	stop(&place);
	capture(&place);
	ck_assert_int_eq(
		start(&place, (struct spg_listener_config){.path = "/dev/null/s"}),
		SPG_ERR_INVALID);
	captured(&place, "is no directory");
	stop(&place);
	place_finish(&place);
}
END_TEST

START_TEST(directory_is_made)
{
	struct place place;
	char path[96], deep[104];
	struct stat st;

	place_init(&place);
	snprintf(path, sizeof(path), "%s/run/s", place.dir);
	snprintf(deep, sizeof(deep), "%s/a/b/s", place.dir);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.path = path,
					       .make_directory = true}),
		0);
	stop(&place);
	snprintf(path, sizeof(path), "%s/run", place.dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777 & ~0755, 0);
	ck_assert_int_eq(rmdir(path), 0);
	/* Only the last component. */
	ck_assert_int_ne(start(&place, (struct spg_listener_config){.path = deep,
					       .make_directory = true}),
		0);
	stop(&place);
	place_finish(&place);
}
END_TEST

/* Somebody removed our socket and put another one there: it stays. */
START_TEST(what_is_not_ours_stays)
{
	struct place place;
	int fd;

	place_init(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){0}), 0);
	/* Renamed, not removed: the inode's number must not be given out again. */
	ck_assert_int_eq(rename(place.path, place.lock), 0);
	fd = bind_at(place.path);
	stop(&place);
	ck_assert_int_eq(access(place.path, F_OK), 0);
	ck_assert_int_eq(unlink(place.path), 0);
	ck_assert_int_eq(unlink(place.lock), 0);
	close(fd);
	place_finish(&place);
}
END_TEST

/* Socket activation: the path is the service manager's. */
START_TEST(descriptor_from_outside)
{
	struct place place;
	int fd;

	place_init(&place);
	ck_assert_int_eq(spg_listener_start_fd(&place.listener, &place.loop,
				 bind_at(place.path), on_connection, &place),
		0);
	fd = connect_to(place.path);
	ck_assert_int_ge(fd, 0);
	while (!place.n_connections)
		uv_run(&place.loop, UV_RUN_ONCE);
	close(fd);
	stop(&place);
	ck_assert_int_eq(access(place.lock, F_OK), -1);
	ck_assert_int_eq(unlink(place.path), 0);
	place_finish(&place);
}
END_TEST

static void run_until_served(struct place *place)
{
	int n = place->n_connections;

	int fd;

	while ((fd = connect_to(place->path)) < 0)
		uv_run(&place->loop, UV_RUN_ONCE);
	while (place->n_connections == n)
		uv_run(&place->loop, UV_RUN_ONCE);
	close(fd);
}

/* Removed, replaced by a file that goes away again, or by another's socket that nobody
 * answers at: with the same mode. */
START_TEST(made_anew)
{
	struct place place;
	struct stat st;
	int fd;

	place_init(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.mode = 0666,
					       .watch_ms = 10}),
		0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(unlink(place.path), 0);
		if (i == 1) {
			struct sockaddr_un address = {.sun_family = AF_UNIX};

			memcpy(address.sun_path, place.path, sizeof(place.path));
			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			ck_assert_int_eq(
				bind(fd, (struct sockaddr *)&address, sizeof(address)),
				0);
			close(fd);
		} else if (i == 2) {
			fd = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
			close(fd);
			ck_assert_int_eq(unlink(place.lock), 0);
			while (access(place.lock, F_OK) < 0)
				uv_run(&place.loop, UV_RUN_ONCE);
			/* What is somebody's is left alone: it has tried by now. */
			ck_assert_int_eq(lstat(place.path, &st), 0);
			ck_assert(S_ISREG(st.st_mode));
			ck_assert_int_eq(unlink(place.path), 0);
			uv_timer_set_repeat(&place.listener.watch, 10);
			uv_timer_again(&place.listener.watch);
		}
		run_until_served(&place);
		ck_assert_int_eq(lstat(place.path, &st), 0);
		ck_assert_int_eq(st.st_mode & 07777, 0666);
	}
	stop(&place);
	ck_assert_int_eq(access(place.lock, F_OK), -1);
	ck_assert_int_eq(place.n_lost, 0);
	place_finish(&place);
}
END_TEST

/* A lock file that another daemon has by now is his, and so is the path. */
START_TEST(lost)
{
	struct place place;
	int fd;

	place_init(&place);
	ck_assert_int_eq(
		start(&place, (struct spg_listener_config){.watch_ms = 10}), 0);
	place.listener.on_lost = on_lost;
	ck_assert_int_eq(unlink(place.lock), 0);
	fd = open(place.lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	while (place.n_lost == 0)
		uv_run(&place.loop, UV_RUN_ONCE);
	stop(&place);
	ck_assert_int_eq(unlink(place.lock), 0);
	close(fd);
	place_finish(&place);
}
END_TEST

/* A stop in the midst of it. */
START_TEST(stopped_while_it_is_made)
{
	struct place place;

	place_init(&place);
	ck_assert_int_eq(start(&place, (struct spg_listener_config){.watch_ms = 1}), 0);
	ck_assert_int_eq(unlink(place.path), 0);
	while (place.listener.next_fd < 0 && access(place.path, F_OK) < 0)
		uv_run(&place.loop, UV_RUN_ONCE);
	stop(&place);
	ck_assert_int_eq(access(place.path, F_OK), -1);
	place_finish(&place);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("serve-listener");

	tcase_add_test(tc, serve_and_leave_nothing);
	tcase_add_test(tc, group_and_mode);
	tcase_add_test(tc, stale_socket_is_replaced);
	tcase_add_test(tc, second_daemon_is_refused);
	tcase_add_test(tc, another_program_answers);
	tcase_add_test(tc, no_socket_is_refused);
	tcase_add_test(tc, bad_paths);
	tcase_add_test(tc, directory_is_made);
	tcase_add_test(tc, what_is_not_ours_stays);
	tcase_add_test(tc, descriptor_from_outside);
	tcase_add_test(tc, made_anew);
	tcase_add_test(tc, lost);
	tcase_add_test(tc, stopped_while_it_is_made);
	return spg_run_suite("serve-listener", tc);
}
