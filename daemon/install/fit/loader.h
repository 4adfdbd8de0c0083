/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Inside of fit.c: where Windows looks for a library that a module imports. Documented
 * in "Dynamic-link library search order" (Windows apps, Win32): the module's own folder
 * (LOAD_WITH_ALTERED_SEARCH_PATH), that of the program, the system's, those of PATH.
 * Which program loads a library nobody knows, so it may be each that is for its machine.
 */
#include "daemon/install/fit/finding.h"

enum spg_fit_place {
	SPG_FIT_ELSEWHERE,
	SPG_FIT_CONFIGURED, /* question.directories */
	SPG_FIT_PROGRAM,    /* the folder of a program that can load the module */
};

struct spg_fit_loader {
	const struct spg_fit_question *question;
	size_t *programs; /* modules that are programs, by their folders; of one folder
	                     those for different machines */
	size_t n_programs;
};

/** Returns 0 or SPG_ERR_NOMEM; finish in either case. */
int spg_fit_loader_init(
	struct spg_fit_loader *loader, const struct spg_fit_question *question);
void spg_fit_loader_finish(struct spg_fit_loader *loader);

/** Where a library at @path is for a module like @importer in another folder. */
enum spg_fit_place spg_fit_loader_place(const struct spg_fit_loader *loader,
	const struct spg_binary *importer, const char *path);

/** True when every Windows has a library @name ("KERNEL32.dll"), or it stands for one
 * (API sets). */
bool spg_fit_is_of_windows(const char *name);

/** True when @name is a runtime library of Microsoft's compilers, which are installed
 * for all programs together. */
bool spg_fit_is_runtime(const char *name);
