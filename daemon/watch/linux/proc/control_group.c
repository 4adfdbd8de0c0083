/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/proc/control_group.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Groups lie no deeper that matter. */
#define DEPTH_MAX 32

struct name {
	const char *text;
	size_t len;
};

struct path {
	struct name names[DEPTH_MAX];
	size_t n;
	bool cut; /* it begins above the root of our own namespace */
};

static bool begins(struct name name, const char *with)
{
	size_t n = strlen(with);

	return name.len > n && memcmp(name.text, with, n) == 0;
}

static bool ends(struct name name, const char *with)
{
	size_t n = strlen(with);

	return name.len > n && memcmp(name.text + name.len - n, with, n) == 0;
}

static bool is(struct name name, const char *text)
{
	return name.len == strlen(text) && memcmp(name.text, text, name.len) == 0;
}

static struct name without(struct name name, const char *start, const char *end)
{
	return (struct name){
		name.text + strlen(start), name.len - strlen(start) - strlen(end)};
}

/* What no engine would take for an option, and fits. */
static bool is_usable(struct name name, size_t size)
{
	return name.len > 0 && name.len < size &&
	       isalnum((unsigned char)name.text[0]) != 0;
}

static struct path split(struct name text)
{
	struct path path = {.n = 0};

	for (size_t at = 0; at < text.len && path.n < DEPTH_MAX;) {
		size_t len = 0;

		at += text.text[at] == '/';
		while (at + len < text.len && text.text[at + len] != '/')
			len++;
		if (len == 0)
			break;
		if (len == 2 && path.n == 0 && memcmp(text.text + at, "..", 2) == 0)
			path.cut = true;
		else
			path.names[path.n++] = (struct name){text.text + at, len};
		at += len;
	}
	return path;
}

/* The slice @name may lie in the slice @in (NULL: in the root), systemd.slice(5). */
static bool nests(struct name name, const struct name *in)
{
	struct name stem = without(name, "", ".slice");

	if (!in)
		return !memchr(stem.text, '-', stem.len);
	return stem.len > in->len - strlen(".slice") &&
	       memcmp(stem.text, in->text, in->len - strlen(".slice")) == 0 &&
	       stem.text[in->len - strlen(".slice")] == '-';
}

/* Where the slices that begin at @at end. */
static size_t skip_slices(const struct path *path, size_t at)
{
	size_t first = at;

	while (at < path->n && ends(path->names[at], ".slice") &&
		((at == first && path->cut) ||
			nests(path->names[at],
				at > first ? &path->names[at - 1] : NULL)))
		at++;
	return at;
}

/* --- containers ---------------------------------------------------------------- */

/* Groups that are named after the container within them. */
static const struct {
	const char *start, *end;
	enum spg_container_engine engine;
} named[] = {
	{"docker-", ".scope", SPG_CONTAINER_DOCKER},
	{"libpod-conmon-", ".scope", SPG_CONTAINER_PODMAN},
	{"libpod-", ".scope", SPG_CONTAINER_PODMAN},
	{"cri-containerd-", ".scope", SPG_CONTAINER_KUBERNETES},
	{"crio-conmon-", ".scope", SPG_CONTAINER_KUBERNETES},
	{"crio-", ".scope", SPG_CONTAINER_KUBERNETES},
	{"nerdctl-", ".scope", SPG_CONTAINER_NERDCTL},
	{"machine-qemu\\x2d", ".scope", SPG_CONTAINER_LIBVIRT},
	{"machine-lxc\\x2d", ".scope", SPG_CONTAINER_LIBVIRT_LXC},
	{"machine-", ".scope", SPG_CONTAINER_MACHINE},
	{"systemd-nspawn@", ".service", SPG_CONTAINER_MACHINE},
	{"lxc.payload.", "", SPG_CONTAINER_LXC},
	{"lxc.monitor.", "", SPG_CONTAINER_LXC},
	{"libpod-conmon-", "", SPG_CONTAINER_PODMAN},
	{"libpod-", "", SPG_CONTAINER_PODMAN},
};

/* Groups in the root, and who names the groups in them after containers. */
static const struct {
	const char *parent;
	enum spg_container_engine engine;
} parents[] = {
	{"docker", SPG_CONTAINER_DOCKER},
	{"actions_job", SPG_CONTAINER_DOCKER},
	{"lxc", SPG_CONTAINER_LXC},
	{"lxc.payload", SPG_CONTAINER_LXC},
	{"lxc.monitor", SPG_CONTAINER_LXC},
	{"libpod_parent", SPG_CONTAINER_PODMAN},
	{"garden", SPG_CONTAINER_OTHER},
};

