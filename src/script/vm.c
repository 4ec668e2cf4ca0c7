/* vm.c -- see vm.h.
 *
 * The pointer to the state is in the extra space of every thread of Lua: new
 * threads get it from the main one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "script/vm_priv.h"

#include <lauxlib.h>

#include <stdio.h>

/* What a fresh state with the sandbox needs, and a little to work with. */
#define MEMORY_MIN ((size_t)512 * 1024)

struct vm *vm_of(lua_State *lua)
{
    return (struct vm *)(void *)(*vm_slot(lua) & ~TAG_ALL); // NOLINT(performance-no-int-to-ptr)
}

size_t vm_memory(const struct vm *vm)
{
    return vm->heap.held;
}

size_t vm_memory_max(const struct vm *vm)
{
    return vm->options.memory;
}

/* ---- memory and work ---- */

/* Looks at the budgets before the next instruction. Changes fields of the thread only, so it
 * may be called from the allocator. */
static void look_soon(struct vm *vm)
{
    vm->charged = 0;
    if (vm->running != NULL)
        lua_sethook(vm->running, door_on_count, vm_hook_mask, 1);
}

void vm_charge(lua_State *lua, size_t steps)
{
    struct vm *vm = vm_of(lua);

    vm->charged += steps;
    if (vm->charged >= VM_CHARGE_MAX)
        look_soon(vm);
}

static void *allocate(void *ctx, void *block, size_t old_len, size_t len)
{
    struct vm *vm = ctx;
    size_t large = vm->heap.large;
    void *after = heap_change(&vm->heap, block, old_len, len);

    if (UNLIKELY(after == NULL && len != 0)) {
        door_on_refusal(vm);
        look_soon(vm);
        return NULL;
    }
    if (UNLIKELY(vm->heap.grown != vm->grown_seen)) {
        vm->charged += (size_t)(vm->heap.grown - vm->grown_seen) / VM_CHARGE_UNIT;
        vm->grown_seen = vm->heap.grown;
        if (vm->charged >= VM_CHARGE_MAX || vm->heap.large > large)
            look_soon(vm);
    }
    return after;
}

/* Nothing of Lua runs unprotected, so this is a mistake of ours. */
static int on_panic(lua_State *lua)
{
    const char *words = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "no message";

    fprintf(stderr, "lua: an error outside of protected calls: %s\n", words);
    UNREACHABLE("lua panic");
}

/* ---- protected calls ---- */

struct attempt {
    lua_CFunction fn;
    void *ctx;
};

static int l_attempt(lua_State *lua)
{
    const struct attempt *attempt = lua_touserdata(lua, 1);

    lua_settop(lua, 0);
    lua_pushlightuserdata(lua, attempt->ctx);
    return attempt->fn(lua);
}

int vm_try(struct vm *vm, lua_CFunction fn, void *ctx, char *words, size_t words_len)
{
    struct attempt attempt = {fn, ctx};
    lua_State *lua = vm->lua;
    int top = lua_gettop(lua);
    int status;

    lua_pushcfunction(lua, l_attempt);
    lua_pushlightuserdata(lua, &attempt);
    status = lua_pcall(lua, 1, 0, 0);
    if (status != LUA_OK && words != NULL)
        snprintf(words, words_len, "%s",
                 lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "an error object");
    lua_settop(lua, top);
    if (status == LUA_OK)
        return 0;
    return status == LUA_ERRMEM ? ERR_FULL : ERR_INVALID;
}

static int l_collect(lua_State *lua)
{
    const bool *all = lua_touserdata(lua, 1);

    lua_gc(lua, *all ? LUA_GCCOLLECT : LUA_GCSTEP, 0);
    return 0;
}

void vm_collect(struct vm *vm, bool all)
{
    /* Collecting may itself want memory; what it does not get it does without. */
    int err = vm_try(vm, l_collect, &all, NULL, 0);

    (void)err;
}

/* ---- states ---- */

/* Lua makes these messages outside of its protected parts, in coroutines that do not run; were
 * there no memory for them then, that would be a panic. What exists is found, not made. */
static void keep_messages(lua_State *lua)
{
    static const char *const messages[] = {"C stack overflow", "error in error handling",
                                           "cannot resume dead coroutine",
                                           "cannot resume non-suspended coroutine"};

    lua_createtable(lua, ARRAY_LEN(messages), 0);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        lua_pushstring(lua, messages[i]);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    lua_rawsetp(lua, LUA_REGISTRYINDEX, messages);
}

/* Tables with weak keys that lead to each other make the collector take the square of their number,
 * in one step that nothing can interrupt: 30,000 of them take seconds. So there are no weak tables.
 * The collector looks for its own string "__mode" in a metatable, by address. When the text of that
 * one is another, the string "__mode" of a policy is never it. (Memory of the state is writable,
 * and a string is found and freed by its hash and address.) */
static void forget_weak_tables(lua_State *lua)
{
    const char *text = lua_pushliteral(lua, "__mode");

    *(char *)(uintptr_t)text = '\001'; // NOLINT(performance-no-int-to-ptr)
    lua_pop(lua, 1);
}

static const char ours_key = 0;

