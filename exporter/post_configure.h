/* post_configure.h - libcurl's options and the headers of all requests to one destination. */
#ifndef TAGALONG_POST_CONFIGURE_H
#define TAGALONG_POST_CONFIGURE_H

#include <curl/curl.h>

#include "exporter/settings_otlp.h"

/*
 * Sets everything that the settings decide. *headers, NULL before, must live as long as the handle
 * and is the caller's to free, on failure as well. 0, or -ENOMEM.
 */
int post_configure(CURL *easy, struct curl_slist **headers, const struct otlp_settings *otlp);

#endif
