/* SPDX-License-Identifier: MIT */
/* Large files are read in slices, and are closed between two of them: whoever looks for
 * users then does not find the daemon. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/install/catalog.h"
#include "daemon/proof/worker.h"
#include "tests/support/suite.h"

/* No machine reads this in one slice, and it takes no room. */
#define LARGE_BYTES (256 << 20)

static struct {
	char directory[64], large[96], small[96];
	struct spg_catalog *catalog;
	struct spg_background_job *job;
	struct spg_module_set *set;
	int err;
	unsigned n_done;
	struct spg_product *product; /* NULL: there is none */
} w;

size_t spg_model_n_products(const struct spg_model *model)
{
	(void)model;
	return w.product != NULL;
}

struct spg_product *spg_model_product(const struct spg_model *model, size_t index)
{
	(void)model, (void)index;
	return w.product;
}

struct spg_file *const *spg_model_files(
	const struct spg_model *model, size_t index, size_t *ret_n)
{
	(void)model, (void)index;
	*ret_n = 0;
	return NULL;
}

int spg_prover_add_job(struct spg_prover *prover, struct spg_background_job *job)
{
	(void)prover;
	w.job = job;
	return 0;
}

static void make(const char *path, off_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	snprintf(w.directory, sizeof(w.directory), "%s", "/tmp/spguard-catalog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w.directory));
	snprintf(w.large, sizeof(w.large), "%s/large", w.directory);
	snprintf(w.small, sizeof(w.small), "%s/small", w.directory);
	make(w.large, LARGE_BYTES);
	make(w.small, 0);
	usleep(20000); /* what changes from now on has another time */
	w.catalog = spg_catalog_create(NULL);
	ck_assert_ptr_nonnull(w.catalog);
}

static void teardown(void)
{
	spg_module_set_unref(w.set);
	spg_catalog_destroy(w.catalog);
	unlink(w.large);
	unlink(w.small);
	snprintf(w.small, sizeof(w.small), "%s/small", w.directory);
	unlink(w.small);
	rmdir(w.directory);
}

static void on_done(void *user, int err, struct spg_module_set *set)
{
	(void)user;
	w.n_done++;
	w.err = err;
	w.set = set ? spg_module_set_ref(set) : NULL;
}

static void begin(void)
{
	const char *paths[] = {w.large, w.small};

	ck_assert_int_eq(spg_catalog_read(w.catalog, paths, 2, on_done, &w), 0);
	ck_assert_ptr_nonnull(w.job);
}

static bool have_open(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	bool found = false;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		char target[256];
		ssize_t n = readlinkat(
			dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n > 0) {
			target[n] = '\0';
			found = found || strcmp(target, path) == 0;
		}
	}
	closedir(dir);
	return found;
}

/* How many steps it took. */
static unsigned finish(void)
{
	unsigned n = 1;

	while (w.job->step(w.job)) {
		ck_assert(!have_open(w.large));
		n++;
	}
	w.job->done(w.job, true);
	ck_assert_uint_eq(w.n_done, 1);
	return n;
}

static const struct spg_module *module_of(const char *path)
{
	const struct spg_module *module;

	ck_assert_int_eq(w.err, 0);
	module = spg_module_find(w.set->modules, w.set->n, path, NULL);
	ck_assert_ptr_nonnull(module);
	return module;
}

START_TEST(in_slices)
{
	const char *digest =
		"a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484";
	size_t n_done, n_total;
	char place[256];

	begin();
	ck_assert(w.job->step(w.job));
	ck_assert(!have_open(w.large));
	w.job->place(w.job, place, sizeof(place));
	ck_assert_str_eq(place, w.large);
	ck_assert(spg_catalog_progress(w.catalog, &w, &n_done, &n_total));
	ck_assert_uint_eq(n_done, 0);
	ck_assert_uint_eq(n_total, 2);
	ck_assert_uint_gt(finish(), 1);
	ck_assert_int_eq(module_of(w.large)->err, 0);
	ck_assert_str_eq(module_of(w.large)->sha256, digest);
	ck_assert_str_eq(module_of(w.small)->sha256,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	ck_assert_uint_eq(w.set->n_read, 2);
}
END_TEST

/* Half of one content and half of another is neither. */
START_TEST(changed_between_two)
{
	begin();
	ck_assert(w.job->step(w.job));
	make(w.large, LARGE_BYTES - 1);
	finish();
	ck_assert_int_eq(module_of(w.large)->err, SPG_ERR_BUSY);
	ck_assert_str_eq(module_of(w.large)->sha256, "");
	ck_assert_int_eq(module_of(w.small)->err, 0);
}
END_TEST

START_TEST(replaced_between_two)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/other", w.directory);
	begin();
	ck_assert(w.job->step(w.job));
	make(other, LARGE_BYTES);
	ck_assert_int_eq(rename(other, w.large), 0);
	finish();
	ck_assert_int_eq(module_of(w.large)->err, SPG_ERR_BUSY);
}
END_TEST

