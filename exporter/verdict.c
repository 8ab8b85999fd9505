/* verdict.c - what a collector's answer means: done, try again, or give it up. */
#include "verdict.h"

#include <stdio.h>
#include <string.h>

#include "exporter/grpc.h"
#include "exporter/json_read.h"
#include "exporter/otlp.h"

/* What others wrote goes into a log line only without line breaks and the like. */
static void copy_text(struct verdict *verdict, const char *text)
{
	char *to = verdict->text;

	snprintf(to, sizeof(verdict->text), "%s", text);
	for (; *to; to++) {
		if ((unsigned char)*to < 0x20 || *to == 0x7f)
			*to = '?';
	}
}

/* An unreadable body of a success can't undo it. The three signals' answers are alike. */
static void read_success(struct verdict *verdict, const uint8_t *bytes, size_t size)
{
	struct otlp_answer said;

	if (otlp_answer_parse(bytes, size, &said) != 0)
		return;
	verdict->rejected = said.rejected > 0 ? said.rejected : 0;
	copy_text(verdict, said.message);
}

static void read_json_success(struct verdict *verdict, struct text body)
{
	static const char *const names[] = {"rejectedSpans", "rejectedDataPoints",
					    "rejectedLogRecords"};
	struct text partial, value;
	char text[sizeof(verdict->text)];

	if (json_member(body, "partialSuccess", &partial) != 0)
		return;
	for (int i = 0; i < 3; i++)
		if (json_member(partial, names[i], &value) == 0)
			verdict->rejected = json_whole(value, 0);
	if (verdict->rejected < 0)
		verdict->rejected = 0;
	if (json_member(partial, "errorMessage", &value) != 0)
		return;
	json_copy_text(value, text, sizeof(text));
	copy_text(verdict, text);
}

static void of_http(struct verdict *verdict, const struct post_answer *answer,
		    enum otlp_protocol protocol)
{
	struct text body = {(const char *)answer->body, (uint32_t)answer->size};
	char text[sizeof(verdict->text)] = "";
	struct text value;

	snprintf(verdict->status, sizeof(verdict->status), "status=%ld", answer->status);
	if (answer->status >= 200 && answer->status <= 299) {
		if (protocol == OTLP_HTTP_JSON)
			read_json_success(verdict, body);
		else
			read_success(verdict, answer->body, answer->size);
		return;
	}
	if (protocol != OTLP_HTTP_JSON)
		otlp_status_text(answer->body, answer->size, text, sizeof(text));
	else if (json_member(body, "message", &value) == 0)
		json_copy_text(value, text, sizeof(text));
	copy_text(verdict, text);
	verdict->is = VERDICT_DROP;
	if (answer->status == 429 || (answer->status >= 502 && answer->status <= 504))
		verdict->is = VERDICT_RETRY;
}

static void of_grpc(struct verdict *verdict, const struct post_answer *answer)
{
	int code = answer->grpc_status;
	const uint8_t *message;
	size_t size;

	if (code < 0)
		code = grpc_code_of_http(answer->status);
	snprintf(verdict->status, sizeof(verdict->status), "grpc=%d", code);
	if (code == GRPC_OK) {
		if (grpc_message(answer->body, answer->size, &message, &size) == 0)
			read_success(verdict, message, size);
		return;
	}
	copy_text(verdict, answer->grpc_message);
	verdict->is = VERDICT_DROP;
	if (grpc_is_retryable(code, answer->retry_after_ms >= 0))
		verdict->is = VERDICT_RETRY;
}

void verdict_of(struct verdict *verdict, const struct post_answer *answer,
		enum otlp_protocol protocol)
{
	*verdict = (struct verdict){.retry_after_ms = answer->retry_after_ms};
	if (answer->failed) {
		copy_text(verdict, answer->error);
		verdict->is = answer->retryable ? VERDICT_RETRY : VERDICT_DROP;
	} else if (protocol == OTLP_GRPC) {
		of_grpc(verdict, answer);
	} else {
		of_http(verdict, answer, protocol);
	}
}
