/* SPDX-License-Identifier: MIT */
/* Is the file whole? What its headers promise beyond the tables that are read. */
#include <inttypes.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_image.h"

#define CERTIFICATE_BYTES 8 /* WIN_CERTIFICATE before its content */
#define CERTIFICATE_PKCS7 2 /* WIN_CERT_TYPE_PKCS_SIGNED_DATA */
#define DER_SEQUENCE      0x30
#define SYMBOL_BYTES      18 /* IMAGE_SYMBOL */
#define DEBUG_BYTES       28 /* IMAGE_DEBUG_DIRECTORY */
#define IMPORTS_BYTES     40 /* a list of one import has two descriptors */
#define DELAYED_BYTES     64
#define RESOURCES_BYTES   16 /* of a directory without entries */
#define MACHINE_X86       0x14c
#define FILE_NO_RELOCS    0x0001      /* IMAGE_FILE_RELOCS_STRIPPED */
#define FILE_NO_SYMBOLS   0x0208      /* ..._LOCAL_SYMS_STRIPPED, ..._DEBUG_STRIPPED */
#define SECTION_NO_DATA   0x00000080U /* IMAGE_SCN_CNT_UNINITIALIZED_DATA */
#define SECTION_EXECUTE   0x20000000U
#define SECTION_WRITE     0x80000000U
#define MEMORY_PAGE       0x1000
#define PIECE_BYTES       4096

static int tell_cut(struct spg_pe_image *image, uint64_t end, const char *what)
{
	return spg_pe_image_damage(image,
		"%" PRIu64 " bytes are missing at its end: its %s cut off",
		end - image->source->size, what);
}

/* ---- the certificate table ---- */

/* Bytes of the DER value at @offset with its header; 0: it is no SEQUENCE. */
static int read_sequence(struct spg_pe_image *image, uint64_t offset, uint64_t *ret)
{
	uint8_t raw[6] = {0};
	int err = spg_pe_image_file(image, offset, raw, sizeof(raw));
	size_t n = raw[1] & 0x7f;
	uint64_t length = 0;

	*ret = 0;
	if (err < 0 || raw[0] != DER_SEQUENCE)
		return err;
	if (!(raw[1] & 0x80)) {
		*ret = 2 + (uint64_t)n;
		return 0;
	}
	if (n > 4)
		return 0;
	for (size_t i = 0; i < n; i++)
		length = length << 8 | raw[2 + i];
	*ret = 2 + n + length;
	return 0;
}

/* The entry at @offset, of which at most @left bytes are. */
static int check_certificate(
	struct spg_pe_image *image, uint64_t offset, uint64_t left, uint64_t *ret_bytes)
{
	uint8_t raw[CERTIFICATE_BYTES];
	uint64_t bytes, content = 0;
	int err = spg_pe_image_file(image, offset, raw, sizeof(raw));

	if (err < 0)
		return err;
	bytes = spg_pe_u32(raw);
	if (bytes < CERTIFICATE_BYTES || bytes > left)
		return spg_pe_image_damage(image,
			"its certificate has %" PRIu64 " bytes of %" PRIu64, bytes,
			left);
	*ret_bytes = (bytes + 7) & ~(uint64_t)7;
	if (spg_pe_u16(raw + 6) != CERTIFICATE_PKCS7 || bytes < CERTIFICATE_BYTES + 6)
		return 0;
	err = read_sequence(image, offset + CERTIFICATE_BYTES, &content);
	if (err == 0 && (content == 0 || content > bytes - CERTIFICATE_BYTES))
		return spg_pe_image_damage(image, "its certificate is none");
	return err;
}

static int check_certificates(struct spg_pe_image *image)
{
	uint64_t at = image->dirs[SPG_PE_DIR_CERTIFICATE].rva;
	uint64_t end = at + image->dirs[SPG_PE_DIR_CERTIFICATE].bytes;

	if (at == 0 || at == end)
		return 0;
	if (end > image->source->size)
		return tell_cut(image, end, "certificate was");
	for (size_t n = 0; end - at >= CERTIFICATE_BYTES; n++) {
		uint64_t bytes = 0;
		int err;

		if (n >= SPG_PE_SIGNED_MAX)
			return spg_pe_image_limit(image,
				"it has more than %d certificates", SPG_PE_SIGNED_MAX);
		err = check_certificate(image, at, end - at, &bytes);
		if (err < 0)
			return err;
		if (bytes >= end - at)
			break;
		at += bytes;
	}
	return 0;
}

