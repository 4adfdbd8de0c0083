/* SPDX-License-Identifier: MIT */
#include "daemon/serve/http/head.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
/* RFC 9110, 5.6.2 */
#define TOKEN   DIGITS LETTERS "!#$%&'*+-.^_`|~"
/* Of a name of a host, and more than that. */
#define NAME    DIGITS LETTERS "-._~"

#define BAD(status, code, message, hint)                                               \
	{                                                                              \
		status,                                                                \
		{                                                                      \
			code, message, hint                                            \
		}                                                                      \
	}

static const struct spg_http_refusal
	no_http = BAD(400, SPG_RPC_INVALID, "this is no HTTP/1.1",
		"ask as in: GET /api/check HTTP/1.1; there is no TLS here"),
	other_version = BAD(505, SPG_RPC_INVALID,
		"this version of HTTP is not known here", "ask with HTTP/1.1"),
	other_method = BAD(405, SPG_RPC_DENIED, "HTTP only reads here: GET or HEAD",
		"to change something, use spguard on the server"),
	no_path = BAD(400, SPG_RPC_INVALID, "the request asks for no path",
		"ask for a path of this server, such as /api/check"),
	bad_path = BAD(400, SPG_RPC_INVALID, "the path has a byte that must be encoded",
		"encode all but letters, digits and -._~ as % and two hexadecimal "
		"digits"),
	has_nul = BAD(400, SPG_RPC_INVALID, "the path or the query has a NUL (%00)",
		"no name here has one"),
	many_parameters =
		BAD(400, SPG_RPC_BAD_PARAMS, "the query has too many parameters",
			"give 256 at most; ask in several requests"),
	long_line = BAD(414, SPG_RPC_TOO_LARGE, "the path and the query are too long",
		"keep the head of a request below 16 KiB; ask in several requests"),
	large_head = BAD(431, SPG_RPC_TOO_LARGE, "the header fields are too large",
		"keep the head of a request below 16 KiB"),
	many_fields = BAD(431, SPG_RPC_TOO_LARGE, "there are too many header fields",
		"send 100 at most, cookies included"),
	bad_field = BAD(400, SPG_RPC_INVALID, "a header field is malformed",
		"send each as NAME: VALUE in one line"),
	no_host = BAD(400, SPG_RPC_INVALID, "the header field Host is missing",
		"send Host once, with the name or address of this server"),
	two_hosts = BAD(400, SPG_RPC_INVALID, "the header field Host is there twice",
		"send Host once, with the name or address of this server"),
	bad_host = BAD(400, SPG_RPC_INVALID, "the header field Host is malformed",
		"send a name or an address, and a port, as in localhost:9763"),
	other_host = BAD(421, SPG_RPC_DENIED, "this listens for its own machine only",
		"ask for localhost, 127.0.0.1 or [::1], and for the port that it "
		"listens "
		"at; a proxy must send Host: localhost"),
	bad_length = BAD(400, SPG_RPC_INVALID,
		"Content-Length or Transfer-Encoding is malformed, or both are there",
		"send neither: a request has no body here"),
	has_body = BAD(413, SPG_RPC_TOO_LARGE, "the request has a body",
		"send none: parameters are in the query"),
	has_expectation = BAD(417, SPG_RPC_UNSUPPORTED,
		"the request expects something (Expect)", "send it without");

struct piece {
	const char *at;
	size_t n;
};

static size_t span(struct piece p, const char *chars)
{
	size_t n = 0;

	while (n < p.n && p.at[n] && strchr(chars, p.at[n]))
		n++;
	return n;
}

static bool is_only(struct piece p, const char *chars)
{
	return p.n > 0 && span(p, chars) == p.n;
}

static bool equals(struct piece p, const char *text)
{
	return p.n == strlen(text) && memcmp(p.at, text, p.n) == 0;
}

static bool equals_caseless(struct piece p, const char *text)
{
	return p.n == strlen(text) && strncasecmp(p.at, text, p.n) == 0;
}

/* What is before the first @c, taken from @rest; false when there is none. */
static bool split(struct piece *rest, char c, struct piece *ret)
{
	const char *found = rest->n ? memchr(rest->at, c, rest->n) : NULL;

	if (!found)
		return false;
	*ret = (struct piece){rest->at, (size_t)(found - rest->at)};
	rest->n -= ret->n + 1;
	rest->at = found + 1;
	return true;
}

