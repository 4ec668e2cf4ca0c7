/* fuzz_auth.c -- a login with every method: HELLO.authextra, AUTHENTICATE, and records.
 *
 * Input: an octet for the serializer, one for the method, one for who asks; then pieces, each
 * with its length in two octets before it (big endian; the last one is what is left): a record,
 * authid, authextra, signature, Extra. Dicts are encoded in that serializer. A record that is
 * none, or wrong, gives way to one that is known here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/errors.h"
#include "wire/msg.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* What the third octet says. */
#define IS_NOBODY       1
#define HAS_TLS         2
#define HAS_CERTIFICATE 4
#define HAS_ROUTER_KEY  8
#define IS_REQUIRED     16
#define IS_TLS13        32
#define HAS_HASHES      64

static const struct {
    const char *method, *record;
} methods[] = {
    {"anonymous", "{\"authrole\":\"r\"}"},
    {"ticket", "{\"authrole\":\"r\",\"ticket\":[\"secret\",\"more\"]}"},
    {"wampcra", "{\"authrole\":\"r\",\"secret\":\"secret\"}"},
    {"wamp-scram", "{\"authrole\":\"r\",\"kdf\":\"pbkdf2\",\"salt\":\"oKGio6SlpqeoqaqrrK2urw==\","
                   "\"iterations\":4096,\"stored_key\":\"" KEY "\",\"server_key\":\"" KEY "\"}"},
    {"scram",
     "{\"authrole\":\"r\",\"kdf\":\"argon2id-13\",\"salt\":\"oKGio6SlpqeoqaqrrK2urw==\","
     "\"iterations\":4,\"memory\":512,\"stored_key\":\"" KEY "\",\"server_key\":\"" KEY "\"}"},
    {"cryptosign", "{\"authrole\":\"r\",\"pubkeys\":[\"79b5562e8fe654f94078b112e8a98ba7901f853ae69"
                   "5bed7e0e3910bad049664\"]}"},
    {"tls", "{\"authrole\":\"r\"}"},
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t next_octet(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static struct slice next_piece(struct input *in)
{
    size_t high = next_octet(in), len = high << 8 | next_octet(in);
    struct slice piece;

    if (len > in->left)
        len = in->left;
    piece = slice_make(in->at, len);
    in->at += len;
    in->left -= len;
    return piece;
}

/* A dict as a decoded message carries it; nothing when it is none. */
static struct slice as_dict(enum codec codec, struct slice bytes, struct arena *arena)
{
    struct reader reader;
    struct fault fault;
    struct token token;
    struct slice extent;

    reader_init(&reader, codec, bytes, arena, &fault);
    if (reader_next(&reader, &token) != 0 || token.type != TOKEN_MAP)
        return (struct slice){0};
    reader_init(&reader, codec, bytes, arena, &fault);
    if (reader_skip(&reader, &extent, NULL) != 0 || extent.len != bytes.len)
        return (struct slice){0};
    return bytes;
}

/* The record of the input when it is one, else the known one. */
static struct auth_record *read_record(enum codec codec, size_t method, struct slice dict)
{
    const struct auth_method *row = auth_method_find(slice_of(methods[method].method));
    struct fault fault = {0};
    struct auth_record *record = auth_record_parse(row, codec, dict, &fault);

    if (record != NULL)
        return record;
    CHECK(fault.uri != NULL && fault.words[0] != '\0');
    record = auth_record_parse(row, CODEC_JSON, slice_of(methods[method].record), &fault);
    CHECK(record != NULL);
    return record;
}

/* What is refused says so; what is let in is somebody, and can be told to the client. */
static void check_end(struct auth_exchange *x, enum auth_step step, enum codec codec,
                      const struct auth_record *record)
{
    const struct auth_refusal *refusal;
    struct fault fault;
    struct encoder e;
    struct blob *blob;

    if (step == AUTH_REFUSED) {
        refusal = auth_refusal(x);
        CHECK(refusal->fault.uri != NULL && refusal->fault.words[0] != '\0');
        CHECK(refusal->reason != NULL);
        return;
    }
    CHECK(step == AUTH_OK && record != NULL && auth_identity(x).record == record);
    encode_start(&e, codec, 0);
    if (auth_encode_extra(x, &e)) {
        struct reader reader;
        struct arena arena;

        arena_init(&arena);
        blob = encode_finish(&e);
        reader_init(&reader, codec, blob_slice(blob), &arena, &fault);
        CHECK(reader_skip(&reader, NULL, NULL) == 0);
        blob_drop(blob);
        arena_fini(&arena);
    } else {
        encode_discard(&e);
    }
    CHECK(auth_check(x, SLICE("again"), (struct slice){0}) == AUTH_REFUSED);
}

/* Cheap ones are run; a caller without time hands the others back as they are. */
static enum auth_step derive(struct auth_exchange *x)
{
    struct auth_job *job = auth_take_job(x);

    if ((uint64_t)job->kdf.iterations * (job->kdf.memory + 1) <= 4096)
        auth_job_run(job);
    return auth_resume(x, job);
}

static void log_in(const struct auth_settings *settings, const struct auth_request *request,
                   size_t method, struct auth_record *record, struct input *in, struct arena *arena)
{
    struct slice signature = next_piece(in);
    struct slice extra = as_dict(request->codec, slice_make(in->at, in->left), arena);
    const struct auth_method *row = auth_method_find(slice_of(methods[method].method));
    struct auth_exchange *x;
    enum auth_step step = auth_begin(&x, row, settings, request, record);

    if (step == AUTH_CHALLENGE) {
        struct slice challenge = auth_challenge(x);

        CHECK(as_dict(request->codec, challenge, arena).len == challenge.len);
        step = auth_check(x, signature, extra);
    }
    if (step == AUTH_DERIVE)
        step = derive(x);
    check_end(x, step, request->codec, record);
    auth_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    enum codec codec = next_octet(&in) % CODEC_COUNT;
    size_t method = next_octet(&in) % ARRAY_LEN(methods);
    unsigned facts = next_octet(&in);
    struct auth_bindings bindings = {
        .tls_unique = SLICE("twelve bytes"),
        .tls_server_end_point = SLICE("thirty-two bytes of a certificate"),
        .tls_exporter = SLICE("0123456789abcdef0123456789abcdef"),
        .is_tls13 = (facts & IS_TLS13) != 0,
    };
    struct auth_certificate certificate = {.der = SLICE("der"), .is_verified = true};
    struct auth_settings settings;
    struct auth_request request;
    struct auth_record *record;
    struct arena arena;
    struct rng rng;
    uint64_t seed = 7;

    arena_init(&arena);
    rng_init(&rng, rng_fill_seeded, &seed);
    auth_settings_init(&settings, &rng);
    settings.ticket_kdf = (struct kdf){KDF_PBKDF2, MIN_PBKDF2_ITERATIONS, 0, 0};
    if ((facts & HAS_HASHES) == 0)
        settings.ticket_kdf.kind = KDF_NONE;
    settings.has_router_key = (facts & HAS_ROUTER_KEY) != 0;
    settings.require_binding = (facts & IS_REQUIRED) != 0;
    record = read_record(codec, method, as_dict(codec, next_piece(&in), &arena));
    request = (struct auth_request){
        .realm = SLICE("realm"),
        .authid = next_piece(&in),
        .codec = codec,
        .session = 1,
        .now_ms = 1,
        .rng = &rng,
        .bindings = (facts & HAS_TLS) != 0 ? &bindings : NULL,
        .certificate = (facts & HAS_CERTIFICATE) != 0 ? &certificate : NULL,
    };
    if (!utf8_is_valid(request.authid))
        request.authid = SLICE("joe");
    request.authextra = as_dict(codec, next_piece(&in), &arena);
    log_in(&settings, &request, method, (facts & IS_NOBODY) != 0 ? NULL : record, &in, &arena);
    auth_record_drop(record);
    arena_fini(&arena);
    return 0;
}
