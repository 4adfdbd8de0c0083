/* SPDX-License-Identifier: MIT */
#include "daemon/config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/defaults.h"
#include "common/err.h"
#include "common/platform.h"
#include "common/text.h"
#include "common/time_text.h"
#include "daemon/config/file.h"

/* Longer waits between looks, or for one, are a slip of the pen. */
#define HOUR_NS (3600 * SPG_NS_PER_S)

/* A product while its section is read. */
struct draft {
	struct spg_product *product;
	struct spg_config_at at; /* where the section begins */
};

struct advice_draft {
	char *pattern, *product, *say;
	struct spg_config_at at;
};

enum section {
	SECTION_NONE,
	SECTION_DAEMON,
	SECTION_HTTP,
	SECTION_PRODUCT,
	SECTION_ADVICE
};

struct reader {
	struct spg_config *config;
	struct spg_config_files *files;
	struct spg_buf *problems;
	enum section section;
	struct spg_buf given; /* keys of the section: ",socket,group," */
	struct draft *drafts;
	size_t n_drafts, size_drafts;
	struct advice_draft *advice;
	size_t n_advice, size_advice;
	int err; /* SPG_ERR_NOMEM sticks */
};

/* Note a fault at a place; the daemon does not start with any. */
#define PROBLEM(reader, at, ...) spg_config_problem((reader)->problems, at, __VA_ARGS__)

static int set_text(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return SPG_ERR_NOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* Join a continued value with a blank. */
static int append_text(char **to, const char *text)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", *to ? *to : "", *to && **to ? " " : "", text) <
		0)
		return SPG_ERR_NOMEM;
	free(*to);
	*to = joined;
	return 0;
}

int spg_size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t value = 0;
	const char *at = text;
	const char *unit;

	if (*at < '0' || *at > '9')
		return SPG_ERR_INVALID;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return SPG_ERR_INVALID;
	if (*at) {
		unit = strchr(units, *at);
		if (!unit || at[1])
			return SPG_ERR_INVALID;
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(value, 1024, &value))
				return SPG_ERR_INVALID;
	}
	if (value > INT64_MAX)
		return SPG_ERR_INVALID;
	*ret_bytes = value;
	return 0;
}

static int parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < 4; i++) {
		if (spg_name_equal(text, yes[i], true) ||
			spg_name_equal(text, no[i], true)) {
			*ret = spg_name_equal(text, yes[i], true);
			return 0;
		}
	}
	return SPG_ERR_INVALID;
}

static int parse_level(const char *text, enum spg_log_level *ret)
{
	static const struct {
		const char *name;
		enum spg_log_level level;
	} levels[] = {{"error", SPG_LOG_ERROR}, {"warning", SPG_LOG_WARNING},
		{"notice", SPG_LOG_NOTICE}, {"info", SPG_LOG_INFO},
		{"debug", SPG_LOG_DEBUG}};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*ret = levels[i].level;
			return 0;
		}
	}
	return SPG_ERR_INVALID;
}

/* A key that may stand once in its section. False, and a problem, when it was
 * given before and this is no continuation. */
static bool first_time(struct reader *r, const struct spg_config_line *line)
{
	char *mark;
	bool seen;

	if (asprintf(&mark, ",%s,", line->key) < 0) {
		r->err = SPG_ERR_NOMEM;
		return false;
	}
	seen = strstr(spg_buf_text(&r->given), mark) != NULL;
	if (seen)
		PROBLEM(r, line->at, "\"%s\" is given twice: keep one", line->key);
	else
		spg_buf_puts(&r->given, mark);
	free(mark);
	return !seen;
}

static void take_duration(struct reader *r, const struct spg_config_line *line,
	int64_t min_ns, int64_t max_ns, int64_t *to)
{
	int64_t value = 0;

	/* Zero needs no unit. */
	if (strcmp(line->value, "0") != 0 &&
		spg_duration_parse(line->value, &value) < 0)
		PROBLEM(r, line->at,
			"%s = %s is no duration: write such as 250ms, 90s, 30m, 2h, "
			"90d",
			line->key, line->value);
	else if (value > max_ns)
		PROBLEM(r, line->at, "%s = %s is too long: at most %" PRId64 " s",
			line->key, line->value, max_ns / SPG_NS_PER_S);
	else if (value < min_ns)
		PROBLEM(r, line->at, "%s = %s is too short: at least %" PRId64 " ms",
			line->key, line->value, min_ns / SPG_NS_PER_MS);
	else
		*to = value;
}

