/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/survey/binfmt.h"

#include <dirent.h>
#include <string.h>

#include "daemon/watch/linux/proc/read.h"

/* "enabled", "interpreter /usr/bin/qemu", "flags: OCF", ... */
static bool read_entry(
	int dir_fd, const char *name, char *text, size_t size, struct spg_binfmt *ret)
{
	char *save = NULL;

	*ret = (struct spg_binfmt){.name = name};
	if (spg_proc_slurp(dir_fd, name, text, size) <= 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "enabled") == 0)
			ret->enabled = true;
		else if (strncmp(line, "interpreter ", 12) == 0)
			ret->interpreter = line + 12;
		else if (strncmp(line, "flags: ", 7) == 0)
			ret->keeps_open = strchr(line + 7, 'F') != NULL;
	}
	return ret->interpreter != NULL;
}

int spg_binfmt_each(const struct spg_mounts *mounts,
	int (*each)(void *user, const struct spg_binfmt *binfmt), void *user)
{
	const struct spg_mount *mount = spg_mounts_find(mounts, SPG_BINFMT);
	DIR *dir = mount && strcmp(mount->type, "binfmt_misc") == 0
	                   ? opendir(SPG_BINFMT)
	                   : NULL;
	const struct dirent *entry;
	int r = 0;

	while (r == 0 && dir && (entry = readdir(dir))) {
		struct spg_binfmt binfmt;
		char text[4096];

		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "register") != 0 &&
			strcmp(entry->d_name, "status") != 0 &&
			read_entry(
				dirfd(dir), entry->d_name, text, sizeof(text), &binfmt))
			r = each(user, &binfmt);
	}
	if (dir)
		closedir(dir);
	return r;
}
