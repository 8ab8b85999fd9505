/* uuid.h - UUIDs (RFC 9562) in text. */
#ifndef TAGALONG_UUID_H
#define TAGALONG_UUID_H

#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 37 /* with the NUL */

/* A random one, version 4. 0, or -errno. */
int uuid_random(char text[UUID_TEXT]);

/*
 * Version 5: always the same for the same name. The name space is the one that OpenTelemetry has
 * for service.instance.id.
 */
void uuid_of_name(const char *name, size_t size, char text[UUID_TEXT]);

#endif
