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

#include "daemon/watch/linux/proc/proc.h"

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

#define NOT_THERE    -2
#define SAYS_NOTHING -1

/* NOT_THERE, SAYS_NOTHING, or 0 or 1: what the file says last. */
static int read_setting(const char *path)
{
	char line[512];
	FILE *file = fopen(path, "re");
	int value = SAYS_NOTHING;

	if (!file)
		return NOT_THERE;
	while (fgets(line, sizeof(line), file)) {
		char *text = line + strspn(line, " \t");
		char *equals;

		if (strncmp(text, "RefuseManualStop", 16) != 0)
			continue;
		equals = text + 16 + strspn(text + 16, " \t");
		if (*equals != '=')
			continue;
		equals++;
		equals += strspn(equals, " \t");
		equals[strcspn(equals, " \t\r\n")] = '\0';
		value = strcasecmp(equals, "yes") == 0 ||
		        strcasecmp(equals, "true") == 0 ||
		        strcasecmp(equals, "on") == 0 || strcmp(equals, "1") == 0;
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

bool spg_unit_refuses_stop(const char *root, const char *unit)
{
	/* In order of precedence (systemd.unit(5), "Unit File Load Path"). */
	static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/system",
		"/run/systemd/transient", "/run/systemd/generator",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
		"/lib/systemd/system"};
	char names[2][300];
	int main_file = NOT_THERE, dropin = SAYS_NOTHING;

	snprintf(names[0], sizeof(names[0]), "%s", unit);
	template_of(unit, names[1], sizeof(names[1]));
	for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
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
