/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Do the modules of a product fit together? Pure: no file is opened here, and
 * any thread may ask.
 *
 * Linux. A program is loaded in mind with all that the loader would load, outside of the
 * product too (elf_loader.h, surroundings.h), and has to find it all; plugins are judged
 * with the programs that may load them (elf.c).
 *
 * Windows. Every symbol that a module imports from another one of the
 * product has to be exported by it: Windows refuses to start the program
 * otherwise ("Entry Point Not Valid"), or ends it at the first call of one that
 * is delayed. Forwarders are followed within the product.
 *
 * Which file is meant. Names of modules compare case-insensitively, those of
 * symbols do not, as the loader does. The file is taken that Windows would find
 * (loader.h): in the module's own folder, else in that of a program for the same
 * machine, else in a configured one. The text of a finding names the folder where
 * there are several files of that name. One in another folder is a hint.
 *
 * Absence. A library that is nowhere is a finding, unless Windows or a compiler's
 * runtime brings it, it is bound when it is first called, the host program is meant,
 * or the product would not see a file of that name; and in any case when it was
 * there before (question.gone).
 *
 * Assemblies. What a .NET assembly refers to has to be of the version and key that it
 * names, by the rules of the runtime that loads it (assembly.c). Of what is not there at
 * all nothing is said: it may be in the global assembly cache, or the framework's.
 *
 * Versions. Differences of versions alone are no finding, since many products
 * mix them on purpose; they are summed up by company and product. With a service
 * pack's files, every installed file that differs from them is one.
 *
 * Damage of a file is a finding about that file, and only one: what imports
 * from it is not blamed. What is neither program nor library (scripts, data) is
 * counted; being imported all the same, it is damaged.
 */
#include "daemon/install/fit/finding.h"

/**
 * Look whether the modules fit.
 *
 * @ret  SPG_FIT_NULL; on success for spg_fit_finish(), on failure empty
 *
 * Takes time proportional to the modules' tables (times a logarithm): tens of
 * milliseconds for 2,000 modules. Returns 0 or SPG_ERR_NOMEM.
 */
int spg_fit(struct spg_fit *ret, const struct spg_fit_question *question);

/** Idempotent; takes SPG_FIT_NULL. */
void spg_fit_finish(struct spg_fit *fit);
