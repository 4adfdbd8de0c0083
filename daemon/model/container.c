/* SPDX-License-Identifier: MIT */
#include "daemon/model/container.h"

#include <string.h>

#include "common/text.h"

/* Engines take the beginning of a long number for the whole, as they show it. */
#define LONG_NUMBER  64
#define SHORT_NUMBER 12

/* '%' stands for the container. */
static const struct {
	enum spg_container_engine engine;
	const char *stop;
	const char *go_on; /* of a paused one; NULL: stopping it does */
} tools[] = {
	{SPG_CONTAINER_DOCKER, "docker stop %", "docker unpause %"},
	{SPG_CONTAINER_PODMAN, "podman stop %", "podman unpause %"},
	{SPG_CONTAINER_KUBERNETES, "crictl stop %", NULL},
	{SPG_CONTAINER_CONTAINERD, "tasks kill --all --signal SIGKILL %",
		"tasks resume %"},
	{SPG_CONTAINER_NERDCTL, "nerdctl stop %", "nerdctl unpause %"},
	{SPG_CONTAINER_LXC, "lxc-stop -n %", "lxc-unfreeze -n %"},
	{SPG_CONTAINER_MACHINE, "machinectl poweroff %", NULL},
	{SPG_CONTAINER_LIBVIRT, "virsh shutdown %", "virsh resume %"},
	{SPG_CONTAINER_LIBVIRT_LXC, "virsh -c lxc:/// shutdown %", NULL},
};

/* A user's engine answers that user alone, and not in a directory that is closed to
 * him. */
static void put_tool(struct spg_buf *buf, const struct spg_process *process,
	const char *words, const char *container)
{
	const char *hole = strchr(words, '%');

	if (process->unit_user) {
		spg_buf_puts(buf, "runuser -u ");
		spg_text_shell_quote(buf, process->unit_user);
		spg_buf_puts(buf, " -- ");
	}
	if (process->engine == SPG_CONTAINER_CONTAINERD) {
		size_t len = strcspn(process->container, "/");
		struct spg_buf space = SPG_BUF_NULL;

		spg_buf_add(&space, process->container, len);
		spg_buf_puts(buf, "ctr --namespace ");
		spg_text_shell_quote(buf, spg_buf_text(&space));
		spg_buf_puts(buf, " ");
		buf->failed = buf->failed || space.failed;
		spg_buf_finish(&space);
	}
	if (process->engine == SPG_CONTAINER_DOCKER && process->unit_user) {
		/* dockerd-rootless-setuptool.sh(1) makes this context. */
		spg_buf_puts(buf, "docker --context rootless");
		words += strlen("docker");
	}
	spg_buf_add(buf, words, (size_t)(hole - words));
	spg_text_shell_quote(buf, container);
}

bool spg_container_put_stop(
	struct spg_buf *buf, const struct spg_process *process, bool frozen)
{
	struct spg_buf container = SPG_BUF_NULL;
	const char *name = process->container;
	size_t i = 0, n = sizeof(tools) / sizeof(tools[0]);

	while (i < n && tools[i].engine != process->engine)
		i++;
	if (i == n || !name)
		return false;
	if (process->engine == SPG_CONTAINER_CONTAINERD)
		spg_buf_puts(&container, spg_path_base(name));
	else
		spg_buf_add(&container, name,
			strlen(name) == LONG_NUMBER ? SHORT_NUMBER : strlen(name));
	if (process->unit_user)
		spg_buf_puts(buf, "cd / && ");
	if (frozen && tools[i].go_on) {
		/* Somebody else than the engine may have frozen it: then this fails. */
		put_tool(buf, process, tools[i].go_on, spg_buf_text(&container));
		spg_buf_puts(buf, "; ");
	}
	put_tool(buf, process, tools[i].stop, spg_buf_text(&container));
	buf->failed = buf->failed || container.failed;
	spg_buf_finish(&container);
	return true;
}

const char *spg_container_caution(enum spg_container_engine engine)
{
	return engine == SPG_CONTAINER_KUBERNETES
	               ? "the kubelet starts it again: kubectl drain this node, or "
	                 "scale its workload down"
	               : NULL;
}