/* ---- what stands behind the sections ---- */

/* What begins behind the end of the file was left in the headers by a tool that
 * removed it. What begins before or at the end, and goes on behind it, was cut off. */
static bool is_cut(const struct spg_pe_image *image, uint64_t at, uint64_t bytes)
{
	return at && bytes && at <= image->source->size &&
	       bytes > image->source->size - at;
}

/* A section with a name of more than eight bytes is called "/4": the name stands with those
 * of the symbols, and stays there when strip(1) has removed all of these. */
static bool has_long_names(const struct spg_pe_image *image)
{
	bool has = false;

	for (size_t i = 0; i < image->n_sections; i++) {
		const struct spg_pe_section *section = &image->sections[i];

		/* Left in the headers by a tool that put something else there. */
		if (image->symbols_at < section->offset + section->in_file)
			return false;
		has = has || (section->name[0] == '/' && section->name[1] >= '0' &&
				     section->name[1] <= '9');
	}
	return has;
}

/* The symbols, and behind them their names, which begin with their length. */
static int check_symbols(struct spg_pe_image *image)
{
	uint64_t at = image->symbols_at;
	uint64_t bytes = (uint64_t)image->n_symbols * SYMBOL_BYTES;
	uint8_t raw[4];
	int err;

	if ((image->n_symbols == 0 || image->flags & FILE_NO_SYMBOLS) &&
		!has_long_names(image))
		return 0;
	if (is_cut(image, at, bytes + sizeof(raw)))
		return tell_cut(image, at + bytes + sizeof(raw), "symbols were");
	if (at == 0 || at > image->source->size)
		return 0;
	err = spg_pe_image_file(image, at + bytes, raw, sizeof(raw));
	if (err == 0 && is_cut(image, at + bytes, spg_pe_u32(raw)))
		return tell_cut(image, at + bytes + spg_pe_u32(raw), "symbols were");
	return err;
}

static int check_debug_data(struct spg_pe_image *image)
{
	uint64_t rva = image->dirs[SPG_PE_DIR_DEBUG].rva;
	uint32_t n = image->dirs[SPG_PE_DIR_DEBUG].bytes / DEBUG_BYTES;

	if (rva == 0)
		return 0;
	for (uint32_t i = 0; i < n && i < SPG_PE_DEBUG_MAX; i++) {
		uint8_t raw[DEBUG_BYTES];
		uint64_t at, bytes;
		int err = spg_pe_image_read(
			image, rva + (uint64_t)i * DEBUG_BYTES, raw, sizeof(raw));

		/* The loader does not read it: one that is left over does no harm. */
		if (err == SPG_ERR_CORRUPT)
			return 0;
		if (err < 0)
			return err;
		bytes = spg_pe_u32(raw + 16);
		at = spg_pe_u32(raw + 24);
		if (is_cut(image, at, bytes))
			return tell_cut(image, at + bytes, "debug data were");
	}
	return 0;
}

/* ---- tables that the loader or the runtime follows ---- */

static const struct {
	unsigned dir;
	const char *name;
	uint32_t min_bytes; /* with fewer it may be empty, and all zeros */
	bool is_followed;   /* by the loader, and read by none of the other parts */
} tables[] = {
	{SPG_PE_DIR_EXPORT, "export table", 1, false},
	{SPG_PE_DIR_IMPORT, "import table", IMPORTS_BYTES, false},
	{SPG_PE_DIR_DELAY, "delayed import table", DELAYED_BYTES, false},
	{SPG_PE_DIR_RESOURCE, "resources", RESOURCES_BYTES + 1, false},
	{SPG_PE_DIR_EXCEPTION, "exception table", 1, true},
	{SPG_PE_DIR_RELOCATION, "relocation table", 16, true},
	{SPG_PE_DIR_TLS, "TLS directory", 1, true},
	{SPG_PE_DIR_LOAD_CONFIG, "load configuration", 1, true},
	{SPG_PE_DIR_CLI, "CLI header", 1, true},
};

