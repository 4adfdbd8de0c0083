/* SPDX-License-Identifier: MIT */
/*
 * spguard maintenance: when in the week the files were free that long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "common/clock.h"
#include "common/time_text.h"

#define FOR_DEFAULT_NS (1800 * SPG_NS_PER_S)
#define FOR_MAX_NS     (7 * 86400 * SPG_NS_PER_S)
#define DAYS_DEFAULT   14
#define DAYS_MAX       366
#define WEEK_S         (7 * 86400)

/* A year of history takes its time. */
#define MORE_NS        (120 * SPG_NS_PER_S)

#define MAP_WIDTH      60

static const char help[] =
	"spguard maintenance: when in the week were the files free that long?\n"
	"\n"
	"Usage: spguard maintenance [--for TIME] [--days N] [--product P]\n"
	"\n"
	"      --for TIME    how long the service pack takes (30m; 1s to 7d)\n"
	"      --days N      look at the last N days (14; at most 366)\n"
	"  -p, --product P   the files of this product; needed when there are several\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                    as for every command: spguard --help\n"
	"\n"
	"Looks at a window of that length from every full hour, and counts in how "
	"many\n"
	"weeks nobody used any of the files in it. Programs that setup stops by "
	"itself\n"
	"are in nobody's way. Time that was not watched counts as not free. What was\n"
	"free in the past need not be free tomorrow: ask 'spguard check' then.\n"
	"\n"
	"Days and times are those of the server, with --utc UTC.\n"
	"\n"
	"Exit code: 0, 1 when there is no answer, 2 for bad usage.\n"
	"\n"
	"Examples:\n"
	"  spguard maintenance\n"
	"  spguard maintenance --for 2h --days 28\n"
	"  spguard maintenance --for 45m --product exchange55 --json\n";

static const struct option long_options[] = {
	{"for", required_argument, NULL, 'f'},
	{"days", required_argument, NULL, 'd'},
	{"product", required_argument, NULL, 'p'},
	{NULL, 0, NULL, 0},
};

