--- scram-users: accounts with passwords in a store, made and changed by procedures.
--
--   ["com.acme"] = {
--     policy = "scram-users",
--     settings = {
--       prefix = "com.acme.users.",        -- of the procedures; default: "users."
--       admin_role = "admin",              -- who may call them; default
--       roles = {                          -- what each role may do
--         user = { { allow = "call subscribe", uri = "com.acme.**" } },
--         admin = { { allow = "*", uri = "com.acme.**" } },
--       },
--     },
--     secrets = { first_password = { env = "FIRST_PASSWORD" } },  -- of "admin", for its account
--   },
--
-- Clients log in with wamp-scram, so passwords are neither sent nor stored; data_folder keeps the
-- accounts. The procedures, `prefix` before their names:
--
--   add(name, password, role)        -> true; com.acme.users.error.exists
--   set_password(name, password)     -> true; for oneself, or by an admin
--   set_role(name, role)             -> true; sessions of that name are closed
--   remove(name)                     -> how many sessions were closed
--   list()                           -> { { name = , role = }, ... }
--
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local prefix <const> = config.prefix or "users."
local admin_role <const> = config.admin_role or "admin"
local MIN_PASSWORD <const>, MAX_PASSWORD <const>, MAX_NAME <const> = 8, 256, 100

if not config.roles then
  error('policy "scram-users": settings.roles is missing; allowed: rules for each role', 0)
end

local policy <const> = nexus.policy{ api = 1, authmethods = { "scram" } }

for name, rules in pairs(config.roles) do
  local role = {}
  for key, rule in pairs(rules) do
    if type(rule) ~= "table" then
      role[key] = rule
    else
      local copy = {}
      for option, value in pairs(rule) do copy[option] = value end
      role[key] = copy
    end
  end
  policy.roles[name] = role
end
if not policy.roles[admin_role] then
  error(('policy "scram-users": settings.roles.%s is missing: nobody could make accounts')
    :format(admin_role), 0)
end

-- The procedures are for admins; a password is everybody's own to change, which the handler checks.
for name, role in pairs(policy.roles) do
  if name ~= admin_role then
    role[#role + 1] = { deny = "*", uri = prefix .. "**" }
    role[#role + 1] = { allow = "call", uri = prefix .. "set_password" }
  else
    role[#role + 1] = { deny = "register", uri = prefix .. "**" }
    role[#role + 1] = { allow = "call", uri = prefix .. "**" }
  end
end

local accounts <const> = nexus.kv("accounts", { persist = true })

function policy.authenticate.scram(hello)
  local account = hello.authid and accounts:get(hello.authid)
  if not account then return nil end
  local record = { authrole = account.role, authprovider = "scram-users" }
  for key, value in pairs(account.scram) do record[key] = value end
  return record
end

---- procedures ----

local function refuse(format, ...)
  nexus.raise("wamp.error.invalid_argument", { format:format(...) })
end

local function check_name(name)
  if type(name) ~= "string" or name == "" or #name > MAX_NAME then
    refuse("name: found %s; allowed: a string of 1 to %d octets", type(name), MAX_NAME)
  end
  return name
end

local function check_role(role)
  if type(role) ~= "string" or not policy.roles[role] then
    refuse("role: found %s; allowed: a role of settings.roles", tostring(role))
  end
  return role
end

local function check_password(password)
  if type(password) ~= "string" or #password < MIN_PASSWORD or #password > MAX_PASSWORD then
    refuse("password: allowed: a string of %d to %d octets", MIN_PASSWORD, MAX_PASSWORD)
  end
  return password
end

local function no_such(name)
  nexus.raise(prefix .. "error.no_such_user", { name })
end

policy.procedures[prefix .. "add"] = {
  describe = "add(name, password, role): a new account",
  handler = function(call)
    local name <const> = check_name(call.args[1])
    local password <const>, role <const> = check_password(call.args[2]), check_role(call.args[3])
    if not accounts:add(name, { role = role, scram = nexus.crypto.scram_record(password) }) then
      nexus.raise(prefix .. "error.exists", { name })
    end
    return true
  end,
}

policy.procedures[prefix .. "set_password"] = {
  describe = "set_password(name, password): for oneself, or by an admin",
  handler = function(call)
    local name <const> = check_name(call.args[1])
    if name ~= call.caller.authid and call.caller.authrole ~= admin_role then
      nexus.raise("wamp.error.not_authorized", { "only admins change passwords of others" })
    end
    local scram <const> = nexus.crypto.scram_record(check_password(call.args[2]))
    local is_there = false
    accounts:update(name, function(account)
      is_there = account ~= nil
      return account and { role = account.role, scram = scram }
    end)
    return is_there or no_such(name)
  end,
}

policy.procedures[prefix .. "set_role"] = {
  describe = "set_role(name, role): its sessions have to log in again",
  handler = function(call)
    local name <const>, role <const> = check_name(call.args[1]), check_role(call.args[2])
    local is_there = false
    accounts:update(name, function(account)
      is_there = account ~= nil
      return account and { role = role, scram = account.scram }
    end)
    if not is_there then no_such(name) end
    nexus.realm:kill{ authid = name, reason = prefix .. "close.role_changed" }
    return true
  end,
}

policy.procedures[prefix .. "remove"] = {
  describe = "remove(name): the account, and its sessions",
  handler = function(call)
    local name <const> = check_name(call.args[1])
    if not accounts:get(name) then no_such(name) end
    accounts:delete(name)
    return nexus.realm:kill{ authid = name, reason = prefix .. "close.removed" }
  end,
}

policy.procedures[prefix .. "list"] = {
  describe = "list(): names and roles",
  handler = function()
    local all <const> = nexus.list()
    accounts:each("", function(name, account)
      all[#all + 1] = { name = name, role = account.role }
    end)
    return all
  end,
}

---- the first account ----

function policy.on_load()
  local has_secret <const>, password <const> = pcall(nexus.secret, "first_password")
  if has_secret and password and not accounts:get "admin" then
    accounts:add("admin", { role = admin_role,
      scram = nexus.crypto.scram_record(check_password(password)) })
    nexus.log.info("the first account was made", { name = "admin" })
  end
end

return policy