/* 64 hexadecimal digits: what engines number containers by. */
static bool is_number(struct name name)
{
	if (name.len != 64)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!isxdigit((unsigned char)name.text[i]))
			return false;
	return true;
}

static bool take_container(enum spg_container_engine engine, struct name name,
	struct spg_control_group *ret)
{
	if (!is_usable(name, sizeof(ret->container)))
		return false;
	ret->engine = engine;
	snprintf(ret->container, sizeof(ret->container), "%.*s", (int)name.len,
		name.text);
	return true;
}

/* libvirt numbers its machines: "1\x2dname". */
static struct name without_number(struct name name)
{
	size_t digits = 0;

	while (digits < name.len && isdigit((unsigned char)name.text[digits]))
		digits++;
	if (digits > 0 && name.len > digits + 4 &&
		memcmp(name.text + digits, "\\x2d", 4) == 0)
		digits += 4;
	else
		digits = 0;
	return (struct name){name.text + digits, name.len - digits};
}

/* The name of a unit says '-' by "\x2d" (systemd-escape(1)). */
static void unescape(char *text)
{
	char *to = text;
	unsigned byte;

	for (const char *from = text; *from; to++) {
		if (strncmp(from, "\\x", 2) == 0 && isxdigit((unsigned char)from[2]) &&
			isxdigit((unsigned char)from[3]) &&
			sscanf(from + 2, "%2x", &byte) == 1 && byte != 0) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool find_named(struct name name, struct spg_control_group *ret)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		struct name rest;

		if (!begins(name, named[i].start) ||
			(named[i].end[0] && !ends(name, named[i].end)) ||
			name.len <= strlen(named[i].start) + strlen(named[i].end))
			continue;
		rest = without(name, named[i].start, named[i].end);
		if (named[i].engine == SPG_CONTAINER_LIBVIRT ||
			named[i].engine == SPG_CONTAINER_LIBVIRT_LXC)
			rest = without_number(rest);
		if (!take_container(named[i].engine, rest, ret))
			continue;
		if (named[i].end[0])
			unescape(ret->container);
		return true;
	}
	return false;
}

/* Below the groups of Kubernetes: the innermost name that is a number, or a scope. */
static bool find_pod(const struct path *path, struct spg_control_group *ret)
{
	bool found = false;

	for (size_t i = 1; i < path->n && !found; i++) {
		found = find_named(path->names[i], ret) ||
		        (is_number(path->names[i]) &&
				take_container(
					SPG_CONTAINER_KUBERNETES, path->names[i], ret));
		if (found)
			ret->engine = SPG_CONTAINER_KUBERNETES;
	}
	return found;
}

/* "kubepods-burstable-pod1.slice:cri-containerd:NUMBER": what an engine makes of a path
 * for systemd where its own driver is set for plain groups. */
static bool find_colons(const struct path *path, struct spg_control_group *ret)
{
	static const char *const marks[] = {":cri-containerd:", ":crio:", ":docker:"};

	for (size_t i = 0; i < path->n; i++)
		for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++) {
			struct name name = path->names[i];
			const char *at =
				memmem(name.text, name.len, marks[k], strlen(marks[k]));
			struct name number;

			if (!at)
				continue;
			at += strlen(marks[k]);
			number = (struct name){at, (size_t)(name.text + name.len - at)};
			if (take_container(k == 2 ? SPG_CONTAINER_DOCKER
						  : SPG_CONTAINER_KUBERNETES,
				    number, ret))
				return true;
		}
	return false;
}

/* Other groups with numbers in them are somebody's --cgroup-parent. */
static bool is_space_of_containerd(struct name name)
{
	static const char *const spaces[] = {
		"default", "k8s.io", "moby", "services.linuxkit", "buildkit"};

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (is(name, spaces[i]))
			return true;
	return false;
}

/* A group @at of @path that is neither a slice nor a unit. */
static bool find_plain(
	const struct path *path, size_t at, struct spg_control_group *ret)
{
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (!is(path->names[at], parents[i].parent) || at + 1 >= path->n)
			continue;
		return find_named(path->names[at + 1], ret) ||
		       take_container(parents[i].engine, path->names[at + 1], ret);
	}
	/* "NAMESPACE/NUMBER", of containerd itself. */
	if (at + 1 < path->n && is_number(path->names[at + 1]) &&
		!is_space_of_containerd(path->names[at]))
		return take_container(SPG_CONTAINER_OTHER, path->names[at + 1], ret);
	if (at + 1 < path->n && is_number(path->names[at + 1])) {
		struct name both = {path->names[at].text,
			path->names[at].len + 1 + path->names[at + 1].len};

		return take_container(SPG_CONTAINER_CONTAINERD, both, ret);
	}
	return false;
}

