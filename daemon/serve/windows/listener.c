/* SPDX-License-Identifier: MIT */
/*
 * The local socket of Windows is a named pipe. Nobody can remove it while a program has
 * it, so nothing has to be looked after.
 *
 * Who may connect: administrators, this program's own user, and the configured group;
 * nobody from another machine. The group may write, but make no further instance of the
 * pipe (FILE_APPEND_DATA is FILE_CREATE_PIPE_INSTANCE), so that no member can answer in
 * the daemon's place.
 */
#include "daemon/serve/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include "common/err.h"
#include "common/log.h"
#include "common/windows/users.h"
#include "common/windows/wide.h"

#define BACKLOG 128
#define PREFIX  "//./pipe/"

static int fail(const char *what, const char *path)
{
	spg_error("cannot %s %s: error %lu of Windows", what, path, GetLastError());
	return GetLastError() == ERROR_ACCESS_DENIED ? SPG_ERR_DENIED : SPG_ERR_IO;
}

/* In the form that Windows has: "\\.\pipe\NAME". */
static int native_path(const char *path, char **ret)
{
	const char *name = path + strlen(PREFIX);

	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0 || !*name || strchr(name, '/')) {
		spg_error("the socket has to be a named pipe, \\\\.\\pipe\\NAME: %s",
			path);
		return SPG_ERR_INVALID;
	}
	if (asprintf(ret, "\\\\.\\pipe\\%s", name) < 0)
		return SPG_ERR_NOMEM;
	return 0;
}

/* A pipe of that name is there: not connecting, which would take somebody's place. */
static bool is_served(const char *native)
{
	wchar_t *wide = spg_wide(native);
	bool there = wide && (WaitNamedPipeW(wide, 1) ||
				     GetLastError() != ERROR_FILE_NOT_FOUND);

	free(wide);
	return there;
}

/* --- who may connect -------------------------------------------------------- */

/* The rules as a text: SDDL. NULL: out of memory, or no such user or group. */
static wchar_t *rules_for(gid_t gid)
{
	char *own = spg_windows_own_sid(), *group = NULL, *text = NULL;
	wchar_t *wide = NULL;
	int n = -1;

	if (gid != SPG_GID_NONE)
		group = spg_windows_sid_of(gid);
	/* NU: who comes over the network. SY and BA: the system, administrators. */
	if (own && (group || gid == SPG_GID_NONE))
		n = group ? asprintf(&text,
				    "D:P(D;;FA;;;NU)(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;%"
				    "s)"
				    "(A;;0x%lx;;;%s)",
				    own,
				    (unsigned long)(FILE_GENERIC_READ |
						    FILE_WRITE_DATA |
						    FILE_WRITE_ATTRIBUTES),
				    group)
		          : asprintf(&text,
				    "D:P(D;;FA;;;NU)(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;%"
				    "s)",
				    own);
	if (n >= 0)
		wide = spg_wide(text);
	if (n >= 0)
		free(text);
	free(own);
	free(group);
	return wide;
}

static int restrict_to(HANDLE pipe, const char *path, gid_t gid)
{
	wchar_t *rules = rules_for(gid);
	PSECURITY_DESCRIPTOR descriptor = NULL;
	BOOL present, defaulted;
	DWORD error = ERROR_NOT_ENOUGH_MEMORY;
	PACL acl;

	if (rules && ConvertStringSecurityDescriptorToSecurityDescriptorW(
			     rules, SDDL_REVISION_1, &descriptor, NULL)) {
		error = GetSecurityDescriptorDacl(
				descriptor, &present, &acl, &defaulted)
		                ? SetSecurityInfo(pipe, SE_KERNEL_OBJECT,
					  DACL_SECURITY_INFORMATION |
						  PROTECTED_DACL_SECURITY_INFORMATION,
					  NULL, NULL, acl, NULL)
		                : GetLastError();
		LocalFree(descriptor);
	} else if (rules) {
		error = GetLastError();
	}
	free(rules);
	if (error == ERROR_SUCCESS)
		return 0;
	SetLastError(error);
	return fail("say who may connect to", path);
}

/* --- start and stop --------------------------------------------------------- */

static void on_uv_connection(uv_stream_t *stream, int status)
{
	struct spg_listener *listener = stream->data;

	if (status < 0)
		spg_warning("a client could not be accepted: %s", uv_strerror(status));
	else
		listener->on_connection(listener);
}

static void on_uv_closed(uv_handle_t *handle)
{
	struct spg_listener *listener = handle->data;

	listener->has_pipe = false;
	listener->n_handles--;
	listener->on_closed(listener);
}

static int refuse_second(const char *path)
{
	spg_error("another program serves %s: stop it first, or set another \"socket\"",
		path);
	return SPG_ERR_BUSY;
}

static int bind_and_listen(
	struct spg_listener *listener, const char *native, const char *path)
{
	uv_os_fd_t pipe;
	int r = uv_pipe_bind(&listener->pipe, native);

	if (r == UV_EADDRINUSE || r == UV_EACCES)
		return refuse_second(path);
	if (r == 0)
		r = uv_fileno((uv_handle_t *)&listener->pipe, &pipe);
	if (r == 0) {
		int err = restrict_to(pipe, path, listener->config.gid);

		if (err < 0)
			return err;
		r = uv_listen(
			(uv_stream_t *)&listener->pipe, BACKLOG, on_uv_connection);
	}
	if (r < 0) {
		spg_error("cannot listen at %s: %s", path, uv_strerror(r));
		return r == UV_ENOMEM ? SPG_ERR_NOMEM : SPG_ERR_IO;
	}
	return 0;
}

int spg_listener_start(struct spg_listener *listener, uv_loop_t *loop,
	const struct spg_listener_config *config,
	void (*on_connection)(struct spg_listener *), void *user)
{
	char *native = NULL;
	int r;

	*listener = (struct spg_listener){.lock_fd = -1,
		.next_fd = -1,
		.config = *config,
		.on_connection = on_connection,
		.user = user};
	r = native_path(config->path, &native);
	if (r < 0)
		return r;
	if (is_served(native)) {
		r = refuse_second(config->path);
	} else if (uv_pipe_init(loop, &listener->pipe, 0) < 0) {
		r = SPG_ERR_NOMEM;
	} else {
		listener->has_pipe = true;
		listener->n_handles++;
		listener->pipe.data = listener;
		r = bind_and_listen(listener, native, config->path);
	}
	free(native);
	return r;
}

/* Nobody hands over a pipe. */
int spg_listener_start_fd(struct spg_listener *listener, uv_loop_t *loop, int fd,
	void (*on_connection)(struct spg_listener *), void *user)
{
	(void)loop;
	(void)fd;
	*listener = (struct spg_listener){.lock_fd = -1,
		.next_fd = -1,
		.on_connection = on_connection,
		.user = user};
	return SPG_ERR_UNSUPPORTED;
}

void spg_listener_stop(
	struct spg_listener *listener, void (*on_closed)(struct spg_listener *))
{
	listener->stopping = true;
	listener->on_closed = on_closed;
	if (listener->has_pipe)
		uv_close((uv_handle_t *)&listener->pipe, on_uv_closed);
	else
		on_closed(listener);
}
