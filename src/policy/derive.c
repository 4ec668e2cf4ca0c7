/* derive.c -- see derive.h.
 *
 * Everything here but the desks' own lists is shared, and under one lock; a run belongs to its
 * thread from when it is taken until it is put down again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/derive.h"

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "policy/login_settings.h"

#include <uv.h>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Behind the loops of workers, whatever the machine has to do. */
#define NICENESS 10

/* What a thread works on; `derivation` is NULL when nobody waits for it any more. */
struct derive_run {
    struct list link; /* of a lane, or of the desk when it is done */
    struct derivation *derivation;
    struct derive_desk *desk;
    struct auth_job *job; /* owned */
    struct lane *lane;    /* NULL: it is being run, or is done */
};

struct lane {
    struct list link; /* of pool.lanes */
    struct list runs;
    size_t count;
    char address[DERIVE_ADDRESS_LEN];
};

struct derive_desk {
    uv_async_t bell;
    struct list done; /* under the lock */
};

/* Who opens and closes desks; taken before the other lock. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    unsigned desks;
    bool is_ending;
    unsigned thread_count;
    pthread_t threads[DERIVE_MAX_THREADS];
    struct strmap by_address; /* of lanes */
    struct list lanes;        /* owned; whose turn it is first */
    size_t waiting;
    uint64_t memory; /* of those that run */
    unsigned running;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static uint64_t memory_of(const struct auth_job *job)
{
    return job->kdf.kind == KDF_ARGON2ID ? (uint64_t)job->kdf.memory << 10 : 0;
}

/* ---- lanes; under the lock ---- */

static struct lane *lane_of(const char *address)
{
    struct slice key = slice_of(address);
    struct lane *lane = strmap_get(&pool.by_address, key);

    if (lane != NULL)
        return lane;
    lane = mem_zero(1, sizeof(*lane));
    memcpy(lane->address, key.data,
           key.len < DERIVE_ADDRESS_LEN ? key.len : DERIVE_ADDRESS_LEN - 1);
    list_init(&lane->runs);
    list_append(&pool.lanes, &lane->link);
    strmap_put(&pool.by_address, slice_of(lane->address), lane);
    return lane;
}

/* Out of its lane, and that out of the pool when it was the last. */
static void take_out(struct derive_run *run)
{
    struct lane *lane = run->lane;

    list_remove(&run->link);
    run->lane = NULL;
    pool.waiting--;
    list_remove(&lane->link);
    if (--lane->count != 0) {
        list_append(&pool.lanes, &lane->link);
        return;
    }
    strmap_remove(&pool.by_address, slice_of(lane->address));
    mem_free(lane);
}

/* The run whose turn it is, if there is memory for it. */
static struct derive_run *next_run(void)
{
    struct list *lane = list_first(&pool.lanes), *first;
    struct derive_run *run;

    if (lane == NULL)
        return NULL;
    first = list_first(&container_of(lane, struct lane, link)->runs);
    CHECK(first != NULL);
    run = container_of(first, struct derive_run, link);
    if (pool.running != 0 && pool.memory + memory_of(run->job) > DERIVE_MEMORY)
        return NULL;
    take_out(run);
    return run;
}

static void run_free(struct derive_run *run)
{
    auth_job_free(run->job);
    mem_free(run);
}

/* ---- threads ---- */

static void carry_out(struct derive_run *run)
{
    uint64_t memory = memory_of(run->job);

    pool.memory += memory;
    pool.running++;
    pthread_mutex_unlock(&pool.lock);
    auth_job_run(run->job);
    pthread_mutex_lock(&pool.lock);
    pool.memory -= memory;
    pool.running--;
    pthread_cond_broadcast(&pool.work); /* there is memory for another */
    if (run->derivation == NULL) {
        run_free(run);
        return;
    }
    list_append(&run->desk->done, &run->link);
    uv_async_send(&run->desk->bell);
}

