/* SPDX-License-Identifier: MIT */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/text.h"
#include "daemon/serve/session.h"

/* Longest wait: a month. */
#define WAIT_MAX_S   2592000

/* Each path asked about is compared with each file. */
#define PATHS_MAX    256

#define NAMES_MAX    100000

/* Longest window: a week, since windows are told by weekday. */
#define WINDOW_MAX_S 604800
#define DAYS_MAX     366

#define HOLD_MAX_S   14400

static const struct spg_param check_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"names", SPG_PARAM_TEXTS, false, 0, NAMES_MAX,
		"the files of a payload, as names or absolute paths; without it, the "
		"product's own"},
	{"payload", SPG_PARAM_FILES, false, 0, NAMES_MAX,
		"the files of a payload, with versions and digests where known"},
	{"all", SPG_PARAM_BOOL, false, 0, 0, "list free files too"},
	{"wait", SPG_PARAM_NUMBER, false, 0, WAIT_MAX_S,
		"answer when it is safe, or after so many seconds with the last "
		"verdict"},
};

static const struct spg_param use_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"paths", SPG_PARAM_TEXTS, false, 0, PATHS_MAX,
		"absolute paths of files or directories, or names in any directory; "
		"without it, all files"},
	{"all", SPG_PARAM_BOOL, false, 0, 0, "list free files too"},
};

static const struct spg_param log_params[] = {
	{"paths", SPG_PARAM_TEXTS, false, 0, PATHS_MAX,
		"absolute paths, or names in any directory; without it, all files"},
	{"since", SPG_PARAM_TEXT, false, 0, 0, "earliest time, RFC 3339"},
	{"until", SPG_PARAM_TEXT, false, 0, 0, "latest time, RFC 3339"},
	{"kinds", SPG_PARAM_TEXTS, false, 0, 64, "kinds of event; without it, all"},
	{"process", SPG_PARAM_TEXT, false, 0, 0, "name or pid of a process"},
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"limit", SPG_PARAM_INTEGER, false, 1, 1e9,
		"the newest so many; 200 without it, 10000 at most"},
	{"before", SPG_PARAM_INTEGER, false, 1, 9e15,
		"only events with a smaller id, to page backwards"},
};

static const struct spg_param installs_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"id", SPG_PARAM_INTEGER, false, 1, 9e15, "only this one, with its files"},
	{"limit", SPG_PARAM_INTEGER, false, 1, 1000,
		"the newest so many; 20 without it"},
	{"wait", SPG_PARAM_NUMBER, false, 0, WAIT_MAX_S,
		"answer when no install runs, or after so many seconds"},
	{"ended", SPG_PARAM_BOOL, false, 0, 0,
		"the installer has ended: do not wait for more of it"},
};

static const struct spg_param verify_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"payload", SPG_PARAM_FILES, false, 0, NAMES_MAX,
		"the files of a service pack: what is installed should be those"},
	{"progress", SPG_PARAM_BOOL, false, 0, 0,
		"send notifications \"progress\" meanwhile"},
};

static const struct spg_param sidestep_params[] = {
	{"paths", SPG_PARAM_TEXTS, true, 0, PATHS_MAX,
		"the held files: absolute paths, or names in any directory"},
	{"product", SPG_PARAM_TEXT, false, 0, 0, "only files of this product"},
	{"dry_run", SPG_PARAM_BOOL, false, 0, 0, "say what would be done, do nothing"},
	{"payload", SPG_PARAM_FILES, false, 0, NAMES_MAX,
		"the files of the service pack that will bring the new ones"},
};

static const struct spg_param sidestep_undo_params[] = {
	{"id", SPG_PARAM_INTEGER, true, 1, 9e15, "number that sidestep.list gives"},
};

static const struct spg_param sidestep_clean_params[] = {
	{"id", SPG_PARAM_INTEGER, false, 1, 9e15,
		"number that sidestep.list gives; without it, all"},
};

static const struct spg_param hold_begin_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0,
		"name of a product; needed when there are several"},
	{"for", SPG_PARAM_NUMBER, true, 0, HOLD_MAX_S, "seconds, at most four hours"},
	{"pids", SPG_PARAM_INTEGERS, false, 0, 15,
		"processes that count as the installer, besides the client; whoever "
		"they start does as well"},
};

