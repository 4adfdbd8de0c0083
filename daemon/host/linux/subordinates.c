/* SPDX-License-Identifier: MIT */
#include "daemon/host/subordinates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

/* "OWNER:FIRST:COUNT". The numbers of an owner who has several ranges are one user. */
struct owners {
	struct owner {
		char *name;
		uint32_t account;
	} * all;
	size_t n, size;
};

static uint32_t account_of(struct owners *owners, const char *name, uint32_t first)
{
	for (size_t i = 0; i < owners->n; i++)
		if (strcmp(owners->all[i].name, name) == 0)
			return owners->all[i].account;
	if (spg_array_reserve(&owners->all, owners->n, &owners->size,
		    sizeof(*owners->all)) == 0) {
		char *copy = strdup(name);

		if (copy)
			owners->all[owners->n++] = (struct owner){copy, first};
	}
	return first;
}

static void take_line(struct spg_subordinates *s, struct owners *owners, char *line)
{
	char *numbers = strchr(line, ':');
	uint32_t first, count;

	if (!numbers || sscanf(numbers, ":%" SCNu32 ":%" SCNu32, &first, &count) != 2 ||
		spg_array_reserve(&s->ranges, s->n, &s->size, sizeof(*s->ranges)) < 0)
		return;
	*numbers = '\0';
	s->ranges[s->n++] = (struct spg_subordinate_range){
		first, count, account_of(owners, line, first)};
}

static void read_again(struct spg_subordinates *s)
{
	FILE *file = fopen(s->path, "re");
	struct owners owners = {.n = 0};
	char *line = NULL;
	size_t size = 0;

	s->n = 0;
	while (file && getline(&line, &size, file) > 0)
		take_line(s, &owners, line);
	free(line);
	if (file)
		fclose(file);
	while (owners.n > 0)
		free(owners.all[--owners.n].name);
	free(owners.all);
}

static int is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

uint32_t spg_subordinates_account(struct spg_subordinates *s, uint32_t uid)
{
	struct stat now = {.st_ino = 0};

	(void)stat(s->path, &now);
	if (!is_same(&now, &s->read)) {
		s->read = now;
		read_again(s);
	}
	for (size_t i = 0; i < s->n; i++)
		if (uid >= s->ranges[i].first &&
			uid - s->ranges[i].first < s->ranges[i].count)
			return s->ranges[i].account;
	return uid;
}

void spg_subordinates_finish(struct spg_subordinates *s)
{
	free(s->ranges);
	*s = (struct spg_subordinates){.path = s->path};
}