static const char *const days[] = {
	"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

static const char *day_name(const json_t *object, const char *key)
{
	int64_t day = spg_json_number(object, key);

	return day >= 0 && day < 7 ? days[day] : "?";
}

static const char *clock_text(const json_t *object, const char *key)
{
	const char *text = spg_json_text(object, key);

	return text ? text : "?";
}

/* "2 of 2 weeks" */
static void describe_count(struct spg_buf *buf, const json_t *row)
{
	int64_t of = spg_json_number(row, "of");

	spg_buf_printf(buf, "%lld of %lld %s", (long long)spg_json_number(row, "free"),
		(long long)of, of == 1 ? "week" : "weeks");
	if (spg_json_number(row, "unseen") > 0)
		spg_buf_printf(buf, ", %lld not watched",
			(long long)spg_json_number(row, "unseen"));
}

/* "perfmon (2), backup (1)" */
static void describe_breakers(struct spg_buf *buf, const json_t *row)
{
	const json_t *breakers = spg_json_list(row, "breakers");
	size_t i;
	json_t *breaker;

	json_array_foreach (breakers, i, breaker) {
		const char *name = spg_json_text(breaker, "name");

		spg_buf_printf(buf, "%s%s (%lld)", i ? ", " : "",
			name ? name : "something that no process shows",
			(long long)spg_json_number(breaker, "times"));
	}
	if (json_array_size(breakers) == 0)
		spg_buf_puts(buf, "-");
}

/* "Sunday 22:00 to Monday 05:00" */
static void describe_range(struct spg_buf *buf, const json_t *range)
{
	int64_t day = spg_json_number(range, "day");

	spg_buf_printf(
		buf, "%s %s to ", day_name(range, "day"), clock_text(range, "from"));
	if (spg_json_number(range, "to_day") != day)
		spg_buf_printf(buf, "%s ", day_name(range, "to_day"));
	spg_buf_puts(buf, clock_text(range, "to"));
}

static bool is_whole_week(const json_t *range)
{
	return spg_json_number(range, "length") >= WEEK_S;
}

static bool is_always(const json_t *count)
{
	return spg_json_number(count, "free") > 0 &&
	       spg_json_number(count, "free") == spg_json_number(count, "of");
}

/* "30m": whole minutes need no seconds. */
static void describe_length(const struct spg_output *out, struct spg_buf *buf, double s)
{
	int64_t seconds = s > 0 && s < 1e9 ? (int64_t)s : 0;

	if (seconds > 0 && seconds % 86400 == 0)
		spg_buf_printf(buf, "%lldd", (long long)seconds / 86400);
	else if (seconds > 0 && seconds % 3600 == 0)
		spg_buf_printf(buf, "%lldh", (long long)seconds / 3600);
	else if (seconds > 0 && seconds < 3600 && seconds % 60 == 0)
		spg_buf_printf(buf, "%lldm", (long long)seconds / 60);
	else
		spg_output_duration(out, buf, (int64_t)(s * SPG_NS_PER_S));
}

/* Nothing can be said of any hour: it was not watched through a week yet. */
static bool is_unseen(const json_t *slots)
{
	size_t i;
	json_t *slot;

	json_array_foreach (slots, i, slot)
		if (spg_json_number(slot, "of") > spg_json_number(slot, "unseen"))
			return false;
	return true;
}

static void tell_heading(struct spg_output *out, const json_t *result)
{
	const json_t *best = json_array_get(spg_json_list(result, "best"), 0);
	const char *title = spg_json_text(result, "title");
	struct spg_buf line = SPG_BUF_NULL, length = SPG_BUF_NULL;
	bool always = is_always(best);

	if (!title)
		title = spg_json_text(result, "product");
	describe_length(
		out, &length, json_number_value(json_object_get(result, "for")));
	spg_buf_printf(&line, "%s: ", title ? title : "?");
	if (!best && is_unseen(spg_json_list(result, "slots"))) {
		spg_buf_printf(&line,
			"not watched for long enough to say when it is "
			"free for %s",
			spg_buf_text(&length));
	} else if (!best) {
		spg_buf_printf(&line, "in the last %lld days never free for %s",
			(long long)spg_json_number(result, "days"),
			spg_buf_text(&length));
	} else if (always && is_whole_week(best)) {
		spg_buf_printf(&line, "free for %s at any time of the week",
			spg_buf_text(&length));
	} else {
		spg_buf_printf(&line,
			always ? "free for %s on "
			       : "not every week free for %s; best on ",
			spg_buf_text(&length));
		describe_range(&line, best);
		if (!always) {
			spg_buf_puts(&line, ", ");
			describe_count(&line, best);
		}
	}
	spg_output_marked(out, NULL, "", 0, always ? SPG_STYLE_GOOD : SPG_STYLE_CARE,
		spg_buf_text(&line));
	spg_buf_finish(&line);
	spg_buf_finish(&length);
}

static const struct spg_table_column columns[] = {
	{"DAY", false, SPG_TABLE_KEEP, 0},
	{"FROM", false, SPG_TABLE_KEEP, 0},
	{"TO", false, SPG_TABLE_KEEP, 0},
	{"FREE", false, SPG_TABLE_END, 12},
	{"USUALLY BROKEN BY", false, SPG_TABLE_END, 12},
};

static void add_range(struct spg_table *table, const json_t *range)
{
	struct spg_buf to = SPG_BUF_NULL, count = SPG_BUF_NULL, who = SPG_BUF_NULL;

	if (spg_json_number(range, "to_day") != spg_json_number(range, "day"))
		spg_buf_printf(&to, "%s ", day_name(range, "to_day"));
	spg_buf_puts(&to, clock_text(range, "to"));
	describe_count(&count, range);
	describe_breakers(&who, range);
	spg_table_add(table, NULL, day_name(range, "day"));
	spg_table_add(table, SPG_STYLE_STRONG, clock_text(range, "from"));
	spg_table_add(table, SPG_STYLE_STRONG, spg_buf_text(&to));
	spg_table_add(table, is_always(range) ? SPG_STYLE_GOOD : SPG_STYLE_CARE,
		spg_buf_text(&count));
	spg_table_add(table, NULL, spg_buf_text(&who));
	spg_buf_finish(&to);
	spg_buf_finish(&count);
	spg_buf_finish(&who);
}

static void tell_best(struct spg_output *out, const json_t *best)
{
	struct spg_table table;
	size_t i;
	json_t *range;

	if (json_array_size(best) == 0 || is_whole_week(json_array_get(best, 0)))
		return;
	spg_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach (best, i, range)
		add_range(&table, range);
	spg_output_raw(out, "\n");
	spg_output_table(out, &table, 0);
}

/* What an hour of the week looks like. */
static const struct level {
	const char *mark, *plain; /* UTF-8, ASCII: two columns */
	const char *style;
	const char *says;
} levels[] = {
	{"██", "##", SPG_STYLE_GOOD, "free every week"},
	{"▒▒", "++", SPG_STYLE_CARE, "in most weeks"},
	{"░░", "--", SPG_STYLE_WEAK, "now and then"},
	{" ·", " .", SPG_STYLE_WEAK, "never"},
	{" ?", " ?", SPG_STYLE_WEAK, "not seen"},
};

enum { EVERY, MOST, SOME, NEVER, UNSEEN };

static const struct level *level_of(const json_t *slot)
{
	int64_t of = spg_json_number(slot, "of"), n = spg_json_number(slot, "free");

	if (of == 0 || spg_json_number(slot, "unseen") == of)
		return &levels[UNSEEN];
	if (n == 0)
		return &levels[NEVER];
	return &levels[n == of ? EVERY : 2 * n > of ? MOST : SOME];
}

static void tell_map(struct spg_output *out, const json_t *slots)
{
	if (json_array_size(slots) != 168 || out->width < MAP_WIDTH)
		return;
	spg_output_raw(out, "\n     ");
	for (int hour = 0; hour < 24; hour += 2)
		spg_output_raw(out, hour < 22 ? "%02d  " : "%02d", hour);
	for (size_t i = 0; i < 168; i++) {
		const struct level *level = level_of(json_array_get(slots, i));

		if (i % 24 == 0)
			spg_output_raw(out, "\n%.3s  ", days[i / 24]);
		spg_output_text(
			out, level->style, out->unicode ? level->mark : level->plain);
	}
	spg_output_raw(out, "\n\n");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		/* Two lines where it is narrow. */
		spg_output_raw(out, i == 0                      ? ""
				    : i == 3 && out->width < 80 ? "\n"
								: "  ");
		spg_output_text(out, levels[i].style,
			out->unicode ? levels[i].mark : levels[i].plain);
		spg_output_raw(out, " %s", levels[i].says);
	}
	spg_output_raw(out, "\n");
}

