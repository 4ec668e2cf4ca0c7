/* fuzz.h -- what every fuzz target is: one function of bytes.
 *
 * A target says what must hold for any input with CHECK, and frees what it
 * allocates; the sanitizers watch the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_FUZZ_H
#define NEXUS_SPEC_FUZZ_H

#include "base/check.h"
#include "base/slice.h"

/* Runs the target once; always returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
