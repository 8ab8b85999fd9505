/* mask.c - hides the values of sensitive query keys, drops credentials from authorities. */
#include "preload/mask.h"

#include <string.h>

#define KEY_MAX 64

/*
 * The default list, flat (without '-' and '_') and in lower case: in front of those of one size
 * stands a byte with that size. One text and no pointers, which would cost every process a
 * relocated page.
 */
static const char default_keys[] =
	"\003sigpwdkeysidjwtotppin"
	"\004passauthcodetotphmac"
	"\005token"
	"\006passwdsecretbearerapikeyticket"
	"\007idtokenxapikeyauthkeysession"
	"\010passwordpasswortpasscodeapitoken"
	"\011signatureauthtokencsrftokenxsrftokenapisecretaccesskeysecretkeyassertion"
	"sessionidphpsessid"
	"\012passphraseresettokensessionkeyjsessionidprivatekeycredential"
	"\013accesstokenbearertokenaccesskeyidcredentialssamlrequest"
	"\014refreshtokensessiontokenclientsecretcodeverifiersamlresponse"
	"\015xamzsignaturesecuritytokenauthorization"
	"\016xamzcredentialawsaccesskeyidxgoogsignature"
	"\017xgoogcredentialsecretaccesskeyclientassertionsubscriptionkey"
	"\021xamzsecuritytoken"
	"\026ocpapimsubscriptionkey";

/* A key of the query, percent-decoded and in lower case. */
struct key {
	size_t size; /* KEY_MAX + 1: longer than any that we look for */
	char text[KEY_MAX];
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void key_decode(struct key *key, const char *at, const char *end, int flat)
{
	key->size = 0;
	while (at < end) {
		char c = *at++;
		if (c == '%' && end - at >= 2) {
			int high = hex_digit(at[0]), low = hex_digit(at[1]);
			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				at += 2;
			}
		}
		if (flat && (c == '-' || c == '_'))
			continue;
		if (key->size == KEY_MAX) {
			key->size++;
			return;
		}
		key->text[key->size++] = lower(c);
	}
}

static int in_default_keys(const char *at, size_t size)
{
	const char *name = default_keys;

	while (*name && (size_t)*name <= size) {
		size_t step = (size_t)*name++;

		for (; *name > ' '; name += step)
			if (step == size && *name == *at && memcmp(name, at, size) == 0)
				return 1;
	}
	return 0;
}

static int in_names(const struct mask_keys *keys, const char *at, size_t size)
{
	for (size_t i = 0; i < keys->count; i++) {
		const char *name = keys->names[i];
		size_t same = 0;
		while (same < size && name[same] && lower(name[same]) == at[same])
			same++;
		if (same == size && !name[size])
			return 1;
	}
	return 0;
}

static int is_bracket(char c)
{
	return c == '[' || c == ']';
}

/* Also user[password], by each of its parts. */
static int key_sensitive(const struct mask_keys *keys, const char *at, const char *end)
{
	int flat = !keys || !keys->names;
	struct key key;

	key_decode(&key, at, end, flat);
	if (key.size > KEY_MAX)
		return 0;
	for (size_t i = 0, begin = 0; i <= key.size; i++) {
		if (i < key.size && !is_bracket(key.text[i]))
			continue;
		const char *part = key.text + begin;
		if (i > begin &&
		    (flat ? in_default_keys(part, i - begin) : in_names(keys, part, i - begin)))
			return 1;
		begin = i + 1;
	}
	return 0;
}

static const char *find_either(const char *at, const char *end, char one, char other)
{
	while (at < end && *at != one && *at != other)
		at++;
	return at;
}

/* One parameter of the query: what of it is copied, and whether MASK_TEXT follows. */
struct parameter {
	const char *at;
	size_t copied;
	int masked;
	const char *end; /* its separator, or the end of the query */
};

static void parameter_find(struct parameter *parameter, const struct mask_keys *keys,
			   const char *at, const char *end)
{
	const char *stop = find_either(at, end, '&', ';');
	const char *equals = memchr(at, '=', (size_t)(stop - at));

	parameter->at = at;
	parameter->masked = equals && key_sensitive(keys, at, equals);
	if (parameter->masked) {
		parameter->copied = (size_t)(equals + 1 - at);
		stop = find_either(stop, end, '&', '&');
	} else {
		parameter->copied = (size_t)(stop - at);
	}
	parameter->end = stop;
}

/* The first parameter alone is too long: as much of it as fits, no half of a percent code. */
static size_t copy_part(const struct parameter *parameter, char *out, size_t room)
{
	size_t size = parameter->copied < room ? parameter->copied : room;

	if (size && size < parameter->copied) {
		if (parameter->at[size - 1] == '%')
			size--;
		else if (size > 1 && parameter->at[size - 2] == '%')
			size -= 2;
	}
	memcpy(out, parameter->at, size);
	return size;
}

size_t mask_query(const struct mask_keys *keys, const char *at, size_t size, char *out, size_t room,
		  int *cut)
{
	const size_t mask_size = sizeof(MASK_TEXT) - 1;
	const char *end = at + size;
	size_t written = 0, separator = 0; /* 1 when *at is one */
	struct parameter next;

	while (at < end) {
		parameter_find(&next, keys, at + separator, end);
		size_t needed = separator + next.copied + (next.masked ? mask_size : 0);
		if (needed > room - written) {
			*cut = 1;
			return written ? written : copy_part(&next, out, room);
		}
		memcpy(out + written, at, separator + next.copied);
		if (next.masked)
			memcpy(out + written + separator + next.copied, MASK_TEXT, mask_size);
		written += needed;
		at = next.end;
		separator = 1;
	}
	return written;
}

size_t mask_authority(const char *at, size_t size, const char **begin)
{
	const char *last = memrchr(at, '@', size);

	*begin = last ? last + 1 : at;
	return (size_t)(at + size - *begin);
}
