/* sql_comment.c - comments in SQL, which go: of a line, nested, MySQL's executable ones. */
#include "preload/sql_token.h"

int sql_slash_next(struct sql_mask *mask, unsigned char c)
{
	if (c != '*') {
		sql_token_operator(mask, '/');
		return 0;
	}
	mask->state = mask->dialect == SQL_MYSQL ? SQL_COMMENT_BEGIN : SQL_COMMENT;
	mask->depth = 1;
	if (mask->near != SQL_NEAR_NO_STRING)
		mask->near = SQL_NEAR_SPACE;
	return 1;
}

int sql_star_next(struct sql_mask *mask, unsigned char c)
{
	if (c != '/') {
		sql_token_operator(mask, '*');
		return 0;
	}
	mask->in_hint = 0;
	mask->state = SQL_NORMAL;
	return 1;
}

/* MySQL: 5--1 is a subtraction. */
int sql_dashes_next(struct sql_mask *mask, unsigned char c)
{
	mask->state = SQL_LINE_COMMENT;
	if (c <= ' ')
		return 0;
	sql_token_operator(mask, '-');
	mask->state = SQL_SIGN;
	return 0;
}

int sql_line_comment_next(struct sql_mask *mask, unsigned char c)
{
	if (c != '\n' && !(c == '\r' && mask->dialect == SQL_POSTGRESQL))
		return 1;
	mask->state = SQL_NORMAL;
	return 0;
}

int sql_comment_begin_next(struct sql_mask *mask, unsigned char c)
{
	if (c == 'M' && mask->state == SQL_COMMENT_BEGIN) {
		mask->state = SQL_COMMENT_MARIADB;
		return 1;
	}
	mask->state = SQL_COMMENT;
	if (c != '!')
		return 0;
	mask->state = SQL_HINT_VERSION;
	mask->in_hint = 1;
	return 1;
}

int sql_hint_version_next(struct sql_mask *mask, unsigned char c)
{
	if (sql_token_is(c, SQL_DIGIT))
		return 1;
	mask->state = SQL_NORMAL;
	return 0;
}

int sql_comment_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '*')
		mask->state = SQL_COMMENT_STAR;
	else if (c == '/' && mask->dialect == SQL_POSTGRESQL)
		mask->state = SQL_COMMENT_SLASH;
	return 1;
}

int sql_comment_star_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '*')
		return 1;
	mask->state = SQL_COMMENT;
	if (c == '/' && !--mask->depth)
		mask->state = SQL_NORMAL;
	return 1;
}

int sql_comment_slash_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '/')
		return 1;
	mask->state = SQL_COMMENT;
	mask->depth += c == '*';
	return 1;
}
