--- retained-state: the last value of each topic is kept, also when the router starts again.
--
--   settings = {
--     file = "users.lua",                -- logins and roles as in "users"; without it see below
--     topics = { "com.acme.state.**" },  -- patterns of topics
--     prefix = "com.acme.state_admin.",  -- of the procedures; default: "retained."
--   },
--
-- Every event of these topics is retained, whatever its publisher says, so subscribers with
-- get_retained have the last one at once. It is in a store as well (data_folder), out of which it
-- is published again when the router starts; whom it was for (eligible and the like) is not known
-- then, so rules should say it.
--
--   retained.topics()       -> the topics that have a value
--   retained.get(topic)     -> the value: args and kwargs; retained.error.no_value
--   retained.forget(topic)  -> whether there was one; it is not published when the router starts
--
-- Payloads that are encrypted end to end stay in memory alone. Without settings.file it is for
-- policies of one's own: nexus.merge(require "policies.retained_state", policy)
-- SPDX-License-Identifier: MIT
local nexus <const> = require "nexus"

local config <const> = nexus.config
local prefix <const> = config.prefix or "retained."

if type(config.topics) ~= "table" or #config.topics == 0 then
  error('policy "retained-state": settings.topics is missing; allowed: a list of patterns', 0)
end

local policy <const> = nexus.policy{ api = 1 }

local matchers <const> = {}
for i, pattern in ipairs(config.topics) do matchers[i] = nexus.uri.matcher(pattern) end

local values <const> = nexus.kv("retained_state", { persist = true })

local function is_kept(topic)
  for _, matches in ipairs(matchers) do
    if matches(topic) then return true end
  end
  return false
end

function policy.intercept.publish(message)
  if not is_kept(message.uri) then return nil end
  if message.args then
    values:set(message.uri, { args = message.args, kwargs = message.kwargs })
  end
  local options <const> = {}
  for key, value in pairs(message.options) do options[key] = value end
  options.retain = true
  return { options = options }
end

function policy.on_load(info)
  if not info.first then return end -- after a reload all of it is there
  values:each("", function(topic, value)
    if is_kept(topic) then
      nexus.realm:publish(topic, value.args, value.kwargs, { retain = true })
    end
  end)
end

policy.procedures[prefix .. "topics"] = {
  describe = "topics(): those that have a value",
  handler = function()
    local all <const> = nexus.list()
    values:each("", function(topic) all[#all + 1] = topic end)
    return all
  end,
}

policy.procedures[prefix .. "get"] = {
  describe = "get(topic): its last value",
  handler = function(call)
    local topic <const> = call.args[1]
    local value <const> = type(topic) == "string" and values:get(topic)
    if not value then nexus.raise(prefix .. "error.no_value", { topic }) end
    return nexus.result(value.args, value.kwargs)
  end,
}

policy.procedures[prefix .. "forget"] = {
  describe = "forget(topic): do not publish it when the router starts",
  handler = function(call)
    local topic <const> = call.args[1]
    if type(topic) ~= "string" then
      nexus.raise("wamp.error.invalid_argument", { "forget: the topic is missing" })
    end
    local was_there <const> = values:get(topic) ~= nil
    values:delete(topic)
    return was_there
  end,
}

return config.file and nexus.merge(require "policies.users", policy) or policy
