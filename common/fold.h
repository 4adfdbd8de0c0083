/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Unicode's simple case folding: characters that differ in case alone have one form.
 *
 * One character folds to one, so sharp s is its capital and not "ss". Nothing
 * is decomposed: a letter with a mark is not the letter and the mark behind it, as on
 * NTFS. The rules of Turkish are left out: dotless i is no I. Thread-safe: no state.
 */
#include <stdbool.h>
#include <stdint.h>

/** The form of @code that its other cases have, too; @code itself where it has none, and
 * beyond U+10FFFF. spg_fold(spg_fold(x)) is spg_fold(x). */
uint32_t spg_fold(uint32_t code);

/** True when one of the characters @low..@high folds to @folded. */
bool spg_fold_is_between(uint32_t folded, uint32_t low, uint32_t high);
