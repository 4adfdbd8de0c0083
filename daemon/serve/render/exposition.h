/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Metrics as text, in the two formats that a Prometheus server reads: its own
 * (exposition format 0.0.4) and OpenMetrics 1.0.0. They differ in what the TYPE
 * line names, in the types there are, and in the end mark. Pure; one thread.
 *
 * One family after the other, with all its samples: both formats want them
 * together.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum spg_metric_type {
	SPG_METRIC_GAUGE,
	SPG_METRIC_COUNTER,   /* samples end in _total */
	SPG_METRIC_HISTOGRAM, /* _bucket, _sum, _count */
	SPG_METRIC_INFO,      /* _info; a gauge to Prometheus */
	SPG_METRIC_STATESET,  /* a gauge to Prometheus */
};

struct spg_exposition {
	struct spg_buf *out;
	bool openmetrics;
	const char *name; /* of the family, static text */
	enum spg_metric_type type;
};

/* Static name, borrowed value, which is escaped. */
struct spg_metric_label {
	const char *name, *value;
};

/** What a client that sends this Accept header gets: true OpenMetrics. NULL: none
 * was sent. */
bool spg_exposition_wants_openmetrics(const char *accept);

/** The media type of the text. Static. */
const char *spg_exposition_media_type(bool openmetrics);

/** Begin a family. @name without the suffix that its type brings; @help is clean
 * text of one line. Both static. */
void spg_exposition_family(struct spg_exposition *e, const char *name,
	enum spg_metric_type type, const char *help);

/** A sample of a gauge, a counter, an info or a state of a set. */
void spg_exposition_sample(struct spg_exposition *e,
	const struct spg_metric_label *labels, size_t n_labels, uint64_t value);

/** The same, of a moment or a duration: @ns as seconds. */
void spg_exposition_seconds(struct spg_exposition *e,
	const struct spg_metric_label *labels, size_t n_labels, int64_t ns);

struct spg_histogram;

/** The samples of a histogram of durations, which has no labels. */
void spg_exposition_histogram(
	struct spg_exposition *e, const struct spg_histogram *histogram);

/** After the last family. */
void spg_exposition_end(struct spg_exposition *e);