/* A path to a file of the daemon's own. */
static void take_path(struct reader *r, const struct spg_config_line *line, char **to)
{
	if (!spg_path_is_absolute(line->value) || !spg_text_is_clean(line->value)) {
		PROBLEM(r, line->at, "%s = %s: it must be an absolute path", line->key,
			line->value);
		return;
	}
	if (set_text(to, line->value) < 0)
		r->err = SPG_ERR_NOMEM;
	else
		spg_path_normalise(*to);
}

static void take_daemon_key(struct reader *r, const struct spg_config_line *line)
{
	struct spg_config *c = r->config;
	const char *key = line->key, *value = line->value;

	if (strcmp(key, "include") == 0) {
		if (spg_config_files_include(r->files, line, r->problems) < 0)
			r->err = SPG_ERR_NOMEM;
		return;
	}
	if (!first_time(r, line))
		return;
	if (strcmp(key, "socket") == 0) {
		take_path(r, line, &c->socket);
	} else if (strcmp(key, "database") == 0) {
		take_path(r, line, &c->database);
	} else if (strcmp(key, "group") == 0) {
		r->err = set_text(&c->group, value) < 0 ? SPG_ERR_NOMEM : r->err;
		c->group_given = true;
	} else if (strcmp(key, "admin-group") == 0) {
		r->err = set_text(&c->admin_group, value) < 0 ? SPG_ERR_NOMEM : r->err;
	} else if (strcmp(key, "retain") == 0) {
		take_duration(r, line, 0, INT64_MAX, &c->retain_ns);
	} else if (strcmp(key, "retain-size") == 0) {
		if (spg_size_parse(value, &c->retain_bytes) < 0)
			PROBLEM(r, line->at,
				"retain-size = %s is no size: write such as 512M or "
				"1G, "
				"or 0 for no limit",
				value);
	} else if (strcmp(key, "lock-poll") == 0) {
		take_duration(r, line, 10 * SPG_NS_PER_MS, HOUR_NS, &c->lock_poll_ns);
	} else if (strcmp(key, "debounce") == 0) {
		take_duration(r, line, SPG_NS_PER_MS, HOUR_NS, &c->debounce_ns);
	} else if (strcmp(key, "install-quiet") == 0) {
		take_duration(r, line, SPG_NS_PER_MS, HOUR_NS, &c->install_quiet_ns);
	} else if (strcmp(key, "survey-deadline") == 0) {
		take_duration(
			r, line, 100 * SPG_NS_PER_MS, HOUR_NS, &c->survey_deadline_ns);
	} else if (strcmp(key, "log-level") == 0) {
		if (parse_level(value, &c->log_level) < 0)
			PROBLEM(r, line->at,
				"log-level = %s: it is one of error, warning, notice, "
				"info, debug",
				value);
	} else {
		PROBLEM(r, line->at,
			"[daemon] has no key \"%s\": see spguard.conf for those there "
			"are",
			key);
	}
}

static void take_listen(
	struct reader *r, const struct spg_config_line *line, struct spg_config *c)
{
	struct spg_listen_address address;
	const char *why;
	int err = spg_listen_address_parse(&address, line->value, &why);

	if (err == SPG_ERR_INVALID) {
		PROBLEM(r, line->at, "listen = %s: %s", line->value, why);
		return;
	}
	for (size_t i = 0; err == 0 && i < c->n_http; i++) {
		/* Where two recipes each added it, it is there once. */
		bool same = strcmp(c->http[i].text, address.text) == 0;

		if (!same && !spg_listen_address_overlaps(&c->http[i], &address))
			continue;
		if (!same)
			PROBLEM(r, line->at,
				"listen = %s: listen = %s has this address already: "
				"keep one",
				line->value, c->http[i].text);
		spg_listen_address_finish(&address);
		return;
	}
	if (err == 0)
		err = spg_array_reserve(
			&c->http, c->n_http, &c->size_http, sizeof(*c->http));
	if (err < 0)
		r->err = SPG_ERR_NOMEM;
	else
		c->http[c->n_http++] = address;
}

