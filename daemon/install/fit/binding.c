/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/binding.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/err.h"

struct parse {
	XML_Parser parser;
	struct spg_binding *binding;
	unsigned in_binding; /* depth below <assemblyBinding>; 0: outside */
	size_t first;        /* redirects of this <dependentAssembly> begin here */
	char *name;
	bool has_token;
	uint8_t token[SPG_BINARY_TOKEN_BYTES];
	bool failed; /* memory was short */
};

void spg_binding_finish(struct spg_binding *binding)
{
	for (size_t i = 0; i < binding->n_redirects; i++)
		free(binding->redirects[i].name);
	for (size_t i = 0; i < binding->n_paths; i++)
		free(binding->paths[i]);
	free(binding->redirects);
	free(binding->paths);
	*binding = (struct spg_binding)SPG_BINDING_NULL;
}

bool spg_binding_is_empty(const struct spg_binding *binding)
{
	return binding->n_redirects == 0 && binding->n_paths == 0 &&
	       !binding->is_core && !binding->is_partial;
}

size_t spg_binding_bytes(const struct spg_binding *binding)
{
	size_t bytes = sizeof(*binding) +
	               binding->redirects_size * sizeof(*binding->redirects);

	for (size_t i = 0; i < binding->n_redirects; i++)
		if (binding->redirects[i].name)
			bytes += strlen(binding->redirects[i].name);
	return bytes;
}