/* Who broke most windows, when none was free at all. */
static void tell_worst(struct spg_output *out, const json_t *slots)
{
	struct spg_buf line = SPG_BUF_NULL, who = SPG_BUF_NULL;
	const json_t *worst = NULL;
	int64_t of = 0, unseen = 0, most = 0;
	size_t i;
	json_t *slot;

	json_array_foreach (slots, i, slot) {
		const json_t *first =
			json_array_get(spg_json_list(slot, "breakers"), 0);
		int64_t times = spg_json_number(first, "times");

		of += spg_json_number(slot, "of");
		unseen += spg_json_number(slot, "unseen");
		if (times > most) {
			most = times;
			worst = slot;
		}
	}
	spg_buf_printf(&line, "0 of %lld windows were free", (long long)of);
	if (unseen)
		spg_buf_printf(&line, ", %lld were not all watched", (long long)unseen);
	spg_buf_puts(&line, ".");
	if (worst) {
		describe_breakers(&who, worst);
		spg_buf_printf(&line, " Usually broken by: %s.", spg_buf_text(&who));
	}
	spg_output_raw(out, "\n");
	spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	spg_output_wrap(out, NULL, 0,
		"Ask for a shorter time (--for), or 'spguard check' for what to stop.");
	spg_buf_finish(&line);
	spg_buf_finish(&who);
}

