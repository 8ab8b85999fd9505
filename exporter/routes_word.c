/* routes_word.c - words that paths are made of, by what they say of their neighbours. */
#include "routes_word.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX   15
#define WORD_SLOTS 4096

/* In each text the words are in order. */
static const char keywords[] =
	" about activate active add all any archive archived authorize autocomplete available batch"
	" bulk callback cancel check clear clone close closed complete config configuration confirm"
	" convert copy count create current custom deactivate delete destroy detail details"
	" disable download drafts edit enable export featured feed filter find first help history "
	"id"
	" import index info init invite invoke join json last latest leave list live load lock "
	"login"
	" logout manifest me merge metadata mine move new next now open overview pending ping "
	"popular"
	" preview previous print private public publish query random raw recent refresh register"
	" reject related remove rename render replay reset restart restore resume retry revoke root"
	" rss run save schema search self send share show sign signin signout signup sitemap sort"
	" start stats status stop submit suggest summary suspend sync test toggle total trending"
	" undo unlock unread unsubscribe upcoming update upload validate verify view xml ";

static const char entities[] =
	" account app article asset author b blog board book bot branch brand bucket build c "
	"campaign"
	" cart category channel city class client collection comment company country course "
	"customer"
	" d dashboard database device doc document domain e employee event f feature file folder "
	"game"
	" g group h host i image invoice issue item j job k key l label language location m media"
	" member merchant message model movie n namespace node o object order org organisation"
	" organization owner p package page partner patient payment person photo place plan player"
	" playlist plugin post product profile project property q question queue r recipe record"
	" region release repo report repository resource review role room s season section server"
	" service session set shop show site sku song source space stage station store story stream"
	" subject subscription t table tag task team template tenant term theme thread ticket topic"
	" track transaction u unit user username v vehicle vendor version video view vote w wallet"
	" widget wiki workflow workspace x y z zone ";

static const char places[] =
	" access actions address analytics apps assets bundles capabilities css dashboards details"
	" developers dist docs downloads errors faqs features fonts forms graphics https icons "
	"images"
	" imgs includes insights integrations js links logs maps metrics news operations operators"
	" options parameters preferences readers redirects reports scripts settings statistics "
	"stats"
	" status styles stylesheets terms themes tools uploads utils views ";

static const char prefixes[] = " api apis rest public rpc ";

static const char names[] =
	" access accesstoken accounts actions activity actuator address addresses admin ads "
	"advanced"
	" ajax alerts alerting analytics announcements answers apikeys applications apps "
	"appsettings"
	" articles artifacts assets assignees assignments attachments attributes audit auth"
	" authentication authorization autosaves avatar avatars backup backups badge badges balance"
	" balances banner billing blobs blocks blogs bookmarks branches brands browse bucket "
	"buckets"
	" builds bundle bundles cache calendar calendars campaigns capabilities capture cards "
	"careers"
	" carts cases catalog catalogue categories cgi changelog changes channels charges chat"
	" checkout checks claims clients cloud clusters code codes collaborators collections "
	"comments"
	" commits common community companies company compare components conditions configs"
	" connections connectors console contact contacts content contents contracts contributors"
	" cookies core countries coupons courses cpu credentials credits cron css currencies"
	" customers daily dashboard dashboards data database databases dataset datasets debug"
	" deliveries dependencies deploy deployment deployments design developer developers devices"
	" diff digest directory discounts discover dispatches dispute disputes dist docs"
	" documentation documents domains downloads draft email emails embed emojis endpoints "
	"engine"
	" entities entries environment environments error errors events evidence examples exports"
	" extensions external faq faqs favicon favorites favourites features feedback feeds fields"
	" files filters finance folders followers following fonts forgot fork forks forms forum"
	" forums frontend functions galleries gallery games general gists git gql grants graphql"
	" groups guide guides handler hash health healthcheck healthz heartbeat home hooks hosts"
	" hourly html icon icons identities identity image images imports inbox includes ingest"
	" install installation installations instances insights integrations internal inventory"
	" invitations invites invoices issues items jobs js keys labels language languages layout"
	" leaderboard legal lib libs library license licenses lifecycle lines links listings lists"
	" livez locale locales locations locks log logs main maintenance manage management manager"
	" map maps markdown market marketplace master measurements media members memberships menu"
	" menus messages meta methods metrics migrate migrations milestones mobile modal models"
	" modules monitor monitoring monthly movies music namespaces navigation network networks"
	" news newsletter node nodes notes notice notices notifications oauth oauth1 oauth2 objects"
	" offers office ok onboarding openapi operations options order orders org organisations"
	" organizations orgs outbox owners packages pages panel parameters parent partners password"
	" passwords patches payment payments payouts people permissions persons phone photos php"
	" pipelines places plans platform players plugins pod pods policies policy portal posts"
	" preferences prices pricing privacy probe processes products profile profiles projects"
	" promotions properties protected protection proxy pulls purchases push questions queue"
	" queues quota quotas rating ratings reactions readme readyz ready realtime recipes records"
	" redirect redirects references refs refunds regions releases reminders replies replies"
	" repos repositories request requests reservations resources responses results revenue"
	" reviews reviewers revisions roles rooms routes rules runners runs sales samples scan"
	" schedule schedules schemas scopes scripts secrets sections security segments sellers"
	" sensors server servers service services session sessions settings setup shares shipments"
	" shipping shop shops sites snapshots social socket songs sources spec specs splash sse sso"
	" static stations storage store stores stories stream streaming streams style styles"
	" subjects submissions subscribe subscribers subscriptions suggestions support surveys"
	" swagger system systems tables tags targets tasks tax taxes team teams telemetry templates"
	" tenants terms tests text themes threads thumbnail thumbnails tickets time timeline"
	" timelines timeout token tokens tool tools topics trace traces track tracker tracking "
	"tracks"
	" traffic transactions transfers trash trees trial types ui units updates uploads url urls"
	" usage user userinfo users util utils variables variants vehicles vendor vendors version"
	" versions videos views visits volumes votes wallet wallets warehouse watch watchers web"
	" webhook webhooks webpack websocket weekly welcome widgets wiki wikis workers workflow"
	" workflows workspaces ws www zones ";

