--- Run by `nexusd test`, or by busted.
local testing <const> = require "nexus.testing"

describe("the policy", function()
  local router

  before_each(function() router = testing.router{ policy = "policy.lua" } end)
  after_each(function() router:close() end)

  it("adds for users", function()
    local alice = router:join{ authid = "alice", ticket = "wonderland" }
    assert.are.equal(3, alice:call("com.example.add", 1, 2))
  end)

  it("lets nobody in with a wrong ticket", function()
    assert.is_nil((router:try_join{ authid = "alice", ticket = "looking-glass" }))
  end)

  it("lets guests do nothing but listen to the news", function()
    local guest = router:join{}
    assert.is_true(router:allows(guest, "subscribe", "com.example.news.today"))
    assert.is_false((router:allows(guest, "call", "com.example.add")))
  end)

  it("keeps organisations apart", function()
    local alice = router:join{ authid = "alice", ticket = "wonderland" }
    assert.is_true(router:allows(alice, "publish", "com.example.org.acme.chat"))
    assert.is_false((router:allows(alice, "publish", "com.example.org.other.chat")))
  end)
end)