static void tell_notes(struct spg_output *out, const json_t *result)
{
	double unseen_s = json_number_value(json_object_get(result, "unseen_s"));
	double all_s = (double)(spg_json_time(result, "until") -
				spg_json_time(result, "since")) /
	               SPG_NS_PER_S;
	const char *zone = spg_json_text(result, "zone");
	struct spg_buf line = SPG_BUF_NULL;

	spg_output_raw(out, "\n");
	if (unseen_s > 0 && unseen_s < 1e12) {
		spg_buf_puts(&line, "Nobody watched for ");
		spg_output_duration(out, &line, (int64_t)(unseen_s * SPG_NS_PER_S));
		if (all_s > 0)
			spg_buf_printf(&line, " of this time (%.*f %%)",
				unseen_s / all_s < 0.01 ? 1 : 0,
				100 * unseen_s / all_s);
		spg_buf_puts(&line, ", which counts as not free: "
				    "spguard log --kind gap says why.");
		spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	}
	spg_buf_clear(&line);
	spg_buf_printf(&line, "The last %lld days; days and times are ",
		(long long)spg_json_number(result, "days"));
	if (out->utc)
		spg_buf_puts(&line, "UTC.");
	else
		spg_buf_printf(&line, "the server's (%s).", zone ? zone : "?");
	spg_output_wrap(out, NULL, 0, spg_buf_text(&line));
	spg_buf_finish(&line);
}

static void tell(struct spg_output *out, const json_t *result)
{
	const json_t *best = spg_json_list(result, "best");
	const json_t *slots = spg_json_list(result, "slots");

	tell_heading(out, result);
	tell_best(out, best);
	if (json_array_size(best) == 0 && !is_unseen(slots))
		tell_worst(out, slots);
	tell_map(out, slots);
	tell_notes(out, result);
}

static bool read_days(const struct spg_client *client, int64_t *ret, int *ret_exit)
{
	char *end;

	errno = 0;
	*ret = strtoll(optarg, &end, 10);
	if (!errno && end != optarg && !*end && *ret >= 1 && *ret <= DAYS_MAX)
		return true;
	*ret_exit = spg_client_usage(client,
		"--days takes a number from 1 to %d, not '%s'", DAYS_MAX, optarg);
	return false;
}

static bool read_for(const struct spg_client *client, int64_t *ret_ns, int *ret_exit)
{
	if (!spg_client_duration(client, "for", optarg, ret_ns, ret_exit))
		return false;
	if (*ret_ns >= SPG_NS_PER_S && *ret_ns <= FOR_MAX_NS)
		return true;
	*ret_exit = spg_client_usage(
		client, "--for takes a time from 1s to 7d, not '%s'", optarg);
	return false;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	int64_t for_ns = FOR_DEFAULT_NS, n_days = DAYS_DEFAULT;
	int option, code = client->command->exit_failed;
	const char *product = NULL;
	json_t *params;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "p:", &code)) > 0) {
		if (option == 'p')
			product = optarg;
		else if (option == 'f' && !read_for(client, &for_ns, &code))
			return code;
		else if (option == 'd' && !read_days(client, &n_days, &code))
			return code;
	}
	if (option == SPG_OPTIONS_EXIT ||
		!spg_client_no_operands(client, argc, argv, &code))
		return code;
	params = json_pack("{s:f, s:I, s:b}", "for", (double)for_ns / SPG_NS_PER_S,
		"days", (json_int_t)n_days, "utc", client->utc);
	if (product)
		json_object_set_new(params, "product", json_string(product));
	return spg_client_ask_and_tell(client, "maintenance", params, MORE_NS, tell);
}

const struct spg_command spg_command_maintenance = {
	.name = "maintenance",
	.summary = "when in the week the files were free that long",
	.purpose = SPG_PURPOSE_HISTORY,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
