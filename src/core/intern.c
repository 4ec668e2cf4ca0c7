/* intern.c -- see intern.h. The bytes of a value begin with a letter for its type.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/intern.h"

#include "base/check.h"
#include "base/mem.h"

struct interned {
    uint32_t id;
    uint32_t refs;
    size_t len;
    char bytes[]; /* type letter, then the value */
};

struct typed {
    struct slice bytes;
    char room[MAX_ATTRIBUTE_LEN + 1];
};

void intern_init(struct intern *in, uint64_t seed0, uint64_t seed1)
{
    *in = (struct intern){.id_count = 1};
    strmap_init(&in->by_bytes, seed0, seed1);
}

void intern_fini(struct intern *in)
{
    for (size_t i = 1; i < in->id_count; i++)
        mem_free(in->by_id[i]);
    mem_free(in->by_id);
    mem_free(in->free_ids);
    strmap_fini(&in->by_bytes);
}

static bool type_bytes(struct typed *t, char type, const void *data, size_t len)
{
    if (len > MAX_ATTRIBUTE_LEN)
        return false;
    t->room[0] = type;
    if (len != 0)
        memcpy(t->room + 1, data, len);
    t->bytes = slice_make(t->room, len + 1);
    return true;
}

static bool type_token(struct typed *t, const struct token *token)
{
    switch (token->type) {
    case TOKEN_TEXT:
        return type_bytes(t, 's', token->text.data, token->text.len);
    case TOKEN_BOOL:
        return type_bytes(t, token->boolean ? 'y' : 'n', NULL, 0);
    case TOKEN_INT:
        return type_bytes(t, 'i', &token->integer, sizeof token->integer);
    case TOKEN_UINT:
        return type_bytes(t, 'u', &token->natural, sizeof token->natural);
    case TOKEN_FLOAT:
        return type_bytes(t, 'f', &token->real, sizeof token->real);
    case TOKEN_NULL:
    case TOKEN_BIGNUM:
    case TOKEN_BYTES:
    case TOKEN_EXT:
    case TOKEN_LIST:
    case TOKEN_MAP:
    case TOKEN_END:
    case TOKEN_DONE:
        return false;
    }
    return false;
}

static uint32_t fresh_id(struct intern *in)
{
    if (in->free_count != 0)
        return in->free_ids[--in->free_count];
    if (in->id_count >= in->id_cap) {
        in->id_cap = in->id_cap == 0 ? 64 : in->id_cap * 2;
        in->by_id = mem_grow(in->by_id, in->id_cap * sizeof(struct interned *));
        in->by_id[0] = NULL;
    }
    return (uint32_t)in->id_count++;
}

static uint32_t hold(struct intern *in, const struct typed *t)
{
    struct interned *entry = strmap_get(&in->by_bytes, t->bytes);

    if (entry == NULL) {
        entry = mem_alloc(sizeof *entry + t->bytes.len);
        entry->id = fresh_id(in);
        entry->refs = 0;
        entry->len = t->bytes.len;
        memcpy(entry->bytes, t->bytes.data, t->bytes.len);
        in->by_id[entry->id] = entry;
        strmap_put(&in->by_bytes, slice_make(entry->bytes, entry->len), entry);
    }
    entry->refs++;
    return entry->id;
}

static uint32_t find(const struct intern *in, const struct typed *t)
{
    const struct interned *entry = strmap_get(&in->by_bytes, t->bytes);

    return entry == NULL ? INTERN_NONE : entry->id;
}

size_t intern_bytes(const struct token *token, char *room)
{
    struct typed t;

    if (!type_token(&t, token))
        return 0;
    memcpy(room, t.bytes.data, t.bytes.len);
    return t.bytes.len;
}

uint32_t intern_find_bytes(const struct intern *in, struct slice bytes)
{
    const struct interned *entry = strmap_get(&in->by_bytes, bytes);

    return entry == NULL ? INTERN_NONE : entry->id;
}

struct slice intern_get_bytes(const struct intern *in, uint32_t id)
{
    return slice_make(in->by_id[id]->bytes, in->by_id[id]->len);
}

uint32_t intern_text(struct intern *in, struct slice text)
{
    struct typed t;

    return type_bytes(&t, 's', text.data, text.len) ? hold(in, &t) : INTERN_NONE;
}

uint32_t intern_token(struct intern *in, const struct token *token)
{
    struct typed t;

    return type_token(&t, token) ? hold(in, &t) : INTERN_NONE;
}

uint32_t intern_find_text(const struct intern *in, struct slice text)
{
    struct typed t;

    return type_bytes(&t, 's', text.data, text.len) ? find(in, &t) : INTERN_NONE;
}

uint32_t intern_find_token(const struct intern *in, const struct token *token)
{
    struct typed t;

    return type_token(&t, token) ? find(in, &t) : INTERN_NONE;
}

void intern_hold(struct intern *in, uint32_t id)
{
    CHECK(in->by_id[id] != NULL);
    in->by_id[id]->refs++;
}

void intern_drop(struct intern *in, uint32_t id)
{
    if (id == INTERN_NONE)
        return;

    struct interned *entry = in->by_id[id];

    CHECK(entry != NULL && entry->refs > 0);
    if (--entry->refs > 0)
        return;
    strmap_remove(&in->by_bytes, slice_make(entry->bytes, entry->len));
    in->by_id[id] = NULL;
    if (in->free_count == in->free_cap) {
        in->free_cap = in->free_cap == 0 ? 64 : in->free_cap * 2;
        in->free_ids = mem_grow(in->free_ids, in->free_cap * sizeof *in->free_ids);
    }
    in->free_ids[in->free_count++] = id;
    mem_free(entry);
}

bool intern_is_text(const struct intern *in, uint32_t id)
{
    return in->by_id[id]->bytes[0] == 's';
}

struct slice intern_get_text(const struct intern *in, uint32_t id)
{
    if (id == INTERN_NONE)
        return (struct slice){0};
    return slice_make(in->by_id[id]->bytes + 1, in->by_id[id]->len - 1);
}