/* --- units --------------------------------------------------------------------- */

static void take_unit(struct name name, struct spg_control_group *ret)
{
	if (name.len < sizeof(ret->unit))
		snprintf(
			ret->unit, sizeof(ret->unit), "%.*s", (int)name.len, name.text);
}

static bool is_manager(struct name name, uint32_t *ret_uid)
{
	char text[64];
	int end = 0;

	if (name.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.text);
	return sscanf(text, "user@%u.service%n", ret_uid, &end) == 1 &&
	       end == (int)name.len;
}

/* "user-1000.slice": whose sessions are in it. */
static uint32_t user_of_slice(const struct path *path, size_t n_slices)
{
	for (size_t i = 0; i < n_slices; i++) {
		char text[64];
		uint32_t uid;

		if (path->names[i].len >= sizeof(text))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)path->names[i].len,
			path->names[i].text);
		if (sscanf(text, "user-%u.slice", &uid) == 1)
			return uid;
	}
	return SPG_UID_UNKNOWN;
}

/* What lies below the manager @at of user @uid. */
static void look_at_user(
	const struct path *path, size_t at, uint32_t uid, struct spg_control_group *ret)
{
	size_t unit = at + 1;

	while (unit < path->n && ends(path->names[unit], ".slice"))
		unit++;
	ret->manager_uid = uid;
	if (unit < path->n && find_named(path->names[unit], ret))
		return;
	if (unit < path->n && ends(path->names[unit], ".service")) {
		take_unit(path->names[unit], ret);
	} else if (unit >= path->n || is(path->names[unit], "init.scope")) {
		/* The manager itself is a unit of the machine's. To stop it for what
		 * runs in a scope below it would be too much. */
		ret->manager_uid = SPG_UID_UNKNOWN;
		take_unit(path->names[at], ret);
	}
}

static void look_at(struct name text, struct spg_control_group *ret)
{
	const struct path path = split(text);
	size_t at = skip_slices(&path, 0);
	uint32_t uid;

	if (find_colons(&path, ret) || at >= path.n)
		return;
	if (begins(path.names[0], "kubepods") || is(path.names[0], "kubepods")) {
		find_pod(&path, ret);
		return;
	}
	if (find_named(path.names[at], ret)) {
		ret->manager_uid = user_of_slice(&path, at);
	} else if (is_manager(path.names[at], &uid)) {
		look_at_user(&path, at, uid, ret);
	} else if (ends(path.names[at], ".service")) {
		take_unit(path.names[at], ret);
	} else if (ends(path.names[at], ".scope")) {
		/* Someone's session; he may have started a container in it. */
		if (at + 1 < path.n && (find_named(path.names[at + 1], ret) ||
					       find_plain(&path, at + 1, ret)))
			ret->manager_uid = user_of_slice(&path, at);
	} else {
		find_plain(&path, at, ret);
	}
}

/* The next line, its hierarchy and its path: "12:pids:/a". False: no more. */
static bool next_line(const char **text, struct name *ret_of, struct name *ret_path)
{
	while (**text) {
		struct name line = {*text, strcspn(*text, "\n")};
		const char *first = memchr(line.text, ':', line.len), *second = NULL;

		*text += line.len + (line.text[line.len] == '\n');
		if (first)
			second = memchr(first + 1, ':',
				line.len - (size_t)(first + 1 - line.text));
		if (!second)
			continue;
		*ret_of = (struct name){first + 1, (size_t)(second - first - 1)};
		*ret_path = (struct name){
			second + 1, line.len - (size_t)(second + 1 - line.text)};
		return true;
	}
	return false;
}

void spg_control_group_parse(const char *text, struct spg_control_group *ret)
{
	struct name unified = {0}, managed = {0}, of, path;

	*ret = (struct spg_control_group){.manager_uid = SPG_UID_UNKNOWN};
	for (const char *rest = text; next_line(&rest, &of, &path);) {
		if (of.len == 0)
			unified = path;
		/* In a hybrid set-up both exist; this one has the units then, unless
		 * it is empty. */
		else if (is(of, "name=systemd") && path.len > 1)
			managed = path;
	}
	look_at(managed.len ? managed : unified, ret);
	for (const char *rest = text;
		ret->engine == SPG_CONTAINER_NONE && next_line(&rest, &of, &path);) {
		struct spg_control_group other = {.manager_uid = SPG_UID_UNKNOWN};

		look_at(path, &other);
		if (other.engine != SPG_CONTAINER_NONE)
			*ret = other;
	}
	if (ret->engine == SPG_CONTAINER_NONE && !ret->unit[0])
		ret->manager_uid = SPG_UID_UNKNOWN;
}
