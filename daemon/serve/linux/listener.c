/* SPDX-License-Identifier: MIT */
#include "daemon/serve/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/lock_file.h"
#include "common/log.h"

#define BACKLOG  128

#define WATCH_MS 2000
/* What cannot be made anew is tried again, and complained about, so often. */
#define RETRY_MS 30000

static int fail(const char *what, const char *path)
{
	int r = spg_err_from_errno(errno);

	spg_error("cannot %s %s: %s", what, path, strerror(errno));
	return r;
}

static int check_path(const char *path, struct sockaddr_un *ret)
{
	size_t n = strlen(path);

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	if (path[0] != '/') {
		spg_error("the socket's path must be absolute: %s", path);
		return SPG_ERR_INVALID;
	}
	if (n >= sizeof(ret->sun_path)) {
		spg_error("the socket's path has %zu bytes, %zu are possible: choose a "
			  "shorter one: %s",
			n, sizeof(ret->sun_path) - 1, path);
		return SPG_ERR_INVALID;
	}
	memcpy(ret->sun_path, path, n + 1);
	return 0;
}

static int prepare_directory(const char *path, bool make)
{
	char *directory = strdup(path);
	struct stat st;
	int r = 0;

	if (!directory)
		return SPG_ERR_NOMEM;
	*strrchr(directory, '/') = '\0';
	if (directory[0] == '\0')
		goto out;
	if (stat(directory, &st) == 0) {
		if (!S_ISDIR(st.st_mode)) {
			spg_error("the socket's directory is no directory: %s",
				directory);
			r = SPG_ERR_INVALID;
		}
	} else if (errno != ENOENT) {
		r = fail("look at the socket's directory", directory);
	} else if (!make) {
		spg_error("the socket's directory does not exist: make it, or set "
			  "another \"socket\": %s",
			directory);
		r = SPG_ERR_INVALID;
	} else if (mkdir(directory, 0755) < 0 && errno != EEXIST) {
		r = fail("make the socket's directory", directory);
	}
out:
	free(directory);
	return r;
}

static int refuse_second(const struct spg_listener *listener, long pid)
{
	if (pid)
		spg_error("a daemon with pid %ld serves %s already: stop it first, or "
			  "set another \"socket\"",
			pid, listener->path);
	else
		spg_error("another daemon serves %s already: stop it first, or set "
			  "another \"socket\"",
			listener->path);
	return SPG_ERR_BUSY;
}

static int take_lock(struct spg_listener *listener)
{
	long pid;
	int r = spg_lock_file_take(listener->lock_path, 0644, &listener->lock_fd, &pid);

	if (r == SPG_ERR_BUSY)
		return refuse_second(listener, pid);
	return r < 0 ? fail("lock", listener->lock_path) : 0;
}

