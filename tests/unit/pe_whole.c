/* SPDX-License-Identifier: MIT */
/* The PE reader, beyond its tables: what is no module, what is not whole, not what was signed. */
#include "common/pe_other.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pe_signed.h"
#include "tests/support/pe_make.h"
#include "tests/support/suite.h"

static const char *const symbols[] = {"EcPerfOpen", "#12", NULL};
static const char *const late_symbols[] = {"Late", NULL};

static const struct pe_make_module modules[] = {
	{"mdbperf.dll", symbols, false},
	{"late.dll", late_symbols, true},
	{NULL},
};

static const struct pe_make_export exports[] = {
	{"First", 5, NULL},
	{NULL, 0, NULL},
	{"Forwarded", 9, "NTDLL.RtlAllocateHeap"},
	{"ForwardedToo", 0, "FOO.#12"},
};

static const struct pe_make_assembly assembly = {
	"Exchange.Data", "15.1.2507.39", "key"};

static const struct pe_make images[] = {
	{false, false, 0, modules, false, false, exports, 4, "5.5.2448.0", "Microsoft",
		"Exchange", "dsamain.exe"},
	{true, true, 0, modules, true, false, exports, 4, "5.5.2448.0", "Microsoft",
		"Exchange", "dsamain.exe", &assembly},
};

static void expect_text(const struct spg_binary *pe, uint32_t offset, const char *text)
{
	if (text) {
		ck_assert_uint_ne(offset, 0);
		ck_assert_str_eq(spg_binary_text(pe, offset), text);
	} else {
		ck_assert_ptr_null(spg_binary_text(pe, offset));
	}
}

/* What stands under a name and is no PE file. NULL: it may be meant. */
static const struct {
	const char *name, *bytes;
	size_t n;
	const char *says;
} others[] = {
	{"mdbperf.dll", "", 0, "it is empty"},
	{"MDBPERF.DLL", "", 0, "it is empty"},
	{"screen.scr", "", 0, "it is empty"},
	{"readme.txt", "", 0, NULL},
	{".dll", "", 0, NULL},
	{"a.exe", "\0\0\0\0\0\0\0\0", 8, "it begins with zeros"},
	{"a.dll", "\r\n<!DOCTYPE html><title>404", 27, "it is a web page"},
	{"a.dll", "<?xml version='1.0'?><HTML>", 27, "it is a web page"},
	{"a.tsp", "<html>", 6, "it is a web page"},
	{"a.dll", "version https://git-lfs", 23, "it is a text"},
	{"a.dll", "\xff\xfe\x41\0\x42\0", 6, "it is a text"},
	{"a.dll", "M", 1, "it is a text"},
	{"a.ocx", "SZDD\x88\xf0\x27\x33 and more", 16, "it is compressed"},
	{"a.cpl", "\1\2\3\4", 4, "does not begin as"},
	{"driver.sys", "nothing", 7, "it is a text"},
	{"CONFIG.SYS", "DEVICE=C:\\HIMEM.SYS", 19, NULL},
	{"plot.scr", "LINE 0,0 1,1", 12, NULL},
	{"winecfg.exe", "#!/bin/sh\n", 10, NULL},
	{"a.dll", "\177ELF\2\1\1", 7, NULL},
	{"a.exe", "MZ for DOS", 10, NULL},
	{"a.conf", "text", 4, NULL},
};

static int read_literal(void *user, uint64_t offset, void *buf, size_t n)
{
	memcpy(buf, (const char *)user + offset, n);
	return 0;
}

START_TEST(other_contents)
{
	struct spg_pe_source source = {
		(void *)others[_i].bytes, read_literal, others[_i].n};
	struct spg_buf error = SPG_BUF_NULL;
	int err = spg_pe_judge_other(&source, others[_i].name, &error);

	ck_assert_int_eq(err, others[_i].says ? SPG_ERR_CORRUPT : SPG_ERR_INVALID);
	if (others[_i].says)
		ck_assert_ptr_nonnull(strstr(spg_buf_text(&error), others[_i].says));
	spg_buf_finish(&error);
}
END_TEST

/* ---- whether it is whole ---- */

/* The place of headers that pe_make.c fills in, and one that it leaves empty. */
#define SYMBOLS_AT    0x8c
#define SYMBOLS_N     0x90
#define ENTRY_AT      0xa8
#define SPARE         0x300
/* The optional header, behind which the sections' begin, and where its size stands. */
#define HEADERS       0x98
#define HEADERS_BYTES 0x94

