/* SPDX-License-Identifier: MIT */
#include "daemon/model/event.h"

#include <stdlib.h>

#include "common/array.h"
#include "common/err.h"

struct spg_event *spg_event_create(enum spg_event_kind kind, int64_t at_ns,
	struct spg_file *file, struct spg_process *process)
{
	struct spg_event *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	atomic_init(&event->refs, 1);
	event->kind = kind;
	event->kinds = SPG_EVENT_BIT(kind);
	event->at_ns = at_ns;
	event->file = spg_file_ref(file);
	event->process = spg_process_ref(process);
	return event;
}

struct spg_event *spg_event_ref(struct spg_event *event)
{
	if (event)
		atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
	return event;
}

void spg_event_unref(struct spg_event *event)
{
	if (!event ||
		atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) != 1)
		return;
	spg_file_unref(event->file);
	spg_process_unref(event->process);
	free(event->product);
	free(event->detail);
	spg_notes_finish(&event->reasons);
	free(event);
}

int spg_event_list_add(struct spg_event_list *list, struct spg_event *event)
{
	if (!event || spg_array_reserve(&list->events, list->n, &list->size,
			      sizeof(*list->events)) < 0) {
		spg_event_unref(event);
		return SPG_ERR_NOMEM;
	}
	list->events[list->n++] = event;
	return 0;
}

void spg_event_list_finish(struct spg_event_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		spg_event_unref(list->events[i]);
	free(list->events);
	*list = (struct spg_event_list)SPG_EVENT_LIST_NULL;
}
