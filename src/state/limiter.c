/* limiter.c -- see limiter.h.
 *
 * All buckets of a set are in one list, those used last at its end. Each take looks
 * at two at its beginning: full ones go, others move to the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/limiter.h"

#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "state/index.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#define LOOKED_AT 2
#define SAMPLE    8
#define ROUNDING  1e-9 /* of what a bucket holds: what is due after retry_after is there then */

struct limiter {
    struct list link; /* limiters->named */
    struct limiters *set;
    char *name;
    double rate, burst;
    uint64_t id;
};

struct bucket {
    struct index_node node;
    struct list link; /* limiters->buckets */
    struct limiter *limiter;
    double level; /* at `at` */
    uint64_t at;
    uint32_t key_len;
    char key[];
};

struct limiters {
    pthread_mutex_t lock;
    struct list named, buckets;
    struct index index;
    size_t max_buckets, count; /* count: of limiters */
    uint64_t seed[2];
};

struct limiters *limiters_new(size_t max_buckets)
{
    struct limiters *set = mem_zero(1, sizeof(*set));
    ssize_t got;

    do
        got = getrandom(set->seed, sizeof(set->seed), 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == (ssize_t)sizeof(set->seed));
    set->max_buckets = max_buckets == 0 ? LIMITER_BUCKETS : max_buckets;
    pthread_mutex_init(&set->lock, NULL);
    list_init(&set->named);
    list_init(&set->buckets);
    index_init(&set->index);
    return set;
}

void limiters_free(struct limiters *set)
{
    if (set == NULL)
        return;
    list_each (&set->buckets, link, after)
        mem_free(container_of(link, struct bucket, link));
    list_each (&set->named, link, after) {
        struct limiter *limiter = container_of(link, struct limiter, link);

        mem_free(limiter->name);
        mem_free(limiter);
    }
    index_fini(&set->index);
    pthread_mutex_destroy(&set->lock);
    mem_free(set);
}

static struct limiter *find_limiter(struct limiters *set, struct slice name)
{
    list_each (&set->named, link, after) {
        struct limiter *limiter = container_of(link, struct limiter, link);

        if (slice_eq(slice_of(limiter->name), name))
            return limiter;
    }
    return NULL;
}

struct limiter *limiter_open(struct limiters *set, struct slice name, double rate, double burst)
{
    struct limiter *limiter;

    pthread_mutex_lock(&set->lock);
    limiter = find_limiter(set, name);
    if (limiter == NULL && set->count < LIMITERS_MAX) {
        limiter = mem_zero(1, sizeof(*limiter));
        limiter->set = set;
        limiter->name = mem_copy(name.data, name.len);
        limiter->id = set->count++;
        list_append(&set->named, &limiter->link);
    }
    if (limiter != NULL) {
        limiter->rate = rate;
        limiter->burst = burst;
    }
    pthread_mutex_unlock(&set->lock);
    return limiter;
}

/* ---- buckets, the lock held ---- */

static double level_of(const struct bucket *bucket, uint64_t now)
{
    const struct limiter *limiter = bucket->limiter;
    double passed = now > bucket->at ? (double)(now - bucket->at) / 1000 : 0;
    double level = bucket->level + passed * limiter->rate;

    return level < limiter->burst ? level : limiter->burst;
}

static void bucket_free(struct limiters *set, struct bucket *bucket)
{
    index_remove(&set->index, &bucket->node);
    list_remove(&bucket->link);
    mem_free(bucket);
}

static void sweep(struct limiters *set, uint64_t now)
{
    for (unsigned i = 0; i < LOOKED_AT; i++) {
        struct list *link = list_first(&set->buckets);
        struct bucket *bucket;

        if (link == NULL)
            return;
        bucket = container_of(link, struct bucket, link);
        if (level_of(bucket, now) >= bucket->limiter->burst) {
            bucket_free(set, bucket);
            continue;
        }
        list_remove(link);
        list_append(&set->buckets, link);
    }
}

/* The fullest one of some goes. */
static void make_room(struct limiters *set, uint64_t now)
{
    struct bucket *fullest = NULL;
    double best = -1;

    for (unsigned i = 0; i < SAMPLE; i++) {
        struct list *link = list_first(&set->buckets);
        struct bucket *bucket;
        double share;

        CHECK(link != NULL);
        bucket = container_of(link, struct bucket, link);
        share = level_of(bucket, now) / bucket->limiter->burst;
        list_remove(&bucket->link);
        list_append(&set->buckets, &bucket->link);
        if (share > best) {
            best = share;
            fullest = bucket;
        }
    }
    if (fullest != NULL)
        bucket_free(set, fullest);
}

static struct bucket *find_bucket(struct limiter *limiter, struct slice key, uint64_t hash)
{
    struct index_node *node = index_chain(&limiter->set->index, hash);

    for (; node != NULL; node = node->next) {
        struct bucket *bucket = container_of(node, struct bucket, node);

        if (node->hash == hash && bucket->limiter == limiter &&
            slice_eq(slice_make(bucket->key, bucket->key_len), key))
            return bucket;
    }
    return NULL;
}

static struct bucket *bucket_new(struct limiter *limiter, struct slice key, uint64_t hash,
                                 uint64_t now)
{
    struct limiters *set = limiter->set;
    struct bucket *bucket;

    if (set->index.count >= set->max_buckets)
        make_room(set, now);
    bucket = mem_alloc(index_node_room(sizeof(*bucket) + key.len));
    *bucket = (struct bucket){.node.hash = hash,
                              .limiter = limiter,
                              .level = limiter->burst,
                              .at = now,
                              .key_len = (uint32_t)key.len};
    if (key.len != 0)
        memcpy(bucket->key, key.data, key.len);
    index_put(&set->index, &bucket->node);
    list_append(&set->buckets, &bucket->link);
    return bucket;
}

bool limiter_take(struct limiter *limiter, struct slice key, double n, uint64_t now_ms,
                  double *retry_after_s)
{
    struct limiters *set = limiter->set;
    uint64_t hash = hash_bytes(key, set->seed[0] ^ limiter->id, set->seed[1]);
    struct bucket *bucket;
    bool is_taken;

    pthread_mutex_lock(&set->lock);
    sweep(set, now_ms);
    bucket = find_bucket(limiter, key, hash);
    if (bucket == NULL)
        bucket = bucket_new(limiter, key, hash, now_ms);
    bucket->level = level_of(bucket, now_ms);
    bucket->at = now_ms > bucket->at ? now_ms : bucket->at;
    is_taken = bucket->level + ROUNDING * limiter->burst >= n;
    if (is_taken)
        bucket->level = bucket->level > n ? bucket->level - n : 0;
    *retry_after_s = is_taken ? 0 : (n - bucket->level) / limiter->rate;
    pthread_mutex_unlock(&set->lock);
    return is_taken;
}

double limiter_burst(struct limiter *limiter)
{
    double burst;

    pthread_mutex_lock(&limiter->set->lock);
    burst = limiter->burst;
    pthread_mutex_unlock(&limiter->set->lock);
    return burst;
}

size_t limiters_count(struct limiters *set)
{
    size_t count;

    pthread_mutex_lock(&set->lock);
    count = set->index.count;
    pthread_mutex_unlock(&set->lock);
    return count;
}
