/* action.h -- what a core may ask for, and the outbox that collects it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_ACTION_H
#define NEXUS_CORE_ACTION_H

#include "base/blob.h"
#include "wire/transport.h"

enum action_type {
    ACT_SEND,    /* send `blob` (owned by the action) to the peer */
    ACT_JOINED,  /* the peer has a session now; its queue limits are the realm's */
    ACT_RELEASE, /* the peer's session is over; it may say HELLO again, to any realm */
    ACT_CLOSE,   /* write what is queued, then close the peer with `close_code` */
    ACT_ASK,     /* somebody has to decide: core_question(key) */
    ACT_UNASK,   /* nobody needs the answer to question `key` any more */
    ACT_HOLD,    /* kind 1: read no more from the peer; 0: read on */
    ACT_NOTE,    /* log this fact */
    ACT_ADMIN,   /* an administrator wants what is not the core's: enum admin_task; `key` is his
                    request, notice->by his session. EV_ADMIN has the answer */
    ACT_LEFT,    /* a session has ended: `left` (owned by the action), see core/look.h */
};

enum note {
    NOTE_JOINED,    /* session; words: authid */
    NOTE_LEFT,      /* session; words: reason URI */
    NOTE_REFUSED,   /* no session; words: reason URI; text, cause, address, the authid asked for */
    NOTE_VIOLATION, /* session or 0; words: what the peer did */
    NOTE_KILLED,    /* session; words: reason URI; uri: the procedure; by whom */
    NOTE_DENIED,    /* session; words: error URI; text; uri, action, match: what it wanted */
    NOTE_COUNT,
};

enum admin_task {
    ADMIN_RELOAD_TLS, /* read the files of TLS again */
};

/* The facts of a note; what does not belong to its kind is empty. All valid until the next step. */
struct notice {
    const char *words;
    const char *text;              /* for people, or NULL */
    const char *cause;             /* what nobody but the log may know, or NULL */
    const char *address;           /* struct transport's `peer`, or NULL */
    struct slice authid, authrole; /* of the session */
    struct slice uri;
    uint8_t action, match; /* enum rule_action, enum match */
    uint64_t by;           /* session; 0: none, it was what decides for the realm */
    struct slice by_authid, by_authrole;
};

struct action {
    uint8_t type; /* enum action_type */
    uint8_t kind; /* ACT_SEND: enum send_kind; ACT_NOTE: enum note; ACT_ADMIN: enum admin_task */
    uint16_t close_code;
    uint64_t peer;
    union {
        struct blob *blob;           /* ACT_SEND: counted */
        const char *words;           /* ACT_CLOSE: valid until the next step; may be NULL */
        const struct notice *notice; /* ACT_NOTE, ACT_ADMIN: the same; never NULL */
        struct left *left;           /* ACT_LEFT: to be given to mem_free */
    };
    uint64_t
        key; /* ACT_SEND: topic key of an EVENT, id of an INVOCATION; ACT_NOTE: session; ACT_ASK:
                     question */
};

struct left;

struct outbox {
    struct action *actions; /* array owned; in the order in which they are to be carried out */
    size_t count, cap;
};

void outbox_init(struct outbox *out);
void outbox_fini(struct outbox *out);

/* Forgets all actions; those not carried out give back their blobs. */
void outbox_clear(struct outbox *out);

/* Appends one action. The blob's reference moves into the action. */
void outbox_send(struct outbox *out, uint64_t peer, struct blob *blob, enum send_kind kind,
                 uint64_t key);
void outbox_joined(struct outbox *out, uint64_t peer, uint64_t session);
void outbox_release(struct outbox *out, uint64_t peer);
void outbox_close(struct outbox *out, uint64_t peer, enum close_code code, const char *words);
void outbox_ask(struct outbox *out, uint64_t peer, uint64_t question);
void outbox_unask(struct outbox *out, uint64_t peer, uint64_t question);
void outbox_hold(struct outbox *out, uint64_t peer, bool is_held);
void outbox_left(struct outbox *out, uint64_t peer, uint64_t session, struct left *left);
void outbox_note(struct outbox *out, enum note note, uint64_t peer, uint64_t session,
                 const struct notice *notice);
void outbox_admin(struct outbox *out, enum admin_task task, uint64_t peer, uint64_t request,
                  const struct notice *notice);

#endif
