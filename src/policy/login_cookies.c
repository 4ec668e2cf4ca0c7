/* login_cookies.c -- see login_cookies.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/login_cookies.h"

#include "auth/digest.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "wire/codec.h"

#include <pthread.h>

struct bound {
    unsigned char hash[DIGEST_LEN];
    struct list link; /* the one used last at the end */
    struct list uses;
    uint64_t until;
    struct memory memory;
};

/* A session that is there by a cookie. */
struct use {
    struct list link;
    uint64_t session;
    struct bound *bound;
};

/* How many realms know it. */
struct known {
    unsigned char hash[DIGEST_LEN];
    unsigned count;
};

struct cookie_board {
    pthread_mutex_t lock;
    struct strmap by_hash; /* of known, owned */
};

struct cookies {
    struct cookie_board *board;     /* borrowed, or own_board */
    struct cookie_board *own_board; /* owned */
    struct strmap by_hash;          /* of bound, owned */
    struct list order;
    struct map uses; /* session -> use, owned */
};

void memory_drop(struct memory *memory)
{
    blob_drop(memory->record);
    blob_drop(memory->identity);
    blob_drop(memory->authid);
    *memory = (struct memory){0};
}

/* ---- what all realms know ---- */

static struct slice hash_slice(const unsigned char hash[DIGEST_LEN])
{
    return slice_make((const char *)hash, DIGEST_LEN);
}

struct cookie_board *cookie_board_new(struct rng *rng)
{
    struct cookie_board *board = mem_zero(1, sizeof(*board));

    pthread_mutex_init(&board->lock, NULL);
    strmap_init(&board->by_hash, rng_u64(rng), rng_u64(rng));
    return board;
}

void cookie_board_free(struct cookie_board *board)
{
    if (board == NULL)
        return;
    CHECK(board->by_hash.count == 0);
    strmap_fini(&board->by_hash);
    pthread_mutex_destroy(&board->lock);
    mem_free(board);
}

bool cookie_board_has(struct cookie_board *board, const char *cookie)
{
    unsigned char hash[DIGEST_LEN];
    bool is_there;

    digest_sha256(slice_of(cookie), hash);
    pthread_mutex_lock(&board->lock);
    is_there = strmap_get(&board->by_hash, hash_slice(hash)) != NULL;
    pthread_mutex_unlock(&board->lock);
    return is_there;
}

static void board_add(struct cookie_board *board, const unsigned char hash[DIGEST_LEN])
{
    struct known *known;

    pthread_mutex_lock(&board->lock);
    known = strmap_get(&board->by_hash, hash_slice(hash));
    if (known == NULL) {
        known = mem_zero(1, sizeof(*known));
        memcpy(known->hash, hash, DIGEST_LEN);
        strmap_put(&board->by_hash, hash_slice(known->hash), known);
    }
    known->count++;
    pthread_mutex_unlock(&board->lock);
}

static void board_remove(struct cookie_board *board, const unsigned char hash[DIGEST_LEN])
{
    struct known *known;

    pthread_mutex_lock(&board->lock);
    known = strmap_get(&board->by_hash, hash_slice(hash));
    if (--known->count == 0) {
        strmap_remove(&board->by_hash, hash_slice(known->hash));
        mem_free(known);
    }
    pthread_mutex_unlock(&board->lock);
}

/* ---- bindings ---- */

static struct bound *find(const struct cookies *cookies, const char *cookie)
{
    unsigned char hash[DIGEST_LEN];

    digest_sha256(slice_of(cookie), hash);
    return strmap_get(&cookies->by_hash, hash_slice(hash));
}

static void use_free(struct cookies *cookies, struct use *use)
{
    list_remove(&use->link);
    map_remove(&cookies->uses, use->session, 0);
    mem_free(use);
}

static void forget(struct cookies *cookies, struct bound *bound)
{
    list_each (&bound->uses, node, after)
        use_free(cookies, container_of(node, struct use, link));
    list_remove(&bound->link);
    strmap_remove(&cookies->by_hash, hash_slice(bound->hash));
    board_remove(cookies->board, bound->hash);
    memory_drop(&bound->memory);
    mem_free(bound);
}

static struct bound *bound_new(struct cookies *cookies, const char *cookie)
{
    struct bound *bound = mem_zero(1, sizeof(*bound));
    struct list *oldest = list_first(&cookies->order);

    if (oldest != NULL && cookies->by_hash.count >= MAX_COOKIES)
        forget(cookies, container_of(oldest, struct bound, link));
    digest_sha256(slice_of(cookie), bound->hash);
    list_init(&bound->uses);
    list_append(&cookies->order, &bound->link);
    strmap_put(&cookies->by_hash, hash_slice(bound->hash), bound);
    board_add(cookies->board, bound->hash);
    return bound;
}

