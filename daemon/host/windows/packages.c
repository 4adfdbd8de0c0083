/* SPDX-License-Identifier: MIT */
/* No package manager of Windows keeps what could be read here. */
#include "daemon/host/packages.h"

#include <stdlib.h>

#include "common/err.h"

struct spg_package_database {
	int none;
};

void spg_package_place_finish(struct spg_package_place *place)
{
	*place = (struct spg_package_place)SPG_PACKAGE_PLACE_NULL;
}

int spg_package_place_copy(
	struct spg_package_place *ret, const struct spg_package_place *place)
{
	(void)place;
	*ret = (struct spg_package_place)SPG_PACKAGE_PLACE_NULL;
	return 0;
}

bool spg_package_place_equal(
	const struct spg_package_place *a, const struct spg_package_place *b)
{
	(void)a;
	(void)b;
	return true;
}

int spg_package_place_parse(const char *cmdline, struct spg_package_place *ret)
{
	(void)cmdline;
	(void)ret;
	return 0;
}

struct spg_package_database *spg_package_database_create(
	const struct spg_package_place *place)
{
	(void)place;
	return calloc(1, sizeof(struct spg_package_database));
}

void spg_package_database_destroy(struct spg_package_database *database)
{
	free(database);
}

int spg_package_database_begin(struct spg_package_database *database,
	const char *const *paths, size_t n, struct spg_packages *known)
{
	(void)database;
	(void)paths;
	(void)n;
	(void)known;
	return 0;
}

int spg_package_database_step(
	struct spg_package_database *database, int64_t until_ns, const char **ret_why)
{
	(void)database;
	(void)until_ns;
	*ret_why = NULL;
	return 0;
}

struct spg_packages *spg_package_database_take(struct spg_package_database *database)
{
	(void)database;
	return spg_packages_create();
}
