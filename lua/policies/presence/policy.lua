--- presence: who comes and goes is published, and a procedure says who is there.
--
--   settings = {
--     file = "users.lua",            -- logins and roles as in "users"; without it see below
--     prefix = "com.acme.presence.", -- default: "presence."
--     per = "org",                   -- an attribute: only those with the same value are told
--   },
--
--   presence.joined   { session = , authid = , authrole = }
--   presence.left     the same, with reason =
--   presence.list()   -> a list of the same
--
-- The roles have to allow subscribing and calling these. With `per` a session without the
-- attribute is seen by nobody and sees nobody. Without settings.file it is for policies of one's
-- own: nexus.merge(require "policies.presence", policy)
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local prefix <const>, per <const> = config.prefix or "presence.", config.per

local policy <const> = nexus.policy{ api = 1 }

local function facts_of(session)
  return { session = session.id, authid = session.authid, authrole = session.authrole }
end

local function is_shown(session)
  return not per or session[per] ~= nil
end

local function publish(name, session, facts)
  local options <const> = per and { ["eligible_" .. per] = nexus.list{ session[per] } } or {}
  nexus.realm:publish(prefix .. name, {}, facts, options)
end

function policy.on_join(session)
  if is_shown(session) then publish("joined", session, facts_of(session)) end
end

function policy.on_leave(session, reason)
  if is_shown(session) then
    local facts <const> = facts_of(session)
    facts.reason = reason
    publish("left", session, facts)
  end
end

policy.procedures[prefix .. "list"] = {
  describe = "list(): who is there, as far as the caller may know",
  handler = function(call)
    local all <const> = nexus.list()
    local mine <const> = per and call.caller[per]
    for session in nexus.realm:sessions() do
      if is_shown(session) and (not per or mine ~= nil and session:has(per, mine)) then
        all[#all + 1] = facts_of(session)
      end
    end
    return all
  end,
}

return config.file and nexus.merge(require "policies.users", policy) or policy