static void *on_thread(void *ctx)
{
    (void)ctx;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    pthread_mutex_lock(&pool.lock);
    while (!pool.is_ending) {
        struct derive_run *run = next_run();

        if (run == NULL)
            pthread_cond_wait(&pool.work, &pool.lock);
        else
            carry_out(run);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* Half of the machine at most. Under the lock. False when there is not one thread. */
static bool has_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = cpus < 4                        ? 1
                      : cpus / 2 > DERIVE_MAX_THREADS ? DERIVE_MAX_THREADS
                                                      : (unsigned)(cpus / 2);

    while (pool.thread_count < wanted &&
           pthread_create(&pool.threads[pool.thread_count], NULL, on_thread, NULL) == 0)
        pool.thread_count++;
    return pool.thread_count != 0;
}

/* ---- desks ---- */

static void on_bell(uv_async_t *bell)
{
    struct derive_desk *desk = bell->data;

    for (;;) {
        struct derive_run *run = NULL;
        struct list *first;

        pthread_mutex_lock(&pool.lock);
        first = list_first(&desk->done);
        if (first != NULL) {
            run = container_of(first, struct derive_run, link);
            list_remove(first);
        }
        pthread_mutex_unlock(&pool.lock);
        if (run == NULL)
            return;
        struct derivation *derivation = run->derivation;
        struct auth_job *job = run->job;

        mem_free(run);
        derivation->job = NULL;
        derivation->done(derivation, job);
    }
}

struct derive_desk *derive_open(struct uv_loop_s *loop)
{
    struct derive_desk *desk = mem_zero(1, sizeof(*desk));
    uint64_t seeds[2];

    list_init(&desk->done);
    CHECK(uv_async_init(loop, &desk->bell, on_bell) == 0);
    desk->bell.data = desk;
    login_fill_random(NULL, seeds, sizeof(seeds));
    pthread_mutex_lock(&opening);
    pthread_mutex_lock(&pool.lock);
    if (pool.desks++ == 0) {
        list_init(&pool.lanes);
        strmap_init(&pool.by_address, seeds[0], seeds[1]);
    }
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&opening);
    return desk;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* Under the lock, which the threads get for a while. */
static void end_threads(void)
{
    unsigned count = pool.thread_count;

    pool.is_ending = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < count; i++)
        pthread_join(pool.threads[i], NULL);
    pthread_mutex_lock(&pool.lock);
    pool.thread_count = 0;
    pool.is_ending = false;
    strmap_fini(&pool.by_address);
}

void derive_close(struct derive_desk *desk)
{
    if (desk == NULL)
        return;
    pthread_mutex_lock(&opening);
    pthread_mutex_lock(&pool.lock);
    CHECK(list_is_empty(&desk->done));
    if (--pool.desks == 0)
        end_threads();
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&opening);
    uv_close((uv_handle_t *)&desk->bell, on_closed);
}

bool derive_add(struct derive_desk *desk, const char *address, struct derivation *derivation,
                struct auth_job *job)
{
    struct derive_run *run;
    struct lane *lane = NULL;
    bool is_room;

    pthread_mutex_lock(&pool.lock);
    is_room = pool.waiting < DERIVE_MAX_JOBS && has_threads();
    if (is_room) {
        lane = lane_of(address);
        is_room = lane->count < DERIVE_MAX_LANE;
    }
    if (is_room) {
        run = mem_zero(1, sizeof(*run));
        *run =
            (struct derive_run){.derivation = derivation, .desk = desk, .job = job, .lane = lane};
        list_append(&lane->runs, &run->link);
        lane->count++;
        pool.waiting++;
        derivation->job = job;
        derivation->run = run;
        pthread_cond_signal(&pool.work);
    }
    pthread_mutex_unlock(&pool.lock);
    return is_room;
}

void derive_cancel(struct derivation *derivation)
{
    struct derive_run *run = derivation->run;

    if (derivation->job == NULL)
        return;
    pthread_mutex_lock(&pool.lock);
    if (run->lane != NULL) {
        take_out(run);
        run_free(run);
    } else if (list_is_linked(&run->link)) { /* done */
        list_remove(&run->link);
        run_free(run);
    } else {
        run->derivation = NULL;
    }
    pthread_mutex_unlock(&pool.lock);
    derivation->job = NULL;
}
