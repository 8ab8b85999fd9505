/* gnutls_client.c - sends two requests over GnuTLS by the calls that its argument names. */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(const char *what, ssize_t result)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gnutls_strerror((int)result));
	exit(1);
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	check("connect", connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void send_all(gnutls_session_t session, const char *at, size_t size)
{
	ssize_t sent = gnutls_record_send(session, at, size);

	check("gnutls_record_send", sent);
	if ((size_t)sent != size)
		exit(3);
}

static void send_corked(gnutls_session_t session, const char *at, size_t size)
{
	gnutls_record_cork(session);
	send_all(session, at, size / 2);
	send_all(session, at + size / 2, size - size / 2);
	if (gnutls_record_uncork(session, GNUTLS_RECORD_WAIT) != (int)size)
		exit(3);
}

static void send_halves(gnutls_session_t session, const char *at, size_t size)
{
	send_all(session, at, size / 2);
	send_all(session, at + size / 2, size - size / 2);
}

static void send_flagged(gnutls_session_t session, const char *at, size_t size)
{
	if (gnutls_record_send2(session, at, size, 0, 0) != (ssize_t)size)
		exit(3);
}

static void send_padded(gnutls_session_t session, const char *at, size_t size)
{
	if (gnutls_record_send2(session, at, size, 16, 0) != (ssize_t)size)
		exit(3);
}

static void send_ranged(gnutls_session_t session, const char *at, size_t size)
{
	const gnutls_range_st range = {size, size + 64};

	if (gnutls_record_send_range(session, at, size, &range) != (ssize_t)size)
		exit(3);
}

static ssize_t receive_packet(gnutls_session_t session, char *out, size_t room)
{
	gnutls_packet_t packet;
	gnutls_datum_t data = {NULL, 0};
	ssize_t result = gnutls_record_recv_packet(session, &packet);

	if (result <= 0)
		return result;
	gnutls_packet_get(packet, &data, NULL);
	result = data.size < room ? data.size : (ssize_t)room;
	memcpy(out, data.data, (size_t)result);
	gnutls_packet_deinit(packet);
	return result;
}

static ssize_t receive_numbered(gnutls_session_t session, char *out, size_t room)
{
	unsigned char sequence[8];

	return gnutls_record_recv_seq(session, out, room, sequence);
}

static ssize_t receive_plain(gnutls_session_t session, char *out, size_t room)
{
	return gnutls_record_recv(session, out, room);
}

struct way {
	const char *name;
	void (*send)(gnutls_session_t session, const char *at, size_t size);
	ssize_t (*receive)(gnutls_session_t session, char *out, size_t room);
};

static const struct way ways[] = {
	{"send", send_all, receive_plain},         {"halves", send_halves, receive_plain},
	{"cork", send_corked, receive_plain},      {"send2", send_flagged, receive_plain},
	{"padding", send_padded, receive_plain},   {"send_range", send_ranged, receive_plain},
	{"recv_packet", send_all, receive_packet}, {"recv_seq", send_all, receive_numbered},
};

static const struct way *way_of(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	fprintf(stderr, "no way \"%s\"\n", name);
	exit(2);
}

/* Prints what is received up to the end of an answer whose body is "ok\n". */
static void receive_answer(gnutls_session_t session, const struct way *way)
{
	char answer[4096] = "";
	size_t size = 0;

	while (size < 3 || memcmp(answer + size - 3, "ok\n", 3) != 0) {
		ssize_t got = way->receive(session, answer + size, sizeof(answer) - size);

		/* TLS 1.3's tickets come between, and are no data. */
		if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
			continue;
		check("receive", got);
		if (got == 0)
			exit(4);
		size += (size_t)got;
	}
	fwrite(answer, 1, size, stdout);
}

int main(int argc, char **argv)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int fd;

	if (argc != 4)
		return 2;
	fd = connect_to(atoi(argv[2]));
	const struct way *way = way_of(argv[1]);
	check("credentials", gnutls_certificate_allocate_credentials(&credentials));
	check("authority",
	      gnutls_certificate_set_x509_trust_file(credentials, argv[3], GNUTLS_X509_FMT_PEM));
	check("init", gnutls_init(&session, GNUTLS_CLIENT));
	check("priority", gnutls_set_default_priority(session));
	check("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
	gnutls_session_set_verify_cert(session, "localhost", 0);
	gnutls_server_name_set(session, GNUTLS_NAME_DNS, "localhost", 9);
	gnutls_transport_set_int(session, fd);
	check("handshake", gnutls_handshake(session));
	for (int i = 0; i < 2; i++) {
		char request[128];
		int size = snprintf(request, sizeof(request),
				    "GET /number/%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i);

		way->send(session, request, (size_t)size);
		receive_answer(session, way);
	}
	check("bye", gnutls_bye(session, GNUTLS_SHUT_WR));
	gnutls_deinit(session);
	close(fd);
	gnutls_certificate_free_credentials(credentials);
	return 0;
}