static const struct spg_param hold_renew_params[] = {
	{"hold", SPG_PARAM_INTEGER, true, 1, 9e15, "number that hold.begin gave"},
	{"for", SPG_PARAM_NUMBER, true, 0, HOLD_MAX_S, "seconds from now"},
};

static const struct spg_param hold_end_params[] = {
	{"hold", SPG_PARAM_INTEGER, true, 1, 9e15, "number that hold.begin gave"},
};

static const struct spg_param subscribe_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0, "name of a product; without it, all"},
	{"kinds", SPG_PARAM_TEXTS, false, 0, 64, "kinds of event; without it, all"},
};

static const struct spg_param unsubscribe_params[] = {
	{"subscription", SPG_PARAM_INTEGER, true, 1, 9e15,
		"number that subscribe gave"},
};

static const struct spg_param maintenance_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0,
		"name of a product; needed when there are several"},
	{"for", SPG_PARAM_NUMBER, false, 1, WINDOW_MAX_S,
		"how long the files have to be free, in seconds; 1800 without it"},
	{"days", SPG_PARAM_INTEGER, false, 1, DAYS_MAX,
		"how far to look back; 14 without it"},
	{"utc", SPG_PARAM_BOOL, false, 0, 0,
		"days and hours of UTC, not of the server's local time"},
};

static const struct spg_param metrics_params[] = {
	{"openmetrics", SPG_PARAM_BOOL, false, 0, 0,
		"the text format of OpenMetrics, not that of Prometheus"},
};

static const struct spg_param timeline_params[] = {
	{"product", SPG_PARAM_TEXT, false, 0, 0,
		"name of a product; needed when there are several"},
	{"since", SPG_PARAM_TEXT, false, 0, 0,
		"RFC 3339; an hour before the end without it"},
	{"until", SPG_PARAM_TEXT, false, 0, 0, "RFC 3339; now without it"},
};

#define PARAMS(array) array, sizeof(array) / sizeof((array)[0])

#define ADMIN         SPG_METHOD_ADMIN
#define OVER_HTTP     SPG_METHOD_OVER_HTTP

