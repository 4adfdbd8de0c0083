/* SPDX-License-Identifier: MIT */
#include "client/profile_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/text.h"

#define DEPTH_MAX   32
#define ENTRIES_MAX 300000 /* looked at, of one directory and below */
#define MODULES_MAX 50000

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);

	return n > len && strcmp(name + n - len, end) == 0;
}

/* A ZIP archive is a module only by its name: others are data. */
static bool is_archive_of_java(const char *path)
{
	return ends_with(path, ".jar") || ends_with(path, ".war") ||
	       ends_with(path, ".ear");
}

/* What a linker makes programs of is in nobody's use: ET_REL, elf(5). */
static bool is_object(const unsigned char *head, size_t n)
{
	return n >= 18 && head[head[5] == 2 ? 17 : 16] == 1 &&
	       head[head[5] == 2 ? 16 : 17] == 0;
}

static enum spg_module module_of(const char *path, const unsigned char *head, size_t n)
{
	/* jimage(1) writes 0xCAFEDADA in the machine's own order. */
	static const unsigned char little[] = {0xda, 0xda, 0xfe, 0xca};
	static const unsigned char big[] = {0xca, 0xfe, 0xda, 0xda};

	if (n >= 4 && memcmp(head, "\177ELF", 4) == 0)
		return is_object(head, n) ? SPG_MODULE_NONE : SPG_MODULE_UNIX;
	if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0 && is_archive_of_java(path))
		return SPG_MODULE_UNIX;
	if (n >= 4 && (memcmp(head, little, 4) == 0 || memcmp(head, big, 4) == 0))
		return SPG_MODULE_UNIX;
	if (n >= 64 && memcmp(head, "MZ", 2) == 0)
		return SPG_MODULE_WINDOWS;
	return SPG_MODULE_NONE;
}

enum spg_module spg_module_at(const char *path)
{
	/* Not to wait for a FIFO, and to wake no device. */
	struct stat st;
	unsigned char head[64];
	ssize_t n = -1;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return SPG_MODULE_NONE;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return SPG_MODULE_NONE;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = pread(fd, head, sizeof(head), 0);
	close(fd);
	return n > 0 ? module_of(path, head, (size_t)n) : SPG_MODULE_NONE;
}

/* "x86_64-linux-gnu", "arm-linux-gnueabihf" */
static bool is_multiarch(const char *name)
{
	return strchr(name, '/') == NULL && strstr(name, "-linux-") != NULL;
}

bool spg_directory_is_common(const char *path)
{
	static const char *const common[] = {"/", "/bin", "/sbin", "/lib", "/lib32",
		"/lib64", "/libx32", "/libexec", "/games", "/local", "/opt", "/srv",
		"/etc", "/var", "/run", "/tmp", "/home", "/root", "/share", "/include",
		"/lib/python3/dist-packages", "/lib/jvm", "/lib/systemd",
		"/lib/systemd/system-generators", "/lib/udev", "/var/lib",
		"/share/java"};
	/* Below a folder of libraries: what any program may load. */
	static const char *const loaded[] = {"gconv", "security", "sasl2", "engines-3",
		"engines-1.1", "ossl-modules", "krb5/plugins", "nss", "gio/modules",
		"pkcs11", "audit"};
	const char *rest = path, *machine;

	if (strncmp(rest, "/usr", 4) == 0 && (rest[4] == '/' || !rest[4]))
		rest += 4;
	if (strncmp(rest, "/local", 6) == 0 && rest[6] == '/')
		rest += 6;
	if (!*rest)
		return true;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (strcmp(rest, common[i]) == 0)
			return true;
	if (strncmp(rest, "/lib/", 5) != 0 && strncmp(rest, "/lib64/", 7) != 0)
		return false;
	rest = strchr(rest + 1, '/') + 1;
	if (is_multiarch(rest))
		return true;
	machine = strchr(rest, '/');
	if (machine && strstr(rest, "-linux-") && strstr(rest, "-linux-") < machine)
		rest = machine + 1;
	for (size_t i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++)
		if (strcmp(rest, loaded[i]) == 0)
			return true;
	return false;
}

char *spg_resolve_directory_of(const char *path)
{
	const char *name = spg_path_base(path);
	struct spg_buf buf = SPG_BUF_NULL;
	char *folder, *resolved;

	spg_buf_add(&buf, path, (size_t)(name - path));
	folder = buf.failed || !buf.len ? NULL : spg_buf_take(&buf);
	resolved = folder ? realpath(folder, NULL) : NULL;
	free(folder);
	if (!resolved)
		return NULL;
	spg_buf_printf(&buf, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
	free(resolved);
	return spg_buf_take(&buf);
}

/* ---- a tree ---- */

struct walk {
	struct spg_texts *ret;
	bool *has_windows;
	size_t n_entries;
	struct spg_complaint *why;
};

static bool walk(struct walk *walk, const char *directory, unsigned depth);

/* False: to end, after the complaint. */
static bool take_entry(struct walk *w, const char *path, unsigned depth)
{
	enum spg_module module;
	struct stat st;

	if (++w->n_entries > ENTRIES_MAX || w->ret->n > MODULES_MAX) {
		spg_complain(w->why, "there are too many files below %s for a profile",
			path);
		spg_complaint_hint(w->why, "Name the directories of programs and "
					   "libraries, a few levels deeper.");
		return false;
	}
	if (lstat(path, &st) < 0)
		return true;
	if (S_ISDIR(st.st_mode))
		return walk(w, path, depth + 1);
	module = spg_module_at(path);
	if (module == SPG_MODULE_WINDOWS)
		*w->has_windows = true;
	if (module == SPG_MODULE_NONE || spg_texts_add(w->ret, path) == 0)
		return true;
	spg_complain(w->why, "out of memory");
	return false;
}

static bool walk(struct walk *w, const char *directory, unsigned depth)
{
	DIR *dir = depth > DEPTH_MAX ? NULL : opendir(directory);
	struct spg_buf path = SPG_BUF_NULL;
	struct dirent *entry;
	bool good = true;

	/* A profile without what is in there would not be all of the application's. */
	if (!dir) {
		spg_complain(w->why, "%s: %s", directory,
			depth > DEPTH_MAX ? "too deep" : strerror(errno));
		spg_complaint_hint(
			w->why, "Be root, or name directories that you may read.");
		return false;
	}
	while (good && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		spg_buf_clear(&path);
		spg_buf_printf(&path, "%s/%s", directory, entry->d_name);
		if (path.failed)
			spg_complain(w->why, "out of memory");
		good = !path.failed && take_entry(w, spg_buf_text(&path), depth);
	}
	spg_buf_finish(&path);
	closedir(dir);
	return good;
}

bool spg_modules_below(const char *directory, struct spg_texts *ret, bool *has_windows,
	struct spg_complaint *why)
{
	struct walk w = {.ret = ret, .has_windows = has_windows, .why = why};

	return walk(&w, directory, 0);
}

bool spg_names_in(const char *directory, struct spg_texts *ret)
{
	DIR *dir = opendir(directory);
	bool good = dir || errno != ENOMEM;
	struct dirent *entry;

	for (size_t i = 0; dir && good && i < ENTRIES_MAX && (entry = readdir(dir));
		i++)
		good = spg_texts_add(ret, entry->d_name) == 0;
	if (dir)
		closedir(dir);
	return good;
}