/* Libmicrohttpd takes a bare LF for the end of a line as well. */
static bool take_line(struct piece *rest, struct piece *ret)
{
	if (!split(rest, '\n', ret))
		return false;
	ret->n -= ret->n && ret->at[ret->n - 1] == '\r';
	return true;
}

/* ---- host ---- */

static bool is_loopback4(const unsigned char *address)
{
	return address[0] == 127;
}

static bool is_loopback6(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && is_loopback4(address->s6_addr + 12));
}

/* 0: none, which is no fault. False: no port. */
static bool read_port(struct piece text, unsigned long *ret)
{
	*ret = 0;
	if (text.n == 0)
		return true;
	if (text.n > 5 || !is_only(text, DIGITS))
		return false;
	/* Digits end where the field does, at a CR or LF. */
	*ret = strtoul(text.at, NULL, 10);
	return *ret > 0 && *ret <= UINT16_MAX;
}

/* "[ADDRESS]:PORT" of IPv6, from behind the bracket. */
static const struct spg_http_refusal *check_host6(
	struct piece host, const struct spg_http_site *site)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	struct piece name;
	unsigned long port;

	if (!split(&host, ']', &name) || name.n >= sizeof(text) ||
		(host.n && host.at[0] != ':'))
		return &bad_host;
	memcpy(text, name.at, name.n);
	text[name.n] = '\0';
	if (host.n)
		host = (struct piece){host.at + 1, host.n - 1};
	if (inet_pton(AF_INET6, text, &address) != 1 || !read_port(host, &port))
		return &bad_host;
	if (site->local &&
		(!is_loopback6(&address) || (port && site->port && port != site->port)))
		return &other_host;
	return NULL;
}

static const struct spg_http_refusal *check_host(
	struct piece host, const struct spg_http_site *site)
{
	char text[INET_ADDRSTRLEN];
	unsigned char address[4];
	struct piece name;
	unsigned long port;

	if (host.n && host.at[0] == '[')
		return check_host6((struct piece){host.at + 1, host.n - 1}, site);
	if (!split(&host, ':', &name)) {
		name = host;
		host.n = 0;
	}
	if (!is_only(name, NAME) || !read_port(host, &port))
		return &bad_host;
	if (!site->local)
		return NULL;
	if (port && site->port && port != site->port)
		return &other_host;
	if (equals_caseless(name, "localhost"))
		return NULL;
	if (name.n >= sizeof(text))
		return &other_host;
	memcpy(text, name.at, name.n);
	text[name.n] = '\0';
	return inet_pton(AF_INET, text, address) == 1 && is_loopback4(address)
	               ? NULL
	               : &other_host;
}

/* ---- request line ---- */

static const struct spg_http_refusal *check_target(struct piece target)
{
	size_t n_parameters = 1;
	bool in_query = false;

	if (target.n == 0 || target.at[0] != '/')
		return &no_path;
	for (size_t i = 0; i < target.n; i++) {
		struct piece digits = {target.at + i + 1, 2};

		if (target.at[i] < '!' || target.at[i] > '~')
			return &bad_path;
		n_parameters += in_query && target.at[i] == '&';
		in_query = in_query || target.at[i] == '?';
		if (target.at[i] != '%')
			continue;
		if (target.n - i < 3 || !is_only(digits, DIGITS "abcdefABCDEF"))
			return &bad_path;
		if (equals(digits, "00"))
			return &has_nul;
	}
	return n_parameters > SPG_HTTP_PARAMETERS ? &many_parameters : NULL;
}

static const struct spg_http_refusal *check_request_line(
	struct piece *rest, struct spg_http_head *head)
{
	struct piece line, method, target, digits;

	if (!take_line(rest, &line) || !split(&line, ' ', &method) ||
		!split(&line, ' ', &target) || !is_only(method, TOKEN) ||
		line.n != strlen("HTTP/1.1") || memcmp(line.at, "HTTP/", 5) != 0)
		return &no_http;
	digits = (struct piece){line.at + 5, 3};
	if (!equals(digits, "1.1") && !equals(digits, "1.0"))
		return &other_version;
	head->bodiless = equals(method, "HEAD");
	if (!head->bodiless && !equals(method, "GET"))
		return &other_method;
	return check_target(target);
}

/* ---- header fields ---- */

struct fields {
	size_t n, n_hosts, n_lengths, n_encodings;
	struct piece host, length;
	bool expects;
};

static struct piece trim(struct piece p)
{
	size_t n = span(p, " \t");

	p = (struct piece){p.at + n, p.n - n};
	while (p.n && (p.at[p.n - 1] == ' ' || p.at[p.n - 1] == '\t'))
		p.n--;
	return p;
}

