/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/exports.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/proc/read.h"

#define TABLE_BYTES (1U << 20)

const struct spg_nfs_server spg_nfs_servers[] = {
	{"nfsd", "/var/lib/nfs/etab", SPG_EXPORTS_TABLE, true},
	{"unfsd", "/etc/exports", SPG_EXPORTS_TABLE, false},
	{"ganesha.nfsd", "/etc/ganesha/ganesha.conf", SPG_EXPORTS_GANESHA, false},
};
const size_t spg_n_nfs_servers = sizeof(spg_nfs_servers) / sizeof(spg_nfs_servers[0]);

/* Cut @text at the end of the path that it begins with; returns what comes behind. A
 * path is in quotes, or blanks in it are written \040. */
static char *cut_path(char **text)
{
	char *end;

	if (**text == '"') {
		++*text;
		end = *text + strcspn(*text, "\"");
	} else {
		end = *text + strcspn(*text, " \t");
	}
	if (*end)
		*end++ = '\0';
	spg_mount_unescape(*text);
	return end;
}

/* Is @option one of those in the brackets of @clients? */
static bool has_option(const char *clients, const char *option)
{
	size_t n = strlen(option);

	for (const char *at = clients; *at; at++) {
		at += strcspn(at, "(,");
		if (*at && strncmp(at + 1, option, n) == 0 &&
			strchr(",) \t", at[1 + n]))
			return true;
		if (!*at)
			break;
	}
	return false;
}

/* "/srv/app 10.0.0.0/8(rw,crossmnt) *.example.org(ro)" */
static int parse_line(char *line,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	struct spg_export export;
	const char *clients;

	line += strspn(line, " \t");
	if (*line == '#' || *line == '\0')
		return 0;
	clients = cut_path(&line);
	export = (struct spg_export){.path = line,
		.crosses = has_option(clients, "crossmnt") ||
	                   has_option(clients, "nohide")};
	return line[0] == '/' ? each(user, &export) : 0;
}

static int parse_table(char *text,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	int r = 0;

	while (r == 0 && *text) {
		char *end = text + strcspn(text, "\n");
		bool last = *end == '\0';

		/* A line goes on behind a backslash. */
		while (!last && end > text && end[-1] == '\\') {
			end[-1] = end[0] = ' ';
			end += strcspn(end, "\n");
			last = *end == '\0';
		}
		*end = '\0';
		r = parse_line(text, each, user);
		text = last ? end : end + 1;
	}
	return r;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* EXPORT { Export_Id = 1; Path = /srv/app; Pseudo = "/app"; } */
static int parse_ganesha(char *text,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	char before = ' ';
	int r = 0;

	while (r == 0 && *text) {
		size_t n = 1;

		if (*text == '#') {
			n = strcspn(text, "\n");
		} else if (strncasecmp(text, "path", 4) == 0 && !is_word(before) &&
			   !is_word(text[4])) {
			char *value = text + 4 + strspn(text + 4, " \t");

			if (*value == '=') {
				struct spg_export export = {.crosses = false};
				char *end;

				value++;
				value += strspn(value, " \t\"");
				end = value + strcspn(value, "\";\n");
				n = (size_t)(end - text) + (*end != '\0');
				while (end > value && isblank((unsigned char)end[-1]))
					end--;
				*end = '\0';
				export.path = value;
				if (*value == '/')
					r = each(user, &export);
				before = ' ';
				text += n;
				continue;
			}
		}
		before = text[n - 1];
		text += n;
	}
	return r;
}

int spg_exports_parse(char *text, enum spg_exports_format format,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	switch (format) {
	case SPG_EXPORTS_TABLE:
		return parse_table(text, each, user);
	case SPG_EXPORTS_GANESHA:
		return parse_ganesha(text, each, user);
	}
	return 0;
}

bool spg_nfsd_runs(void)
{
	const char *threads;
	char text[4096];

	if (spg_proc_slurp(AT_FDCWD, "/proc/fs/nfsd/threads", text, sizeof(text)) > 0)
		return strtol(text, NULL, 10) > 0;
	if (spg_proc_slurp(AT_FDCWD, "/proc/net/rpc/nfsd", text, sizeof(text)) <= 0)
		return false;
	threads = strstr(text, "\nth ");
	return threads && strtol(threads + 4, NULL, 10) > 0;
}

int spg_exports_read(const struct spg_nfs_server *server,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	char *text = malloc(TABLE_BYTES);
	int r = 0;

	if (!text)
		return SPG_ERR_NOMEM;
	if (spg_proc_slurp(AT_FDCWD, server->table, text, TABLE_BYTES) > 0)
		r = spg_exports_parse(text, server->format, each, user);
	free(text);
	return r;
}
