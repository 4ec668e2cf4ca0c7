/* vm_priv.h -- what the files of this room share about a state.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_VM_PRIV_H
#define NEXUS_SCRIPT_VM_PRIV_H

#include "base/arena.h"
#include "base/list.h"
#include "script/heap.h"
#include "script/vm.h"
#include "wire/codec.h"

#define VM_STEP        500 /* instructions between two looks at the budgets */
#define VM_STEP_LARGE  16  /* the same while a block of HEAP_LARGE bytes lives */
#define VM_CHARGE_MAX  5000
#define VM_CHARGE_UNIT 64 /* bytes of a big block that count as one step */

struct door_run;

/* Who wanted the thread to yield that just did. */
enum yielder { YIELD_POLICY, YIELD_WAIT, YIELD_SLICE, YIELD_KILL };

struct vm {
    lua_State *lua; /* owned; the main thread, which runs no policy code */
    struct heap heap;
    struct vm_options options;

    /* What runs. */
    lua_State *running;   /* the innermost thread that runs policy code; NULL: none does */
    struct door_run *run; /* the entry that it belongs to */
    unsigned pinned;      /* threads below that cannot yield since C functions called on */
    unsigned nesting;     /* entries within entries */
    unsigned closing;     /* coroutine.close within itself */
    enum yielder yielding;
    size_t charged;
    uint64_t grown_seen; /* heap.grown that is charged already */

    /* The door. */
    struct list idle; /* struct door_run, owned; ready for an entry */
    struct list busy; /* struct door_run, owned; entered, waiting ones included */
    unsigned idle_count;
    uint64_t entries; /* so far */

    /* Values. */
    struct arena scratch;
    struct encoder encoder;
    bool is_encoding; /* the encoder holds bytes; a raised error may have left them */
};

/* ---- tags of a thread, kept beside the pointer to its state ---- */

#define TAG_POOLED ((uintptr_t)1) /* belongs to the door: no policy may resume or close it */
#define TAG_HELD   ((uintptr_t)2) /* waits for the router, or was killed */
#define TAG_ALL    ((uintptr_t)3)

static inline uintptr_t *vm_slot(lua_State *lua)
{
    return (uintptr_t *)lua_getextraspace(lua);
}

static inline bool vm_has_tag(lua_State *lua, uintptr_t tag)
{
    return (*vm_slot(lua) & tag) != 0;
}

static inline void vm_set_tag(lua_State *lua, uintptr_t tag)
{
    *vm_slot(lua) |= tag;
}

static inline void vm_clear_tag(lua_State *lua, uintptr_t tag)
{
    *vm_slot(lua) &= ~tag;
}

/* ---- the parts of the sandbox; each opener leaves one table ---- */

/* Builds the environment and remembers it. */
void sandbox_open(lua_State *lua);

/* Makes the C function of that name in the table at the top be charged for the length of its first
 * argument: it takes time that no instruction shows. */
void sandbox_charge(lua_State *lua, const char *name);

/* Whether the name at the top is one of the allowed globals. */
bool sandbox_knows(lua_State *lua);

/* Pushes the environment that chunks get. */
void sandbox_push(lua_State *lua);

int l_open_string(lua_State *lua);
int l_open_table(lua_State *lua);
int l_open_coroutine(lua_State *lua);

/* The metatables of wire values, which C code needs before any policy asks for the module. */
void values_open(lua_State *lua);

/* `require`, and the module of the values under the name "nexus". */
void modules_open(lua_State *lua);
int l_require(lua_State *lua);

/* Replaces the table of lua-cjson at the top by one that cannot harm the process. */
void cjson_guard(lua_State *lua);

/* Functions that call back from C, so that nothing can wait in them. */
int l_table_sort(lua_State *lua);
int l_string_gsub(lua_State *lua);
int l_tostring(lua_State *lua);

/* ---- the door, as the libraries see it ---- */

/* The events of that hook: counts, and lines when cover.h wants them. */
extern int vm_hook_mask;

/* A line is about to run. */
void cover_line(lua_State *lua, lua_Debug *debug);

/* The hook of every thread that runs policy code. */
void door_on_count(lua_State *lua, lua_Debug *debug);

/* Raises when the running entry is past its budgets; for long loops in C. */
void door_check(lua_State *lua);

/* True when the running entry is being ended. */
bool door_is_ending(const struct vm *vm);

/* Ends the thread's way up: yields or raises, whatever it can. Call as `return door_end(lua);`. */
int door_end(lua_State *lua);

/* Remembers where memory was refused. */
void door_on_refusal(struct vm *vm);

/* Throws away all runs. */
void door_fini(struct vm *vm);

#endif
