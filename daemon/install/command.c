/* SPDX-License-Identifier: MIT */
#include "daemon/install/command.h"

#include <stdlib.h>

#include "common/err.h"

struct question {
	uv_work_t work;
	struct spg_watch *watch;
	struct spg_process *process; /* a reference */
	spg_command_done *done;
	void *user;
	bool known;
	char cmdline[SPG_COMMAND_MAX + 1];
};

static void ask(uv_work_t *work)
{
	struct question *q = work->data;

	q->known = q->watch->ops->command(
		q->watch, q->process, q->cmdline, sizeof(q->cmdline));
}

static void answer(uv_work_t *work, int status)
{
	struct question *q = work->data;

	q->done(q->user, q->process, status == 0 && q->known ? q->cmdline : NULL);
	spg_process_unref(q->process);
	free(q);
}

int spg_command_ask(uv_loop_t *loop, struct spg_watch *watch,
	struct spg_process *process, spg_command_done *done, void *user)
{
	struct question *q;

	if (!watch->ops->command)
		return SPG_ERR_UNSUPPORTED;
	q = calloc(1, sizeof(*q));
	if (!q)
		return SPG_ERR_NOMEM;
	q->work.data = q;
	q->watch = watch;
	q->process = spg_process_ref(process);
	q->done = done;
	q->user = user;
	if (uv_queue_work(loop, &q->work, ask, answer) == 0)
		return 0;
	spg_process_unref(process);
	free(q);
	return SPG_ERR_NOMEM;
}
