local testing <const> = require "nexus.testing"

describe("the policy", function()
  local router, alice

  before_each(function()
    router = testing.router{ policy = "policy.lua" }
    alice = router:join{ authid = "alice", ticket = "wonderland" }
  end)

  after_each(function() router:close() end)

  it("asks about orders", function()
    alice:register("com.example.orders.17.show", function(call) return call.args[1] + 1 end)
    assert.are.equal(2, alice:call("com.example.orders.17.show", 1))
    local ok, err = alice:try_call("com.example.orders.0.show")
    assert.is_false(ok)
    assert.are.equal("orders are for acme only", err.message)
  end)

  it("shows guests the news alone", function()
    local guest = router:join{ method = "anonymous" }
    local seen = guest:collect("com.example.news")
    alice:publish("com.example.org.acme.news", { "hello" })
    router:advance(3600)
    assert.are.same({}, seen)
    assert.is_nil(guest:try_publish("com.example.news", { "me too" }))
  end)
end)
