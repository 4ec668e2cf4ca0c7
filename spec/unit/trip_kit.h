/* trip_kit.h -- an encoded value, through Lua and back into a serializer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_TRIP_KIT_H
#define NEXUS_SPEC_TRIP_KIT_H

#include "script/values.h"

struct trip {
    enum codec from, to;
    struct slice bytes;
    struct blob *result;
};

/* For vm_try. */
static inline int l_trip(lua_State *lua)
{
    struct trip *trip = lua_touserdata(lua, 1);

    l_values_push(lua, trip->from, trip->bytes, "value");
    l_values_begin(lua, trip->to);
    l_values_put(lua, -1, VALUES_ANY, "value");
    trip->result = l_values_end(lua);
    return 0;
}

#endif