static void take_http_key(struct reader *r, const struct spg_config_line *line)
{
	if (strcmp(line->key, "listen") == 0) {
		take_listen(r, line, r->config);
	} else if (strcmp(line->key, "group") == 0) {
		if (first_time(r, line) &&
			set_text(&r->config->http_group, line->value) < 0)
			r->err = SPG_ERR_NOMEM;
	} else if (strcmp(line->key, "show-processes") != 0) {
		PROBLEM(r, line->at,
			"[http] has no key \"%s\": it has listen, group, "
			"show-processes",
			line->key);
	} else if (first_time(r, line) &&
		   parse_bool(line->value, &r->config->http_shows_processes) < 0) {
		PROBLEM(r, line->at, "%s = %s: it is yes or no", line->key,
			line->value);
	}
}

/* Split a list at blanks and give each word to @add. */
static void take_product_path(struct reader *r, const struct spg_config_line *line,
	struct spg_product *product, int (*add)(struct spg_product *, const char *))
{
	if (!spg_path_is_absolute(line->value) || !spg_text_is_clean(line->value))
		PROBLEM(r, line->at, "%s = %s: it must be an absolute path", line->key,
			line->value);
	else if (add(product, line->value) < 0)
		r->err = SPG_ERR_NOMEM;
}

static void take_list(struct reader *r, const struct spg_config_line *line,
	struct spg_product *product, int (*add)(struct spg_product *, const char *))
{
	char *copy = strdup(line->value), *save = NULL;

	if (!copy)
		r->err = SPG_ERR_NOMEM;
	for (char *word = copy ? strtok_r(copy, " \t,", &save) : NULL; word;
		word = strtok_r(NULL, " \t,", &save)) {
		if (strchr(word, '/') || !spg_text_is_clean(word))
			PROBLEM(r, line->at,
				"%s: \"%s\" is no file name: directories are named by "
				"\"directory\"",
				line->key, word);
		else if (add(product, word) < 0)
			r->err = SPG_ERR_NOMEM;
	}
	free(copy);
}

/* Root may do everything: to name him is to say nothing. */
static void take_installer(struct reader *r, const struct spg_config_line *line,
	struct spg_product *product)
{
	struct spg_platform_user user = {.name = NULL};
	int err = spg_platform_find_user(line->value, &user);

	if (err == SPG_ERR_NOT_FOUND)
		PROBLEM(r, line->at, "install-as = %s: there is no such user",
			line->value);
	else if (err == SPG_ERR_UNSUPPORTED)
		PROBLEM(r, line->at,
			"install-as = %s: this system has no such key: take it out",
			line->value);
	else if (err < 0)
		r->err = err;
	if (err == 0 && user.id != 0) {
		free(product->install_as);
		free(product->install_gids);
		product->install_uid = user.id;
		product->install_as = user.name;
		product->install_gids = user.groups;
		product->n_install_gids = user.n_groups;
		return;
	}
	spg_platform_user_finish(&user);
}

