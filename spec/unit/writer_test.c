/* writer_test.c -- bytes go in, a blob comes out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/writer.h"
#include "unit.h"

TEST(freezes_what_was_written)
{
    struct writer w;

    writer_init(&w, 0);
    EXPECT_EQ(writer_slice(&w).len, 0);
    writer_put(&w, '[');
    writer_write(&w, "1,2", 3);
    writer_write(&w, NULL, 0);
    memcpy(writer_reserve(&w, 4), ",34]", 4);
    writer_advance(&w, 4);
    EXPECT_SLICE(writer_slice(&w), SLICE("[1,2,34]"));

    struct blob *blob = writer_freeze(&w);
    EXPECT_SLICE(blob_slice(blob), SLICE("[1,2,34]"));
    EXPECT_EQ(atomic_load(&blob->refs), 1);
    blob_drop(blob);
    writer_fini(&w);
}

TEST(freezes_without_a_copy)
{
    struct writer w;

    writer_init(&w, 64);
    writer_write(&w, "payload", 7);
    const char *before = writer_slice(&w).data;
    struct blob *blob = writer_freeze(&w);
    EXPECT(blob->data == before);
    blob_drop(blob);
}

TEST(is_empty_after_freezing)
{
    struct writer w;

    writer_init(&w, 10);
    writer_put(&w, 'a');
    blob_drop(writer_freeze(&w));
    EXPECT_EQ(writer_slice(&w).len, 0);

    writer_put(&w, 'b');
    struct blob *blob = writer_freeze(&w);
    EXPECT_SLICE(blob_slice(blob), SLICE("b"));
    blob_drop(blob);
}

TEST(freezes_nothing_as_an_empty_blob)
{
    struct writer w;

    writer_init(&w, 0);
    struct blob *blob = writer_freeze(&w);
    EXPECT_EQ(blob->len, 0);
    blob_drop(blob);
}

TEST(can_be_thrown_away_twice)
{
    struct writer w;

    writer_init(&w, 5);
    writer_write(&w, "gone", 4);
    writer_fini(&w);
    writer_fini(&w);
    EXPECT_EQ(w.cap, 0);
}

TEST(grows_through_every_length)
{
    struct writer w;
    size_t wrong = 0;

    writer_init(&w, 1);
    for (size_t i = 0; i < 100000; i++) {
        writer_put(&w, (char)(i % 251));
        EXPECT(w.len <= w.cap);
    }
    for (size_t i = 0; i < 500; i++)
        writer_write(&w, "0123456789abcdef", i % 17);

    struct slice all = writer_slice(&w);
    for (size_t i = 0; i < 100000; i++)
        wrong += all.data[i] != (char)(i % 251);
    EXPECT_EQ(wrong, 0);
    writer_fini(&w);
}

TEST(gives_back_room_that_was_hinted_in_vain)
{
    struct writer w;

    writer_init(&w, 1 << 20);
    writer_write(&w, "short", 5);
    struct blob *blob = writer_freeze(&w);
    EXPECT_SLICE(blob_slice(blob), SLICE("short"));
    blob_drop(blob);
}

TEST(refuses_more_than_a_blob_can_hold)
{
    struct writer w;
    volatile size_t more = UINT32_MAX;

    writer_init(&w, 8);
    writer_put(&w, 'a');
    EXPECT_ABORT(writer_reserve(&w, more));
    writer_fini(&w);
}
