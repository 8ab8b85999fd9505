/* terminal.c - text for people: what the terminal can show, and foreign text made harmless for it.
 */
#include "exporter/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define COLUMNS_DEFAULT 100
#define COLUMNS_MIN     60
#define COLUMNS_MAX     1000

void terminal_detect(struct terminal *terminal, int fd, bool ascii)
{
	const char *columns = getenv("COLUMNS");
	const char *no_color = getenv("NO_COLOR");
	struct winsize size;

	terminal->columns = columns ? atoi(columns) : 0;
	if (terminal->columns <= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
		terminal->columns = size.ws_col;
	if (terminal->columns <= 0)
		terminal->columns = COLUMNS_DEFAULT;
	if (terminal->columns < COLUMNS_MIN)
		terminal->columns = COLUMNS_MIN;
	if (terminal->columns > COLUMNS_MAX)
		terminal->columns = COLUMNS_MAX;
	terminal->color = isatty(fd) && !(no_color && no_color[0]);
	setlocale(LC_CTYPE, "");
	terminal->utf8 = !ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- foreign text ------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `at` (NUL-terminated text), 0 if it isn't one. */
static int decode(const char *at, uint32_t *character)
{
	const unsigned char *byte = (const unsigned char *)at;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	int size = byte[0] < 0x80             ? 1
		   : (byte[0] & 0xe0) == 0xc0 ? 2
		   : (byte[0] & 0xf0) == 0xe0 ? 3
		   : (byte[0] & 0xf8) == 0xf0 ? 4
					      : 0;

	if (size == 0)
		return 0;
	*character = size == 1 ? byte[0] : byte[0] & (0x7f >> size);
	for (int i = 1; i < size; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (byte[i] & 0x3f);
	}
	if (*character < smallest[size] || *character > 0x10ffff ||
	    (*character >= 0xd800 && *character <= 0xdfff))
		return 0;
	return size;
}

static bool steers(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x200b && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

/*
 * One character or escaped byte: its text in `piece` (at most 5 bytes with the NUL), its columns,
 * and in *taken the bytes of the source.
 */
static int next_piece(const struct terminal *terminal, const char *at, char *piece, int *taken)
{
	uint32_t character = 0;
	int size = decode(at, &character);

	*taken = 1;
	if (size == 0 || steers(character) || (size > 1 && !terminal->utf8)) {
		snprintf(piece, 5, "\\x%02x", (unsigned char)at[0]);
		return 4;
	}
	memcpy(piece, at, size);
	piece[size] = '\0';
	*taken = size;
	int columns = size == 1 ? 1 : wcwidth((wchar_t)character);
	return columns < 0 ? 1 : columns;
}

static int measure(const struct terminal *terminal, const char *text, int enough)
{
	char piece[8];
	int columns = 0, taken;

	for (; *text && columns <= enough; text += taken)
		columns += next_piece(terminal, text, piece, &taken);
	return columns;
}

int terminal_fit(const struct terminal *terminal, const char *text, int columns, char *out,
		 size_t room)
{
	const char *ellipsis = terminal->utf8 ? "\u2026" : "~";
	bool whole = measure(terminal, text, columns) <= columns;
	int limit = whole ? columns : columns - 1, used = 0, taken;
	size_t filled = 0;
	char piece[8];

	out[0] = '\0';
	if (columns <= 0)
		return 0;
	for (; *text; text += taken) {
		int width = next_piece(terminal, text, piece, &taken);
		size_t size = strlen(piece);
		if (used + width > limit || filled + size + strlen(ellipsis) + 1 > room)
			break;
		memcpy(out + filled, piece, size + 1);
		filled += size;
		used += width;
	}
	if (*text && filled + strlen(ellipsis) < room) {
		memcpy(out + filled, ellipsis, strlen(ellipsis) + 1);
		used++;
	}
	return used;
}

/* ---- durations ---------------------------------------------------------------------------- */

const char *terminal_duration(int64_t duration_ns, char *out, size_t room)
{
	double ms = (double)duration_ns / 1e6;

	if (duration_ns < 0)
		snprintf(out, room, "-");
	else if (ms < 1)
		snprintf(out, room, "%.0fus", ms * 1000);
	else if (ms < 100)
		snprintf(out, room, "%.1fms", ms);
	else if (ms < 1000)
		snprintf(out, room, "%.0fms", ms);
	else if (ms < 60000)
		snprintf(out, room, "%.2fs", ms / 1000);
	else
		snprintf(out, room, "%lldm%llds", (long long)(ms / 60000),
			 (long long)(ms / 1000) % 60);
	return out;
}

int terminal_parse_duration(const char *text, int64_t *duration_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	char *end;

	/* strtod would take blanks, signs, "inf" and hexadecimals as well. */
	if (text[strspn(text, "0123456789.")] == '\0' || strspn(text, "0123456789.") == 0)
		return -EINVAL;
	double value = strtod(text, &end);
	if (end != text + strspn(text, "0123456789."))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (value * units[i].ns > 9e18)
			return -EINVAL;
		*duration_ns = (int64_t)(value * units[i].ns);
		return 0;
	}
	return -EINVAL;
}

/* ---- bars --------------------------------------------------------------------------------- */

static const char *const left_eighths[] = {"",       "\u258f", "\u258e", "\u258d", "\u258c",
					   "\u258b", "\u258a", "\u2589", "\u2588"};

/*
 * Unicode fills columns from the left only (and the right half), so the begin is rounded to half
 * a column and the end to an eighth.
 */
static const char *bar_cell(int from, int to)
{
	if (from <= 0 && to <= 0)
		return " ";
	if (from >= 8)
		return " ";
	if (from >= 4)
		return "\u2590";
	return left_eighths[to > 8 ? 8 : to];
}

static double scale(double part, int length)
{
	return part <= 0 ? 0 : part >= 1 ? length : part * length;
}

void terminal_bar(const struct terminal *terminal, double begin, double end, int width, char *out,
		  size_t room)
{
	int length = width * (terminal->utf8 ? 8 : 1);
	int from = (int)scale(begin, length);
	int to = (int)scale(end, length);
	size_t filled = 0;

	out[0] = '\0';
	if (to < scale(end, length))
		to++;
	if (from >= length)
		from = length - 1;
	if (to <= from)
		to = from + 1;
	for (int cell = 0; cell < width; cell++) {
		const char *mark = " ";
		if (terminal->utf8)
			mark = to > cell * 8 ? bar_cell(from - cell * 8, to - cell * 8) : " ";
		else if (cell >= from && cell < to)
			mark = "=";
		size_t size = strlen(mark);
		if (filled + size + 1 > room)
			return;
		memcpy(out + filled, mark, size + 1);
		filled += size;
	}
}
