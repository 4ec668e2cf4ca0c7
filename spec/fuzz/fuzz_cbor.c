/* fuzz_cbor.c -- the bytes of a peer that speaks CBOR.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec_laws.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    codec_laws_check(CODEC_CBOR, slice_make(data, len));
    return 0;
}
