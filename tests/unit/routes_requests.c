/* routes_requests.c - requests for templates, with values as real servers see them. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/routes_tables.h"

static const char *const first_names[] = {
	"john",  "maria", "wei",    "fatima", "olu",   "sofia", "liam",  "noah", "emma", "ivan",
	"priya", "kenji", "lucas",  "hannah", "ahmed", "chloe", "mateo", "nina", "paul", "greta",
	"bjorn", "yuki",  "carlos", "ines",   "tomas", "zoe",   "amir",  "lena", "hugo", "daria",
	"marco", "elif",  "jonas",  "ruth",   "omar",  "clara", "felix", "ida",  "leo",  "mina",
};
static const char *const last_names[] = {
	"smith",    "garcia", "chen",   "khan",    "mueller",  "rossi",   "novak",  "silva",
	"kim",      "nguyen", "jensen", "dubois",  "kowalski", "tanaka",  "okafor", "larsson",
	"popov",    "costa",  "haddad", "weber",   "moreau",   "fischer", "santos", "yilmaz",
	"lindberg", "patel",  "murphy", "ferrari", "bauer",    "janssen", "horvat", "berg",
	"cohen",    "ito",    "sousa",  "walsh",
};
static const char *const adjectives[] = {
	"blue",    "quick",  "silent", "golden", "tiny",   "wooden", "modern",
	"vintage", "light",  "heavy",  "green",  "bright", "soft",   "dark",
	"warm",    "frozen", "royal",  "simple", "wild",   "smart",
};
static const char *const things[] = {
	"lamp",     "shirt",   "kettle",  "chair",   "tractor",  "guitar",  "bottle",  "sweater",
	"pencil",   "camera",  "router",  "parser",  "compiler", "toaster", "carpet",  "backpack",
	"keyboard", "mirror",  "blanket", "wallet",  "sandal",   "violin",  "scooter", "helmet",
	"notebook", "teapot",  "ladder",  "engine",  "rocket",   "garden",  "window",  "dragon",
	"planet",   "turbine", "compass", "lantern",
};

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

uint32_t routes_random(struct routes_random *random, uint32_t below)
{
	random->state = random->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random->state >> 33) % below);
}

/* The first ones more often than the last ones, as people and things are asked for. */
static uint32_t popular(struct routes_random *random, uint32_t below)
{
	uint64_t at = routes_random(random, 1000);

	return (uint32_t)(at * at * below / 1000000);
}

static const char *pick(struct routes_random *random, const char *const *words, uint32_t count)
{
	return words[popular(random, count)];
}

static void letters(struct routes_random *random, const char *of, size_t size, char *to)
{
	size_t count = strlen(of);

	for (size_t i = 0; i < size; i++)
		to[i] = of[routes_random(random, (uint32_t)count)];
	to[size] = '\0';
}

#define HEX    "0123456789abcdef"
#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define CROCK  "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#define K8S    "bcdfghjklmnpqrstvwxz2456789"

static void uuid(struct routes_random *random, char *to, size_t room)
{
	char part[5][16];
	static const size_t sizes[5] = {8, 4, 4, 4, 12};

	for (size_t i = 0; i < 5; i++)
		letters(random, HEX, sizes[i], part[i]);
	snprintf(to, room, "%s-%s-%s-%s-%s", part[0], part[1], part[2], part[3], part[4]);
}

static void login(struct routes_random *random, char *to, size_t room)
{
	const char *first = pick(random, first_names, COUNT(first_names));
	const char *last = pick(random, last_names, COUNT(last_names));

	switch (routes_random(random, 4)) {
	case 0:
		snprintf(to, room, "%s%s", first, last);
		break;
	case 1:
		snprintf(to, room, "%c%s", first[0], last);
		break;
	case 2:
		snprintf(to, room, "%s-%s", first, last);
		break;
	default:
		snprintf(to, room, "%s%u", first, 1 + routes_random(random, 99));
		break;
	}
}

static void slug(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "%s-%s-%s", pick(random, adjectives, COUNT(adjectives)),
		 pick(random, things, COUNT(things)), pick(random, things, COUNT(things)));
}

