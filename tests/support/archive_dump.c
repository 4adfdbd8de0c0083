/* SPDX-License-Identifier: MIT */
/*
 * Print what the client reads in an archive:
 *
 *   archive-dump [--entries N] [--bytes N] FILE...    the limits
 *   archive-dump --paths FILE...                      nothing of the contents
 *
 *   file PATH SIZE SHA256|- VERSION|-                 with tabs between them
 *   none                                              no archive
 *   error CODE TEXT                                   instead of all that follows
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/archive_payload.h"
#include "common/text.h"

static void field(const char *text)
{
	struct spg_buf shown = SPG_BUF_NULL;

	spg_text_escape(&shown, text && *text ? text : "-", false);
	printf("\t%s", spg_buf_text(&shown));
	spg_buf_finish(&shown);
}

static void dump(const char *path, const struct spg_archive_limits *limits)
{
	struct spg_payload payload = SPG_PAYLOAD_NULL;
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_archive_read(&payload, path, limits, NULL, &error);

	if (err < 0) {
		printf("error\t%d", err);
		field(spg_buf_text(&error));
		putchar('\n');
	} else if (err == SPG_ARCHIVE_NONE) {
		puts("none");
	}
	for (size_t i = 0; i < payload.n_files; i++) {
		const struct spg_payload_file *file = &payload.files[i];

		printf("file");
		field(file->path);
		printf("\t%llu", (unsigned long long)file->size);
		field(file->sha256);
		field(file->version);
		putchar('\n');
	}
	fflush(stdout);
	spg_payload_finish(&payload);
	spg_buf_finish(&error);
}

int main(int argc, char **argv)
{
	struct spg_archive_limits limits = {0, 0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--entries") == 0 && i + 1 < argc)
			limits.entries_max = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--bytes") == 0 && i + 1 < argc)
			limits.bytes_max = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--paths") == 0)
			limits.paths_only = true;
		else
			dump(argv[i], &limits);
	}
	return 0;
}
