/* SPDX-License-Identifier: MIT */
#include "client/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "client/terminal.h"
#include "common/clock.h"
#include "common/table.h"

#define QUIET_NS      SPG_NS_PER_S /* before the first line */
#define REPEAT_NS     (SPG_NS_PER_S / 5)
#define WIDTH_DEFAULT 80

void spg_progress_begin(struct spg_progress *progress, bool quiet)
{
	unsigned width;

	*progress = (struct spg_progress){.next_ns = spg_clock_mono_ns() + QUIET_NS};
	if (quiet || !isatty(STDERR_FILENO))
		return;
	width = spg_terminal_size(STDERR_FILENO, NULL);
	progress->width = width > 1 ? width : WIDTH_DEFAULT;
}

/* Blanks: every terminal knows them. */
static void erase(const struct spg_progress *progress)
{
	fprintf(stderr, "\r%*s\r", (int)progress->width - 1, "");
}

void spg_progress_tell(struct spg_progress *progress, const char *text)
{
	int64_t now_ns = spg_clock_mono_ns();
	struct spg_buf line = SPG_BUF_NULL;

	if (progress->width == 0 || now_ns < progress->next_ns)
		return;
	progress->next_ns = now_ns + REPEAT_NS;
	progress->shown = true;
	/* A line that is full would make some terminals go on to the next. */
	spg_display_elide(&line, text, progress->width - 1, SPG_TABLE_END, false);
	erase(progress);
	fputs(spg_buf_text(&line), stderr);
	spg_buf_finish(&line);
}

void spg_progress_end(struct spg_progress *progress)
{
	if (progress->shown)
		erase(progress);
	progress->shown = false;
}
