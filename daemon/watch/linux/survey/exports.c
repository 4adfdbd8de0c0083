/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/exports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/host/linux/bounded.h"
#include "daemon/watch/linux/files/mounts.h"
#include "daemon/watch/linux/proc/read.h"

#define TABLE_BYTES (1U << 20)

const struct spg_nfs_server spg_nfs_servers[SPG_N_NFS_SERVERS] = {
	{"nfsd", "/var/lib/nfs/etab", SPG_EXPORTS_TABLE, true},
	{"unfsd", "/etc/exports", SPG_EXPORTS_TABLE, false},
	{"ganesha.nfsd", "/etc/ganesha/ganesha.conf", SPG_EXPORTS_GANESHA, false},
};

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
	export = (struct spg_export){
		.path = line, .crosses = has_option(clients, "crossmnt")};
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

/* ---- ganesha ---- */

/* EXPORT { Export_Id = 1; Path = /srv/app; Pseudo = "/app"; FSAL { Name = VFS; } } */
struct ganesha {
	unsigned depth; /* of blocks */
	bool in_export, in_fsal;
	const char *word, *key; /* the latest; the one before "=" */
	const char *path;       /* of this export, if it is one of this machine's */
	bool elsewhere;         /* it means a place of another filesystem's */
};

/* The modules whose paths are places of their own, and not of what is mounted here. */
static bool is_elsewhere(const char *fsal)
{
	static const char *const names[] = {"CEPH", "GLUSTER", "RGW", "PROXY",
		"PROXY_V3", "PROXY_V4", "HPSS", "KVSFS", "LIZARDFS", "SAUNAFS", "MEM",
		"PSEUDO"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(fsal, names[i]) == 0)
			return true;
	return false;
}

static void take_word(struct ganesha *g, const char *word)
{
	if (g->key && g->in_export && g->depth == 1 && strcasecmp(g->key, "Path") == 0)
		g->path = word[0] == '/' ? word : NULL;
	else if (g->key && g->in_fsal && strcasecmp(g->key, "Name") == 0)
		g->elsewhere = g->elsewhere || is_elsewhere(word);
	g->word = word;
	g->key = NULL;
}

static void begin_block(struct ganesha *g)
{
	const char *name = g->word ? g->word : "";

	g->depth++;
	if (g->depth == 1) {
		g->in_export = strcasecmp(name, "EXPORT") == 0;
		g->path = NULL;
		g->elsewhere = false;
	}
	/* One may stand on another. */
	if (g->depth == 2)
		g->in_fsal = g->in_export && strcasecmp(name, "FSAL") == 0;
	g->word = g->key = NULL;
}

static int end_block(struct ganesha *g,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	bool ends = g->depth == 1 && g->in_export && g->path && !g->elsewhere;

	if (g->depth > 0)
		g->depth--;
	if (g->depth < 2)
		g->in_fsal = false;
	g->word = g->key = NULL;
	/* It exports what is mounted below, too. */
	return ends ? each(user, &(struct spg_export){.path = g->path, .crosses = true})
	            : 0;
}

static int parse_ganesha(char *text,
	int (*each)(void *user, const struct spg_export *export), void *user)
{
	struct ganesha g = {0};
	int r = 0;

	while (r == 0 && *text) {
		char *word = text;
		char end;

		bool quoted = *word == '"' || *word == '\'';

		text += quoted ? 1 + strcspn(text + 1, *word == '"' ? "\"" : "'")
		               : strcspn(text, " \t\r\n={};#\"'");
		end = *text;
		*text = '\0';
		if (quoted)
			take_word(&g, word + 1);
		else if (*word)
			take_word(&g, word);
		if (end == '#')
			text += 1 + strcspn(text + 1, "\n");
		else if ((end == '"' || end == '\'') && !quoted)
			*text = end; /* the next word */
		else if (end)
			text++;
		if (end == '=')
			g.key = g.word;
		else if (end == ';')
			g.word = g.key = NULL;
		else if (end == '{')
			begin_block(&g);
		else if (end == '}')
			r = end_block(&g, each, user);
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

/* ---- the tables ---- */

static bool nfsd_runs(void)
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

static void read_tables(void *arg)
{
	struct spg_nfs_tables *tables = arg;

	tables->kernel_runs = nfsd_runs();
	for (size_t i = 0; i < SPG_N_NFS_SERVERS; i++) {
		char *text;

		if (access(spg_nfs_servers[i].table, R_OK) < 0)
			continue;
		text = malloc(TABLE_BYTES);
		if (text && spg_proc_slurp(AT_FDCWD, spg_nfs_servers[i].table, text,
				    TABLE_BYTES) > 0)
			tables->texts[i] = text;
		else
			free(text);
	}
}

static void destroy(void *arg)
{
	spg_nfs_tables_destroy(arg);
}

void spg_nfs_tables_destroy(struct spg_nfs_tables *tables)
{
	for (size_t i = 0; tables && i < SPG_N_NFS_SERVERS; i++)
		free(tables->texts[i]);
	free(tables);
}

int spg_nfs_tables_read(unsigned timeout_ms, struct spg_nfs_tables **ret)
{
	struct spg_nfs_tables *tables = calloc(1, sizeof(*tables));
	int r = SPG_ERR_NOMEM;

	if (tables)
		r = spg_bounded_call("the tables of NFS servers", timeout_ms,
			read_tables, destroy, tables);
	if (r == 0)
		*ret = tables;
	else if (r != SPG_ERR_TIMEOUT)
		spg_nfs_tables_destroy(tables);
	return r;
}