static void take_product_key(struct reader *r, const struct spg_config_line *line)
{
	struct spg_product *p = r->drafts[r->n_drafts - 1].product;
	const char *key = line->key;
	bool *flag = strcmp(key, "recursive") == 0     ? &p->recursive
	             : strcmp(key, "ignore-case") == 0 ? &p->ignore_case
	                                               : NULL;

	if (strcmp(key, "directory") == 0) {
		char *origin;

		if (!spg_path_is_absolute(line->value) ||
			!spg_text_is_clean(line->value)) {
			PROBLEM(r, line->at,
				"directory = %s: it must be an absolute path",
				line->value);
			return;
		}
		if (asprintf(&origin, "%s:%u", line->at.file, line->at.line) < 0) {
			r->err = SPG_ERR_NOMEM;
			return;
		}
		if (spg_product_add_directory(p, line->value, origin) < 0)
			r->err = SPG_ERR_NOMEM;
		free(origin);
		return;
	}
	if (strcmp(key, "library-path") == 0) {
		take_product_path(r, line, p, spg_product_add_library_path);
		return;
	}
	if (strcmp(key, "loaded-by") == 0) {
		take_product_path(r, line, p, spg_product_add_host);
		return;
	}
	if (!line->continued && !first_time(r, line))
		return;
	if (strcmp(key, "title") == 0) {
		if (append_text(&p->title, line->value) < 0)
			r->err = SPG_ERR_NOMEM;
	} else if (flag) {
		if (parse_bool(line->value, flag) < 0)
			PROBLEM(r, line->at, "%s = %s: it is yes or no", key,
				line->value);
	} else if (strcmp(key, "replaced") == 0) {
		int value = spg_replacement_from_name(line->value);

		if (value < 0)
			PROBLEM(r, line->at,
				"replaced = %s: it is any, in-place or rename",
				line->value);
		else
			p->replacement = (enum spg_replacement)value;
	} else if (strcmp(key, "install-as") == 0) {
		take_installer(r, line, p);
	} else if (strcmp(key, "files") == 0) {
		take_list(r, line, p, spg_product_add_pattern);
	} else if (strcmp(key, "setup-stops") == 0) {
		take_list(r, line, p, spg_product_add_setup_stop);
	} else if (strcmp(key, "libraries-outside") == 0) {
		take_list(r, line, p, spg_product_add_outside);
	} else {
		PROBLEM(r, line->at,
			"[product] has no key \"%s\": it has title, directory, "
			"recursive, "
			"ignore-case, replaced, install-as, files, setup-stops, "
			"library-path, loaded-by, libraries-outside",
			key);
	}
}

static void take_advice_key(struct reader *r, const struct spg_config_line *line)
{
	struct advice_draft *a = &r->advice[r->n_advice - 1];
	bool product = strcmp(line->key, "product") == 0;

	if (!product && strcmp(line->key, "say") != 0) {
		PROBLEM(r, line->at, "[advice] has no key \"%s\": it has product, say",
			line->key);
		return;
	}
	if (!line->continued && !first_time(r, line))
		return;
	if (append_text(product ? &a->product : &a->say, line->value) < 0)
		r->err = SPG_ERR_NOMEM;
}

static void begin_product(
	struct reader *r, const char *name, const struct spg_config_at *at)
{
	struct draft draft = {.at = *at};

	if (strlen(name) > SPG_PRODUCT_NAME_MAX)
		PROBLEM(r, *at, "[product %s]: a name may have %d bytes", name,
			SPG_PRODUCT_NAME_MAX);
	else if (!spg_name_is_product(name))
		PROBLEM(r, *at,
			"[product %s]: a name has only letters a-z, digits, \"_\", "
			"\"-\" "
			"and \".\"",
			name);
	for (size_t i = 0; i < r->n_drafts; i++)
		if (strcmp(r->drafts[i].product->name, name) == 0)
			PROBLEM(r, *at, "product \"%s\" is there already, at %s:%u",
				name, r->drafts[i].at.file, r->drafts[i].at.line);
	draft.product = spg_product_create(name);
	if (!draft.product || spg_array_reserve(&r->drafts, r->n_drafts,
				      &r->size_drafts, sizeof(*r->drafts)) < 0) {
		spg_product_unref(draft.product);
		r->err = SPG_ERR_NOMEM;
		r->section = SECTION_NONE;
		return;
	}
	r->drafts[r->n_drafts++] = draft;
	r->section = SECTION_PRODUCT;
}

static void begin_advice(
	struct reader *r, const char *pattern, const struct spg_config_at *at)
{
	struct advice_draft draft = {.pattern = strdup(pattern), .at = *at};

	if (!draft.pattern || spg_array_reserve(&r->advice, r->n_advice,
				      &r->size_advice, sizeof(*r->advice)) < 0) {
		free(draft.pattern);
		r->err = SPG_ERR_NOMEM;
		r->section = SECTION_NONE;
		return;
	}
	r->advice[r->n_advice++] = draft;
	r->section = SECTION_ADVICE;
}

static void on_section(void *user, const char *name, const struct spg_config_at *at)
{
	struct reader *r = user;

	spg_buf_clear(&r->given);
	if (strcmp(name, "daemon") == 0) {
		r->section = SECTION_DAEMON;
	} else if (strcmp(name, "http") == 0) {
		r->section = SECTION_HTTP;
	} else if (strncmp(name, "product ", 8) == 0) {
		begin_product(r, name + 8, at);
	} else if (strncmp(name, "advice ", 7) == 0 && name[7]) {
		begin_advice(r, name + 7, at);
	} else {
		r->section = SECTION_NONE;
		PROBLEM(r, *at,
			"there is no section [%s]: there are [daemon], [http], "
			"[product NAME] and [advice PATTERN]",
			name);
	}
}

