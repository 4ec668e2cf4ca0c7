/* fuzz_values.c -- bytes of a peer as values of Lua, and back.
 *
 * The first byte chooses the serializers. What is read and can be written comes
 * back the same once it has been through Lua; all of it within a small state.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "script/values.h"
#include "trip_kit.h"

static struct blob *travel(struct vm *vm, enum codec from, struct slice bytes, enum codec to)
{
    struct trip trip = {.from = from, .to = to, .bytes = bytes};
    char words[300];

    if (vm_try(vm, l_trip, &trip, words, sizeof(words)) == 0)
        return trip.result;
    CHECK(words[0] != '\0' && trip.result == NULL);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct vm *vm;
    struct slice bytes = {"", 0};
    enum codec from, to;
    struct blob *there, *again;

    if (len == 0)
        return 0;
    if (vm == NULL)
        vm = vm_new(&(struct vm_options){.memory = (size_t)4 * 1024 * 1024});
    CHECK(vm != NULL);
    bytes.data = (const char *)data + 1;
    bytes.len = len - 1;
    from = data[0] % CODEC_COUNT;
    to = data[0] / CODEC_COUNT % CODEC_COUNT;
    there = travel(vm, from, bytes, to);
    if (there == NULL)
        return 0;
    /* Keys may have become text, so that two are one now; after that nothing changes. */
    again = travel(vm, to, blob_slice(there), to);
    if (again != NULL) {
        struct blob *third = travel(vm, to, blob_slice(again), to);

        CHECK(third != NULL && slice_eq(blob_slice(again), blob_slice(third)));
        blob_drop(third);
        blob_drop(again);
    }
    blob_drop(there);
    return 0;
}
