/* login_guard.h -- who has failed to log in lately, and what comes of it.
 *
 * Of each address (of IPv6 the network, 64 bits, since those are given out whole) and of each
 * authid it is known how many logins failed. After some of them the answer to the next failure
 * is late, twice as late each time. While answers to an address are late, few of its logins are
 * looked at: so trying many at once gains nothing. Success is never late, and forgets the
 * failures of that authid, not those of the address. What is quiet for a while is forgotten, and
 * so is the oldest when the table is full.
 *
 * Failures of addresses are noted on a board that all realms of a router share: it has a lock.
 * Those of authids are the realm's, since the same authid elsewhere may be somebody else.
 *
 * Addresses also count their logins under way, and cannot have all that a realm allows. Clients on
 * unix sockets have no address and are not counted.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGIN_GUARD_H
#define NEXUS_POLICY_LOGIN_GUARD_H

#include "base/rng.h"
#include "base/slice.h"

#define GUARD_MAX_ENTRIES 20000
#define GUARD_FORGET_MS   300000
#define GUARD_FIRST_MS    250
#define GUARD_MAX_LATE    4 /* late answers to an address under way: more logins are turned down */

struct guard;
struct guard_board;

struct guard_limits {
    uint32_t free_failures;
    uint32_t max_delay_ms; /* 0: nothing is ever late */
    uint32_t max_joining_of_an_address;
};

struct guard_board *guard_board_new(struct rng *rng);
void guard_board_free(struct guard_board *board);

/* The board is borrowed; NULL: the guard has one of its own. */
struct guard *guard_new(const struct guard_limits *limits, struct guard_board *board,
                        struct rng *rng);
void guard_free(struct guard *guard);

/* A login begins, and ends. Words for an ABORT when there may be no more, and then it has not
 * begun. */
const char *guard_enter(struct guard *guard, const char *address);
void guard_leave(struct guard *guard, const char *address);

/* Whether another credential from there may be looked at: words for an ABORT, or NULL. */
const char *guard_judge(struct guard *guard, const char *address, uint64_t now);

/* A login has failed: how long its answer is to wait. It counts as late for that long, even when
 * the peer does not wait for it. */
uint32_t guard_fail(struct guard *guard, const char *address, struct slice authid, uint64_t now);

/* A login has succeeded. */
void guard_succeed(struct guard *guard, struct slice authid);

#endif
