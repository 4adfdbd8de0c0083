/* SPDX-License-Identifier: MIT */
#include "daemon/install/elf/elf.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "daemon/install/elf/file.h"

/* ---- headers ---- */

static int read_segments(struct spg_elf_file *file)
{
	size_t n;

	if (elf_getphdrnum(file->elf, &n) < 0)
		return spg_elf_damage(file, "its program headers are damaged");
	if (n > SPG_ELF_SEGMENTS_MAX)
		return spg_elf_limit(file, "it has too many program headers");
	file->segments = calloc(n + 1, sizeof(file->segments[0]));
	if (!file->segments)
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(file->elf, (int)i, &segment))
			return spg_elf_damage(
				file, "it was cut off inside of its program headers");
		switch (segment.p_type) {
		case PT_LOAD:
			if (segment.p_offset > file->size ||
				segment.p_filesz > file->size - segment.p_offset)
				return spg_elf_damage(file,
					"it was cut off inside of what is loaded");
			file->segments[file->n_segments++] = (struct spg_elf_segment){
				segment.p_vaddr, segment.p_offset, segment.p_filesz};
			break;
		case PT_DYNAMIC:
			file->dynamic_at = segment.p_offset;
			file->dynamic_bytes = segment.p_filesz;
			break;
		case PT_INTERP:
			file->interpreter_at = segment.p_offset;
			file->interpreter_bytes = segment.p_filesz;
			break;
		}
	}
	return 0;
}

/* The table of sections is the last that a linker writes: no loader misses it, but it
 * tells that the end is not there. */
static void look_at_end(struct spg_elf_file *file)
{
	static const char cut_off[] = "it was cut off behind what is loaded";
	uint64_t bytes = (uint64_t)file->header.e_shnum * file->header.e_shentsize;

	if (file->header.e_shoff == 0 ||
		(file->header.e_shoff <= file->size &&
			bytes <= file->size - file->header.e_shoff))
		return;
	file->binary.status[SPG_BINARY_WHOLE] = SPG_ERR_CORRUPT;
	file->binary.why[SPG_BINARY_WHOLE] =
		(uint32_t)(1 + file->strings_bytes + file->more.len);
	spg_buf_add(&file->more, cut_off, sizeof(cut_off));
}

/* ---- texts of its own ---- */

static int read_interpreter(struct spg_elf_file *file)
{
	Elf_Data *data;
	size_t n;
	int err;

	if (file->interpreter_bytes == 0)
		return 0;
	if (file->interpreter_bytes > SPG_ELF_PATH_MAX)
		return spg_elf_limit(file, "the name of its interpreter is too long");
	err = spg_elf_chunk(file, file->interpreter_at, file->interpreter_bytes,
		ELF_T_BYTE, "interpreter", &data);
	if (err < 0)
		return err;
	n = strnlen(data->d_buf, data->d_size);
	if (n == data->d_size || n == 0)
		return spg_elf_damage(file, "the name of its interpreter has no end");
	file->binary.interpreter = (uint32_t)(1 + file->strings_bytes + file->more.len);
	spg_buf_add(&file->more, data->d_buf, n + 1);
	return 0;
}

static void keep_build_id(struct spg_elf_file *file, const uint8_t *id, size_t n)
{
	file->binary.build_id = (uint32_t)(1 + file->strings_bytes + file->more.len);
	for (size_t i = 0; i < n && i < SPG_ELF_BUILD_ID_MAX; i++)
		spg_buf_printf(&file->more, "%02x", id[i]);
	spg_buf_add(&file->more, "", 1);
}

static void look_for_build_id(struct spg_elf_file *file, Elf_Data *notes)
{
	size_t at = 0, name, content;
	GElf_Nhdr note;

	while (file->binary.build_id == 0 &&
		(at = gelf_getnote(notes, at, &note, &name, &content)) > 0) {
		const char *bytes = notes->d_buf;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
			memcmp(bytes + name, "GNU", sizeof("GNU")) == 0)
			keep_build_id(
				file, (const uint8_t *)bytes + content, note.n_descsz);
	}
}

/* Nobody misses one that is damaged. */
static void read_build_id(struct spg_elf_file *file)
{
	size_t n = 0;

	elf_getphdrnum(file->elf, &n);
	for (size_t i = 0; i < n && file->binary.build_id == 0; i++) {
		GElf_Phdr segment;
		Elf_Data *data;

		if (!gelf_getphdr(file->elf, (int)i, &segment) ||
			segment.p_type != PT_NOTE ||
			spg_elf_chunk(file, segment.p_offset, segment.p_filesz,
				segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR,
				"notes", &data) < 0)
			continue;
		look_for_build_id(file, data);
	}
	spg_buf_clear(file->error);
}

/* ---- the whole ---- */

/* All in one block; see binary.h. */
static int pack(const struct spg_elf_file *file, struct spg_binary **ret)
{
	const struct spg_binary *b = &file->binary;
	struct part {
		const void *from;
		size_t bytes;
	} parts[] = {
		{file->modules, b->n_modules * sizeof(file->modules[0])},
		{file->imports, b->n_imports * sizeof(file->imports[0])},
		{file->exports, b->n_exports * sizeof(file->exports[0])},
		{file->versions, b->n_versions * sizeof(file->versions[0])},
		{file->defined, b->n_defined * sizeof(file->defined[0])},
		{"", 1},
		{file->strings, file->strings_bytes},
		{file->more.data, file->more.len},
	};
	size_t n = sizeof(parts) / sizeof(parts[0]), bytes = sizeof(*b);
	const char *placed[sizeof(parts) / sizeof(parts[0])];
	struct spg_binary *binary;
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += parts[i].bytes;
	binary = malloc(bytes);
	if (!binary)
		return SPG_ERR_NOMEM;
	*binary = *b;
	at = (char *)(binary + 1);
	for (size_t i = 0; i < n; i++) {
		placed[i] = at;
		if (parts[i].bytes)
			memcpy(at, parts[i].from, parts[i].bytes);
		at += parts[i].bytes;
	}
	binary->modules = (const struct spg_binary_module *)placed[0];
	binary->imports = (const struct spg_binary_import *)placed[1];
	binary->exports = (const struct spg_binary_export *)placed[2];
	binary->versions = (const struct spg_binary_version *)placed[3];
	binary->defined = (const uint32_t *)placed[4];
	binary->text = placed[5];
	binary->bytes = bytes;
	*ret = binary;
	return 0;
}

