/* fastcgi_records.c - FastCGI: the records of bodies and answers, counted; an answer's status. */
#include "preload/fastcgi.h"

#define HEADER_BYTES 8
#define STATUS_NAME  "status:"
#define PLACE_NAME   "location:"
#define COLUMN_MAX   64

enum record_type { END_REQUEST = 3, STDIN = 5, STDOUT = 6, STDERR = 7, DATA = 8 };

enum line_name { MAY_BE_STATUS = 1, MAY_BE_PLACE = 2 };

/* Takes bytes of the record's header; 1: it is whole. */
static int take_header(struct fastcgi_records *records, const char *at, size_t size, size_t *taken)
{
	while (records->have < HEADER_BYTES && *taken < size)
		records->header[records->have++] = (uint8_t)at[(*taken)++];
	return records->have == HEADER_BYTES;
}

/* A record of this request begins; 0: none that belongs here. */
static int begin_record(struct fastcgi_records *records, unsigned allowed)
{
	const uint8_t *header = records->header;

	records->left = (uint32_t)header[4] << 8 | header[5];
	records->padding = header[6];
	return header[0] == 1 && header[1] < 32 && allowed & 1u << header[1] &&
	       (header[2] << 8 | header[3]) == records->id;
}

static void begin_line(struct fastcgi_records *records)
{
	records->column = 0;
	records->names = MAY_BE_STATUS | MAY_BE_PLACE;
}

/* A letter of a line's name, without case. */
static void match(struct fastcgi_records *records, char c)
{
	size_t column = records->column;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c + 32);
	if (column < sizeof(STATUS_NAME) - 1 && STATUS_NAME[column] != c)
		records->names &= (uint8_t)~MAY_BE_STATUS;
	if (column < sizeof(PLACE_NAME) - 1 && PLACE_NAME[column] != c)
		records->names &= (uint8_t)~MAY_BE_PLACE;
}

static void take_digit(struct fastcgi_records *records, char c)
{
	if (c >= '0' && c <= '9' && records->digits < 3) {
		records->status = (uint16_t)(records->status * 10 + (c - '0'));
		records->digits++;
	} else if (records->digits || c != ' ') {
		records->names &= (uint8_t)~MAY_BE_STATUS;
	}
}

/* A byte of the answer's head; 1: it was the last one. */
static int take_byte(struct fastcgi_records *records, char c)
{
	if (c == '\n') {
		int empty = !records->column;

		begin_line(records);
		return empty;
	}
	if (c == '\r')
		return 0;
	if (records->column >= sizeof(STATUS_NAME) - 1 && records->names & MAY_BE_STATUS)
		take_digit(records, c);
	match(records, c);
	if (records->column < COLUMN_MAX)
		records->column++;
	if (records->column == sizeof(PLACE_NAME) - 1 && records->names & MAY_BE_PLACE)
		records->located = 1;
	return 0;
}

/* CGI (RFC 3875, 6.2 and 6.3.3): without a Status it is 200, with a Location 302. */
static void end_head(struct fastcgi_records *records)
{
	records->head_done = 1;
	if (records->digits != 3 || records->status < 100)
		records->status = records->located ? 302 : 200;
}

/* Content of STDOUT; returns how much: up to the end of the head, if that is in it. */
static size_t take_output(struct fastcgi_records *records, const char *at, size_t size)
{
	if (records->head_done) {
		records->bytes += size;
		return size;
	}
	if (!records->column && !records->names)
		begin_line(records);
	for (size_t i = 0; i < size; i++) {
		if (take_byte(records, at[i])) {
			end_head(records);
			return i + 1;
		}
	}
	return size;
}

/* Content of END_REQUEST: four bytes of the program's own status, and the protocol's. */
static void take_end(struct fastcgi_records *records, const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (records->left - i == 4 && at[i])
			records->failed = 1;
}

static size_t take_content(struct fastcgi_records *records, const char *at, size_t size)
{
	if (size > records->left)
		size = records->left;
	if (records->header[1] == STDOUT)
		size = take_output(records, at, size);
	else if (records->header[1] == STDIN)
		records->bytes += size;
	else if (records->header[1] == END_REQUEST)
		take_end(records, at, size);
	records->left -= (uint32_t)size;
	return size;
}

/* The record is over: 1 if it is the last one. An empty one ends its stream. */
static int end_record(struct fastcgi_records *records)
{
	uint8_t type = records->header[1];
	int empty = !records->header[4] && !records->header[5];

	records->have = 0;
	return type == END_REQUEST || (type == STDIN && empty);
}

static int needs_bytes(const struct fastcgi_records *records)
{
	return records->header[1] == END_REQUEST ||
	       (records->header[1] == STDOUT && !records->head_done);
}

static size_t take_padding(struct fastcgi_records *records, size_t size)
{
	size_t n = records->left ? 0 : records->padding;

	n = n < size ? n : size;
	records->padding = (uint8_t)(records->padding - n);
	return n;
}

/* Goes to the content of a record: 1; 0: the header is not whole; -1: none that may be here. */
static int find_content(struct fastcgi_records *records, const char *at, size_t size, size_t *taken,
			unsigned allowed)
{
	if (records->have < HEADER_BYTES) {
		if (!at)
			return -1;
		if (!take_header(records, at, size, taken))
			return 0;
		if (!begin_record(records, allowed))
			return -1;
	}
	return records->left && !at && needs_bytes(records) ? -1 : 1;
}

static size_t feed(struct fastcgi_records *records, const char *at, size_t size, unsigned allowed,
		   enum fastcgi_event *event)
{
	size_t taken = 0;

	*event = FASTCGI_MORE;
	while (taken < size) {
		int had_head = records->head_done;
		int found = find_content(records, at, size, &taken, allowed);

		if (found != 1) {
			*event = found ? FASTCGI_BAD : FASTCGI_MORE;
			return taken;
		}
		taken += take_content(records, at ? at + taken : at, size - taken);
		if (!had_head && records->head_done) {
			*event = FASTCGI_HEAD;
			return taken;
		}
		taken += take_padding(records, size - taken);
		if (!records->left && !records->padding && end_record(records)) {
			*event = FASTCGI_END;
			return taken;
		}
	}
	return taken;
}

size_t fastcgi_request_feed(struct fastcgi_records *records, const char *at, size_t size,
			    enum fastcgi_event *event)
{
	return feed(records, at, size, 1u << STDIN | 1u << DATA, event);
}

size_t fastcgi_reply_feed(struct fastcgi_records *records, const char *at, size_t size,
			  enum fastcgi_event *event)
{
	return feed(records, at, size, 1u << STDOUT | 1u << STDERR | 1u << END_REQUEST, event);
}
