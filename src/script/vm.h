/* vm.h -- one Lua state: its memory, its sandbox, what it may require.
 *
 * A state belongs to one thread at a time. What a policy sees is put together in
 * sandbox.c; how C enters Lua is door.h, and nothing else may run policy code.
 * Functions named l_* may raise, so they are called by Lua or by vm_try only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_VM_H
#define NEXUS_SCRIPT_VM_H

#include "base/slice.h"

#include <lua.h>

struct vm;
struct source;

/* Defaults of struct vm_options. */
#define VM_MEMORY     ((size_t)64 * 1024 * 1024)
#define VM_BLOCK_MAX  ((size_t)16 * 1024 * 1024)
#define VM_ENCODE_MAX ((size_t)16 * 1024 * 1024)

enum vm_level { VM_INFO, VM_WARN };

struct vm_options {
    size_t memory;     /* bytes the state may hold; 0: VM_MEMORY */
    size_t block_max;  /* bytes of one string or table; 0: VM_BLOCK_MAX */
    size_t encode_max; /* bytes of one encoded value; 0: VM_ENCODE_MAX */

    const struct source *source;  /* borrowed; where `require` finds modules; may be NULL */
    const char *const *c_modules; /* borrowed; C modules that may be required, NULL at the end */

    /* What `print` and `warn` say, and where ("file:line"). May be NULL. */
    void (*say)(lua_State *lua, enum vm_level level, struct slice text, const char *where);
    /* Takes secrets out of what a run that failed says of itself; never makes it longer. May be
     * NULL. */
    void (*mask)(void *ctx, char *text);
    void *mask_ctx; /* borrowed */

    /* Words for an error that is no text, at the index; false: it is nothing of the caller's. May
     * raise. NULL: nothing is. */
    bool (*describe)(lua_State *lua, int index, char *out, size_t len);

    /* Seconds: since 1970, and of a monotonic clock. For os.time, os.date, os.clock; NULL: the
     * machine's. */
    double (*wall)(void *ctx);
    double (*now)(void *ctx);
    void *clock_ctx; /* borrowed */
};

/* A state with its sandbox. NULL when the limit is too low to hold one. */
struct vm *vm_new(const struct vm_options *options) MUST_CHECK;
void vm_free(struct vm *vm);

/* Its main thread, for what cannot raise: references may be given back. */
lua_State *vm_lua(const struct vm *vm);

/* For a state that others have made (an interpreter's): from now on values.h works in this thread and
 * in those that it makes. Nothing else of this room does there. Fine when it was called before, and
 * in a state of ours. Raises when there is no memory. */
void l_vm_guest(lua_State *lua);

/* The state that a thread of Lua belongs to. */
struct vm *vm_of(lua_State *lua);

/* Bytes held now, and the most that may be. */
size_t vm_memory(const struct vm *vm);
size_t vm_memory_max(const struct vm *vm);

/* Collects garbage: all of it, or a little, for when there is nothing else to do. */
void vm_collect(struct vm *vm, bool all);

/* Runs a C function protected, outside of policies: fn gets ctx as light userdata. What it leaves
 * on the stack is dropped. Returns 0 or ERR_FULL (no memory), ERR_INVALID; then words say why. */
int vm_try(struct vm *vm, lua_CFunction fn, void *ctx, char *words, size_t words_len) MUST_CHECK;

/* `require name` gives what `open` returns (one value), called at the first time. A table comes
 * out read-only. The seam for the functions that policies are offered. */
int vm_provide(struct vm *vm, const char *name, lua_CFunction open) MUST_CHECK;

/* Compiles a file of the source and leaves the function on the stack, bound to the sandbox.
 * Returns false with the message ("file:line: ...") instead. For vm_try and l_ functions. */
bool vm_load(lua_State *lua, struct slice text, const char *label);

/* Says that a C function did work that no instruction stands for: about one step for each item
 * moved. Enough of it makes the budgets be looked at before the next instruction. */
void vm_charge(lua_State *lua, size_t steps);

/* Makes the table at the top read-only: what is there instead looks like it. */
void vm_freeze(lua_State *lua, const char *name);

#endif
