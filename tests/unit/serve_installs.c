/* SPDX-License-Identifier: MIT */
/* For the tests of serve/: what the methods about installs would ask. None of these
 * tests calls them; they are tested with a whole daemon, in tests/system. */
#include <check.h>

#include "common/err.h"
#include "daemon/install/catalog.h"
#include "daemon/install/sidestep/sidestep.h"
#include "daemon/install/tracker.h"
#include "daemon/store/records.h"

#define NOT_ASKED ck_abort_msg("%s was not to be called", __func__)

struct spg_file *const *spg_model_files(
	const struct spg_model *model, size_t index, size_t *ret_n)
{
	(void)model;
	(void)index;
	*ret_n = 0;
	return NULL;
}

int spg_catalog_read_product(struct spg_catalog *catalog, const struct spg_model *model,
	size_t index, const struct spg_module_set *known, spg_catalog_done *done,
	void *user)
{
	(void)catalog, (void)model, (void)index, (void)known, (void)done, (void)user;
	NOT_ASKED;
	return 0;
}

int spg_catalog_read(struct spg_catalog *catalog, const char *const *paths, size_t n,
	spg_catalog_done *done, void *user)
{
	(void)catalog, (void)paths, (void)n, (void)done, (void)user;
	return SPG_ERR_BUSY;
}

int spg_prover_add_job(struct spg_prover *prover, struct spg_background_job *job)
{
	(void)prover, (void)job;
	return SPG_ERR_BUSY;
}

bool spg_catalog_progress(const struct spg_catalog *catalog, const void *user,
	size_t *ret_done, size_t *ret_total)
{
	(void)catalog, (void)user, (void)ret_done, (void)ret_total;
	return false;
}

void spg_catalog_forget(struct spg_catalog *catalog, const void *user)
{
	(void)catalog, (void)user;
}

const struct spg_install *spg_tracker_running(
	const struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	return NULL;
}

const struct spg_install *spg_tracker_unresolved(
	const struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	return NULL;
}

const struct spg_install *spg_tracker_accepted(
	const struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	return NULL;
}

uint64_t spg_tracker_count(const struct spg_tracker *tracker, const char *product,
	enum spg_install_outcome outcome)
{
	(void)tracker, (void)product;
	return (uint64_t)outcome;
}

struct spg_module_set *spg_tracker_installed(
	const struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	return NULL;
}

void spg_tracker_expect(
	struct spg_tracker *tracker, const char *product, struct spg_expected *expected)
{
	(void)tracker, (void)product;
	spg_expected_finish(expected);
}

int spg_tracker_verified(struct spg_tracker *tracker, const char *product,
	const struct spg_verification *v, const struct spg_expected *expected,
	bool applied)
{
	(void)tracker, (void)product, (void)v, (void)expected, (void)applied;
	return 0;
}

int spg_tracker_accept(struct spg_tracker *tracker, int64_t id, const char *who)
{
	(void)tracker, (void)id, (void)who;
	return SPG_ERR_NOT_FOUND;
}

void spg_tracker_hurry(struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
}

bool spg_tracker_compare(
	struct spg_tracker *tracker, const char *product, struct spg_module_set *set)
{
	(void)tracker, (void)product, (void)set;
	return false;
}

bool spg_tracker_is_behind(const struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	return false;
}

void spg_tracker_doubt(struct spg_tracker *tracker, const char *product)
{
	(void)tracker, (void)product;
	NOT_ASKED;
}

int spg_tracker_wait(struct spg_tracker *tracker, const char *product, int64_t wait_ns,
	void (*done)(void *user, bool running), void *user)
{
	(void)tracker, (void)product, (void)wait_ns, (void)done, (void)user;
	NOT_ASKED;
	return 0;
}

void spg_tracker_forget(struct spg_tracker *tracker, const void *user)
{
	(void)tracker, (void)user;
}

int spg_sidesteps_ask(struct spg_sidesteps *sidesteps,
	const struct spg_sidestep_request *request, spg_sidesteps_done *done,
	void *user)
{
	(void)sidesteps, (void)request, (void)done, (void)user;
	NOT_ASKED;
	return 0;
}

void spg_store_get_installs(struct spg_store *store,
	const struct spg_store_install_query *query, spg_store_on_installs *done,
	void *user)
{
	(void)store, (void)query, (void)done, (void)user;
	NOT_ASKED;
}
