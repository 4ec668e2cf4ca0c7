--- audit: who did what, in a store and on a topic.
--
--   settings = {
--     file = "users.lua",                -- logins and roles as in "users"; see below
--     watch = { "com.acme.admin.**" },   -- calls and publications to note
--     arguments = false,                 -- default; true: what they were made with, too
--     keep = 10000,                      -- entries in the store, default
--     prefix = "com.acme.audit.",        -- default: "audit."
--   },
--
-- An entry is { at, event, session, authid, authrole, uri, arguments = { args, kwargs }, reason }
-- with event = "join", "leave", "call" or "publish". A call or a publication is noted when it is
-- allowed, before it happens. What the rules deny is in the audit log of the router, whose file
-- the configuration names.
--
--   audit.entry              each entry as an event, kwargs
--   audit.last(n, authid)    -> the newest first, at most n (100), of one authid or of all
--
-- The roles have to allow subscribing and calling these, and should do so for few. Without
-- settings.file it is for policies of one's own: nexus.merge(require "policies.audit", policy)
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local prefix <const>, keep <const> = config.prefix or "audit.", config.keep or 10000
local MAX_ANSWER <const> = 1000

if math.type(keep) ~= "integer" or keep < 1 then
  error(('policy "audit": settings.keep: found %s; allowed: a whole number from 1')
    :format(tostring(keep)), 0)
end

local policy <const> = nexus.policy{ api = 1 }

local matchers <const> = {}
for i, pattern in ipairs(config.watch or {}) do matchers[i] = nexus.uri.matcher(pattern) end

-- Entries are numbered; number n is in the place n modulo keep, so the oldest one is overwritten.
local entries <const> = nexus.kv("audit", { persist = true, max_entries = keep + 1 })

local function note(event, session, more)
  if session.authrole == "trusted" then return end -- the policy's own
  local number <const> = entries:incr("last", 1)
  local entry <const> = { number = number, at = nexus.now(), event = event, session = session.id,
    authid = session.authid, authrole = session.authrole }
  for key, value in pairs(more or {}) do entry[key] = value end
  entries:set(("entry.%d"):format(number % keep), entry)
  nexus.realm:publish(prefix .. "entry", {}, entry)
end

local function noting(event)
  return function(message)
    for _, matches in ipairs(matchers) do
      if matches(message.uri) then
        note(event, message.session, { uri = message.uri,
          arguments = config.arguments and { args = nexus.list(message.args or {}),
            kwargs = nexus.dict(message.kwargs or {}) } or nil })
        break
      end
    end
  end
end

if #matchers > 0 then
  policy.intercept.call, policy.intercept.publish = noting "call", noting "publish"
end

function policy.on_join(session) note("join", session) end

function policy.on_leave(session, reason) note("leave", session, { reason = reason }) end

policy.procedures[prefix .. "last"] = {
  describe = "last(n, authid): the newest entries first",
  handler = function(call)
    local count <const>, authid <const> = call.args[1] or 100, call.args[2]
    if math.type(count) ~= "integer" or count < 1 or count > MAX_ANSWER then
      nexus.raise("wamp.error.invalid_argument",
        { ("n: found %s; allowed: a whole number from 1 to %d")
          :format(tostring(count), MAX_ANSWER) })
    end
    local found <const>, newest <const> = nexus.list(), entries:get "last" or 0
    for number = newest, math.max(newest - keep + 1, 1), -1 do
      local entry = entries:get(("entry.%d"):format(number % keep))
      if entry and entry.number == number and (not authid or entry.authid == authid) then
        found[#found + 1] = entry
        if #found == count then break end
      end
      if number % 500 == 0 then nexus.breathe() end
    end
    return found
  end,
}

return config.file and nexus.merge(require "policies.users", policy) or policy
