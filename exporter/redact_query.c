/* redact_query.c - names of query keys and of headers that say what their values are. */
#include "redact_query.h"

#include <string.h>

#include "exporter/redact_rule.h"

#define KEY_MAX 24

/* In lower case, without '-' and '_', each between spaces. The shim's own list is longer. */
static const char keys[] =
	" password passwd pwd secret clientsecret token accesstoken refreshtoken "
	"idtoken apikey xapikey auth authorization signature sig xamzsignature "
	"xamzcredential xamzsecuritytoken xgoogsignature awsaccesskeyid jwt "
	"sessionid jsessionid phpsessid privatekey credential ";
static const char headers[] = " authorization proxyauthorization cookie setcookie xapikey apikey "
			      "xauthtoken xaccesstoken xcsrftoken xxsrftoken xamzsecuritytoken "
			      "privatetoken ";

static int is_in(const char *list, size_t size, struct text name)
{
	char word[KEY_MAX + 3] = " ";
	size_t used = 1;

	for (uint32_t i = 0; i < name.size; i++) {
		char c = name.at[i];

		if (c == '-' || c == '_')
			continue;
		if (used == KEY_MAX + 1 || c == ' ')
			return 0;
		word[used++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	word[used++] = ' ';
	return used > 2 && memmem(list, size, word, used) != NULL;
}

int redact_query_is_header(struct text name)
{
	return is_in(headers, sizeof(headers) - 1, name);
}

/* The value of the parameter that begins at `from`, if its key is in the list. */
static int find_value(const char *from, const char *end, struct text *value)
{
	const char *equals = memchr(from, '=', (size_t)(end - from));

	if (!equals ||
	    !is_in(keys, sizeof(keys) - 1, (struct text){from, (uint32_t)(equals - from)}))
		return 0;
	*value = (struct text){equals + 1, (uint32_t)(end - equals - 1)};
	return value->size > 0;
}

static int replace(struct arena *arena, struct text *query, struct text value)
{
	const size_t mask = sizeof(REDACT_MASK) - 1;
	size_t before = (size_t)(value.at - query->at);
	char *copy = arena_bytes(arena, query->size + mask + 1);

	if (!copy)
		return -1;
	memcpy(copy, query->at, before);
	memcpy(copy + before, REDACT_MASK, mask);
	memcpy(copy + before + mask, value.at + value.size, query->size - before - value.size + 1);
	query->at = copy;
	query->size = (uint32_t)(query->size - value.size + mask);
	return 0;
}

unsigned redact_query(struct arena *arena, struct text *query)
{
	unsigned masked = 0;
	size_t at = 0;

	while (at < query->size) {
		const char *from = query->at + at, *end = query->at + query->size;
		const char *stop = memchr(from, '&', (size_t)(end - from));
		struct text value;

		stop = stop ? stop : end;
		if (find_value(from, stop, &value)) {
			int is_new = value.size != sizeof(REDACT_MASK) - 1 ||
				     memcmp(value.at, REDACT_MASK, value.size) != 0;
			size_t begin = (size_t)(value.at - query->at);

			if (is_new && replace(arena, query, value) != 0)
				return masked;
			masked++;
			at = begin + sizeof(REDACT_MASK);
			continue;
		}
		at = (size_t)(stop - query->at) + 1;
	}
	return masked;
}
