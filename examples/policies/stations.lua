--- Weather stations: what they measure stays with their owner; the worse a warning is, the further
-- it goes.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{
  api = 1,
  attributes = { owner = "string", groups = "list", rank = "integer" },
}

local stations <const> = nexus.kv("stations", { persist = true })

function policy.authenticate.cryptosign(hello)
  local station <const> = stations:get(hello.authid)
  return station and {
    authrole = "station", pubkeys = station.keys,
    attributes = { owner = station.owner, groups = station.groups, rank = station.rank },
  }
end

policy.roles.station = {
  -- data: no Lua runs for these
  { allow = "publish subscribe", uri = "com.weather.measured.**",
    filter = nexus.only("owner", "{session.owner}") },
  { allow = "publish subscribe", uri = "com.weather.warning.**" },
}

local warning <const> = nexus.uri.matcher "com.weather.warning.{kind}.**"

function policy.filter(event)
  if not warning(event.topic) then return nil end
  local owner <const>, level <const> = event.publisher.owner, event.kwargs.level or 0
  if level < 3 then
    return nexus.only("owner", owner) & nexus.except("groups", "visitors")
  end
  -- asked once for each pair of owner and rank that there is
  return function(session)
    return session:has("owner", owner)
      or session:has("owner", "state") and (session.rank or 0) >= level
  end
end

return policy
