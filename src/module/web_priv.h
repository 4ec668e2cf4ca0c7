/* web_priv.h -- what the files of web.h share.
 *
 * web.c has the requests, web_loop.c runs libcurl for them, web_place.c says where they may go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_WEB_PRIV_H
#define NEXUS_MODULE_WEB_PRIV_H

#include "module/web.h"

#include <uv.h>

struct web {
    CURLM *multi; /* owned */
    uv_loop_t *loop;
    uv_timer_t timer;
    struct list queue, running;
    unsigned queued, active;
    size_t waiting; /* octets of bodies that are to be sent */
    unsigned refs;  /* the host's, one for each request, the timer and each socket */
    char **hosts;  /* owned: a copy of the configuration's, which may be gone before requests are */
    char *ca_file; /* owned */
    bool is_left;
};

/* ---- web_loop.c ---- */

/* One reference is the caller's. */
struct web *web_new(const struct host *host);
void web_drop(struct web *web);
/* Lets go of libcurl and the loop, and of the caller's reference. No request runs any more. */
void web_end(struct web *web);

/* ---- web.c ---- */

/* Ends the requests that libcurl is done with, and begins others. */
void web_collect(struct web *web);

/* ---- web_place.c ---- */

/* As web_check, with the hosts themselves. */
const char *web_check_place(const char *const *hosts, CURLU *place, char *words, size_t len);

/* Scheme, host and port are the same. */
bool web_is_same_host(CURLU *a, CURLU *b);

#endif
