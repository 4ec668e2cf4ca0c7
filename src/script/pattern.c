/* pattern.c -- see pattern.h.
 *
 * A pattern is a row of items. An item that matches one character may be
 * repeated; the others (captures, %b, %f, %1) stand alone. `follow` goes along the
 * row and calls itself where there is a choice to come back to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/pattern.h"

#include "script/vm_priv.h"

#include <lauxlib.h>

#include <ctype.h>

#define DEPTH_MAX  200   /* choices within choices: C stack */
#define CHECK_EACH 65536 /* steps between two looks at the budgets */

static const char *follow(struct pattern *p, const char *s, const char *item);

void pattern_init(struct pattern *p, lua_State *lua, struct slice subject, struct slice pattern)
{
    p->lua = lua;
    p->subject = subject.data;
    p->subject_end = subject.data + subject.len;
    p->from = pattern.data;
    p->end = pattern.data + pattern.len;
    p->is_anchored = pattern.len != 0 && *pattern.data == '^';
    p->from += p->is_anchored;
    p->steps = 0;
    p->steps_max = PATTERN_STEPS_MAX + 4 * (uint64_t)subject.len;
    p->depth = p->count = 0;
}

static void count_step(struct pattern *p)
{
    if (UNLIKELY(++p->steps % CHECK_EACH == 0))
        door_check(p->lua);
    if (UNLIKELY(p->steps > p->steps_max))
        luaL_error(p->lua, "pattern takes too long (more than %d steps)", (int)p->steps_max);
}

static char octet_at(const char *at, const char *end)
{
    if (at < end)
        return *at;
    return '\0';
}

/* ---- items that match one character ---- */

/* Where the set that begins at `at` ends: at its ']'. */
static const char *set_end(struct pattern *p, const char *at)
{
    at++;
    if (at < p->end && *at == '^')
        at++;
    do { /* a ']' that comes first is a member */
        if (at >= p->end)
            luaL_error(p->lua, "malformed pattern (missing ']')");
        at += *at == '%' ? 2 : 1;
    } while (at >= p->end || *at != ']');
    return at;
}

/* Behind the item. */
static const char *item_end(struct pattern *p, const char *item)
{
    if (*item == '[')
        return set_end(p, item) + 1;
    if (*item != '%')
        return item + 1;
    if (item + 1 >= p->end)
        luaL_error(p->lua, "malformed pattern (ends with '%%')");
    return item + 2;
}

static bool is_in_class(unsigned char c, char class)
{
    int is_in;

    switch (tolower((unsigned char)class)) {
    case 'a':
        is_in = isalpha(c);
        break;
    case 'c':
        is_in = iscntrl(c);
        break;
    case 'd':
        is_in = isdigit(c);
        break;
    case 'g':
        is_in = isgraph(c);
        break;
    case 'l':
        is_in = islower(c);
        break;
    case 'p':
        is_in = ispunct(c);
        break;
    case 's':
        is_in = isspace(c);
        break;
    case 'u':
        is_in = isupper(c);
        break;
    case 'w':
        is_in = isalnum(c);
        break;
    case 'x':
        is_in = isxdigit(c);
        break;
    case 'z': /* old, and still understood */
        is_in = c == 0;
        break;
    default:
        return (unsigned char)class == c;
    }
    return (is_in != 0) != (isupper((unsigned char)class) != 0);
}

/* set is at '[', end at its ']'. */
static bool is_in_set(unsigned char c, const char *set, const char *end)
{
    bool is_negated = set[1] == '^';

    for (const char *at = set + 1 + is_negated; at < end; at++) {
        if (*at == '%' && at + 1 < end) {
            if (is_in_class(c, *++at))
                return !is_negated;
        } else if (at + 2 < end && at[1] == '-') {
            if ((unsigned char)at[0] <= c && c <= (unsigned char)at[2])
                return !is_negated;
            at += 2;
        } else if ((unsigned char)*at == c) {
            return !is_negated;
        }
    }
    return is_negated;
}

