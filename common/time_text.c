/* SPDX-License-Identifier: MIT */
#include "common/time_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/rfc3339.h"

#define SECONDS_A_DAY   INT64_C(86400)
#define DURATION_MAX_NS (INT64_C(36525) * SECONDS_A_DAY * SPG_NS_PER_S)
#define YEAR_MIN        1970
#define YEAR_MAX        2261
#define FRACTION_DIGITS 9

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{"ms", SPG_NS_PER_MS}, /* before "m" */
	{"s", SPG_NS_PER_S},
	{"m", 60 * SPG_NS_PER_S},
	{"h", 3600 * SPG_NS_PER_S},
	{"d", SECONDS_A_DAY *SPG_NS_PER_S},
};

int spg_duration_parse(const char *text, int64_t *ret_ns)
{
	int64_t total = 0;

	if (!*text)
		return SPG_ERR_INVALID;
	while (*text) {
		int64_t number = 0, unit = 0;

		if (!is_digit(*text))
			return SPG_ERR_INVALID;
		for (; is_digit(*text); text++) {
			if (number > DURATION_MAX_NS / 10)
				return SPG_ERR_INVALID;
			number = number * 10 + (*text - '0');
		}
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			size_t len = strlen(units[i].name);

			if (strncmp(text, units[i].name, len) == 0) {
				unit = units[i].ns;
				text += len;
				break;
			}
		}
		if (!unit || number > (DURATION_MAX_NS - total) / unit)
			return SPG_ERR_INVALID;
		total += number * unit;
	}
	*ret_ns = total;
	return 0;
}

