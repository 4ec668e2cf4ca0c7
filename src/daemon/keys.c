/* keys.c -- see keys.h, and `nexusd keygen`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/keys.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "daemon/exit_code.h"
#include "daemon/passwd.h"
#include "daemon/prompt.h"

#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

static void fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    while (len != 0) {
        ssize_t got = getrandom(buf, len, 0);

        CHECK(got > 0 || errno == EINTR);
        if (got <= 0)
            continue;
        buf = (char *)buf + got;
        len -= (size_t)got;
    }
}

void keys_random(struct rng *rng)
{
    rng_init(rng, fill, NULL);
}

int keys_fingerprint(const char *path, unsigned char print[DIGEST_LEN], struct fault *fault)
{
    FILE *file = fopen(path, "r");
    X509 *cert = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int len = cert == NULL ? -1 : i2d_X509(cert, &der);

    if (file == NULL)
        return fault_set(fault, ERR_INVALID, "", "%s: %s", path, strerror(errno));
    fclose(file);
    if (len > 0)
        digest_sha256(slice_make(der, (size_t)len), print);
    OPENSSL_free(der);
    X509_free(cert);
    return len > 0 ? 0 : fault_set(fault, ERR_INVALID, "", "%s: no certificate in PEM", path);
}

int keys_write(const char *path, unsigned mode, struct slice text, struct fault *fault)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool is_written;

    if (fd < 0)
        return fault_set(fault, ERR_INVALID, "", "%s: %s", path, strerror(errno));
    is_written = write(fd, text.data, text.len) == (ssize_t)text.len && write(fd, "\n", 1) == 1 &&
                 fsync(fd) == 0;
    close(fd);
    if (is_written)
        return 0;
    (void)unlink(path);
    return fault_set(fault, ERR_INVALID, "", "%s: cannot be written", path);
}

/* ---- nexusd keygen ---- */

enum { OUT };

const struct command_flag keygen_flags[] = {
    [OUT] = {"out", "FILE", "write the private key there, and the public one to FILE.pub"},
    {NULL, NULL, NULL},
};

const char keygen_more[] =
    "The private key is 64 hex digits (the seed of Ed25519), as clients of cryptosign and the\n"
    "option logins.router_key_file take it. The file can be read by its owner alone, and is never\n"
    "written over. The public key goes to nexusd passwd --method cryptosign --pubkey.\n";

static int write_files(const char *path, struct slice seed, struct slice public_key,
                       struct fault *fault)
{
    char *public_path = mem_alloc(strlen(path) + 5);
    int err;

    (void)snprintf(public_path, strlen(path) + 5, "%s.pub", path);
    err = keys_write(path, 0600, seed, fault);
    if (err == 0 && (err = keys_write(public_path, 0644, public_key, fault)) != 0)
        (void)unlink(path);
    mem_free(public_path);
    return err;
}

int keygen_run(const struct command_line *line)
{
    const char *path = line->values[OUT];
    unsigned char seed[DIGEST_LEN], public_key[DIGEST_LEN];
    char hex[2 * DIGEST_LEN], public_hex[2 * DIGEST_LEN];
    struct rng rng;
    struct fault fault;
    int err = 0;

    prompt_hide_memory();
    keys_random(&rng);
    rng_bytes(&rng, seed, sizeof(seed));
    digest_public_key(seed, public_key);
    digest_hex(seed, sizeof(seed), hex);
    digest_hex(public_key, sizeof(public_key), public_hex);
    if (path != NULL)
        err = write_files(path, slice_make(hex, sizeof(hex)),
                          slice_make(public_hex, sizeof(public_hex)), &fault);
    else
        (void)printf("private %.*s\n", (int)sizeof(hex), hex);
    explicit_bzero(seed, sizeof(seed));
    explicit_bzero(hex, sizeof(hex));
    explicit_bzero(&rng, sizeof(rng));
    if (err != 0) {
        fprintf(stderr, "nexusd keygen: %s\n", fault.words);
        return EXIT_RUNTIME;
    }
    printf("public  %.*s\n", (int)sizeof(public_hex), public_hex);
    return EXIT_OK;
}
