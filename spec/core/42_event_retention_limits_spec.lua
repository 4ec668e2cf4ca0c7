--- event_retention: how much is kept, and how much of it a subscriber gets.
-- SPDX-License-Identifier: MIT
local core = require "core"
local retention = require "retention"

local EVENT, rest = core.EVENT, core.rest
local retain, kept = retention.retain, retention.kept

core.describe("Event retention", function(router)
  local function pair(options)
    local r = router(options)
    return r, r:join(), r:join()
  end

  it("is ignored for one topic more than configured, until there is room", function()
    local r, alice, bob = pair { retained_max_topics = 2 }
    local id = bob:subscribe "com.c"
    retain(alice, "com.a", { 1 })
    retain(alice, "com.b", { 2 })
    assert.actions({ { bob, { EVENT, id, core.id, {}, { 3 } } } },
      alice:publish("com.c", { 3 }, nil, { retain = true }))
    assert.same({}, kept(r:join(), "com.c"))
    retain(alice, "com.a", { 4 })
    retain(alice, "com.b", { 5 }, nil, { exclude = { 1 } })
    assert.same({ 4, 5 }, kept(r:join(), "com.", { match = "prefix" }))
    retain(alice, "com.b")
    retain(alice, "com.c", { 6 })
    assert.same({ 4, 6 }, kept(r:join(), "com.", { match = "prefix" }))
  end)

  for _, knob in ipairs { "retained_max_topics", "retained_max_bytes" } do
    it(("keeps nothing with %s = 0"):format(knob), function()
      local _, alice, bob = pair { [knob] = 0 }
      retain(alice, "com.x", { 1 })
      assert.same({}, kept(bob))
    end)
  end

  it("is ignored for more octets than configured, and the older event stays", function()
    local r, alice, bob = pair { retained_max_bytes = 5000 }
    local id = bob:subscribe "com.a"
    retain(alice, "com.a", { 1 })
    assert.actions({ { bob, { EVENT, id, core.id, {}, rest } } },
      alice:publish("com.a", { 2, ("x"):rep(10000) }, nil, { retain = true }))
    assert.same({ 1 }, kept(r:join(), "com.a"))
    retain(alice, "com.a", { 3, ("x"):rep(1000) })
    for i = 1, 20 do
      retain(alice, "com.t" .. i, { i, ("x"):rep(1000) })
    end
    local firsts = kept(r:join(), "com.", { match = "prefix" })
    assert.is_true(#firsts >= 2 and #firsts <= 5, #firsts)
    assert.equal(3, firsts[1])
    assert.equal(1, firsts[2])
    retain(alice, "com.a")
    retain(alice, "com.b", { 30, ("x"):rep(1000) })
    assert.same({ 30 }, kept(r:join(), "com.b"))
  end)

  it("forgets the octets of what was replaced, cleared or pushed out", function()
    local r, alice = pair { retained_max_bytes = 8000 }
    for i = 1, 100 do
      local topic = "com." .. i % 3
      retain(alice, topic, { i, ("x"):rep(500) }, nil, i % 2 == 0 and { exclude = { 1 } } or nil)
      if i % 10 == 0 then
        retain(alice, topic)
        retain(alice, topic, { "new", ("x"):rep(500) })
        assert.same({ "new" }, kept(r:join(), topic))
      end
    end
  end)

  it("leaves out what does not fit into a message of the subscriber's transport", function()
    local r, alice = pair()
    retain(alice, "com.a", { 1 })
    retain(alice, "com.b", { 2, ("x"):rep(2000) })
    retain(alice, "com.c", { 3 })
    local carol = r:join(nil, { send_max = 1024 })
    assert.same({ 1, 3 }, kept(carol, "com.", { match = "prefix" }))
    assert.same({}, kept(carol, "com.b"))
    assert.equal(2, r:counters().oversized)
  end)

  it("brings as many topics as there are to somebody else when one has none", function()
    local r, alice, bob = pair()
    for i = 1, 20 do
      retain(alice, "com.t" .. i, { i }, nil, { eligible = { bob.session } })
    end
    assert.equal(20, #kept(bob, "com.", { match = "prefix" }))
    assert.equal(0, #kept(r:join(), "com.", { match = "prefix" }))
  end)
end)
