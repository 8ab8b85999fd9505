/* post.c - one HTTP POST at a time to one URL, by libcurl on the event loop. */
#include "post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "exporter/grpc.h"
#include "exporter/post_configure.h"
#include "exporter/text.h"

struct post {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	post_done done;
	void *context;
	int active;
	uint8_t *body;
	size_t size, room;
	int too_large;
	int grpc_status;
	char grpc_message[256];
	int64_t retry_after_ms;
	char error[CURL_ERROR_SIZE];
};

/* libcurl's descriptors come and go; each has a handle of its own while it is watched. */
struct watch {
	uv_poll_t handle;
	struct post *post;
	curl_socket_t socket;
};

int64_t post_retry_after(const char *value, int64_t unix_now_s)
{
	char *end;
	long long seconds;
	time_t date;

	value += strspn(value, " \t");
	seconds = strtoll(value, &end, 10);
	if (end != value && end[strspn(end, " \t\r\n")] == '\0')
		return seconds >= 0 ? seconds : -1;
	date = curl_getdate(value, NULL);
	if (date < 0)
		return -1;
	return date > unix_now_s ? date - unix_now_s : 0;
}

/* The value of a header line if that is its name, without the space around it. */
static int is_header(const char *at, size_t size, const char *name, struct text *value)
{
	size_t length = strlen(name);

	if (size <= length || at[length] != ':' || strncasecmp(at, name, length) != 0)
		return 0;
	at += length + 1;
	size -= length + 1;
	while (size && (*at == ' ' || *at == '\t'))
		at++, size--;
	while (size && strchr(" \t\r\n", at[size - 1]))
		size--;
	*value = (struct text){at, (uint32_t)size};
	return 1;
}

static void forget_answer(struct post *post)
{
	post->size = 0;
	post->grpc_status = -1;
	post->grpc_message[0] = '\0';
	post->retry_after_ms = -1;
}

static void note_grpc_message(struct post *post, struct text value)
{
	snprintf(post->grpc_message, sizeof(post->grpc_message), "%.*s", (int)value.size, value.at);
	grpc_unescape(post->grpc_message);
}

/* Lines of the head and, over HTTP/2, of the trailers. */
static size_t on_header(char *at, size_t one, size_t size, void *data)
{
	struct post *post = data;
	struct text value;
	char text[64];

	(void)one;
	/* What came before, if anything did, was an interim answer. */
	if (size > 5 && memcmp(at, "HTTP/", 5) == 0) {
		forget_answer(post);
	} else if (is_header(at, size, "retry-after", &value)) {
		snprintf(text, sizeof(text), "%.*s", (int)value.size, value.at);
		post->retry_after_ms = post_retry_after(text, time(NULL));
		if (post->retry_after_ms > 0)
			post->retry_after_ms *= 1000;
	} else if (is_header(at, size, "grpc-status", &value)) {
		snprintf(text, sizeof(text), "%.*s", (int)value.size, value.at);
		post->grpc_status = (int)(strtoul(text, NULL, 10) & 0xffff);
	} else if (is_header(at, size, "grpc-message", &value)) {
		note_grpc_message(post, value);
	} else if (is_header(at, size, "grpc-status-details-bin", &value)) {
		post->retry_after_ms = grpc_retry_delay_ms(value.at, value.size);
	}
	return size;
}

static size_t on_body(char *at, size_t one, size_t size, void *data)
{
	struct post *post = data;

	(void)one;
	if (post->size + size > POST_ANSWER_MAX) {
		post->too_large = 1;
		return 0;
	}
	if (post->size + size > post->room) {
		size_t room = (post->size + size) * 2;
		uint8_t *body = realloc(post->body, room);

		if (!body)
			return 0;
		post->body = body;
		post->room = room;
	}
	memcpy(post->body + post->size, at, size);
	post->size += size;
	return size;
}

/* What the next try can't change. All else is the network's, or the collector's certificate's. */
static int is_final(CURLcode code)
{
	return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
	       code == CURLE_WRITE_ERROR;
}