static void append_number(struct spg_buf *image, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		spg_buf_putc(image, (char)(value >> 8 * i));
}

static void put_directory(
	struct spg_buf *image, unsigned dir, uint64_t rva, uint64_t bytes)
{
	pe_make_patch(image, pe_make_entry(image, dir), rva, 4);
	pe_make_patch(image, pe_make_entry(image, dir) + 4, bytes, 4);
}

/* NULL: nothing. */
static void expect_whole(const struct spg_buf *image, size_t n, const char *says)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;
	const char *why;

	ck_assert_int_eq(pe_make_read(&pe, image->data, n, &error), 0);
	why = spg_binary_text(pe, pe->why[SPG_BINARY_WHOLE]);
	if (says) {
		ck_assert_int_eq(pe->status[SPG_BINARY_WHOLE], SPG_ERR_CORRUPT);
		ck_assert_msg(strncmp(why, says, strlen(says)) == 0, "%s", why);
	} else {
		ck_assert_msg(pe->status[SPG_BINARY_WHOLE] == 0, "%s", why);
	}
	ck_assert_uint_eq(pe->n_exports, 4); /* no part suffers */
	spg_binary_destroy(pe);
	spg_buf_finish(&error);
}

static void expect_every_cut(
	const struct spg_buf *image, size_t n_tail, const char *what)
{
	expect_whole(image, image->len, NULL);
	for (size_t n = 1; n <= n_tail; n++) {
		char says[100];

		snprintf(says, sizeof(says),
			"%zu bytes are missing at its end: its %s cut off", n, what);
		expect_whole(image, image->len - n, says);
	}
}

START_TEST(certificates)
{
	struct spg_buf image = SPG_BUF_NULL;
	size_t at;

	pe_make_image(&images[_i], &image);
	at = image.len;
	put_directory(&image, 4, at, 64);
	append_number(&image, 64, 4);
	append_number(&image, 0x200, 2);
	append_number(&image, 2, 2);
	append_number(&image, 0x3430, 2); /* a SEQUENCE of 52 bytes */
	while (image.len < at + 64)
		spg_buf_putc(&image, 'c');
	expect_every_cut(&image, 64, "certificate was");
	pe_make_patch(&image, at + 8, 0, 2);
	expect_whole(&image, image.len, "its certificate is none");
	pe_make_patch(&image, at + 8, 0xffffffff8430, 6);
	expect_whole(&image, image.len, "its certificate is none");
	pe_make_patch(&image, at + 6, 1, 2); /* of a kind that is not looked at */
	expect_whole(&image, image.len, NULL);
	pe_make_patch(&image, at, 0, 4);
	expect_whole(&image, image.len, "its certificate has 0 bytes of 64");
	pe_make_patch(&image, at, 65, 4);
	expect_whole(&image, image.len, "its certificate has 65 bytes of 64");
	spg_buf_finish(&image);
}
END_TEST

