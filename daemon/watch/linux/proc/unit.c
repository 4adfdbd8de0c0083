/* SPDX-License-Identifier: MIT */
/*
 * What the files of systemd's units say. They are read as text: asking the service
 * manager could block for as long as it likes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/watch/linux/proc/proc.h"

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

#define NOT_THERE    -2
#define SAYS_NOTHING -1

/* In order of precedence (systemd.unit(5), "Unit File Load Path"). */
#define N_DIRS       7
static const char *const system_dirs[N_DIRS] = {"/etc/systemd/system",
	"/run/systemd/system", "/run/systemd/transient", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system"};
/* Of all users; their own files are theirs to know. */
static const char *const user_dirs[N_DIRS] = {"/etc/systemd/user", "/run/systemd/user",
	"/usr/local/share/systemd/user", "/usr/share/systemd/user",
	"/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/lib/systemd/user"};

static const char *const *dirs_of(enum spg_unit_manager manager)
{
	return manager == SPG_UNIT_OF_USER ? user_dirs : system_dirs;
}

/* The value of "KEY = VALUE" in @line, which loses the blanks at its end; NULL: of
 * another key. */
static const char *value_in(char *line, const char *key)
{
	char *text = line + strspn(line, " \t");
	size_t n = strlen(key);

	if (strncmp(text, key, n) != 0)
		return NULL;
	text += n + strspn(text + n, " \t");
	if (*text != '=')
		return NULL;
	text++;
	text += strspn(text, " \t");
	text[strcspn(text, " \t\r\n")] = '\0';
	return text;
}

/* NOT_THERE, SAYS_NOTHING, or 0 or 1: what the file says last. */
static int read_setting(const char *path)
{
	char line[512];
	FILE *file = fopen(path, "re");
	int value = SAYS_NOTHING;

	if (!file)
		return NOT_THERE;
	while (fgets(line, sizeof(line), file)) {
		const char *said = value_in(line, "RefuseManualStop");

		if (said)
			value = strcasecmp(said, "yes") == 0 ||
			        strcasecmp(said, "true") == 0 ||
			        strcasecmp(said, "on") == 0 || strcmp(said, "1") == 0;
	}
	fclose(file);
	return value;
}

static int read_dropins(const char *dir_path)
{
	DIR *dir = opendir(dir_path);
	const struct dirent *entry;
	int value = SAYS_NOTHING;

	if (!dir)
		return value;
	while ((entry = readdir(dir))) {
		char path[1024];
		int said;

		if (!ends_with(entry->d_name, strlen(entry->d_name), ".conf"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name);
		said = read_setting(path);
		if (said >= 0)
			value = said;
	}
	closedir(dir);
	return value;
}

/* "getty@tty1.service" comes from "getty@.service". */
static void template_of(const char *unit, char *ret, size_t size)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

	if (at && dot && dot > at)
		snprintf(ret, size, "%.*s%s", (int)(at + 1 - unit), unit, dot);
	else
		snprintf(ret, size, "%s", unit);
}

bool spg_unit_refuses_stop(
	const char *root, enum spg_unit_manager manager, const char *unit)
{
	const char *const *dirs = dirs_of(manager);
	char names[2][300];
	int main_file = NOT_THERE, dropin = SAYS_NOTHING;

	snprintf(names[0], sizeof(names[0]), "%s", unit);
	template_of(unit, names[1], sizeof(names[1]));
	for (size_t d = 0; d < N_DIRS; d++) {
		for (int n = 0; n < 2; n++) {
			char path[700];

			snprintf(
				path, sizeof(path), "%s%s/%s", root, dirs[d], names[n]);
			/* It hides those of the same name further down. */
			if (main_file == NOT_THERE)
				main_file = read_setting(path);
			snprintf(path, sizeof(path), "%s%s/%s.d", root, dirs[d],
				names[n]);
			if (dropin < 0)
				dropin = read_dropins(path);
		}
	}
	return dropin >= 0 ? dropin : main_file == 1;
}

/* --- what starts a unit -------------------------------------------------------- */

/* Which key of which kind of unit names the unit that it starts; without it, that is the
 * service of its own name (systemd.socket(5), systemd.path(5), systemd.timer(5)). */
static const struct {
	const char *end, *key;
} kinds[] = {
	{".socket", "Service"},
	{".path", "Unit"},
	{".timer", "Unit"},
};

/* A name that a shell and systemd take for what it is. */
static bool is_plain(const char *name)
{
	return name[0] != '-' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789:_.@-\\")] == '\0';
}

/* Does the file at @path, which is called @stem but for its end, start @unit? */
static bool starts(
	const char *path, const char *stem, const char *key, const char *unit)
{
	char own[320], template[300], line[512];
	FILE *file = fopen(path, "re");
	bool said = false, does;

	if (!file)
		return false;
	template_of(unit, template, sizeof(template));
	/* A socket with Accept= starts instances of "NAME@.service". */
	snprintf(own, sizeof(own), "%s.service", stem);
	does = strcmp(own, unit) == 0;
	snprintf(own, sizeof(own), "%s@.service", stem);
	does = does || strcmp(own, template) == 0;
	while (fgets(line, sizeof(line), file)) {
		const char *value = value_in(line, key);

		if (!value)
			continue;
		does = (said && does) || strcmp(value, unit) == 0 ||
		       strcmp(value, template) == 0;
		said = true;
	}
	fclose(file);
	return does;
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

/* @name, in the directory @d, and not hidden by one of a directory before it. */
static void look_at(const char *root, const char *const *dirs, size_t d,
	const char *name, const char *unit, char *ret)
{
	char path[700], stem[300];
	size_t used = strlen(ret), len = strlen(name), k = 0;

	while (k < sizeof(kinds) / sizeof(kinds[0]) &&
		!ends_with(name, len, kinds[k].end))
		k++;
	if (k == sizeof(kinds) / sizeof(kinds[0]) || len >= sizeof(stem) ||
		!is_plain(name) || has_word(ret, name) ||
		used + len + 2 > SPG_UNIT_TRIGGERS)
		return;
	for (size_t before = 0; before < d; before++) {
		snprintf(path, sizeof(path), "%s%s/%s", root, dirs[before], name);
		if (access(path, F_OK) == 0)
			return;
	}
	snprintf(path, sizeof(path), "%s%s/%s", root, dirs[d], name);
	snprintf(stem, sizeof(stem), "%.*s", (int)(len - strlen(kinds[k].end)), name);
	if (starts(path, stem, kinds[k].key, unit))
		snprintf(ret + used, SPG_UNIT_TRIGGERS - used, "%s%s", used ? " " : "",
			name);
}

void spg_unit_triggers(const char *root, enum spg_unit_manager manager,
	const char *unit, char ret[SPG_UNIT_TRIGGERS])
{
	const char *const *dirs = dirs_of(manager);

	ret[0] = '\0';
	for (size_t d = 0; d < N_DIRS; d++) {
		char path[700];
		const struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "%s%s", root, dirs[d]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			look_at(root, dirs, d, entry->d_name, unit, ret);
		if (dir)
			closedir(dir);
	}
}

/* --- what D-Bus starts ---------------------------------------------------------- */

/* Where services of buses are described (dbus-daemon(1), "standard_system_servicedirs"
 * and "standard_session_servicedirs"); of a user's own directories nothing is known. */
static const char *const system_buses[] = {"/etc/dbus-1/system-services",
	"/run/dbus-1/system-services", "/usr/local/share/dbus-1/system-services",
	"/usr/share/dbus-1/system-services", "/lib/dbus-1/system-services"};
static const char *const user_buses[] = {"/etc/dbus-1/services", "/run/dbus-1/services",
	"/usr/local/share/dbus-1/services", "/usr/share/dbus-1/services",
	"/lib/dbus-1/services"};
#define N_BUSES (sizeof(system_buses) / sizeof(system_buses[0]))

/* Is @name that of @unit, or a link to it that enabling it has made (Alias=)? */
static bool is_called(
	const char *root, const char *const *dirs, const char *name, const char *unit)
{
	if (strcmp(name, unit) == 0)
		return true;
	if (!is_plain(name) || name[0] == '.')
		return false;
	for (size_t d = 0; d < N_DIRS; d++) {
		char path[700], target[512];
		const char *base;
		ssize_t n;

		snprintf(path, sizeof(path), "%s%s/%s", root, dirs[d], name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0 && access(path, F_OK) < 0)
			continue;
		target[n > 0 ? n : 0] = '\0';
		base = strrchr(target, '/');
		return strcmp(base ? base + 1 : target, unit) == 0;
	}
	return false;
}

/* SystemdService= of the file @path. */
static bool is_started_by(
	const char *root, const char *const *dirs, const char *path, const char *unit)
{
	char line[512];
	FILE *file = fopen(path, "re");
	bool does = false;

	while (file && !does && fgets(line, sizeof(line), file)) {
		const char *value = value_in(line, "SystemdService");

		does = value && is_called(root, dirs, value, unit);
	}
	if (file)
		fclose(file);
	return does;
}

/* Nobody can start it. */
static bool is_masked(const char *root, const char *const *dirs, const char *unit)
{
	for (size_t d = 0; d < N_DIRS; d++) {
		char path[700], target[16];
		ssize_t n;

		snprintf(path, sizeof(path), "%s%s/%s", root, dirs[d], unit);
		n = readlink(path, target, sizeof(target));
		if (n >= 0 || access(path, F_OK) == 0)
			return n == 9 && memcmp(target, "/dev/null", 9) == 0;
	}
	return false;
}

bool spg_unit_is_on_bus(
	const char *root, enum spg_unit_manager manager, const char *unit)
{
	const char *const *buses =
		manager == SPG_UNIT_OF_USER ? user_buses : system_buses;
	bool found = false;

	if (!ends_with(unit, strlen(unit), ".service") ||
		is_masked(root, dirs_of(manager), unit))
		return false;
	for (size_t b = 0; b < N_BUSES && !found; b++) {
		char path[700];
		const struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "%s%s", root, buses[b]);
		dir = opendir(path);
		while (dir && !found && (entry = readdir(dir))) {
			if (!ends_with(
				    entry->d_name, strlen(entry->d_name), ".service"))
				continue;
			snprintf(path, sizeof(path), "%s%s/%s", root, buses[b],
				entry->d_name);
			found = is_started_by(root, dirs_of(manager), path, unit);
		}
		if (dir)
			closedir(dir);
	}
	return found;
}

#define REMEMBERED  8
#define REMEMBER_NS SPG_NS_PER_S

void spg_unit_read(
	enum spg_unit_manager manager, const char *unit, struct spg_unit_facts *ret)
{
	static _Thread_local struct {
		enum spg_unit_manager manager;
		char unit[300];
		int64_t read_ns; /* monotonic; 0: nothing yet */
		struct spg_unit_facts facts;
	} known[REMEMBERED];
	static _Thread_local unsigned next;
	int64_t now_ns = spg_clock_mono_ns();
	unsigned i = 0;

	while (i < REMEMBERED &&
		(known[i].read_ns == 0 || now_ns - known[i].read_ns > REMEMBER_NS ||
			known[i].manager != manager ||
			strcmp(known[i].unit, unit) != 0))
		i++;
	if (i == REMEMBERED) {
		i = next++ % REMEMBERED;
		snprintf(known[i].unit, sizeof(known[i].unit), "%s", unit);
		known[i].manager = manager;
		known[i].facts.refuses_stop = spg_unit_refuses_stop("", manager, unit);
		spg_unit_triggers("", manager, unit, known[i].facts.triggers);
		known[i].facts.on_bus = spg_unit_is_on_bus("", manager, unit);
		known[i].read_ns = now_ns;
	}
	*ret = known[i].facts;
}
