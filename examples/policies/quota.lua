--- Quotas: services ask whether somebody may do more, and the router asks for itself, too.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{ api = 1, attributes = { tariff = "string" } }

local keys <const> = nexus.kv("keys", { persist = true })

function policy.authenticate.wampcra(hello)
  local key <const> = keys:get(hello.authid)
  return key and { authrole = key.role, secret = key.secret, attributes = { tariff = key.tariff } }
end

policy.roles.customer = {
  { allow = "*", uri = "com.maps.**" },
  { deny = "*", uri = "com.maps.quota.**" },
}
policy.roles.server = { { allow = "*", uri = "com.maps.**" } }

policy.limits = { { action = "join", per = "ip", rate = 5, burst = 12 } }

local tariffs <const> = {
  small = nexus.limiter{ name = "small", rate = 2, burst = 4 },
  large = nexus.limiter{ name = "large", rate = 40, burst = 80 },
}

policy.procedures["com.maps.quota.spend"] = {
  describe = "spend(customer, tariff, n) -> true, or an error with retry_after",
  handler = function(call)
    local customer <const>, n <const> = call.args[1], call.args[3] or 1
    local tariff <const> = tariffs[call.args[2]]
    if not tariff then
      nexus.raise("wamp.error.invalid_argument", { "no tariff " .. tostring(call.args[2]) })
    end
    local is_fine <const>, retry_after <const> = tariff:take(customer, n)
    if not is_fine then
      nexus.raise("com.maps.error.spent", { customer }, { retry_after = retry_after })
    end
    return true
  end,
}

function policy.intercept.call(message)
  local session <const> = message.session
  if session.authrole ~= "customer" then return nil end
  local tariff <const> = tariffs[session.tariff] or tariffs.small
  local is_fine <const>, retry_after <const> = tariff:take(session.authid, 1)
  if not is_fine then
    return nexus.deny{ error = "com.maps.error.spent", kwargs = { retry_after = retry_after } }
  end
end

return policy
