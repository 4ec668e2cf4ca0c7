--- open: anybody may come in and do everything. For development, on addresses of this machine.
--
-- The router has it built in (`policy = "open"` runs no Lua at all); this file says the same in
-- Lua, to be read and to begin with.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1 }

policy.roles.anonymous = { { allow = "*", uri = "**" } }

function policy.authenticate.anonymous(hello)
  return { authrole = "anonymous", authid = hello.authid }
end

return policy
