/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The page that is served at "/": one document without outside requests, made of
 * the sources in daemon/serve/page/ when the daemon is built (assemble.py).
 * Constant; any thread.
 */
#include <stddef.h>

/* UTF-8 HTML; text/html; charset=utf-8. No NUL at its end. */
extern const unsigned char spg_page[];
extern const size_t spg_page_size; /* bytes */

/* The value of the header Content-Security-Policy that has to come with it: its
 * own style and script by their SHA-256, requests to where it came from, and
 * nothing else. */
extern const char spg_page_policy[];

/* An entity tag with its quotes: another build with another page has another. */
extern const char spg_page_etag[];
