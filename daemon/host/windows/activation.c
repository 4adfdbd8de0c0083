/* SPDX-License-Identifier: MIT */
#include "daemon/host/activation.h"

/* The Service Control Manager opens no sockets for others. */
int spg_activation_begin(int first)
{
	(void)first;
	return 0;
}

bool spg_activation_has(const char *name)
{
	(void)name;
	return false;
}

int spg_activation_take(const char *name)
{
	(void)name;
	return -1;
}

void spg_activation_expect(int fd, const char *path)
{
	(void)fd;
	(void)path;
}

void spg_activation_end(void)
{
}
