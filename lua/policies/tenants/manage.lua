--- The realm that manages tenants; see policy.lua.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local prefix <const> = nexus.config.manages

local policy <const> = nexus.policy{ api = 1 }

local tenants <const> = nexus.kv("tenants", { scope = "router", persist = true })

local function realm_of(name)
  if type(name) ~= "string" or not name:match "^[a-z][a-z0-9_]*$" or #name > 50 then
    nexus.raise("wamp.error.invalid_argument",
      { "name: allowed: a letter, then letters, digits and _ in lower case, at most 50" })
  end
  return prefix .. name
end

local function change(name, fn)
  local is_there = false
  tenants:update(realm_of(name), function(tenant)
    is_there = tenant ~= nil
    return tenant and fn(tenant)
  end)
  return is_there or nexus.raise("tenants.error.no_such_tenant", { name })
end

policy.procedures["tenants.add"] = {
  describe = "add(name): a tenant, and the ticket of its owner",
  handler = function(call)
    local name <const> = call.args[1]
    local realm <const>, ticket <const> = realm_of(name), nexus.crypto.token(24)
    local tenant <const> = { name = name, owner = nexus.crypto.password_hash(ticket) }
    if not tenants:add(realm, tenant) then nexus.raise("tenants.error.exists", { name }) end
    return { realm = realm, ticket = ticket }
  end,
}

policy.procedures["tenants.lock"] = {
  describe = "lock(name, locked)",
  handler = function(call)
    return change(call.args[1], function(tenant)
      tenant.locked = call.args[2] ~= false
      return tenant
    end)
  end,
}

policy.procedures["tenants.remove"] = {
  describe = "remove(name)",
  handler = function(call)
    return change(call.args[1], function() return nil end)
  end,
}

policy.procedures["tenants.list"] = {
  describe = "list(): all tenants",
  handler = function()
    local all <const> = nexus.list()
    tenants:each(prefix, function(realm, tenant)
      all[#all + 1] = { name = tenant.name, realm = realm, locked = tenant.locked or false }
    end)
    return all
  end,
}

return nexus.config.file and nexus.merge(require "policies.users", policy) or policy
