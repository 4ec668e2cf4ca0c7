--- users: who may come in and what each role may do, in one plain file.
--
--   ["com.acme"] = { policy = "users", settings = { file = "users.lua" } },
--
-- The file is seen from the configuration, and is read again when it has changed; a mistake in it
-- leaves things as they are, and is in the log with its line. JSON of the same shape does as well
-- (settings.file = "users.json"). `nexusd passwd` makes the entries of users:
--
--   return {
--     users = {
--       alice = { role = "admin", ticket_hash = "$argon2id$..." },
--       bob = { role = "user", scram = { ... }, attributes = { org = "acme" } },
--     },
--     roles = {
--       user = { { allow = "call subscribe", uri = "com.acme.**" } },
--       admin = { inherit = "user", { allow = "*", uri = "**" } },
--     },
--     attributes = { org = "string" },   -- those that users have, with their types
--     anonymous = "guest",               -- the role of who does not log in; not there: nobody may
--     cookie = true,                     -- who has logged in is known again by a cookie
--   }
--
-- A user has `role` and one or more of ticket, ticket_hash, wampcra = { secret, salt, iterations,
-- keylen }, scram = { kdf, salt, iterations, memory, stored_key, server_key }, pubkeys (for
-- cryptosign) and fingerprints (for tls); besides attributes, expires (Unix time), trustlevel,
-- extra, and disabled = "why". A method is offered when somebody has it. A role of JSON that
-- inherits is { "inherit": "user", "rules": [ ... ] }.
--
-- A policy of your own begins with it so: nexus.merge(require "policies.users", { api = 1, ... })
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

if type(nexus.config.file) ~= "string" then
  error('policy "users": settings.file is missing; allowed: a file of users, as "users.lua"', 0)
end

local data <const> = require "settings.file"
local place <const> = require "settings.place"

local problems <const> = {}

local function complain(key, format, ...)
  problems[#problems + 1] = ("%s: %s"):format(place(key), format:format(...))
end

local function sorted_keys(from)
  local keys = {}
  for key in pairs(from) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

--- The table at data[key], or an empty one.
local function section(key, is_needed)
  local value = type(data) == "table" and data[key]
  if value == nil and not is_needed then return {} end
  if type(value) ~= "table" then
    complain(key, "%s: found %s; allowed: a table", key, value and type(value) or "nothing")
    return {}
  end
  return value
end

local function check_keys(key, what, from, allowed)
  for _, name in ipairs(sorted_keys(from)) do
    if not allowed[name] then
      complain(key, "%s.%s: no such key; allowed: %s", what, name,
        table.concat(sorted_keys(allowed), ", "))
    end
  end
end

--- The keys of a credential which the router does not know by those names.
local nested <const> = {
  wampcra = { secret = true, salt = true, iterations = true, keylen = true },
  scram = { kdf = true, salt = true, iterations = true, memory = true, stored_key = true,
    server_key = true, compat_stored_key = true, compat_server_key = true },
}

local user_keys <const> = {
  role = true, ticket = true, ticket_hash = true, wampcra = true, scram = true, pubkeys = true,
  fingerprints = true, attributes = true, expires = true, trustlevel = true, extra = true,
  disabled = true,
}

if type(data) ~= "table" then
  error(("%s: found %s; allowed: a table with users and roles"):format(place "", type(data)), 0)
end
check_keys("", "file", data, { users = true, roles = true, attributes = true, anonymous = true,
  cookie = true, authmethods = true })

local policy <const> = nexus.policy{ api = 1, attributes = section "attributes" }

---- roles ----

for name, role in pairs(section("roles", true)) do
  if type(role) == "table" and role.rules then
    local rules = { inherit = role.inherit }
    for i, rule in ipairs(role.rules) do rules[i] = rule end
    role = rules
  end
  policy.roles[name] = role
end

local function check_role(key, what, role)
  if type(role) ~= "string" or not policy.roles[role] then
    complain(key, "%s: found %s; allowed: one of the roles %s", what,
      type(role) == "string" and '"' .. role .. '"' or role == nil and "nothing" or type(role),
      table.concat(sorted_keys(policy.roles), ", "))
  end
end

---- users ----

local users <const> = section("users", true)
local name_of_fingerprint <const> = {}
local offers <const> = {}

local function check_user(name, user)
  local what <const> = ("users[%q]"):format(name)
  if type(user) ~= "table" then
    return complain(name, "%s: found %s; allowed: a table", what, type(user))
  end
  check_keys(name, what, user, user_keys)
  check_role(name, what .. ".role", user.role)
  for key, allowed in pairs(nested) do
    if type(user[key]) == "table" then
      check_keys(name, what .. "." .. key, user[key], allowed)
    elseif user[key] ~= nil then
      complain(name, "%s.%s: found %s; allowed: a table", what, key, type(user[key]))
    end
    offers[key] = offers[key] or user[key] ~= nil
  end
  offers.ticket = offers.ticket or user.ticket ~= nil or user.ticket_hash ~= nil
  offers.cryptosign = offers.cryptosign or user.pubkeys ~= nil
  offers.tls = offers.tls or user.fingerprints ~= nil
  local prints = user.fingerprints
  for _, print in ipairs(type(prints) == "table" and prints or { prints }) do
    name_of_fingerprint[tostring(print):gsub(":", ""):lower()] = name
  end
end

for _, name in ipairs(sorted_keys(users)) do
  check_user(name, users[name])
end
if data.anonymous ~= nil then
  check_role("anonymous", "anonymous", data.anonymous)
end
if #problems > 0 then
  error(table.concat(problems, "\n"), 0)
end

---- logins ----

--- What all methods say of a user, and what `credential` adds.
local function record_of(name, credential)
  local user = users[name]
  if not user then return nil end
  if user.disabled then
    return nexus.deny{ message = user.disabled == true and "account disabled" or user.disabled }
  end
  local record = credential(user)
  if record then
    record.authid, record.authrole, record.authprovider = name, user.role, "users"
    record.attributes, record.extra = user.attributes, user.extra
    record.expires, record.trustlevel = user.expires, user.trustlevel
  end
  return record
end

local credentials <const> = {}

function credentials.ticket(user)
  local has = user.ticket or user.ticket_hash
  return has and { ticket = user.ticket, ticket_hash = not user.ticket and user.ticket_hash or nil }
end

function credentials.cryptosign(user)
  return user.pubkeys and { pubkeys = user.pubkeys }
end

function credentials.tls(user)
  return user.fingerprints and { fingerprints = user.fingerprints }
end

for method in pairs(nested) do
  credentials[method] = function(user)
    local record = user[method] and {}
    for key, value in pairs(user[method] or {}) do record[key] = value end
    return record
  end
end

for method, credential in pairs(credentials) do
  if offers[method] then
    policy.authenticate[method] = function(hello)
      local name = hello.authid
      if method == "tls" and not name then -- the certificate says who it is
        name = name_of_fingerprint[hello.transport.tls.fingerprint:gsub(":", ""):lower()]
      end
      return name and record_of(name, credential)
    end
  end
end

if data.anonymous then
  function policy.authenticate.anonymous()
    return { authrole = data.anonymous }
  end
end
if data.cookie then
  policy.authenticate.cookie = true
end
policy.authmethods = data.authmethods

return policy
