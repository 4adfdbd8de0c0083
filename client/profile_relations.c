/* SPDX-License-Identifier: MIT */
#include "client/profile_relations.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define NAME_MAX_BYTES 200

bool spg_package_is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX_BYTES && isalnum((unsigned char)name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789+-._~^:") == n;
}

/* ---- relations ---- */

/* One of a list: "name:any (>= 1.2)" without alternatives. */
struct relation {
	const char *name;
	size_t name_len;
	char operator[3]; /* "": any version */
	const char *version;
	size_t version_len;
};

/* Take the next relation off *@at; false at the end. Alternatives come with an empty
 * name. */
static bool next_relation(const char **at, struct relation *ret)
{
	const char *p = *at + strspn(*at, " ,\t"), *end = p + strcspn(p, ",");
	size_t n;

	*ret = (struct relation){.name = p};
	*at = end;
	if (!*p)
		return false;
	if (memchr(p, '|', (size_t)(end - p)))
		return true;
	ret->name_len = strcspn(p, " ,(:\t");
	p = memchr(p, '(', (size_t)(end - p));
	if (!p)
		return true;
	p += 1 + strspn(p + 1, " ");
	n = strspn(p, "<>=");
	memcpy(ret->operator, p, n < 2 ? n : 2);
	p += n;
	p += strspn(p, " ");
	ret->version = p;
	ret->version_len = strcspn(p, " ,)");
	return true;
}

static bool is_of(const struct relation *relation, const char *package)
{
	size_t n = strcspn(package, ":");

	return relation->name_len == n && strncmp(relation->name, package, n) == 0;
}

/* rpm writes an epoch in the relation and none in the version. */
static bool is_version(const struct relation *relation, const char *version)
{
	const char *own = relation->version;
	size_t n = relation->version_len;
	const char *colon = own ? memchr(own, ':', n) : NULL;

	if (own && colon && !strchr(version, ':')) {
		n -= (size_t)(colon + 1 - own);
		own = colon + 1;
	}
	return own && strlen(version) == n && strncmp(own, version, n) == 0;
}

bool spg_package_names_exactly(
	const char *relations, const char *package, const char *version)
{
	struct relation relation;

	while (next_relation(&relations, &relation))
		if (is_of(&relation, package) && is_version(&relation, version) &&
			(strcmp(relation.operator, "=") == 0 ||
				strcmp(relation.operator, ">=") == 0))
			return true;
	return false;
}

bool spg_package_needs(const char *relations, const char *package)
{
	struct relation relation;

	while (next_relation(&relations, &relation))
		if (is_of(&relation, package))
			return true;
	return false;
}

static bool is_interface(const char *name, size_t n)
{
	for (size_t i = 0; i + 3 <= n; i++)
		if (strncmp(name + i, "abi-", 4) == 0 ||
			strncmp(name + i, "api-", 4) == 0)
			return true;
	return false;
}

bool spg_package_is_made_for(const char *relations, const char *provides)
{
	struct relation relation;

	while (next_relation(&provides, &relation)) {
		char name[NAME_MAX_BYTES + 1];

		if (relation.name_len == 0 || relation.name_len > NAME_MAX_BYTES ||
			!is_interface(relation.name, relation.name_len))
			continue;
		memcpy(name, relation.name, relation.name_len);
		name[relation.name_len] = '\0';
		if (spg_package_needs(relations, name))
			return true;
	}
	return false;
}

/* ---- scripts ---- */

/* True when @word stands in the line, not as a part of another. */
static bool has_word(const char *line, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= n; i++) {
		bool begins = i == 0 || !(isalnum((unsigned char)line[i - 1]) ||
						strchr("-_.@", line[i - 1]));
		bool ends = i + len == n || !(isalnum((unsigned char)line[i + len]) ||
						    strchr("-_.@", line[i + len]));

		if (begins && ends && strncmp(line + i, word, len) == 0)
			return true;
	}
	return false;
}

/* What debhelper and the macros of rpm write. A "stop" may stand in a branch for a
 * removal, which the caller looks at. */
enum ends { ENDS_NOTHING, ENDS_STOP, ENDS_RESTART };

/* @restarts: the variable of debhelper is "restart" there */
static enum ends ends_in(const char *line, size_t n, bool restarts)
{
	bool invokes = has_word(line, n, "deb-systemd-invoke") ||
	               has_word(line, n, "systemctl");

	if (has_word(line, n, "mark-restart-system-units"))
		return ENDS_RESTART;
	if (!invokes)
		return ENDS_NOTHING;
	if (has_word(line, n, "restart") || has_word(line, n, "try-restart") ||
		(restarts && has_word(line, n, "_dh_action")))
		return ENDS_RESTART;
	return has_word(line, n, "stop") ? ENDS_STOP : ENDS_NOTHING;
}

/* The "if" around what debhelper has for a stop in every case: not only when the package
 * is removed, nor in a "case" of somebody's own. */
static bool is_for_upgrade(const char *line, size_t n)
{
	return has_word(line, n, "/run/systemd/system") &&
	       !has_word(line, n, "remove") && !has_word(line, n, "purge");
}

bool spg_package_script_stops(const char *script, const char *unit)
{
	/* Of the "if" at the left edge that the line is in. */
	bool upgrade = false, restarts = false;

	for (const char *at = script; *at;) {
		size_t n = strcspn(at, "\n");
		enum ends ends = ENDS_NOTHING;

		if (n >= 2 &&
			(strncmp(at, "if", 2) == 0 || strncmp(at, "fi", 2) == 0)) {
			upgrade = at[0] == 'i' && is_for_upgrade(at, n);
			restarts = false;
		}
		restarts |= has_word(at, n, "_dh_action=restart") ||
		            has_word(at, n, "_dh_action=try-restart");
		if (at[0] != '#' && has_word(at, n, unit))
			ends = ends_in(at, n, restarts);
		if (ends == ENDS_RESTART || (ends == ENDS_STOP && upgrade))
			return true;
		at += n + (at[n] == '\n');
	}
	return false;
}

/* dpkg writes a file that was moved out of another's way on a line of its own. */
const char *spg_package_path_of_line(const char *line)
{
	static const char *const moved[] = {"diverted by ", "locally diverted to: "};

	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++)
		if (strncmp(line, moved[i], strlen(moved[i])) == 0)
			return strstr(line, ": /") ? strstr(line, ": /") + 2 : NULL;
	return line[0] == '/' ? line : NULL;
}
