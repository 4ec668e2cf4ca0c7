--- A tenant's realm; see policy.lua.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local roles <const> = nexus.config.roles or {}

local policy <const> = nexus.policy{ api = 1 }

local tenants <const> = nexus.kv("tenants", { scope = "router", persist = true })
local members <const> = nexus.kv("members", { persist = true })

for _, name in ipairs{ "owner", "member" } do
  local rules <const> = {}
  for i, rule in ipairs(roles[name] or { { allow = "*", uri = "**" } }) do
    local copy <const> = {}
    for key, value in pairs(rule) do copy[key] = value end
    rules[i] = copy
  end
  rules[#rules + 1] = { deny = "*", uri = "tenant.**" }
  local effect <const> = name == "owner" and "allow" or "deny"
  rules[#rules + 1] = { [effect] = "call", uri = "tenant.members.**" }
  policy.roles[name] = rules
end

function policy.authenticate.ticket(hello)
  local tenant <const> = tenants:get(hello.realm)
  if not tenant or tenant.locked then return nil end
  if hello.authid == "owner" then
    return { authrole = "owner", ticket_hash = tenant.owner }
  end
  local hash <const> = hello.authid and members:get(hello.authid)
  return hash and { authrole = "member", ticket_hash = hash }
end

local function check_name(name)
  if type(name) ~= "string" or name == "" or name == "owner" or #name > 100 then
    nexus.raise("wamp.error.invalid_argument",
      { "name: allowed: a string of 1 to 100 octets, not \"owner\"" })
  end
  return name
end

policy.procedures["tenant.members.add"] = {
  describe = "add(name): a member, and its ticket",
  handler = function(call)
    local name <const>, ticket <const> = check_name(call.args[1]), nexus.crypto.token(24)
    if not members:add(name, nexus.crypto.password_hash(ticket)) then
      nexus.raise("tenant.error.exists", { name })
    end
    return ticket
  end,
}

policy.procedures["tenant.members.remove"] = {
  describe = "remove(name): a member, and its sessions",
  handler = function(call)
    local name <const> = check_name(call.args[1])
    members:delete(name)
    return nexus.realm:kill{ authid = name, reason = "tenant.close.removed" }
  end,
}

return policy
