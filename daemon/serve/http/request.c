/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/request.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/message.h"
#include "common/text.h"
#include "daemon/serve/contract/contract.h"
#include "daemon/serve/http/answer.h"
#include "daemon/serve/http/query.h"
#include "daemon/serve/http/redact.h"
#include "daemon/serve/http/slots.h"
#include "daemon/serve/http/stream.h"
#include "daemon/serve/methods/methods.h"
#include "daemon/serve/page/page.h"
#include "daemon/serve/render/exposition.h"

static const char paths_hint[] = "there are / (the page), /healthz, /metrics, "
				 "/api/events, and /api/ with check, status, "
				 "who, locks, log, maintenance, timeline, installs";

static struct spg_http_request *request_of(struct spg_asker *asker)
{
	return (struct spg_http_request *)asker;
}

static void wake(struct spg_http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = request->waits = false;
	spg_http_resume(request->http, request->connection);
}

/* ---- turns ---- */

/* What needs no survey and no history is answered at once. */
static bool is_question(const char *url)
{
	return strcmp(url, "/metrics") == 0 ||
	       (strncmp(url, "/api/", 5) == 0 && strcmp(url, "/api/events") != 0);
}

static bool may_ask(const struct spg_http_request *request)
{
	return request->http->n_questions < SPG_HTTP_QUESTIONS &&
	       request->peer->n_questions < SPG_HTTP_PEER_QUESTIONS &&
	       request->peer->n_bytes <= SPG_HTTP_PEER_BYTES;
}

/* False: too many ask already, and it has to wait. */
static bool take_turn(struct spg_http_request *request, const char *url)
{
	if (!is_question(url))
		return true;
	request->asks = may_ask(request);
	request->waits = !request->asks;
	request->http->n_questions += request->asks;
	request->peer->n_questions += request->asks;
	return request->asks;
}

/* Next is who has least in hand, and of those who waits longest. */
void spg_http_ask_next(struct spg_http *http)
{
	struct spg_http_request *next = NULL;

	for (struct spg_http_request *r = http->requests; r; r = r->next)
		if (r->waits && may_ask(r) &&
			(!next || r->peer->n_questions <= next->peer->n_questions))
			next = r;
	if (next)
		wake(next);
}

/* It has its answer or has gone, perhaps when it had just been woken. */
static void pass_turn(struct spg_http_request *request)
{
	request->http->n_questions -= request->asks;
	request->peer->n_questions -= request->asks;
	request->asks = request->waits = false;
	spg_http_ask_next(request->http);
}

/* ---- answers ---- */

static void answered(
	struct spg_http_request *request, unsigned status, const char *media_type)
{
	request->answered = true;
	request->status = status;
	request->media_type = media_type;
	if (strcmp(media_type, SPG_HTTP_EVENTS) != 0)
		spg_http_connection_answered(
			spg_http_connection_of(request->connection), request->body.len);
	pass_turn(request);
	wake(request);
}

/* @document is taken over; NULL: there was no memory for it. */
static void answer_json(
	struct spg_http_request *request, unsigned status, json_t *document)
{
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

	spg_buf_clear(&request->body);
	if (text) {
		spg_buf_puts(&request->body, text);
		spg_buf_putc(&request->body, '\n');
	}
	if (!text || request->body.failed)
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	free(text);
	json_decref(document);
	answered(request, status, SPG_HTTP_JSON);
}

static void refuse_with(struct spg_http_request *request, unsigned status,
	const struct spg_rpc_error *error)
{
	answer_json(request, status, spg_http_error(error));
}

