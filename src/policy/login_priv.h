/* login_priv.h -- one login, for login.c and login_welcome.c.
 *
 * Private to these.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGIN_PRIV_H
#define NEXUS_POLICY_LOGIN_PRIV_H

#include "policy/login_cookies.h"
#include "policy/login_guard.h"
#include "policy/mind.h"

#define AUTHID_LEN 29

struct login {
    struct mind *mind;
    struct version *version; /* held: the one that it began with */
    uint64_t session;
    char address[TRANSPORT_NETWORK_LEN]; /* of its peer; "": it has none */
    bool is_entered, is_late; /* the guard counts it: as under way, as refused but not told */
    struct derivation derivation;
    const struct question *question; /* NULL: none is open */
    uint64_t question_id;            /* of that one, which may be gone when it is taken back */
    const struct auth_offer *offer;
    size_t method; /* index */
    struct auth_exchange *x;
    struct memory memory; /* what the cookie stands for; record NULL: nobody */
    bool was_challenged;
    struct list by_age; /* of mind->challenged, when it is challenged */
    struct realm_timer clock;
    const char *scram;    /* what SCRAM calls the reason of its refusal; a literal, or NULL */
    struct blob *details; /* as those of the session will be; for policy.admit */
    char authid[AUTHID_LEN];
};

/* ---- login.c ---- */

/* The question is the caller's to answer. */
const struct question *login_take_question(struct login *login);

/* Wipes and frees. */
void login_end(struct login *login);

/* ---- login_welcome.c ---- */

bool login_is_by_cookie(const struct login *login);

/* Makes the details that its session would have, for policy.admit. */
void login_make_details(struct login *login);

/* Nobody objects; the login is over. */
void login_welcome(struct login *login);

#endif
