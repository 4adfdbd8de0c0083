/* SPDX-License-Identifier: MIT */
#include "common/windows/log.h"

#include "common/defaults.h"
#include "common/log_sink.h"

static struct {
	bool no_stderr;
	bool has_events, has_file;
} sink;

void spg_log_expect_no_stderr(void)
{
	sink.no_stderr = true;
}

bool spg_log_sink_open(const char *program, const char *where)
{
	const char *folder = where ? where : SPG_DEFAULT_DIRECTORY "/log";
	const char *why;

	if (!sink.no_stderr)
		return false;
	sink.has_events = spg_event_log_open(&why);
	/* Also beside the Event Log, which may refuse an event later on. */
	sink.has_file = spg_log_file_open(folder, program);
	if (!sink.has_events && sink.has_file)
		(void)spg_log_file_put(SPG_LOG_WARNING, why);
	return sink.has_events || sink.has_file;
}

bool spg_log_sink_put(const char *program, enum spg_log_level level,
	const struct spg_log_about *about, const char *text)
{
	(void)program;
	return (sink.has_events && spg_event_log_put(level, about, text)) ||
	       (sink.has_file && spg_log_file_put(level, text));
}
