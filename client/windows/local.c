/* SPDX-License-Identifier: MIT */
/*
 * The daemon's named pipe. Windows has no "can be read": a read is always under way, and
 * what it brought is handed on.
 */
#include "client/local.h"

#include <windows.h>

#include <aclapi.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/windows/wide.h"

#define READ_BYTES   65536
/* All instances of the pipe are taken: until the daemon has made the next. */
#define BUSY_STEP_MS 50

struct pipe {
	HANDLE handle;
	OVERLAPPED reading, writing; /* with events */
	bool is_reading, is_writing; /* an operation is under way */
	bool ended;
	size_t n, taken; /* of @in */
	char in[READ_BYTES];
};

void spg_local_hint_path(struct spg_complaint *why)
{
	spg_complaint_hint(why, "Name the pipe of spguardd: --socket //./pipe/NAME, or "
				"SPGUARD_SOCKET in the environment.");
}

/* --- connecting -------------------------------------------------------------- */

static int explain(const char *path, DWORD error, struct spg_complaint *why)
{
	switch (error) {
	case ERROR_FILE_NOT_FOUND:
		spg_complain_no_daemon(why, "there is no pipe", path);
		spg_complaint_hint(why,
			"Start it: net start spguard (or: spguardd --config FILE).");
		spg_complaint_hint(why, "If it listens elsewhere: --socket PATH, or "
					"SPGUARD_SOCKET in the environment.");
		return SPG_ERR_NOT_FOUND;
	case ERROR_ACCESS_DENIED:
		spg_complain(why, "you may not use the pipe %s", path);
		spg_complaint_hint(why,
			"Ask as an administrator (\"Run as administrator\"), or as a "
			"member of the group that the daemon's configuration names: "
			"net "
			"localgroup spguard USER /add, then log in again.");
		return SPG_ERR_DENIED;
	case ERROR_PIPE_BUSY:
	case ERROR_SEM_TIMEOUT:
		spg_complain(why, "the daemon at %s does not take connections", path);
		spg_complaint_hint(why, SPG_LOCAL_SEE_WHY);
		return SPG_ERR_TIMEOUT;
	case ERROR_INVALID_NAME:
	case ERROR_BAD_PATHNAME:
	case ERROR_PATH_NOT_FOUND:
		spg_complain(why, "%s is no name of a pipe", path);
		spg_local_hint_path(why);
		return SPG_ERR_INVALID;
	default:
		spg_complain(
			why, "cannot connect to %s: error %lu of Windows", path, error);
		return SPG_ERR_IO;
	}
}

/* The daemon may learn who asks, and act in no way as that user. */
static HANDLE open_pipe(const wchar_t *name, int64_t end)
{
	HANDLE handle;

	for (;;) {
		handle = CreateFileW(name,
			GENERIC_READ | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES, 0, NULL,
			OPEN_EXISTING,
			FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT |
				SECURITY_IDENTIFICATION,
			NULL);
		if (handle != INVALID_HANDLE_VALUE ||
			GetLastError() != ERROR_PIPE_BUSY || spg_clock_mono_ns() >= end)
			return handle;
		(void)WaitNamedPipeW(name, BUSY_STEP_MS);
	}
}

/* Anybody may make a pipe of that name while no daemon runs, and say "safe". Its owner is
 * who made it: the system or the administrators, or, of a daemon on a console, whoever
 * owns what the user who asks makes. */
static bool is_of_daemon(HANDLE pipe)
{
	union {
		TOKEN_OWNER owner;
		char bytes[sizeof(TOKEN_OWNER) + SECURITY_MAX_SID_SIZE];
	} own;
	PSECURITY_DESCRIPTOR descriptor = NULL;
	PSID owner = NULL;
	HANDLE token = NULL;
	bool is = false;
	DWORD n;

	if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner,
		    NULL, NULL, NULL, &descriptor) != ERROR_SUCCESS)
		return false;
	if (owner)
		is = IsWellKnownSid(owner, WinLocalSystemSid) ||
		     IsWellKnownSid(owner, WinBuiltinAdministratorsSid);
	if (owner && !is &&
		OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
		is = GetTokenInformation(token, TokenOwner, &own, sizeof(own), &n) &&
		     EqualSid(owner, own.owner.Owner);
		CloseHandle(token);
	}
	LocalFree(descriptor);
	return is;
}

static int refuse_stranger(
	struct pipe *pipe, const char *path, struct spg_complaint *why)
{
	CloseHandle(pipe->handle);
	free(pipe);
	spg_complain(why,
		"what serves %s was not started by an administrator: it is not asked",
		path);
	spg_complaint_hint(why, "See which program has the pipe, end it, then: "
				"net start spguard");
	return SPG_ERR_DENIED;
}

int spg_local_open(struct spg_local *local, const char *path, int64_t timeout_ns,
	struct spg_complaint *why)
{
	int64_t now = spg_clock_mono_ns();
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	wchar_t *name = spg_wide(path);
	int r = 0;

