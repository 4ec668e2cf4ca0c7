/* auth_ticket.c -- a secret said out loud.
 *
 * Tickets are compared by their SHA-256, all slots of a record each time; a stored hash is
 * compared after its key was derived. Where records have hashes, every login derives a key, even
 * when there is nothing to compare it with: so it takes as long for nobody as for anybody.
 *
 * WAMP: "Ticket-based Authentication".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"

static void mock_hash(struct auth_hash *hash, const struct auth_settings *settings,
                      const struct auth_request *request)
{
    *hash = (struct auth_hash){.kdf = settings->ticket_kdf, .salt_len = 16, .key_len = DIGEST_LEN};
    auth_mock(settings, request, "ticket salt", hash->salt);
    auth_mock(settings, request, "ticket key", hash->key);
}

static bool has_hash(const struct auth_record *record)
{
    return record != NULL && record->ticket.hash.kdf.kind != KDF_NONE;
}

static enum auth_step begin(struct auth_exchange *x, const struct auth_settings *settings,
                            const struct auth_request *request)
{
    struct encoder e;

    mock_hash(&x->ticket.hash, settings, request);
    if (has_hash(x->record))
        x->ticket.hash = x->record->ticket.hash;
    encode_start(&e, x->codec, 0);
    encode_map(&e, 0);
    encode_end(&e);
    return auth_send(x, &e);
}

static bool is_among(const struct auth_record *record, struct slice ticket)
{
    static const unsigned char none[DIGEST_LEN];
    unsigned char digest[DIGEST_LEN];
    bool is_found = false;

    digest_sha256(ticket, digest);
    for (unsigned i = 0; i < MAX_TICKETS; i++) {
        bool is_slot = record != NULL && i < record->ticket.count;
        const unsigned char *slot = is_slot ? record->ticket.digests[i] : none;

        is_found |= digest_is_equal(digest, slot, DIGEST_LEN) & is_slot;
    }
    digest_wipe(digest, sizeof(digest));
    return is_found;
}

static enum auth_step check(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    (void)extra;
    if (signature.len > MAX_TICKET_LEN)
        return auth_deny(x, NULL, "the ticket is too long");
    x->ticket.is_right = is_among(x->record, signature);
    if (x->ticket.hash.kdf.kind == KDF_NONE)
        return auth_judge(x, x->ticket.is_right, NULL, "wrong ticket");
    x->job = auth_hash_job(&x->ticket.hash, signature);
    return AUTH_DERIVE;
}

static enum auth_step resume(struct auth_exchange *x, const struct auth_job *job)
{
    bool is_derived = auth_hash_is_right(&x->ticket.hash, job);

    return auth_judge(x, has_hash(x->record) ? is_derived : x->ticket.is_right, NULL,
                      "wrong ticket");
}

const struct auth_method auth_ticket = {
    .name = "ticket",
    .credential = CREDENTIAL_TICKET,
    .needs_authid = true,
    .begin = begin,
    .check = check,
    .resume = resume,
};
