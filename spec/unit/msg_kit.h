/* msg_kit.h -- builds a message again out of its decoded fields, for the tests of messages.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_MSG_KIT_H
#define NEXUS_SPEC_MSG_KIT_H

#include "wire/msg.h"

static inline const char *msg_letters(enum msg_type type)
{
#define ROW(name, code, direction, shape) \
    if (type == MSG_##name)               \
        return shape;
    MSG_TABLE(ROW)
#undef ROW
    return "";
}

static inline void put_dict(struct encoder *e, const struct msg *msg)
{
    if (msg->dict.len != 0) {
        encode_value(e, msg->codec, msg->dict);
        return;
    }
    encode_map(e, 0);
    encode_end(e);
}

static inline void put_text_or_null(struct encoder *e, const struct msg *msg)
{
    if (msg->is_null)
        encode_null(e);
    else
        encode_text(e, msg->text);
}

/* has_dict: write an optional dict, although it may be empty. */
static inline struct blob *msg_rebuild(enum codec codec, const struct msg *msg, bool has_dict)
{
    unsigned ids = 0;
    struct encoder e;

    encode_start(&e, codec, 0);
    encode_list(&e, COUNT_UNKNOWN);
    encode_uint(&e, msg->type);
    for (const char *letter = msg_letters(msg->type); *letter != '\0'; letter++) {
        switch (*letter) {
        case 'I':
        case 'Z':
            encode_uint(&e, ids++ == 0 ? msg->id : msg->second);
            break;
        case 'T':
            encode_uint(&e, msg->request_type);
            break;
        case 'D':
            put_dict(&e, msg);
            break;
        case 'd':
            if (has_dict)
                put_dict(&e, msg);
            break;
        case 'P':
            encode_payload(&e, &msg->payload, false);
            break;
        default:
            put_text_or_null(&e, msg);
            break;
        }
    }
    encode_end(&e);
    return encode_finish(&e);
}

#endif
