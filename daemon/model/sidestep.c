/* SPDX-License-Identifier: MIT */
#include "daemon/model/sidestep.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/text.h"

void spg_sidestep_finish(struct spg_sidestep *sidestep)
{
	free(sidestep->product);
	free(sidestep->path);
	free(sidestep->old_path);
	free(sidestep->detail);
	*sidestep = (struct spg_sidestep){0};
}

int spg_sidestep_copy(const struct spg_sidestep *from, struct spg_sidestep *to)
{
	*to = *from;
	to->product = from->product ? strdup(from->product) : NULL;
	to->path = from->path ? strdup(from->path) : NULL;
	to->old_path = from->old_path ? strdup(from->old_path) : NULL;
	to->detail = from->detail ? strdup(from->detail) : NULL;
	if (!to->product == !from->product && !to->path == !from->path &&
		!to->old_path == !from->old_path && !to->detail == !from->detail)
		return 0;
	spg_sidestep_finish(to);
	return SPG_ERR_NOMEM;
}

struct spg_event *spg_sidestep_event(const struct spg_sidestep *sidestep, int64_t at_ns)
{
	struct spg_file *file = spg_file_create(sidestep->path, sidestep->file);
	struct spg_event *event =
		spg_event_create(SPG_EVENT_SIDESTEP, at_ns, file, NULL);
	struct spg_buf detail = SPG_BUF_NULL;

	spg_file_unref(file);
	if (!event)
		return NULL;
	spg_buf_printf(&detail, "number %lld %s: ", (long long)sidestep->id,
		spg_sidestep_state_name(sidestep->state));
	spg_text_escape(&detail, spg_path_base(sidestep->old_path), false);
	event->subject = sidestep->id;
	event->sidestep = sidestep->state;
	event->detail = spg_buf_take(&detail);
	event->product = strdup(sidestep->product);
	event->durable = true;
	return event;
}
