--- The policy "retained-state". What a router publishes when it starts again is in the router's
-- own specs.
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

describe("retained-state", function()
  local router, alice

  before_each(function()
    router = testing.router{ policy = "policy.lua",
      settings = { file = "spec/users.lua", topics = { "com.acme.state.{thing}" } } }
    alice = router:join{ method = "anonymous" }
  end)

  after_each(function() router:close() end)

  it("keeps the last value of a topic", function()
    alice:publish("com.acme.state.lamp", { "on" })
    alice:publish("com.acme.state.lamp", { "off" }, { since = 17 }, { acknowledge = true })
    alice:publish("com.acme.news", { "no state" }, nil, { acknowledge = true })
    local bob <const> = router:join{ method = "anonymous" }
    local seen <const> = bob:collect("com.acme.state.lamp", { get_retained = true })
    local news <const> = bob:collect("com.acme.news", { get_retained = true })
    router:run()
    assert.are.equal(1, #seen)
    assert.are.same({ "off" }, seen[1].args)
    assert.are.same({ since = 17 }, seen[1].kwargs)
    assert.are.same({}, news)
    assert.are.same({ "com.acme.state.lamp" }, bob:call "retained.topics")
    assert.are.equal("off", (bob:call("retained.get", "com.acme.state.lamp")))
  end)

  it("forgets", function()
    alice:publish("com.acme.state.lamp", { "on" }, nil, { acknowledge = true })
    assert.is_true(alice:call("retained.forget", "com.acme.state.lamp"))
    assert.is_false(alice:call("retained.forget", "com.acme.state.lamp"))
    local _, failure = alice:try_call("retained.get", "com.acme.state.lamp")
    assert.are.equal("retained.error.no_value", failure.uri)
    _, failure = alice:try_call "retained.forget"
    assert.are.equal("wamp.error.invalid_argument", failure.uri)
  end)

  it("needs topics", function()
    local ok <const>, words <const> = pcall(testing.router, { policy = "policy.lua" })
    assert.is_false(ok)
    assert.is_truthy(tostring(words):find("settings.topics is missing", 1, true), words)
  end)
end)
