/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: what elf.c finds, in words. Every function returns 0 or SPG_ERR_NOMEM.
 */
#include "daemon/install/fit/elf_set.h"
#include "daemon/install/fit/parts.h"

/* What is told of: what @loading of @root lacks. */
struct spg_elf_telling {
	struct spg_fit_work *work;
	const struct spg_elf_set *set;
	const struct spg_elf_loading *loading;
	size_t root;
	size_t host; /* the program that would load it; SPG_FIT_NONE */
	bool hosted; /* @loading is of both: libraries are the host's */
};

/** "report.so needs libpng16.so.16, which is nowhere", or is for another machine, or was
 * there before, or is no library. */
int spg_elf_tell_library(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack);

/** True when the profile says that the library @name stands elsewhere. */
bool spg_elf_is_outside(const struct spg_fit_question *question, const char *name);

/** "report needs the version GLIBC_2.38, which libc.so.6 does not define". */
int spg_elf_tell_version(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack);

/** "report.so needs png_free@PNG16_0, which libpng16.so.16 (16.37.0) does not define". */
int spg_elf_tell_symbol(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack);

/** True when an install has had that finding. */
bool spg_elf_was_told(
	const struct spg_elf_telling *telling, const struct spg_elf_lack *lack);

/** The library that @lack names is module @library, in a folder where the loader does not
 * look by itself; @hint: no more than a hint, else @root could not be checked. */
int spg_elf_tell_elsewhere(struct spg_fit_work *work, const struct spg_elf_set *set,
	size_t root, const struct spg_elf_lack *lack, size_t library, bool hint);

/** "report needs /lib/ld-linux.so.2, its interpreter, which is not there"; @by_path: it is
 * looked for in PATH; @hint: that is no more than a hint. */
int spg_elf_tell_interpreter(struct spg_fit_work *work, size_t module,
	const char *interpreter, bool by_path, bool hint);

/** What could not be checked: paths that were not looked at, another loader than glibc's,
 * a plugin for a program that is not here, which would define what @lack names, one of
 * @n symbols. */
int spg_elf_tell_unseen(struct spg_fit_work *work, size_t module);
int spg_elf_tell_other_loader(struct spg_fit_work *work, size_t module);
int spg_elf_tell_unknown_host(struct spg_fit_work *work, const struct spg_elf_set *set,
	size_t module, const struct spg_elf_lack *lack, size_t n);

/** "Python" when @binary exports what makes it a plugin of that; NULL: not known. */
const char *spg_elf_kind_of_plugin(const struct spg_binary *binary);

/** True when each program that loads plugins of @plugin's kind has @library loaded before. */
bool spg_elf_is_of_host(const struct spg_binary *plugin, const char *library);

/** True when @symbol is one of such a library. */
bool spg_elf_is_symbol_of_host(const struct spg_binary *plugin, const char *symbol);
