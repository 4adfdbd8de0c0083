/* SPDX-License-Identifier: MIT */
/*
 * What the client does not have on Windows yet: a view that is drawn (a line for each
 * event instead), a pager, and archives as a service pack.
 */
#include "client/archive_payload.h"
#include "client/live.h"
#include "client/pager.h"
#include "client/rights.h"
#include "client/unpacked.h"
#include "common/err.h"

bool spg_live_can_run(const struct spg_client *client)
{
	(void)client;
	return false;
}

int spg_live_run(struct spg_client *client, const char *product, const json_t *kinds)
{
	(void)product;
	(void)kinds;
	return client->command->exit_failed;
}

/* Rules of access decide, for each user and group: only a try would tell. */
const char *spg_rights_fault(const char *directory)
{
	(void)directory;
	return NULL;
}

int spg_pager_flush(struct spg_output *out)
{
	return spg_output_flush(out);
}

struct spg_unpacked *spg_unpacked_create(
	const char *path, const json_t *payload, struct spg_complaint *why)
{
	(void)path;
	(void)payload;
	spg_complain(why, "archives are not read here");
	return NULL;
}

const char *spg_unpacked_root(const struct spg_unpacked *unpacked)
{
	(void)unpacked;
	return "";
}

void spg_unpacked_destroy(struct spg_unpacked *unpacked)
{
	(void)unpacked;
}

int spg_archive_read(struct spg_payload *payload, const char *path,
	const struct spg_archive_limits *limits,
	const struct spg_payload_progress *progress, struct spg_buf *error)
{
	struct stat st;

	(void)payload;
	(void)limits;
	(void)progress;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return SPG_ARCHIVE_NONE;
	spg_buf_printf(error,
		"%s is a file: unpack it and name the folder (an .msi: msiexec /a FILE "
		"/qn "
		"TARGETDIR=FOLDER; others: tar -xf FILE -C FOLDER)\n",
		path);
	return SPG_ERR_UNSUPPORTED;
}
