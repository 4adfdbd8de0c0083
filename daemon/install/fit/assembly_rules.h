/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: what holds for assemblies of .NET by their names and places alone.
 */
#include "daemon/install/fit/index.h"

/** The directory of a module's path, without the last '/'. */
struct spg_fit_text spg_fit_directory(const struct spg_fit_module *module);

/** Is @reference, called @name, one of the framework's? The runtime has those elsewhere,
 * and unifies them by rules of its own. */
bool spg_fit_is_framework(
	const struct spg_binary_assembly *reference, const char *name);

/** Was @pe made for .NET Core, by the framework that it refers to? @or_any: or for any
 * runtime (.NET Standard), so that its program decides. */
bool spg_fit_is_for_core(const struct spg_binary *binary, bool or_any);

/** Does @directory equal @base, or @base/@below when that is not NULL, or the same with
 * /@name behind it? Those are searched for the assembly @name. */
bool spg_fit_is_probed(bool fold, struct spg_fit_text directory,
	struct spg_fit_text base, const char *below, const char *name);

/** Is it in a folder "VERSION_CULTURE_TOKEN", as a global assembly cache has them? */
bool spg_fit_is_in_cache(const struct spg_fit_module *module);

/** Only a file NAME.dll or NAME.exe is found by the assembly's name. */
bool spg_fit_is_found_as(const struct spg_fit_module *module, const char *name);
