/* post.c - one HTTP POST at a time to one URL, by libcurl on the event loop. */
#include "post.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define USER_AGENT "tagalong/" TAGALONG_VERSION " OTel-OTLP-Exporter-C/" TAGALONG_VERSION

/* A request of 512 spans goes out in one or two calls; libcurl's own buffer takes six. */
#define UPLOAD_BYTES (512L * 1024)

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
	int64_t retry_after_s;
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

static size_t on_header(char *at, size_t one, size_t size, void *data)
{
	struct post *post = data;
	char line[128];

	(void)one;
	if (size > 12 && size < sizeof(line) && strncasecmp(at, "retry-after:", 12) == 0) {
		memcpy(line, at + 12, size - 12);
		line[size - 12] = '\0';
		post->retry_after_s = post_retry_after(line, time(NULL));
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

static int is_retryable(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR:
		return 1;
	default:
		return 0;
	}
}

static void finish(struct post *post, CURLcode code)
{
	struct post_answer answer = {0};

	curl_multi_remove_handle(post->multi, post->easy);
	post->active = 0;
	answer.retry_after_s = post->retry_after_s;
	answer.body = post->body;
	answer.size = post->size;
	if (code == CURLE_OK) {
		curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	} else {
		answer.failed = 1;
		answer.retryable = is_retryable(code);
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

static int add_header(struct post *post, const char *line)
{
	struct curl_slist *longer = curl_slist_append(post->headers, line);

	if (!longer)
		return -ENOMEM;
	post->headers = longer;
	return 0;
}

static int set_headers(struct post *post, const struct settings *settings)
{
	int result = add_header(post, "Content-Type: application/x-protobuf");

	/* Large bodies would be held back for a second by servers that don't know the expectation.
	 */
	if (result == 0)
		result = add_header(post, "Expect:");
	if (result == 0 && settings->gzip)
		result = add_header(post, "Content-Encoding: gzip");
	for (unsigned i = 0; i < settings->header_count && result == 0; i++)
		result = add_header(post, settings->headers[i]);
	return result;
}

static void set_options(struct post *post, const struct settings *settings)
{
	CURL *easy = post->easy;

	curl_easy_setopt(easy, CURLOPT_URL, settings->endpoint);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)settings->request_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, post);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
	if (settings->certificate)
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->certificate);
	if (settings->client_certificate)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->client_certificate);
	if (settings->client_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->client_key);
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

struct post *post_new(uv_loop_t *loop, const struct settings *settings, post_done done,
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
	if (!post->multi || !post->easy || set_headers(post, settings) != 0) {
		free_all(post);
		return NULL;
	}
	set_options(post, settings);
	uv_timer_init(loop, &post->timer);
	post->timer.data = post;
	return post;
}

int post_send(struct post *post, const uint8_t *body, size_t size)
{
	post->size = 0;
	post->too_large = 0;
	post->retry_after_s = -1;
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
