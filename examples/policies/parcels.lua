--- Parcels: rules for all that is the same for a role, code for whose parcel it is.
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local policy <const> = nexus.policy{
  api = 1,
  attributes = { town = "string" },
  cache_decisions = 20,
}

local db <const> = nexus.sqlite "staff.db"

function policy.authenticate.scram(hello)
  local found <const> = db:row("SELECT * FROM staff WHERE name = ?", hello.authid)
  if not found then return nil end
  return {
    authrole = found.role, attributes = { town = found.town }, kdf = found.kdf,
    salt = found.salt, iterations = found.iterations, memory = found.memory,
    stored_key = found.stored_key, server_key = found.server_key,
  }
end

policy.roles.receiver = {
  { allow = "subscribe", uri = "com.post.town.{session.town}.**" },
  { allow = "call", uri = "com.post.prices.**" },
  { ask = "call subscribe", uri = "com.post.parcel.{number}.**" },
}
policy.roles.driver = {
  { allow = "call subscribe publish", uri = "com.post.**", disclose = true },
  { deny = "*", uri = "com.post.parcel.*.destroy" },
}
policy.roles.office = { { allow = "*", uri = "com.post.**" } }

local receivers <const> = nexus.kv "receivers"

--- Asks a program of the office once in a while; the session waits meanwhile, and nobody else.
local function receiver_of(number)
  local name = receivers:get(number)
  if name == nil then
    name = nexus.realm:call("com.post.parcel.receiver", number)
    receivers:set(number, name, { ttl = 120 })
  end
  return name
end

function policy.authorize(request)
  local number <const> = request.params.number
  if request.session.authid ~= receiver_of(number) then
    return nexus.deny{ error = "com.post.error.not_yours", kwargs = { number = number } }
  end
  if request.action == "subscribe" then return true end
  return nexus.allow{ disclose = true, timeout = 5 }
end

function policy.check(t)
  local anna <const> = t:session{ authrole = "receiver", authid = "anna", town = "ulm" }
  assert(t:allows(anna, "subscribe", "com.post.town.ulm.news"))
  assert(not t:allows(anna, "subscribe", "com.post.town.bonn.news"))
  assert(not t:allows(anna, "subscribe", "com.post.town", { match = "prefix" }),
    "no way around the town")
end

return policy
