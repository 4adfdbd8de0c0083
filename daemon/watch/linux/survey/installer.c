/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/installer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "daemon/watch/linux/files/permission.h"

/* What cannot be looked at is not allowed. */
static bool may(const char *path, const struct spg_somebody *who, unsigned wanted,
	struct spg_permission *ret)
{
	return spg_permission_read(path, ret) == 0 &&
	       spg_permission_allows(ret, who, wanted);
}

/* The first directory on the way to @path that @who cannot pass, itself included, in
 * @ret. Links are followed. */
static bool find_bar(
	const char *path, const struct spg_somebody *who, char ret[PATH_MAX])
{
	struct spg_permission permission;

	for (const char *at = path; at; at = strchr(at + 1, '/')) {
		snprintf(ret, PATH_MAX, "%.*s", at > path ? (int)(at - path) : 1, path);
		if (!may(ret, who, SPG_MAY_SEARCH, &permission))
			return true;
	}
	snprintf(ret, PATH_MAX, "%s", path);
	return !may(ret, who, SPG_MAY_SEARCH, &permission);
}

/* By its name, and by where that leads. */
static int judge_way(struct spg_seen_folder *folder, const struct spg_somebody *who)
{
	char bar[PATH_MAX], *real_path = realpath(folder->path, NULL);
	bool barred = find_bar(folder->path, who, bar) ||
	              (real_path && find_bar(real_path, who, bar));

	free(real_path);
	if (!barred)
		return 0;
	folder->bar = strdup(bar);
	folder->obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_UNREACHABLE);
	return folder->bar ? 0 : SPG_ERR_NOMEM;
}

/* True in @ret_sticky when only owners of files may rename them there. */
static int judge_folder(struct spg_seen_folder *folder, const struct spg_somebody *who,
	bool *ret_sticky)
{
	struct spg_permission permission = {.mode = 0};

	if (!may(folder->path, who, SPG_MAY_WRITE, &permission))
		folder->obstacles |=
			SPG_OBSTACLE_BIT(SPG_OBSTACLE_DIRECTORY_NO_PERMISSION);
	*ret_sticky = (permission.mode & S_ISVTX) && permission.uid != who->uid;
	return judge_way(folder, who);
}

static void judge_file(
	struct spg_seen_file *seen, const struct spg_somebody *who, bool sticky)
{
	const char *path = seen->file->path;
	struct spg_permission permission;
	struct stat st;

	if (!may(path, who, SPG_MAY_WRITE, &permission))
		seen->obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_NO_PERMISSION);
	/* Of a link the link is replaced. */
	if (sticky && (lstat(path, &st) < 0 || st.st_uid != who->uid))
		seen->obstacles |= SPG_OBSTACLE_BIT(SPG_OBSTACLE_FOREIGN_OWNER);
}

int spg_installer_judge(struct spg_observation *obs)
{
	const struct spg_product *product = obs->product;
	const struct spg_somebody who = {
		product->install_uid, product->install_gids, product->n_install_gids};
	bool *sticky;
	int r = 0;

	if (!product->install_as)
		return 0;
	sticky = calloc(obs->n_folders + 1, sizeof(*sticky));
	if (!sticky)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < obs->n_folders; i++)
		r = judge_folder(&obs->folders[i], &who, &sticky[i]);
	for (size_t i = 0; r == 0 && i < obs->n_files; i++)
		if (obs->files[i].presence == SPG_PRESENT &&
			obs->files[i].folder != SPG_NO_FILE)
			judge_file(&obs->files[i], &who, sticky[obs->files[i].folder]);
	free(sticky);
	return r;
}
