/* prometheus.c - /metrics over HTTP, for Prometheus to scrape. */
#include "prometheus.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/log.h"
#include "exporter/prometheus_accept.h"
#include "exporter/prometheus_text.h"

#define CONNECTIONS_MAX 32
#define IDLE_S          30
#define BACKLOG         16

struct prometheus {
	struct metrics *metrics;
	struct MHD_Daemon *daemon;
	uv_poll_t poll; /* of the daemon's epoll descriptor */
	uv_timer_t timer;
	unsigned open_handles;
	uint16_t port;
};

/* ---- requests -------------------------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
			      char *text, size_t size)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
				   const char *text)
{
	char *copy = strdup(text);

	return copy ? answer(connection, status, "text/plain; charset=utf-8", copy, strlen(copy))
		    : MHD_NO;
}

static enum MHD_Result answer_metrics(struct prometheus *prometheus,
				      struct MHD_Connection *connection)
{
	enum prometheus_format format = prometheus_accept(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	struct timespec now;
	char *text;
	size_t size;

	clock_gettime(CLOCK_REALTIME, &now);
	if (prometheus_text(prometheus->metrics,
			    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, format,
			    &text, &size) != 0)
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return answer(connection, MHD_HTTP_OK, prometheus_content_type(format), text, size);
}

/* The parameters are libmicrohttpd's. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	static char seen;

	(void)version;
	(void)upload;
	/* The first call comes before the body; to answer there would close the connection. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	if (strcmp(url, "/metrics") != 0)
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	return answer_metrics(context, connection);
}

/* ---- on the loop ----------------------------------------------------------------------------- */

static void run(struct prometheus *prometheus);

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void on_time(uv_timer_t *timer)
{
	run(timer->data);
}

static void run(struct prometheus *prometheus)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(prometheus->daemon);
	if (MHD_get_timeout(prometheus->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&prometheus->timer, on_time, timeout_ms, 0);
	else
		uv_timer_stop(&prometheus->timer);
}

/* ---- start and end --------------------------------------------------------------------------- */

/* A listening socket, or -errno. */
static int listen_at(const struct addrinfo *address)
{
	int on = 1, error;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* The first address of the name that can be used. */
static int open_listener(const char *host, uint16_t port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	char service[8];
	int fd = -EADDRNOTAVAIL;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return -EADDRNOTAVAIL;
	for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
		fd = listen_at(at);
	freeaddrinfo(list);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int start_daemon(struct prometheus *prometheus, int listener)
{
	prometheus->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, prometheus, MHD_OPTION_LISTEN_SOCKET,
		listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
	return prometheus->daemon ? 0 : -EIO;
}

static int start_handles(struct prometheus *prometheus, uv_loop_t *loop)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(prometheus->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info || uv_timer_init(loop, &prometheus->timer) != 0)
		return -EIO;
	prometheus->open_handles++;
	prometheus->timer.data = prometheus;
	if (uv_poll_init(loop, &prometheus->poll, info->epoll_fd) != 0)
		return -EIO;
	prometheus->open_handles++;
	prometheus->poll.data = prometheus;
	uv_poll_start(&prometheus->poll, UV_READABLE, on_ready);
	return 0;
}

struct prometheus *prometheus_new(uv_loop_t *loop, struct metrics *metrics, const char *host,
				  uint16_t port)
{
	struct prometheus *prometheus = calloc(1, sizeof(*prometheus));
	int listener = prometheus ? open_listener(host, port) : -ENOMEM;

	if (listener < 0) {
		log_line(LOG_WARN, "metrics", "no Prometheus endpoint at %s:%u: %s", host, port,
			 strerror(-listener));
		free(prometheus);
		return NULL;
	}
	prometheus->metrics = metrics;
	prometheus->port = port_of(listener);
	if (start_daemon(prometheus, listener) != 0) {
		close(listener);
		log_line(LOG_WARN, "metrics", "no Prometheus endpoint: libmicrohttpd can't start");
		free(prometheus);
		return NULL;
	}
	if (start_handles(prometheus, loop) != 0) {
		log_line(LOG_WARN, "metrics", "no Prometheus endpoint: the loop can't wait for it");
		prometheus_close(prometheus);
		return NULL;
	}
	log_line(LOG_DEBUG, "metrics", "Prometheus can scrape http://%s:%u/metrics", host,
		 prometheus->port);
	return prometheus;
}

uint16_t prometheus_port(const struct prometheus *prometheus)
{
	return prometheus->port;
}

static void on_closed(uv_handle_t *handle)
{
	struct prometheus *prometheus = handle->data;

	if (--prometheus->open_handles == 0)
		free(prometheus);
}

void prometheus_close(struct prometheus *prometheus)
{
	unsigned handles;

	if (!prometheus)
		return;
	handles = prometheus->open_handles;
	if (handles == 2)
		uv_close((uv_handle_t *)&prometheus->poll, on_closed);
	if (handles)
		uv_close((uv_handle_t *)&prometheus->timer, on_closed);
	MHD_stop_daemon(prometheus->daemon);
	if (!handles)
		free(prometheus);
}
