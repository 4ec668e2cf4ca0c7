/* derive.h -- keys are derived on threads of their own, and everybody has a turn.
 *
 * Deriving a key is slow on purpose, and who is asked to log in decides nothing about how often
 * it is asked for. So jobs wait in a lane for each address, and the lanes are served in turn:
 * a flood from one address makes its own lane long, and others wait for one job of it at most.
 * The threads are the process's own (uv's have files to read), run at a lower priority than the
 * loops, and hold no more memory together than DERIVE_MEMORY.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_DERIVE_H
#define NEXUS_POLICY_DERIVE_H

#include "auth/auth_job.h"
#include "base/list.h"

#define DERIVE_MAX_JOBS    1024 /* that wait, of all addresses and realms */
#define DERIVE_MAX_LANE    64   /* that wait, of one address */
#define DERIVE_MAX_THREADS 4
#define DERIVE_MEMORY      ((uint64_t)256 << 20) /* one job may always run */
#define DERIVE_ADDRESS_LEN 24

struct uv_loop_s;
struct derive_desk; /* of one realm: where its jobs come back to */

/* A job on its way. It is in the memory of whoever asked for it, and stays there until it has come
 * back or was canceled. */
struct derivation {
    struct auth_job *job; /* NULL: it is not under way */
    struct derive_run *run;
    /* On the thread of the loop: the job is the receiver's now, run or not. */
    void (*done)(struct derivation *derivation, struct auth_job *job);
};

/* On the thread of the loop, all of them. */
struct derive_desk *derive_open(struct uv_loop_s *loop);

/* Nothing is under way any more. The loop has still to turn. NULL is fine. */
void derive_close(struct derive_desk *desk);

/* Takes a job. False, and it stays the caller's: as many wait as may. */
bool derive_add(struct derive_desk *desk, const char *address, struct derivation *derivation,
                struct auth_job *job) MUST_CHECK;

/* It is of no interest any more: the job is freed, and done is not called. */
void derive_cancel(struct derivation *derivation);

#endif