static size_t count_cookies(struct piece value)
{
	struct piece cookie;
	size_t n = 0;

	while (split(&value, ';', &cookie))
		n++;
	return n;
}

static const struct spg_http_refusal *take_field(
	struct fields *fields, struct piece line)
{
	struct piece name;

	/* A line that goes on in the next one begins with a blank: no token. */
	if (!split(&line, ':', &name) || !is_only(name, TOKEN))
		return &bad_field;
	line = trim(line);
	fields->n++;
	if (equals_caseless(name, "Host")) {
		fields->n_hosts++;
		fields->host = line;
	} else if (equals_caseless(name, "Content-Length")) {
		fields->n_lengths++;
		fields->length = line;
	} else if (equals_caseless(name, "Transfer-Encoding")) {
		fields->n_encodings++;
	} else if (equals_caseless(name, "Expect")) {
		fields->expects = true;
	} else if (equals_caseless(name, "Cookie")) {
		fields->n += count_cookies(line);
	}
	return fields->n > SPG_HTTP_FIELDS ? &many_fields : NULL;
}

static const struct spg_http_refusal *check_body(const struct fields *fields)
{
	if (fields->n_lengths + fields->n_encodings > 1 ||
		(fields->n_lengths && !is_only(fields->length, DIGITS)))
		return &bad_length;
	if (fields->n_encodings || (fields->n_lengths && !is_only(fields->length, "0")))
		return &has_body;
	return fields->expects ? &has_expectation : NULL;
}

static const struct spg_http_refusal *check_fields(
	struct piece rest, const struct spg_http_site *site)
{
	const struct spg_http_refusal *refusal = NULL;
	struct fields fields = {.n = 0};
	struct piece line;

	while (!refusal && take_line(&rest, &line) && line.n)
		refusal = take_field(&fields, line);
	if (refusal)
		return refusal;
	if (fields.n_hosts != 1)
		return fields.n_hosts ? &two_hosts : &no_host;
	refusal = check_host(fields.host, site);
	return refusal ? refusal : check_body(&fields);
}

/* ---- the whole ---- */

/* How long the head is, with the empty line at its end; 0: there is no end yet.
 * *ret_begin: where the request line is. *ret_lines: that it has ended. */
static size_t find_end(struct piece all, size_t *ret_begin, bool *ret_lines)
{
	struct piece rest = all, line;

	*ret_lines = false;
	*ret_begin = 0;
	while (take_line(&rest, &line)) {
		if (line.n == 0 && *ret_lines)
			return (size_t)(rest.at - all.at);
		/* RFC 9112, 2.2: empty lines before it mean nothing. */
		if (line.n == 0)
			*ret_begin = (size_t)(rest.at - all.at);
		else
			*ret_lines = true;
	}
	return 0;
}

static bool is_text(struct piece p)
{
	for (size_t i = 0; i < p.n; i++) {
		unsigned char c = (unsigned char)p.at[i];
		bool ends = i + 1 == p.n || p.at[i + 1] == '\n';

		if ((c < ' ' && c != '\t' && c != '\n' && !(c == '\r' && ends)) ||
			c == 127)
			return false;
	}
	return true;
}

static enum spg_http_head_state refuse(
	struct spg_http_head *ret, const struct spg_http_refusal *refusal)
{
	ret->refusal = refusal;
	return SPG_HTTP_HEAD_REFUSED;
}

enum spg_http_head_state spg_http_head_check(const char *bytes, size_t n,
	const struct spg_http_site *site, struct spg_http_head *ret)
{
	struct piece all = {bytes, n < SPG_HTTP_HEAD_BYTES ? n : SPG_HTTP_HEAD_BYTES};
	struct piece rest = all;
	bool has_lines;
	size_t begin, end = find_end(all, &begin, &has_lines);

	*ret = (struct spg_http_head){.bodiless = false};
	if (end)
		rest.n = end;
	if (!is_text(rest))
		return refuse(ret, &no_http);
	if (!end && n < SPG_HTTP_HEAD_BYTES)
		return SPG_HTTP_HEAD_PART;
	if (!end)
		return refuse(ret, has_lines ? &large_head : &long_line);
	rest = (struct piece){all.at + begin, end - begin};
	ret->refusal = check_request_line(&rest, ret);
	if (!ret->refusal)
		ret->refusal = check_fields(rest, site);
	return ret->refusal ? SPG_HTTP_HEAD_REFUSED : SPG_HTTP_HEAD_WHOLE;
}
