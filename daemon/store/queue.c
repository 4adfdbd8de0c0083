/* SPDX-License-Identifier: MIT */
#include "daemon/store/writer.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

static void add_end(struct spg_loss *loss, struct spg_lost_end end)
{
	if (loss->n_ends >= SPG_STORE_LOST_ENDS ||
		spg_array_reserve(&loss->ends, loss->n_ends, &loss->size_ends,
			sizeof(*loss->ends)) < 0)
		loss->more_ends = true;
	else
		loss->ends[loss->n_ends++] = end;
}

void spg_store_note_dropped(struct spg_store_status *status, int64_t at_ns)
{
	if (status->dropped == 0 || at_ns < status->dropped_since_ns)
		status->dropped_since_ns = at_ns;
	if (status->dropped == 0 || at_ns > status->dropped_until_ns)
		status->dropped_until_ns = at_ns;
	status->dropped++;
}

void spg_loss_add(
	struct spg_loss *loss, const struct spg_event *event, enum spg_loss_why why)
{
	if (loss->count == 0 || event->at_ns < loss->first_ns)
		loss->first_ns = event->at_ns;
	if (loss->count == 0 || event->at_ns > loss->last_ns)
		loss->last_ns = event->at_ns;
	if (event->id > loss->last_id)
		loss->last_id = event->id;
	loss->count++;
	loss->why |= why;
	if (event->interval != 0 &&
		(event->kind == SPG_EVENT_USE_END || event->kind == SPG_EVENT_UNLOCK))
		add_end(loss, (struct spg_lost_end){event->interval, event->at_ns});
}

void spg_loss_merge(struct spg_loss *loss, struct spg_loss *from)
{
	if (from->count == 0)
		return;
	if (loss->count == 0) {
		spg_loss_finish(loss);
		*loss = *from;
		*from = (struct spg_loss){0};
		return;
	}
	if (from->first_ns < loss->first_ns)
		loss->first_ns = from->first_ns;
	if (from->last_ns > loss->last_ns)
		loss->last_ns = from->last_ns;
	if (from->last_id > loss->last_id)
		loss->last_id = from->last_id;
	loss->count += from->count;
	loss->why |= from->why;
	loss->more_ends |= from->more_ends;
	for (size_t i = 0; i < from->n_ends; i++)
		add_end(loss, from->ends[i]);
	spg_loss_finish(from);
}

void spg_loss_finish(struct spg_loss *loss)
{
	free(loss->ends);
	*loss = (struct spg_loss){0};
}

void spg_command_list_init(struct spg_command_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void spg_command_list_add(struct spg_command_list *list, struct spg_command *command)
{
	command->next = NULL;
	*list->end = command;
	list->end = &command->next;
}

void spg_command_list_append(
	struct spg_command_list *list, struct spg_command_list *from)
{
	if (!from->first)
		return;
	*list->end = from->first;
	list->end = from->end;
	spg_command_list_init(from);
}

struct spg_command *spg_command_list_take(struct spg_command_list *list)
{
	struct spg_command *command = list->first;

	if (!command)
		return NULL;
	list->first = command->next;
	if (!list->first)
		list->end = &list->first;
	command->next = NULL;
	return command;
}

static bool copy_text(const char **text)
{
	if (!*text)
		return true;
	*text = strdup(*text);
	return *text != NULL;
}

static char **copy_texts(const char *const *texts, size_t n)
{
	char **copies = calloc(n, sizeof(*copies));

	for (size_t i = 0; copies && i < n; i++) {
		copies[i] = strdup(texts[i]);
		if (copies[i])
			continue;
		while (i-- > 0)
			free(copies[i]);
		free(copies);
		return NULL;
	}
	return copies;
}

struct spg_command *spg_command_create(const struct spg_store_query *query)
{
	struct spg_command *command = calloc(1, sizeof(*command));
	struct spg_store_query *q;

	if (!command)
		return NULL;
	if (!query)
		return command;
	command->kind = SPG_COMMAND_QUERY;
	q = &command->query;
	*q = *query;
	/* The borrowed texts go one by one: a half built one can be destroyed. */
	q->paths = NULL;
	q->product = NULL;
	if (!copy_text(&q->process_name))
		goto out;
	q->product = query->product;
	if (!copy_text(&q->product))
		goto out;
	q->n_paths = 0;
	if (query->n_paths > 0) {
		q->paths =
			(const char *const *)copy_texts(query->paths, query->n_paths);
		if (!q->paths)
			goto out;
		q->n_paths = query->n_paths;
	}
	return command;
out:
	spg_command_destroy(command);
	return NULL;
}

void spg_command_destroy(struct spg_command *command)
{
	if (!command)
		return;
	for (size_t i = 0; i < command->query.n_paths; i++)
		free((char *)command->query.paths[i]);
	free((char **)command->query.paths);
	free((char *)command->query.process_name);
	free((char *)command->query.product);
	spg_event_list_finish(&command->page.events);
	if (command->job.release)
		command->job.release(command->job.data);
	free(command);
}
