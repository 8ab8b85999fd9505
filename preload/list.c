/* list.c - names with commas between them, as settings have them. */
#include "preload/list.h"

#include <string.h>

const char *list_next(const char **list, size_t *size)
{
	const char *at = *list;

	while (at && *at) {
		const char *end = strchr(at, ',');
		size_t n = end ? (size_t)(end - at) : strlen(at);

		*list = end ? end + 1 : at + n;
		while (n && (*at == ' ' || *at == '\t')) {
			at++;
			n--;
		}
		while (n && (at[n - 1] == ' ' || at[n - 1] == '\t'))
			n--;
		if (n) {
			*size = n;
			return at;
		}
		at = *list;
	}
	return NULL;
}
