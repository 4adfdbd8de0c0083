/* SPDX-License-Identifier: MIT */
#include "daemon/host/control.h"

#include <stdlib.h>

#include <windows.h>

#include "common/err.h"
#include "daemon/host/windows/manager.h"

struct spg_control {
	struct spg_control_listener listener;
	uv_async_t async;
};

/* On a thread of the system's own. When this returns for the last three, Windows ends the
 * process at once; if the daemon has not ended by itself in time, Windows does it too. */
static BOOL WINAPI on_console(DWORD event)
{
	spg_manager_ask(SPG_MANAGER_STOP);
	if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT ||
		event == CTRL_SHUTDOWN_EVENT)
		Sleep(INFINITE);
	return TRUE;
}

static void on_async(uv_async_t *async)
{
	struct spg_control *control = async->data;
	const struct spg_control_listener listener = control->listener;
	unsigned requests = spg_manager_take();

	if (requests & SPG_MANAGER_STOP)
		listener.on_stop(listener.user);
	else if (requests & SPG_MANAGER_RELOAD)
		listener.on_reload(listener.user);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int spg_control_start(struct spg_control **ret, uv_loop_t *loop,
	const struct spg_control_listener *listener)
{
	struct spg_control *control = calloc(1, sizeof(*control));

	if (!control)
		return SPG_ERR_NOMEM;
	control->listener = *listener;
	if (uv_async_init(loop, &control->async, on_async) < 0) {
		free(control);
		return SPG_ERR_NOMEM;
	}
	control->async.data = control;
	/* A service has no console, and gets the events of each user who logs off. */
	if (!spg_manager_is_there())
		(void)SetConsoleCtrlHandler(on_console, TRUE);
	spg_manager_wake(&control->async);
	*ret = control;
	return 0;
}

void spg_control_stop(struct spg_control *control)
{
	if (!control)
		return;
	spg_manager_wake(NULL);
	uv_close((uv_handle_t *)&control->async, on_closed);
}
