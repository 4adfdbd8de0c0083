/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/proc.h"

#include <inttypes.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A direct-mapped cache: a server has few users who hold files. */
#define SLOTS 64

struct slot {
	bool used, asked; /* asked: the directory service has been asked too */
	uint32_t uid;
	char name[48];
};

struct spg_users {
	pthread_mutex_t lock;
	struct slot slots[SLOTS];
};

struct spg_users *spg_users_create(void)
{
	struct spg_users *users = calloc(1, sizeof(*users));

	if (users)
		pthread_mutex_init(&users->lock, NULL);
	return users;
}

void spg_users_destroy(struct spg_users *users)
{
	if (!users)
		return;
	pthread_mutex_destroy(&users->lock);
	free(users);
}

/* The local file only: the name service may go over the network. */
static bool find_local(uint32_t uid, char *name, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd entry, *found = NULL;
	char text[1024];

	if (!file)
		return false;
	while (fgetpwent_r(file, &entry, text, sizeof(text), &found) == 0)
		if (found->pw_uid == uid)
			break;
	fclose(file);
	if (!found || found->pw_uid != uid)
		return false;
	snprintf(name, size, "%s", found->pw_name);
	return true;
}

static bool find_anywhere(uint32_t uid, char *name, size_t size)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(uid, &entry, text, sizeof(text), &found) != 0 || !found)
		return false;
	snprintf(name, size, "%s", found->pw_name);
	return true;
}

void spg_users_name(
	struct spg_users *users, uint32_t uid, bool may_block, char *buf, size_t size)
{
	struct slot *slot = &users->slots[uid % SLOTS];
	struct slot fresh = {.used = true, .asked = may_block, .uid = uid};

	pthread_mutex_lock(&users->lock);
	if (slot->used && slot->uid == uid && (slot->asked || !may_block)) {
		snprintf(buf, size, "%s", slot->name);
		pthread_mutex_unlock(&users->lock);
		return;
	}
	pthread_mutex_unlock(&users->lock);

	if (!find_local(uid, fresh.name, sizeof(fresh.name)) &&
		!(may_block && find_anywhere(uid, fresh.name, sizeof(fresh.name))))
		snprintf(fresh.name, sizeof(fresh.name), "%" PRIu32, uid);
	snprintf(buf, size, "%s", fresh.name);
	pthread_mutex_lock(&users->lock);
	*slot = fresh;
	pthread_mutex_unlock(&users->lock);
}
