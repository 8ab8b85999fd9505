/* redact_block.h - sixteen bytes of text at a time, as bits: which may be part of a secret. */
#ifndef TAGALONG_REDACT_BLOCK_H
#define TAGALONG_REDACT_BLOCK_H

#include <stdint.h>
#include <string.h>

/* One bit for each byte, the first one lowest. */
struct redact_block {
	uint32_t marks; /* '@', '%', the mark that was asked for, "--", 'r' before a space */
	uint32_t alnum; /* letters and digits */
	uint32_t
		numeric; /* digits, and what stands between the groups of a number: ' ', '+', '-' */
};

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i redact_block_are(__m128i bytes, char what)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(what));
}

/* Whether bytes lie in `least` to `least + more`. */
static inline __m128i redact_block_range(__m128i bytes, char least, char more)
{
	__m128i from = _mm_sub_epi8(bytes, _mm_set1_epi8(least));

	return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8(more)), from);
}

/* `before` are the bytes one place earlier. */
static inline struct redact_block redact_block_look(__m128i bytes, __m128i before, char mark)
{
	const __m128i fold = _mm_set1_epi8(0x20);
	__m128i digits = redact_block_range(bytes, '0', 9);
	__m128i letters = redact_block_range(_mm_or_si128(bytes, fold), 'a', 25);
	__m128i spaces = _mm_or_si128(redact_block_are(bytes, ' '), redact_block_are(bytes, '+'));
	__m128i joints = redact_block_are(bytes, '-');
	__m128i behind_r = _mm_and_si128(spaces, redact_block_are(_mm_or_si128(before, fold), 'r'));
	__m128i doubled = _mm_and_si128(joints, redact_block_are(before, '-'));
	__m128i marks = _mm_or_si128(
		_mm_or_si128(redact_block_are(bytes, '@'), redact_block_are(bytes, '%')),
		_mm_or_si128(redact_block_are(bytes, mark), _mm_or_si128(behind_r, doubled)));
	struct redact_block block = {
		(uint32_t)_mm_movemask_epi8(marks),
		(uint32_t)_mm_movemask_epi8(_mm_or_si128(digits, letters)),
		(uint32_t)_mm_movemask_epi8(_mm_or_si128(digits, _mm_or_si128(spaces, joints))),
	};

	return block;
}

/* Of the begin of a text, and of bytes with another one before them. */
static inline struct redact_block redact_block_first(const char *at, char mark)
{
	__m128i bytes = _mm_loadu_si128((const void *)at);

	return redact_block_look(bytes, _mm_slli_si128(bytes, 1), mark);
}

static inline struct redact_block redact_block_next(const char *at, char mark)
{
	return redact_block_look(_mm_loadu_si128((const void *)at),
				 _mm_loadu_si128((const void *)(at - 1)), mark);
}

#else

static inline struct redact_block redact_block_look(const char *at, char before, char mark)
{
	struct redact_block block = {0};

	for (unsigned i = 0; i < 16; i++) {
		char c = at[i], fold = c | 0x20;
		int digit = c >= '0' && c <= '9', space = c == ' ' || c == '+';

		block.marks |=
			(uint32_t)(c == '@' || c == '%' || c == mark ||
				   (space && (before | 0x20) == 'r') || (c == '-' && before == '-'))
			<< i;
		block.alnum |= (uint32_t)(digit || (fold >= 'a' && fold <= 'z')) << i;
		block.numeric |= (uint32_t)(digit || space || c == '-') << i;
		before = c;
	}
	return block;
}

static inline struct redact_block redact_block_first(const char *at, char mark)
{
	return redact_block_look(at, 0, mark);
}

static inline struct redact_block redact_block_next(const char *at, char mark)
{
	return redact_block_look(at, at[-1], mark);
}

#endif

#endif
