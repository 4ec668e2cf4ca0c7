/* auth_looks.c -- see auth_looks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"

_Static_assert(sizeof(struct auth_look) == 7 * sizeof(uint32_t) + sizeof(char[2][MAX_LOOK_NAME]),
               "a look is hashed, and must have no gaps");

/* ---- learning ---- */

static void take_kdf(struct auth_look *look, const struct kdf *kdf)
{
    look->kind = kdf->kind;
    look->iterations = kdf->iterations;
    look->memory = kdf->memory;
    look->lanes = kdf->lanes;
}

static bool take_name(char out[MAX_LOOK_NAME], struct slice name)
{
    if (name.len >= MAX_LOOK_NAME)
        return false;
    if (name.len != 0)
        memcpy(out, name.data, name.len);
    return true;
}

/* Salts of wampcra are texts; those that nexusd passwd makes are base64 of 16 octets. */
static uint32_t cra_salt_len(struct slice salt)
{
    unsigned char octets[DIGEST_LEN];
    size_t len;

    if (salt.len == 0)
        return 0;
    return digest_unbase64(salt, octets, sizeof(octets), &len) && len != 0 ? (uint32_t)len
                                                                           : MOCK_SALT_LEN;
}

static bool take_cra(struct auth_look *look, const struct auth_record *record)
{
    look->salt_len = cra_salt_len(record->cra.salt);
    if (look->salt_len != 0) {
        look->iterations = record->cra.iterations;
        look->keylen = record->cra.keylen;
    }
    return take_name(look->role, record->authrole) &&
           take_name(look->provider, record->authprovider);
}

/* False: challenges for it show nothing that others do not. */
static bool take(struct auth_look *look, const struct auth_record *record)
{
    look->credential = record->credential;
    switch (record->credential) {
    case CREDENTIAL_TICKET: /* shows in the time that a check takes */
        take_kdf(look, &record->ticket.hash.kdf);
        return true;
    case CREDENTIAL_CRA:
        return take_cra(look, record);
    case CREDENTIAL_SCRAM:
        take_kdf(look, &record->scram.kdf);
        look->salt_len =
            record->scram.salt_len < DIGEST_LEN ? (uint32_t)record->scram.salt_len : DIGEST_LEN;
        return true;
    case CREDENTIAL_NONE:
    case CREDENTIAL_KEYS:
    case CREDENTIAL_TLS:
        break;
    }
    return false;
}

void auth_looks_learn(struct auth_looks *looks, const struct auth_record *record)
{
    struct auth_look look = {0};
    unsigned of_its_kind = 0;

    if (!take(&look, record))
        return;
    for (unsigned i = 0; i < looks->count; i++) {
        if (memcmp(&looks->list[i], &look, sizeof(look)) == 0)
            return;
        of_its_kind += looks->list[i].credential == look.credential;
    }
    if (of_its_kind < MAX_LOOKS)
        looks->list[looks->count++] = look;
}

/* ---- wearing ---- */

static void put_on(const struct auth_look *look, struct auth_settings *settings)
{
    const struct kdf kdf = {look->kind, look->iterations, look->memory, look->lanes};

    if (look->credential == CREDENTIAL_TICKET) {
        settings->ticket_kdf = kdf;
    } else if (look->credential == CREDENTIAL_SCRAM) {
        settings->scram_kdf = kdf;
        settings->mock_salt_len = look->salt_len;
    } else {
        settings->cra_iterations = look->iterations;
        settings->cra_keylen = look->salt_len == 0 ? DIGEST_LEN : look->keylen;
        settings->mock_salt_len = look->salt_len;
        settings->mock_role = slice_of(look->role);
        if (look->provider[0] != '\0')
            settings->mock_provider = slice_of(look->provider);
    }
}

/* Each look makes a number of the name; the greatest is taken. So another look changes what it wins
 * and nothing else, and the order in which they were seen does not count. */
void auth_looks_wear(const struct auth_looks *looks, enum credential credential,
                     const struct auth_request *request, struct auth_settings *settings)
{
    unsigned char key[DIGEST_LEN], score[DIGEST_LEN], best[DIGEST_LEN];
    const struct auth_look *chosen = NULL;

    auth_mock(settings, request, "look", key);
    for (unsigned i = 0; i < looks->count; i++) {
        const struct auth_look *look = &looks->list[i];

        if (look->credential != credential)
            continue;
        digest_hmac(slice_make(key, sizeof(key)), slice_make(look, sizeof(*look)), score);
        if (chosen != NULL && memcmp(score, best, sizeof(score)) <= 0)
            continue;
        chosen = look;
        memcpy(best, score, sizeof(best));
    }
    if (chosen != NULL)
        put_on(chosen, settings);
    digest_wipe(key, sizeof(key));
}
