/* SPDX-License-Identifier: MIT */
#include "common/note_kind.h"

#include <string.h>

#define NAME(id, name) name,

static const char *const names[SPG_NOTE_KINDS] = {
	SPG_REASON_KINDS(NAME) SPG_STEP_KINDS(NAME)};

const char *spg_note_kind_name(enum spg_note_kind kind)
{
	return (unsigned)kind < SPG_NOTE_KINDS ? names[kind] : "?";
}

/* Each list ends with "other". */
static enum spg_note_kind find(
	enum spg_note_kind first, enum spg_note_kind other, const char *name)
{
	for (int i = first; name && i < (int)other; i++)
		if (strcmp(names[i], name) == 0)
			return (enum spg_note_kind)i;
	return other;
}

enum spg_note_kind spg_reason_kind_from_name(const char *name)
{
	return find((enum spg_note_kind)0, SPG_REASON_OTHER, name);
}

enum spg_note_kind spg_step_kind_from_name(const char *name)
{
	return find((enum spg_note_kind)(SPG_REASON_OTHER + 1), SPG_STEP_OTHER, name);
}