static const struct spg_method methods[] = {
	{"hello", spg_method_hello, NULL, 0, 0,
		"Who serves here, and what the caller may do.",
		"name, version, protocol, pid, tier, admin, products"},
	{"check", spg_method_check, PARAMS(check_params), OVER_HTTP,
		"Prove whether a service pack can be applied safely.",
		"the verdict with its files, reasons and next steps; with several "
		"products: the worst verdict, and one answer each"},
	{"who", spg_method_who, PARAMS(use_params), OVER_HTTP,
		"Who uses which files now.", "at, files, coverage"},
	{"locks", spg_method_locks, PARAMS(use_params), OVER_HTTP,
		"The locks on the files, held and waited for.", "at, locks, coverage"},
	{"log", spg_method_log, PARAMS(log_params), OVER_HTTP,
		"The history, gaps included.", "events, oldest first; more"},
	{"installs", spg_method_installs, PARAMS(installs_params), OVER_HTTP,
		"What was installed, by whom, and what came of it.",
		"installs, newest first"},
	{"verify", spg_method_verify, PARAMS(verify_params), 0,
		"Find out whether the installed files fit together.",
		"verdict (fits, mixed, unknown), and one answer for each product"},
	{"sidestep.apply", spg_method_sidestep_apply, PARAMS(sidestep_params), ADMIN,
		"Rename held files so that setup can write new ones.",
		"sidesteps: what was done or refused, and why; next"},
	{"sidestep.undo", spg_method_sidestep_undo, PARAMS(sidestep_undo_params), ADMIN,
		"Give a file that was stepped aside its name again.", "sidesteps"},
	{"sidestep.list", spg_method_sidestep_list, NULL, 0, 0,
		"The steps aside that are not over.", "sidesteps"},
	{"sidestep.clean", spg_method_sidestep_clean, PARAMS(sidestep_clean_params),
		ADMIN, "Remove old files that nobody uses any more.", "sidesteps"},
	{"status", spg_method_status, NULL, 0, OVER_HTTP,
		"The daemon's health, tier and coverage.",
		"products, mechanisms, store, sessions, events, gaps, coverage"},
	{"metrics", spg_method_metrics, PARAMS(metrics_params), OVER_HTTP,
		"Prove every product and tell what is measured.", "content_type, text"},
	{"subscribe", spg_method_subscribe, PARAMS(subscribe_params), 0,
		"Be told of events and verdicts on this connection.", "subscription"},
	{"unsubscribe", spg_method_unsubscribe, PARAMS(unsubscribe_params), 0,
		"End a subscription of this connection.", "an empty object"},
	{"maintenance", spg_method_maintenance, PARAMS(maintenance_params), OVER_HTTP,
		"When in the week the files were free for so long, how often, and who "
		"broke it.",
		"slots: for each weekday and hour of how many windows were free; best; "
		"unseen_s"},
	{"timeline", spg_method_timeline, PARAMS(timeline_params), OVER_HTTP,
		"Who held which file when: a product's history as a picture needs it.",
		"product, since, until, recorded_since, files with their bars, gaps, "
		"installs, holds; more: that was not all"},
	{"flush", spg_method_flush, NULL, 0, 0,
		"Answer when every event before now is in the database.",
		"flushed, last_id"},
	{"hold.begin", spg_method_hold_begin, PARAMS(hold_begin_params), ADMIN,
		"Refuse new opens of a product's files to all but the installer, until "
		"the time is over or this connection ends.",
		"hold, product, until, files, directories"},
	{"hold.renew", spg_method_hold_renew, PARAMS(hold_renew_params), ADMIN,
		"Let a hold last longer.", "hold, until"},
	{"hold.end", spg_method_hold_end, PARAMS(hold_end_params), ADMIN,
		"End a hold, and report about it.",
		"hold, product, ended, cause, text, refused, untold, who, not_stopped"},
	{"reload", spg_method_reload, NULL, 0, ADMIN, "Read the configuration again.",
		"reloaded, products"},
	{"rpc.discover", spg_method_discover, NULL, 0, 0, "Describe the methods.",
		"an OpenRPC document"},
};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

static const struct {
	const char *words, *schema;
} types[] = {
	[SPG_PARAM_TEXT] = {"text", "string"},
	[SPG_PARAM_BOOL] = {"true or false", "boolean"},
	[SPG_PARAM_INTEGER] = {"a whole number", "integer"},
	[SPG_PARAM_NUMBER] = {"a number", "number"},
	[SPG_PARAM_TEXTS] = {"a list of texts", "array"},
	[SPG_PARAM_FILES] = {"a list of files", "array"},
	[SPG_PARAM_INTEGERS] = {"a list of whole numbers", "array"},
};

static const struct spg_method *find_method(const char *name)
{
	for (size_t i = 0; i < N_METHODS; i++) {
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	return NULL;
}

const struct spg_method *spg_method_over_http(const char *name)
{
	const struct spg_method *method = find_method(name);

	return method && method->flags & SPG_METHOD_OVER_HTTP ? method : NULL;
}

const struct spg_param *spg_method_param(
	const struct spg_method *method, const char *name)
{
	for (size_t i = 0; i < method->n_params; i++) {
		if (strcmp(method->params[i].name, name) == 0)
			return &method->params[i];
	}
	return NULL;
}

static bool is_payload_file(const json_t *file)
{
	const char *key;
	const json_t *value;

	/* The macro wants no const; nothing is changed. */
	json_object_foreach ((json_t *)file, key, value) {
		bool ok = json_is_string(value) || json_is_null(value);

		if (strcmp(key, "name") == 0)
			ok = json_string_length(value) > 0;
		else if (strcmp(key, "size") == 0)
			ok = json_is_null(value) ||
			     (json_is_integer(value) && json_integer_value(value) >= 0);
		else if (strcmp(key, "version") != 0 && strcmp(key, "sha256") != 0)
			ok = false;
		if (!ok)
			return false;
	}
	return json_object_get(file, "name") != NULL;
}

static bool has_type(const struct spg_param *param, const json_t *value)
{
	switch (param->type) {
	case SPG_PARAM_TEXT:
		return json_is_string(value);
	case SPG_PARAM_BOOL:
		return json_is_boolean(value);
	case SPG_PARAM_INTEGER:
		return json_is_integer(value);
	case SPG_PARAM_NUMBER:
		return json_is_number(value);
	case SPG_PARAM_TEXTS:
		if (!json_is_array(value))
			return false;
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (!json_string_length(json_array_get(value, i)))
				return false;
		}
		return true;
	case SPG_PARAM_FILES:
		if (!json_is_array(value))
			return false;
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (!is_payload_file(json_array_get(value, i)))
				return false;
		}
		return true;
	case SPG_PARAM_INTEGERS:
		if (!json_is_array(value))
			return false;
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (!json_is_integer(json_array_get(value, i)))
				return false;
		}
		return true;
	}
	return false;
}

