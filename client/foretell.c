/* SPDX-License-Identifier: MIT */
#include "client/foretell.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/describe.h"
#include "client/error.h"
#include "client/unpacked.h"
#include "common/clock.h"
#include "common/text.h"

/* The daemon reads the service pack, and every file of the product that is new to it. */
#define FORETELL_NS       (120 * SPG_NS_PER_S)
#define FORETELL_HELD_MAX 256 /* that the method takes */

/* ---- asking ---- */

/* The files of @product that somebody holds: setup may skip them. */
static json_t *list_held(const json_t *checked, const char *product)
{
	json_t *held = json_array(), *file;
	size_t i;

	json_array_foreach (spg_json_list(checked, "files"), i, file) {
		const char *state = spg_json_text(file, "state");
		const char *of = spg_json_text(file, "product");

		if (state && of && strcmp(state, "blocked") == 0 &&
			strcmp(of, product) == 0 &&
			json_array_size(held) < FORETELL_HELD_MAX)
			json_array_append(held, json_object_get(file, "path"));
	}
	return held;
}

/* NULL: nothing can be foretold of it. */
static json_t *ask_one(struct spg_client *client, const json_t *payload,
	const char *root, const json_t *checked, const char *product)
{
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	json_t *params = json_pack("{s:s, s:O, s:s, s:o}", "product", product,
		"payload", payload, "root", root, "held", list_held(checked, product));
	json_t *result =
		params ? spg_client_try(client, "foretell", params, FORETELL_NS, &why)
		       : NULL;

	/* Who may not ask, or asks a daemon that cannot, has had his answer. */
	spg_complaint_finish(&why);
	return result;
}

static json_t *ask_all(struct spg_client *client, const json_t *payload,
	const char *root, const json_t *checked)
{
	json_t *all = json_array(), *product;
	size_t i;

	json_array_foreach (spg_json_list(checked, "products"), i, product) {
		const char *name = spg_json_text(product, "product");
		json_t *one =
			name ? ask_one(client, payload, root, checked, name) : NULL;

		/* Where no file is a module there is nothing that could break. */
		if (one && (spg_json_number(one, "checked") > 0 ||
				   json_array_size(spg_json_list(one, "findings")) > 0))
			json_array_append(all, one);
		json_decref(one);
	}
	return all;
}

static json_t *ask_unpacked(struct spg_client *client, const json_t *payload,
	const char *archive, const json_t *checked, struct spg_complaint *why)
{
	struct spg_unpacked *unpacked;
	json_t *all;

	/* Else it would be unpacked for nothing. */
	if (!json_is_true(json_object_get(client->connection.welcome, "admin")))
		return json_array();
	unpacked = spg_unpacked_create(archive, payload, why);
	if (!unpacked) {
		spg_complaint_hint(why, "Unpack it, and name the folder.");
		return NULL;
	}
	all = ask_all(client, payload, spg_unpacked_root(unpacked), checked);
	spg_unpacked_destroy(unpacked);
	return all;
}

json_t *spg_foretell_ask(struct spg_client *client, const json_t *params,
	const char *pack, const json_t *checked, struct spg_complaint *why)
{
	const json_t *payload = json_object_get(params, "payload");
	char *root = realpath(pack, NULL);
	struct stat st;
	json_t *all;

	if (!payload || !root || stat(root, &st) < 0)
		all = json_array();
	else if (S_ISDIR(st.st_mode))
		all = ask_all(client, payload, root, checked);
	else
		all = ask_unpacked(client, payload, root, checked, why);
	free(root);
	return all;
}

/* ---- telling ---- */

bool spg_foretell_fault(struct spg_buf *out, const struct spg_complaint *why)
{
	spg_buf_printf(
		out, "what would break is not foretold: %s", spg_buf_text(&why->why));
	if (why->hint.len > 0)
		spg_buf_printf(out, " (%s)", spg_buf_text(&why->hint));
	return !out->failed;
}

struct telling {
	void (*each)(void *user, const char *sentence);
	void *user;
	const char *product; /* NULL: there is only one */
};

static void say(const struct telling *telling, struct spg_buf *sentence)
{
	struct spg_buf line = SPG_BUF_NULL;

	if (telling->product)
		spg_buf_printf(&line, "%s: ", telling->product);
	spg_buf_puts(&line, spg_buf_text(sentence));
	if (!line.failed && !sentence->failed)
		telling->each(telling->user, spg_buf_text(&line));
	spg_buf_finish(&line);
	spg_buf_clear(sentence);
}

static void say_notes(const struct telling *telling, const json_t *notes)
{
	struct spg_buf sentence = SPG_BUF_NULL;
	json_t *note;
	size_t i;

	json_array_foreach (notes, i, note) {
		const char *text = spg_json_text(note, "text");

		if (!text)
			continue;
		spg_buf_puts(&sentence, text);
		say(telling, &sentence);
	}
	spg_buf_finish(&sentence);
}

static void say_whole(const struct telling *telling, const json_t *one)
{
	int64_t unseen = spg_json_number(one, "unseen");
	size_t n = json_array_size(spg_json_list(one, "findings"));
	struct spg_buf sentence = SPG_BUF_NULL;

	if (n > 0) {
		spg_buf_puts(
			&sentence, "with the whole service pack, this would not fit:");
		say(telling, &sentence);
		say_notes(telling, spg_json_list(one, "findings"));
	} else if (unseen == 0) {
		spg_buf_puts(&sentence, "the whole service pack would fit together: "
					"entry points of ");
		spg_describe_count(
			&sentence, spg_json_number(one, "checked"), "module");
		spg_buf_puts(&sentence, " checked");
		say(telling, &sentence);
	}
	if (unseen > 0) {
		spg_describe_count(&sentence, unseen, "file");
		spg_buf_puts(&sentence, " of the service pack spguardd did not find as "
					"described: what that brings is not foretold");
		say(telling, &sentence);
	}
	spg_buf_finish(&sentence);
}

static void say_held(const struct telling *telling, const json_t *held)
{
	const char *path = spg_json_text(held, "path");
	const json_t *breaks = spg_json_list(held, "breaks");
	struct spg_buf sentence = SPG_BUF_NULL;

	if (json_array_size(breaks) > 0) {
		say_notes(telling, breaks);
	} else if (path) {
		spg_buf_puts(&sentence, "nothing breaks if ");
		spg_buf_puts(&sentence, spg_path_base(path));
		spg_buf_puts(&sentence, " is skipped");
		say(telling, &sentence);
	}
	spg_buf_finish(&sentence);
}

void spg_foretell_each(const json_t *foretold,
	void (*each)(void *user, const char *sentence), void *user)
{
	struct telling telling = {each, user, NULL};
	json_t *one, *held;
	size_t i, k;

	json_array_foreach (foretold, i, one) {
		if (json_array_size(foretold) > 1)
			telling.product = spg_json_text(one, "product");
		say_whole(&telling, one);
		json_array_foreach (spg_json_list(one, "held"), k, held)
			say_held(&telling, held);
	}
}
