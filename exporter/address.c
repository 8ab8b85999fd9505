/* address.c - addresses of spans in text, and authorities taken apart. */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>

/* inet_ntop goes through sprintf, twice for every span: a twelfth of all the exporter's work. */
static uint32_t format_ipv4(const uint8_t bytes[4], char *text)
{
	char *to = text;

	for (int i = 0; i < 4; i++) {
		if (i)
			*to++ = '.';
		if (bytes[i] >= 100)
			*to++ = (char)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*to++ = (char)('0' + bytes[i] / 10 % 10);
		*to++ = (char)('0' + bytes[i] % 10);
	}
	*to = '\0';
	return (uint32_t)(to - text);
}

struct text address_text(struct arena *arena, const struct span_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *bytes = address->bytes;
	int family = AF_INET6;
	char *text;

	if (address->family != ADDRESS_IPV4 && address->family != ADDRESS_IPV6)
		return (struct text){NULL, 0};
	if (address->family == ADDRESS_IPV4) {
		family = AF_INET;
	} else if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		bytes += sizeof(mapped);
	}
	text = arena_bytes(arena, INET6_ADDRSTRLEN);
	if (text && family == AF_INET)
		return (struct text){text, format_ipv4(bytes, text)};
	if (!text || !inet_ntop(family, bytes, text, INET6_ADDRSTRLEN))
		return (struct text){NULL, 0};
	return (struct text){text, (uint32_t)strlen(text)};
}

static uint32_t parse_port(const char *at, size_t size)
{
	uint32_t port = 0;

	if (size == 0 || size > 5)
		return 0;
	for (size_t i = 0; i < size; i++) {
		if (at[i] < '0' || at[i] > '9')
			return 0;
		port = port * 10 + (uint32_t)(at[i] - '0');
	}
	return port <= 65535 ? port : 0;
}

struct authority authority_parse(struct text text)
{
	struct authority authority = {{NULL, 0}, 0};
	const char *at, *colon, *close;

	if (!text.at || text.size == 0)
		return authority;
	at = memrchr(text.at, '@', text.size);
	if (at) {
		text.size -= (uint32_t)(at + 1 - text.at);
		text.at = at + 1;
	}
	close = text.size && text.at[0] == '[' ? memchr(text.at, ']', text.size) : NULL;
	if (close) {
		authority.host = (struct text){text.at + 1, (uint32_t)(close - text.at - 1)};
		text.size -= (uint32_t)(close + 1 - text.at);
		text.at = close + 1;
		if (text.size && text.at[0] == ':')
			authority.port = parse_port(text.at + 1, text.size - 1);
		return authority;
	}
	colon = memchr(text.at, ':', text.size);
	/* More than one colon: an IPv6 address without brackets, as Forwarded and proxies have it.
	 */
	if (!colon || memchr(colon + 1, ':', text.size - (size_t)(colon + 1 - text.at))) {
		authority.host = text;
		return authority;
	}
	authority.host = (struct text){text.at, (uint32_t)(colon - text.at)};
	authority.port = parse_port(colon + 1, text.size - (size_t)(colon + 1 - text.at));
	return authority;
}
