/* module_priv.h -- the tables that the files of this room have.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_MODULE_PRIV_H
#define NEXUS_MODULE_MODULE_PRIV_H

#include "module/host.h"
#include "module/module.h"
#include "script/values.h"
#include "script/vm.h"

#include <lauxlib.h>

extern const struct module_table module_values, module_json, module_msgpack, module_cbor;
extern const struct module_table module_log, module_time, module_uri, module_matcher;
extern const struct module_table module_crypto, module_derive, module_jwt;
extern const struct module_table module_sqlite, module_database, module_rows_class;
extern const struct module_table module_transaction;
extern const struct module_table module_http;
extern const struct module_table module_config, module_config_class;
extern const struct module_table module_kv, module_kv_class, module_limiter, module_limiter_class;
extern const struct module_table module_metrics, module_counter, module_gauge, module_histogram;

static inline struct slice check_slice(lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_checklstring(lua, index, &text.len);
    return text;
}

#endif
