/* SPDX-License-Identifier: MIT */
/*
 * Print what the PE reader sees in files, to compare it with other readers:
 * lines of fields with tabs between them, one block of lines a file.
 *
 *   pe-dump FILE...
 *
 *   file PATH
 *   error TEXT                               instead of all that follows
 *   image MACHINE[+x64] pe32|pe32+ dll|exe BYTES   BYTES: memory that it takes
 *   version FILE PRODUCT                     of the fixed version info
 *   string KEY TEXT
 *   import|delayed MODULE SYMBOL|#ORDINAL|-  -: nothing of this module
 *   export ORDINAL NAME|- FORWARDER|-
 *   assembly|reference NAME VERSION CULTURE|- TOKEN|-
 *   signed -|sha1|sha256 whole|changed       by the digest that was signed
 *   damaged PART|- TEXT                      -: the file as a whole
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/pe_file.h"
#include "common/text.h"

static void field(const char *text)
{
	struct spg_buf shown = SPG_BUF_NULL;

	spg_text_escape(&shown, text ? text : "-", false);
	printf("\t%s", spg_buf_text(&shown));
	spg_buf_finish(&shown);
}

static void print_string(const struct spg_binary *pe, const char *key, uint32_t text)
{
	if (!text)
		return;
	printf("string\t%s", key);
	field(spg_binary_text(pe, text));
	putchar('\n');
}

static void print_image(const struct spg_binary *pe)
{
	char machine[SPG_BINARY_MACHINE_BYTES];
	char file[SPG_BINARY_VERSION_TEXT_BYTES],
		product[SPG_BINARY_VERSION_TEXT_BYTES];

	printf("image\t%s%s\t%s\t%s\t%zu\n", spg_binary_machine_name(pe, machine),
		pe->is_x64_too ? "+x64" : "", pe->is_pe32plus ? "pe32+" : "pe32",
		pe->is_dll ? "dll" : "exe", pe->bytes);
	if (pe->has_version)
		printf("version\t%s\t%s\n",
			spg_binary_version_format(pe->file_version, file),
			spg_binary_version_format(pe->product_version, product));
	print_string(pe, "CompanyName", pe->company_name);
	print_string(pe, "ProductName", pe->product_name);
	print_string(pe, "FileVersion", pe->file_version_text);
	print_string(pe, "ProductVersion", pe->product_version_text);
	print_string(pe, "OriginalFilename", pe->original_filename);
}

static void print_module(
	const struct spg_binary *pe, const struct spg_binary_module *module)
{
	const char *what = module->delayed ? "delayed" : "import";

	for (uint32_t i = 0; i < module->n; i++) {
		const struct spg_binary_import *import =
			&pe->imports[module->first + i];

		printf("%s", what);
		field(spg_binary_text(pe, module->name));
		if (import->name)
			field(spg_binary_text(pe, import->name));
		else
			printf("\t#%u", import->ordinal);
		putchar('\n');
	}
	if (module->n == 0) {
		printf("%s", what);
		field(spg_binary_text(pe, module->name));
		puts("\t-");
	}
}

static void print_assembly(const struct spg_binary *pe, const char *what,
	const struct spg_binary_assembly *assembly)
{
	char version[SPG_BINARY_VERSION_TEXT_BYTES];

	printf("%s", what);
	field(spg_binary_text(pe, assembly->name));
	printf("\t%s", spg_binary_version_format(assembly->version, version));
	field(spg_binary_text(pe, assembly->culture));
	putchar('\t');
	for (size_t i = 0; assembly->has_token && i < SPG_BINARY_TOKEN_BYTES; i++)
		printf("%02x", assembly->token[i]);
	puts(assembly->has_token ? "" : "-");
}

static void print(const struct spg_binary *pe)
{
	print_image(pe);
	for (uint32_t i = 0; i < pe->n_modules; i++)
		print_module(pe, &pe->modules[i]);
	for (uint32_t i = 0; i < pe->n_exports; i++) {
		printf("export\t%u", pe->exports[i].ordinal);
		field(spg_binary_text(pe, pe->exports[i].name));
		field(spg_binary_text(pe, pe->exports[i].forwarder));
		putchar('\n');
	}
	if (pe->assembly.name)
		print_assembly(pe, "assembly", &pe->assembly);
	for (uint32_t i = 0; i < pe->n_references; i++)
		print_assembly(pe, "reference", &pe->references[i]);
	for (enum spg_binary_part part = 0; part < SPG_BINARY_N_PARTS; part++) {
		if (pe->status[part] == 0)
			continue;
		printf("damaged\t%s",
			spg_binary_part_name(part) ? spg_binary_part_name(part) : "-");
		field(spg_binary_text(pe, pe->why[part]));
		putchar('\n');
	}
}

static void add_piece(void *user, const void *bytes, size_t n)
{
	spg_pe_signed_add(user, bytes, n);
}

static void print_signed(int fd)
{
	static const char *const words[] = {"-", "sha1", "sha256"};
	struct spg_pe_signed file;
	struct spg_digest digest;

	spg_digest_init(&digest);
	spg_digest_also(&digest, add_piece, &file);
	if (spg_pe_signed_begin_fd(&file, fd) < 0 ||
		spg_digest_fd(&digest, fd, NULL, NULL) < 0)
		return;
	printf("signed\t%s\t%s\n", words[file.kind],
		spg_pe_signed_end(&file) ? "whole" : "changed");
}

int main(int argc, char **argv)
{
	struct spg_buf error = SPG_BUF_NULL;

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		struct spg_binary *pe = NULL;

		if (fd < 0) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		printf("file");
		field(argv[i]);
		putchar('\n');
		if (spg_pe_read_named_fd(&pe, fd, spg_path_base(argv[i]), &error) < 0) {
			printf("error");
			field(spg_buf_text(&error));
			putchar('\n');
		} else {
			print(pe);
			print_signed(fd);
		}
		spg_binary_destroy(pe);
		close(fd);
	}
	spg_buf_finish(&error);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
