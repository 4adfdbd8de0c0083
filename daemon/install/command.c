/* SPDX-License-Identifier: MIT */
#include "daemon/install/command.h"

#include <stdlib.h>

#include "common/err.h"

#define STACK_BYTES (256U << 10)

/* Not libuv's own threads: where those cannot be made, it ends the program. */
struct question {
	uv_thread_t thread;
	uv_async_t ready; /* its ->data is the question */
	struct spg_watch *watch;
	struct spg_process *process; /* a reference */
	spg_command_done *done;
	void *user;
	bool known;
	char cmdline[SPG_COMMAND_MAX + 1];
};

static void destroy(struct question *q)
{
	spg_process_unref(q->process);
	free(q);
}

static void ask(void *arg)
{
	struct question *q = arg;

	q->known = q->watch->ops->command(
		q->watch, q->process, q->cmdline, sizeof(q->cmdline));
	uv_async_send(&q->ready);
}

static void on_closed(uv_handle_t *handle)
{
	struct question *q = handle->data;

	q->done(q->user, q->process, q->known ? q->cmdline : NULL);
	destroy(q);
}

static void on_not_begun(uv_handle_t *handle)
{
	destroy(handle->data);
}

static void on_ready(uv_async_t *ready)
{
	struct question *q = ready->data;

	uv_thread_join(&q->thread);
	uv_close((uv_handle_t *)ready, on_closed);
}

int spg_command_ask(uv_loop_t *loop, struct spg_watch *watch,
	struct spg_process *process, spg_command_done *done, void *user)
{
	const uv_thread_options_t options = {
		.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_BYTES};
	struct question *q;

	if (!watch->ops->command)
		return SPG_ERR_UNSUPPORTED;
	q = calloc(1, sizeof(*q));
	if (!q)
		return SPG_ERR_NOMEM;
	q->watch = watch;
	q->process = spg_process_ref(process);
	q->done = done;
	q->user = user;
	q->ready.data = q;
	if (uv_async_init(loop, &q->ready, on_ready) < 0) {
		destroy(q);
		return SPG_ERR_NOMEM;
	}
	if (uv_thread_create_ex(&q->thread, &options, ask, q) == 0)
		return 0;
	uv_close((uv_handle_t *)&q->ready, on_not_begun);
	return SPG_ERR_NOMEM;
}
