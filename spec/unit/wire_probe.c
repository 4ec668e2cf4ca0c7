/* wire_probe.c -- shows values that come line by line: for tests in other languages.
 *
 * In: a serializer and hex. Out: the value as wire_kit.h shows it, or "!" and the fault; then, when
 * it was accepted, a tab and the value written as JSON by way of MessagePack and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire_kit.h"

/* The codec with that name; CODEC_COUNT when there is none. */
static enum codec codec_of(const char *name)
{
    enum codec codec = 0;

    while (codec < CODEC_COUNT && strcmp(codec_name(codec), name) != 0)
        codec++;
    return codec;
}

static void print_json(enum codec codec, struct slice bytes)
{
    struct blob *there = transcode(codec, bytes, CODEC_MSGPACK);
    struct blob *back = transcode(CODEC_MSGPACK, blob_slice(there), CODEC_JSON);

    printf("\t%.*s", SLICE_ARG(blob_slice(back)));
    blob_drop(there);
    blob_drop(back);
}

int main(void)
{
    static char line[200000], hex[190000];
    char name[16];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct slice bytes;
        struct text shown;

        hex[0] = '\0';
        if (sscanf(line, "%15s %189999s", name, hex) < 1 || codec_of(name) == CODEC_COUNT) {
            fprintf(stderr, "expected a serializer and hex, found %s", line);
            return EXIT_FAILURE;
        }
        bytes = unhex(hex);
        shown = show(codec_of(name), bytes, true);
        printf("%s", shown.data);
        if (shown.data[0] != '!')
            print_json(codec_of(name), bytes);
        putchar('\n');
        text_free(&shown);
    }
    return EXIT_SUCCESS;
}
