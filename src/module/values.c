/* values.c -- what is said about values and codecs; they themselves are the room of Lua's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/module_priv.h"

static const struct module_row value_rows[] = {
    {"null", NULL, "nexus.Null", "The value null of messages; nil is what is not there.", NULL},
    {"list", NULL, "fun(items?: table): table", "Marks a table as list, also when it is empty.",
     NULL},
    {"dict", NULL, "fun(items?: table): table", "Marks a table as dict.", NULL},
    {"bytes", NULL, "fun(octets: string): nexus.Bytes", "Binary, as opposed to text.", NULL},
    {"type", NULL, "fun(value: any): string",
     "As the function type, but tells null, list, dict, bytes, integer and float apart.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define ENCODE_ERRORS                                                                     \
    "A value that cannot be sent, with its path: \"value.items[3]: a function cannot be " \
    "sent\"; more than 16 MiB"

static const struct module_row codec_rows[] = {
    {"encode", NULL, "fun(value: any): string", "Writes a value.", ENCODE_ERRORS},
    {"decode", NULL, "fun(text: string|nexus.Bytes): any", "Reads one value, and nothing else.",
     "What is wrong, and at which octet"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_values = {"nexus", value_rows, NULL};
const struct module_table module_json = {"nexus.json", codec_rows, NULL};
const struct module_table module_msgpack = {"nexus.msgpack", codec_rows, NULL};
const struct module_table module_cbor = {"nexus.cbor", codec_rows, NULL};
