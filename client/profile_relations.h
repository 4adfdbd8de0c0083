/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What packages say of each other, and what their scripts stop: plain functions on the
 * texts that dpkg-query and rpm print. Nothing in them is trusted to be well-formed.
 */
#include <stdbool.h>

/** True for the name of a package, with an architecture perhaps, so that it cannot be
 * taken for an option or a pattern. */
bool spg_package_is_name(const char *name);

/** True when @relations ("libc6 (>= 2.34), a | b") name @package in exactly @version:
 * "(= V)", or "(>= V)" with all of V, as debhelper writes it with a "(<< ...)" beside. */
bool spg_package_names_exactly(
	const char *relations, const char *package, const char *version);

/** True when @relations need @package, in whatever version, and no other instead. */
bool spg_package_needs(const char *relations, const char *package);

/** True when @relations need an interface of @provides: a name with "abi" or "api", such
 * as "nginx-abi-1.22.1-7" or "apache2-api-20120211". */
bool spg_package_is_made_for(const char *relations, const char *provides);

/** True when @script stops or restarts @unit while its package is replaced, and not only
 * when that is removed. */
bool spg_package_script_stops(const char *script, const char *unit);

/** The path of a file in @line, which a package manager prints when it lists a package's
 * files; a part of @line. NULL: it names none. */
const char *spg_package_path_of_line(const char *line);
