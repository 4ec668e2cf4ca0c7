--- The policy "presence".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

describe("presence", function()
  local router, alice

  local function open(per)
    router = testing.router{ policy = "policy.lua",
      settings = { file = "spec/users.lua", per = per } }
    alice = router:join{ authid = "alice", ticket = "a" }
  end

  after_each(function() router:close() end)

  local function names(list)
    local all <const> = {}
    for i, facts in ipairs(list) do all[i] = facts.authid end
    table.sort(all)
    return table.concat(all, " ")
  end

  it("tells who comes and goes", function()
    open()
    local joined <const> = alice:collect("presence.joined", { only = "kwargs" })
    local left <const> = alice:collect("presence.left", { only = "kwargs" })
    local bob <const> = router:join{ authid = "bob", ticket = "b" }
    router:run()
    assert.are.same({ { session = bob.id, authid = "bob", authrole = "user" } }, joined)
    assert.are.equal("alice bob", names(alice:call "presence.list"))
    bob:leave "com.acme.tired"
    router:run()
    assert.are.equal("bob", left[1].authid)
    assert.is_string(left[1].reason)
    assert.are.equal("alice", names(alice:call "presence.list"))
  end)

  it("tells those with the same attribute", function()
    open "org"
    local joined <const> = alice:collect("presence.joined", { only = "kwargs" })
    local left <const> = alice:collect("presence.left", { only = "kwargs" })
    local bob <const> = router:join{ authid = "bob", ticket = "b" }
    local nobody <const> = router:join{ authid = "noname", ticket = "n" }
    local anna <const> = router:join{ authid = "anna", ticket = "a" }
    router:run()
    assert.are.equal("anna", names(joined))
    assert.are.equal("alice anna", names(anna:call "presence.list"))
    assert.are.equal("bob", names(bob:call "presence.list"))
    assert.are.equal("", names(nobody:call "presence.list"))
    bob:drop()
    anna:drop()
    router:run()
    assert.are.equal("anna", names(left))
  end)
end)
