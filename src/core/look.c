/* look.c -- see look.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/look.h"

#include "core/core_priv.h"
#include "core/details.h"

bool core_look(const struct core *core, uint64_t session, struct look *look)
{
    const struct session *found = map_get(&core->by_id, session, 0);

    if (found == NULL)
        return false;
    *look = (struct look){.authid = intern_get_text(&core->intern, found->authid),
                          .authrole = intern_get_text(&core->intern, found->authrole),
                          .codec = DETAILS_CODEC,
                          .details = found->details,
                          .trustlevel = found->trustlevel};
    return true;
}

uint32_t core_auth_timeout(const struct core *core)
{
    return core->options.auth_timeout_ms;
}
