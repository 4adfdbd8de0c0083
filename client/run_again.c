/* SPDX-License-Identifier: MIT */
#include "client/run_again.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/holding.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/text.h"

/* Between two looks while it waits. */
#define LOOK_NS SPG_NS_PER_S

bool spg_retry_parse(const char *text, enum spg_retry *ret)
{
	static const struct {
		const char *word;
		enum spg_retry how;
	} words[] = {{"ask", SPG_RETRY_ASK}, {"wait", SPG_RETRY_WAIT},
		{"sidestep", SPG_RETRY_SIDESTEP}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].word) != 0)
			continue;
		*ret = words[i].how;
		return true;
	}
	return false;
}

/* With what describes the service pack, so that only its files count. */
static json_t *params_for(const char *product, const json_t *payload_params)
{
	json_t *params =
		payload_params ? json_copy((json_t *)payload_params) : json_object();

	json_object_set_new(params, "product", json_string(product));
	return params;
}

static json_t *ask_check(
	struct spg_client *client, const char *product, const json_t *payload_params)
{
	return spg_client_ask(client, "check", params_for(product, payload_params), 0);
}

/* The paths of the files that are in the way. */
static json_t *blocked_paths(const json_t *check)
{
	json_t *paths = json_array(), *file;
	size_t i;

	json_array_foreach (spg_json_list(check, "files"), i, file) {
		const char *state = spg_json_text(file, "state");

		if (state && strcmp(state, "blocked") == 0)
			json_array_append(paths, json_object_get(file, "path"));
	}
	return paths;
}

static void tell_reasons(const json_t *check)
{
	json_t *reason;
	size_t i;

	json_array_foreach (spg_json_list(check, "reasons"), i, reason)
		if (spg_json_text(reason, "text"))
			spg_holding_say("  ", spg_json_text(reason, "text"), "");
}

static bool sidestep(struct spg_client *client, const char *product,
	const json_t *payload_params, json_t *paths)
{
	json_t *params = params_for(product, payload_params), *result, *step;
	bool done = true;
	size_t i;

	json_object_del(params, "names");
	json_object_set(params, "paths", paths);
	result = spg_client_ask(client, "sidestep.apply", params, 0);
	json_array_foreach (spg_json_list(result, "sidesteps"), i, step) {
		const char *path = spg_json_text(step, "path");
		const char *state = spg_json_text(step, "state");
		const char *text = spg_json_text(step, "text");
		bool renamed = state && strcmp(state, "renamed") == 0;

		spg_holding_say(renamed ? "sidestep: renamed " : "sidestep: refused ",
			path ? path : "?", "");
		if (text && text[0])
			spg_holding_say("  ", text, "");
		done = done && renamed;
	}
	done = done && result;
	json_decref(result);
	return done;
}

static bool is_blocked(const json_t *check)
{
	const char *verdict = spg_json_text(check, "verdict");

	return !verdict || strcmp(verdict, "blocked") == 0 ||
	       strcmp(verdict, "unknown") == 0;
}

static bool wait_until_free(struct spg_client *client, const char *product,
	const json_t *payload_params, int64_t wait_ns)
{
	int64_t until_ns = spg_clock_mono_ns() + wait_ns;
	const struct timespec pause = {.tv_sec = LOOK_NS / SPG_NS_PER_S};

	spg_holding_say("waiting until the files are free (Ctrl-C ends)", "", "");
	for (;;) {
		json_t *check = ask_check(client, product, payload_params);
		bool blocked = is_blocked(check), answered = check != NULL;

		json_decref(check);
		if (!answered)
			return false;
		if (!blocked)
			return true;
		if (spg_clock_mono_ns() >= until_ns) {
			spg_holding_say("they were not let go of in time", "", "");
			return false;
		}
		nanosleep(&pause, NULL);
	}
}

/* What the person at the terminal wants. */
static enum spg_retry ask_person(bool held)
{
	char line[16];

	for (;;) {
		fputs(held ? "[w]ait until they let go, [s]tep the files aside, or "
			     "[q]uit? "
			   : "Run it again? [y]es, [q]uit: ",
			stderr);
		fflush(stderr);
		if (!fgets(line, sizeof(line), stdin))
			return SPG_RETRY_NEVER;
		switch (line[0]) {
		case 'w':
		case 'y':
			return SPG_RETRY_WAIT;
		case 's':
			return SPG_RETRY_SIDESTEP;
		case 'q':
		case 'n':
			return SPG_RETRY_NEVER;
		}
	}
}

bool spg_retry_prepare(struct spg_client *client, enum spg_retry how,
	const char *product, const json_t *payload_params, int64_t wait_ns)
{
	json_t *check = ask_check(client, product, payload_params), *paths;
	bool held, ready = false;

	if (!check)
		return false;
	paths = blocked_paths(check);
	held = is_blocked(check);
	if (held) {
		spg_holding_say("these files are in the way:", "", "");
		tell_reasons(check);
	}
	if (how == SPG_RETRY_ASK && !isatty(STDIN_FILENO)) {
		spg_holding_say("there is no terminal to ask at: say --retry=wait or "
				"--retry=sidestep",
			"", "");
		how = SPG_RETRY_NEVER;
	}
	if (how == SPG_RETRY_ASK)
		how = ask_person(held);
	if (how == SPG_RETRY_SIDESTEP && json_array_size(paths) > 0)
		ready = sidestep(client, product, payload_params, paths);
	else if (how != SPG_RETRY_NEVER)
		ready = !held ||
		        wait_until_free(client, product, payload_params, wait_ns);
	json_decref(paths);
	json_decref(check);
	return ready;
}
