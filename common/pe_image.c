/* SPDX-License-Identifier: MIT */
#include "common/pe_image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

int spg_pe_image_damage(struct spg_pe_image *image, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(image->why, sizeof(image->why), format, args);
	va_end(args);
	return SPG_ERR_CORRUPT;
}

int spg_pe_image_limit(struct spg_pe_image *image, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(image->why, sizeof(image->why), format, args);
	va_end(args);
	return SPG_ERR_LIMIT;
}

/* Bytes that follow one another in memory: at least one. */
struct span {
	const uint8_t *bytes;
	size_t n;
};

static int load_page(struct spg_pe_image *image, uint64_t page, uint8_t *to, size_t n)
{
	size_t slot = page % SPG_PE_PAGES;
	int err;

	image->n_read += n;
	if (image->n_read > SPG_PE_READ_MAX)
		return spg_pe_image_limit(image,
			"its tables refer to more than %u MiB of the file",
			SPG_PE_READ_MAX >> 20);
	image->page_plus_1[slot] = 0;
	err = image->source->read(image->source->user, page * SPG_PE_PAGE_BYTES, to, n);
	if (err < 0)
		return err;
	image->page_plus_1[slot] = page + 1;
	return 0;
}

/* @offset lies in the file. */
static int file_span(struct spg_pe_image *image, uint64_t offset, struct span *ret)
{
	uint64_t page = offset / SPG_PE_PAGE_BYTES;
	uint64_t left = image->source->size - page * SPG_PE_PAGE_BYTES;
	size_t slot = page % SPG_PE_PAGES, at = offset % SPG_PE_PAGE_BYTES;
	size_t n = left < SPG_PE_PAGE_BYTES ? (size_t)left : SPG_PE_PAGE_BYTES;
	uint8_t *bytes = image->window + slot * SPG_PE_PAGE_BYTES;

	if (image->page_plus_1[slot] != page + 1) {
		int err = load_page(image, page, bytes, n);

		if (err < 0)
			return err;
	}
	*ret = (struct span){bytes + at, n - at};
	return 0;
}

/* The last section that begins at or below @rva. */
static const struct spg_pe_section *find_section(
	const struct spg_pe_image *image, uint64_t rva)
{
	size_t low = 0, high = image->n_sections;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (image->sections[middle].rva <= rva)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &image->sections[low - 1] : NULL;
}

static int memory_span(struct spg_pe_image *image, uint64_t rva, struct span *ret)
{
	static const uint8_t zeros[256];
	const struct spg_pe_section *section = find_section(image, rva);
	uint64_t offset = rva, left;
	int err;

	if (section) {
		uint64_t at = rva - section->rva;

		if (at >= section->in_memory)
			goto outside;
		if (at >= section->in_file) {
			left = section->in_memory - at;
			*ret = (struct span){
				zeros, left < sizeof(zeros) ? left : sizeof(zeros)};
			return 0;
		}
		offset = section->offset + at;
		left = section->in_file - at;
	} else {
		uint64_t end = image->headers_bytes;

		if (end > image->source->size)
			end = image->source->size;
		if (rva >= end)
			goto outside;
		left = end - rva;
	}
	err = file_span(image, offset, ret);
	if (err == 0 && ret->n > left)
		ret->n = (size_t)left;
	return err;
outside:
	return spg_pe_image_damage(
		image, "address 0x%" PRIx64 " lies in no section", rva);
}

int spg_pe_image_file(struct spg_pe_image *image, uint64_t offset, void *buf, size_t n)
{
	uint64_t size = image->source->size;
	uint8_t *to = buf;

	if (offset > size || n > size - offset)
		return spg_pe_image_damage(image,
			"it was cut off: its headers go to byte %" PRIu64
			" at least, the file to %" PRIu64,
			offset + n, size);
	while (n > 0) {
		struct span span;
		size_t take;
		int err = file_span(image, offset, &span);

		if (err < 0)
			return err;
		take = n < span.n ? n : span.n;
		memcpy(to, span.bytes, take);
		to += take;
		offset += take;
		n -= take;
	}
	return 0;
}

int spg_pe_image_read(struct spg_pe_image *image, uint64_t rva, void *buf, size_t n)
{
	uint8_t *to = buf;

	while (n > 0) {
		struct span span;
		size_t take;
		int err = memory_span(image, rva, &span);

		if (err < 0)
			return err;
		take = n < span.n ? n : span.n;
		memcpy(to, span.bytes, take);
		to += take;
		rva += take;
		n -= take;
	}
	return 0;
}

static int check_room(struct spg_pe_image *image, size_t n)
{
	if (n >= SPG_PE_TEXT_MAX - image->text.len)
		return spg_pe_image_limit(
			image, "its names exceed %u MiB", SPG_PE_TEXT_MAX >> 20);
	return 0;
}

int spg_pe_image_text(struct spg_pe_image *image, uint64_t rva, size_t max,
	const char *what, uint32_t *ret)
{
	size_t start = image->text.len;
	bool complete = false;

	while (!complete) {
		struct span span;
		const uint8_t *end;
		size_t take = 0;
		int err = memory_span(image, rva, &span);

		if (err == 0) {
			end = memchr(span.bytes, 0, span.n);
			complete = end != NULL;
			take = end ? (size_t)(end - span.bytes) : span.n;
			if (take > max - (image->text.len - start))
				err = spg_pe_image_damage(image,
					"a %s is longer than %zu bytes", what, max);
			else
				err = check_room(image, take);
		}
		if (err < 0) {
			image->text.len = start;
			return err;
		}
		spg_buf_add(&image->text, span.bytes, take);
		rva += take;
	}
	if (image->text.len == start)
		return spg_pe_image_damage(image, "a %s is empty", what);
	spg_buf_putc(&image->text, '\0');
	if (image->text.failed)
		return SPG_ERR_NOMEM;
	*ret = (uint32_t)start;
	return 0;
}

int spg_pe_image_keep(
	struct spg_pe_image *image, const void *bytes, size_t n, uint32_t *ret)
{
	size_t start = image->text.len;
	int err = check_room(image, n);

	if (err < 0)
		return err;
	spg_buf_add(&image->text, bytes, n);
	spg_buf_putc(&image->text, '\0');
	if (image->text.failed)
		return SPG_ERR_NOMEM;
	*ret = (uint32_t)start;
	return 0;
}
