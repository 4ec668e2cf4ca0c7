/* fuzz_asks.c -- questions and answers: spec/sim/asks.h, steered by the input.
 *
 * Input: choices, one octet each; see spec/sim/choice.h. `questions --record FILE`
 * writes inputs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "asks.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct choices choices = {.at = data, .end = data + len};
    struct asks_totals totals = {0};

    asks_run(&choices, UINT64_MAX, &totals);
    return 0;
}