static bool is_one(struct pattern *p, const char *s, const char *item, const char *behind)
{
    count_step(p);
    if (s >= p->subject_end)
        return false;
    switch (*item) {
    case '.':
        return true;
    case '%':
        return is_in_class((unsigned char)*s, item[1]);
    case '[':
        return is_in_set((unsigned char)*s, item, behind - 1);
    default:
        return *item == *s;
    }
}

/* ---- repetitions ---- */

static const char *longest(struct pattern *p, const char *s, const char *item, const char *behind)
{
    ptrdiff_t count = 0;

    while (is_one(p, s + count, item, behind))
        count++;
    for (; count >= 0; count--) {
        const char *end = follow(p, s + count, behind + 1);

        if (end != NULL)
            return end;
    }
    return NULL;
}

static const char *shortest(struct pattern *p, const char *s, const char *item, const char *behind)
{
    for (;;) {
        const char *end = follow(p, s, behind + 1);

        if (end != NULL)
            return end;
        if (!is_one(p, s, item, behind))
            return NULL;
        s++;
    }
}

/* ---- captures ---- */

static const char *open_capture(struct pattern *p, const char *s, const char *item)
{
    bool is_position = item + 1 < p->end && item[1] == ')';
    const char *end;

    if (p->count >= PATTERN_CAPTURES_MAX)
        luaL_error(p->lua, "too many captures");
    p->captures[p->count].at = s;
    p->captures[p->count].len = is_position ? CAPTURE_POSITION : CAPTURE_OPEN;
    p->count++;
    end = follow(p, s, item + 1 + is_position);
    if (end == NULL)
        p->count--;
    return end;
}

static const char *close_capture(struct pattern *p, const char *s, const char *item)
{
    unsigned i = p->count;
    const char *end;

    while (i > 0 && p->captures[i - 1].len != CAPTURE_OPEN)
        i--;
    if (i == 0) {
        luaL_error(p->lua, "invalid pattern capture");
        return NULL;
    }
    i--;
    p->captures[i].len = s - p->captures[i].at;
    end = follow(p, s, item + 1);
    if (end == NULL)
        p->captures[i].len = CAPTURE_OPEN;
    return end;
}

/* Behind what capture %1 to %9 matched, when that stands at s as well. */
static const char *same_again(struct pattern *p, const char *s, char digit)
{
    int i = digit - '1';
    size_t len;

    if (i < 0 || (unsigned)i >= p->count || p->captures[i].len == CAPTURE_OPEN)
        luaL_error(p->lua, "invalid capture index %%%d", i + 1);
    if (p->captures[i].len < 0) /* a position is no text */
        return NULL;
    len = (size_t)p->captures[i].len;
    p->steps += len / VM_CHARGE_UNIT;
    if ((size_t)(p->subject_end - s) < len || memcmp(p->captures[i].at, s, len) != 0)
        return NULL;
    return s + len;
}

/* ---- the other items ---- */

/* %bxy */
static const char *balanced(struct pattern *p, const char *s, const char *item)
{
    size_t open = 1;

    if (item + 3 >= p->end)
        luaL_error(p->lua, "malformed pattern (missing arguments to '%%b')");
    if (s >= p->subject_end || *s != item[2])
        return NULL;
    while (++s < p->subject_end) {
        count_step(p);
        if (*s == item[3]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == item[2]) {
            open++;
        }
    }
    return NULL;
}

/* %f[set]; *behind gets where the item ends. */
static bool is_frontier(struct pattern *p, const char *s, const char *item, const char **behind)
{
    const char *set = item + 2;
    const char *end;
    char before = '\0';
    char here = octet_at(s, p->subject_end);

    if (s != p->subject)
        before = s[-1];
    if (set >= p->end || *set != '[')
        luaL_error(p->lua, "missing '[' after '%%f' in pattern");
    end = set_end(p, set);
    *behind = end + 1;
    return !is_in_set((unsigned char)before, set, end) && is_in_set((unsigned char)here, set, end);
}

