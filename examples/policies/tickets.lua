--- Tickets in a store, which an administrator fills by a procedure.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1 }

local members <const> = nexus.kv("members", { persist = true })

function policy.authenticate.ticket(hello)
  return members:get(hello.authid) -- a record, or nil
end

policy.roles.member = {
  { allow = "*", uri = "com.club.**" },
  { deny = "*", uri = "com.club.board.**" },
}
policy.roles.board = { { allow = "*", uri = "com.club.**" } }

policy.procedures["com.club.board.invite"] = function(call)
  local ticket <const> = nexus.crypto.token(18)
  local record <const> = { authrole = "member", ticket_hash = nexus.crypto.password_hash(ticket) }
  if not members:add(call.args[1], record) then
    nexus.raise("com.club.error.is_member", { call.args[1] })
  end
  return ticket
end

return policy