/* Is it loaded by the kernel as a program? A library may have an interpreter, to say
 * something when it is started. */
static bool is_program(const struct spg_elf_file *file)
{
	return file->header.e_type == ET_EXEC || (file->dynamic.flags_1 & DF_1_PIE) ||
	       (file->interpreter_bytes && !file->binary.soname);
}

static int read_tables(struct spg_elf_file *file)
{
	int err = read_segments(file);

	if (err == 0 && file->dynamic_bytes) {
		err = spg_elf_read_dynamic(file);
		if (err == 0)
			err = spg_elf_find_symbols(file);
		if (err == 0)
			err = spg_elf_read_versions(file);
		if (err == 0)
			err = spg_elf_read_imports(file);
		if (err == 0)
			err = spg_elf_read_exports(file);
	}
	if (err < 0)
		return err;
	file->binary.is_dll = !is_program(file);
	err = read_interpreter(file);
	if (err < 0)
		return err;
	read_build_id(file);
	look_at_end(file);
	return file->more.failed || file->error->failed ? SPG_ERR_NOMEM : 0;
}

static int no_elf(struct spg_buf *error, int err, const char *why)
{
	spg_buf_clear(error);
	spg_buf_puts(error, why);
	return err;
}

/* What libelf takes as well is no module: object files, cores, archives. */
static int read_header(struct spg_elf_file *file)
{
	uint8_t magic[SELFMAG];
	ssize_t n = pread(file->fd, magic, sizeof(magic), 0);

	if (n < 0)
		return no_elf(file->error, SPG_ERR_IO, strerror(errno));
	if ((size_t)n < sizeof(magic) || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return no_elf(file->error, SPG_ERR_INVALID, "not an ELF file");
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF ||
		!gelf_getehdr(file->elf, &file->header))
		return spg_elf_damage(file, "its header is damaged, or it was cut off");
	if (file->header.e_type != ET_EXEC && file->header.e_type != ET_DYN)
		return no_elf(file->error, SPG_ERR_INVALID,
			"an ELF file that is neither program nor library");
	file->binary.format = SPG_BINARY_ELF;
	file->binary.machine = file->header.e_machine;
	file->binary.is_64_bit = file->header.e_ident[EI_CLASS] == ELFCLASS64;
	file->binary.is_big_endian = file->header.e_ident[EI_DATA] == ELFDATA2MSB;
	return 0;
}

static pthread_once_t libelf_once = PTHREAD_ONCE_INIT;

static void begin_libelf(void)
{
	elf_version(EV_CURRENT);
}

int spg_elf_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error)
{
	struct spg_elf_file file = {.fd = fd, .error = error, .more = SPG_BUF_NULL};
	struct stat st;
	int err;

	pthread_once(&libelf_once, begin_libelf);
	if (fstat(fd, &st) < 0)
		return no_elf(error, SPG_ERR_IO, strerror(errno));
	file.size = (uint64_t)st.st_size;
	err = read_header(&file);
	if (err == 0)
		err = read_tables(&file);
	if (err == 0)
		err = pack(&file, ret);
	elf_end(file.elf);
	free(file.segments);
	free(file.version_of);
	free(file.modules);
	free(file.imports);
	free(file.exports);
	free(file.versions);
	free(file.defined);
	spg_buf_finish(&file.more);
	return err;
}

/* ---- scripts ---- */

#define LINE_MAX_BYTES 256 /* what the kernel looks at: BINPRM_BUF_SIZE */

int spg_script_read_fd(struct spg_binary **ret, int fd, struct spg_buf *error)
{
	static const char blanks[] = " \t";
	char line[LINE_MAX_BYTES + 1];
	ssize_t n = pread(fd, line, LINE_MAX_BYTES, 0);
	struct spg_binary *binary;
	char *name, *argument, *text;
	size_t length, bytes;

	if (n < 0)
		return no_elf(error, SPG_ERR_IO, strerror(errno));
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (line[0] != '#' || line[1] != '!')
		return no_elf(error, SPG_ERR_INVALID, "not a script");
	name = line + 2 + strspn(line + 2, blanks);
	length = strcspn(name, blanks);
	if (*name != '/')
		return no_elf(error, SPG_ERR_INVALID, "a script without interpreter");
	argument = name + length + strspn(name + length, blanks);
	argument[strcspn(argument, blanks)] = '\0';
	bytes = sizeof(*binary) + 1 + length + 1 + strlen(argument) + 1;
	binary = calloc(1, bytes);
	if (!binary)
		return SPG_ERR_NOMEM;
	text = (char *)(binary + 1);
	memcpy(text + 1, name, length);
	memcpy(text + length + 2, argument, strlen(argument));
	binary->format = SPG_BINARY_SCRIPT;
	binary->interpreter = 1;
	binary->argument = *argument ? (uint32_t)(length + 2) : 0;
	binary->text = text;
	binary->bytes = bytes;
	*ret = binary;
	return 0;
}
