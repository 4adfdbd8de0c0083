/* SPDX-License-Identifier: MIT */
/*
 * What is stored once: texts, files, processes. Records are shared and
 * immutable, so a small table from a record's address to its row answers
 * nearly every event without SQL. A slot holds a reference, so that an address
 * cannot come to mean another record; the tables are of fixed size, a new
 * record takes its slot from an old one.
 */
#include "daemon/store/database.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/text.h"

#define N_FILES     4096
#define N_PROCESSES 1024
#define N_TEXTS     512

struct slot {
	void *key;          /* a record, or a copied text; NULL: free */
	int64_t row;        /* 0: not known */
	int64_t block;      /* last one noted */
	int64_t name_block; /* the same, of a text as a name of processes */
};

struct spg_intern {
	struct slot files[N_FILES];
	struct slot processes[N_PROCESSES];
	struct slot texts[N_TEXTS];
	struct slot *product; /* the last one: nearly always the next, too */
};

struct spg_intern *spg_intern_create(void)
{
	return calloc(1, sizeof(struct spg_intern));
}

void spg_intern_forget(struct spg_intern *intern)
{
	for (size_t i = 0; i < N_FILES; i++) {
		spg_file_unref(intern->files[i].key);
		intern->files[i] = (struct slot){0};
	}
	for (size_t i = 0; i < N_PROCESSES; i++) {
		spg_process_unref(intern->processes[i].key);
		intern->processes[i] = (struct slot){0};
	}
	intern->product = NULL;
	for (size_t i = 0; i < N_TEXTS; i++) {
		free(intern->texts[i].key);
		intern->texts[i] = (struct slot){0};
	}
}

void spg_intern_destroy(struct spg_intern *intern)
{
	if (!intern)
		return;
	spg_intern_forget(intern);
	free(intern);
}

static size_t hash_address(const void *address)
{
	uint64_t h = (uint64_t)(uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 32);
}

