/* SPDX-License-Identifier: MIT */
/*
 * The message codec against any bytes. Build for libFuzzer:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. \
 *     tests/fuzz/fuzz_message.c common/{message,text,buf,err}.c -ljansson
 * and run it on tests/fuzz/corpus-message. The unit test "message" replays that
 * corpus through the same function.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/message.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What we send must be one line, valid UTF-8, and JSON with the same id. */
static void check_line(const struct spg_buf *out, const json_t *id)
{
	json_t *root;

	if (!out->len || memchr(out->data, '\n', out->len) != out->data + out->len - 1)
		abort();
	root = json_loadb(out->data, out->len, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		abort();
	if (id && !json_equal(json_object_get(root, "id"), id))
		abort();
	if (!id && !json_is_null(json_object_get(root, "id")))
		abort();
	json_decref(root);
}

static void answer(const struct spg_request *request)
{
	struct spg_buf out = SPG_BUF_NULL;

	if (!request->method || (request->params && !json_is_object(request->params)))
		abort();
	if (request->id) {
		if (spg_message_add_result(&out, request->id, request->params) < 0)
			abort();
		check_line(&out, request->id);
	}
	spg_buf_finish(&out);
}

static void refuse(const struct spg_rejection *rejection)
{
	struct spg_rpc_error error = {
		rejection->code, rejection->message, rejection->hint};
	struct spg_buf out = SPG_BUF_NULL;

	if (rejection->code >= 0 || !spg_text_is_clean(rejection->message))
		abort();
	if (spg_message_add_error(&out, rejection->id, &error) < 0)
		abort();
	check_line(&out, rejection->id);
	spg_buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spg_request request = SPG_REQUEST_NULL;
	struct spg_rejection rejection = SPG_REJECTION_NULL;
	/* A copy of exactly this size, so that reading past it is seen. */
	char *line = malloc(size ? size : 1);
	int r;

	if (!line)
		return 0;
	if (size)
		memcpy(line, data, size);
	r = spg_message_parse(line, size, &request, &rejection);
	free(line);
	if (r == 0)
		answer(&request);
	else if (r == SPG_MESSAGE_REJECTED)
		refuse(&rejection);
	else if (r != SPG_MESSAGE_BLANK && r != SPG_ERR_NOMEM)
		abort();
	spg_request_finish(&request);
	spg_rejection_finish(&rejection);
	return 0;
}
