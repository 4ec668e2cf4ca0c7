/* login_cookies.h -- whom a browser's cookie stands for, after a login that proved it.
 *
 * The cookies of one realm, for as long as the process lives. They are kept as hashes: who
 * reads this memory cannot log in with what is there. What counts for the next login is not what
 * was proved then, but what the policy says of it now.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGIN_COOKIES_H
#define NEXUS_POLICY_LOGIN_COOKIES_H

#include "auth/auth_record.h"
#include "base/blob.h"
#include "base/rng.h"

#define MAX_COOKIES 50000 /* in a realm; the one not used for longest is forgotten for a new one */

struct cookies;

/* What is known by a cookie; held by whoever has it. */
struct memory {
    struct blob *record;   /* MessagePack: as a policy would give it, but for authprovider */
    struct blob *identity; /* MessagePack: authid, authrole, authmethod, authprovider, and more */
    struct blob *authid;
};

void memory_drop(struct memory *memory);

/* Which cookies stand for somebody in any realm of a router; for all threads. Freed after those that
 * use it. */
struct cookie_board;
struct cookie_board *cookie_board_new(struct rng *rng);
void cookie_board_free(struct cookie_board *board);
bool cookie_board_has(struct cookie_board *board, const char *cookie);

/* With a board of its own where NULL is given. */
struct cookies *cookies_new(struct cookie_board *board, struct rng *rng);
void cookies_free(struct cookies *cookies);

/* The memory behind a cookie; false: it stands for nobody. */
bool cookies_find(struct cookies *cookies, const char *cookie, uint64_t wall,
                  struct memory *memory);

/* Who has proved to be somebody, in a session: until when the cookie stands for that, ms of the
 * wall clock. */
struct proof {
    const struct auth_record *record;
    struct slice authid, authmethod, authprovider;
    uint64_t session, until;
};

/* From now on the cookie stands for that one, if the client alone can know it: because it got it
 * with this connection (is_new), or because it has proved to be the one whom it stands for already.
 * Any other stands for nobody then: who put it there could log in with it as somebody else. */
void cookies_bind(struct cookies *cookies, const char *cookie, bool is_new,
                  const struct proof *proof);

/* A session has begun by the cookie. */
void cookies_use(struct cookies *cookies, const char *cookie, uint64_t session);

/* A session has ended. When somebody logged out, its cookie is forgotten, and `other` is called
 * for each other session that was there by the cookie. */
void cookies_left(struct cookies *cookies, uint64_t session, bool is_logout,
                  void (*other)(void *ctx, uint64_t session), void *ctx);

#endif