static bool is_list(const struct spg_param *param)
{
	return param->type == SPG_PARAM_TEXTS || param->type == SPG_PARAM_FILES ||
	       param->type == SPG_PARAM_INTEGERS;
}

static bool is_in_range(const struct spg_param *param, const json_t *value)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || (param->min == 0 && param->max == 0))
		return true;
	return number >= param->min && number <= param->max;
}

static bool check_param(
	struct spg_call *call, const struct spg_param *param, const json_t *value)
{
	if (!has_type(param, value)) {
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, param->summary,
			"parameter \"%s\" must be %s", param->name,
			types[param->type].words);
		return false;
	}
	if (!is_in_range(param, value)) {
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, param->summary,
			"parameter \"%s\" must be %s from %.0f to %.0f", param->name,
			types[param->type].words, param->min, param->max);
		return false;
	}
	if (is_list(param) && param->max > 0 &&
		(double)json_array_size(value) > param->max) {
		spg_call_fail(call, SPG_RPC_TOO_LARGE, "ask in several requests",
			"parameter \"%s\" may have %.0f %s at most", param->name,
			param->max,
			param->type == SPG_PARAM_FILES   ? "files"
			: param->type == SPG_PARAM_TEXTS ? "texts"
							 : "numbers");
		return false;
	}
	return true;
}

static bool refuse_unknown_param(
	struct spg_call *call, const struct spg_method *method, const char *name)
{
	struct spg_buf quoted = SPG_BUF_NULL, known = SPG_BUF_NULL;

	spg_buf_puts(&known, method->n_params ? "it takes: " : "it takes none");
	for (size_t i = 0; i < method->n_params; i++)
		spg_buf_printf(&known, "%s%s", i ? ", " : "", method->params[i].name);
	spg_call_fail(call, SPG_RPC_BAD_PARAMS, spg_buf_text(&known),
		"method \"%s\" has no parameter \"%s\"", method->name,
		spg_params_quote(&quoted, name));
	spg_buf_finish(&quoted);
	spg_buf_finish(&known);
	return false;
}

static bool check_params_of(
	struct spg_call *call, const struct spg_method *method, json_t *params)
{
	const char *name;
	json_t *value;

	json_object_foreach (params, name, value) {
		const struct spg_param *param = spg_method_param(method, name);

		if (!param)
			return refuse_unknown_param(call, method, name);
		if (!json_is_null(value) && !check_param(call, param, value))
			return false;
	}
	for (size_t i = 0; i < method->n_params; i++) {
		const struct spg_param *param = &method->params[i];

		value = json_object_get(params, param->name);
		if (param->required && (!value || json_is_null(value))) {
			spg_call_fail(call, SPG_RPC_BAD_PARAMS, param->summary,
				"parameter \"%s\" is missing: %s", param->name,
				types[param->type].words);
			return false;
		}
	}
	return true;
}

static const char *why_busy(const struct spg_asker *asker, size_t n_bytes)
{
	const struct spg_limits *limits = asker->host->limits;

	if (asker->n_calls >= limits->in_flight)
		return "too many requests of this connection are not answered yet";
	if (asker->quota->n_calls >= limits->uid_calls)
		return "too many requests of your user are not finished yet";
	if (asker->quota->n_bytes + n_bytes > limits->uid_bytes)
		return "too many bytes of your requests are held already";
	return NULL;
}

