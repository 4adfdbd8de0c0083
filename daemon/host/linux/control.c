/* SPDX-License-Identifier: MIT */
#include "daemon/host/control.h"

#include <signal.h>
#include <stdlib.h>

#include "common/err.h"

static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
enum { N_SIGNALS = sizeof(numbers) / sizeof(numbers[0]) };

struct spg_control {
	struct spg_control_listener listener;
	uv_signal_t signals[N_SIGNALS];
	unsigned n_open;
};

static void on_closed(uv_handle_t *handle)
{
	struct spg_control *control = handle->data;

	if (--control->n_open == 0)
		free(control);
}

static void close_all(struct spg_control *control)
{
	unsigned n = control->n_open;

	if (n == 0)
		free(control);
	for (unsigned i = 0; i < n; i++)
		uv_close((uv_handle_t *)&control->signals[i], on_closed);
}

static void on_signal(uv_signal_t *handle, int number)
{
	const struct spg_control_listener *listener =
		&((struct spg_control *)handle->data)->listener;

	if (number == SIGHUP)
		listener->on_reload(listener->user);
	else
		listener->on_stop(listener->user);
}

static int listen_to(struct spg_control *control, uv_loop_t *loop, int number)
{
	uv_signal_t *handle = &control->signals[control->n_open];

	if (uv_signal_init(loop, handle) < 0)
		return SPG_ERR_NOMEM;
	handle->data = control;
	control->n_open++;
	return uv_signal_start(handle, on_signal, number) < 0 ? SPG_ERR_IO : 0;
}

int spg_control_start(struct spg_control **ret, uv_loop_t *loop,
	const struct spg_control_listener *listener)
{
	struct spg_control *control = calloc(1, sizeof(*control));
	int r = 0;

	if (!control)
		return SPG_ERR_NOMEM;
	control->listener = *listener;
	for (int i = 0; r == 0 && i < N_SIGNALS; i++)
		r = listen_to(control, loop, numbers[i]);
	if (r < 0)
		close_all(control);
	else
		*ret = control;
	return r;
}

void spg_control_stop(struct spg_control *control)
{
	if (!control)
		return;
	close_all(control);
	/* The default would end the process. */
	signal(SIGHUP, SIG_IGN);
}
