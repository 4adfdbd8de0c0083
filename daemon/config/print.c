/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/config/config.h"

static const char *level_name(enum spg_log_level level)
{
	switch (level) {
	case SPG_LOG_ERROR:
		return "error";
	case SPG_LOG_WARNING:
		return "warning";
	case SPG_LOG_NOTICE:
		return "notice";
	case SPG_LOG_DEBUG:
		return "debug";
	case SPG_LOG_INFO:
		break;
	}
	return "info";
}

static void print_duration(struct spg_buf *out, const char *key, int64_t ns)
{
	if (ns == 0)
		spg_buf_printf(out, "%s = 0\n", key);
	else if (ns % SPG_NS_PER_S == 0)
		spg_buf_printf(out, "%s = %" PRId64 "s\n", key, ns / SPG_NS_PER_S);
	else
		spg_buf_printf(out, "%s = %" PRId64 "ms\n", key, ns / SPG_NS_PER_MS);
}

/* A list, a word a line, so that no line is too long to be read again. */
static void print_list(
	struct spg_buf *out, const char *key, char *const *words, size_t n)
{
	if (n == 0)
		return;
	spg_buf_printf(out, "%s = %s\n", key, words[0]);
	for (size_t i = 1; i < n; i++)
		spg_buf_printf(out, "    %s\n", words[i]);
}

/* Long text, broken at blanks into continued lines. */
static void print_text(struct spg_buf *out, const char *key, const char *text)
{
	size_t column = strlen(key) + 3;

	spg_buf_printf(out, "%s = ", key);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > 20 && column + len > 80) {
			spg_buf_puts(out, "\n    ");
			column = 4;
		} else if (column > strlen(key) + 3) {
			spg_buf_putc(out, ' ');
		}
		spg_buf_add(out, text, len);
		column += len + 1;
		text += len;
		text += strspn(text, " ");
	}
	spg_buf_putc(out, '\n');
}

static void print_product(const struct spg_product *p, struct spg_buf *out)
{
	spg_buf_printf(out, "\n[product %s]\n", p->name);
	print_text(out, "title", p->title);
	for (size_t i = 0; i < p->n_directories; i++)
		spg_buf_printf(out, "directory = %s\n", p->directories[i].path);
	spg_buf_printf(out, "recursive = %s\nignore-case = %s\nreplaced = %s\n",
		p->recursive ? "yes" : "no", p->ignore_case ? "yes" : "no",
		spg_replacement_name(p->replacement));
	if (p->install_as)
		spg_buf_printf(out, "install-as = %s\n", p->install_as);
	print_list(out, "files", p->patterns, p->n_patterns);
	print_list(out, "setup-stops", p->setup_stops, p->n_setup_stops);
	for (size_t i = 0; i < p->n_library_path; i++)
		spg_buf_printf(out, "library-path = %s\n", p->library_path[i]);
	for (size_t i = 0; i < p->n_hosts; i++)
		spg_buf_printf(out, "loaded-by = %s\n", p->hosts[i]);
	print_list(out, "libraries-outside", p->outside, p->n_outside);
	for (size_t i = 0; i < p->n_advice; i++) {
		spg_buf_printf(out, "\n[advice %s]\nproduct = %s\n",
			p->advice[i].pattern, p->name);
		print_text(out, "say", p->advice[i].say);
	}
}

void spg_config_print(const struct spg_config *config, struct spg_buf *out)
{
	spg_buf_printf(out, "[daemon]\nsocket = %s\ngroup = %s\nadmin-group = %s\n",
		config->socket, config->group, config->admin_group);
	spg_buf_printf(out, "database = %s\n", config->database);
	print_duration(out, "retain", config->retain_ns);
	spg_buf_printf(out, "retain-size = %" PRIu64 "\n", config->retain_bytes);
	print_duration(out, "lock-poll", config->lock_poll_ns);
	print_duration(out, "debounce", config->debounce_ns);
	print_duration(out, "install-quiet", config->install_quiet_ns);
	print_duration(out, "survey-deadline", config->survey_deadline_ns);
	spg_buf_printf(out, "log-level = %s\n", level_name(config->log_level));
	spg_buf_puts(out, "\n[http]\n");
	for (size_t i = 0; i < config->n_http; i++)
		spg_buf_printf(out, "listen = %s\n", config->http[i].text);
	spg_buf_printf(out, "show-processes = %s\ngroup = %s\n",
		config->http_shows_processes ? "yes" : "no",
		spg_config_http_group(config));
	for (size_t i = 0; i < config->n_products; i++)
		print_product(config->products[i], out);
}