/* FNV-1a from a start that nobody outside can guess, with a final mix. */
static uint64_t hash_text(uint64_t seed, const char *text)
{
	uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

int spg_intern_find_text(struct spg_db *db, const char *text, int64_t *ret_row)
{
	return spg_db_get(db, SPG_SQL_TEXT_FIND, ret_row, "iz",
		(int64_t)hash_text(db->seed, text), text);
}

static int add_text(
	struct spg_db *db, const char *text, uint64_t hash, int64_t *ret_row)
{
	int r = spg_db_get(db, SPG_SQL_TEXT_FIND, ret_row, "iz", (int64_t)hash, text);

	if (r != SPG_DB_NONE)
		return r;
	r = spg_db_run(db, SPG_SQL_TEXT_ADD, "iz", (int64_t)hash, text);
	if (r == 0)
		*ret_row = sqlite3_last_insert_rowid(db->sql);
	return r;
}

/* The slot of @text, its row known or made. */
static int intern_text(struct spg_db *db, const char *text, struct slot **ret)
{
	uint64_t hash = hash_text(db->seed, text);
	struct slot *slot = &db->intern->texts[hash % N_TEXTS];
	int64_t row = 0;
	char *copy;
	int r;

	*ret = slot;
	if (slot->key && strcmp(slot->key, text) == 0)
		return 0;
	copy = strdup(text);
	if (!copy)
		return SPG_ERR_NOMEM;
	r = add_text(db, text, hash, &row);
	if (r < 0) {
		free(copy);
		return r;
	}
	free(slot->key);
	*slot = (struct slot){copy, row, SPG_BLOCK_NONE, SPG_BLOCK_NONE};
	return 0;
}

/* Row 0 for no text. */
static int text_row(struct spg_db *db, const char *text, int64_t *ret_row)
{
	struct slot *slot = NULL;
	int r = text ? intern_text(db, text, &slot) : 0;

	if (r == 0)
		*ret_row = slot ? slot->row : 0;
	return r;
}

static int note(
	struct spg_db *db, struct slot *slot, enum spg_subject type, int64_t block)
{
	int64_t *noted = type == SPG_SUBJECT_NAME ? &slot->name_block : &slot->block;
	int r;

	if (block == SPG_BLOCK_NONE || *noted == block)
		return 0;
	r = spg_db_run(db, SPG_SQL_SUBJECT_ADD, "ii",
		(int64_t)SPG_SUBJECT(slot->row, type), block);
	if (r == 0)
		*noted = block;
	return r;
}

static int add_file(struct spg_db *db, const struct spg_file *file, int64_t *ret_row)
{
	int64_t path, dev = (int64_t)file->id.dev, ino = (int64_t)file->id.ino;
	int r = add_text(db, file->path, hash_text(db->seed, file->path), &path);

	if (r == 0)
		r = spg_db_get(db, SPG_SQL_FILE_FIND, ret_row, "iii", path, dev, ino);
	if (r != SPG_DB_NONE)
		return r;
	r = spg_db_run(db, SPG_SQL_FILE_ADD, "izii", path, spg_path_base(file->path),
		dev, ino);
	if (r == 0)
		*ret_row = sqlite3_last_insert_rowid(db->sql);
	return r;
}

int spg_intern_file(
	struct spg_db *db, struct spg_file *file, int64_t block, int64_t *ret_row)
{
	struct slot *slot = &db->intern->files[hash_address(file) % N_FILES];
	int r;

	if (slot->key != file) {
		int64_t row = 0;

		r = add_file(db, file, &row);
		if (r < 0)
			return r;
		spg_file_unref(slot->key);
		*slot = (struct slot){
			spg_file_ref(file), row, SPG_BLOCK_NONE, SPG_BLOCK_NONE};
	}
	*ret_row = slot->row;
	return note(db, slot, SPG_SUBJECT_FILE, block);
}

char *spg_intern_fold(const char *name)
{
	char *fold = strdup(name);

	for (char *c = fold; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return fold;
}

static int intern_name(struct spg_db *db, const char *name, struct slot **ret)
{
	char *fold = spg_intern_fold(name);
	int r = fold ? intern_text(db, fold, ret) : SPG_ERR_NOMEM;

	free(fold);
	return r;
}

static int add_process(struct spg_db *db, const struct spg_process *p, int64_t *ret_row)
{
	int64_t exe = 0, cmdline = 0, user = 0, unit = 0, unit_user = 0;
	struct slot *name = NULL;
	int r = text_row(db, p->exe, &exe);

	if (r == 0)
		r = text_row(db, p->cmdline, &cmdline);
	if (r == 0)
		r = text_row(db, p->user, &user);
	if (r == 0)
		r = text_row(db, p->unit, &unit);
	if (r == 0)
		r = text_row(db, p->unit_user, &unit_user);
	if (r == 0)
		r = spg_db_get(db, SPG_SQL_PROCESS_FIND, ret_row, "iinniznnnnni",
			(int64_t)p->id.pid, (int64_t)p->id.start, p->started_ns,
			(int64_t)p->ppid, (int64_t)p->uid, p->name, exe, cmdline, user,
			unit, unit_user, (int64_t)p->unit_refuses_stop);
	if (r != SPG_DB_NONE)
		return r;
	r = p->name ? intern_name(db, p->name, &name) : 0;
	if (r == 0)
		r = spg_db_run(db, SPG_SQL_PROCESS_ADD, "iinniznnnnnin",
			(int64_t)p->id.pid, (int64_t)p->id.start, p->started_ns,
			(int64_t)p->ppid, (int64_t)p->uid, p->name, exe, cmdline, user,
			unit, unit_user, (int64_t)p->unit_refuses_stop,
			name ? name->row : (int64_t)0);
	if (r == 0)
		*ret_row = sqlite3_last_insert_rowid(db->sql);
	return r;
}

int spg_intern_process(
	struct spg_db *db, struct spg_process *process, int64_t block, int64_t *ret_row)
{
	struct slot *slot = &db->intern->processes[hash_address(process) % N_PROCESSES];
	struct slot *name;
	int r = 0;

	if (slot->key != process) {
		int64_t row = 0;

		r = add_process(db, process, &row);
		if (r < 0)
			return r;
		spg_process_unref(slot->key);
		*slot = (struct slot){
			spg_process_ref(process), row, SPG_BLOCK_NONE, SPG_BLOCK_NONE};
	}
	*ret_row = slot->row;
	if (slot->block == block)
		return 0;
	if (process->name && block != SPG_BLOCK_NONE) {
		r = intern_name(db, process->name, &name);
		if (r == 0)
			r = note(db, name, SPG_SUBJECT_NAME, block);
	}
	if (r == 0)
		r = note(db, slot, SPG_SUBJECT_PROCESS, block);
	return r;
}

int spg_intern_product(
	struct spg_db *db, const char *name, int64_t block, int64_t *ret_row)
{
	struct slot *slot = db->intern->product;

	if (!slot || strcmp(slot->key, name) != 0) {
		int r = intern_text(db, name, &slot);

		if (r < 0)
			return r;
		db->intern->product = slot;
	}
	*ret_row = slot->row;
	return note(db, slot, SPG_SUBJECT_PRODUCT, block);
}
