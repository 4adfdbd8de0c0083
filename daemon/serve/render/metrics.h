/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the daemon measures, by the names of the public contract: no pids and no
 * paths among the labels, since each value of a label is a time series for ever.
 * Verdicts, files and uses are proved when asked. Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/kind.h"
#include "daemon/model/product.h"
#include "daemon/proof/prover.h"
#include "daemon/serve/render/render.h"
#include "daemon/serve/service.h"

/* One product as a proof found it. */
struct spg_metrics_product {
	struct spg_product *product; /* a reference */
	bool proved;                 /* what follows was found out */
	enum spg_verdict_kind verdict;
	int64_t at_ns; /* UTC, the moment it holds for */
	size_t n_files[SPG_FILE_STATES];
	size_t n_uses[SPG_USE_HOWS]; /* of each way: processes times files */
	size_t n_unattributed, n_lacks;
};

/** Count what @proof says into @ret, whose product is set. */
void spg_metrics_take(struct spg_metrics_product *ret, const struct spg_proof *proof);

/** Write all metrics. A product that is not proved is "unknown". */
void spg_metrics_write(struct spg_buf *out, bool openmetrics,
	const struct spg_service *service, const struct spg_server_counts *counts,
	const struct spg_metrics_product *products, size_t n_products);
