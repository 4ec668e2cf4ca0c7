/* wait.c -- see wait.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/wait.h"

int l_wait(lua_State *lua, struct wait *wait)
{
    return door_wait(lua, (struct door_wait){.object = wait});
}

void wait_done(struct wait *wait)
{
    wait->is_done = true;
    if (wait->wake != NULL)
        wait->wake(wait);
}

struct wait *wait_of(const struct door_answer *answer)
{
    return answer->wait.object;
}

void wait_sleep(struct wait *wait, void (*wake)(struct wait *wait), void *sleeper)
{
    wait->sleeper = sleeper;
    wait->wake = wake;
    if (wait->is_done)
        wake(wait);
}