/* A value that goes on in an indented line; where a list or a text may be long. */
static bool may_continue(const char *key)
{
	static const char *const keys[] = {
		"files", "setup-stops", "libraries-outside", "say", "title", "product"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void on_line(void *user, const struct spg_config_line *line)
{
	struct reader *r = user;

	if (line->continued && (!may_continue(line->key) || strchr(line->value, '='))) {
		PROBLEM(r, line->at,
			"an indented line goes on with the value of \"%s\" above: "
			"begin "
			"the line at its left edge",
			line->key);
		return;
	}
	switch (r->section) {
	case SECTION_DAEMON:
		take_daemon_key(r, line);
		break;
	case SECTION_HTTP:
		take_http_key(r, line);
		break;
	case SECTION_PRODUCT:
		take_product_key(r, line);
		break;
	case SECTION_ADVICE:
		take_advice_key(r, line);
		break;
	case SECTION_NONE:
		/* An unknown section was told already. */
		if (!line->in_section)
			PROBLEM(r, line->at,
				"\"%s\" stands before the first section: begin with "
				"[daemon]",
				line->key);
		break;
	}
}

static struct spg_product *find_product(struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->n_drafts; i++)
		if (strcmp(r->drafts[i].product->name, name) == 0)
			return r->drafts[i].product;
	return NULL;
}

/* Advice may stand before its product, and in another file. */
static void finish_advice(struct reader *r)
{
	for (size_t i = 0; i < r->n_advice; i++) {
		const struct advice_draft *a = &r->advice[i];
		struct spg_product *product =
			a->product ? find_product(r, a->product) : NULL;

		if (!a->product || !a->say || !*a->say)
			PROBLEM(r, a->at,
				"[advice %s] needs both \"product\" and \"say\"",
				a->pattern);
		else if (!product)
			PROBLEM(r, a->at, "[advice %s]: there is no product \"%s\"",
				a->pattern, a->product);
		else if (spg_product_add_advice(product, a->pattern, a->say) < 0)
			r->err = SPG_ERR_NOMEM;
	}
}

/* Only for --check-config: the place itself may be a dead share. */
static void note_directory(struct reader *r,
	const struct spg_product_directory *directory, struct spg_buf *notes)
{
	struct stat st;

	if (stat(directory->path, &st) < 0)
		spg_buf_printf(notes,
			"%s: directory %s is not there yet; it will be waited for\n",
			directory->origin, directory->path);
	else if (!S_ISDIR(st.st_mode))
		spg_buf_printf(r->problems, "%s: %s is no directory\n",
			directory->origin, directory->path);
}

static void finish_products(struct reader *r, struct spg_buf *notes)
{
	for (size_t i = 0; i < r->n_drafts; i++) {
		struct draft *d = &r->drafts[i];
		struct spg_product *p = d->product;

		if (p->n_directories == 0)
			PROBLEM(r, d->at,
				"product \"%s\" has no directory: add "
				"\"directory = /absolute/path\"",
				p->name);
		if (p->n_patterns == 0 && spg_product_add_pattern(p, "*") < 0)
			r->err = SPG_ERR_NOMEM;
		if (!p->title && set_text(&p->title, p->name) < 0)
			r->err = SPG_ERR_NOMEM;
		for (size_t n = 0; notes && n < p->n_directories; n++)
			note_directory(r, &p->directories[n], notes);
	}
}

/* Two that cannot be at one path. */
static void check_paths(struct reader *r)
{
	const struct spg_config *c = r->config;

	if (strcmp(c->socket, c->database) == 0)
		spg_buf_printf(r->problems,
			"%s: socket and database are both %s: name two\n", c->path,
			c->socket);
	for (size_t i = 0; i < c->n_http; i++)
		if (c->http[i].path &&
			(strcmp(c->http[i].path, c->socket) == 0 ||
				strcmp(c->http[i].path, c->database) == 0))
			spg_buf_printf(r->problems,
				"%s: listen = %s: that is the %s of [daemon]: name "
				"another path\n",
				c->path, c->http[i].text,
				strcmp(c->http[i].path, c->socket) == 0 ? "socket"
									: "database");
}

static int move_products(struct reader *r)
{
	struct spg_config *c = r->config;

	for (size_t i = 0; i < r->n_drafts; i++) {
		if (spg_array_reserve(&c->products, c->n_products, &c->size_products,
			    sizeof(*c->products)) < 0)
			return SPG_ERR_NOMEM;
		c->products[c->n_products++] = spg_product_ref(r->drafts[i].product);
	}
	return 0;
}

static int set_defaults(struct spg_config *c, const char *path)
{
	c->retain_ns = 90 * 24 * 3600 * SPG_NS_PER_S;
	c->retain_bytes = UINT64_C(1) << 30;
	c->lock_poll_ns = 250 * SPG_NS_PER_MS;
	c->debounce_ns = 50 * SPG_NS_PER_MS;
	c->install_quiet_ns = 10 * SPG_NS_PER_S;
	c->survey_deadline_ns = 10 * SPG_NS_PER_S;
	c->log_level = SPG_LOG_INFO;
	if (set_text(&c->path, path) < 0 ||
		set_text(&c->socket, SPG_DEFAULT_SOCKET) < 0 ||
		set_text(&c->group, "spguard") < 0 ||
		set_text(&c->admin_group, "") < 0 ||
		set_text(&c->database, SPG_DEFAULT_DATABASE) < 0)
		return SPG_ERR_NOMEM;
	return 0;
}

static void finish_reader(struct reader *r)
{
	for (size_t i = 0; i < r->n_drafts; i++)
		spg_product_unref(r->drafts[i].product);
	free(r->drafts);
	for (size_t i = 0; i < r->n_advice; i++) {
		free(r->advice[i].pattern);
		free(r->advice[i].product);
		free(r->advice[i].say);
	}
	free(r->advice);
	spg_buf_finish(&r->given);
	spg_config_files_destroy(r->files);
}

int spg_config_read(struct spg_config **ret, const char *path, struct spg_buf *problems,
	struct spg_buf *notes)
{
	struct spg_config *config = calloc(1, sizeof(*config));
	struct reader r = {
		.config = config, .problems = problems, .given = SPG_BUF_NULL};
	const struct spg_config_handler handler = {
		.on_section = on_section, .on_line = on_line, .user = &r};
	size_t before = problems->len;
	int err;

	if (!config)
		return SPG_ERR_NOMEM;
	err = set_defaults(config, path);
	r.files = err == 0 ? spg_config_files_create(path) : NULL;
	if (!r.files)
		err = SPG_ERR_NOMEM;
	if (err == 0)
		err = spg_config_files_read(r.files, &handler, problems);
	if (err == 0) {
		finish_advice(&r);
		finish_products(&r, notes);
		check_paths(&r);
		err = r.err < 0 ? r.err : move_products(&r);
	}
	if (err == 0 && config->n_products == 0 && problems->len == before)
		spg_buf_printf(problems,
			"%s: there is no product to watch: add a [product NAME] "
			"section\n",
			path);
	if (err == 0 && problems->len > before)
		err = SPG_ERR_INVALID;
	finish_reader(&r);
	if (err < 0) {
		spg_config_destroy(config);
		return err;
	}
	*ret = config;
	return 0;
}

const char *spg_config_http_group(const struct spg_config *config)
{
	return config->http_group ? config->http_group : config->group;
}

void spg_config_destroy(struct spg_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_products; i++)
		spg_product_unref(config->products[i]);
	free(config->products);
	for (size_t i = 0; i < config->n_http; i++)
		spg_listen_address_finish(&config->http[i]);
	free(config->http);
	free(config->http_group);
	free(config->path);
	free(config->socket);
	free(config->group);
	free(config->admin_group);
	free(config->database);
	free(config);
}

void spg_config_move_fixed(struct spg_config *old, struct spg_config *config)
{
	char **pairs[][2] = {{&old->path, &config->path},
		{&old->socket, &config->socket}, {&old->database, &config->database}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *text = *pairs[i][0];

		*pairs[i][0] = *pairs[i][1];
		*pairs[i][1] = text;
	}
}
