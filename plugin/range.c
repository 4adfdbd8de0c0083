/* SPDX-License-Identifier: MIT */
#include "plugin/range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* Digits that no range of ours needs more of; a double holds each such number. */
#define NUMBER_MAX 32

/* Read a number at *@text and move behind it. strtod(3) alone would take "inf", "0x10"
 * and blanks. */
static bool take_number(const char **text, double *ret)
{
	const char *at = *text;
	size_t digits;

	at += *at == '-';
	digits = strspn(at, "0123456789");
	at += digits;
	if (*at == '.') {
		size_t fraction = strspn(at + 1, "0123456789");

		if (fraction == 0)
			return false;
		digits += fraction;
		at += 1 + fraction;
	}
	if (digits == 0 || digits > NUMBER_MAX)
		return false;
	*ret = strtod(*text, NULL);
	*text = at;
	return true;
}

int spg_range_parse(const char *text, struct spg_range *ret)
{
	struct spg_range range = {.text = text, .end = INFINITY};
	const char *at = text;
	double first;

	if (*at == '@') {
		range.alert_inside = true;
		at++;
	}
	if (*at == '~') {
		first = -INFINITY;
		at++;
		if (*at != ':')
			return SPG_ERR_INVALID;
	} else if (!take_number(&at, &first)) {
		return SPG_ERR_INVALID;
	}
	if (*at == ':') {
		range.start = first;
		at++;
		if (*at && !take_number(&at, &range.end))
			return SPG_ERR_INVALID;
	} else {
		range.end = first;
	}
	if (*at || range.start > range.end)
		return SPG_ERR_INVALID;
	*ret = range;
	return 0;
}

bool spg_range_alerts(const struct spg_range *range, double value)
{
	bool inside = value >= range->start && value <= range->end;

	return range->text && inside == range->alert_inside;
}

const char *spg_range_text(const struct spg_range *range)
{
	return range->text ? range->text : "";
}