static void thing(struct routes_random *random, char *to, size_t room)
{
	if (routes_random(random, 2))
		snprintf(to, room, "%s", pick(random, things, COUNT(things)));
	else
		snprintf(to, room, "%s-%s", pick(random, adjectives, COUNT(adjectives)),
			 pick(random, things, COUNT(things)));
}

static void pod(struct routes_random *random, char *to, size_t room)
{
	char set[16], own[8];

	letters(random, K8S, 9, set);
	letters(random, K8S, 5, own);
	snprintf(to, room, "%s-%s-%s", pick(random, things, COUNT(things)), set, own);
}

static void date(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "20%02u-%02u-%02u", 10 + routes_random(random, 16),
		 1 + routes_random(random, 12), 1 + routes_random(random, 28));
}

static void number(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "%u", 1 + popular(random, 1000000));
}

static void hash8(struct routes_random *random, char *to, size_t room)
{
	(void)room;
	letters(random, HEX, 8, to);
	to[routes_random(random, 8)] = '7';
}

static void sha(struct routes_random *random, char *to, size_t room)
{
	(void)room;
	letters(random, HEX, 40, to);
}

static void ulid(struct routes_random *random, char *to, size_t room)
{
	(void)room;
	to[0] = '0';
	to[1] = '1';
	letters(random, CROCK, 24, to + 2);
}

static void id14(struct routes_random *random, char *to, size_t room)
{
	(void)room;
	letters(random, BASE62, 14, to);
}

static void email(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "%s.%s@example.com", pick(random, first_names, COUNT(first_names)),
		 pick(random, last_names, COUNT(last_names)));
}

static void year(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "%u", 2008 + routes_random(random, 18));
}

static void two(struct routes_random *random, char *to, size_t room)
{
	snprintf(to, room, "%02u", 1 + routes_random(random, 28));
}

/* Few, and always the same: what a cluster has. */
static void space(struct routes_random *random, char *to, size_t room)
{
	static const char *const spaces[] = {"default",   "kube-system", "kube-public", "shop-prod",
					     "shop-test", "monitoring",  "ingress",     "team-a",
					     "team-b",    "payments",    "ci-runners",  "sandbox"};

	snprintf(to, room, "%s", pick(random, spaces, COUNT(spaces)));
}

static void numbered_slug(struct routes_random *random, char *to, size_t room)
{
	number(random, to, room);
	to += strlen(to);
	*to = '-';
	slug(random, to + 1, room - 8);
}

static const struct {
	const char *name;
	void (*write)(struct routes_random *random, char *to, size_t room);
} kinds[] = {
	{"login", login}, {"slug", slug}, {"thing", thing}, {"pod", pod},
	{"date", date},   {"n", number},  {"hash", hash8},  {"sha", sha},
	{"ulid", ulid},   {"id14", id14}, {"email", email}, {"uuid", uuid},
	{"year", year},   {"two", two},   {"space", space}, {"n-slug", numbered_slug},
};

/* "{kind}", or "{prefix:kind}" for values that all begin with that. */
static void write_value(struct routes_random *random, const char *kind, size_t size, char *to,
			size_t room)
{
	const char *colon = memchr(kind, ':', size);

	if (colon) {
		size_t prefix = (size_t)(colon - kind);

		memcpy(to, kind, prefix);
		kind += prefix + 1;
		size -= prefix + 1;
		to += prefix;
		room -= prefix;
	}
	for (uint32_t i = 0; i < COUNT(kinds); i++)
		if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, kind, size) == 0)
			kinds[i].write(random, to, room);
}

void routes_request(struct routes_random *random, const char *template, char *path, size_t room)
{
	size_t size = 0;

	while (*template && size + 64 < room) {
		size_t name = strcspn(template + 1, "}");

		if (*template != '{') {
			path[size++] = *template ++;
			continue;
		}
		write_value(random, template + 1, name, path + size, room - size);
		size += strlen(path + size);
		template += name + 2;
	}
	path[size] = '\0';
}

void routes_plain(const char *template, char *plain, size_t room)
{
	size_t size = 0;

	while (*template && size + 3 < room) {
		plain[size++] = *template;
		if (*template ++ != '{')
			continue;
		template += strcspn(template, "}");
	}
	plain[size] = '\0';
}
