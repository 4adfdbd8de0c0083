/* SPDX-License-Identifier: MIT */
#include "daemon/serve/render/exposition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/histogram.h"

#define OPENMETRICS "application/openmetrics-text"

/* The weight "q" among the parameters of an Accept element, RFC 9110, 12.4.2. */
static double weight_of(const char *element, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++)
		if ((element[i] == ';' || element[i] == ' ') &&
			(element[i + 1] == 'q' || element[i + 1] == 'Q') &&
			element[i + 2] == '=')
			return atof(element + i + 3);
	return 1;
}

static double weight_in(const char *accept, const char *type)
{
	double best = 0;

	while (*accept) {
		size_t n, skip = strspn(accept, ", \t");

		accept += skip;
		n = strcspn(accept, ",");
		if (n >= strlen(type) && strncasecmp(accept, type, strlen(type)) == 0 &&
			weight_of(accept, n) > best)
			best = weight_of(accept, n);
		accept += n;
	}
	return best;
}

bool spg_exposition_wants_openmetrics(const char *accept)
{
	return accept && weight_in(accept, OPENMETRICS) > 0 &&
	       weight_in(accept, OPENMETRICS) >= weight_in(accept, "text/plain");
}

const char *spg_exposition_media_type(bool openmetrics)
{
	return openmetrics ? OPENMETRICS "; version=1.0.0; charset=utf-8"
	                   : "text/plain; version=0.0.4; charset=utf-8";
}

static const char *suffix_of(enum spg_metric_type type)
{
	return type == SPG_METRIC_COUNTER ? "_total"
	       : type == SPG_METRIC_INFO  ? "_info"
	                                  : "";
}

static const char *type_name(const struct spg_exposition *e)
{
	switch (e->type) {
	case SPG_METRIC_COUNTER:
		return "counter";
	case SPG_METRIC_HISTOGRAM:
		return "histogram";
	case SPG_METRIC_INFO:
		return e->openmetrics ? "info" : "gauge";
	case SPG_METRIC_STATESET:
		return e->openmetrics ? "stateset" : "gauge";
	default:
		return "gauge";
	}
}

void spg_exposition_family(struct spg_exposition *e, const char *name,
	enum spg_metric_type type, const char *help)
{
	const char *suffix;

	e->name = name;
	e->type = type;
	/* OpenMetrics names the family, Prometheus the samples. */
	suffix = e->openmetrics ? "" : suffix_of(type);
	spg_buf_printf(e->out, "# HELP %s%s %s\n", name, suffix, help);
	spg_buf_printf(e->out, "# TYPE %s%s %s\n", name, suffix, type_name(e));
}

static void put_value(struct spg_buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			spg_buf_puts(out, "\\n");
		else if (*value == '\\' || *value == '"')
			spg_buf_printf(out, "\\%c", *value);
		else
			spg_buf_putc(out, *value);
	}
}

static void put_head(struct spg_exposition *e, const char *suffix,
	const struct spg_metric_label *labels, size_t n_labels)
{
	spg_buf_printf(e->out, "%s%s", e->name, suffix);
	for (size_t i = 0; i < n_labels; i++) {
		spg_buf_printf(e->out, "%s%s=\"", i ? "," : "{", labels[i].name);
		put_value(e->out, labels[i].value);
		spg_buf_putc(e->out, '"');
	}
	spg_buf_puts(e->out, n_labels ? "} " : " ");
}

/* Not as a floating-point number, which a locale or 53 bits could spoil. */
static void put_seconds(struct spg_buf *out, uint64_t ns)
{
	spg_buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / SPG_NS_PER_S,
		ns % SPG_NS_PER_S);
}

void spg_exposition_sample(struct spg_exposition *e,
	const struct spg_metric_label *labels, size_t n_labels, uint64_t value)
{
	put_head(e, suffix_of(e->type), labels, n_labels);
	spg_buf_printf(e->out, "%" PRIu64 "\n", value);
}

void spg_exposition_seconds(struct spg_exposition *e,
	const struct spg_metric_label *labels, size_t n_labels, int64_t ns)
{
	put_head(e, suffix_of(e->type), labels, n_labels);
	put_seconds(e->out, ns > 0 ? (uint64_t)ns : 0);
}

void spg_exposition_histogram(
	struct spg_exposition *e, const struct spg_histogram *histogram)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SPG_HISTOGRAM_BUCKETS; i++) {
		const struct spg_metric_label le = {"le", spg_histogram_bound(i)};

		n += histogram->counts[i];
		put_head(e, "_bucket", &le, 1);
		spg_buf_printf(e->out, "%" PRIu64 "\n", n);
	}
	put_head(e, "_bucket", &(struct spg_metric_label){"le", "+Inf"}, 1);
	spg_buf_printf(e->out, "%" PRIu64 "\n", histogram->n);
	put_head(e, "_sum", NULL, 0);
	put_seconds(e->out, histogram->sum_ns);
	put_head(e, "_count", NULL, 0);
	spg_buf_printf(e->out, "%" PRIu64 "\n", histogram->n);
}

void spg_exposition_end(struct spg_exposition *e)
{
	if (e->openmetrics)
		spg_buf_puts(e->out, "# EOF\n");
}