int spg_binding_compare_versions(const uint16_t a[4], const uint16_t b[4])
{
	for (size_t i = 0; i < 4; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

const struct spg_binding_redirect *spg_binding_find(const struct spg_binding *binding,
	const char *name, const uint8_t *token, const uint16_t version[4])
{
	size_t low = 0, high = binding->n_redirects;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(binding->redirects[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < binding->n_redirects; low++) {
		const struct spg_binding_redirect *r = &binding->redirects[low];

		if (strcasecmp(r->name, name) != 0)
			break;
		if (r->has_token &&
			(!token || memcmp(r->token, token, sizeof(r->token)) != 0))
			continue;
		if (r->elsewhere ||
			(spg_binding_compare_versions(version, r->low) >= 0 &&
				spg_binding_compare_versions(version, r->high) <= 0))
			return r;
	}
	return NULL;
}

/* ---- values ---- */

/* "1.2.3.4"; parts that are left out are 0. *@text is moved behind it. */
static bool parse_version(const char **text, uint16_t ret[4])
{
	const char *at = *text;

	memset(ret, 0, 4 * sizeof(ret[0]));
	for (size_t i = 0; i < 4; i++) {
		uint32_t value = 0;
		const char *start = at;

		while (*at >= '0' && *at <= '9' && value <= UINT16_MAX)
			value = value * 10 + (uint32_t)(*at++ - '0');
		if (at == start || value > UINT16_MAX)
			return false;
		ret[i] = (uint16_t)value;
		if (*at != '.' || i == 3)
			break;
		at++;
	}
	*text = at;
	return true;
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* "1.0.0.0" or "0.0.0.0-1.2.3.4" */
static bool parse_range(const char *text, uint16_t low[4], uint16_t high[4])
{
	text = skip_space(text);
	if (!parse_version(&text, low))
		return false;
	memcpy(high, low, 4 * sizeof(high[0]));
	text = skip_space(text);
	if (*text == '-') {
		text = skip_space(text + 1);
		if (!parse_version(&text, high))
			return false;
	}
	return *skip_space(text) == '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_token(const char *text, uint8_t ret[SPG_BINARY_TOKEN_BYTES])
{
	if (strlen(text) != 2 * SPG_BINARY_TOKEN_BYTES)
		return false;
	for (size_t i = 0; i < SPG_BINARY_TOKEN_BYTES; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* ---- elements ---- */

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return attributes[i + 1];
	return NULL;
}

static void fail(struct parse *parse)
{
	parse->failed = true;
	XML_StopParser(parse->parser, XML_FALSE);
}

/* <assemblyIdentity name= publicKeyToken= culture=> */
static void take_identity(struct parse *parse, const XML_Char **attributes)
{
	const char *name = attribute(attributes, "name");
	const char *token = attribute(attributes, "publicKeyToken");

	free(parse->name);
	parse->name = NULL;
	if (!name || strlen(name) > SPG_BINDING_NAME_MAX) {
		parse->binding->is_partial = true;
		return;
	}
	parse->name = strdup(name);
	if (!parse->name)
		fail(parse);
	parse->has_token = token && *token && strcasecmp(token, "null") != 0;
	if (parse->has_token && !parse_token(token, parse->token))
		parse->binding->is_partial = true;
}

static void add_redirect(
	struct parse *parse, const struct spg_binding_redirect *redirect)
{
	struct spg_binding *binding = parse->binding;

	if (binding->n_redirects >= SPG_BINDING_REDIRECTS_MAX) {
		binding->is_partial = true;
		return;
	}
	if (spg_array_reserve(&binding->redirects, binding->n_redirects,
		    &binding->redirects_size, sizeof(*redirect)) < 0) {
		fail(parse);
		return;
	}
	binding->redirects[binding->n_redirects++] = *redirect;
}

/* <bindingRedirect oldVersion= newVersion=> */
static void take_redirect(struct parse *parse, const XML_Char **attributes)
{
	const char *from = attribute(attributes, "oldVersion");
	const char *to = attribute(attributes, "newVersion");
	struct spg_binding_redirect redirect = {0};
	uint16_t high[4];

	if (from && to && parse_range(from, redirect.low, redirect.high) &&
		parse_range(to, redirect.to, high))
		add_redirect(parse, &redirect);
	else
		parse->binding->is_partial = true;
}

static void add_path(struct parse *parse, const char *path, size_t n)
{
	struct spg_binding *binding = parse->binding;
	char *copy;

	if (binding->n_paths >= SPG_BINDING_PATHS_MAX || n > SPG_BINDING_NAME_MAX) {
		binding->is_partial = true;
		return;
	}
	copy = strndup(path, n);
	if (!copy || spg_array_reserve(&binding->paths, binding->n_paths,
			     &binding->paths_size, sizeof(copy)) < 0) {
		free(copy);
		fail(parse);
		return;
	}
	for (char *c = copy; *c; c++)
		if (*c == '\\')
			*c = '/';
	binding->paths[binding->n_paths++] = copy;
}

/* <probing privatePath="bin;bin2\sub"> */
static void take_paths(struct parse *parse, const char *paths)
{
	while (paths && *paths) {
		size_t n = strcspn(paths, ";"), kept;
		const char *start = skip_space(paths);

		kept = start < paths + n ? (size_t)(paths + n - start) : 0;
		while (kept && strchr(" \t\r\n/\\", start[kept - 1]))
			kept--;
		if (kept)
			add_path(parse, start, kept);
		paths += n + (paths[n] == ';');
	}
}

/* Without what stands before a colon. */
static const char *local_name(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon ? colon + 1 : name;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct spg_binding_redirect elsewhere = {.elsewhere = true};
	struct parse *parse = user;

	name = local_name(name);
	if (parse->in_binding || strcmp(name, "assemblyBinding") == 0)
		parse->in_binding++;
	if (!parse->in_binding)
		return;
	if (strcmp(name, "dependentAssembly") == 0)
		parse->first = parse->binding->n_redirects;
	else if (strcmp(name, "assemblyIdentity") == 0)
		take_identity(parse, attributes);
	else if (strcmp(name, "bindingRedirect") == 0)
		take_redirect(parse, attributes);
	else if (strcmp(name, "codeBase") == 0)
		add_redirect(parse, &elsewhere);
	else if (strcmp(name, "probing") == 0)
		take_paths(parse, attribute(attributes, "privatePath"));
	else if (strcmp(name, "linkedConfiguration") == 0)
		parse->binding->is_partial = true;
}

/* The name may stand before the redirects or behind them. */
static void end_dependent(struct parse *parse)
{
	struct spg_binding *binding = parse->binding;

	for (size_t i = parse->first; parse->name && i < binding->n_redirects; i++) {
		struct spg_binding_redirect *redirect = &binding->redirects[i];

		if (redirect->name)
			continue;
		redirect->name = strdup(parse->name);
		if (!redirect->name) {
			fail(parse);
			break;
		}
		redirect->has_token = parse->has_token;
		memcpy(redirect->token, parse->token, sizeof(parse->token));
	}
	free(parse->name);
	parse->name = NULL;
}

static void on_end(void *user, const XML_Char *name)
{
	struct parse *parse = user;

	if (!parse->in_binding)
		return;
	parse->in_binding--;
	if (strcmp(local_name(name), "dependentAssembly") == 0)
		end_dependent(parse);
}

/* With one come entities. */
static void on_doctype(void *user, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int has_subset)
{
	struct parse *parse = user;

	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	parse->binding->is_partial = true;
	XML_StopParser(parse->parser, XML_FALSE);
}

static int compare_redirects(const void *a, const void *b)
{
	const struct spg_binding_redirect *one = a, *two = b;

	return strcasecmp(one->name, two->name);
}

/* Those without a name are about nothing. */
static void sort_redirects(struct spg_binding *binding)
{
	size_t n = 0, equal = 0;

	for (size_t i = 0; i < binding->n_redirects; i++)
		if (binding->redirects[i].name)
			binding->redirects[n++] = binding->redirects[i];
	binding->n_redirects = n;
	if (n)
		qsort(binding->redirects, n, sizeof(*binding->redirects),
			compare_redirects);
	for (size_t i = 1; i < n; i++) {
		equal = compare_redirects(
				&binding->redirects[i - 1], &binding->redirects[i]) == 0
		                ? equal + 1
		                : 0;
		if (equal >= SPG_BINDING_EQUAL_MAX)
			binding->is_partial = true;
	}
}

int spg_binding_add(struct spg_binding *binding, const char *bytes, size_t n)
{
	struct parse parse = {.parser = XML_ParserCreate(NULL), .binding = binding};

	if (!parse.parser)
		return SPG_ERR_NOMEM;
	parse.first = binding->n_redirects;
	XML_SetUserData(parse.parser, &parse);
	XML_SetElementHandler(parse.parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(parse.parser, on_doctype);
	if (n > SPG_BINDING_BYTES_MAX) {
		binding->is_partial = true;
	} else if (XML_Parse(parse.parser, bytes, (int)n, XML_TRUE) != XML_STATUS_OK) {
		binding->is_partial = true;
		if (XML_GetErrorCode(parse.parser) == XML_ERROR_NO_MEMORY)
			parse.failed = true;
	}
	XML_ParserFree(parse.parser);
	sort_redirects(binding);
	free(parse.name);
	return parse.failed ? SPG_ERR_NOMEM : 0;
}
