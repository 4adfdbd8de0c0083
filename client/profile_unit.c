/* SPDX-License-Identifier: MIT */
#include "client/profile_unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/helper.h"
#include "client/profile_files.h"
#include "common/text.h"

#define SYSTEMCTL_BYTES_MAX (1U << 20)
#define FILE_BYTES_MAX      (1U << 20)
#define UNIT_NAME_MAX       255 /* systemd.unit(5) */

/* Where systemd looks for units, the first one that has it wins: systemd.unit(5). */
static const char *const unit_folders[] = {"/etc/systemd/system", "/run/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system"};

#define N_UNIT_FOLDERS (sizeof(unit_folders) / sizeof(unit_folders[0]))

void spg_unit_finish(struct spg_unit *unit)
{
	spg_texts_finish(&unit->programs);
	spg_texts_finish(&unit->named);
	spg_texts_finish(&unit->library_path);
	free(unit->path);
	unit->path = NULL;
}

bool spg_unit_is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789:-_.\\@";
	size_t n = strlen(name);

	return n > strlen(".service") && n <= UNIT_NAME_MAX && name[0] != '-' &&
	       strspn(name, letters) == n &&
	       strcmp(name + n - strlen(".service"), ".service") == 0;
}

/* ---- what a unit's file says ---- */

static void add(struct spg_unit *unit, struct spg_texts *texts, const char *text)
{
	if (!text || spg_texts_add_new(texts, text) < 0)
		unit->failed = true;
}

/* The program of "ExecStart=-/usr/sbin/nginx -g ...". An empty one takes the earlier
 * ones back. */
static void take_exec_start(struct spg_unit *unit, const char *value)
{
	struct spg_buf program = SPG_BUF_NULL;
	size_t n;

	value += strspn(value, "@-:+!| \t\"");
	n = strcspn(value, " \t\r\"");
	if (n == 0)
		spg_texts_finish(&unit->programs);
	spg_buf_add(&program, value, n);
	if (value[0] == '/' && !program.failed)
		add(unit, &unit->programs,
			program.failed ? NULL : spg_buf_text(&program));
	spg_buf_finish(&program);
}

static void take_environment(struct spg_unit *unit, const char *value)
{
	static const char key[] = "LD_LIBRARY_PATH=";
	const char *at = strstr(value, key);
	char *copy, *save = NULL;

	if (!at)
		return;
	at += strlen(key);
	copy = strndup(at, strcspn(at, " \t\r\"'"));
	unit->failed |= !copy;
	for (char *word = copy ? strtok_r(copy, ":", &save) : NULL; word;
		word = strtok_r(NULL, ":", &save))
		if (word[0] == '/')
			add(unit, &unit->library_path, word);
	free(copy);
}

/* Paths in a command line, which may be a shell's. */
static void take_named(struct spg_unit *unit, const char *line)
{
	static const char between[] = " \t\r\n\"'=();&|[]{}<>`$";
	size_t n;

	for (; *line; line += n) {
		char *word;

		line += strspn(line, between);
		n = strcspn(line, between);
		word = line[0] == '/' ? strndup(line, n) : NULL;
		if (line[0] == '/')
			add(unit, &unit->named, word);
		free(word);
	}
}

/* @continued: the line above ended in a backslash, and was of ExecStart=. Returns whether
 * that is so for the next one. */
static bool take_line(struct spg_unit *unit, const char *line, bool continued)
{
	bool command;
	size_t n;

	line += strspn(line, " \t");
	command = continued || strncmp(line, "ExecStart=", 10) == 0;
	if (command && !continued)
		take_exec_start(unit, line + 10);
	if (command)
		take_named(unit, line);
	else if (strncmp(line, "Environment=", 12) == 0)
		take_environment(unit, line + 12);
	else if (strncmp(line, "Type=oneshot", 12) == 0)
		unit->oneshot = true;
	n = strlen(line);
	return command && n > 0 && line[n - 1] == '\\';
}

static bool read_lines(struct spg_unit *unit, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t total = 0, size = 0;
	bool continued = false;
	char *line = NULL;
	ssize_t n;

	if (!file) {
		unit->failed |= errno == ENOMEM;
		return false;
	}
	while ((n = getline(&line, &size, file)) > 0) {
		total += (size_t)n;
		if (total > FILE_BYTES_MAX)
			break;
		line[strcspn(line, "\n")] = '\0';
		continued = take_line(unit, line, continued);
	}
	unit->failed |= !feof(file) && total <= FILE_BYTES_MAX;
	free(line);
	fclose(file);
	return true;
}

bool spg_unit_read_file(struct spg_unit *ret, const char *path)
{
	if (!read_lines(ret, path))
		return false;
	free(ret->path);
	ret->path = strdup(path);
	ret->failed |= !ret->path;
	return true;
}

/* What an administrator put into UNIT.d, as "systemctl edit" does. */
static void read_changes(struct spg_unit *unit, const char *folder, const char *name)
{
	struct spg_buf path = SPG_BUF_NULL;
	struct spg_texts names = SPG_TEXTS_NULL;

	spg_buf_printf(&path, "%s/%s.d", folder, name);
	unit->failed |= path.failed || !spg_names_in(spg_buf_text(&path), &names);
	spg_texts_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		if (!spg_name_match("*.conf", names.items[i], false))
			continue;
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s.d/%s", folder, name, names.items[i]);
		(void)read_lines(unit, spg_buf_text(&path));
	}
	spg_texts_finish(&names);
	spg_buf_finish(&path);
}