void spg_duration_format(int64_t ns, char ret[SPG_TIME_TEXT_BYTES])
{
	const size_t n = SPG_TIME_TEXT_BYTES;
	long long s = ns / SPG_NS_PER_S;

	if (ns < 0)
		ns = s = 0;
	if (ns < SPG_NS_PER_MS)
		snprintf(ret, n, "%lld µs", (long long)ns / 1000);
	else if (ns < 10 * SPG_NS_PER_MS)
		snprintf(ret, n, "%.1f ms", (double)(ns / 100000) / 10);
	else if (ns < SPG_NS_PER_S)
		snprintf(ret, n, "%lld ms", (long long)(ns / SPG_NS_PER_MS));
	else if (s < 10)
		snprintf(ret, n, "%.1f s", (double)(ns / 100000000) / 10);
	else if (s < 60)
		snprintf(ret, n, "%lld s", s);
	else if (s < 3600)
		snprintf(ret, n, "%lldm %llds", s / 60, s % 60);
	else if (s < SECONDS_A_DAY)
		snprintf(ret, n, "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(ret, n, "%lldd %lldh", s / SECONDS_A_DAY, s / 3600 % 24);
}

/* A place in a text being read. Every read_ function moves on only if it
 * returns true. */
struct cursor {
	const char *at;
};

static bool read_char(struct cursor *c, char wanted)
{
	if (*c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* Exactly @digits digits that make a number of @min..@max. */
static bool read_number(struct cursor *c, int digits, int min, int max, int *ret)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		if (!is_digit(c->at[i]))
			return false;
		value = value * 10 + (c->at[i] - '0');
	}
	if (value < min || value > max)
		return false;
	c->at += digits;
	*ret = value;
	return true;
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool read_date(struct cursor *c, struct tm *tm)
{
	struct cursor try = *c;
	int year, month, day;

	if (!read_number(&try, 4, YEAR_MIN, YEAR_MAX, &year) || !read_char(&try, '-') ||
		!read_number(&try, 2, 1, 12, &month) || !read_char(&try, '-') ||
		!read_number(&try, 2, 1, days_of_month(year, month), &day))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	*c = try;
	return true;
}

static bool read_fraction(struct cursor *c, int64_t *ret_ns)
{
	int64_t ns = 0;
	int digits = 0;

	if (!is_digit(*c->at))
		return false;
	for (; is_digit(*c->at); c->at++, digits++)
		if (digits < FRACTION_DIGITS)
			ns = ns * 10 + (*c->at - '0');
	for (; digits < FRACTION_DIGITS; digits++)
		ns *= 10;
	*ret_ns = ns;
	return true;
}

/* HH:MM[:SS[.fraction]] */
static bool read_clock(struct cursor *c, struct tm *tm, int64_t *ret_fraction_ns)
{
	struct cursor try = *c;
	int hour, minute, second = 0;
	int64_t fraction = 0;

	if (!read_number(&try, 2, 0, 23, &hour) || !read_char(&try, ':') ||
		!read_number(&try, 2, 0, 59, &minute))
		return false;
	if (read_char(&try, ':')) {
		/* 60: a leap second, which becomes the second after it. */
		if (!read_number(&try, 2, 0, 60, &second))
			return false;
		if ((read_char(&try, '.') || read_char(&try, ',')) &&
			!read_fraction(&try, &fraction))
			return false;
	}
	tm->tm_hour = hour;
	tm->tm_min = minute;
	tm->tm_sec = second;
	*ret_fraction_ns = fraction;
	*c = try;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (*c->at == ' ')
		c->at++;
}

/* Z, +HH:MM, +HHMM or +HH */
static bool read_offset(struct cursor *c, int64_t *ret_seconds)
{
	struct cursor try = *c;
	bool behind = *try.at == '-';
	int hours, minutes = 0;

	*ret_seconds = 0;
	if (read_char(c, 'Z') || read_char(c, 'z'))
		return true;
	if ((!read_char(&try, '+') && !read_char(&try, '-')) ||
		!read_number(&try, 2, 0, 23, &hours))
		return false;
	if ((read_char(&try, ':') || is_digit(*try.at)) &&
		!read_number(&try, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = (behind ? -1 : 1) * (hours * 3600 + minutes * 60);
	*c = try;
	return true;
}

/* One of @n names of three letters: its number. */
static bool read_name(struct cursor *c, const char *names, int n, int *ret)
{
	for (int i = 0; i < n; i++) {
		if (strncmp(c->at, names + 3 * i, 3) != 0)
			continue;
		c->at += 3;
		*ret = i;
		return true;
	}
	return false;
}

/* "Sun, 22 Nov 2026 ", RFC 5322, whatever the locale */
static bool read_mail_date(struct cursor *c, struct tm *tm)
{
	struct cursor try = *c;
	int weekday, day, month, year;

	if (!read_name(&try, "SunMonTueWedThuFriSat", 7, &weekday) ||
		!read_char(&try, ',') || !read_char(&try, ' '))
		return false;
	if (!read_number(&try, is_digit(*try.at) && is_digit(try.at[1]) ? 2 : 1, 1, 31,
		    &day) ||
		!read_char(&try, ' ') ||
		!read_name(&try, "JanFebMarAprMayJunJulAugSepOctNovDec", 12, &month) ||
		!read_char(&try, ' ') ||
		!read_number(&try, 4, YEAR_MIN, YEAR_MAX, &year) ||
		!read_char(&try, ' ') || day > days_of_month(year, month + 1))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month;
	tm->tm_mday = day;
	*c = try;
	return true;
}

static int to_ns(int64_t seconds, int64_t fraction_ns, int64_t *ret_ns)
{
	if (seconds < 0 || seconds > INT64_MAX / SPG_NS_PER_S - 1)
		return SPG_ERR_INVALID;
	*ret_ns = seconds * SPG_NS_PER_S + fraction_ns;
	return 0;
}

/* Seconds UTC of the broken-down time @tm in the zone. */
static int64_t seconds_of(struct tm *tm, bool utc)
{
	tm->tm_isdst = -1;
	return utc ? timegm(tm) : mktime(tm);
}

static bool read_word(struct cursor *c, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(c->at, word, len) != 0 || (c->at[len] && c->at[len] != ' '))
		return false;
	c->at += len;
	return true;
}

static void break_down(int64_t ns, bool utc, struct tm *tm)
{
	time_t seconds = (time_t)(ns / SPG_NS_PER_S);

	if (utc)
		gmtime_r(&seconds, tm);
	else
		localtime_r(&seconds, tm);
}

/* The day of @now_ns, @days later, at midnight. */
static void set_day(int64_t now_ns, bool utc, int days, struct tm *tm)
{
	struct tm now;

	break_down(now_ns, utc, &now);
	tm->tm_year = now.tm_year;
	tm->tm_mon = now.tm_mon;
	tm->tm_mday = now.tm_mday + days; /* mktime() and timegm() carry over */
}

/* A day and what follows it: *ret_absolute when it is a date, so that a zone may stand
 * behind the clock. */
static bool read_day(
	struct cursor *c, int64_t now_ns, bool utc, struct tm *tm, bool *ret_absolute)
{
	*ret_absolute = true;
	if (read_mail_date(c, tm))
		return is_digit(*c->at);
	if (read_date(c, tm)) {
		if (read_char(c, 'T'))
			return is_digit(*c->at);
		return !*c->at || read_char(c, ' ');
	}
	*ret_absolute = false;
	if (read_word(c, "today") || is_digit(*c->at))
		set_day(now_ns, utc, 0, tm);
	else if (read_word(c, "yesterday"))
		set_day(now_ns, utc, -1, tm);
	else
		return false;
	return true;
}

int spg_time_parse(const char *text, int64_t now_ns, bool utc, int64_t *ret_ns)
{
	struct cursor c = {text};
	struct tm tm = {0};
	int64_t fraction = 0, before, offset;
	bool absolute;

	if (spg_rfc3339_parse(text, ret_ns) == 0)
		return 0;
	if (read_char(&c, '-')) {
		if (spg_duration_parse(c.at, &before) < 0 || before > now_ns)
			return SPG_ERR_INVALID;
		*ret_ns = now_ns - before;
		return 0;
	}
	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (!read_day(&c, now_ns, utc, &tm, &absolute))
		return SPG_ERR_INVALID;
	skip_blanks(&c);
	if (*c.at && !read_clock(&c, &tm, &fraction))
		return SPG_ERR_INVALID;
	if (!*c.at)
		return to_ns(seconds_of(&tm, utc), fraction, ret_ns);
	skip_blanks(&c);
	if (!absolute || !read_offset(&c, &offset) || *c.at)
		return SPG_ERR_INVALID;
	return to_ns(seconds_of(&tm, true) - offset, fraction, ret_ns);
}

void spg_time_format(
	int64_t ns, enum spg_time_style style, bool utc, char ret[SPG_TIME_TEXT_BYTES])
{
	const size_t n = SPG_TIME_TEXT_BYTES;
	bool date = style != SPG_TIME_CLOCK && style != SPG_TIME_CLOCK_MS;
	bool clock = style != SPG_TIME_DATE;
	bool minute = style == SPG_TIME_MINUTE || style == SPG_TIME_SHORT;
	bool ms = style == SPG_TIME_CLOCK_MS || style == SPG_TIME_FULL_MS;
	struct tm tm;
	size_t len = 0;

	if (ns < 0)
		ns = 0;
	break_down(ns, utc, &tm);
	ret[0] = '\0';
	if (style == SPG_TIME_SHORT) {
		len += strftime(ret, n, "%b ", &tm);
		len += (size_t)snprintf(ret + len, n - len, "%2d", tm.tm_mday);
	} else if (date) {
		len += strftime(ret, n, "%Y-%m-%d", &tm);
	}
	if (date && clock)
		len += strftime(ret + len, n - len, " ", &tm);
	if (minute)
		len += strftime(ret + len, n - len, "%H:%M", &tm);
	else if (clock)
		len += strftime(ret + len, n - len, "%H:%M:%S", &tm);
	if (ms)
		len += (size_t)snprintf(ret + len, n - len, ".%03d",
			(int)(ns % SPG_NS_PER_S / SPG_NS_PER_MS));
	if (clock && utc)
		snprintf(ret + len, n - len, "Z");
}

bool spg_time_same_day(int64_t a_ns, int64_t b_ns, bool utc)
{
	struct tm a, b;

	break_down(a_ns, utc, &a);
	break_down(b_ns, utc, &b);
	return a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
}