static void refuse_method(struct spg_asker *asker, const struct spg_request *request)
{
	struct spg_buf quoted = SPG_BUF_NULL, message = SPG_BUF_NULL;

	spg_buf_printf(&message, "there is no method \"%s\"",
		spg_params_quote(&quoted, request->method));
	asker->refuse(asker, request->id,
		&(struct spg_rpc_error){SPG_RPC_NO_METHOD, spg_buf_text(&message),
			"rpc.discover lists the methods"});
	spg_buf_finish(&message);
	spg_buf_finish(&quoted);
}

void spg_methods_dispatch(
	struct spg_asker *asker, const struct spg_request *request, size_t n_bytes)
{
	const struct spg_method *method = find_method(request->method);
	const char *why = why_busy(asker, n_bytes);
	struct spg_call *call;

	if (why) {
		asker->refuse(asker, request->id,
			&(struct spg_rpc_error){SPG_RPC_BUSY, why,
				"wait for answers before asking more"});
		return;
	}
	if (!method || (!asker->session && !(method->flags & SPG_METHOD_OVER_HTTP))) {
		refuse_method(asker, request);
		return;
	}
	call = spg_call_create(asker, request->id, n_bytes);
	if (!call) {
		asker->refuse(asker, request->id,
			&(struct spg_rpc_error){
				SPG_RPC_INTERNAL, "out of memory", NULL});
		return;
	}
	if ((method->flags & SPG_METHOD_ADMIN) && !spg_call_is_of_admin(call)) {
		spg_call_fail(call, SPG_RPC_DENIED,
			"ask as root, or as a member of the group that "
			"\"admin-group\" names",
			"you may not call \"%s\"", method->name);
		return;
	}
	if (check_params_of(call, method, request->params))
		method->handle(call, request->params);
}

/* rpc.discover */

/* Of a list. */
static json_t *describe_element(const struct spg_param *param)
{
	if (param->type == SPG_PARAM_FILES)
		return json_pack("{s:s, s:[s]}", "type", "object", "required", "name");
	if (param->type == SPG_PARAM_INTEGERS)
		return json_pack("{s:s}", "type", "integer");
	return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
}

static json_t *describe_schema(const struct spg_param *param)
{
	json_t *out = json_pack("{s:s}", "type", types[param->type].schema);
	int r = 0;

	if (is_list(param)) {
		r |= json_object_set_new(out, "items", describe_element(param));
		if (param->max > 0)
			r |= json_object_set_new(
				out, "maxItems", json_integer((json_int_t)param->max));
	} else if (param->min != 0 || param->max != 0) {
		r |= json_object_set_new(
			out, "minimum", json_integer((json_int_t)param->min));
		r |= json_object_set_new(
			out, "maximum", json_integer((json_int_t)param->max));
	}
	if (!r)
		return out;
	json_decref(out);
	return NULL;
}

static json_t *describe_method(const struct spg_method *method)
{
	json_t *params = json_array();
	int r = params ? 0 : -1;

	for (size_t i = 0; i < method->n_params; i++) {
		const struct spg_param *param = &method->params[i];

		r |= json_array_append_new(params,
			json_pack("{s:s, s:s, s:b, s:o}", "name", param->name,
				"summary", param->summary, "required", param->required,
				"schema", describe_schema(param)));
	}
	if (r) {
		json_decref(params);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:{s:s, s:s, s:{s:s}}}",
		"name", method->name, "summary", method->summary, "paramStructure",
		"by-name", "x-needs-admin", (method->flags & SPG_METHOD_ADMIN) != 0,
		"x-over-http", (method->flags & SPG_METHOD_OVER_HTTP) != 0, "params",
		params, "result", "name", "result", "summary", method->result, "schema",
		"type", "object");
}

json_t *spg_methods_describe(void)
{
	json_t *list = json_array();
	int r = list ? 0 : -1;

	for (size_t i = 0; i < N_METHODS; i++)
		r |= json_array_append_new(list, describe_method(&methods[i]));
	if (r) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:{s:s, s:s}, s:o}", "openrpc", "1.2.6", "info",
		"title", "spguardd", "version", SPG_VERSION, "methods", list);
}
