/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * PE images made by hand, for tests: as small as they can be, each table in a
 * section of its own. Running out of memory ends the program.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/pe_reader.h"

struct pe_make_module {
	const char *name;
	const char *const *symbols; /* up to NULL; "#12": by ordinal */
	bool delayed;
};

struct pe_make_export {
	const char *name;      /* NULL: by ordinal only */
	unsigned ordinal;      /* 0: the one behind that of the row before */
	const char *forwarder; /* NULL: a function */
};

struct pe_make_assembly {
	const char *name, *version; /* "1.2.3.4" */
	const char *key;            /* its public key, any text; NULL: none */
	const char *culture;        /* NULL: neutral */
	uint32_t flags;             /* 1, in a reference: with the whole key */
};

struct pe_make {
	bool is_pe32plus, is_exe;
	uint16_t machine;                     /* 0: x86, or x64 for PE32+ */
	const struct pe_make_module *modules; /* up to one without a name */
	bool old_delayed; /* delayed imports hold addresses, not RVAs */
	bool no_names;    /* imports have no OriginalFirstThunk */
	const struct pe_make_export *exports; /* @n_exports; 0: no table */
	size_t n_exports;
	const char *version;                      /* "5.5.2448.0"; NULL: no resources */
	const char *company, *product, *original; /* NULL: left out */
	const struct pe_make_assembly *assembly;  /* NULL: not of .NET */
	const struct pe_make_assembly *references; /* up to one without a name */
	bool wide;                                 /* indices of .NET have 4 bytes */
};

/** The token of the public key @key. */
void pe_make_token(const char *key, uint8_t ret[SPG_BINARY_TOKEN_BYTES]);

/** The image as bytes; @ret is empty. */
void pe_make_image(const struct pe_make *make, struct spg_buf *ret);

/** The image, read; the caller destroys it. Fails the test when it cannot be. */
struct spg_binary *pe_make(const struct pe_make *make);

/** Read @n bytes as spg_pe_read() does. */
int pe_make_read(
	struct spg_binary **ret, const void *bytes, size_t n, struct spg_buf *error);

/** Where data directory @index stands in the file, so that it can be damaged:
 * its entry in the headers, and what it refers to. */
size_t pe_make_entry(const struct spg_buf *image, unsigned index);
size_t pe_make_table(const struct spg_buf *image, unsigned index);

/** Write a little-endian number into the image. */
void pe_make_patch(struct spg_buf *image, size_t at, uint64_t value, size_t bytes);
uint32_t pe_make_u32(const struct spg_buf *image, size_t at);
