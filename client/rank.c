/* SPDX-License-Identifier: MIT */
#include "client/rank.h"

#include <string.h>

#include "client/client.h"

const struct spg_rank spg_check_ranks[SPG_N_CHECK_RANKS] = {
	{"safe", SPG_EXIT_SAFE},
	{"attention", SPG_EXIT_ATTENTION},
	{"unknown", SPG_EXIT_UNKNOWN},
	{"blocked", SPG_EXIT_BLOCKED},
};

static int rank_of(const struct spg_rank *ranks, size_t n, const json_t *answer)
{
	const char *verdict = spg_json_text(answer, "verdict");

	for (size_t i = 0; verdict && i < n; i++)
		if (strcmp(verdict, ranks[i].name) == 0)
			return (int)i;
	return -1;
}

int spg_rank_worst(const struct spg_rank *ranks, size_t n, const json_t *result)
{
	int worst = rank_of(ranks, n, result);
	size_t i;
	json_t *answer;

	json_array_foreach (spg_json_list(result, "products"), i, answer) {
		int rank = rank_of(ranks, n, answer);

		if (rank < 0 || worst < 0)
			return -1;
		if (rank > worst)
			worst = rank;
	}
	return worst;
}
