/* auth_timing.c -- whether a stopwatch tells nobody from somebody with a wrong credential.
 *
 * Logins of both kinds take turns, 10,000 of each, in processor time of the thread. Of the
 * differences between neighbours the median is looked at: a processor that changes its pace in
 * between disturbs a few pairs, and not the middle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth_kit.h"

#include <math.h>
#include <time.h>

#define TRIES   10000
#define MAX_GAP 0.05 /* of a login */

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static double times[2][TRIES], gaps[TRIES];

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, TRIES, sizeof(values[0]), by_time);
    return values[TRIES / 2];
}

static double try_once(struct stage *s, const struct auth_method *method, struct slice signature,
                       struct auth_record *record)
{
    double start = now_us();
    struct auth_exchange *x;

    if (auth_begin(&x, method, &s->settings, &s->request, record) != AUTH_CHALLENGE)
        UNIT_FAIL("%s: no challenge", auth_method_name(method));
    if (auth_check(x, signature, (struct slice){0}) == AUTH_DERIVE) {
        struct auth_job *job = auth_take_job(x);

        auth_job_run(job);
        EXPECT_EQ(auth_resume(x, job), AUTH_REFUSED);
    }
    auth_free(x);
    return now_us() - start;
}

static void compare(const char *name, const char *record, const char *extra, const char *signature)
{
    const struct auth_method *method = auth_method_find(slice_of(name));
    double gap, whole;
    struct stage s;

    stage_init(&s, CODEC_JSON);
    s.settings.ticket_kdf = (struct kdf){KDF_PBKDF2, 1000, 0, 0};
    stage_record(&s, name, record);
    s.request.authextra = stage_value(&s, extra);
    for (int i = 0; i < TRIES; i++)
        for (int who = 0; who < 2; who++) /* who goes first changes, too */
            times[who ^ (i & 1)][i] =
                try_once(&s, method, slice_of(signature), (who ^ (i & 1)) == 0 ? NULL : s.record);
    for (int i = 0; i < TRIES; i++)
        gaps[i] = times[0][i] - times[1][i];
    gap = median(gaps);
    whole = median(times[1]);
    printf("%-10s a wrong credential takes %.2f us, nobody %+.3f us\n", name, whole, gap);
    EXPECT(fabs(gap) <= MAX_GAP * whole);
    stage_fini(&s);
}

TEST(ticket)
{
    compare("ticket",
            "{\"authrole\":\"u\",\"ticket_hash\":\"$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$"
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}",
            NULL, "wrong");
}

TEST(wampcra)
{
    compare("wampcra",
            "{\"authrole\":\"user\",\"secret\":\"" KEY
            "\",\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\",\"iterations\":1000}",
            NULL, KEY);
}

TEST(wamp_scram)
{
    compare("wamp-scram",
            "{\"authrole\":\"u\",\"kdf\":\"argon2id13\",\"salt\":\"oKGio6SlpqeoqaqrrK2urw==\","
            "\"iterations\":2,\"memory\":19456,\"stored_key\":\"" KEY "\",\"server_key\":\"" KEY
            "\"}",
            "{\"nonce\":\"AAECAwQFBgcICQoLDA0ODw==\"}", KEY);
}

TEST(cryptosign)
{
    compare("cryptosign",
            "{\"authrole\":\"u\",\"pubkeys\":"
            "\"79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664\"}",
            "{\"pubkey\":\"79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664\"}",
            "c8d40ca74c08190fc337f66e9cd0ed9edc773dec61a6dfc857b6efbcb1178d63"
            "44f79a13ae525207dce0ff23472497d7c9c7e5ad8b47d1b2afb772b724add20c");
}
