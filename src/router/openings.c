/* openings.c -- realms that nobody has configured: who asks for them, and who waits.
 *
 * The first HELLO for such a realm is a question to the opener; it and those that come meanwhile
 * wait in the lobby, where hello_timeout bounds them. Asking is free for a stranger: so there are
 * bounds for the names that are asked for, for who waits, and for questions in a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "router/router_priv.h"
#include "wire/errors.h"

/* A realm that is asked for. */
struct asking {
    struct realm_request opening;
    struct map waiting; /* peer -> something */
    bool is_asked;      /* false: the realm of that name has to be gone first */
    struct blob *details;
    struct router *router;
    size_t name_len;
    char name[];
};

/* That a realm has closed, on its way to the opener. */
struct farewell {
    struct list link; /* router->farewells */
    struct router *router;
    char name[];
};

void openings_init(struct router *router, const struct realm_options *opener)
{
    if (opener == NULL)
        return;
    router->opener = realm_make(router, opener, opener->core.realm, strlen(opener->core.realm),
                                &router->workers[0]);
    realm_enter(router->opener);
    router->opening_tokens = router->options.opening_rate;
}

static void asking_free(struct asking *asking)
{
    map_fini(&asking->waiting);
    blob_drop(asking->details);
    transport_free(asking->opening.transport);
    mem_free(asking);
}

void openings_fini(struct router *router)
{
    const struct strmap_entry *at;
    size_t i = 0;

    while ((at = strmap_next(&router->openings, &i)) != NULL)
        asking_free(at->value);
    strmap_fini(&router->openings);
    list_each (&router->farewells, node, after)
        mem_free(container_of(node, struct farewell, link));
    if (router->opener != NULL)
        realm_free(router->opener);
}

/* ---- who asks ---- */

static void put_question(void *mind, void *ctx)
{
    struct asking *asking = ctx;

    asking->router->opener->decider->requested(mind, &asking->opening);
}

static void ask(struct asking *asking)
{
    asking->is_asked = true;
    mail_visit(asking->router->opener, put_question, asking);
}

/* As many as the rate allows, and at most those of one second at once. */
static bool take_token(struct router *router, uint64_t now)
{
    double rate = router->options.opening_rate;

    if (now > router->opening_at) { /* the clocks of workers differ a little */
        double tokens = router->opening_tokens + rate * (double)(now - router->opening_at) / 1000;

        router->opening_tokens = tokens < rate ? tokens : rate;
        router->opening_at = now;
    }
    if (router->opening_tokens < 1)
        return false;
    router->opening_tokens--;
    return true;
}

static struct asking *asking_new(struct peer *peer, struct slice name, const struct msg *hello)
{
    struct router *router = peer->worker->router;
    struct asking *asking = mem_zero(1, sizeof *asking + name.len + 1);

    memcpy(asking->name, name.data, name.len);
    asking->name_len = name.len;
    asking->router = router;
    asking->details = blob_copy(hello->dict);
    asking->opening = (struct realm_request){.realm = asking->name,
                                             .codec = hello->codec,
                                             .details = blob_slice(asking->details),
                                             .transport = transport_copy(&peer->transport)};
    map_init(&asking->waiting, router->session_ids.seed);
    strmap_put(&router->openings, slice_make(asking->name, name.len), asking);
    return asking;
}

bool openings_wait(struct peer *peer, struct slice name, const struct msg *hello, size_t len,
                   const char **reason, const char **words)
{
    struct router *router = peer->worker->router;
    struct asking *asking = strmap_get(&router->openings, name);

    if (len > MAX_AWAITING_SIZE) {
        *words = "no such realm is open, and the HELLO is too long to wait for one";
        return false;
    }
    *reason = NEXUS_RATE_LIMITED;
    *words = "too many wait for realms that are being opened";
    if (router->awaiting >= MAX_AWAITING)
        return false;
    if (asking == NULL) {
        *words = "too many realms are being asked for";
        if (router->openings.count >= MAX_OPENINGS ||
            !take_token(router, net_now(peer->worker->net)))
            return false;
        asking = asking_new(peer, name, hello);
        if (strmap_get(&router->realms, name) == NULL)
            ask(asking);
    }
    map_put(&asking->waiting, peer->id, 0, asking);
    router->awaiting++;
    return true;
}