/* The lock is ours: what lies at the path is no daemon's of ours. */
static int clear_path(const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat st;
	bool answers;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail("look at", path);
	if (!S_ISSOCK(st.st_mode)) {
		spg_error("%s is no socket: move it away, or set another \"socket\"",
			path);
		return SPG_ERR_INVALID;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail("make a socket to try", path);
	/* EAGAIN: its queue is full, so somebody listens. */
	answers =
		connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN || errno == EPROTOTYPE;
	close(fd);
	if (answers) {
		spg_error("another program serves %s: stop it first, or set another "
			  "\"socket\"",
			path);
		return SPG_ERR_BUSY;
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return fail("remove the old socket", path);
	return 0;
}

static int bind_path(struct spg_listener *listener, int fd,
	const struct sockaddr_un *address, const struct spg_listener_config *config)
{
	mode_t mode = config->mode                  ? config->mode
	              : config->gid != SPG_GID_NONE ? 0660
	                                            : 0600;
	struct stat st;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return fail("make the socket", listener->path);
	if (lstat(listener->path, &st) < 0)
		return fail("look at", listener->path);
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	listener->bound = true;
	if (config->gid != SPG_GID_NONE &&
		lchown(listener->path, (uid_t)-1, config->gid) < 0)
		return fail("give the group its access to", listener->path);
	if (chmod(listener->path, mode) < 0)
		return fail("set the mode of", listener->path);
	return 0;
}

static void on_uv_connection(uv_stream_t *stream, int status)
{
	struct spg_listener *listener = stream->data;

	if (status < 0)
		spg_warning("a client could not be accepted: %s", uv_strerror(status));
	else
		listener->on_connection(listener);
}

static void on_uv_closed(uv_handle_t *handle);

/* @fd passes to the listener, also when this fails. */
static int listen_on(struct spg_listener *listener, uv_loop_t *loop, int fd)
{
	int r = uv_pipe_init(loop, &listener->pipe, 0);

	if (r == 0) {
		listener->has_pipe = true;
		listener->n_handles++;
		listener->pipe.data = listener;
		r = uv_pipe_open(&listener->pipe, fd);
	}
	if (r < 0) {
		close(fd);
	} else {
		r = uv_listen(
			(uv_stream_t *)&listener->pipe, BACKLOG, on_uv_connection);
	}
	if (r < 0) {
		spg_error("cannot listen on the socket: %s", uv_strerror(r));
		return r == UV_ENOMEM ? SPG_ERR_NOMEM : SPG_ERR_IO;
	}
	return 0;
}

/* ---- looking after it ---- */

/* While the socket is open the kernel keeps the inode: the number is nobody else's. */
static bool is_in_place(const struct spg_listener *listener)
{
	struct stat st;

	return listener->bound && lstat(listener->path, &st) == 0 &&
	       st.st_dev == listener->dev && st.st_ino == listener->ino;
}

/* A socket at the path, bound, which nobody can connect to yet. */
static int make_socket(struct spg_listener *listener, int *ret_fd)
{
	struct sockaddr_un address;
	int fd, r = check_path(listener->path, &address);

	if (r == 0)
		r = clear_path(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail("make the socket", listener->path);
	r = bind_path(listener, fd, &address, &listener->config);
	if (r == 0) {
		*ret_fd = fd;
		return 0;
	}
	/* Half made it must not pass for ours: it is tried again. */
	if (is_in_place(listener))
		unlink(listener->path);
	listener->bound = false;
	close(fd);
	return r;
}

/* Returns SPG_ERR_BUSY when another daemon has it by now. */
static int keep_lock(struct spg_listener *listener)
{
	int fd, r;
	long pid;

	if (spg_lock_file_is_in_place(listener->lock_fd, listener->lock_path))
		return 0;
	r = prepare_directory(listener->path, listener->config.make_directory);
	if (r < 0)
		return r;
	r = spg_lock_file_take(listener->lock_path, 0644, &fd, &pid);
	if (r == SPG_ERR_BUSY)
		return refuse_second(listener, pid);
	if (r < 0)
		return fail("lock", listener->lock_path);
	spg_warning("%s was removed: it is made again", listener->lock_path);
	close(listener->lock_fd);
	listener->lock_fd = fd;
	return 0;
}

static void take_next(struct spg_listener *listener)
{
	int fd = listener->next_fd;

	listener->next_fd = -1;
	/* What fails is told there, and tried again: it is not bound. */
	if (listen_on(listener, listener->watch.loop, fd) < 0)
		listener->bound = false;
}

/* Sessions stay; who connects to the old one after that finds nobody. */
static int make_anew(struct spg_listener *listener)
{
	int r;

	spg_warning("the socket %s was removed or replaced: it is made again",
		listener->path);
	r = make_socket(listener, &listener->next_fd);
	if (r < 0)
		return r;
	if (listener->has_pipe)
		uv_close((uv_handle_t *)&listener->pipe, on_uv_closed);
	else
		take_next(listener);
	return 0;
}

static void on_watch(uv_timer_t *timer)
{
	struct spg_listener *listener = timer->data;
	unsigned watch_ms = listener->config.watch_ms;
	int r = keep_lock(listener);

	if (r == SPG_ERR_BUSY && listener->on_lost) {
		uv_timer_stop(timer);
		listener->on_lost(listener);
		return;
	}
	if (r == 0 && listener->next_fd < 0 && !is_in_place(listener))
		r = make_anew(listener);
	uv_timer_set_repeat(timer, r < 0 ? RETRY_MS : watch_ms);
}

static int start_watch(struct spg_listener *listener, uv_loop_t *loop)
{
	if (!listener->config.watch_ms)
		listener->config.watch_ms = WATCH_MS;
	if (uv_timer_init(loop, &listener->watch) < 0)
		return SPG_ERR_NOMEM;
	listener->has_watch = true;
	listener->n_handles++;
	listener->watch.data = listener;
	uv_timer_start(&listener->watch, on_watch, listener->config.watch_ms,
		listener->config.watch_ms);
	return 0;
}

static void on_uv_closed(uv_handle_t *handle)
{
	struct spg_listener *listener = handle->data;

	listener->n_handles--;
	if (handle == (uv_handle_t *)&listener->pipe)
		listener->has_pipe = false;
	if (listener->stopping) {
		if (listener->n_handles == 0)
			listener->on_closed(listener);
		return;
	}
	take_next(listener);
}

/* ---- start and stop ---- */

static void init(struct spg_listener *listener,
	void (*on_connection)(struct spg_listener *), void *user)
{
	memset(listener, 0, sizeof(*listener));
	listener->lock_fd = listener->next_fd = -1;
	listener->on_connection = on_connection;
	listener->user = user;
}

int spg_listener_start(struct spg_listener *listener, uv_loop_t *loop,
	const struct spg_listener_config *config,
	void (*on_connection)(struct spg_listener *), void *user)
{
	struct sockaddr_un address;
	int fd = -1, r;

	init(listener, on_connection, user);
	listener->config = *config;
	r = check_path(config->path, &address);
	if (r < 0)
		return r;
	listener->path = strdup(config->path);
	if (!listener->path ||
		asprintf(&listener->lock_path, "%s.lock", config->path) < 0) {
		listener->lock_path = NULL;
		return SPG_ERR_NOMEM;
	}
	r = prepare_directory(config->path, config->make_directory);
	if (r == 0)
		r = take_lock(listener);
	if (r == 0)
		r = make_socket(listener, &fd);
	if (r == 0)
		r = listen_on(listener, loop, fd);
	return r == 0 ? start_watch(listener, loop) : r;
}

int spg_listener_start_fd(struct spg_listener *listener, uv_loop_t *loop, int fd,
	void (*on_connection)(struct spg_listener *), void *user)
{
	init(listener, on_connection, user);
	return listen_on(listener, loop, fd);
}

void spg_listener_stop(
	struct spg_listener *listener, void (*on_closed)(struct spg_listener *))
{
	listener->stopping = true;
	if (is_in_place(listener))
		unlink(listener->path);
	/* The lock goes last: who waits for it finds the path free. */
	if (listener->lock_fd >= 0) {
		if (spg_lock_file_is_in_place(listener->lock_fd, listener->lock_path))
			unlink(listener->lock_path);
		close(listener->lock_fd);
		listener->lock_fd = -1;
	}
	if (listener->next_fd >= 0)
		close(listener->next_fd);
	listener->next_fd = -1;
	listener->bound = false;
	free(listener->path);
	free(listener->lock_path);
	listener->path = listener->lock_path = NULL;
	listener->on_closed = on_closed;
	if (listener->has_watch)
		uv_close((uv_handle_t *)&listener->watch, on_uv_closed);
	if (listener->has_pipe && !uv_is_closing((uv_handle_t *)&listener->pipe))
		uv_close((uv_handle_t *)&listener->pipe, on_uv_closed);
	if (listener->n_handles == 0)
		on_closed(listener);
}