START_TEST(coff_symbols)
{
	struct spg_buf image = SPG_BUF_NULL;
	size_t at;

	pe_make_image(&images[_i], &image);
	at = image.len;
	pe_make_patch(&image, SYMBOLS_AT, at, 4);
	pe_make_patch(&image, SYMBOLS_N, 2, 4);
	for (int i = 0; i < 36; i++)
		spg_buf_putc(&image, 's');
	append_number(&image, 8, 4);
	append_number(&image, 0x616161, 4);
	expect_whole(&image, image.len, NULL);
	for (size_t n = 1; n <= 44; n++)
		expect_whole(&image, image.len - n, "");
	expect_whole(&image, image.len - 4,
		"4 bytes are missing at its end: its symbols were cut off");
	expect_whole(&image, at, "40 bytes are missing at its end: its symbols");
	pe_make_patch(&image, SYMBOLS_AT, image.len + 1, 4);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

/* As strip(1) leaves it: of the symbols only the long name of a section. */
START_TEST(long_section_name)
{
	struct spg_buf image = SPG_BUF_NULL;
	size_t at;

	pe_make_image(&images[_i], &image);
	at = image.len;
	pe_make_patch(&image, SYMBOLS_AT, at, 4);
	append_number(&image, 14, 4);
	spg_buf_add(&image, ".eh_frame", 10);
	/* Nothing leads there. */
	expect_whole(&image, image.len - 1, NULL);
	pe_make_patch(&image, HEADERS + (pe_make_u32(&image, HEADERS_BYTES) & 0xffff),
		'/' | '4' << 8, 8);
	expect_whole(&image, image.len, NULL);
	expect_whole(&image, image.len - 1,
		"1 bytes are missing at its end: its symbols were cut off");
	for (size_t n = 2; n <= 14; n++)
		expect_whole(&image, image.len - n, "");
	/* Left behind: the table has gone, or something else is there. */
	pe_make_patch(&image, SYMBOLS_AT, image.len + 1, 4);
	expect_whole(&image, image.len, NULL);
	pe_make_patch(&image, SYMBOLS_AT, at - 1, 4);
	expect_whole(&image, image.len, NULL);
	pe_make_patch(&image, SYMBOLS_AT, 0, 4);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

START_TEST(debug_data)
{
	struct spg_buf image = SPG_BUF_NULL;

	pe_make_image(&images[_i], &image);
	put_directory(&image, 6, SPARE, 28);
	pe_make_patch(&image, SPARE + 12, 2, 4);
	pe_make_patch(&image, SPARE + 16, 30, 4);
	pe_make_patch(&image, SPARE + 24, image.len, 4);
	for (int i = 0; i < 30; i++)
		spg_buf_putc(&image, 'd');
	expect_every_cut(&image, 30, "debug data were");
	/* Left over by a tool that removed them. */
	pe_make_patch(&image, SPARE + 24, image.len + 1, 4);
	expect_whole(&image, image.len, NULL);
	put_directory(&image, 6, 0x7fffffff, 28);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

/* Tables that only the loader follows. */
START_TEST(followed_tables)
{
	struct spg_buf image = SPG_BUF_NULL;

	pe_make_image(&images[_i], &image);
	put_directory(&image, 9, SPARE, 24);
	expect_whole(&image, image.len, NULL);
	put_directory(&image, 9, 0x7fffffff, 24);
	expect_whole(&image, image.len, "its TLS directory at 0x7fffffff");
	put_directory(&image, 9, SPARE, 0xffffffff);
	expect_whole(&image, image.len, "its TLS directory at 0x300 to 0x1000002fe");
	put_directory(&image, 9, SPARE, 0x1d00); /* beyond the headers, in the image */
	expect_whole(&image, image.len, NULL);
	put_directory(&image, 9, 0, 0);
	put_directory(&image, 5, 0x7fffffff, 24);
	expect_whole(&image, image.len, "its relocation table at 0x7fffffff");
	pe_make_patch(&image, 0x96, 0x2003, 2);
	expect_whole(&image, image.len, NULL);
	spg_buf_finish(&image);
}
END_TEST

static void expect_zeros(const struct spg_buf *image, bool damaged)
{
	struct spg_buf error = SPG_BUF_NULL;
	struct spg_binary *pe = NULL;

	ck_assert_int_eq(pe_make_read(&pe, image->data, image->len, &error), 0);
	ck_assert_int_eq(pe->status[SPG_BINARY_WHOLE], damaged ? SPG_ERR_CORRUPT : 0);
	expect_text(pe, pe->why[SPG_BINARY_WHOLE],
		damaged ? "its section .made is all zeros" : NULL);
	spg_binary_destroy(pe);
	spg_buf_finish(&error);
}

/* Each section of the image: it holds a table, nothing, code, the entry. */
START_TEST(zeros)
{
	struct spg_buf image = SPG_BUF_NULL;

	for (size_t i = 0; i < (images[_i].assembly ? 5 : 4); i++) {
		size_t header;

		spg_buf_clear(&image);
		pe_make_image(&images[_i], &image);
		header = pe_make_entry(&image, 16) + 40 * i;
		memset(image.data + pe_make_u32(&image, header + 20), 0,
			pe_make_u32(&image, header + 16));
		expect_zeros(&image, true);
		for (unsigned dir = 0; dir < 16; dir++)
			put_directory(&image, dir, 0, 0);
		expect_zeros(&image, false);
		pe_make_patch(&image, header + 36, 0xe0000020, 4); /* writable too */
		expect_zeros(&image, false);
		pe_make_patch(&image, header + 36, 0x60000020, 4);
		expect_zeros(&image, true);
		pe_make_patch(&image, header + 36, 0, 4);
		pe_make_patch(&image, ENTRY_AT, pe_make_u32(&image, header + 12), 4);
		expect_zeros(&image, true);
	}
	spg_buf_finish(&image);
}
END_TEST

/* ---- whether it is what was signed ---- */

/* SPC_PE_IMAGE_DATA, as it stands before the digest. */
static const char image_data[] = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f";

static const struct {
	const char *info; /* a DigestInfo up to the digest */
	size_t n;
	unsigned bytes; /* of the digest; 0: of a kind that is not judged */
} signatures[] = {
	{"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\0\x04\x20",
		19, 32},
	{"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20", 17,
		32},
	{"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\0\x04\x14", 15, 20},
	{"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\0\x04\x30",
		19, 0},
};

/* The digest of the image without its checksum and its certificate table's entry. */
static void put_digest(
	struct spg_buf *table, const struct spg_buf *image, unsigned bytes)
{
	size_t checksum = 0x80 + 24 + 64, entry = pe_make_entry(image, 4);
	struct spg_buf left = SPG_BUF_NULL;
	struct sha256_ctx sha256;
	uint8_t digest[32] = {0};

	spg_buf_add(&left, image->data, checksum);
	spg_buf_add(&left, image->data + checksum + 4, entry - checksum - 4);
	spg_buf_add(&left, image->data + entry + 8, image->len - entry - 8);
	if (bytes == SPG_SHA1_BYTES)
		spg_sha1(left.data, left.len, digest);
	sha256_init(&sha256);
	sha256_update(&sha256, left.len, (uint8_t *)left.data);
	if (bytes == 32)
		sha256_digest(&sha256, sizeof(digest), digest);
	spg_buf_add(table, digest, bytes ? bytes : 32);
	spg_buf_finish(&left);
}

static bool is_as_signed(const struct spg_buf *image, size_t piece)
{
	struct spg_pe_source source = {image->data, read_literal, image->len};
	struct spg_pe_signed file;

	ck_assert_int_eq(spg_pe_signed_begin(&file, &source), 0);
	for (size_t at = 0; at < image->len; at += piece)
		spg_pe_signed_add(&file, image->data + at,
			image->len - at < piece ? image->len - at : piece);
	return spg_pe_signed_end(&file);
}

START_TEST(signature)
{
	struct spg_buf image = SPG_BUF_NULL, table = SPG_BUF_NULL;
	bool judged = signatures[_i].bytes;
	size_t at;

	pe_make_image(&images[_i % 2], &image);
	at = image.len;
	append_number(&table, 128, 4);
	append_number(&table, 0x20200, 4);
	spg_buf_add(&table, image_data, sizeof(image_data) - 1);
	spg_buf_add(&table, "what stands between", 19);
	spg_buf_add(&table, signatures[_i].info, signatures[_i].n);
	put_digest(&table, &image, signatures[_i].bytes);
	while (table.len < 128)
		spg_buf_putc(&table, 0);
	put_directory(&image, 4, at, 128);
	spg_buf_add(&image, table.data, table.len);
	for (size_t piece = 1; piece < image.len; piece = piece * 3 + 1)
		ck_assert(is_as_signed(&image, piece));
	ck_assert(is_as_signed(&image, image.len));
	pe_make_patch(&image, 0x80 + 24 + 64, 0x12345678, 4); /* the checksum */
	ck_assert(is_as_signed(&image, image.len));
	for (size_t i = 0; i < at; i += 97) {
		size_t checksum = 0x80 + 24 + 64, entry = pe_make_entry(&image, 4);
		char was = image.data[i];

		if (i < 0x40 || (i >= 0x80 && i < 0xa0) ||
			(i >= checksum && i < checksum + 4) ||
			(i >= entry && i < entry + 8))
			continue;
		image.data[i] = (char)~was;
		ck_assert_int_eq(is_as_signed(&image, 1000), !judged);
		image.data[i] = was;
	}
	spg_buf_putc(&image, 'x'); /* more behind it: not judged */
	image.data[at - 1] = 'x';
	ck_assert(is_as_signed(&image, image.len));
	spg_buf_finish(&image);
	spg_buf_finish(&table);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pe-whole");

	spg_add_rows(tc, other_contents, others);
	spg_add_rows(tc, certificates, images);
	spg_add_rows(tc, coff_symbols, images);
	spg_add_rows(tc, long_section_name, images);
	spg_add_rows(tc, debug_data, images);
	spg_add_rows(tc, followed_tables, images);
	spg_add_rows(tc, zeros, images);
	spg_add_rows(tc, signature, signatures);
	return spg_run_suite("pe-whole", tc);
}
