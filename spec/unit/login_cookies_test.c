/* login_cookies_test.c -- what a cookie stands for, how long, and for how many there is room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth.h"
#include "policy/login_cookies.h"
#include "policy/login_settings.h"
#include "unit.h"

static struct rng rng;
static uint64_t told[8];
static unsigned told_count;

static struct cookies *make(void)
{
    rng_init(&rng, login_fill_random, NULL);
    return cookies_new(NULL, &rng);
}

static struct auth_record *make_record(void)
{
    struct fault fault;
    struct encoder e;
    struct blob *dict;
    struct auth_record *record;

    encode_start(&e, CODEC_MSGPACK, 64);
    encode_map(&e, 2);
    encode_text_pair(&e, "authrole", SLICE("user"));
    encode_text_pair(&e, "authprovider", SLICE("book"));
    encode_end(&e);
    dict = encode_finish(&e);
    record = auth_record_parse(auth_method_find(SLICE("anonymous")), CODEC_MSGPACK,
                               blob_slice(dict), &fault);
    blob_drop(dict);
    EXPECT(record != NULL);
    return record;
}

static void try_bind(struct cookies *cookies, const char *cookie, bool is_new, const char *authid,
                     uint64_t session, uint64_t until)
{
    struct auth_record *record = make_record();
    struct proof proof = {.record = record,
                          .authid = slice_of(authid),
                          .authmethod = SLICE("ticket"),
                          .authprovider = SLICE("book"),
                          .session = session,
                          .until = until};

    cookies_bind(cookies, cookie, is_new, &proof);
    auth_record_drop(record);
}

static void bind(struct cookies *cookies, const char *cookie, const char *authid, uint64_t session,
                 uint64_t until)
{
    try_bind(cookies, cookie, true, authid, session, until);
}

/* Whom the cookie stands for; "" when it is nobody. */
static const char *who(struct cookies *cookies, const char *cookie, uint64_t wall)
{
    static char name[64];
    struct memory memory;

    name[0] = '\0';
    if (cookies_find(cookies, cookie, wall, &memory)) {
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(blob_slice(memory.authid)));
        memory_drop(&memory);
    }
    return name;
}

static void tell(void *ctx, uint64_t session)
{
    (void)ctx;
    told[told_count++] = session;
}

TEST(a_cookie_stands_for_who_proved_it_last)
{
    struct cookies *cookies = make();

    EXPECT_STR(who(cookies, "a", 0), "");
    bind(cookies, "a", "alice", 1, 1000);
    EXPECT_STR(who(cookies, "a", 0), "alice");
    EXPECT_STR(who(cookies, "A", 0), "");
    EXPECT_STR(who(cookies, "", 0), "");
    bind(cookies, "a", "bob", 2, 1000);
    EXPECT_STR(who(cookies, "a", 0), "bob");
    cookies_free(cookies);
}

/* Somebody may have put it there, and knows it. */
TEST(one_that_others_may_know_stands_for_nobody_new)
{
    struct cookies *cookies = make();

    try_bind(cookies, "a", false, "alice", 1, 1000);
    EXPECT_STR(who(cookies, "a", 0), "");
    bind(cookies, "a", "mallory", 2, 1000);
    try_bind(cookies, "a", false, "alice", 3, 1000);
    EXPECT_STR(who(cookies, "a", 0), "");
    bind(cookies, "b", "alice", 4, 1000);
    try_bind(cookies, "b", false, "alice", 5, 2000);
    EXPECT_STR(who(cookies, "b", 1500), "alice");
    cookies_left(cookies, 5, true, tell, NULL);
    EXPECT_STR(who(cookies, "b", 1500), "");
    cookies_free(cookies);
}

TEST(all_realms_know_what_one_of_them_knows)
{
    struct cookies *two[2];
    struct cookie_board *board;

    rng_init(&rng, login_fill_random, NULL);
    board = cookie_board_new(&rng);
    two[0] = cookies_new(board, &rng);
    two[1] = cookies_new(board, &rng);
    EXPECT(!cookie_board_has(board, "a"));
    bind(two[0], "a", "alice", 1, 1000);
    EXPECT(cookie_board_has(board, "a") && !cookie_board_has(board, "b"));
    bind(two[1], "a", "bob", 1, 1000);
    bind(two[1], "b", "bob", 2, 1000);
    cookies_left(two[0], 1, true, tell, NULL);
    EXPECT(cookie_board_has(board, "a"));
    EXPECT_STR(who(two[0], "a", 0), "");
    EXPECT_STR(who(two[1], "a", 1000), ""); /* its time is over */
    EXPECT(!cookie_board_has(board, "a") && cookie_board_has(board, "b"));
    cookies_free(two[1]);
    EXPECT(!cookie_board_has(board, "b"));
    cookies_free(two[0]);
    cookie_board_free(board);
}

TEST(its_time_has_an_end)
{
    struct cookies *cookies = make();

    bind(cookies, "a", "alice", 1, 1000);
    EXPECT_STR(who(cookies, "a", 999), "alice");
    EXPECT_STR(who(cookies, "a", 1000), "");
    EXPECT_STR(who(cookies, "a", 0), "");
    cookies_left(cookies, 1, true, tell, NULL);
    EXPECT_EQ(told_count, 0u);
    cookies_free(cookies);
}

TEST(a_logout_is_one_of_all_its_sessions)
{
    struct cookies *cookies = make();

    bind(cookies, "a", "alice", 1, 1000);
    bind(cookies, "b", "alice", 2, 1000);
    cookies_use(cookies, "a", 3);
    cookies_use(cookies, "a", 4);
    cookies_use(cookies, "nobody", 5);
    cookies_left(cookies, 4, false, tell, NULL);
    EXPECT_STR(who(cookies, "a", 0), "alice");
    told_count = 0;
    cookies_left(cookies, 3, true, tell, NULL);
    EXPECT_EQ(told_count, 1u);
    EXPECT_EQ(told[0], UINT64_C(1));
    EXPECT_STR(who(cookies, "a", 0), "");
    EXPECT_STR(who(cookies, "b", 0), "alice");
    cookies_left(cookies, 1, true, tell, NULL);
    cookies_left(cookies, 77, true, tell, NULL);
    EXPECT_EQ(told_count, 1u);
    cookies_free(cookies);
}

TEST(the_one_not_used_for_longest_makes_room)
{
    struct cookies *cookies = make();
    char cookie[16];

    bind(cookies, "first", "alice", 1, 1000);
    bind(cookies, "second", "bob", 2, 1000);
    for (unsigned i = 0; i < MAX_COOKIES - 2; i++) {
        snprintf(cookie, sizeof(cookie), "c%u", i);
        bind(cookies, cookie, "carl", 10 + i, 1000);
    }
    EXPECT_STR(who(cookies, "first", 0), "alice"); /* and so it is used */
    bind(cookies, "one more", "dora", 3, 1000);
    EXPECT_STR(who(cookies, "first", 0), "alice");
    EXPECT_STR(who(cookies, "second", 0), "");
    EXPECT_STR(who(cookies, "one more", 0), "dora");
    cookies_left(cookies, 2, true, tell, NULL); /* it is not there any more */
    cookies_free(cookies);
}