#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static bool is_used(const struct spg_pe_image *image, size_t table)
{
	unsigned dir = tables[table].dir;

	if (dir == SPG_PE_DIR_RELOCATION && image->flags & FILE_NO_RELOCS)
		return false;
	if (dir == SPG_PE_DIR_EXCEPTION && image->pe.machine == MACHINE_X86)
		return false;
	return image->dirs[dir].rva && image->dirs[dir].bytes;
}

/* Where the image ends in memory. */
static uint64_t end_of(const struct spg_pe_image *image)
{
	const struct spg_pe_section *last;
	uint64_t end = image->headers_bytes;

	if (image->n_sections) {
		last = &image->sections[image->n_sections - 1];
		end = (uint64_t)last->rva + last->in_memory;
	}
	return (end + MEMORY_PAGE - 1) & ~(uint64_t)(MEMORY_PAGE - 1);
}

/* Where it ends in its section is no matter: some linkers round its size up. */
static int check_table(struct spg_pe_image *image, size_t table)
{
	uint64_t rva = image->dirs[tables[table].dir].rva;
	uint64_t last = rva + image->dirs[tables[table].dir].bytes - 1;
	uint8_t byte;
	int err = spg_pe_image_read(image, rva, &byte, 1);

	if (err == SPG_ERR_CORRUPT || (err == 0 && last >= end_of(image)))
		return spg_pe_image_damage(image,
			"its %s at 0x%" PRIx64 " to 0x%" PRIx64 " lies in no section",
			tables[table].name, rva, last);
	return err;
}

static int check_tables(struct spg_pe_image *image)
{
	for (size_t i = 0; i < N_TABLES; i++) {
		int err = 0;

		if (tables[i].is_followed && is_used(image, i))
			err = check_table(image, i);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- sections of zeros ---- */

static bool lies_in(const struct spg_pe_section *section, uint32_t rva)
{
	return rva >= section->rva && rva - section->rva < section->in_memory;
}

/* Can @section not be meant to be all zeros? */
static bool has_content(
	const struct spg_pe_image *image, const struct spg_pe_section *section)
{
	if (section->in_file == 0 || section->flags & SECTION_NO_DATA)
		return false;
	if (section->flags & SECTION_EXECUTE && !(section->flags & SECTION_WRITE))
		return true;
	if (image->entry && lies_in(section, image->entry))
		return true;
	for (size_t i = 0; i < N_TABLES; i++)
		if (is_used(image, i) &&
			image->dirs[tables[i].dir].bytes >= tables[i].min_bytes &&
			lies_in(section, image->dirs[tables[i].dir].rva))
			return true;
	return false;
}

static int is_zero(
	struct spg_pe_image *image, const struct spg_pe_section *section, bool *ret)
{
	static const uint8_t zeros[PIECE_BYTES];
	uint64_t at = section->offset, end = at + section->in_file;

	*ret = true;
	if (end > image->source->size)
		end = image->source->size;
	while (*ret && at < end) {
		uint8_t piece[PIECE_BYTES];
		size_t n =
			end - at < sizeof(piece) ? (size_t)(end - at) : sizeof(piece);
		int err = spg_pe_image_file(image, at, piece, n);

		if (err < 0)
			return err;
		*ret = memcmp(piece, zeros, n) == 0;
		at += n;
	}
	return 0;
}

static int check_zeros(struct spg_pe_image *image)
{
	for (size_t i = 0; i < image->n_sections; i++) {
		const struct spg_pe_section *section = &image->sections[i];
		bool zero = false;
		int err = 0;

		if (has_content(image, section))
			err = is_zero(image, section, &zero);
		if (err < 0)
			return err;
		if (zero && section->name[0])
			return spg_pe_image_damage(
				image, "its section %s is all zeros", section->name);
		if (zero)
			return spg_pe_image_damage(
				image, "its section %zu is all zeros", i + 1);
	}
	return 0;
}

int spg_pe_read_whole(struct spg_pe_image *image)
{
	int err = check_certificates(image);

	if (err == 0)
		err = check_symbols(image);
	if (err == 0)
		err = check_debug_data(image);
	if (err == 0)
		err = check_tables(image);
	if (err == 0)
		err = check_zeros(image);
	return err;
}
