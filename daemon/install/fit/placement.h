/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which installed file is the counterpart of which file of a service pack. Pure: no
 * file is opened, and any thread may ask.
 *
 * A pack has folders (x86/, x64/, de/) and may have its own above them (sp4/server/bin).
 * Mostly it is a copy of the product's folders below a root of its own: of pairs of
 * files, those are counterparts that most others support (placement_roots.h). Where they
 * contest each other, a file belongs where the folders are called the same: of all files
 * of one name, those whose paths have the longest common ending are counterparts. One
 * file of the pack may have several, in folders that are called alike.
 *
 * A package says where its files go, by a path from the root: "/usr/lib/app/foo.so" is
 * the counterpart of the installed file of that path and of no other; in a directory of
 * the product where it is not there, it is not installed. Elsewhere its files are placed
 * like others, since the product may be called by another path there.
 *
 * What the names of the folders leave open, other files decide: pairs of which there is
 * no second choice tell which folder of the pack is which of the product, its home; and
 * a path below the pack's folder that is the same below a directory of the product does.
 * A home whose name does not tell it ("i386" for /srv/app) chooses between several files
 * of the pack, and no more: other installed files of that name are compared with it too.
 * A home that its name or the folders below tell is the only place of its files: a file
 * of the name elsewhere is not the pack's, and where it has none it is not installed.
 *
 * What is still open is compared by name, with each of those that it may be.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPG_PLACEMENT_NONE SIZE_MAX /* no file */

struct spg_placement_question {
	/* Of the pack: below its folder, "x64/foo.dll", or bare names; or absolute. */
	const char *const *offered;
	size_t n_offered;
	const char *const *installed; /* absolute and normalised, each once */
	size_t n_installed;
	const char *const *directories; /* the product's; absolute and normalised */
	size_t n_directories;
	bool ignore_case;
	bool flat; /* what lies below a directory of the product is not the product's */
};

enum spg_place_kind {
	SPG_PLACE_NOWHERE, /* no installed file is it, and no folder tells where it goes */
	/* It goes into ->home, or where its path says, where nothing of its name is. */
	SPG_PLACE_ABSENT,
	SPG_PLACE_FOUND, /* ->installed is its counterpart, perhaps not the only one */
	SPG_PLACE_AMONG, /* one of several that an installed file may be */
};

/* One file of the pack. */
struct spg_place {
	enum spg_place_kind kind;
	size_t installed; /* FOUND: the first; else SPG_PLACEMENT_NONE */
	size_t folder;    /* of the pack, index into ->folders */
	bool named;       /* some installed file is called like it */
	bool outside;     /* a package's: NOWHERE, and in no directory of the product */
};

/* One installed file: what it may be, as indices of the pack's files. */
struct spg_place_choice {
	size_t first, n; /* in ->candidates, ascending; n 0: the pack has none for it */
};

/* One folder of the pack. */
struct spg_place_folder {
	const char *path; /* ->path_n bytes of a file's path; 0 bytes: the pack's own */
	size_t path_n;
	const char *home; /* ->home_n bytes, absolute; NULL: nothing tells it */
	size_t home_n;
	bool sure;        /* the home's name tells it, or the folders below do */
	size_t n;         /* files in it */
	size_t n_present; /* of these, FOUND */
};

struct spg_placement {
	struct spg_place *offered;
	size_t n_offered, n_outside;
	struct spg_place_choice *installed;
	size_t n_installed;
	size_t *candidates;
	size_t n_candidates;
	struct spg_place_folder *folders;
	size_t n_folders;
};

#define SPG_PLACEMENT_NULL                                                             \
	{                                                                              \
		NULL, 0, 0, NULL, 0, NULL, 0, NULL, 0                                  \
	}

/**
 * Place them.
 *
 * @question  borrowed for the call; the texts of both sides as long as @ret is used
 * @ret       on success for spg_placement_finish(), on failure unchanged
 *
 * Takes time proportional to the number of files times a logarithm. Returns 0 or
 * SPG_ERR_NOMEM.
 */
int spg_placement_make(
	struct spg_placement *ret, const struct spg_placement_question *question);

/** False where the file @offered of a package is none of the product's: a package brings
 * documents and more to other places. True of all where not one is the product's. */
bool spg_placement_concerns(const struct spg_placement *placement, size_t offered);

/* What an installed file was found to be. */
struct spg_place_result {
	unsigned char state; /* the caller's, 1..SPG_PLACE_STATES; 0: none */
	size_t first,
		n; /* of ->candidates those that it stands for; n 0: one of them */
};

#define SPG_PLACE_STATES  64
#define SPG_PLACE_MISSING 65 /* a file of the pack that is not installed */
#define SPG_PLACE_VARIANT 66 /* nor it, but another of its name may be in its place */

/**
 * The state of each file of the pack: the highest of its counterparts'. Of several that
 * an installed file may be, those have its state that it stands for, or else one.
 *
 * @results  for each installed file
 * @ret      room for each file of the pack
 *
 * Returns 0 or SPG_ERR_NOMEM.
 */
int spg_placement_states(const struct spg_placement *placement,
	const struct spg_place_result *results, unsigned char *ret);

/** Idempotent; takes SPG_PLACEMENT_NULL. */
void spg_placement_finish(struct spg_placement *placement);
