--- nexus.realm_named in a test: other realms are there when the test says so, and are left in time.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local policy <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local audit <const> = nexus.realm_named("com.audit")
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "call", uri = "com.shop.**" } }
policy.procedures["com.shop.buy"] = function(call)
  audit:publish("com.audit.bought", { call.args[1] })
  return audit:call("com.audit.approve", call.args[1])
end
return policy
]]

describe("other realms in a test", function()
  local router

  local function start(others)
    router = testing.router { policy = policies.write(policy), realm = "com.shop",
      other_realms = others }
    return router:join { method = "anonymous" }
  end

  after_each(function() router:close() end)

  it("get calls and events, and see the session come and go", function()
    local guest = start { "com.audit" }
    local auditor = router:join { realm = "com.audit", method = "anonymous" }
    local bought = auditor:collect("com.audit.bought")
    local left = auditor:collect("wamp.session.on_leave")
    auditor:register("com.audit.approve", function(call) return call.args[1] .. " is fine" end)
    assert.are.equal("tea is fine", guest:call("com.shop.buy", "tea"))
    assert.are.same("tea", bought[1].args[1])
    assert.are.equal(2, auditor:call("wamp.session.count"))
    router:advance(9)
    assert.are.equal("milk is fine", guest:call("com.shop.buy", "milk"))
    router:advance(9)
    assert.are.equal(2, auditor:call("wamp.session.count"))
    router:advance(2)
    assert.are.equal(1, auditor:call("wamp.session.count"))
    assert.are.equal(1, #left)
    assert.are.equal("sugar is fine", guest:call("com.shop.buy", "sugar"))
  end)

  it("stay as long as an answer is awaited", function()
    local guest = start { "com.audit" }
    local auditor = router:join { realm = "com.audit", method = "anonymous" }
    local asked
    auditor:register("com.audit.approve", function(call)
      asked = call
      return testing.later
    end)
    local pending = guest:start_call { "com.shop.buy", args = { "tea" } }
    router:advance(25)
    asked:yield("at last")
    assert.are.same({ "at last" }, pending:result().args)
  end)

  it("are not permitted otherwise", function()
    local guest = start()
    local ok, err = guest:try_call("com.shop.buy", "tea")
    assert.is_false(ok)
    assert.are.equal("wamp.error.runtime_error", err.uri)
  end)

  it("are names", function()
    for _, name in ipairs { 7, "a b", "" } do
      assert.has_error(function()
        testing.router { policy = "open", other_realms = { "x", name } }
      end, ('other_realms[2]: found "%s"; allowed: the name of a realm'):format(name))
    end
    start {}
  end)
end)
