/* SPDX-License-Identifier: MIT */
#include "daemon/watch/windows/exits.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <windows.h>

#include "common/err.h"
#include "daemon/watch/windows/process.h"

struct waited {
	struct spg_proc_id id;
	HANDLE process, wait;
	struct spg_win_exits *exits;
	atomic_bool ended;
	struct waited *next;
};

struct spg_win_exits {
	struct spg_watch_listener listener;
	uv_async_t async;
	struct waited *waited;
	void (*on_closed)(void *user);
	void *user;
};

/* The thread pool. */
static void CALLBACK on_end(void *arg, BOOLEAN timed_out)
{
	struct waited *waited = arg;

	(void)timed_out;
	atomic_store(&waited->ended, true);
	uv_async_send(&waited->exits->async);
}

/* Waits for a callback that runs. */
static void destroy(struct waited *waited)
{
	if (waited->wait)
		UnregisterWaitEx(waited->wait, INVALID_HANDLE_VALUE);
	CloseHandle(waited->process);
	free(waited);
}

static struct waited *take_ended(struct spg_win_exits *exits)
{
	for (struct waited **at = &exits->waited; *at; at = &(*at)->next)
		if (atomic_load(&(*at)->ended)) {
			struct waited *waited = *at;

			*at = waited->next;
			return waited;
		}
	return NULL;
}

static void on_async(uv_async_t *async)
{
	struct spg_win_exits *exits = async->data;
	struct waited *waited;

	/* The listener may have others waited for. */
	while ((waited = take_ended(exits))) {
		struct spg_proc_id id = waited->id;

		destroy(waited);
		if (exits->listener.on_exit && !exits->on_closed)
			exits->listener.on_exit(exits->listener.user, id);
	}
}

int spg_win_exits_start(struct spg_win_exits **ret, uv_loop_t *loop,
	const struct spg_watch_listener *listener)
{
	struct spg_win_exits *exits = calloc(1, sizeof(*exits));

	if (!exits)
		return SPG_ERR_NOMEM;
	exits->listener = *listener;
	if (uv_async_init(loop, &exits->async, on_async) < 0) {
		free(exits);
		return SPG_ERR_IO;
	}
	exits->async.data = exits;
	*ret = exits;
	return 0;
}

static int translate(DWORD error)
{
	return error == ERROR_INVALID_PARAMETER ? SPG_WATCH_GONE
	       : error == ERROR_ACCESS_DENIED   ? SPG_ERR_DENIED
	                                        : SPG_ERR_IO;
}

/* Returns 0, SPG_WATCH_GONE: it is another one, or has ended; or a negative spg_err. */
static int open_process(struct spg_proc_id id, HANDLE *ret)
{
	HANDLE process = OpenProcess(
		SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)id.pid);
	uint64_t created;

	if (!process)
		return translate(GetLastError());
	created = spg_win_process_created(process);
	if (created == id.start && WaitForSingleObject(process, 0) == WAIT_TIMEOUT) {
		*ret = process;
		return 0;
	}
	CloseHandle(process);
	return created == 0 ? SPG_ERR_DENIED : SPG_WATCH_GONE;
}

int spg_win_exits_watch(struct spg_win_exits *exits, struct spg_proc_id id)
{
	struct waited *waited;
	int r;

	for (waited = exits->waited; waited; waited = waited->next)
		if (spg_proc_id_equal(waited->id, id))
			return 0;
	waited = calloc(1, sizeof(*waited));
	if (!waited)
		return SPG_ERR_NOMEM;
	waited->id = id;
	waited->exits = exits;
	r = open_process(id, &waited->process);
	if (r != 0) {
		free(waited);
		return r;
	}
	if (!RegisterWaitForSingleObject(&waited->wait, waited->process, on_end, waited,
		    INFINITE, WT_EXECUTEONLYONCE)) {
		destroy(waited);
		return SPG_ERR_NOMEM;
	}
	waited->next = exits->waited;
	exits->waited = waited;
	return 0;
}

static void on_async_closed(uv_handle_t *handle)
{
	struct spg_win_exits *exits = handle->data;
	void (*on_closed)(void *user) = exits->on_closed;
	void *user = exits->user;

	free(exits);
	on_closed(user);
}

void spg_win_exits_stop(
	struct spg_win_exits *exits, void (*on_closed)(void *user), void *user)
{
	if (!exits) {
		on_closed(user);
		return;
	}
	exits->on_closed = on_closed;
	exits->user = user;
	while (exits->waited) {
		struct waited *next = exits->waited->next;

		destroy(exits->waited);
		exits->waited = next;
	}
	uv_close((uv_handle_t *)&exits->async, on_async_closed);
}
