/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A whole terminal, for a view that is drawn anew: the alternate screen, keys as they
 * are pressed, and everything as it was before at the end.
 *
 * Knows only what every terminal of the last decades has (ECMA-48, and the private modes
 * of xterm that the others took over). Draws only lines that differ.
 */
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "common/buf.h"

enum spg_key {
	SPG_KEY_OTHER,
	SPG_KEY_QUIT,
	SPG_KEY_PAUSE,
	SPG_KEY_UP,
	SPG_KEY_DOWN,
	SPG_KEY_PAGE_UP,
	SPG_KEY_PAGE_DOWN,
	SPG_KEY_HOME,
	SPG_KEY_END,
	SPG_KEY_NEXT, /* the other list */
	SPG_KEY_REDRAW
};

#define SPG_SCREEN_KEYS 64 /* that are read at once, a byte each at least */

struct spg_screen {
	bool open, raw;
	struct termios before; /* to be set again, when raw */
	unsigned columns, rows;
	struct spg_buf shown;        /* the frame that is there; forgotten: empty */
	char typed[SPG_SCREEN_KEYS]; /* the beginning of a key */
	size_t n_typed;
};

#define SPG_SCREEN_NULL                                                                \
	{                                                                              \
		.shown = SPG_BUF_NULL                                                  \
	}

/** Take the terminal. Where standard input is none, there are no keys. */
void spg_screen_open(struct spg_screen *screen);

/** Give it back; idempotent, and it can be opened again. */
void spg_screen_close(struct spg_screen *screen);

/** Release what it has; closes it. */
void spg_screen_finish(struct spg_screen *screen);

/** Ask how large it is, and forget what is shown. */
void spg_screen_measure(struct spg_screen *screen);

/**
 * Show @frame: lines that end with '\n', of which those that fit are shown, each cut to
 * the width. In them are only SGR sequences and clean text. Returns 0 or SPG_ERR_IO.
 */
int spg_screen_draw(struct spg_screen *screen, const struct spg_buf *frame);

/** Read what was typed, once. Returns how many keys; -1 when there will be none any
 * more. */
int spg_screen_keys(struct spg_screen *screen, enum spg_key ret[SPG_SCREEN_KEYS]);
