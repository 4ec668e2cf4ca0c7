--- Retained events in specs of the core: publishing them, and what SUBSCRIBE brings of them.
--
--   retention.retain(alice, "com.x", { 1 })
--   assert.same({ 1 }, retention.kept(bob, "com.x"))
--
-- SPDX-License-Identifier: MIT
local core = require "core"
local luassert = require "luassert"

local EVENT, SUBSCRIBE, SUBSCRIBED = core.EVENT, core.SUBSCRIBE, core.SUBSCRIBED

local retention = {}

--- Publishes with retain; returns the publication's id.
function retention.retain(peer, topic, args, kwargs, options)
  local all = { retain = true, acknowledge = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  local message = peer:messages(peer:publish(topic, args, kwargs, all))[1]
  luassert.equal(core.PUBLISHED, message[1], core.show(message))
  return message[3]
end

--- The retained events that SUBSCRIBE brings, after SUBSCRIBED; not what tells of it.
function retention.retained(peer, topic, options)
  local all = { get_retained = true }
  for k, v in pairs(options or {}) do
    all[k] = v
  end
  local actions = peer:send { SUBSCRIBE, peer:next_request(), all, topic or "com.x" }
  local messages = peer:messages(actions)
  local subscribed = table.remove(messages, 1)
  luassert.equal(SUBSCRIBED, subscribed[1], core.show(subscribed))
  local events = {}
  for _, message in ipairs(messages) do
    luassert.equal(EVENT, message[1])
    luassert.equal(subscribed[3], message[2])
    if not (message[4].topic or ""):find "^wamp%." then
      luassert.is_true(message[4].retained)
      events[#events + 1] = message
    end
  end
  return events
end

--- Their first arguments.
function retention.kept(...)
  local firsts = {}
  for i, message in ipairs(retention.retained(...)) do
    firsts[i] = message[5][1]
  end
  return firsts
end

return retention