static void finish(struct post *post, CURLcode code)
{
	struct post_answer answer = {.grpc_status = post->grpc_status,
				     .grpc_message = post->grpc_message,
				     .retry_after_ms = post->retry_after_ms,
				     .body = post->body,
				     .size = post->size};

	curl_multi_remove_handle(post->multi, post->easy);
	post->active = 0;
	/* A stream that is reset behind its last line has been answered all the same. */
	if (code == CURLE_OK || post->grpc_status >= 0) {
		curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	} else {
		answer.failed = 1;
		answer.retryable = !is_final(code);
		answer.error = post->error[0] ? post->error : curl_easy_strerror(code);
		if (post->too_large)
			answer.error = "the answer is larger than 4 MiB";
	}
	post->done(post->context, &answer);
}

static void look_for_end(struct post *post)
{
	CURLMsg *message;
	CURLcode code;
	int left;

	while ((message = curl_multi_info_read(post->multi, &left))) {
		if (message->msg != CURLMSG_DONE || message->easy_handle != post->easy)
			continue;
		code = message->data.result;
		/* The callback may begin the next request, or close: nothing is touched after. */
		finish(post, code);
		return;
	}
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
	struct watch *watch = handle->data;
	struct post *post = watch->post;
	int running, flags = 0;

	if (status < 0)
		flags |= CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(post->multi, watch->socket, flags, &running);
	look_for_end(post);
}

static void on_timeout(uv_timer_t *timer)
{
	struct post *post = timer->data;
	int running;

	curl_multi_socket_action(post->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_end(post);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *new_watch(struct post *post, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->post = post;
	watch->socket = socket;
	if (uv_poll_init_socket(post->loop, &watch->handle, socket) != 0) {
		free(watch);
		return NULL;
	}
	watch->handle.data = watch;
	curl_multi_assign(post->multi, socket, watch);
	return watch;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *data, void *socket_data)
{
	struct post *post = data;
	struct watch *watch = socket_data;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			curl_multi_assign(post->multi, socket, NULL);
			uv_poll_stop(&watch->handle);
			uv_close((uv_handle_t *)&watch->handle, free_watch);
		}
		return 0;
	}
	if (!watch)
		watch = new_watch(post, socket);
	if (!watch)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&watch->handle, events, on_ready);
	return 0;
}

static int on_timer_change(CURLM *multi, long timeout_ms, void *data)
{
	struct post *post = data;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(&post->timer);
	else
		uv_timer_start(&post->timer, on_timeout, (uint64_t)timeout_ms, 0);
	return 0;
}

static void set_callbacks(struct post *post)
{
	CURL *easy = post->easy;

	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, post);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
	curl_multi_setopt(post->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(post->multi, CURLMOPT_SOCKETDATA, post);
	curl_multi_setopt(post->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	curl_multi_setopt(post->multi, CURLMOPT_TIMERDATA, post);
}

static void free_all(struct post *post)
{
	curl_easy_cleanup(post->easy);
	curl_multi_cleanup(post->multi);
	curl_slist_free_all(post->headers);
	free(post->body);
	free(post);
}

struct post *post_new(uv_loop_t *loop, const struct otlp_settings *otlp, post_done done,
		      void *context)
{
	struct post *post = calloc(1, sizeof(*post));

	if (!post)
		return NULL;
	post->loop = loop;
	post->done = done;
	post->context = context;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		post->multi = curl_multi_init();
		post->easy = curl_easy_init();
	}
	if (!post->multi || !post->easy || post_configure(post->easy, &post->headers, otlp) != 0) {
		free_all(post);
		return NULL;
	}
	set_callbacks(post);
	uv_timer_init(loop, &post->timer);
	post->timer.data = post;
	return post;
}

int post_send(struct post *post, const uint8_t *body, size_t size)
{
	forget_answer(post);
	post->too_large = 0;
	post->error[0] = '\0';
	curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
	curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, body);
	if (curl_multi_add_handle(post->multi, post->easy) != CURLM_OK)
		return -EIO;
	post->active = 1;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free_all(handle->data);
}

void post_close(struct post *post)
{
	if (!post)
		return;
	if (post->active)
		curl_multi_remove_handle(post->multi, post->easy);
	/* Kept connections give up their handles now, while the loop still runs. */
	curl_easy_cleanup(post->easy);
	curl_multi_cleanup(post->multi);
	post->easy = NULL;
	post->multi = NULL;
	uv_close((uv_handle_t *)&post->timer, on_closed);
}
