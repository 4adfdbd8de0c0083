/* SPDX-License-Identifier: MIT */
/*
 * A build without libelf, as for Windows: a file of Linux is one that cannot be judged,
 * never one that fits.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/install/elf/elf.h"
#include "daemon/install/elf/search.h"

struct spg_search {
	struct spg_module_set *set;
};

int spg_elf_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error)
{
	char magic[4];

	*ret = NULL;
	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic) ||
		memcmp(magic, "\177ELF", sizeof(magic)) != 0) {
		spg_buf_puts(error, "not an ELF file");
		return SPG_ERR_INVALID;
	}
	spg_buf_puts(
		error, "a program of Linux: this spguardd was built without libelf");
	return SPG_ERR_UNSUPPORTED;
}

int spg_script_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error)
{
	(void)fd;
	*ret = NULL;
	spg_buf_puts(error, "not a script");
	return SPG_ERR_INVALID;
}

struct spg_search *spg_search_begin(struct spg_module_set *set,
	struct spg_product *product, struct spg_outside *outside)
{
	struct spg_search *search = malloc(sizeof(*search));

	(void)product;
	(void)outside;
	if (search)
		search->set = set;
	return search;
}

int spg_search_step(struct spg_search *search)
{
	(void)search;
	return 0;
}

void spg_search_end(struct spg_search *search)
{
	(void)search;
}

void spg_search_destroy(struct spg_search *search)
{
	free(search);
}

int spg_search_around(struct spg_module_set *set, struct spg_product *product)
{
	(void)set;
	(void)product;
	return 0;
}