/* An item that begins with '%' and stands alone: moves both on. False: not such an item. */
static bool stands_alone(struct pattern *p, const char **s, const char **item)
{
    char kind = octet_at(*item + 1, p->end);
    const char *behind;

    if (kind == 'b') {
        *s = balanced(p, *s, *item);
        *item += 4;
    } else if (kind == 'f') {
        if (!is_frontier(p, *s, *item, &behind))
            *s = NULL;
        *item = behind;
    } else if (isdigit((unsigned char)kind)) {
        *s = same_again(p, *s, kind);
        *item += 2;
    } else {
        return false;
    }
    return true;
}

/* ---- the row ---- */

/* An item for one character, with what repeats it. Moves on, or sets *s to NULL when it does not
 * match; true when *s is the end of the whole match already. */
static bool take_one(struct pattern *p, const char **s, const char **item)
{
    const char *behind = item_end(p, *item);
    char repeat = octet_at(behind, p->end);
    const char *end;

    switch (repeat) {
    case '*':
        *s = longest(p, *s, *item, behind);
        return true;
    case '-':
        *s = shortest(p, *s, *item, behind);
        return true;
    case '+':
        *s = is_one(p, *s, *item, behind) ? longest(p, *s + 1, *item, behind) : NULL;
        return true;
    case '?':
        end = is_one(p, *s, *item, behind) ? follow(p, *s + 1, behind + 1) : NULL;
        if (end != NULL) {
            *s = end;
            return true;
        }
        *item = behind + 1;
        return false;
    default:
        *s = is_one(p, *s, *item, behind) ? *s + 1 : NULL;
        *item = behind;
        return false;
    }
}

static const char *follow_row(struct pattern *p, const char *s, const char *item)
{
    while (s != NULL && item < p->end) {
        if (*item == '(')
            return open_capture(p, s, item);
        if (*item == ')')
            return close_capture(p, s, item);
        if (*item == '$' && item + 1 == p->end)
            return s == p->subject_end ? s : NULL;
        if (*item == '%' && stands_alone(p, &s, &item))
            continue;
        if (take_one(p, &s, &item))
            return s;
    }
    return s;
}

static const char *follow(struct pattern *p, const char *s, const char *item)
{
    const char *end;

    if (item >= p->end)
        return s;
    if (++p->depth > DEPTH_MAX)
        luaL_error(p->lua, "pattern too complex");
    end = follow_row(p, s, item);
    p->depth--;
    return end;
}

const char *l_pattern_match(struct pattern *p, const char *at)
{
    p->count = p->depth = 0;
    count_step(p);
    return follow(p, at, p->from);
}

const char *l_pattern_search(struct pattern *p, const char **at)
{
    for (;; (*at)++) {
        const char *end = l_pattern_match(p, *at);

        if (end != NULL || p->is_anchored || *at >= p->subject_end)
            return end;
    }
}

/* ---- results ---- */

void l_pattern_push_one(struct pattern *p, unsigned i, const char *whole, const char *end)
{
    if (i >= p->count) {
        if (i != 0)
            luaL_error(p->lua, "invalid capture index %%%d", (int)i + 1);
        lua_pushlstring(p->lua, whole, (size_t)(end - whole));
    } else if (p->captures[i].len == CAPTURE_POSITION) {
        lua_pushinteger(p->lua, p->captures[i].at - p->subject + 1);
    } else if (p->captures[i].len == CAPTURE_OPEN) {
        luaL_error(p->lua, "unfinished capture");
    } else {
        lua_pushlstring(p->lua, p->captures[i].at, (size_t)p->captures[i].len);
    }
}

int l_pattern_push(struct pattern *p, const char *whole, const char *end)
{
    unsigned count = p->count == 0 && whole != NULL ? 1 : p->count;

    luaL_checkstack(p->lua, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        l_pattern_push_one(p, i, whole, end);
    return (int)count;
}
