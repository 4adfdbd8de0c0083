/* SPDX-License-Identifier: MIT */
/* For the tests of serve/: what the methods about installs would ask. None of these
 * tests calls them; they are tested with a whole daemon, in tests/system. */
#include <check.h>

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
	size_t index, spg_catalog_done *done, void *user)
{
	(void)catalog, (void)model, (void)index, (void)done, (void)user;
	NOT_ASKED;
	return 0;
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

const struct spg_install *spg_sessions_running(
	const struct spg_sessions *sessions, const char *product)
{
	(void)sessions, (void)product;
	return NULL;
}

const struct spg_install *spg_sessions_unmended(
	const struct spg_sessions *sessions, const char *product)
{
	(void)sessions, (void)product;
	return NULL;
}

uint64_t spg_sessions_count(const struct spg_sessions *sessions, const char *product,
	enum spg_install_outcome outcome)
{
	(void)sessions, (void)product;
	return (uint64_t)outcome;
}

struct spg_module_set *spg_sessions_installed(
	const struct spg_sessions *sessions, const char *product)
{
	(void)sessions, (void)product;
	return NULL;
}

void spg_sessions_expect(struct spg_sessions *sessions, const char *product,
	struct spg_expected *expected)
{
	(void)sessions, (void)product;
	spg_expected_finish(expected);
}

void spg_sessions_mended(struct spg_sessions *sessions, const char *product,
	const struct spg_expected *expected, const struct spg_module_set *set)
{
	(void)sessions, (void)product, (void)expected, (void)set;
}

void spg_sessions_hurry(struct spg_sessions *sessions, const char *product)
{
	(void)sessions, (void)product;
}

int spg_sessions_wait(struct spg_sessions *sessions, const char *product,
	int64_t wait_ns, void (*done)(void *user, bool running), void *user)
{
	(void)sessions, (void)product, (void)wait_ns, (void)done, (void)user;
	NOT_ASKED;
	return 0;
}

void spg_sessions_forget(struct spg_sessions *sessions, const void *user)
{
	(void)sessions, (void)user;
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
