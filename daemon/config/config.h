/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The configuration: what the files say, checked. Plain data; reading it does
 * file IO and may only be done at start and on a reload.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/listen_address.h"
#include "common/log.h"
#include "daemon/model/product.h"

struct spg_config {
	char *path; /* of the main file */
	char *socket;
	char *group;       /* name; "" root only */
	char *admin_group; /* name; "" root only */
	bool group_given;  /* not just the default */
	char *database;
	int64_t retain_ns;     /* 0: for ever */
	uint64_t retain_bytes; /* 0: no limit */
	int64_t lock_poll_ns;
	int64_t debounce_ns;
	int64_t install_quiet_ns; /* an install has ended after so much quiet */
	int64_t survey_deadline_ns;
	enum spg_log_level log_level;
	struct spg_listen_address *http; /* where HTTP is served; none: nowhere */
	size_t n_http, size_http;
	char *http_group; /* of Unix sockets of HTTP; "" root only; NULL: as @group */
	bool http_shows_processes;
	struct spg_product **products; /* a reference each */
	size_t n_products, size_products;
};

/**
 * Read @path and what it includes.
 *
 * @problems  one line for each fault, "FILE:LINE: what; what to do"
 * @notes     the same for what is not a fault: a directory not there yet
 *
 * Returns 0 and *ret; SPG_ERR_INVALID when there are problems, or
 * SPG_ERR_NOT_FOUND, SPG_ERR_DENIED, SPG_ERR_IO when a file cannot be read,
 * which is a line of @problems too; or SPG_ERR_NOMEM.
 */
int spg_config_read(struct spg_config **ret, const char *path, struct spg_buf *problems,
	struct spg_buf *notes);

/** The name of the group that may connect to Unix sockets of HTTP; "" root only. */
const char *spg_config_http_group(const struct spg_config *config);

/** Takes NULL. */
void spg_config_destroy(struct spg_config *config);

/** On a reload: let @config keep what the running daemon goes on using of @old,
 * its paths above all, so that borrowed pointers stay valid. */
void spg_config_move_fixed(struct spg_config *old, struct spg_config *config);

/** Write what is in force, readable as a configuration again. */
void spg_config_print(const struct spg_config *config, struct spg_buf *out);

/** Read a size such as 64K, 512M, 1G (powers of 1024), or bytes. Returns 0 or
 * SPG_ERR_INVALID. */
int spg_size_parse(const char *text, uint64_t *ret_bytes);
