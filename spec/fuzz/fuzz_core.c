/* fuzz_core.c -- the core under a stream of events: spec/sim, steered by the input.
 *
 * Input: choices, one octet each; see spec/sim/choice.h. `sim --peers 6 --realms 2
 * --record FILE` writes inputs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct choices choices = {.at = data, .end = data + len};
    struct world world;

    world_init(&world, 2, 6, &choices);
    while (choices_are_left(&choices))
        talk_step(&world, &choices);
    world_fini(&world);
    return 0;
}