static int l_setup(lua_State *lua)
{
    luaL_checkstack(lua, 100, NULL);
    lua_pushboolean(lua, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &ours_key);
    forget_weak_tables(lua);
    keep_messages(lua);
    values_open(lua);
    sandbox_open(lua);
    modules_open(lua);
    return 0;
}

struct vm *vm_new(const struct vm_options *options)
{
    struct vm *vm = mem_zero(1, sizeof(*vm));
    char words[200];

    vm->options = *options;
    if (vm->options.memory == 0)
        vm->options.memory = VM_MEMORY;
    if (vm->options.block_max == 0)
        vm->options.block_max = VM_BLOCK_MAX;
    if (vm->options.encode_max == 0)
        vm->options.encode_max = VM_ENCODE_MAX;
    heap_init(&vm->heap, vm->options.memory);
    vm->heap.block_max = vm->options.block_max;
    list_init(&vm->idle);
    list_init(&vm->busy);
    arena_init(&vm->scratch);
    if (vm->options.memory >= MEMORY_MIN)
        vm->lua = lua_newstate(allocate, vm);
    if (vm->lua != NULL) {
        CHECK(((uintptr_t)vm & TAG_ALL) == 0);
        *vm_slot(vm->lua) = (uintptr_t)vm;
        lua_atpanic(vm->lua, on_panic);
        /* Short steps: a hook must not pay for a collection of milliseconds. */
        lua_gc(vm->lua, LUA_GCINC, 200, 8, 9);
    }
    if (vm->lua == NULL || vm_try(vm, l_setup, NULL, words, sizeof(words)) != 0) {
        vm_free(vm);
        return NULL;
    }
    return vm;
}

void vm_free(struct vm *vm)
{
    if (vm == NULL)
        return;
    CHECK(vm->running == NULL);
    door_fini(vm);
    if (vm->lua != NULL)
        lua_close(vm->lua);
    if (vm->is_encoding)
        encode_discard(&vm->encoder);
    arena_fini(&vm->scratch);
    heap_fini(&vm->heap);
    mem_free(vm);
}

lua_State *vm_lua(const struct vm *vm)
{
    return vm->lua;
}

/* ---- states of others ---- */

static const char guest_key = 0;

static int l_guest_free(lua_State *lua)
{
    struct vm *vm = lua_touserdata(lua, 1);

    if (vm->is_encoding)
        encode_discard(&vm->encoder);
    vm->is_encoding = false;
    arena_fini(&vm->scratch);
    return 0;
}

/* Its memory is Lua's, so that it ends with the state. */
static struct vm *l_guest_new(lua_State *lua)
{
    struct vm *vm = lua_newuserdatauv(lua, sizeof(*vm), 0);

    memset(vm, 0, sizeof(*vm));
    CHECK(((uintptr_t)vm & TAG_ALL) == 0);
    vm->lua = lua;
    vm->options.encode_max = VM_ENCODE_MAX;
    list_init(&vm->idle);
    list_init(&vm->busy);
    arena_init(&vm->scratch);
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, l_guest_free);
    lua_setfield(lua, -2, "__gc");
    lua_setmetatable(lua, -2);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &guest_key);
    *vm_slot(lua) = (uintptr_t)vm;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    *vm_slot(lua_tothread(lua, -1)) = (uintptr_t)vm; /* threads that begin get it from there */
    lua_pop(lua, 1);
    values_open(lua);
    return vm;
}

void l_vm_guest(lua_State *lua)
{
    struct vm *vm;
    bool is_ours;

    luaL_checkstack(lua, 10, NULL);
    is_ours = lua_rawgetp(lua, LUA_REGISTRYINDEX, &ours_key) != LUA_TNIL;
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &guest_key);
    vm = lua_touserdata(lua, -1);
    lua_pop(lua, 2);
    if (is_ours)
        return;
    /* In a state of others nobody has written to the extra space. */
    *vm_slot(lua) = (uintptr_t)(vm != NULL ? vm : l_guest_new(lua));
}

/* ---- chunks ---- */

/* Some editors begin a file with it, and Lua's own loader takes no offence. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

bool vm_load(lua_State *lua, struct slice text, const char *label)
{
    const char *name;

    if (slice_starts_with(text, SLICE(LUA_SIGNATURE))) {
        lua_pushfstring(lua, "%s: this is compiled code; a policy is text", label);
        return false;
    }
    name = lua_pushfstring(lua, "@%s", label);
    if (slice_starts_with(text, SLICE(BYTE_ORDER_MARK))) {
        text.data += strlen(BYTE_ORDER_MARK);
        text.len -= strlen(BYTE_ORDER_MARK);
    }
    /* The first line may be for a shell. Its end stays, so that lines are counted right. */
    if (slice_starts_with(text, SLICE("#"))) {
        while (text.len != 0 && *text.data != '\n') {
            text.data++;
            text.len--;
        }
    }
    if (luaL_loadbufferx(lua, text.data, text.len, name, "t") != LUA_OK) {
        lua_remove(lua, -2);
        return false;
    }
    lua_remove(lua, -2);
    sandbox_push(lua);
    if (lua_setupvalue(lua, -2, 1) == NULL)
        lua_pop(lua, 1);
    return true;
}