static const char extensions[] =
	" 7z action asp aspx atom avif bin bmp bz2 cer cgi class conf cpp crt css csv cur dat db "
	"deb"
	" diff dll do doc docx eot epub exe flac gif git gz h htm html icns ico ics ini jar jpeg "
	"jpg"
	" js json jsonld jsp jspx jsx key less log m3u8 m4a m4s map md mjs mov mp3 mp4 mpd mpg ogg"
	" otf patch pdf pem php phtml pl png ppt pptx ps1 py rar rb rpm rss rtf sass scss sh so sql"
	" svg svgz tar tgz tif tiff toml ts tsv tsx ttf txt vtt wasm wav webm webmanifest webp whl"
	" woff woff2 xhtml xls xlsx xml xsl xz yaml yml zip zst ";

static const struct {
	const char *words;
	enum route_word kind;
} lists[] = {
	{prefixes, ROUTE_WORD_PREFIX}, {keywords, ROUTE_WORD_KEYWORD},
	{entities, ROUTE_WORD_ENTITY}, {places, ROUTE_WORD_PLACE},
	{names, ROUTE_WORD_STATIC},
};

/* A set of words that point into the texts above; filled at the first question. */
struct words {
	struct {
		const char *at;
		uint8_t size;
		uint8_t kind;
	} slot[WORD_SLOTS];
	int is_filled;
};

/* One thread asks, as routes.h says. */
static struct words known, endings;

/* The slot of the word, or the empty one where it would stand. */
static unsigned find(const struct words *words, struct text word)
{
	unsigned at = (unsigned)text_hash(word) % WORD_SLOTS;

	while (words->slot[at].at && (words->slot[at].size != word.size ||
				      memcmp(words->slot[at].at, word.at, word.size) != 0))
		at = (at + 1) % WORD_SLOTS;
	return at;
}

/* A word of two lists counts as in the first of them. */
static void fill(struct words *words, const char *list, uint8_t kind)
{
	while (*list) {
		struct text word = {list, (uint32_t)strcspn(list, " ")};
		unsigned at = find(words, word);

		if (word.size && !words->slot[at].at) {
			words->slot[at].at = word.at;
			words->slot[at].size = (uint8_t)word.size;
			words->slot[at].kind = kind;
		}
		list += word.size + (list[word.size] == ' ');
	}
	words->is_filled = 1;
}

/* In lower case. 0: can't be in a list. */
static int lower(struct text text, char to[WORD_MAX])
{
	if (text.size == 0 || text.size > WORD_MAX)
		return 0;
	for (uint32_t i = 0; i < text.size; i++) {
		char c = text.at[i];

		to[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return 1;
}

enum route_word route_word(struct text text)
{
	char word[WORD_MAX];

	if (!known.is_filled)
		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			fill(&known, lists[i].words, (uint8_t)lists[i].kind);
	if (!lower(text, word))
		return ROUTE_WORD_UNKNOWN;
	return (enum route_word)known.slot[find(&known, (struct text){word, text.size})].kind;
}

int route_extension(struct text text)
{
	char word[WORD_MAX];

	if (!endings.is_filled)
		fill(&endings, extensions, 1);
	return lower(text, word) &&
	       endings.slot[find(&endings, (struct text){word, text.size})].kind;
}
