/* shim_settings.h - the settings that the library reads, checked where somebody can be told. */
#ifndef TAGALONG_SHIM_SETTINGS_H
#define TAGALONG_SHIM_SETTINGS_H

/*
 * The library is silent inside other people's programs and takes the default for what it can't
 * read. `run` says so before it starts the command: one line for each bad value of
 * OTEL_PROPAGATORS, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, TRACEPARENT and
 * TAGALONG_REQUEST_ID. Returns how many there were.
 */
int shim_settings_check(void);

#endif
