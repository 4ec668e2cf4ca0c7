/* blob_test.c -- counted bytes. Leaks and double frees show under the address sanitizer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/blob.h"
#include "unit.h"

#include <pthread.h>

TEST(copies_bytes)
{
    char bytes[] = "hello";
    struct blob *blob = blob_copy(slice_make(bytes, 5));

    bytes[0] = 'j';
    EXPECT_SLICE(blob_slice(blob), SLICE("hello"));
    EXPECT_EQ(atomic_load(&blob->refs), 1);
    blob_drop(blob);
}

TEST(may_be_empty)
{
    struct blob *blob = blob_copy(slice_make(NULL, 0));

    EXPECT_EQ(blob_slice(blob).len, 0);
    blob_drop(blob);
    blob_drop(NULL);
}

TEST(counts)
{
    struct blob *blob = blob_new(3);

    memcpy(blob->data, "xyz", 3);
    EXPECT(blob_hold(blob) == blob);
    EXPECT(blob_hold_many(blob, 3) == blob);
    EXPECT_EQ(atomic_load(&blob->refs), 5);
    for (int i = 0; i < 4; i++)
        blob_drop(blob);
    EXPECT_EQ(atomic_load(&blob->refs), 1);
    EXPECT_SLICE(blob_slice(blob), SLICE("xyz"));
    blob_drop(blob);
}

TEST(refuses_what_its_length_cannot_say)
{
    volatile size_t len = (size_t)UINT32_MAX + 1;

    EXPECT_ABORT(blob_drop(blob_new(len)));
}

static void *hold_and_drop(void *blob)
{
    for (int i = 0; i < 20000; i++)
        blob_drop(blob_hold(blob));
    blob_drop(blob);
    return NULL;
}

TEST(is_shared_by_threads)
{
    struct blob *blob = blob_copy(SLICE("shared"));
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, hold_and_drop, blob_hold(blob)), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(atomic_load(&blob->refs), 1);
    blob_drop(blob);
}
