/* loop_front.c - a front service on any event loop: it makes the calls that a request asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "loop.h"

#define TEXT_MAX 65536
#define POOL_MAX 4

struct job {
	struct peer *client; /* NULL: it hung up */
	char method[8];
	char path[128];
	char query[256];
	const char *mode;
	char *body;
	size_t body_size;
	int calls, begun, done, worst;
};

/* A connection to the backend: waiting for an answer, or idle in its list. */
struct line {
	struct peer *peer;
	struct job *job;    /* NULL: idle */
	struct lines *home; /* where it is kept, NULL: nowhere */
	struct line *next;
};

struct wait {
	struct job *job;
	struct wait *next;
};

/* Connections that are kept alive, and who waits for one. */
struct lines {
	int limit, count;
	struct line *idle;
	struct wait *first, **last;
};

/* What was read of a message. */
struct state {
	struct line *line; /* NULL: a client's connection */
	struct job *job;
	char *text;
	size_t size;
};

static struct lines kept = {1000000, 0, NULL, NULL, NULL};
static struct lines pool = {POOL_MAX, 0, NULL, NULL, NULL};
static unsigned backend_port;

static void next_call(struct job *job);

static int is_mode(const struct job *job, const char *mode)
{
	return strncmp(job->mode, mode, strlen(mode)) == 0;
}

static struct state *state_of(struct peer *peer)
{
	if (!peer->state) {
		struct state *state = calloc(1, sizeof(*state));

		state->text = malloc(TEXT_MAX + 1);
		peer->state = state;
	}
	return peer->state;
}

static void forget(struct peer *peer)
{
	struct state *state = state_of(peer);

	free(state->text);
	free(state);
	peer->state = NULL;
}

static void answer(struct job *job)
{
	char text[256];
	int size =
		snprintf(text, sizeof(text),
			 "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n%d\n",
			 job->worst >= 400 ? "502 Bad Gateway" : "200 OK", job->worst);

	if (job->client) {
		state_of(job->client)->job = NULL;
		loop_send(job->client, text, (size_t)size);
	}
	free(job->body);
	free(job);
}

static void called(struct job *job, int status)
{
	if (status > job->worst)
		job->worst = status;
	if (++job->done == job->calls)
		answer(job);
	else if (!is_mode(job, "par"))
		next_call(job);
}

static void ask(struct line *line, struct job *job, int number)
{
	static char text[TEXT_MAX + 1024];
	int size =
		snprintf(text, sizeof(text),
			 "%s %s.%d?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n%s\r\n",
			 job->method, job->path, number, job->query, job->body_size,
			 line->home ? "" : "Connection: close\r\n");

	line->job = job;
	memcpy(text + size, job->body, job->body_size);
	loop_send(line->peer, text, (size_t)size + job->body_size);
}

static void call_over(struct lines *lines, struct job *job)
{
	struct line *line = lines ? lines->idle : NULL;

	if (line) {
		lines->idle = line->next;
	} else if (lines && lines->count == lines->limit) {
		struct wait *wait = calloc(1, sizeof(*wait));

		wait->job = job;
		if (!lines->first)
			lines->last = &lines->first;
		*lines->last = wait;
		lines->last = &wait->next;
		return;
	} else {
		line = calloc(1, sizeof(*line));
		line->home = lines;
		line->peer = loop_dial(backend_port);
		state_of(line->peer)->line = line;
		if (lines)
			lines->count++;
	}
	ask(line, job, ++job->begun);
}

static void after_timer(void *to)
{
	call_over(&kept, to);
}

static void next_call(struct job *job)
{
	if (is_mode(job, "timer"))
		loop_after(5, after_timer, job);
	else if (is_mode(job, "new"))
		call_over(NULL, job);
	else
		call_over(is_mode(job, "pool") ? &pool : &kept, job);
}

static void hand_over(struct line *line)
{
	struct lines *home = line->home;
	struct wait *wait = home->first;

	line->job = NULL;
	if (!wait) {
		line->next = home->idle;
		home->idle = line;
		return;
	}
	home->first = wait->next;
	ask(line, wait->job, ++wait->job->begun);
	free(wait);
}

/* The size of the message at the beginning of the text, 0: not whole yet. */
static size_t message_size(struct state *state, size_t *head)
{
	const char *length;
	char *end;

	state->text[state->size] = 0;
	end = strstr(state->text, "\r\n\r\n");
	if (!end)
		return 0;
	*head = (size_t)(end - state->text) + 4;
	length = strcasestr(state->text, "\r\nContent-Length:");
	if (length && length < end)
		*head += 0, length += 17;
	else
		length = "0";
	return state->size < *head + strtoul(length, NULL, 10) ? 0
							       : *head + strtoul(length, NULL, 10);
}

static void consume(struct state *state, size_t size)
{
	state->size -= size;
	memmove(state->text, state->text + size, state->size);
}

static void begin_job(struct peer *client, struct state *state, size_t head, size_t size)
{
	struct job *job = calloc(1, sizeof(*job));
	const char *calls;

	job->client = client;
	job->worst = 200;
	if (sscanf(state->text, "%7s %127[^? ]?%255s", job->method, job->path, job->query) < 2)
		abort();
	job->body_size = size - head;
	job->body = malloc(job->body_size + 1);
	memcpy(job->body, state->text + head, job->body_size);
	calls = strstr(job->query, "calls=");
	job->calls = calls ? atoi(calls + 6) : 1;
	job->mode = strstr(job->query, "mode=");
	job->mode = job->mode ? job->mode + 5 : "seq";
	state->job = job;
	consume(state, size);
	if (!job->calls)
		answer(job);
	else
		for (int i = 0, n = is_mode(job, "par") ? job->calls : 1; i < n; i++)
			next_call(job);
}

static void answered(struct state *state, size_t size)
{
	struct line *line = state->line;
	struct job *job = line->job;
	struct peer *peer = line->peer;
	int status = atoi(state->text + 9);

	consume(state, size);
	if (line->home) {
		hand_over(line);
	} else {
		forget(peer);
		loop_close(peer);
		free(line);
	}
	called(job, status);
}

void front_opened(struct peer *peer)
{
	state_of(peer);
}

void front_read(struct peer *peer, const char *at, size_t size)
{
	struct state *state = state_of(peer);
	size_t head, whole;

	if (size > TEXT_MAX - state->size)
		abort();
	memcpy(state->text + state->size, at, size);
	state->size += size;
	whole = message_size(state, &head);
	if (whole && state->line && state->line->job)
		answered(state, whole);
	else if (whole && !state->line && !state->job)
		begin_job(peer, state, head, whole);
}

void front_closed(struct peer *peer)
{
	struct state *state = state_of(peer);
	struct line *line = state->line;
	struct job *job = line ? line->job : NULL;

	if (!line && state->job)
		state->job->client = NULL;
	forget(peer);
	if (!line)
		return;
	if (line->home) {
		struct line **at = &line->home->idle;

		line->home->count--;
		while (*at && *at != line)
			at = &(*at)->next;
		if (*at)
			*at = line->next;
	}
	free(line);
	if (job)
		called(job, 599);
}

int main(void)
{
	const char *backend = getenv("BACKEND");
	const char *port = getenv("PORT");

	backend = backend ? strrchr(backend, ':') : NULL;
	if (!backend || !port)
		return 1;
	backend_port = (unsigned)strtoul(backend + 1, NULL, 10);
	loop_serve((unsigned)strtoul(port, NULL, 10));
	return 1;
}
