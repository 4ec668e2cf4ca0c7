/* intern.h -- names and values of session attributes as small numbers.
 *
 * Equal values have equal numbers, so a filter compares numbers and never
 * strings. Values are typed: the text "3" and the integer 3 differ. Numbers are
 * counted: when the last session that has a value goes, so does the number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_INTERN_H
#define NEXUS_CORE_INTERN_H

#include "base/map.h"
#include "core/limits.h"
#include "wire/codec.h"

#define INTERN_NONE 0 /* no such value: equal to nothing */

struct interned;

struct intern {
    struct strmap by_bytes;  /* typed bytes -> struct interned, owned */
    struct interned **by_id; /* id -> the same; [0] is unused */
    uint32_t *free_ids;
    size_t id_count, id_cap, free_count, free_cap;
};

void intern_init(struct intern *in, uint64_t seed0, uint64_t seed1);
void intern_fini(struct intern *in);

/* The number of a text; counted once more. */
uint32_t intern_text(struct intern *in, struct slice text);

/* The number of a scalar token (text, boolean, integer, float); counted once more.
 * INTERN_NONE for any other token. */
uint32_t intern_token(struct intern *in, const struct token *token);

/* The same, but only if it is there already; not counted. */
uint32_t intern_find_text(const struct intern *in, struct slice text);
uint32_t intern_find_token(const struct intern *in, const struct token *token);

/* The bytes by which a value is known: the same for equal values of one type. Returns how many there
 * are, or 0: no attribute has such a value. `room` has INTERN_MAX_BYTES. */
#define INTERN_MAX_BYTES (MAX_ATTRIBUTE_LEN + 1)
size_t intern_bytes(const struct token *token, char *room);

/* The number of a value that is there already; not counted. */
uint32_t intern_find_bytes(const struct intern *in, struct slice bytes);

/* The bytes of a number; borrowed until it is dropped. */
struct slice intern_get_bytes(const struct intern *in, uint32_t id);

/* Counts it once more. */
void intern_hold(struct intern *in, uint32_t id);

/* Gives one count back. */
void intern_drop(struct intern *in, uint32_t id);

/* True for a text; false for booleans and numbers. */
bool intern_is_text(const struct intern *in, uint32_t id);

/* The bytes of a text; borrowed until it is dropped. */
struct slice intern_get_text(const struct intern *in, uint32_t id);

#endif