static unsigned status_of(int code)
{
	switch (code) {
	case SPG_RPC_BAD_PARAMS:
		return MHD_HTTP_BAD_REQUEST;
	case SPG_RPC_DENIED:
		return MHD_HTTP_FORBIDDEN;
	case SPG_RPC_NO_METHOD:
	case SPG_RPC_NO_PRODUCT:
		return MHD_HTTP_NOT_FOUND;
	case SPG_RPC_BUSY:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	case SPG_RPC_UNSUPPORTED:
		return MHD_HTTP_NOT_IMPLEMENTED;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static void on_refusal(
	struct spg_asker *asker, const json_t *id, const struct spg_rpc_error *error)
{
	(void)id;
	refuse_with(request_of(asker), status_of(error->code), error);
}

static void on_answer(struct spg_asker *asker, const json_t *id, const json_t *result)
{
	struct spg_http_request *request = request_of(asker);

	(void)id;
	answer_json(request, MHD_HTTP_OK,
		request->http->shows_processes ? json_incref((json_t *)result)
					       : spg_http_redact(result));
}

/* The text itself is the answer. */
static void on_metrics(struct spg_asker *asker, const json_t *id, const json_t *result)
{
	struct spg_http_request *request = request_of(asker);
	const json_t *text = json_object_get(result, "text");
	const char *type = json_string_value(json_object_get(result, "content_type"));
	bool openmetrics = strcmp(type, spg_exposition_media_type(true)) == 0;

	(void)id;
	spg_buf_add(&request->body, json_string_value(text), json_string_length(text));
	answered(request,
		request->body.failed ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_OK,
		spg_exposition_media_type(openmetrics));
}

static void on_settled(struct spg_asker *asker)
{
	(void)asker;
}

/* ---- questions ---- */

struct query {
	const struct spg_contract_method *method;
	json_t *params;
	int err;
};

static spg_mhd_result take_argument(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *text)
{
	struct query *query = cls;

	(void)kind;
	query->err = spg_http_query_add(query->params, query->method, name, text);
	return query->err == 0 ? MHD_YES : MHD_NO;
}

/* Ask @method; @params, NULL for want of memory, are taken over. */
static void ask(struct spg_http_request *request, const char *method, json_t *params)
{
	struct spg_request question = SPG_REQUEST_NULL;

	question.method = method;
	question.params = params;
	if (params)
		spg_methods_dispatch(&request->asker, &question, 0);
	else
		answer_json(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	json_decref(params);
}

static void refuse_query(
	struct spg_http_request *request, const char *message, const char *hint)
{
	refuse_with(request, MHD_HTTP_BAD_REQUEST,
		&(struct spg_rpc_error){SPG_RPC_BAD_PARAMS, message, hint});
}

/* The query's parameters; NULL: the request was answered. @method NULL: they are
 * texts. */
static json_t *params_of(
	struct spg_http_request *request, const struct spg_contract_method *method)
{
	struct query query = {.method = method, .params = json_object()};

	MHD_get_connection_values(
		request->connection, MHD_GET_ARGUMENT_KIND, take_argument, &query);
	if (query.err == SPG_ERR_INVALID)
		refuse_query(request, "the query is not UTF-8", "encode it as such");
	else if (query.err == SPG_ERR_EXISTS)
		refuse_query(request, "a parameter is given twice, and is no list",
			"ask in several requests");
	/* A client that goes would not be noticed until then. */
	else if (json_object_get(query.params, "wait"))
		refuse_query(request, "nothing waits over HTTP",
			"listen to /api/events, or on the server: spguard "
			"check --wait");
	/* Whether there is an answer would tell what is left out of it. */
	else if (json_object_get(query.params, "process") &&
		 !request->http->shows_processes)
		refuse_with(request, MHD_HTTP_FORBIDDEN,
			&(struct spg_rpc_error){SPG_RPC_DENIED,
				"processes are not shown over HTTP",
				"on the server: spguard log --process"});
	else if (query.err == 0 && query.params)
		return query.params;
	else
		answer_json(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	json_decref(query.params);
	return NULL;
}

static void refuse_path(struct spg_http_request *request)
{
	refuse_with(request, MHD_HTTP_NOT_FOUND,
		&(struct spg_rpc_error){SPG_RPC_NO_METHOD,
			"there is nothing at this path", paths_hint});
}

static void serve_method(struct spg_http_request *request, const char *name)
{
	const struct spg_contract_method *method =
		spg_contract_find(request->asker.host->contract, name);
	json_t *params;

	if (!method || !method->over_http) {
		refuse_path(request);
		return;
	}
	params = params_of(request, method);
	if (params)
		ask(request, name, params);
}

static void serve_metrics(struct spg_http_request *request)
{
	const char *accept = MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	request->asker.answer = on_metrics;
	ask(request, "metrics",
		json_pack("{s:b}", "openmetrics",
			spg_exposition_wants_openmetrics(accept)));
}

/* The daemon answers; that it records as well is part of its health. */
static void serve_health(struct spg_http_request *request)
{
	struct spg_store_status store;

	spg_store_status(request->asker.service->store, &store);
	spg_buf_puts(&request->body, store.stopped ? "history is stopped: " : "ok");
	if (store.stopped)
		spg_text_escape(&request->body, store.why, false);
	spg_buf_putc(&request->body, '\n');
	answered(request, store.stopped ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
		SPG_HTTP_TEXT);
}

static void begin_events(struct spg_http_request *request, const char *product)
{
	const struct spg_service *service = request->asker.service;
	bool busy = false;

	if (product && spg_model_find_product(service->model, product) < 0) {
		refuse_with(request, MHD_HTTP_NOT_FOUND,
			&(struct spg_rpc_error){SPG_RPC_NO_PRODUCT,
				"there is no such product",
				"/api/status lists the products"});
		return;
	}
	request->response = spg_http_stream_open(
		request->http, request->peer, request->connection, product, &busy);
	if (request->response)
		answered(request, MHD_HTTP_OK, SPG_HTTP_EVENTS);
	else if (!busy)
		answer_json(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	else
		refuse_with(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			&(struct spg_rpc_error){SPG_RPC_BUSY,
				"too many clients listen to events",
				"close pages that are not looked at"});
}

static void serve_events(struct spg_http_request *request)
{
	json_t *params = params_of(request, NULL);

	if (!params)
		return;
	begin_events(request, json_string_value(json_object_get(params, "product")));
	json_decref(params);
}

/* A browser that has this page already is told so. */
static void serve_page(struct spg_http_request *request)
{
	const char *known = MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
	bool has_it = known && strstr(known, spg_page_etag);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(has_it ? 0 : spg_page_size,
			has_it ? "" : (void *)spg_page, MHD_RESPMEM_PERSISTENT);

	if (!response) {
		answer_json(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
		return;
	}
	MHD_add_response_header(response, "Content-Security-Policy", spg_page_policy);
	MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, spg_page_etag);
	request->response = response;
	answered(request, has_it ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
		"text/html; charset=utf-8");
}

static void route(struct spg_http_request *request, const char *url)
{
	if (strcmp(url, "/") == 0)
		serve_page(request);
	else if (strcmp(url, "/metrics") == 0)
		serve_metrics(request);
	else if (strcmp(url, "/healthz") == 0)
		serve_health(request);
	else if (strcmp(url, "/api/events") == 0)
		serve_events(request);
	else if (strncmp(url, "/api/", 5) == 0)
		serve_method(request, url + 5);
	else
		refuse_path(request);
}

/* ---- libmicrohttpd ---- */

static spg_mhd_result send_answer(struct spg_http_request *request)
{
	struct MHD_Response *response = request->response;
	spg_mhd_result result;

	/* The library copies no more: the body is its own from here. */
	if (!response) {
		size_t n = request->body.len;
		char *text = spg_buf_take(&request->body);

		response = MHD_create_response_from_buffer(
			n, text ? text : strdup(""), MHD_RESPMEM_MUST_FREE);
	}
	request->response = NULL;
	if (!response)
		return MHD_NO; /* out of memory: the connection is closed */
	spg_http_add_headers(response, request->media_type);
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct spg_http_request *create(
	struct spg_http *http, struct MHD_Connection *connection)
{
	struct spg_http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->asker = (struct spg_asker){.host = http->host,
		.service = http->host->service,
		.quota = http->quota,
		.answer = on_answer,
		.refuse = on_refusal,
		.settle = on_settled};
	request->http = http;
	request->connection = connection;
	request->peer = spg_http_connection_of(connection)->peer;
	request->next = http->requests;
	if (request->next)
		request->next->prev = request;
	http->requests = request;
	return request;
}

spg_mhd_result spg_http_on_request(void *cls, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **closure)
{
	struct spg_http_request *request = *closure;

	/* The head was checked: it is GET or HEAD, for this server, and has no body. */
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (!request) {
		*closure = create(cls, connection);
		return *closure ? MHD_YES : MHD_NO;
	}
	if (!request->begun && take_turn(request, url)) {
		request->begun = true;
		route(request, url);
	}
	if (request->answered)
		return send_answer(request);
	request->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

void spg_http_on_completed(void *cls, struct MHD_Connection *connection, void **closure,
	enum MHD_RequestTerminationCode code)
{
	struct spg_http *http = cls;
	struct spg_http_request *request = *closure;

	(void)connection;
	(void)code;
	if (!request)
		return;
	*closure = NULL;
	spg_call_abandon_all(&request->asker.calls);
	pass_turn(request);
	if (request->prev)
		request->prev->next = request->next;
	else
		http->requests = request->next;
	if (request->next)
		request->next->prev = request->prev;
	if (request->response)
		MHD_destroy_response(request->response);
	spg_buf_finish(&request->body);
	free(request);
}

void spg_http_requests_resume(struct spg_http *http)
{
	for (struct spg_http_request *r = http->requests; r; r = r->next)
		wake(r);
	spg_http_streams_resume(http);
}
