/* SPDX-License-Identifier: MIT */
#include "common/rfc3339.h"

#include <stdbool.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"

#define DAY_S 86400

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted
 * in eras of 400 years that begin in March, so that the leap day comes last. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year =
		(153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				      day_of_era / 146096) /
	                      365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

void spg_rfc3339_format(int64_t ns, char ret[static SPG_RFC3339_SIZE])
{
	int64_t seconds = ns / SPG_NS_PER_S, days;
	int fraction = (int)(ns % SPG_NS_PER_S), digits = 9;
	int year, month, day, second, n;

	if (fraction < 0) {
		fraction += (int)SPG_NS_PER_S;
		seconds--;
	}
	days = (seconds >= 0 ? seconds : seconds - (DAY_S - 1)) / DAY_S;
	second = (int)(seconds - days * DAY_S);
	date_from_days(days, &year, &month, &day);
	/* The remainders tell the compiler that it fits. */
	n = snprintf(ret, SPG_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u",
		(unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100,
		(unsigned)second / 3600 % 100, (unsigned)second / 60 % 60,
		(unsigned)second % 60);
	if (fraction) {
		while (fraction % 10 == 0) {
			fraction /= 10;
			digits--;
		}
		n += snprintf(ret + n, SPG_RFC3339_SIZE - (size_t)n, ".%0*d", digits,
			fraction);
	}
	snprintf(ret + n, SPG_RFC3339_SIZE - (size_t)n, "Z");
}

/* Read exactly @n digits at *@at and move on. */
static bool take_number(const char **at, int n, int min, int max, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	if (value < min || value > max)
		return false;
	*at += n;
	*ret = value;
	return true;
}

static bool take_char(const char **at, char upper, char lower)
{
	if (**at != upper && **at != lower)
		return false;
	(*at)++;
	return true;
}

static bool take_fraction(const char **at, int *ret_ns)
{
	int ns = 0, digits = 0;

	if (**at != '.') {
		*ret_ns = 0;
		return true;
	}
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++) {
		if (digits < 9)
			ns = ns * 10 + (**at - '0');
	}
	if (!digits)
		return false;
	for (; digits < 9; digits++)
		ns *= 10;
	*ret_ns = ns;
	return true;
}

static bool take_offset(const char **at, int *ret_seconds)
{
	int hours, minutes;
	bool behind = **at == '-';

	if (take_char(at, 'Z', 'z')) {
		*ret_seconds = 0;
		return true;
	}
	if (!take_char(at, '+', '-') || !take_number(at, 2, 0, 23, &hours) ||
		!take_char(at, ':', ':') || !take_number(at, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = (hours * 3600 + minutes * 60) * (behind ? -1 : 1);
	return true;
}

static bool date_exists(int year, int month, int day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return day <= lengths[month - 1] + (month == 2 && leap);
}

int spg_rfc3339_parse(const char *text, int64_t *ret)
{
	int year, month, day, hour, minute, second, fraction, offset;
	const char *at = text;
	int64_t seconds, ns;

	if (!take_number(&at, 4, 0, 9999, &year) || !take_char(&at, '-', '-') ||
		!take_number(&at, 2, 1, 12, &month) || !take_char(&at, '-', '-') ||
		!take_number(&at, 2, 1, 31, &day) || !take_char(&at, 'T', 't') ||
		!take_number(&at, 2, 0, 23, &hour) || !take_char(&at, ':', ':') ||
		!take_number(&at, 2, 0, 59, &minute) || !take_char(&at, ':', ':') ||
		!take_number(&at, 2, 0, 60, &second) ||
		!take_fraction(&at, &fraction) || !take_offset(&at, &offset) ||
		*at != '\0' || !date_exists(year, month, day))
		return SPG_ERR_INVALID;
	seconds = days_from_date(year, month, day) * DAY_S + hour * 3600 + minute * 60 +
	          second - offset;
	if (__builtin_mul_overflow(seconds, SPG_NS_PER_S, &ns) ||
		__builtin_add_overflow(ns, (int64_t)fraction, &ns))
		return SPG_ERR_INVALID;
	*ret = ns;
	return 0;
}