void openings_leave(struct peer *peer)
{
    struct router *router = peer->worker->router;
    struct asking *asking;

    pthread_mutex_lock(&router->realms_lock);
    asking = strmap_get(&router->openings, slice_of(peer->awaits));
    if (asking != NULL && map_remove(&asking->waiting, peer->id, 0) != NULL)
        router->awaiting--;
    pthread_mutex_unlock(&router->realms_lock);
    mem_free(peer->awaits);
    peer->awaits = NULL;
}

/* ---- the answer ---- */

/* A place among the dynamic realms. */
static bool take_place(struct router *router, struct worker **home)
{
    bool is_free;

    pthread_mutex_lock(&router->realms_lock);
    is_free = router->dynamic_realms < router->options.max_dynamic_realms &&
              !atomic_load(&router->is_stopping);
    if (is_free) {
        router->dynamic_realms++;
        *home = &router->workers[router->next_home++ % router->worker_count];
    }
    pthread_mutex_unlock(&router->realms_lock);
    return is_free;
}

/* Made outside of the lock: a state of Lua may begin in it. */
static struct realm *make(struct asking *asking, const struct realm_options *options,
                          uint32_t idle_ms)
{
    struct router *router = asking->router;
    struct worker *home;
    struct realm *realm;

    if (!take_place(router, &home)) {
        log_line(LOG_WARN, "realm-not-opened", "as many dynamic realms are open as may", "realm",
                 asking->name, NULL);
        return NULL;
    }
    realm = realm_make(router, options, asking->name, asking->name_len, home);
    realm->idle_ms = idle_ms;
    atomic_store(&realm->idle_since, net_now(router->opener->home->net));
    return realm;
}

static void wake_all(struct asking *asking, bool is_open)
{
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&asking->waiting, &i)) != NULL)
        mail_awake(asking->router, at->a, is_open ? NULL : WAMP_NO_SUCH_REALM, "no such realm");
}

bool router_open(struct realm *opener, struct realm_request *opening,
                 const struct realm_options *options, uint32_t idle_ms)
{
    struct asking *asking = container_of(opening, struct asking, opening);
    struct router *router = opener->home->router;
    struct realm *realm = options == NULL ? NULL : make(asking, options, idle_ms);

    pthread_mutex_lock(&router->realms_lock);
    strmap_remove(&router->openings, slice_make(asking->name, asking->name_len));
    router->awaiting -= asking->waiting.count;
    if (realm != NULL) {
        strmap_put(&router->realms, slice_make(realm->name, realm->name_len), realm);
        realm_enter(realm);
    }
    pthread_mutex_unlock(&router->realms_lock);
    wake_all(asking, realm != NULL);
    if (realm != NULL) {
        log_line(LOG_INFO, "realm-opened", "realm opened", "realm", realm->name, NULL);
        if (opener->decider->opened != NULL)
            opener->decider->opened(opener->mind, realm->name);
    }
    asking_free(asking);
    return realm != NULL;
}

/* ---- a realm has closed ---- */

static void say_farewell(void *mind, void *ctx)
{
    struct farewell *farewell = ctx;
    struct router *router = farewell->router;

    pthread_mutex_lock(&router->realms_lock);
    list_remove(&farewell->link);
    pthread_mutex_unlock(&router->realms_lock);
    if (router->opener->decider->closed != NULL)
        router->opener->decider->closed(mind, farewell->name);
    mem_free(farewell);
}

void openings_resume(struct router *router, struct slice name)
{
    struct farewell *farewell = mem_zero(1, sizeof *farewell + name.len + 1);
    struct asking *asking = strmap_get(&router->openings, name);

    router->dynamic_realms--;
    farewell->router = router;
    memcpy(farewell->name, name.data, name.len);
    list_append(&router->farewells, &farewell->link);
    mail_visit(router->opener, say_farewell, farewell);
    if (asking != NULL && !asking->is_asked)
        ask(asking);
}
