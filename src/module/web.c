/* web.c -- see web.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "module/web_priv.h"

#include <stdio.h>
#include <strings.h>

/* ---- requests ---- */

struct web_request *web_request_new(void)
{
    struct web_request *request = mem_zero(1, sizeof(*request));

    list_init(&request->link);
    writer_init(&request->head, 0);
    writer_init(&request->answer, 0);
    return request;
}

static void stop(struct web_request *request)
{
    if (request->easy == NULL)
        return;
    curl_multi_remove_handle(request->web->multi, request->easy);
    curl_easy_cleanup(request->easy);
    request->easy = NULL;
    request->web->active--;
}

static void request_free(struct web_request *request)
{
    mem_free(request->method);
    mem_free(request->url);
    mem_free((void *)(uintptr_t)request->body.data);
    curl_slist_free_all(request->headers);
    curl_url_cleanup(request->place);
    writer_fini(&request->head);
    writer_fini(&request->answer);
    if (request->web != NULL) {
        request->web->waiting -= request->body.len;
        web_drop(request->web);
    }
    mem_free(request);
}

void web_put_header(struct web_request *request, struct slice name, struct slice value)
{
    char *at;

    writer_write(&request->head, name.data, name.len);
    at = request->head.blob->data + request->head.len - name.len;
    for (size_t i = 0; i < name.len; i++)
        at[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 'a' - 'A' : at[i]);
    writer_put(&request->head, '\0');
    writer_write(&request->head, value.data, value.len);
    writer_put(&request->head, '\0');
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct web_request *request = ctx;
    size_t len = size * count;

    if (request->answer.len + len > request->max_body) {
        snprintf(request->trouble, sizeof(request->trouble),
                 "the answer is longer than %zu octets (max_size)", request->max_body);
        return len + 1;
    }
    writer_write(&request->answer, data, len);
    return len;
}

static struct slice trimmed(struct slice text)
{
    while (text.len != 0 && strchr(" \t\r\n", *text.data) != NULL)
        text = slice_make(text.data + 1, text.len - 1);
    while (text.len != 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL)
        text.len--;
    return text;
}

/* A line of the head. A status line begins another one, such as behind "100 Continue". */
static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
    struct web_request *request = ctx;
    size_t len = size * count;
    const char *colon = memchr(data, ':', len);

    request->head_len += len;
    if (request->head_len > MAX_WEB_HEAD) {
        snprintf(request->trouble, sizeof(request->trouble),
                 "the headers of the answer are longer than %d octets", MAX_WEB_HEAD);
        return len + 1;
    }
    if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
        writer_fini(&request->head);
        writer_init(&request->head, 0);
    } else if (colon != NULL && colon != data && memchr(data, '\0', len) == NULL) {
        size_t name_len = (size_t)(colon - data);

        web_put_header(request, slice_make(data, name_len),
                       trimmed(slice_make(colon + 1, len - name_len - 1)));
    }
    return len;
}

