/* auth_choose.c -- the table of methods, and which of them is tried.
 *
 * WAMP: "Authentication".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"

static const struct auth_method *const methods[] = {
    &auth_anonymous, &auth_ticket,     &auth_wampcra, &auth_wamp_scram,
    &auth_scram,     &auth_cryptosign, &auth_tls,     &auth_cookie,
};

const struct auth_method *auth_method_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (slice_eq(slice_of(methods[i]->name), name))
            return methods[i];
    return NULL;
}

const char *auth_method_name(const struct auth_method *method)
{
    return method->name;
}

static bool has_extra(const struct auth_request *request, const char *key)
{
    struct token token;
    struct arena arena;
    bool is_there;

    arena_init(&arena);
    is_there = auth_find(request->codec, request->authextra, key, &arena, &token);
    arena_fini(&arena);
    return is_there;
}

const char *auth_method_lacks(const struct auth_method *method, const struct auth_request *request)
{
    if (method->needs_authid && request->authid.len == 0)
        return "authid";
    if (method->needs_certificate && request->certificate == NULL)
        return "client certificate";
    if (method->needs_cookie && !request->has_cookie)
        return "cookie that is known here";
    if (method->needs_extra == NULL ||
        has_extra(request, method->needs_extra + strlen("authextra.")))
        return NULL;
    return method->needs_extra;
}

/* What the walk over the list has seen, for the words of a refusal. */
struct choice {
    const struct auth_menu *menu;
    const struct auth_request *request;
    const struct auth_offer *skipped; /* the first that lacks something */
    const char *missing;
    bool has_asked_for_more; /* than anonymous */
};

/* The offer of that name when it can be used. */
static const struct auth_offer *try_offer(struct choice *c, const struct auth_offer *offer)
{
    const char *missing;

    if (offer->method == NULL)
        return offer->is_ready ? offer : NULL;
    missing = auth_method_lacks(offer->method, c->request);
    if (missing == NULL)
        return offer;
    /* No client can know whether its cookie is known. */
    if (c->skipped == NULL && !offer->method->needs_cookie) {
        c->skipped = offer;
        c->missing = missing;
    }
    return NULL;
}

static const struct auth_offer *try_name(struct choice *c, struct slice name)
{
    if (!slice_eq(name, SLICE("anonymous")))
        c->has_asked_for_more = true;
    for (size_t i = 0; i < c->menu->count; i++)
        if (slice_eq(c->menu->offers[i].name, name))
            return try_offer(c, &c->menu->offers[i]);
    return NULL;
}

/* The lower, the better; all that are not preferred are alike. */
static size_t rank(const struct choice *c, const struct auth_offer *offer)
{
    size_t at = (size_t)(offer - c->menu->offers);

    return at < c->menu->preferred ? at : c->menu->preferred;
}

/* The best offer that the list leads to, and of those alike the first. */
static const struct auth_offer *walk_list(struct choice *c, struct slice list, struct arena *arena)
{
    const struct auth_offer *best = NULL;
    struct dict_walk walk;

    list_walk(&walk, c->request->codec, list, arena);
    while (list_next(&walk)) {
        const struct auth_offer *offer;

        if (walk.token.type != TOKEN_TEXT)
            continue;
        offer = try_name(c, walk.token.text);
        if (offer != NULL && (best == NULL || rank(c, offer) < rank(c, best)))
            best = offer;
    }
    return best;
}

static bool is_empty_list(enum codec codec, struct slice list, struct arena *arena)
{
    struct dict_walk walk;

    list_walk(&walk, codec, list, arena);
    return !list_next(&walk);
}

static void explain(const struct choice *c, struct fault *fault)
{
    bool has_others = false;

    for (size_t i = 0; i < c->menu->count; i++)
        has_others |= !slice_eq(c->menu->offers[i].name, SLICE("anonymous"));
    if (c->skipped != NULL)
        (void)fault_set(fault, ERR_DENIED, WAMP_AUTHENTICATION_FAILED, "%s: HELLO has no %s",
                        auth_method_name(c->skipped->method), c->missing);
    else if (!c->has_asked_for_more && has_others)
        (void)fault_set(fault, ERR_DENIED, WAMP_AUTHENTICATION_REQUIRED,
                        "anonymous sessions are not allowed here");
    else
        (void)fault_set(fault, ERR_DENIED, WAMP_NO_MATCHING_AUTH_METHOD,
                        "none of the authmethods of the client is offered here");
}

const struct auth_offer *auth_choose(const struct auth_menu *menu,
                                     const struct auth_request *request, struct slice authmethods,
                                     struct fault *fault)
{
    struct choice c = {.menu = menu, .request = request};
    const struct auth_offer *offer;
    struct arena arena;

    arena_init(&arena);
    if (is_empty_list(request->codec, authmethods, &arena)) {
        /* Somebody who is known by the connection need not ask for it. */
        offer = try_name(&c, SLICE("cookie"));
        c.has_asked_for_more = false;
        if (offer == NULL)
            offer = try_name(&c, SLICE("anonymous"));
    } else {
        offer = walk_list(&c, authmethods, &arena);
    }
    arena_fini(&arena);
    if (offer == NULL)
        explain(&c, fault);
    return offer;
}