static void add_use(struct cookies *cookies, struct bound *bound, uint64_t session)
{
    struct use *use = mem_zero(1, sizeof(*use));

    use->session = session;
    use->bound = bound;
    list_append(&bound->uses, &use->link);
    map_put(&cookies->uses, session, 0, use);
}

/* ---- what is remembered ---- */

static void put_given(struct encoder *e, const struct auth_record *record)
{
    encode_text_pair(e, "authrole", record->authrole);
    if (record->extra.len != 0) {
        encode_text(e, SLICE("extra"));
        encode_value(e, record->codec, record->extra);
    }
    if (record->attributes.len != 0) {
        encode_text(e, SLICE("attributes"));
        encode_value(e, record->codec, record->attributes);
    }
    if (record->has_trustlevel) {
        encode_text(e, SLICE("trustlevel"));
        encode_uint(e, record->trustlevel);
    }
    if (record->expires_at != 0) {
        encode_text(e, SLICE("expires"));
        encode_uint(e, record->expires_at);
    }
}

static struct blob *write(const struct proof *proof, bool is_identity)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 256);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text_pair(&e, "authid", proof->authid);
    if (is_identity) {
        encode_text_pair(&e, "authmethod", proof->authmethod);
        encode_text_pair(&e, "authprovider", proof->authprovider);
    }
    put_given(&e, proof->record);
    encode_end(&e);
    return encode_finish(&e);
}

/* ---- the cookies of a realm ---- */

struct cookies *cookies_new(struct cookie_board *board, struct rng *rng)
{
    struct cookies *cookies = mem_zero(1, sizeof(*cookies));

    cookies->own_board = board == NULL ? cookie_board_new(rng) : NULL;
    cookies->board = board == NULL ? cookies->own_board : board;
    strmap_init(&cookies->by_hash, rng_u64(rng), rng_u64(rng));
    map_init(&cookies->uses, rng_u64(rng));
    list_init(&cookies->order);
    return cookies;
}

void cookies_free(struct cookies *cookies)
{
    if (cookies == NULL)
        return;
    list_each (&cookies->order, node, after)
        forget(cookies, container_of(node, struct bound, link));
    strmap_fini(&cookies->by_hash);
    map_fini(&cookies->uses);
    cookie_board_free(cookies->own_board);
    mem_free(cookies);
}

bool cookies_find(struct cookies *cookies, const char *cookie, uint64_t wall, struct memory *memory)
{
    struct bound *bound = find(cookies, cookie);

    if (bound == NULL)
        return false;
    if (bound->until <= wall) {
        forget(cookies, bound);
        return false;
    }
    list_remove(&bound->link);
    list_append(&cookies->order, &bound->link);
    *memory = (struct memory){.record = blob_hold(bound->memory.record),
                              .identity = blob_hold(bound->memory.identity),
                              .authid = blob_hold(bound->memory.authid)};
    return true;
}

/* Sessions that were there by the cookie before are of somebody who has proved it as well; they
 * are not ended by a logout of this one. */
void cookies_bind(struct cookies *cookies, const char *cookie, bool is_new,
                  const struct proof *proof)
{
    struct bound *bound = find(cookies, cookie);
    bool is_theirs =
        is_new || (bound != NULL && slice_eq(blob_slice(bound->memory.authid), proof->authid));

    if (bound != NULL)
        forget(cookies, bound);
    if (!is_theirs)
        return;
    bound = bound_new(cookies, cookie);
    bound->until = proof->until;
    bound->memory = (struct memory){.record = write(proof, false),
                                    .identity = write(proof, true),
                                    .authid = blob_copy(proof->authid)};
    add_use(cookies, bound, proof->session);
}

void cookies_use(struct cookies *cookies, const char *cookie, uint64_t session)
{
    struct bound *bound = find(cookies, cookie);

    if (bound != NULL)
        add_use(cookies, bound, session);
}

void cookies_left(struct cookies *cookies, uint64_t session, bool is_logout,
                  void (*other)(void *ctx, uint64_t session), void *ctx)
{
    struct use *use = map_get(&cookies->uses, session, 0);
    uint64_t *others;
    size_t count = 0;

    if (use == NULL)
        return;
    if (!is_logout) {
        use_free(cookies, use);
        return;
    }
    list_each (&use->bound->uses, node, after)
        count++;
    others = mem_alloc(count * sizeof(*others));
    count = 0;
    list_each (&use->bound->uses, node, after) {
        if (container_of(node, struct use, link) != use)
            others[count++] = container_of(node, struct use, link)->session;
    }
    forget(cookies, use->bound);
    for (size_t i = 0; i < count; i++)
        other(ctx, others[i]);
    mem_free(others);
}