START_TEST(gone_between_two)
{
	begin();
	ck_assert(w.job->step(w.job));
	ck_assert_int_eq(unlink(w.large), 0);
	finish();
	ck_assert_int_eq(w.err, 0);
	ck_assert_ptr_null(spg_module_find(w.set->modules, w.set->n, w.large, NULL));
	ck_assert_int_eq(module_of(w.small)->err, 0);
}
END_TEST

static size_t count_read(void)
{
	const char *path = w.small;

	spg_module_set_unref(w.set);
	w.set = NULL;
	w.n_done = 0;
	ck_assert_int_eq(spg_catalog_read(w.catalog, &path, 1, on_done, &w), 0);
	finish();
	return w.set->n_read;
}

static void trim(void)
{
	spg_catalog_trim(w.catalog, NULL);
	ck_assert(!w.job->step(w.job));
	w.job->done(w.job, true);
}

/* An overlay does not say who writes: there everything is read each time. */
static bool is_on_overlay(void)
{
	struct statfs fs;

	return statfs(w.directory, &fs) == 0 && fs.f_type == 0x794c7630;
}

/* Stores through a mapping may leave the times as they are. */
START_TEST(written_while_read)
{
	int fd;
	char *at;

	if (is_on_overlay())
		return;
	make(w.small, 4096);
	fd = open(w.small, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(at, MAP_FAILED);
	close(fd);
	at[0] = 'A';
	usleep(20000);
	ck_assert_uint_eq(count_read(), 1);
	ck_assert(module_of(w.small)->written);
	at[0] = 'B';
	ck_assert_uint_eq(count_read(), 1);
	munmap(at, 4096);
	ck_assert_uint_eq(count_read(), 1);
	ck_assert(!module_of(w.small)->written);
	ck_assert_uint_eq(count_read(), 0);
}
END_TEST

/* What is changed again at once may have the same time. */
START_TEST(just_changed)
{
	make(w.small, 1);
	ck_assert_uint_eq(count_read(), 1);
	usleep(20000);
	ck_assert_uint_eq(count_read(), 1);
	if (!is_on_overlay())
		ck_assert_uint_eq(count_read(), 0);
}
END_TEST

/* What is known of a product goes with it. */
START_TEST(trimmed)
{
	if (is_on_overlay())
		return;
	ck_assert_uint_eq(count_read(), 1);
	ck_assert_uint_eq(count_read(), 0);
	w.product = spg_product_create("p");
	ck_assert_int_eq(spg_product_add_directory(w.product, w.directory, "test"), 0);
	ck_assert_int_eq(spg_product_add_pattern(w.product, "sm*"), 0);
	trim();
	ck_assert_uint_eq(count_read(), 0);
	spg_product_unref(w.product);
	w.product = NULL;
	trim();
	ck_assert_uint_eq(count_read(), 1);
}
END_TEST

/* Whoever does not want it any more waits for no slice that is left. */
START_TEST(forgotten_between_two)
{
	begin();
	ck_assert(w.job->step(w.job));
	spg_catalog_forget(w.catalog, &w);
	ck_assert(!w.job->step(w.job));
	w.job->done(w.job, true);
	ck_assert_uint_eq(w.n_done, 0);
}
END_TEST

/* The daemon stops. */
START_TEST(ended_between_two)
{
	begin();
	ck_assert(w.job->step(w.job));
	w.job->done(w.job, false);
	ck_assert_int_eq(w.err, SPG_ERR_BUSY);
	ck_assert_ptr_null(w.set);
}
END_TEST

/* By its name it should be a module. It has its digest all the same. */
START_TEST(empty_module)
{
	snprintf(w.small, sizeof(w.small), "%s/small.dll", w.directory);
	make(w.small, 0);
	begin();
	finish();
	ck_assert_int_eq(module_of(w.small)->err, SPG_ERR_CORRUPT);
	ck_assert_str_eq(module_of(w.small)->why, "it is empty");
	ck_assert_uint_eq(strlen(module_of(w.small)->sha256), 64);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("catalog");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_slices);
	tcase_add_test(tc, changed_between_two);
	tcase_add_test(tc, replaced_between_two);
	tcase_add_test(tc, gone_between_two);
	tcase_add_test(tc, forgotten_between_two);
	tcase_add_test(tc, written_while_read);
	tcase_add_test(tc, just_changed);
	tcase_add_test(tc, trimmed);
	tcase_add_test(tc, ended_between_two);
	tcase_add_test(tc, empty_module);
	return spg_run_suite("catalog", tc);
}
