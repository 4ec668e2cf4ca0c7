/* web.h -- requests by HTTP: libcurl on the loop of a host. No Lua here.
 *
 * So many requests run at once, others wait in a queue. Redirections are followed here and not by
 * libcurl, so that each host is looked up in the list of those that are allowed before anything is
 * sent to it.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_WEB_H
#define NEXUS_MODULE_WEB_H

#include "base/list.h"
#include "base/writer.h"
#include "module/host.h"
#include "script/wait.h"

#include <curl/curl.h>

#define MAX_WEB_ACTIVE     32
#define MAX_WEB_QUEUED     256
#define MAX_WEB_KEPT       16 /* connections without a request */
#define MAX_WEB_REDIRECTS  5
#define MAX_WEB_SECONDS    60
#define WEB_SECONDS        10
#define MAX_WEB_BODY       16777216
#define WEB_BODY           1048576
#define MAX_WEB_WAITING    67108864 /* octets of the bodies of all requests */
#define MAX_WEB_HEADERS    64
#define MAX_WEB_HEADER_LEN 16384
#define MAX_WEB_HEAD       65536 /* octets of the headers of an answer */
#define MAX_WEB_URL        8192

struct web;

struct web_request {
    struct wait wait;
    struct list link;
    struct web *web; /* held */

    char *method, *url; /* owned */
    struct slice body;  /* owned; data NULL: none */
    struct curl_slist *headers;
    CURLU *place; /* owned: the URL, parsed */
    double seconds, connect_seconds;
    size_t max_body;
    unsigned redirects; /* that may still be followed */

    CURL *easy; /* owned; NULL: it waits in the queue, or is over */
    bool is_over;
    size_t head_len;
    uint64_t ends_at; /* ms of the loop */

    int status;
    struct writer head, answer; /* head: lines "name\0value\0" */
    char trouble[400];          /* not empty: why there is none */
};

/* Whether the URL may be asked for. NULL: yes; else words. */
const char *web_check(const struct host *host, CURLU *place, char *words, size_t len);

struct web_request *web_request_new(void);

/* Queues it. False with trouble when there are too many; it is the caller's then. The wait is done
 * when it is over; then or earlier web_request_leave must be called, once. */
bool web_start(struct host *host, struct web_request *request);
void web_request_leave(struct web_request *request);

/* Adds a header of the answer. */
void web_put_header(struct web_request *request, struct slice name, struct slice value);

/* For host_fini. */
void web_leave(struct host *host);

#endif
