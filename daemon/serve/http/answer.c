/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/answer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Those that depend on nothing. */
static const char *const headers[][2] = {
	{MHD_HTTP_HEADER_CONNECTION, "close"},
	{MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"X-Frame-Options", "DENY"},
};

#define N_HEADERS (sizeof(headers) / sizeof(headers[0]))

json_t *spg_http_error(const struct spg_rpc_error *error)
{
	return json_pack("{s:{s:i, s:s, s:s?}}", "error", "code", error->code,
		"message", error->message, "hint", error->hint);
}

void spg_http_add_headers(struct MHD_Response *response, const char *media_type)
{
	for (size_t i = 0; i < N_HEADERS; i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type);
	/* A proxy (nginx) that collects an answer before it passes it on would deliver
	 * nothing of one that never ends. */
	if (strcmp(media_type, SPG_HTTP_EVENTS) == 0)
		MHD_add_response_header(response, "X-Accel-Buffering", "no");
}

static void add_date(struct spg_buf *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[40];

	if (gmtime_r(&now, &tm) &&
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
		spg_buf_printf(out, "Date: %s\r\n", text);
}

void spg_http_write_refusal(
	struct spg_buf *out, const struct spg_http_refusal *refusal, bool bodiless)
{
	json_t *document = spg_http_error(&refusal->error);
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) + 1 : 0;

	spg_buf_printf(out, "HTTP/1.1 %u %s\r\n", refusal->status,
		MHD_get_reason_phrase_for(refusal->status));
	add_date(out);
	for (size_t i = 0; i < N_HEADERS; i++)
		spg_buf_printf(out, "%s: %s\r\n", headers[i][0], headers[i][1]);
	if (refusal->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		spg_buf_puts(out, "Allow: GET, HEAD\r\n");
	spg_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		SPG_HTTP_JSON, n);
	if (text && !bodiless)
		spg_buf_printf(out, "%s\n", text);
	free(text);
	json_decref(document);
}
