/* SPDX-License-Identifier: MIT */
#include "client/profile_install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/profile_files.h"
#include "client/write_file.h"
#include "common/buf.h"
#include "common/text.h"

#define PROFILE_BYTES_MAX (4U << 20)

static bool complain(struct spg_complaint *why, const char *what, const char *path)
{
	int err = errno;

	spg_complain(why, "%s %s: %s", what, path, strerror(err));
	if (err == EACCES || err == EPERM)
		spg_complaint_hint(why, "Be root, or save what is printed there.");
	else if (err == ENOENT)
		spg_complaint_hint(
			why, "--products-dir DIR names where the daemon reads them.");
	return false;
}

/* The whole of a file; false: errno. */
static bool read_file(const char *path, struct spg_buf *ret)
{
	FILE *file = fopen(path, "re");
	char bytes[4096];
	size_t n;
	bool good;

	if (!file)
		return false;
	while (ret->len < PROFILE_BYTES_MAX &&
		(n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		spg_buf_add(ret, bytes, n);
	good = !ferror(file) && !ret->failed;
	fclose(file);
	return good;
}

/* Does the file at @path have a section of product @name? */
static bool defines(const char *path, const char *name)
{
	struct spg_buf text = SPG_BUF_NULL, section = SPG_BUF_NULL;
	const char *at;
	bool found = false;

	spg_buf_printf(&section, "[product %s]", name);
	if (read_file(path, &text))
		for (at = strstr(spg_buf_text(&text), spg_buf_text(&section));
			at && !found; at = strstr(at + 1, spg_buf_text(&section)))
			found = at == text.data || at[-1] == '\n';
	spg_buf_finish(&text);
	spg_buf_finish(&section);
	return found;
}

/* A product may be there once: that in another file is not ours to replace. */
static bool is_elsewhere(const char *directory, const char *own, const char *name,
	struct spg_complaint *why)
{
	struct spg_texts names = SPG_TEXTS_NULL;
	struct spg_buf path = SPG_BUF_NULL;
	bool found = false;

	if (!spg_names_in(directory, &names)) {
		spg_complain(why, "out of memory");
		spg_texts_finish(&names);
		return true;
	}
	for (size_t i = 0; i < names.n && !found; i++) {
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s", directory, names.items[i]);
		found = names.items[i][0] != '.' &&
		        spg_name_match("*.conf", names.items[i], false) &&
		        strcmp(spg_buf_text(&path), own) != 0 &&
		        defines(spg_buf_text(&path), name);
	}
	if (found) {
		spg_complain(
			why, "%s has a product %s already", spg_buf_text(&path), name);
		spg_complaint_hint(why, "Give this one another: --name NAME");
	}
	spg_buf_finish(&path);
	spg_texts_finish(&names);
	return found;
}

/* What is there already: false after the complaint, or *@ret_same. */
static bool check_there(const char *path, const char *text, bool force, bool *ret_same,
	struct spg_complaint *why)
{
	struct spg_buf there = SPG_BUF_NULL;
	bool good = true;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || complain(why, "cannot look at", path);
	*ret_same = S_ISREG(st.st_mode) && read_file(path, &there) &&
	            strcmp(spg_buf_text(&there), text) == 0;
	if (!*ret_same && !force) {
		spg_complain(why, "%s is there already", path);
		spg_complaint_hint(why, "--force replaces it, --name NAME gives this "
					"one another name.");
		good = false;
	}
	spg_buf_finish(&there);
	return good;
}

static void sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* A hidden name beside @path, which no include takes. */
static char *draft_name(const char *directory, const char *name, const char *end)
{
	char *path;

	return asprintf(&path, "%s/.%s.%s", directory, name, end) < 0 ? NULL : path;
}

static bool replace(struct spg_installed *installed, const char *directory,
	const char *name, const char *text, struct spg_complaint *why)
{
	char *draft = draft_name(directory, name, "XXXXXX");
	int fd = draft ? mkostemp(draft, O_CLOEXEC) : -1;
	bool good;

	if (fd < 0) {
		(void)complain(why, "cannot write into", directory);
		free(draft);
		return false;
	}
	/* Kept for the case that the daemon refuses the new one. */
	installed->kept = draft_name(directory, name, "earlier");
	if (installed->kept) {
		(void)unlink(installed->kept);
		if (linkat(AT_FDCWD, installed->path, AT_FDCWD, installed->kept, 0) <
			0) {
			free(installed->kept);
			installed->kept = NULL;
		}
	}
	good = spg_write_file(fd, text) && rename(draft, installed->path) == 0;
	if (!good) {
		(void)complain(why, "cannot write", installed->path);
		(void)unlink(draft);
	}
	close(fd);
	free(draft);
	sync_directory(directory);
	return good;
}

bool spg_profile_install(struct spg_installed *ret, const char *directory,
	const char *name, const char *text, bool force, struct spg_complaint *why)
{
	if (asprintf(&ret->path, "%s/%s.conf", directory, name) < 0) {
		ret->path = NULL;
		spg_complain(why, "out of memory");
		return false;
	}
	if (is_elsewhere(directory, ret->path, name, why) ||
		!check_there(ret->path, text, force, &ret->same, why))
		return false;
	if (ret->same)
		return true;
	if (replace(ret, directory, name, text, why))
		return true;
	if (ret->kept)
		(void)unlink(ret->kept);
	free(ret->kept);
	ret->kept = NULL;
	return false;
}

void spg_installed_finish(struct spg_installed *installed, bool keep)
{
	if (installed->path && !keep && !installed->same) {
		if (installed->kept)
			(void)rename(installed->kept, installed->path);
		else
			(void)unlink(installed->path);
	} else if (installed->kept) {
		(void)unlink(installed->kept);
	}
	free(installed->path);
	free(installed->kept);
	*installed = (struct spg_installed)SPG_INSTALLED_NULL;
}
