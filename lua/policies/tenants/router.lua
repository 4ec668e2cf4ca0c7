--- tenants, the router's part: a tenant's realm is opened when somebody asks for it.
--
-- What tenants there are is in a store of the router, which the managing realm writes; see
-- policy.lua.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local router <const> = { api = 1 }

local tenants <const> = nexus.kv("tenants", { scope = "router", persist = true })

function router.realm_requested(hello)
  local tenant <const> = tenants:get(hello.realm)
  if not tenant or tenant.locked then return nil end
  return { template = "tenant", settings = { tenant = tenant.name }, close_when_idle = 300 }
end

return router