	for (wchar_t *at = name; at && *at; at++)
		if (*at == '/')
			*at = '\\';
	if (!pipe || !name) {
		spg_complain(why, "%s", name ? "out of memory" : "no valid UTF-8");
		free(pipe);
		free(name);
		return SPG_ERR_NOMEM;
	}
	pipe->handle = open_pipe(
		name, timeout_ns > INT64_MAX / 2 - now ? INT64_MAX : now + timeout_ns);
	if (pipe->handle == INVALID_HANDLE_VALUE) {
		r = explain(path, GetLastError(), why);
		free(pipe);
	} else if (!is_of_daemon(pipe->handle)) {
		r = refuse_stranger(pipe, path, why);
	} else {
		pipe->reading.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
		pipe->writing.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
		local->connection = pipe;
	}
	free(name);
	return r;
}

/* --- bytes ------------------------------------------------------------------- */

static void read_ahead(struct pipe *pipe)
{
	if (pipe->is_reading || pipe->ended || pipe->taken < pipe->n)
		return;
	pipe->n = pipe->taken = 0;
	if (ReadFile(pipe->handle, pipe->in, sizeof(pipe->in), NULL, &pipe->reading) ||
		GetLastError() == ERROR_IO_PENDING)
		pipe->is_reading = true;
	else
		pipe->ended = true;
}

/* Take what a read has brought, if it is over. */
static void collect(struct pipe *pipe)
{
	DWORD n = 0;

	if (!pipe->is_reading)
		return;
	if (GetOverlappedResult(pipe->handle, &pipe->reading, &n, FALSE)) {
		pipe->is_reading = false;
		pipe->n = n;
	} else if (GetLastError() != ERROR_IO_INCOMPLETE) {
		pipe->is_reading = false;
		pipe->ended = true;
	}
}

static bool is_ready(struct pipe *pipe, bool to_write)
{
	if (to_write)
		return !pipe->is_writing ||
		       WaitForSingleObject(pipe->writing.hEvent, 0) == WAIT_OBJECT_0;
	read_ahead(pipe);
	collect(pipe);
	return pipe->ended || pipe->taken < pipe->n;
}

int spg_local_wait(struct spg_local *local, bool to_write, int wake, int64_t timeout_ns)
{
	struct pipe *pipe = local->connection;
	HANDLE handles[2] = {to_write ? pipe->writing.hEvent : pipe->reading.hEvent,
		(HANDLE)(intptr_t)wake};
	DWORD ms = timeout_ns == INT64_MAX
	                   ? INFINITE
	                   : (DWORD)((timeout_ns + SPG_NS_PER_MS - 1) / SPG_NS_PER_MS);

	if (is_ready(pipe, to_write))
		return 0;
	switch (WaitForMultipleObjects(wake >= 0 ? 2 : 1, handles, FALSE, ms)) {
	case WAIT_OBJECT_0:
		return 0;
	case WAIT_OBJECT_0 + 1:
		return SPG_LOCAL_WOKEN;
	case WAIT_TIMEOUT:
		return SPG_ERR_TIMEOUT;
	default:
		errno = EIO;
		return SPG_ERR_IO;
	}
}

ssize_t spg_local_send(struct spg_local *local, const void *bytes, size_t n)
{
	struct pipe *pipe = local->connection;
	DWORD done = 0;

	if (!pipe->is_writing &&
		!WriteFile(pipe->handle, bytes, n > READ_BYTES ? READ_BYTES : (DWORD)n,
			NULL, &pipe->writing) &&
		GetLastError() != ERROR_IO_PENDING) {
		errno = EPIPE;
		return -1;
	}
	pipe->is_writing = true;
	if (!GetOverlappedResult(pipe->handle, &pipe->writing, &done, FALSE)) {
		if (GetLastError() == ERROR_IO_INCOMPLETE) {
			errno = EAGAIN;
			return -1;
		}
		pipe->is_writing = false;
		errno = EPIPE;
		return -1;
	}
	pipe->is_writing = false;
	return (ssize_t)done;
}

ssize_t spg_local_receive(struct spg_local *local, void *ret, size_t n)
{
	struct pipe *pipe = local->connection;

	collect(pipe);
	if (pipe->taken == pipe->n) {
		errno = EAGAIN;
		return pipe->ended ? 0 : -1;
	}
	if (n > pipe->n - pipe->taken)
		n = pipe->n - pipe->taken;
	memcpy(ret, pipe->in + pipe->taken, n);
	pipe->taken += n;
	return (ssize_t)n;
}

bool spg_local_is_open(const struct spg_local *local)
{
	return local->connection != NULL;
}

void spg_local_close(struct spg_local *local)
{
	struct pipe *pipe = local->connection;
	DWORD n;

	local->connection = NULL;
	if (!pipe)
		return;
	/* The kernel writes into @pipe until then. */
	CancelIo(pipe->handle);
	if (pipe->is_reading)
		(void)GetOverlappedResult(pipe->handle, &pipe->reading, &n, TRUE);
	if (pipe->is_writing)
		(void)GetOverlappedResult(pipe->handle, &pipe->writing, &n, TRUE);
	CloseHandle(pipe->handle);
	CloseHandle(pipe->reading.hEvent);
	CloseHandle(pipe->writing.hEvent);
	free(pipe);
}