/* "getty@tty1.service" is made from "getty@.service"; to be freed. */
static char *template_of(const char *name)
{
	const char *at = strchr(name, '@');
	char *template;

	if (!at || asprintf(&template, "%.*s@.service", (int)(at - name), name) < 0)
		return NULL;
	return template;
}

static bool find_file(struct spg_unit *ret, const char *name)
{
	struct spg_buf path = SPG_BUF_NULL;

	for (size_t i = 0; i < N_UNIT_FOLDERS && !ret->path; i++) {
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s", unit_folders[i], name);
		ret->failed |= path.failed;
		(void)spg_unit_read_file(ret, spg_buf_text(&path));
	}
	spg_buf_finish(&path);
	for (size_t i = N_UNIT_FOLDERS; ret->path && i > 0; i--)
		read_changes(ret, unit_folders[i - 1], name);
	return ret->path != NULL;
}

/* ---- what systemd says ---- */

/* "{ path=/usr/sbin/nginx ; argv[]=... }", perhaps several. */
static void take_shown_programs(struct spg_unit *unit, const char *value)
{
	static const char key[] = "path=";
	const char *at = strstr(value, key);

	if (at)
		take_exec_start(unit, at + strlen(key));
}

/* True when it knows the unit. */
static bool take_shown(struct spg_unit *unit, char *text)
{
	bool loaded = false;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "LoadState=loaded") == 0)
			loaded = true;
		else if (strncmp(line, "ExecStart=", 10) == 0)
			take_shown_programs(unit, line + 10);
		else if (strncmp(line, "Environment=", 12) == 0)
			take_environment(unit, line + 12);
		else if (strncmp(line, "FragmentPath=/", 14) == 0 && !unit->path)
			unit->path = strdup(line + 13);
	}
	return loaded;
}

/* Returns 1: known, 0: unknown, -1: systemd does not answer; what was complained of a
 * hang stays in @why. */
static int ask_systemctl(struct spg_unit *ret, const char *name, int64_t limit_ns,
	struct spg_complaint *why)
{
	char *argv[] = {"systemctl", "show", "--no-pager", "-p",
		"LoadState,ExecStart,Environment,FragmentPath", "--", (char *)name,
		NULL};
	struct spg_buf out = SPG_BUF_NULL;
	int r = -1,
	    code = spg_helper_run(argv, limit_ns, SYSTEMCTL_BYTES_MAX, &out, why);

	if (code == 0 && out.len > 0 && !out.failed)
		r = take_shown(ret, out.data) ? 1 : 0;
	spg_buf_finish(&out);
	return r;
}

bool spg_unit_find(struct spg_unit *ret, const char *name, int64_t limit_ns,
	struct spg_complaint *why)
{
	int known = ask_systemctl(ret, name, limit_ns, why);
	char *template;

	if (known > 0)
		return true;
	spg_unit_finish(ret);
	template = template_of(name);
	if (known < 0 &&
		(find_file(ret, name) || (template && find_file(ret, template)))) {
		free(template);
		return true;
	}
	free(template);
	if (why->why.len == 0 || known == 0)
		spg_complain(why, "there is no unit %s", name);
	spg_complaint_hint(why, "systemctl list-units --type=service");
	return false;
}

/* ---- processes ---- */

void spg_each_process(bool (*on)(void *user, pid_t pid), void *user)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool more = true;

	while (proc && more && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid > 0 && !*end)
			more = on(user, (pid_t)pid);
	}
	if (proc)
		closedir(proc);
}

void spg_cut_deleted(char *path)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(path), len = sizeof(mark) - 1;

	/* One may be called so. */
	if (n > len && strcmp(path + n - len, mark) == 0 && access(path, F_OK) < 0)
		path[n - len] = '\0';
}

char *spg_program_of_process(pid_t pid)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	spg_cut_deleted(path);
	return path[0] == '/' ? strdup(path) : NULL;
}

/* "0::/system.slice/nginx.service", "1:name=systemd:/system.slice/..." */
static char *service_in(const char *line)
{
	const char *path = strchr(line, ':'), *name;
	char *service = NULL;

	path = path ? strchr(path + 1, ':') : NULL;
	/* A user's own services are not the system's to stop. */
	if (!path || strstr(path, "/user@"))
		return NULL;
	for (name = strchr(path, '/'); name && !service; name = strchr(name, '/')) {
		name++;
		service = strndup(name, strcspn(name, "/\n"));
		if (service && !spg_unit_is_name(service)) {
			free(service);
			service = NULL;
		}
	}
	return service;
}

char *spg_unit_of_process(pid_t pid)
{
	char path[64], line[4096];
	char *service = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	file = fopen(path, "re");
	while (file && !service && fgets(line, sizeof(line), file))
		service = service_in(line);
	if (file)
		fclose(file);
	return service;
}
