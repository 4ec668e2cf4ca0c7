--- What waits on behalf of a session ends with it, and what it opened is closed.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
policy.roles.user = { { allow = "*", uri = "com.acme.**" },
  { ask = "publish", uri = "com.acme.authorize" } }
function policy.authenticate.anonymous(hello)
  return { authid = hello.authid, authrole = "user" }
end

local said = {}
local function say(words) said[#said + 1] = words end
policy.procedures["com.acme.said"] = function()
  local all <const> = said
  said = {}
  return nexus.list(all)
end

--- Waits for ten seconds, and for one more whatever comes of it.
local function wait(session)
  local _ <close> = setmetatable({}, { __close = function() say "closed" end })
  local ok <const>, words <const> = pcall(nexus.sleep, 10)
  say(ok and "waited" or words)
  say(session.open and "open" or "gone")
  local went_on <const> = pcall(nexus.sleep, 1)
  say(went_on and "went on" or "ended")
  return true
end

function policy.authorize(request) return wait(request.session) end
function policy.intercept.publish(message)
  if message.uri == "com.acme.intercept" then wait(message.session) end
end
function policy.filter(event)
  if event.topic == "com.acme.filter" then wait(event.publisher) end
end
policy.procedures["com.acme.procedure"] = function(call) return wait(call.caller) end
policy.subscriptions["com.acme.subscription"] = function(event) wait(event.publisher) end
function policy.on_leave(session)
  if session.authid == "bob" then nexus.sleep(1) say("bye " .. session.authid) end
end
return policy
]]

describe("when a session leaves", function()
  local router, alice, bob

  before_each(function()
    router = testing.router { policy = policies.write(policy) }
    alice = router:join { method = "anonymous", authid = "alice" }
    bob = router:join { method = "anonymous", authid = "bob" }
  end)

  after_each(function()
    router:close()
  end)

  --- What was said in half a minute after bob has left.
  local function leave()
    router:advance(2)
    bob:leave()
    router:advance(30)
    local all = alice:call "com.acme.said"
    table.sort(all)
    return table.concat(all, ", ")
  end

  for _, what in ipairs { "authorize", "intercept", "filter" } do
    it("what judges its message ends: " .. what, function()
      local seen = alice:collect("com.acme." .. what)
      bob:publish("com.acme." .. what, { 1 })
      bob:publish("com.acme.later", { 2 })
      assert.equal("bye bob, closed, ended, gone, nobody waits for the answer any more", leave())
      assert.same({}, seen)
    end)
  end

  it("what answers its call ends", function()
    bob:start_call "com.acme.procedure"
    assert.equal("bye bob, closed, ended, gone, the call was canceled", leave())
  end)

  it("what hears its event goes on, as on_leave does", function()
    bob:publish("com.acme.subscription", { 1 })
    assert.equal("bye bob, closed, gone, waited, went on", leave())
  end)

  it("what came before it left has been done, and nothing that came behind what waits", function()
    local seen = alice:collect("com.acme.", { match = "prefix", only = "topic" })
    bob:publish("com.acme.before", {})
    bob:publish("com.acme.authorize", {})
    bob:publish("com.acme.behind", {})
    alice:publish("com.acme.other", {}, nil, { exclude_me = false })
    leave()
    assert.same({ "com.acme.before", "com.acme.other" }, seen)
  end)
end)