static void set_method(const struct web_request *request, CURL *easy)
{
    if (strcmp(request->method, "GET") == 0 && request->body.data == NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body.data != NULL || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         request->body.data == NULL ? "" : request->body.data);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static long ms_of(double seconds)
{
    long ms = (long)(seconds * 1000);

    return ms < 1 ? 1 : ms;
}

static void begin(struct web_request *request)
{
    struct web *web = request->web;
    uint64_t now = uv_now(web->loop);
    long left = request->ends_at > now ? (long)(request->ends_at - now) : 1;
    CURL *easy = curl_easy_init();

    CHECK(easy != NULL);
    request->easy = easy;
    web->active++;
    curl_easy_setopt(easy, CURLOPT_CURLU, request->place);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* resolving is not waited for */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");      /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms_of(request->connect_seconds));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (web->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, web->ca_file);
    set_method(request, easy);
    list_append(&web->running, &request->link);
    (void)curl_multi_add_handle(web->multi, easy);
}

static void begin_more(struct web *web)
{
    struct list *node;

    while (!web->is_left && web->active < MAX_WEB_ACTIVE &&
           (node = list_first(&web->queue)) != NULL) {
        list_remove(node);
        web->queued--;
        begin(container_of(node, struct web_request, link));
    }
}

/* ---- the end of a request ---- */

static void finish(struct web_request *request)
{
    stop(request);
    if (list_is_linked(&request->link))
        list_remove(&request->link);
    request->is_over = true;
    wait_done(&request->wait);
}

static bool is_redirection(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Credentials are not for another host. */
static void drop_credentials(struct web_request *request)
{
    struct curl_slist *kept = NULL;

    for (const struct curl_slist *at = request->headers; at != NULL; at = at->next) {
        if (strncasecmp(at->data, "authorization:", 14) != 0 &&
            strncasecmp(at->data, "cookie:", 7) != 0)
            kept = curl_slist_append(kept, at->data);
    }
    curl_slist_free_all(request->headers);
    request->headers = kept;
}

static void become_get(struct web_request *request)
{
    if (strcmp(request->method, "HEAD") == 0)
        return;
    mem_free(request->method);
    request->method = mem_copy("GET", 3);
    request->web->waiting -= request->body.len;
    mem_free((void *)(uintptr_t)request->body.data);
    request->body = (struct slice){0};
}

/* True when the request goes on elsewhere. */
static bool follow(struct web_request *request)
{
    struct web *web = request->web;
    char *location = NULL, words[300];
    CURLU *place;

    if (!is_redirection(request->status) || request->redirects == 0 ||
        curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
        location == NULL)
        return false;
    place = curl_url();
    CHECK(place != NULL);
    if (strlen(location) > MAX_WEB_URL ||
        curl_url_set(place, CURLUPART_URL, location, 0) != CURLUE_OK) {
        snprintf(request->trouble, sizeof(request->trouble), "redirected to what is no URL");
    } else if (web_check_place((const char *const *)web->hosts, place, words, sizeof(words)) !=
               NULL) {
        snprintf(request->trouble, sizeof(request->trouble), "redirected: %s", words);
    }
    if (request->trouble[0] != '\0') {
        curl_url_cleanup(place);
        return false;
    }
    if (!web_is_same_host(request->place, place))
        drop_credentials(request);
    if (request->status == 303 ||
        (request->status != 307 && request->status != 308 && strcmp(request->method, "POST") == 0))
        become_get(request);
    stop(request);
    list_remove(&request->link);
    curl_url_cleanup(request->place);
    request->place = place;
    request->redirects--;
    request->head_len = 0;
    writer_fini(&request->head);
    writer_init(&request->head, 0);
    writer_fini(&request->answer);
    writer_init(&request->answer, 0);
    begin(request);
    return true;
}

static void explain(struct web_request *request, CURLcode code)
{
    long os_error = 0;

    if (request->trouble[0] != '\0')
        return;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        curl_off_t connected = 0;

        curl_easy_getinfo(request->easy, CURLINFO_CONNECT_TIME_T, &connected);
        snprintf(request->trouble, sizeof(request->trouble), "no %s within %g s",
                 connected == 0 ? "connection" : "answer",
                 connected == 0 && request->connect_seconds < request->seconds
                     ? request->connect_seconds
                     : request->seconds);
        return;
    }
    curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_error);
    snprintf(request->trouble, sizeof(request->trouble), "%s%s%s", curl_easy_strerror(code),
             os_error == 0 ? "" : ": ", os_error == 0 ? "" : strerror((int)os_error));
}

void web_collect(struct web *web)
{
    const CURLMsg *message;
    int left;

    while (web->multi != NULL && (message = curl_multi_info_read(web->multi, &left)) != NULL) {
        struct web_request *request = NULL;
        CURLcode code = message->data.result;
        long status = 0;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        request->status = (int)status;
        if (code != CURLE_OK)
            explain(request, code);
        else if (follow(request))
            continue;
        finish(request);
    }
    begin_more(web);
}

/* ---- from outside ---- */

bool web_start(struct host *host, struct web_request *request)
{
    struct web *web = host->web;

    if (web == NULL)
        web = host->web = web_new(host);
    if (web->queued >= MAX_WEB_QUEUED) {
        snprintf(request->trouble, sizeof(request->trouble),
                 "%u requests wait already; allowed are %d", web->queued, MAX_WEB_QUEUED);
        return false;
    }
    if (web->waiting + request->body.len > MAX_WEB_WAITING) {
        snprintf(request->trouble, sizeof(request->trouble),
                 "%zu octets wait to be sent already; allowed are %d", web->waiting,
                 MAX_WEB_WAITING);
        return false;
    }
    uv_update_time(web->loop);
    request->web = web;
    web->waiting += request->body.len;
    web->refs++;
    request->ends_at = uv_now(web->loop) + (uint64_t)ms_of(request->seconds);
    list_append(&web->queue, &request->link);
    web->queued++;
    begin_more(web);
    return true;
}

void web_request_leave(struct web_request *request)
{
    struct web *web = request->web;

    if (web != NULL && !request->is_over) {
        if (request->easy == NULL)
            web->queued--;
        stop(request);
        list_remove(&request->link);
        web->refs++;
        request_free(request);
        begin_more(web);
        web_drop(web);
        return;
    }
    request_free(request);
}

void web_leave(struct host *host)
{
    struct web *web = host->web;
    struct list *node;

    if (web == NULL)
        return;
    host->web = NULL;
    web->is_left = true;
    while ((node = list_first(&web->queue)) != NULL || (node = list_first(&web->running)) != NULL) {
        struct web_request *request = container_of(node, struct web_request, link);

        list_remove(node);
        stop(request);
        snprintf(request->trouble, sizeof(request->trouble), "the policy ends");
        request->is_over = true;
    }
    web_end(web);
}
